"""PWmat, its DFTB and Gaussian basis sets: relaxations, AIMD and labels."""
