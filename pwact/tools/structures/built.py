"""Structures that `pwact build` makes: what each is, and how they come into a directory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pwact.errors import InputError, UsageError
from pwact.formats.extxyz import frame_text
from pwact.formats.starts import read_start
from pwact.formats.structure_guess import guess
from pwact.geometry import flaw
from pwact.io import files
from pwact.io.durable import sync_directory

if TYPE_CHECKING:
    from ase import Atoms

CLOSEST = 0.5  # Å; atoms that are nearer than this are a slip


@dataclass(frozen=True)
class Built:
    """A structure.

    Attributes
    ----------
    name
        Of its file.
    note
        How it was made, for people; stands in the file.
    atoms
        Lengths in Å; periodic along all axes.
    """

    name: str
    note: str
    atoms: Atoms

    @property
    def text(self) -> str:
        """The file, extended XYZ."""
        return frame_text(self.atoms, note=self.said)

    @property
    def said(self) -> str:
        """Its formula and how it was made."""
        return f"{self.atoms.get_chemical_formula()}: {self.note}"


def read_bulk(path: Path) -> Atoms:
    """A structure that is periodic along all axes.

    Raises
    ------
    InputError
        It cannot be read, its cell is left-handed or has no volume, or it is open along an axis.
    """
    atoms = _read(path)
    if problem := flaw(atoms, 0.0):
        raise InputError(problem, path)
    if not atoms.pbc.all():
        raise InputError("is open along an axis; expected a crystal, periodic along all", path)
    return atoms


def read_elements(path: Path) -> list[str]:
    """The elements of a structure, each once.

    Raises
    ------
    InputError
        It cannot be read.
    """
    return list(dict.fromkeys(_read(path).get_chemical_symbols()))


def _read(path: Path) -> Atoms:
    if problem := files.unreadable(path):
        raise InputError(problem, path)
    return read_start(path, guess(path).format)


def write(made: Sequence[Built], folder: Path) -> list[Path]:
    """Write all files aside, and give them their names; where one cannot be had, none stays.

    Raises
    ------
    UsageError
        A file of such a name is there already, or there is a file in place of the folder.
    """
    files.demand_directory(folder)
    for one in made:
        _demand_free(folder / one.name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new.") as aside:
        for one in made:
            files.write_text(Path(aside) / one.name, one.text)
        paths = _named(Path(aside), folder, [one.name for one in made])
    sync_directory(folder)
    return paths


def _named(aside: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """A hard link, unlike a rename, takes nobody's place."""
    done: list[Path] = []
    try:
        for name in names:
            os.link(aside / name, folder / name)
            done.append(folder / name)
    except BaseException as error:
        for path in done:
            path.unlink()
        if isinstance(error, FileExistsError):
            _demand_free(folder / name)
        raise
    return done


def _demand_free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise UsageError(
            f"{path} is there already, and is not overwritten; -o names another folder"
        )
