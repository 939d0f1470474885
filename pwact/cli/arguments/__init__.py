"""The arguments of each command, and what they may be."""
