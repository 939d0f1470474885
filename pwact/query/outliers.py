"""Labels that cannot be right, judged by the other frames of the data.

The limits are wide: honest data hold several phases, isolated atoms, strained cells and atoms that
come close to each other. What raises the energy honestly also pushes: large forces and a large
virial widen the limits of the energy, and a force must have cost energy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

FEWEST = 3  # frames, below which there are no others to compare with
PEERS = 5  # frames of one composition and volume, from which on they judge each other
SPREADS = 20.0  # how many standard deviations, from the median absolute one, are too far
FAR = 20.0  # eV per atom off the fit by composition that need no peers
NEAR = 0.5  # eV per atom off the peers
POSITIVE = 100.0  # eV per atom: no code has such a zero of energy
FORCE = 1000.0  # eV/Å, in any data
QUIET_FORCE = 30.0  # eV/Å that any data may hold
PRESSURE = 10.0  # eV/Å³, 1600 GPa, in any data
PEERS_PRESSURE = 1.0  # eV/Å³ off the peers
SPARSE = 60.0  # Å³ per atom: molecules in a box may break up without any force
_NORMAL = 1.4826  # standard deviation of a normal distribution by its median absolute one


@dataclass(frozen=True)
class Labelled:
    """What is compared of n frames.

    Attributes
    ----------
    counts
        Atoms of each element, shape (n, elements).
    energy
        eV, shape (n,).
    force, mean_force
        Largest and mean force on an atom, eV/Å, shape (n,).
    volume
        Å³, shape (n,).
    virial
        Largest component, absolute, eV, shape (n,); NaN without.
    """

    counts: np.ndarray
    energy: np.ndarray
    force: np.ndarray
    mean_force: np.ndarray
    volume: np.ndarray
    virial: np.ndarray

    @property
    def atoms(self) -> np.ndarray:
        """Number of atoms, shape (n,)."""
        atoms: np.ndarray = self.counts.sum(axis=1)
        return atoms

    @property
    def pressure(self) -> np.ndarray:
        """Virial by volume, eV/Å³, shape (n,); 0 without virial."""
        pressure: np.ndarray = np.nan_to_num(self.virial) / self.volume
        return pressure


@dataclass(frozen=True)
class Outliers:
    """Which frames are out of range, each bool, shape (n,).

    Attributes
    ----------
    off
        By how much the energy is off what the other frames let expect, eV per atom, shape (n,).
    """

    energy: np.ndarray
    force: np.ndarray
    virial: np.ndarray
    off: np.ndarray


def outliers(frames: Labelled) -> Outliers:
    """Frames whose energy, force or virial cannot be right beside the others."""
    energy, force, virial = (np.zeros(len(frames.energy), dtype=bool) for _ in range(3))
    off = np.zeros(len(frames.energy))
    force |= frames.force > FORCE
    virial |= frames.pressure > PRESSURE
    energy |= _far(frames, off)
    for group in _peers(frames):
        _judge_peers(frames, group, (energy, force, virial), off)
    return Outliers(energy, force, virial, off)


def _far(frames: Labelled, off: np.ndarray) -> np.ndarray:
    """Energies far from a fit by composition; `off` is filled with the distances."""
    atoms = frames.atoms
    per_atom = frames.energy / atoms
    explained = frames.mean_force + frames.pressure * frames.volume / atoms
    far: np.ndarray = per_atom > POSITIVE + explained
    if len(atoms) >= FEWEST:
        off[:] = _residual(frames.counts / atoms[:, None], per_atom)
        far |= np.abs(off) > np.maximum(FAR, SPREADS * _spread(off)) + explained
    return far


def _judge_peers(
    frames: Labelled,
    group: np.ndarray,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
    off: np.ndarray,
) -> None:
    """Compare frames of one composition and about one volume with each other."""
    energy, force, virial = found
    atoms = frames.atoms[group]
    per_atom = frames.energy[group] / atoms
    distance = per_atom - np.median(per_atom)
    spread = _spread(distance)
    off[group] = distance
    explained = 0.5 * frames.mean_force[group]
    energy[group] |= np.abs(distance) > np.maximum(NEAR, SPREADS * spread) + explained
    strong = frames.force[group]
    usual = 5.0 * np.percentile(strong, 75)
    paid = np.abs(distance * atoms) + 5.0 * spread * atoms  # what repulsion would have cost, eV
    force[group] |= (strong > np.maximum(QUIET_FORCE, usual)) & (0.05 * strong > paid)
    pressure = frames.pressure[group]
    squeezed = np.abs(pressure - np.median(pressure))
    limit = np.maximum(PEERS_PRESSURE, 2.5 * SPREADS * _spread(squeezed))
    virial[group] |= squeezed > limit + 2.0 * strong / frames.volume[group]


def _peers(frames: Labelled) -> Iterator[np.ndarray]:
    """Numbers of the frames that have the same composition and about the same volume."""
    room = frames.volume / frames.atoms
    bins = np.round(np.log(room) / 0.3).astype(int)
    _, which = np.unique(np.column_stack([frames.counts, bins]), axis=0, return_inverse=True)
    which = which.ravel()
    order = np.argsort(which, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(which[order])) + 1):
        if len(group) >= PEERS and room[group].max() <= SPARSE:
            yield group


def _spread(values: np.ndarray) -> float:
    return _NORMAL * float(np.median(np.abs(values - np.median(values))))


def _residual(shares: np.ndarray, values: np.ndarray, rounds: int = 60) -> np.ndarray:
    """What is left of `values` after the sum over elements of share times a number of each.

    The numbers minimize the sum of absolute deviations, so that a few wild values do not count.
    """
    left = values - np.median(values)
    for turn in range(rounds):
        weights = 1.0 / np.maximum(np.abs(left), 1e-3 + np.abs(left).mean() * 0.5**turn)
        weighted = shares * weights[:, None]
        left = left - shares @ (np.linalg.pinv(shares.T @ weighted, 1e-12) @ (weighted.T @ left))
    residual: np.ndarray = left
    return residual
