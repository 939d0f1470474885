"""Structures to begin with, by the kind of structure."""
