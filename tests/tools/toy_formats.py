"""Formats of data sets as somebody adds them: frames in JSON files, in folders of them or alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms

from pwact.formats.data_format import FileFormat, FolderFormat
from pwact.formats.frames import composition_name
from pwact.formats.labels import labels_of, set_labels
from pwact.registry.formats import PWACT


def rows_of(frames: Collection[Atoms]) -> list[dict[str, Any]]:
    return [
        {
            "numbers": frame.numbers.tolist(),
            "positions": frame.positions.tolist(),
            "cell": frame.cell.array.tolist(),
            "pbc": frame.pbc.tolist(),
            "energy": labels_of(frame).energy,
            "forces": labels_of(frame).forces.tolist(),
        }
        for frame in frames
    ]


def frames_of(path: Path) -> Iterator[Atoms]:
    for one in json.loads(path.read_text()):
        atoms = Atoms(one["numbers"], one["positions"], cell=one["cell"], pbc=one["pbc"])
        set_labels(atoms, one["energy"], one["forces"])
        yield atoms


class Toy(FolderFormat):
    """Folders with frames in a JSON file."""

    mark = "frames.json"
    endings = (".json",)

    def iterate(self, place: Path) -> Iterator[Atoms]:
        return frames_of(place / self.mark)

    def fit(self, atoms: Atoms) -> Atoms:
        return atoms

    def group(self, atoms: Atoms) -> str:
        return composition_name(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        del names
        path.mkdir(parents=True)
        (path / self.mark).write_text(json.dumps(rows_of(frames)))


class ToyFile(FileFormat):
    """Frames in a JSON file."""

    endings = (".toy.json",)

    def iterate(self, place: Path) -> Iterator[Atoms]:
        return frames_of(place)

    def fit(self, atoms: Atoms) -> Atoms:
        return atoms

    def group(self, atoms: Atoms) -> str:
        return composition_name(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        del names
        path.write_text(json.dumps(rows_of(frames)))

    def write(self, path: Path, frames: Sequence[Atoms]) -> None:
        self.write_one(path, frames)
