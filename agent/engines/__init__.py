"""Engines: what turns messages into a reply. The contract is in `base.py`."""
