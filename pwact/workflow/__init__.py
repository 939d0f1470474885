"""Campaigns: what is done in which order, recorded so that it is done once."""
