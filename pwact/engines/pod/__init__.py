"""ML-POD: training, deviation and Kalman prediction uncertainty inside LAMMPS."""
