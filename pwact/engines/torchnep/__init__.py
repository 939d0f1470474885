"""TorchNEP: small networks on the descriptors of NEP, which run in GPUMD and LAMMPS."""
