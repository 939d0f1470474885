"""Files of other programs and data sets, one file a format."""
