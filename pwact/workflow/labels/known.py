"""Which structures are in the data already, so that no data set holds a frame twice."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Callable, TypeVar

from pwact import layout
from pwact.formats.frames import data_paths, read_frames
from pwact.formats.same_frame import structure_key
from pwact.io import files

_One = TypeVar("_One")
logger = logging.getLogger(__name__)


def structures_of(data_sets: Iterable[Path], data_format: str) -> frozenset[str]:
    """Hashes of the structures in these data sets.

    A labeler may write fewer digits than it was given, so an iteration lists as well what its
    frames were when they were asked for.
    """
    found: set[str] = set()
    for path in data_sets:
        for place in data_paths(path, data_format):
            found |= _read(place, data_format, _state(place))
        found |= _listed(path.parent.parent / layout.STRUCTURES)
    return frozenset(found)


def new_of(
    asked: Sequence[_One], key_of: Callable[[_One], str], known: frozenset[str], stage: str
) -> tuple[list[_One], int]:
    """Those whose structure is neither in the data nor asked for already; how many are.

    Parameters
    ----------
    key_of
        Gives the hash of a structure.
    """
    found: dict[str, _One] = {}
    there = 0
    for one in asked:
        key = key_of(one)
        there += key in known
        if key not in known:
            found.setdefault(key, one)
    if len(found) < len(asked):
        logger.info(
            "%s: %d frames: %d distinct that are to be labelled, %d are in the data already",
            stage,
            len(asked),
            len(found),
            there,
        )
    return list(found.values()), len(asked) - len(found)


def write_structures(path: Path, structures: Sequence[str]) -> None:
    """List what the frames of a data set were when they were asked for."""
    files.write_text(path, "".join(f"{one}\n" for one in structures))


def _listed(path: Path) -> set[str]:
    return set(path.read_text(encoding="utf-8").split()) if path.is_file() else set()


def _state(place: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when somebody writes the data set."""
    paths = sorted(place.iterdir()) if place.is_dir() else [place]
    return tuple((one.name, one.stat().st_size, one.stat().st_mtime_ns) for one in paths)


@cache
def _read(place: Path, data_format: str, _: tuple[tuple[str, int, int], ...]) -> frozenset[str]:
    """The structures of one data set; a large one takes a while, so it is read once."""
    return frozenset(structure_key(frame) for frame in read_frames(place, data_format))
