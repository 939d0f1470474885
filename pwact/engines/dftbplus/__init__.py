"""DFTB+ (DFTB, xTB): relaxations, AIMD and labels."""
