"""CP2K (GPW, DFTB, xTB): relaxations, AIMD and labels."""
