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


def score(forces: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Average, minimum and maximum deviation over the atoms, in the order of ``model_devi.out``.

    Parameters
    ----------
    forces
        Shape (members, atoms, 3), eV/Å.
    energies
        Atomic energies, shape (members, atoms), eV.

    Returns
    -------
    numpy.ndarray
        Shape (6,): avg, min, max of the forces (eV/Å), avg, min, max of the energies (eV).
    """
    parts = (deviations(np.asarray(forces)), deviations(np.asarray(energies)[..., None]))
    return np.array([value for part in parts for value in (part.mean(), part.min(), part.max())])
