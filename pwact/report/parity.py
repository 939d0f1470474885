"""Labels beside what the exploring model said before it was trained on them, atom by atom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np

from pwact.errors import InputError
from pwact.io import files

_FRAME = ("trajectory", "step", "structure", "temp_k", "press_bar", "atoms", "energy")
_ATOM = ("symbols", "label_forces", "model_forces")


@dataclass(frozen=True)
class Compared:
    """One labelled frame.

    Attributes
    ----------
    trajectory, step
        Where it was explored; the directory is relative to the work directory.
    structure
        What the explored structure is called.
    temp_k, press_bar
        Of the MD; None where its input does not tell, or the cell is fixed.
    symbols
        Element of each atom, shape (N,), in the order of the labelled data set.
    energies
        Potential energy of the label and of the model, eV; the second is NaN where the log of the
        MD does not tell it.
    label_forces, model_forces
        Shape (N, 3), eV/Å.
    """

    trajectory: str
    step: int
    structure: str
    temp_k: Optional[float]
    press_bar: Optional[float]
    symbols: np.ndarray
    energies: tuple[float, float]
    label_forces: np.ndarray
    model_forces: np.ndarray

    @property
    def energy_error(self) -> float:
        """Model minus label, eV per atom; NaN where the energy of the model is not known."""
        label, model = self.energies
        return (model - label) / len(self.symbols)

    @property
    def force_error(self) -> np.ndarray:
        """Model minus label, shape (N, 3), eV/Å."""
        label = np.asarray(self.label_forces, dtype=float)
        difference: np.ndarray = np.asarray(self.model_forces, dtype=float) - label
        return difference


def write_parity(path: Path, frames: Sequence[Compared]) -> None:
    """Write ``parity.npz``.

    Arrays of one row a frame: ``trajectory``, ``step``, ``structure``, ``temp_k`` and ``press_bar``
    (NaN where there is none), ``atoms``, ``energy`` (label, model; eV). Arrays of one row an atom,
    frame after frame: ``symbols``, ``label_forces``, ``model_forces`` (eV/Å, float32).
    """
    arrays: dict[str, Any] = {
        "trajectory": np.array([one.trajectory for one in frames], dtype=str),
        "step": np.array([one.step for one in frames], dtype=np.int64),
        "structure": np.array([one.structure for one in frames], dtype=str),
        "temp_k": _numbers([one.temp_k for one in frames]),
        "press_bar": _numbers([one.press_bar for one in frames]),
        "atoms": np.array([len(one.symbols) for one in frames], dtype=np.int64),
        "energy": np.array([one.energies for one in frames], dtype=float).reshape(-1, 2),
        "symbols": np.concatenate([np.empty(0, "U2"), *(one.symbols for one in frames)]),
        "label_forces": _forces([one.label_forces for one in frames]),
        "model_forces": _forces([one.model_forces for one in frames]),
    }
    with files.replacing(path) as aside, aside.open("wb") as stream:
        np.savez(stream, **arrays)


def read_parity(path: Path) -> list[Compared]:
    """The frames of ``parity.npz``.

    Raises
    ------
    InputError
        It cannot be read, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            held = {name: stored[name] for name in (*_FRAME, *_ATOM)}
        ends = np.cumsum(held["atoms"])
        return [_frame(held, row, ends[row] - held["atoms"][row]) for row in range(len(ends))]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path) from error
    except Exception as error:  # a damaged archive is read by Python's own parsers
        raise InputError(f"is no table of labels and models: {error!r}", path) from error


def _frame(held: dict[str, np.ndarray], row: int, first: int) -> Compared:
    symbols, label, model = (held[name][first : first + held["atoms"][row]] for name in _ATOM)
    label_energy, model_energy = held["energy"][row].tolist()
    return Compared(
        str(held["trajectory"][row]),
        int(held["step"][row]),
        str(held["structure"][row]),
        _known(float(held["temp_k"][row])),
        _known(float(held["press_bar"][row])),
        symbols,
        (label_energy, model_energy),
        label,
        model,
    )


def _known(value: float) -> Optional[float]:
    return None if np.isnan(value) else value


def _numbers(values: Sequence[Optional[float]]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _forces(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([*parts, np.empty((0, 3))]).astype(np.float32)
