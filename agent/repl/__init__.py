"""The terminal: prompt-toolkit in, events out."""
