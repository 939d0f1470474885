"""Writes collected data in another format, or parted into frames to train and to validate."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Protocol

import numpy as np

from pwact import layout
from pwact.errors import InputError, PwactError
from pwact.formats.data_format import DataSetFormat
from pwact.formats.frames import data_set_format, iterate_frames
from pwact.formats.same_frame import structure_mark
from pwact.formats.spool import Spool
from pwact.io import files
from pwact.registry.formats import ALL_OR_NONE, FORMATS
from pwact.tools.data.split import Spools, parted_by_content, trained_by_content

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

TRAIN, VALID = "train", "valid"


class Data(Protocol):
    """Data sets of one format at or below a path."""

    @property
    def path(self) -> Path:
        """A file, or a folder of data."""

    @property
    def data_format(self) -> str:
        """One of `registry.formats.WRITTEN`."""


@dataclass(frozen=True)
class Part:
    """How data are written: format, and whose names of labels."""

    output_format: str
    names: str

    @property
    def output(self) -> DataSetFormat:
        """What writes them."""
        return data_set_format(self.output_format)

    @property
    def folder(self) -> bool:
        """Whether a data set is a folder."""
        return FORMATS[self.output_format].folder


class _Frames(Collection["Atoms"]):
    """Frames of several data sets one behind the other, as a format holds them; maybe some."""

    def __init__(self, sources: Sequence[Data], part: Part, wanted: Sequence[bool] = ()) -> None:
        self._sources, self._output, self._wanted = sources, part.output, wanted

    def __iter__(self) -> Iterator[Atoms]:
        number = 0
        for source in self._sources:
            for place, index, atoms in iterate_frames(source.path, source.data_format, True):
                if not len(self._wanted) or self._wanted[number]:
                    yield _fitted(self._output, atoms, place, index)
                number += 1

    def __len__(self) -> int:
        return sum(self._wanted) if len(self._wanted) else sum(1 for _ in self)

    def __contains__(self, atoms: object) -> bool:
        return any(frame == atoms for frame in self)


def _fitted(output: DataSetFormat, atoms: Atoms, place: Path, index: int) -> Atoms:
    try:
        return output.fit(atoms)
    except PwactError as error:
        raise InputError(f"frame {index}: {error}", place) from error


def write_source(source: Data, folder: Path, part: Part) -> Path:
    """Write a source into `folder`: ``train.xyz``, or ``PWdata`` with a folder a composition."""
    path = layout.labelled(folder, part.output_format)
    folder.mkdir(parents=True, exist_ok=True)
    if part.folder:
        _write_folders([source], [path], part, _all_of)
    else:
        part.output.write_one(path, _Frames([source], part), part.names)
    return path


def _all_of(spools: Sequence[Spool]) -> list[tuple[np.ndarray]]:
    return [(np.arange(len(spool)),) for spool in spools]


def write_split(
    sources: Sequence[Data],
    final: Path,
    part: Part,
    share_and_seed: tuple[Fraction, int],
    tick: Callable[[], Any],
) -> tuple[list[Path], list[Path]]:
    """Write all sources as ``train`` and ``valid``: files, or folders of folders.

    Returns
    -------
    tuple
        The single data sets to train, and those to validate.
    """
    share, seed = share_and_seed
    final.mkdir(parents=True, exist_ok=True)
    if part.folder:
        places = [final / TRAIN, final / VALID]
        _write_folders(sources, places, part, lambda spools: parted_by_content(spools, share, seed))
        for _ in sources:
            tick()
        made = [part.output.find(place) if place.exists() else [] for place in places]
        return made[0], made[1]
    keys: list[bytes] = []
    for source in sources:
        keys += [structure_mark(atoms) for atoms in _Frames([source], part)]
        tick()
    trained = trained_by_content(keys, share, seed)
    files_made: list[list[Path]] = []
    for name, wanted in ((TRAIN, trained), (VALID, ~trained)):
        path = final / layout.part_of_data(name, part.output_format)
        files.remove(path)
        if wanted.any():
            part.output.write_one(path, _Frames(sources, part, wanted.tolist()), part.names)
        files_made.append([path] if wanted.any() else [])
    return files_made[0], files_made[1]


def _write_folders(
    sources: Sequence[Data],
    places: Sequence[Path],
    part: Part,
    orders_of: Callable[[Sequence[Spool]], Sequence[Sequence[np.ndarray]]],
) -> None:
    """Write frames of all sources as folders below `places`, which they replace when complete."""
    aside = places[0].with_name(f".{places[0].name}.{uuid.uuid4().hex[:8]}.new")
    aside.mkdir()
    try:
        spools = Spools(aside, part.output_format, 1, True, len(places) > 1)
        for number, source in enumerate(sources):
            for place, index, atoms in iterate_frames(source.path, source.data_format, True):
                spools.append(number, place, atoms, index)
        spools.say_dropped(places[0].parent)
        sets = list(spools.sets.items())
        orders = orders_of([spool for _, spool in sets])
        with files.synced_together(aside):
            for ((_, group), spool), order in zip(sets, orders):
                _say_lost_virials(part, places[0].parent, group, spool.without_virial, len(spool))
                for place, numbers in zip(places, order):
                    if len(numbers):
                        folder = aside / place.name / group
                        part.output.write_one(folder, spool.picked(numbers.tolist()), part.names)
        for place in places:
            files.remove(place)
            if (aside / place.name).exists():
                (aside / place.name).rename(place)
    finally:
        files.remove(aside)


def _say_lost_virials(part: Part, final: Path, group: str, without: int, frames: int) -> None:
    if FORMATS[part.output_format].virial == ALL_OR_NONE and 0 < without < frames:
        words = "%s: %d of %d frames of %s have no virial, so the data set has none"
        logger.warning(words, final, without, frames, group)
