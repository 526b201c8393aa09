"""Tinsmith's runtime. Start reading at `agent/loop.py`."""
