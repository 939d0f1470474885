"""LAMMPS: MD with the models of a trainer."""
