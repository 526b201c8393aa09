"""Scripted tasks: a file says what is asked, with what, and how the answer is checked."""
