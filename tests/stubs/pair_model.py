"""What stands in for a trained network: a Lennard-Jones potential whose strength a seed decides."""

from __future__ import annotations

import json
import pickle
import random
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list

CUTOFF = 4.5
CONTENT = "model.json"


@dataclass
class PairModel:
    """Energies in eV, lengths in Å; `history` holds the seeds of all trainings it went through."""

    model_type: str
    atom_type: list[int]
    history: list[int]
    compressed: bool = False
    strength: float = 1.0

    @property
    def epsilon(self) -> float:
        """Depth of the well: 0.4 eV, 2 % up or down by each training."""
        return (
            0.4
            * self.strength
            * (1 + sum(random.Random(seed).uniform(-0.02, 0.02) for seed in self.history))
        )

    sigma = 2.3

    def save(self, path: Path) -> None:
        """Write the model as a file of some kind; a checkpoint is made by `save_checkpoint`."""
        path.write_text(json.dumps({"stub of": "MatPL", **asdict(self)}))

    def save_checkpoint(self, path: Path, p_matrix: bool) -> None:
        """Write an archive with a table of contents like that of torch.save, with P or without."""
        table: dict[str, Any] = {
            "json_file": {"optimizer": {"optimizer": "LKF", "kalman_lambda": 0.98}},
            "epoch": len(self.history),
            "state_dict": {"embedding_net.0.weight": []},
        }
        if p_matrix:
            state = {0: {"kalman_lambda": 0.98, "P": [], "params_packed_index": [1]}}
            table["optimizer"] = {"state": state, "param_groups": [{"params": [0]}]}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{path.stem}/data.pkl", pickle.dumps(table, protocol=2))
            archive.writestr(f"{path.stem}/{CONTENT}", json.dumps(asdict(self)))
            archive.writestr(f"{path.stem}/P", "1" if p_matrix else "")

    def atomic(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Energy of each atom (N,) in eV and forces (N, 3) in eV/Å."""
        first, distance, vector = neighbor_list("idD", atoms, CUTOFF)
        six = (self.sigma / distance) ** 6
        energy = np.bincount(first, 2 * self.epsilon * (six**2 - six), len(atoms))
        strength = -24 * self.epsilon * (2 * six**2 - six) / distance**2
        forces = np.stack(
            [np.bincount(first, strength * vector[:, axis], len(atoms)) for axis in range(3)], 1
        )
        return energy, forces


def load(path: Path) -> PairModel:
    """Read a model of any kind. Raises SystemExit with a message if it is none."""
    try:
        text = _member(path, CONTENT) if zipfile.is_zipfile(path) else path.read_text()
        if text.startswith("nep"):
            text = text.splitlines()[1]
        found = json.loads(text)
        names = ("model_type", "atom_type", "history", "compressed")
        return PairModel(**{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise SystemExit(f"cannot load model {path}: {error!r}") from error


def has_p_matrix(path: Path) -> bool:
    """Whether a checkpoint was saved with P."""
    return zipfile.is_zipfile(path) and _member(path, "P") == "1"


def _member(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{archive.namelist()[0].partition('/')[0]}/{name}").decode()
