"""Scripts of the user: MD, the choice of frames (DIRECT), labels."""
