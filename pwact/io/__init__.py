"""Files: formats read and written, the journal, the lock."""
