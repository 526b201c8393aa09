"""One module per command: `add_parser` describes it, `run` does it. `agent/cli.py` lists them."""
