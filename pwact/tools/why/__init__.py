"""Where a frame of a data set comes from."""
