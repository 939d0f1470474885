"""Labelled frames of every format that is read, one by one, with what had to be left out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from pwact.engines import pwmat_report
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError, UsageError
from pwact.io import castep, files
from pwact.io.cp2k_output import read_log
from pwact.io.cp2k_trajectory import labelled_md, labelled_scf, rounded_cell
from pwact.io.deepmd_npy import read_deepmd
from pwact.io.extxyz import iterate_extxyz, why_unlabelled
from pwact.io.extxyz_labels import OF_TABLES, LabelNames
from pwact.io.frames import data_paths
from pwact.io.movement import complete_frames
from pwact.io.outcar import Outcar
from pwact.io.pwmlff_npy import iterate_folder

if TYPE_CHECKING:
    from ase import Atoms

_OF_PWMAT = frozenset({"MOVEMENT", "OUT.MLMD"})  # names that PWmat gives, beside its REPORT


@dataclass
class Remarks:
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


def iterate_labelled(
    path: Path, data_format: str, remarks: Remarks, names: LabelNames = OF_TABLES
) -> Iterator[Atoms]:
    """The labelled frames of a file or folder, in memory one by one.

    Only of CP2K, CASTEP and DeePMD-kit all frames of a file are in memory. `remarks` is complete
    when the iteration has ended.

    Parameters
    ----------
    data_format
        One of `FORMATS`.
    names
        Of the labels in extended XYZ, where the user says so.

    Raises
    ------
    InputError
        The path is not there, is damaged, or holds a frame without labels; names file and place.
    """
    if problem := files.unreadable(path, or_folder=True):
        raise InputError(problem, path)
    hint = f"; is {data_format} its format?"
    read = partial(_extxyz, names=names) if names != OF_TABLES else FORMATS[data_format]
    try:
        for atoms in read(path, remarks):
            hint = ""
            yield atoms
    except NotConvergedError as error:
        remarks.unconverged.append(str(error))
        return
    except InputError as error:
        raise InputError(f"{error.message}{hint}", error.file, error.key) from error
    except TaskError as error:
        raise InputError(f"{error}{hint}") from error
    if hint and not remarks.unconverged:
        raise InputError(f"holds no labelled frame{hint}", path)


def check_labelled_format(name: str) -> str:
    """Canonical form of a format name, in any case and in the spellings of old versions.

    Raises
    ------
    UsageError
        Nobody knows the name; tells the nearest.
    """
    lower = name.lower()
    lower = ALIASES.get(lower, lower)
    if lower in FORMATS:
        return lower
    near = difflib.get_close_matches(lower, [*FORMATS, *ALIASES], 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"format {name!r}: {hint}formats with labels: {', '.join(FORMATS)}")


def _movement(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    """All frames; that of a single point only if the REPORT beside it says it is converged."""
    frames = complete_frames(path, remarks.cut_off)
    first, second = next(frames), next(frames, None)
    if second is not None:
        yield from chain([first, second], frames)
        return
    report = path.parent / pwmat_report.REPORT
    if path.name in _OF_PWMAT and report.is_file():
        reason = pwmat_report.not_converged(path.parent)
        if reason:
            raise NotConvergedError(reason)
    yield first


def _outcar(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    outcar, steps = Outcar(path), 0
    for step in outcar:
        steps += 1
        if outcar.head is not None and outcar.head.no_labels:
            raise NotConvergedError(outcar.head.no_labels)
        if not step.converged:
            remarks.unconverged.append(f"ionic step {step.number}")
        elif step.atoms is not None:
            yield step.atoms
    if outcar.response:
        words = "linear response or the like follows an ionic step; nothing behind it is read"
        remarks.words.append(f"{path}: {words}")
    if outcar.learned:
        remarks.words.append(f"{path}: machine-learned ionic steps are left out")
    if not outcar.ended:
        error = CutOffError(f"{path}: cut off after {steps} complete ionic steps")
        if not steps:
            raise error
        remarks.cut_off(error)


def _cp2k_md(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    log = read_log(path)
    lost = [one for one in log.evaluations if not one.converged]
    if rounded_cell(log):
        remarks.words.append(f"{path}: the cell has three decimals; put cp2k.inp beside the log")
    if log.runs > 1:
        words = f"holds {log.runs} runs, and the last is read; the steps before it are left out"
        remarks.words.append(f"{path}: {words} (give each run a log and files of its own)")
    frames = labelled_md(log)
    remarks.unconverged += [
        f"line {one.line}" if one.step is None else f"step {one.step}" for one in lost
    ]
    if not log.ended:
        remarks.cut_off(CutOffError(f"{path}: the program did not come to its end"))
    yield from frames


def _cp2k_scf(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    log = read_log(path)
    frame = labelled_scf(log)
    if rounded_cell(log):
        remarks.words.append(f"{path}: the cell has three decimals; put cp2k.inp beside the log")
    yield frame


def _extxyz(path: Path, remarks: Remarks, names: LabelNames = OF_TABLES) -> Iterator[Atoms]:
    del remarks
    for place in data_paths(path, "extxyz"):
        for number, atoms in enumerate(iterate_extxyz(place, names=names)):
            if atoms.calc is None:
                raise InputError(f"frame {number} {why_unlabelled(atoms)}", place)
            yield atoms


def _npy(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    del remarks
    for place in data_paths(path, "pwmlff/npy"):
        yield from iterate_folder(place)


def _deepmd(path: Path, remarks: Remarks) -> Iterator[Atoms]:
    del remarks
    yield from read_deepmd(path)


def _castep(data_format: str) -> Callable[[Path, Remarks], Iterator[Atoms]]:
    def read(path: Path, remarks: Remarks) -> Iterator[Atoms]:
        found, words = castep.frames(path, data_format)
        remarks.words += words
        yield from found

    return read


FORMATS: dict[str, Callable[[Path, Remarks], Iterator[Atoms]]] = {
    "pwmat/movement": _movement,
    "vasp/outcar": _outcar,
    "cp2k/md": _cp2k_md,
    "cp2k/scf": _cp2k_scf,
    "extxyz": _extxyz,
    "pwmlff/npy": _npy,
    "deepmd/npy": _deepmd,
    **{name: _castep(name) for name in castep.FORMATS},
}
ALIASES = {
    "movement": "pwmat/movement",
    "pwmat": "pwmat/movement",
    "pwmat/out.mlmd": "pwmat/movement",
    "out.mlmd": "pwmat/movement",
    "outcar": "vasp/outcar",
    "vasp": "vasp/outcar",
    "cp2k": "cp2k/md",
    "xyz": "extxyz",
    "npy": "pwmlff/npy",
    "pwmlff": "pwmlff/npy",
    "deepmd": "deepmd/npy",
}
