"""Collects the labelled data of all iterations in one place."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

from pwact.errors import InputError, UsageError
from pwact.formats.extxyz import iterate_extxyz, write_extxyz
from pwact.formats.results import data_sets_in
from pwact.io import files
from pwact.registry.formats import PWACT

_LOG = logging.getLogger(__name__)

FINAL = "final_pwdata"
FINAL_LIST = "final_pwdata_list.txt"


def gather(
    results: Sequence[Path],
    target_dir: Path,
    tick: Callable[[], Any] = lambda: None,
    names: str = PWACT,
) -> list[Path]:
    """Copy what `find_results` found, and list the copies.

    They go to ``final_pwdata/iter.NNNN`` below `target_dir`, each in place of what an earlier call
    left there once it is complete, and ``final_pwdata_list.txt`` beside them names every data set
    as it is pasted into ``init_data``. Without any data, nothing is written.

    Parameters
    ----------
    tick
        Called for every result that was copied.
    names
        Whose names of labels the copies get, one of `registry.formats.LABEL_NAMES`.

    Raises
    ------
    UsageError
        The data are no extended XYZ, which alone has names.

    Returns
    -------
    list
        Absolute paths of the copied data sets: ``train.xyz`` files and folders with
        ``energies.npy``.
    """
    final = target_dir.absolute() / FINAL
    folders = [source for source in results if source.is_dir()]
    if names != PWACT and folders:
        raise UsageError(f"--names {names}: {folders[0]} is no extended XYZ, which alone has names")
    copies = []
    for source in results:
        copy = final / source.parents[2].name / source.name
        if names == PWACT:
            _replace(source, copy)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_extxyz(copy, iterate_extxyz(source), names)
        _LOG.info("%s copied", source)
        copies.append(copy)
        tick()
    found = [data_set for copy in copies for data_set in data_sets_in(copy)]
    if found:
        files.write_text(final / FINAL_LIST, "\n".join(f'"{path}",' for path in found))
    return found


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
