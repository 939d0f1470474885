"""Frames put aside in a file, to be read back in any order, in memory for one frame.

Each frame is one record of 64-bit numbers: atomic numbers (N), cell (9, Å), periodic axes (3),
positions (3N, Å), forces (3N, eV/Å), energy (eV) and virial (9, eV; NaN for none). Moments and
charges stand in a file beside it, a line of JSON for each frame that has some.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from pwact.atom_properties import carried
from pwact.errors import InputError
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.same_frame import structure_mark
from pwact.io.arrays import UNUSABLE, are_usable

_FIXED = 22  # numbers of a record that do not depend on the atoms
_PER_ATOM = 7


class Spool:
    """Labelled frames with one number of atoms, in the order in which they came.

    Attributes
    ----------
    without_virial
        How many frames have no virial.
    keys
        Of each frame, if `keys_wanted`: what tells its structure from others.
    """

    def __init__(
        self, path: Path, atoms: int, keys_wanted: bool = False, whole: bool = False
    ) -> None:
        self.path = path
        self.atoms = atoms
        self.without_virial = 0
        self.keys: list[bytes] = []
        self._keys_wanted = keys_wanted
        self._whole = whole
        self._beside = path.with_name(f"{path.name}.atoms")
        self._lines: dict[int, int] = {}  # frame → where its line begins in the file beside it
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, atoms: Atoms) -> None:
        """Put a frame aside.

        Raises
        ------
        InputError
            A position, the cell or a label is no number that a frame can hold.
        """
        labels = labels_of(atoms)
        virial = np.full(9, np.nan) if labels.virial is None else labels.virial
        parts = (
            atoms.numbers,
            atoms.cell.array,
            atoms.pbc,
            atoms.positions,
            labels.forces,
            [labels.energy],
        )
        row = np.concatenate([np.ravel(part).astype(float) for part in parts])
        given = row if labels.virial is None else np.concatenate([row, labels.virial.ravel()])
        if not are_usable(given):
            raise InputError(f"position, cell or label of a frame is {UNUSABLE}")
        self.without_virial += labels.virial is None
        with self.path.open("ab") as stream:  # not kept open: there may be many compositions
            stream.write(np.concatenate([row, np.ravel(virial)]).tobytes())
        if self._whole and (more := carried(atoms)):
            with self._beside.open("ab") as stream:
                self._lines[self._count] = stream.tell()
                rows = {name: values.tolist() for name, values in more.items()}
                stream.write(json.dumps(rows).encode() + b"\n")
        self._count += 1
        if self._keys_wanted:
            self.keys.append(structure_mark(atoms))

    def cut(self, count: int) -> None:
        """Forget all frames but the first `count`."""
        for atoms in self.frames(range(count, len(self))):
            self.without_virial -= labels_of(atoms).virial is None
        with self.path.open("r+b") as stream:
            stream.truncate(self._size * count)
        self._lines = {frame: start for frame, start in self._lines.items() if frame < count}
        del self.keys[count:]
        self._count = count

    @property
    def _size(self) -> int:
        return 8 * (_FIXED + _PER_ATOM * self.atoms)

    def picked(self, order: Sequence[int]) -> Picked:
        """The frames with these numbers, in that order."""
        return Picked(self, order)

    def frames(self, order: Sequence[int]) -> Iterator[Atoms]:
        """Read frames back, as `picked` gives them."""
        with self.path.open("rb") as stream:
            for number in order:
                stream.seek(self._size * number)
                row = np.frombuffer(stream.read(self._size))
                yield self._frame(row, self._more(number))

    def remove(self) -> None:
        """Delete what lies on the disk."""
        self.path.unlink(missing_ok=True)
        self._beside.unlink(missing_ok=True)

    def _more(self, number: int) -> dict[str, list[Any]]:
        """What else the atoms of a frame have, by name."""
        if number not in self._lines:
            return {}
        with self._beside.open("rb") as stream:
            stream.seek(self._lines[number])
            found: dict[str, list[Any]] = json.loads(stream.readline())
        return found

    def _frame(self, row: np.ndarray, more: Mapping[str, list[Any]]) -> Atoms:
        n = self.atoms
        ends = np.cumsum([n, 9, 3, 3 * n, 3 * n, 1])
        numbers, cell, pbc, positions, forces, energy, virial = np.split(row, ends)
        atoms = Atoms(
            numbers.astype(int), positions.reshape(n, 3), cell=cell.reshape(3, 3), pbc=pbc != 0
        )
        for name, values in more.items():
            atoms.set_array(name, np.array(values))
        set_labels(atoms, float(energy[0]), forces, None if np.isnan(virial).any() else virial)
        return atoms


class Picked(Collection[Atoms]):
    """Some frames of a spool; each time they are asked for they are read again."""

    def __init__(self, spool: Spool, order: Sequence[int]) -> None:
        self._spool = spool
        self._order = order

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Atoms]:
        return self._spool.frames(self._order)

    def __contains__(self, atoms: object) -> bool:
        return any(frame == atoms for frame in self)
