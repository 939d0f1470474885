"""The input files: every key declared once, checked before anything starts."""
