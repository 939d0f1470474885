"""Any ASE calculator: labels, relaxations, AIMD; MD of models that LAMMPS cannot load."""
