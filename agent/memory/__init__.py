"""What outlasts a turn: sessions in SQLite."""
