"""Relaxations by an ASE calculator, which go on where an earlier start of them was ended.

What the calculator has found is written down, geometry by geometry. A start in the same directory,
with the same structure and settings, goes the same way again and asks the calculator only for what
is not written there: its optimizer is in the same state as in a run in one go, whichever it is.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.ase.aimd import task_hash
from pwact.io.files import write_text

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

KNOWN = "relax.jsonl"
_ENERGY, _FREE, _FORCES, _STRESS = "energy", "free_energy", "forces", "stress"
_TASK, _PLACE = "task", "cell_and_positions"
_SAME_PLACE = 1e-8  # Å; as far as the rounding of two processors may differ


class Remembered:
    """A calculator, with what it has found in earlier starts of a task.

    ASE's optimizers, filters and `Atoms` ask no more of a calculator than its three methods.

    Parameters
    ----------
    calculator
        An ASE calculator.
    writes
        Whether this process writes.
    """

    def __init__(self, calculator: Any, directory: Path, writes: bool) -> None:
        self._calculator, self._path, self._writes = calculator, directory / KNOWN, writes
        task = task_hash(directory)
        self._known = _read(self._path, task)
        if writes:
            head = f"{json.dumps({_TASK: task})}\n"
            write_text(self._path, "".join([head, *(one.line() for one in self._known)]))
        if self._known:
            text = "goes on behind %d geometries that an earlier start has computed"
            logger.warning(text, len(self._known))

    def get_potential_energy(
        self, atoms: Optional[Atoms] = None, force_consistent: bool = False
    ) -> float:
        """Energy in eV, also the one that forces are the derivatives of.

        Raises
        ------
        NotImplementedError
            There is only one energy.
        """
        if not force_consistent:
            return float(self._ask(_ENERGY, atoms, self._calculator.get_potential_energy))
        return float(self._ask(_FREE, atoms, self._free_energy))

    def get_forces(self, atoms: Optional[Atoms] = None) -> np.ndarray:
        """Forces in eV/Å, shape (N, 3)."""
        return np.array(self._ask(_FORCES, atoms, self._calculator.get_forces))

    def get_stress(self, atoms: Optional[Atoms] = None) -> np.ndarray:
        """Stress in eV/Å³, as the calculator gives it; NotImplementedError if it does not."""
        return np.array(self._ask(_STRESS, atoms, self._calculator.get_stress))

    def _free_energy(self, atoms: Atoms) -> float:
        from ase.calculators.calculator import PropertyNotImplementedError  # noqa: PLC0415

        try:
            return float(self._calculator.get_potential_energy(atoms, force_consistent=True))
        except TypeError as error:  # a calculator may know nothing of it
            raise PropertyNotImplementedError(str(error)) from error

    def _ask(self, name: str, atoms: Optional[Atoms], compute: Callable[[Atoms], Any]) -> Any:
        """A result by its name: known, or computed now and written down."""
        assert atoms is not None
        place = _place(atoms)
        known = next((one for one in reversed(self._known) if one.is_at(place)), None)
        if known is None:
            known = Geometry(place, {name: compute(atoms)})
            self._write(Geometry(place, known.found))
            self._known.append(known)
        elif name not in known.found:
            known.found[name] = compute(atoms)
            last = known is self._known[-1]
            self._write(Geometry(None if last else place, {name: known.found[name]}))
        return known.found[name]

    def _write(self, one: Geometry) -> None:
        if self._writes:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(one.line())  # at once, so that nothing is computed twice


@dataclass
class Geometry:
    """What the calculator has found at one place.

    Attributes
    ----------
    place
        Cell and positions, Å, shape (3 + N, 3); of a line that adds to the one before, None.
    found
        Results by their names.
    """

    place: Optional[np.ndarray]
    found: dict[str, Any]

    def is_at(self, place: np.ndarray) -> bool:
        """Whether this is the place."""
        same = self.place is not None and self.place.shape == place.shape
        return same and bool(np.abs(self.place - place).max() < _SAME_PLACE)

    def line(self) -> str:
        """As it is written, with all digits."""
        place = {} if self.place is None else {_PLACE: self.place.tolist()}
        found = {
            name: np.asarray(value, dtype=float).tolist() for name, value in self.found.items()
        }
        return f"{json.dumps({**place, **found})}\n"


def _read(path: Path, task: str) -> list[Geometry]:
    """What earlier starts of a task have left; of a line that was cut off nothing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        first, *rest = [json.loads(line) for line in lines if line.endswith("\n")]
    except (OSError, ValueError):  # of no use: it begins again
        return []
    known: list[Geometry] = []
    for found in rest if first == {_TASK: task} else ():
        place = found.pop(_PLACE, None)
        if place is not None:
            known.append(Geometry(np.array(place), {}))
        known[-1].found.update(found)
    return known


def _place(atoms: Atoms) -> np.ndarray:
    return np.concatenate([atoms.cell.array, atoms.positions])
