"""See `tests.stubs.deepmd_pytorch`."""
