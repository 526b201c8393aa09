"""Specialists: small models that are trained here, measured here and used as tools.

From a file to examples:

reading.py    a file or folder becomes a table of rows with their true line
delimited.py, json_rows.py, stored.py   one group of formats each
encoding.py   bytes become text
data.py       the values: a table, its records and problems, an example
columns.py    what a table is for, and which column is the text, which the label ...
rows.py       records become examples, or problems with their line
repeats.py    the same text again: kept once, or dropped as a contradiction
spellings.py  two labels that are likely one
checks.py     all of it: the examples of a file, held-out ones apart, and what is wrong with them
doubts.py     rows whose label is another than that of the texts nearest to them

From examples to a version:

bases.py      the model that is started from
proposal.py   a file and a few wishes become a plan; bad data is refused
plan.py       what will be trained, on what and how; nothing is loaded for it
jobs.py       training in a process of its own: started, stopped, continued
cluster.py    the same job on a Ray cluster
training.py   what that process does                            <- the circle, top to bottom
recipes.py    the recipes by task, and what each of them is
classifier.py, tagger.py, masked.py, embedder.py, causal.py     one recipe each
methods.py    full, head, lora, qlora, prefix, prompt
average.py    the mean of the last weights
compute.py    device, precision, batches
metrics.py    how good it is
measured.py   what was measured, beside the baselines

From version to version, and to work:

registry.py   versions of specialists: kept, compared, promoted, rolled back
manifest.py   what is known of a version
promotion.py  which version is in use
contents.py   the files of a version and their hashes
archive.py    a version as one file, from machine to machine
card.py       its model card
gguf_adapter.py   a LoRA adapter as GGUF, for llama.cpp
use.py        specialists loaded, and tried on a file
"""
