"""VASP: relaxations, AIMD and labels."""
