"""Stands in for PyTorch and for DeePMD-kit's PyTorch backend: a folder for PYTHONPATH.

Its training counts steps, and each checkpoint knows the steps that went into it.
"""

KILLED_AFTER = "STUB_KILLED_AFTER_STEP"  # environment variable: as if a time limit struck
WAITS_AFTER = "STUB_WAITS_AFTER_STEP"  # environment variable: until something ends it
WAITS, GOES = "waits", "STUB_GOES_WHERE"  # says so here; unless the file of this variable is there
