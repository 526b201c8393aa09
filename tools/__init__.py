"""What the model can call. `base.py` says what a tool is; nothing here imports `agent`."""
