"""How much one task may do, so that nothing in a file goes on without an end."""

FILE = 1_000_000
"""Bytes of a task file."""
NODES = 100_000
"""Values in a task file, an alias counted as often as it is used."""
ROUNDS = 100_000
"""Of the loops of one template, together."""
RENDERED = 4_000_000
"""Characters that a template may give."""
SECONDS = 5.0
"""That a template may take."""
ITEMS = 10_000
"""Of `each`."""
RETRIES = 20
