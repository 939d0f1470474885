"""Writes the files of programs that nobody here can run: ``python -m tests.handmade``.

The layouts are written down by hand from how the programs print; the numbers are those of a simple
potential, so that energies, forces, stresses and steps of a file fit together. The files lie in
``tests/data``, and what the tests expect of them was read off the files by eye.
"""
