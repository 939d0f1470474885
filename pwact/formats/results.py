"""The data sets that the iterations of a campaign, ours or PWact's, left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pwact import layout
from pwact.errors import UsageError
from pwact.formats.frames import data_set_format, format_found
from pwact.registry.formats import FORMATS

# the second is that of PWact up to 0.3
_RESULTS = (f"{layout.LABEL}/result", f"{layout.old_step_name(layout.LABEL)}/result")


def find_results(input_dir: Path) -> list[Path]:
    """The data sets in ``input_dir/iter*/02.label/result``, absolute and sorted.

    Raises
    ------
    UsageError
        The directory is not there, or is none of a run.
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
    if entry.is_dir():
        return bool(format_found(entry))
    single = (name for name, one in FORMATS.items() if one.writes and not one.folder)
    return any(entry == layout.labelled(entry.parent, name) for name in single)


def _sources(iteration: Path) -> Iterator[Path]:
    """Everything in a result directory that is data: what reports leave there is not."""
    for result in _RESULTS:
        found = [entry for entry in (iteration / result).glob("*") if _is_result(entry)]
        if found:
            yield from found
            return
