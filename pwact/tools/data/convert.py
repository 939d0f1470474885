"""Makes data sets of trajectories, with a bounded memory however long they are."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any, Callable, Optional

from pwact import layout
from pwact.errors import InputError, UsageError
from pwact.formats.data_format import ReadWarnings
from pwact.formats.extxyz_labels import OF_TABLES, LabelNames
from pwact.formats.frames import data_set_format
from pwact.formats.labels import turn_virial
from pwact.formats.spool import Spool
from pwact.formats.type_names import OPTION, read_type_names
from pwact.formats.zero_forces import ZeroForces
from pwact.io import files
from pwact.registry.formats import ALL_OR_NONE, FORMATS, PWACT, WRITTEN
from pwact.tools.data.labelled import iterate_labelled
from pwact.tools.data.publish import Workshop
from pwact.tools.data.split import (
    Order,
    Spools,
    parted_by_content,
    parted_by_order,
    shuffled,
)

logger = logging.getLogger(__name__)

TRAIN = "train"
VALID = "valid"
_NAMED = 10  # steps that are listed by number
Tick = Callable[[int], Any]


@dataclass(frozen=True)
class Conversion:
    """What is made of what.

    Attributes
    ----------
    inputs
        Files, or folders of data.
    input_format, output_format
        One of `FORMATS`; one of `WRITTEN`.
    savepath
        Directory of the data sets; what it holds already stays.
    ratio
        Share for training; None for data sets that are not split.
    seed
        Of the shuffle before the split; None for the order of the inputs.
    by_content
        Seed of a split by content (`split.trained_by_content`) instead of one by order; None for
        one by order.
    strict
        Whether an input that cannot be read ends the call, and nothing is written.
    merge
        Whether frames of one composition are put together, whatever file they come from.
    gap
        Every how many-th frame is kept: of each file, with `merge` of all together.
    names
        Of the labels in the extended XYZ that is read.
    virial_factor
        -1 turns the virials, 1 leaves them.
    written
        Whose names of labels are written, one of `LABEL_NAMES`.
    """

    inputs: Sequence[Path]
    input_format: str
    savepath: Path
    output_format: str = "pwmlff/npy"
    ratio: Optional[Fraction] = None
    seed: Optional[int] = None
    by_content: Optional[int] = None
    strict: bool = False
    merge: bool = False
    gap: int = 1
    names: LabelNames = OF_TABLES
    written: str = PWACT
    virial_factor: int = 1


@dataclass
class Converted:
    """What was made.

    Attributes
    ----------
    train, valid
        Absolute paths of the data sets.
    frames, trained
        Frames in all of them, and in those for training.
    unconverged
        Frames that were left out because their electronic structure is not converged.
    unread
        Inputs that were left out because they cannot be read, with the reason, a line each.
    """

    train: list[Path] = field(default_factory=list)
    valid: list[Path] = field(default_factory=list)
    frames: int = 0
    trained: int = 0
    unconverged: int = 0
    unread: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {
            **vars(self),
            "train": [str(path) for path in self.train],
            "valid": [str(path) for path in self.valid],
        }

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Converted:
        """From plain values."""
        made = cls(**told)
        made.train, made.valid = list(map(Path, made.train)), list(map(Path, made.valid))
        return made


def convert(settings: Conversion, tick: Tick = lambda number: None) -> Converted:
    """Read all inputs, then write the data sets ``savepath/<composition>``.

    A composition that is there already, from another file or an earlier call, gets ``_1``, ``_2``
    … behind its name. Everything is written aside and renamed when it is complete.

    Parameters
    ----------
    tick
        Called for every frame that was read, with the number of its input, from 1.

    Raises
    ------
    InputError
        No input can be read; or, if `strict`, one is damaged or has no labels. Nothing is written.
    UsageError
        There is a file where the directory is to be.
    """
    check_written_names(settings.written, settings.output_format)
    savepath = settings.savepath.absolute()
    files.demand_directory(savepath)
    shop = Workshop(savepath, _order(settings))
    told = shop.finish_interrupted()
    if told is not None:
        return Converted.of_json(told)
    shop.open()
    try:
        made = Converted()
        sets = _read(settings, shop.place, made, tick)
        names = _names([composition for composition, _ in sets], savepath)
        with files.synced_together(shop.ready):
            orders = _orders(settings, [spool for _, spool in sets])
            for name, (_, spool), order in zip(names, sets, orders):
                _write(settings, spool, shop.ready / name, savepath / name, order, made)
                spool.remove()
        shop.publish(names, made.to_json())
        return made
    finally:
        shop.close()


def _order(settings: Conversion) -> dict[str, Any]:
    """What was asked for, with size and date of every input, as JSON."""
    inputs = [
        [str(path.absolute()), state.st_size, state.st_mtime_ns]
        for given in settings.inputs
        for path in [given, *(sorted(given.rglob("*")) if given.is_dir() else [])]
        if path.exists()
        for state in [path.stat()]
    ]
    rest = {key: str(value) for key, value in vars(settings).items() if key != "inputs"}
    return {"inputs": inputs, **rest}


def _read(
    settings: Conversion, aside: Path, made: Converted, tick: Tick
) -> list[tuple[str, Spool]]:
    """Put the frames aside, by composition; the composition of each spool comes first."""
    for path in settings.inputs:
        if problem := files.unreadable(path, or_folder=True):
            raise InputError(problem, path)
    spools = Spools(
        aside, settings.output_format, settings.gap, settings.merge, settings.ratio is not None
    )
    for number, path in enumerate(settings.inputs, 1):
        warnings, zeros = ReadWarnings(), ZeroForces()
        try:
            for atoms in iterate_labelled(path, settings.input_format, warnings, settings.names):
                tick(number)
                zeros.add(atoms)
                if settings.virial_factor != 1:
                    turn_virial(atoms)
                spools.append(number, path, atoms)
        except InputError as error:
            if settings.strict or len(settings.inputs) == 1:
                raise
            spools.forget()
            made.unread.append(str(error))
            continue
        spools.keep()
        made.unconverged += len(warnings.unconverged)
        warnings.words += [f"{path}: {words}" for words in zeros.words()]
        _tell(path, warnings)
    if not spools.sets and len(made.unread) == len(settings.inputs):
        raise InputError(f"no input can be read; the first: {made.unread[0]}")
    if not spools.sets:
        raise InputError(f"no frame of the inputs is converged; {made.unconverged} left out")
    spools.say_dropped(settings.savepath)
    return [(composition, spool) for (_, composition), spool in spools.sets.items()]


def _tell(path: Path, warnings: ReadWarnings) -> None:
    for words in warnings.words:
        logger.warning("%s", words)
    lost = warnings.unconverged
    if lost:
        more = f" … (all {len(lost)})" if len(lost) > _NAMED else ""
        logger.warning("%s: not converged, left out: %s%s", path, ", ".join(lost[:_NAMED]), more)


def _names(compositions: Sequence[str], savepath: Path) -> list[str]:
    """A free name for each data set."""
    names: list[str] = []
    for composition in compositions:
        numbered = (f"{composition}_{number}" for number in count(1))
        name = next(
            name
            for name in chain([composition], numbered)
            if name not in names and not (savepath / name).exists()
        )
        if composition not in names and name != composition:
            logger.warning("%s holds %s already; new frames are in %s", savepath, composition, name)
        names.append(name)
    return names


def _orders(settings: Conversion, spools: Sequence[Spool]) -> list[Order]:
    """Which frames of each data set go where, in which order."""
    if settings.ratio is None:
        return [(order, order[:0]) for order in shuffled(spools, settings.seed)]
    if settings.by_content is not None:
        return parted_by_content(spools, settings.ratio, settings.by_content)
    orders, moved = parted_by_order(spools, settings.ratio, settings.seed)
    if moved:
        words = "%d frames to validate have the structure of a frame to train; they are in train"
        logger.warning(words, moved)
    return orders


def _write(
    settings: Conversion,
    spool: Spool,
    directory: Path,
    final: Path,
    order: Order,
    made: Converted,
) -> None:
    """Write the data sets of a spool below `directory`, and note where they will be."""
    frames = len(spool)
    output, holds = data_set_format(settings.output_format), FORMATS[settings.output_format]
    if holds.virial == ALL_OR_NONE and 0 < spool.without_virial < frames:
        logger.warning(
            "%s: %d of %d frames have no virial, so the data set has none",
            final,
            spool.without_virial,
            frames,
        )
    parts = [(TRAIN, order[0], made.train), (VALID, order[1], made.valid)]
    for part, numbers, places in parts:
        if not len(numbers):
            continue
        picked = spool.picked(numbers.tolist())
        name = layout.part_of_data(part, settings.output_format)
        if not holds.folder:
            directory.mkdir(exist_ok=True)
        elif settings.ratio is None:
            name = ""
        output.write_one(directory / name, picked, settings.written)
        places.append(final / name)
    made.frames += frames
    made.trained += len(order[0])


def output_format_of(name: str) -> str:
    """Canonical form of the name of an output format.

    Raises
    ------
    UsageError
        It is none.
    """
    known = FORMATS.canonical(name)
    if known is None or not FORMATS[known].writes:
        near = FORMATS.nearest(name, WRITTEN)
        hint = f"; did you mean {near}?" if near else ""
        expected = f"{', '.join(WRITTEN[:-1])} or {WRITTEN[-1]}"
        raise UsageError(f"--output_format {name!r}; expected {expected}{hint}")
    return known


def check_written_names(names: str, output_format: str) -> None:
    """Refuse names of labels for a format that has no choice. Raises UsageError."""
    if names != PWACT and not FORMATS[output_format].names:
        chosen = " or ".join(name for name in WRITTEN if FORMATS[name].names)
        raise UsageError(f"--names {names} is for --output_format {chosen}")


def label_names(
    input_format: str, energy: str, forces: str, virial: str, types: str = ""
) -> LabelNames:
    """Names of labels and types, where the user says so; "" for those that are known.

    Raises
    ------
    UsageError
        Names are given for a format that has no choice, or types are no pairs.
    """
    if types and not FORMATS[input_format].types:
        chosen = " or ".join(name for name, one in FORMATS.items() if one.types)
        raise UsageError(f"{OPTION} is for -f {chosen}")
    names = LabelNames(energy, forces, virial)
    if names != OF_TABLES and not FORMATS[input_format].names:
        chosen = " or ".join(name for name, one in FORMATS.items() if one.names)
        raise UsageError(f"--energy-key, --forces-key and --virial-key are for -f {chosen}")
    return replace(names, types=read_type_names(types))
