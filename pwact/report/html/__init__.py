"""The page of `pwact report`: values in, one HTML file out."""
