"""Collects the labelled data of all iterations in one place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from pwact import layout
from pwact.io import files

_LOG = logging.getLogger(__name__)

FINAL = "final_pwdata"
FINAL_LIST = "final_pwdata_list.txt"
_RESULTS = ("02.label/result", "label/result")  # the second is that of old versions of PWact
_MARK = "energies.npy"


def gather(input_dir: Path, target_dir: Path) -> list[Path]:
    """Copy the data of ``input_dir/iter*/02.label/result`` and list the copies.

    They go to ``final_pwdata/iter.NNNN`` below `target_dir`, in place of what an earlier call left
    there, and ``final_pwdata_list.txt`` beside them names every data set as it is pasted into
    ``init_data``. Without any data, nothing is written.

    Returns
    -------
    list
        Absolute paths of the copied data sets: ``train.xyz`` files and folders with
        ``energies.npy``.
    """
    final = target_dir.absolute() / FINAL
    copies = []
    for source in sorted(_sources(input_dir.absolute())):
        copy = final / _iteration(source, input_dir.absolute()) / source.name
        _replace(source, copy)
        copies.append(copy)
    found = [data_set for copy in copies for data_set in _data_sets(copy)]
    if found:
        files.write_text(final / FINAL_LIST, "\n".join(f'"{path}",' for path in found))
    return found


def _sources(input_dir: Path) -> Iterator[Path]:
    """Everything in a result directory that is data: what reports leave there is not."""
    for iteration in input_dir.glob("iter*"):
        for result in _RESULTS:
            for entry in (iteration / result).glob("*"):
                if entry.name == layout.TRAIN_XYZ or (entry.is_dir() and any(_data_sets(entry))):
                    yield entry


def _iteration(source: Path, input_dir: Path) -> str:
    return source.relative_to(input_dir).parts[0]


def _replace(source: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        with files.replacing(copy) as aside:
            shutil.copyfile(source, aside)
        return
    aside = copy.with_name(f".{copy.name}.new")
    files.remove(aside)
    shutil.copytree(source, aside)
    files.remove(copy)
    aside.rename(copy)
    _LOG.info("%s copied", source)


def _data_sets(copy: Path) -> list[Path]:
    if copy.is_file():
        return [copy]
    return sorted(mark.parent for mark in copy.rglob(_MARK))
