"""How much the members of a committee disagree about a frame."""

from __future__ import annotations

import numpy as np


def deviations(predictions: np.ndarray) -> np.ndarray:
    """Population standard deviation of vectors: sqrt(mean over members of |x - mean|²).

    Parameters
    ----------
    predictions
        Shape (members, atoms, components).

    Returns
    -------
    numpy.ndarray
        Shape (atoms,), in the unit of `predictions`.
    """
    spread = predictions - predictions.mean(axis=0)
    result: np.ndarray = np.sqrt(np.mean(np.sum(spread**2, axis=2), axis=0))
    return result


def root_mean_square(deviation: np.ndarray) -> np.ndarray:
    """Root mean square over the atoms of a frame.

    Parameters
    ----------
    deviation
        Of each atom, shape (…, atoms), any unit.

    Returns
    -------
    numpy.ndarray
        Shape (…), in the same unit.
    """
    result: np.ndarray = np.sqrt(np.mean(np.square(deviation), axis=-1))
    return result


def least_root_mean_square(average: np.ndarray, largest: np.ndarray, atoms: int) -> np.ndarray:
    """The smallest root mean square that average and largest deviation of a frame allow.

    With the average a and the largest M of N numbers the mean square is least where the others are
    alike: a² + (M − a)² / (N − 1). That is exact where one atom stands out of equal ones; where the
    deviations of all atoms are spread like the lengths of random vectors it is 0.92 of the true one
    (the square root of 8 / 3π).

    Parameters
    ----------
    average, largest
        Over the atoms of each frame, shape (n,), any unit.
    atoms
        N of the frames.
    """
    others = max(atoms - 1, 1)
    result: np.ndarray = np.sqrt(average**2 + (largest - average) ** 2 / others)
    return result


def score(forces: np.ndarray, energies: np.ndarray, with_rms: bool = False) -> np.ndarray:
    """Average, minimum and maximum deviation over the atoms, in the order of ``model_devi.out``.

    Parameters
    ----------
    forces
        Shape (members, atoms, 3), eV/Å.
    energies
        Atomic energies, shape (members, atoms), eV.
    with_rms
        Whether the root mean square of the forces' follows as well.

    Returns
    -------
    numpy.ndarray
        Shape (6,): avg, min, max of the forces (eV/Å), avg, min, max of the energies (eV); or (7,).
    """
    parts = (deviations(np.asarray(forces)), deviations(np.asarray(energies)[..., None]))
    values = [value for part in parts for value in (part.mean(), part.min(), part.max())]
    return np.array([*values, root_mean_square(parts[0])] if with_rms else values)
