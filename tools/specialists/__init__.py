"""Specialists: small models that are trained here, measured here and used as tools.

data.py       a file of examples becomes rows, held-out ones apart; what is wrong with it
plan.py       what will be trained, on what and how; nothing is loaded for it
jobs.py       training in a process of its own: started, stopped, continued
training.py   what that process does                            <- the circle, top to bottom
classifier.py, tagger.py, masked.py, embedder.py, causal.py     one recipe each
methods.py    full, head, lora, qlora, prefix, prompt
metrics.py    how good it is
registry.py   versions of specialists: kept, compared, promoted, rolled back
"""
