"""What happened in a turn: written down as it happens, read back, shown, exported."""
