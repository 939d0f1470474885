"""The data sets that the iterations of a campaign, ours or PWact's, left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pwact import layout
from pwact.errors import InputError, UsageError
from pwact.formats.frames import data_set_format, format_found
from pwact.io import files
from pwact.registry.formats import FORMATS

# the second is that of PWact up to 0.3
_RESULTS = (f"{layout.LABEL}/result", f"{layout.old_step_name(layout.LABEL)}/result")


def find_results(input_dir: Path) -> list[Path]:
    """The data sets in ``input_dir/iter*/02.label/result``, absolute and sorted.

    Raises
    ------
    UsageError
        The directory is not there, or is none of a run.
    InputError
        A data set is there by its name, but cannot be read or is none; its frames would be missing.
    """
    if not input_dir.is_dir():
        raise UsageError(f"{input_dir} is not a directory")
    iterations = [path for path in input_dir.absolute().glob("iter*") if path.is_dir()]
    if not iterations:
        raise UsageError(f"{input_dir} holds no iter.0000 …; expected the work directory of a run")
    return sorted(source for iteration in iterations for source in _sources(iteration))


def data_sets_in(copy: Path) -> list[Path]:
    """A file itself, or the data sets below a directory, sorted."""
    if copy.is_file():
        return [copy]
    return data_set_format(format_found(copy)).find(copy)


def _is_result(entry: Path) -> bool:
    """Whether it is a folder of data, or has the name of a data set that is a file."""
    named = {layout.labelled(entry.parent, name) for name, one in FORMATS.items() if one.writes}
    folder = entry.name == layout.PWDATA
    if entry in named and (problem := files.unreadable(entry, or_folder=folder)):
        raise InputError(problem, entry)
    if not entry.is_dir():
        return entry in named
    found = bool(format_found(entry))
    if entry in named and not found and any(one.is_file() for one in entry.rglob("*")):
        raise InputError("holds files, but no data set", entry)
    return found


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it is not there."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", folder) from error


def _sources(iteration: Path) -> Iterator[Path]:
    """Everything in a result directory that is data: what reports leave there is not."""
    for result in _RESULTS:
        found = [entry for entry in _entries(iteration / result) if _is_result(entry)]
        if found:
            yield from found
            return
