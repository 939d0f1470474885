"""What a format of labelled frames is: read frame by frame, and maybe found and written."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pwact.errors import InputError
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.registry.formats import PWACT

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.errors import CutOffError
    from pwact.formats.extxyz_labels import LabelNames


@dataclass
class ReadWarnings:
    """What a reader has to say about a file.

    Attributes
    ----------
    unconverged
        Which steps have no converged electronic structure; they are no data.
    words
        Everything else, a sentence each.
    """

    unconverged: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def cut_off(self, error: CutOffError) -> None:
        """The file ends too early; what was complete before counts."""
        self.words.append(f"{error}; the complete frames before count")


class LabelledFormat(ABC):
    """A format that labelled frames are read from."""

    @abstractmethod
    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """Yield the labelled frames of a file or folder one by one.

        Parameters
        ----------
        warnings
            Complete when the iteration has ended.
        names
            Of the labels, where the format has a choice.

        Raises
        ------
        InputError, TaskError
            The path is damaged, or a frame has no labels.
        """


class DataSetFormat(LabelledFormat):
    """A format of data sets, which are found below folders, and are written."""

    @abstractmethod
    def find(self, path: Path) -> list[Path]:
        """The single data sets at or below a path, sorted. Raises OSError."""

    @abstractmethod
    def iterate(self, place: Path) -> Iterator[Atoms]:
        """Yield the frames of a single data set, at least one.

        Raises
        ------
        InputError
            It is damaged, or a frame has no labels.
        """

    def looks_like(self, path: Path) -> bool:
        """Whether what lies there is, or holds, data sets of this format. Raises OSError."""
        return bool(self.find(path))

    def iterate_whole(self, place: Path) -> Iterator[Atoms]:
        """As `iterate`, with all that a file says of the atoms (`pwact.atom_properties`)."""
        return self.iterate(place)

    @abstractmethod
    def fit(self, atoms: Atoms) -> Atoms:
        """The frame as the format holds it: its atoms in the order in which they are written.

        Raises
        ------
        InputError
            The format cannot hold the frame.
        """

    @abstractmethod
    def group(self, atoms: Atoms) -> str:
        """A name for all frames that one single data set can hold together with this one.

        They all have the same number of atoms.
        """

    @abstractmethod
    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        """Write a new single data set of frames of one group, which were made to `fit`.

        They are asked for one by one, several times, so that there may be more than memory holds.

        Parameters
        ----------
        names
            One of `registry.formats.LABEL_NAMES`, where the format has a choice.
        """

    @abstractmethod
    def write(self, path: Path, frames: Sequence[Atoms]) -> None:
        """Write frames of any groups, in place of the data that were at `path`."""

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """See `LabelledFormat.read`."""
        del warnings, names
        for place in self.find(path):
            yield from self.iterate(place)


class FileFormat(DataSetFormat):
    """A format of which each single data set is a file.

    Attributes
    ----------
    endings
        How names of such files end; one of them is that of the entry in the registry.
    """

    endings: tuple[str, ...]

    def find(self, path: Path) -> list[Path]:
        """The file itself, or all files with such names below a folder."""
        if path.is_file():
            return [path]
        return files.found_below(path, lambda name: name.endswith(self.endings))

    def looks_like(self, path: Path) -> bool:
        """Whether a file has such a name; of a folder, whether there is one below."""
        return path.name.endswith(self.endings) if path.is_file() else bool(self.find(path))


class FolderFormat(DataSetFormat):
    """A format of which each single data set is a folder that holds a certain file.

    Attributes
    ----------
    mark
        The name of that file.
    endings
        How names of files end that such folders hold.
    """

    mark: str
    endings: tuple[str, ...]

    def find(self, path: Path) -> list[Path]:
        """All folders, `path` itself included."""
        return [item.parent for item in files.found_below(path, lambda name: name == self.mark)]

    def write(self, path: Path, frames: Sequence[Atoms]) -> None:
        """Write one folder a group beside `path`, then swap."""
        self._refuse_foreign(path)
        groups: dict[str, list[Atoms]] = {}
        for atoms in frames:
            groups.setdefault(self.group(atoms), []).append(self.fit(atoms))
        mark = uuid.uuid4().hex[:8]
        fresh, old = (path.with_name(f".{path.name}.{mark}.{word}") for word in ("new", "old"))
        try:
            fresh.mkdir()
            for name, group in groups.items():
                self.write_one(fresh / name, group)
            if path.exists():
                path.rename(old)
            fresh.rename(path)
        finally:
            files.remove(fresh)
            files.remove(old)
        sync_directory(path.parent)

    def _refuse_foreign(self, path: Path) -> None:
        others = [
            item
            for item in path.rglob("*")
            if not item.is_dir() and not item.name.endswith(self.endings)
        ]
        if others or (path.exists() and not path.is_dir()):
            raise InputError("is not replaced: it holds other things than data", path)
