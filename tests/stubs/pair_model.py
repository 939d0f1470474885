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
from ase.data import chemical_symbols

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
        """Write what ``MatPL script`` makes: an archive without a table of contents."""
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{path.stem}/{CONTENT}", json.dumps(asdict(self)))

    def save_text(self, path: Path) -> None:
        """Write ``nep5.txt``: head lines, and as many numbers as they ask for; history is first."""
        types = len(self.atom_type)
        names = " ".join(chemical_symbols[number] for number in self.atom_type)
        head = [
            f"nep5   {types} {names}",
            f"cutoff {CUTOFF} {CUTOFF} 100 100",
            "n_max  0 0",
            "basis_size 0 0",
            "l_max  4 0 0",
            "ANN    3 0",
        ]
        numbers = [len(self.history), *self.history]
        numbers += [0] * (22 * types + 1 + 2 * types**2 + 5 - len(numbers))
        path.write_text("\n".join([*head, *(f"{float(number)!r}" for number in numbers)]))

    def save_checkpoint(self, path: Path, p_matrix: bool, epoch: int = 0) -> None:
        """Write an archive with a table of contents like that of torch.save, with P or without."""
        table: dict[str, Any] = {
            "json_file": {"optimizer": {"optimizer": "LKF", "kalman_lambda": 0.98}},
            "epoch": epoch,
            "state_dict": {"embedding_net.0.weight": []},
        }
        if p_matrix:
            state = {0: {"kalman_lambda": 0.98, "P": [], "params_packed_index": [1]}}
            table["optimizer"] = {"state": state, "param_groups": [{"params": [0]}]}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{path.stem}/data.pkl", pickle.dumps(table, protocol=2))
            archive.writestr(f"{path.stem}/{CONTENT}", json.dumps(asdict(self)))
            archive.writestr(f"{path.stem}/P", "1" if p_matrix else "")
            archive.writestr(f"{path.stem}/epoch", str(epoch))

    def atomic(self, atoms: Atoms) -> tuple[np.ndarray, np.ndarray]:
        """Energy of each atom (N,) in eV and forces (N, 3) in eV/Å."""
        from ase.neighborlist import neighbor_list  # noqa: PLC0415 (which takes long)

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
        if not zipfile.is_zipfile(path):
            return _load_text(path)
        found = json.loads(_member(path, CONTENT))
        names = ("model_type", "atom_type", "history", "compressed")
        return PairModel(**{name: found[name] for name in names})
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise SystemExit(f"cannot load model {path}: {error!r}") from error


def _load_text(path: Path) -> PairModel:
    lines = path.read_text().splitlines()
    kind, _, *names = lines[0].split()
    if kind != "nep5":
        raise ValueError("it begins with another word than nep5")
    numbers = [int(float(line)) for line in lines[6:]]
    atom_type = [chemical_symbols.index(name) for name in names]
    return PairModel("NEP", atom_type, numbers[1 : 1 + numbers[0]])


def epoch_of(path: Path) -> int:
    """The epoch after which a checkpoint was saved."""
    return int(_member(path, "epoch"))


def has_p_matrix(path: Path) -> bool:
    """Whether a checkpoint was saved with P."""
    return zipfile.is_zipfile(path) and _member(path, "P") == "1"


def _member(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(f"{archive.namelist()[0].partition('/')[0]}/{name}").decode()
