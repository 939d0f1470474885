"""Collects the first data of a campaign and the labels of all iterations in one place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from pwact.errors import InputError
from pwact.formats.frames import format_found
from pwact.formats.results import data_sets_in
from pwact.io import files
from pwact.registry.formats import PWACT
from pwact.tools.data.convert import check_written_names
from pwact.tools.data.gathered import Part, write_source, write_split

if TYPE_CHECKING:
    from pwact.tools.data.first_data import FirstData

logger = logging.getLogger(__name__)

FINAL = "final_pwdata"
FINAL_LIST = "final_pwdata_list.txt"
VALID_LIST = "final_pwdata_valid_list.txt"
Tick = Callable[[], Any]


@dataclass(frozen=True)
class Source:
    """Data to be collected.

    Attributes
    ----------
    name
        Of the folder that they get: ``iter.0000``, ``init.0000``.
    """

    name: str
    path: Path
    data_format: str


@dataclass(frozen=True)
class Wanted:
    """In which form data are collected.

    Attributes
    ----------
    output_format
        One of `registry.formats.WRITTEN`; "" for that in which they are.
    names
        Whose names of labels they get, one of `registry.formats.LABEL_NAMES`.
    share
        Of the frames for training; None for data that are not parted.
    seed
        Of the parts.
    """

    output_format: str = ""
    names: str = PWACT
    share: Optional[Fraction] = None
    seed: int = 2024

    @property
    def as_they_are(self) -> bool:
        """Whether the data are copied byte by byte."""
        return not self.output_format and self.names == PWACT and self.share is None


AS_THEY_ARE = Wanted()


@dataclass
class Gathered:
    """Absolute paths of the data sets that were made; without parts all of them are `train`."""

    train: list[Path] = field(default_factory=list)
    valid: list[Path] = field(default_factory=list)


def sources_of(results: Sequence[Path], first: Optional[FirstData]) -> list[Source]:
    """The first data of a campaign, and what `find_results` found, as sources."""
    begun = [] if first is None else first.paths
    named = [
        Source(f"init.{number:04d}", path.absolute(), first.data_format if first else "")
        for number, path in enumerate(begun)
    ]
    return [
        *named,
        *(Source(path.parents[2].name, path, format_found(path)) for path in results),
    ]


def gather(
    sources: Sequence[Source],
    target_dir: Path,
    wanted: Wanted = AS_THEY_ARE,
    tick: Tick = lambda: None,
) -> Gathered:
    """Copy the sources to ``final_pwdata`` below `target_dir`, and list what was made.

    Each goes to ``iter.NNNN`` or ``init.NNNN``, in place of what an earlier call left there once it
    is complete; parted data go to ``train…`` and ``valid…``. ``final_pwdata_list.txt`` names every
    data set as it is pasted into ``init_data``. Without any data, nothing is written.

    Parameters
    ----------
    tick
        Called for every source that was copied, or read for its parts.

    Raises
    ------
    UsageError
        The format has no choice of names.
    InputError
        Data cannot be read, or the format cannot hold them.
    """
    final = target_dir.absolute() / FINAL
    for name in {wanted.output_format or source.data_format for source in sources}:
        check_written_names(wanted.names, name)
    if wanted.share is not None and sources:
        part = Part(wanted.output_format or sources[0].data_format, wanted.names)
        split = write_split(sources, final, part, (wanted.share, wanted.seed), tick)
        made = Gathered(*split)
    else:
        made = Gathered(list(_one_by_one(sources, final, wanted, tick)))
    for name, paths in ((FINAL_LIST, made.train), (VALID_LIST, made.valid)):
        if paths:
            files.write_text(final / name, "\n".join(f'"{path}",' for path in paths))
    return made


def _one_by_one(
    sources: Iterable[Source], final: Path, wanted: Wanted, tick: Tick
) -> Iterator[Path]:
    for source in sources:
        if wanted.as_they_are:
            copies = list(_copied(source, final / source.name))
        else:
            part = Part(wanted.output_format or source.data_format, wanted.names)
            copies = [write_source(source, final / source.name, part)]
        logger.info("%s copied to %s", source.path, source.name)
        tick()
        for copy in copies:
            yield from data_sets_in(copy)


def _copied(source: Source, folder: Path) -> Iterator[Path]:
    """Copies of a file, or of the data sets of a folder; what else lies there stays."""
    copy = folder / source.path.name
    if source.path.is_file() or source.name.startswith("iter"):
        _replace(source.path, copy)
        yield copy
        return
    for place in data_sets_in(source.path):
        single = copy / place.relative_to(source.path)
        _replace(place, single)
        yield single


def _replace(source: Path, copy: Path) -> None:
    """Copy beside `copy`, then swap."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        with files.replacing(copy) as aside:
            shutil.copyfile(source, aside)
        return
    fresh, old = (copy.with_name(f".{copy.name}.{word}") for word in ("new", "old"))
    files.remove(fresh)
    try:
        shutil.copytree(source, fresh)
        with files.synced_together(fresh):
            pass
        files.remove(old)
        if copy.exists():
            copy.rename(old)
        fresh.rename(copy)
    except shutil.Error as error:
        place, _, reason = error.args[0][0]
        raise InputError(f"cannot be copied: {reason}", Path(place)) from error
    finally:
        files.remove(fresh)
        files.remove(old)
