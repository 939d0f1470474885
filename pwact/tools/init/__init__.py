"""Input files and structures of a new campaign."""
