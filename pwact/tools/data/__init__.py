"""Data sets: made of trajectories, collected, parted."""
