"""Models for tests of sketched gradients: one that needs numpy alone, and a small network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.build import bulk

from pwact.engines.lammps.input import DUMP
from pwact.engines.lammps.input import TYPES as TYPES_FILE
from pwact.errors import TaskError
from pwact.formats.labels import set_labels
from pwact.formats.lammps_dump import frame_text

WEIGHTS = 12
TYPES = ("Ag", "Au")
_WAVES = np.random.default_rng(3).normal(0.0, 1.0, (WEIGHTS, 3))


def jacobian(atoms: Atoms) -> np.ndarray:
    """∂F/∂w of the model E = Σ_w w Σ_atoms cos(k_w·r), shape (3N, WEIGHTS)."""
    phases = atoms.positions @ _WAVES.T
    made: np.ndarray = np.sin(phases)[:, None, :] * _WAVES.T[None]
    return made.reshape(-1, WEIGHTS)


class WaveRows:
    """Exact rows of that model. See `pwact.engines.gradients.rows.Rows`."""

    columns = WEIGHTS
    identity = "waves"

    def of(self, atoms: Atoms, vectors: np.ndarray) -> np.ndarray:
        if "Cu" in atoms.get_chemical_symbols():
            raise TaskError("the model does not know Cu")
        return vectors.reshape(len(vectors), -1) @ jacobian(atoms)

    def along(self, frames: Sequence[Atoms], directions: np.ndarray) -> np.ndarray:
        if any("Cu" in atoms.get_chemical_symbols() for atoms in frames):
            raise TaskError("the model does not know Cu")
        made: np.ndarray = directions @ np.concatenate([jacobian(one) for one in frames]).T
        return made.reshape(len(directions), -1, 3)


def crystal(seed: int, repeat: int = 1, noise: float = 0.2) -> Atoms:
    """A labelled frame of Ag and Au, 4 or 32 atoms."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ag", "fcc", a=4.08, cubic=True).repeat(repeat)
    atoms.symbols[: len(atoms) // 2] = "Au"
    atoms.positions += rng.normal(0.0, noise, atoms.positions.shape)
    set_labels(atoms, 0.0, np.zeros((len(atoms), 3)))
    return atoms


def write_trajectory(directory: Path, frames: Sequence[Atoms]) -> None:
    """What a finished MD leaves of its frames: every tenth step."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / TYPES_FILE).write_text(" ".join(TYPES) + "\n")
    texts = [
        frame_text(10 * number, atoms, np.zeros((len(atoms), 3)), TYPES)
        for number, atoms in enumerate(frames)
    ]
    (directory / DUMP).write_text("".join(texts))
