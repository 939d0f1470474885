"""Frames put aside by composition, and parted: never one structure in both parts."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import CARRIED, PROPERTIES, carried, properties_of
from pwact.errors import InputError, PwactError, UsageError
from pwact.formats.frames import data_set_format
from pwact.formats.spool import Spool
from pwact.registry.formats import FORMATS

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

Order = tuple[np.ndarray, np.ndarray]  # numbers of the frames to train and to validate


def trained_by_content(keys: Sequence[bytes], share: Fraction, seed: int) -> np.ndarray:
    """Which frames are for training, as truth values, decided by what the frames are.

    The distinct structures are put in an order that a hash of structure and seed gives, and the
    first ⌈n · share⌉ are for training. So neither the order of the frames nor the number of files
    matters, and frames of one structure stay together. Structures that are added later move few of
    the others from one part to the other.

    Parameters
    ----------
    keys
        Of each frame, by `pwact.formats.same_frame.structure_mark`.
    """
    salt = str(seed).encode()
    distinct = sorted(set(keys), key=lambda key: hashlib.sha256(salt + b":" + key).digest())
    chosen = frozenset(distinct[: math.ceil(len(distinct) * share)])
    return np.array([key in chosen for key in keys], dtype=bool)


def share_of(train: Optional[Fraction], valid: Optional[Fraction]) -> Optional[Fraction]:
    """The share for training where that, or that for validation, or both are given.

    Raises
    ------
    UsageError
        Both are given, and together they are not 1.
    """
    if train is not None and valid is not None and train + valid != 1:
        message = (
            f"--train {float(train):g} and --valid {float(valid):g} are {float(train + valid):g}"
        )
        raise UsageError(f"{message} together; expected 1 (one of them is enough)")
    return 1 - valid if train is None and valid is not None else train


def shuffled(spools: Sequence[Spool], seed: Optional[int]) -> list[np.ndarray]:
    """The order of the frames of each data set: at random, without a seed as they came."""
    if seed is None:
        return [np.arange(len(spool)) for spool in spools]
    return [np.random.default_rng(seed).permutation(len(spool)) for spool in spools]


def parted_by_content(spools: Sequence[Spool], share: Fraction, seed: int) -> list[Order]:
    """The parts of each data set; see `trained_by_content`, over all data sets."""
    trained = trained_by_content([key for spool in spools for key in spool.keys], share, seed)
    ends = np.cumsum([len(spool) for spool in spools])[:-1]
    return [(np.flatnonzero(one), np.flatnonzero(~one)) for one in np.split(trained, ends)]


def parted_by_order(
    spools: Sequence[Spool], share: Fraction, seed: Optional[int]
) -> tuple[list[Order], int]:
    """The first ⌈n · share⌉ frames of each data set, maybe shuffled, and the others.

    Frames to validate whose structure is trained on are trained on as well; how many comes second.
    """
    parts = []
    for spool, order in zip(spools, shuffled(spools, seed)):
        count = math.ceil(len(spool) * share)
        parts.append((order[:count], order[count:]))
    known = {spool.keys[n] for (train, _), spool in zip(parts, spools) for n in train.tolist()}
    parted, moved = [], 0
    for (train, valid), spool in zip(parts, spools):
        twice = np.array([spool.keys[number] in known for number in valid.tolist()], dtype=bool)
        moved += int(twice.sum())
        parted.append((np.concatenate([train, valid[twice]]), valid[~twice]))
    return parted, moved


class Spools:
    """The frames of all inputs, by composition; those of the present input can be taken back.

    Parameters
    ----------
    aside
        Directory of the spools.
    output
        The format that the frames are put in order for.
    gap
        Every how many-th frame is kept.
    merge
        Whether frames of all inputs are put together.
    parted
        Whether the frames will be parted.
    """

    def __init__(self, aside: Path, output: str, gap: int, merge: bool, parted: bool) -> None:
        self.sets: dict[tuple[int, str], Spool] = {}
        self._aside, self._output = aside, data_set_format(output)
        self._whole = FORMATS[FORMATS.canonical(output) or output].moments
        self._gap, self._merge, self._parted = gap, merge, parted
        self._index = self._begun = 0
        self._before: dict[tuple[int, str], int] = {}
        self._dropped: dict[str, None] = {}

    def append(self, number: int, path: Path, atoms: Atoms, place: Optional[int] = None) -> None:
        """Put the next frame of an input aside, unless it is between those to keep.

        Parameters
        ----------
        place
            Its number in `path`, where that is not the number of the frame in the input.

        Raises
        ------
        InputError
            The output format cannot hold it.
        """
        index = self._index
        self._dropped.update(dict.fromkeys(self._not_written(atoms)))
        self._index += 1
        if index % self._gap:
            return
        key = (0 if self._merge else number, self._output.group(atoms))
        if key not in self.sets:
            file = self._aside / f"{number}.{len(self.sets)}.frames"
            self.sets[key] = Spool(file, len(atoms), self._parted, self._whole)
            self._before.setdefault(key, 0)
        self._before.setdefault(key, len(self.sets[key]))
        try:
            self.sets[key].append(self._output.fit(atoms))
        except PwactError as error:
            shown = index if place is None else place
            raise InputError(f"frame {shown}: {error}", path) from error

    def _not_written(self, atoms: Atoms) -> list[str]:
        """What is known of the atoms, belongs to their labels, and has no place in the format."""
        known = {**properties_of(atoms), **carried(atoms)}
        return [
            name
            for name in known
            if not (self._whole and name in CARRIED)
            and (name not in PROPERTIES or PROPERTIES[name].of_labels)
        ]

    def say_dropped(self, path: Path) -> None:
        """Warn of what is known of the atoms, and is not written: moments, charges."""
        if self._dropped:
            logger.warning("%s: of the atoms is not written: %s", path, ", ".join(self._dropped))

    def keep(self) -> None:
        """The input is complete; the next one begins."""
        self._before = {}
        self._index = self._begun = self._index if self._merge else 0

    def forget(self) -> None:
        """Take back all frames of the present input."""
        for key, count in self._before.items():
            if count:
                self.sets[key].cut(count)
            else:
                self.sets.pop(key).remove()
        self._before = {}
        self._index = self._begun
