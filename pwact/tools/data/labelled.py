"""Labelled frames of every format that is read, one by one, with what had to be left out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pwact.engines.pwmat import report as pwmat_report
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError, UsageError
from pwact.formats.cp2k_output import read_log
from pwact.formats.cp2k_trajectory import labelled_md, labelled_scf, rounded_cell
from pwact.formats.data_format import LabelledFormat, ReadWarnings
from pwact.formats.extxyz_labels import OF_TABLES, LabelNames
from pwact.formats.movement import complete_frames
from pwact.formats.outcar import Outcar
from pwact.io import files
from pwact.registry.formats import FORMATS

if TYPE_CHECKING:
    from ase import Atoms

_SHOWN = 10  # steps that are listed by number
_OF_PWMAT = frozenset({"MOVEMENT", "OUT.MLMD"})  # names that PWmat gives, beside its REPORT


def iterate_labelled(
    path: Path, data_format: str, warnings: ReadWarnings, names: LabelNames = OF_TABLES
) -> Iterator[Atoms]:
    """The labelled frames of a file or folder, in memory one by one.

    Only of CP2K and CASTEP all frames of a file are in memory. `warnings` is complete when the
    iteration has ended.

    Parameters
    ----------
    data_format
        One of `registry.formats.FORMATS`.
    names
        Of the labels in extended XYZ, where the user says so.

    Raises
    ------
    InputError
        The path is not there, is damaged, or holds a frame without labels; names file and place.
    """
    if problem := files.unreadable(path, or_folder=True):
        raise InputError(problem, path)
    hint = f"; is {data_format} its format? (docs/formats.md)"
    reader: LabelledFormat = FORMATS[data_format].load()()
    try:
        for atoms in reader.read(path, warnings, names):
            hint = ""
            yield atoms
    except NotConvergedError as error:
        warnings.unconverged.append(str(error))
        return
    except InputError as error:
        raise InputError(f"{error.message}{hint}", error.file, error.key) from error
    except TaskError as error:
        raise InputError(f"{error}{hint}") from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", Path(error.filename)) from error
    if hint and not warnings.unconverged:
        raise InputError(f"holds no labelled frame{hint}", path)


def check_labelled_format(name: str) -> str:
    """Canonical form of a format name, in any case and in the spellings of old versions.

    Raises
    ------
    UsageError
        Nobody knows the name; tells the nearest.
    """
    known = FORMATS.canonical(name)
    if known is not None:
        return known
    near = FORMATS.nearest(name)
    hint = f"did you mean {near}? " if near else ""
    raise UsageError(f"format {name!r}: {hint}formats with labels: {', '.join(FORMATS)}")


class Movement(LabelledFormat):
    """PWmat's MOVEMENT and OUT.MLMD."""

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """All frames; that of a single point only if the REPORT beside it says it is converged."""
        del names
        frames = complete_frames(path, warnings.cut_off)
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


class OutcarFormat(LabelledFormat):
    """VASP's OUTCAR."""

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """All ionic steps that are converged, and are no predictions of a machine."""
        del names
        outcar, steps = Outcar(path), 0
        for step in outcar:
            steps += 1
            if outcar.head is not None and outcar.head.no_labels:
                raise NotConvergedError(outcar.head.no_labels)
            if not step.converged:
                warnings.unconverged.append(f"ionic step {step.number}")
            elif step.atoms is not None:
                yield step.atoms
        if outcar.response:
            words = "linear response or the like follows an ionic step; nothing behind it is read"
            warnings.words.append(f"{path}: {words}")
        if outcar.head is not None and outcar.head.moments:
            warnings.words.append(_moments_of(path, "LORBIT"))
        if outcar.learned:
            warnings.words.append(f"{path}: machine-learned ionic steps are left out")
        if not outcar.ended:
            error = CutOffError(f"{path}: cut off after {steps} complete ionic steps")
            if not steps:
                raise error
            warnings.cut_off(error)


def _moments_of(path: Path, table: str) -> str:
    return f"{path}: the magnetic moments of its atoms ({table}) are not read: the data have none"


class Cp2kMd(LabelledFormat):
    """The log of an MD or a relaxation of CP2K, with what lies beside it."""

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """All steps that are converged."""
        del names
        log = read_log(path)
        lost = [one for one in log.evaluations if not one.converged]
        if rounded_cell(log):
            warnings.words.append(
                f"{path}: the cell has three decimals; put cp2k.inp beside the log"
            )
        if log.runs > 1:
            words = f"holds {log.runs} runs, and the last is read; the steps before it are left out"
            warnings.words.append(f"{path}: {words} (give each run a log and files of its own)")
        if log.moments:
            warnings.words.append(_moments_of(path, "Spin moment"))
        left_out: list[int] = []
        frames = labelled_md(log, left_out)
        warnings.unconverged += [
            f"line {one.line}" if one.step is None else f"step {one.step}" for one in lost
        ]
        unknown = sorted(set(left_out) - {one.step for one in lost})
        if unknown:
            shown = ", ".join(map(str, unknown[:_SHOWN])) + (" …" if len(unknown) > _SHOWN else "")
            words = f"{len(unknown)} steps lack an energy, forces or a cell and are left out"
            warnings.words.append(f"{path}: {words}: {shown}")
        if not log.ended:
            warnings.cut_off(CutOffError(f"{path}: the program did not come to its end"))
        yield from frames


class Cp2kScf(LabelledFormat):
    """The log of a single point of CP2K, with what lies beside it."""

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """The one frame."""
        del names
        log = read_log(path)
        frame = labelled_scf(log)
        if log.moments:
            warnings.words.append(_moments_of(path, "Spin moment"))
        if rounded_cell(log):
            warnings.words.append(
                f"{path}: the cell has three decimals; put cp2k.inp beside the log"
            )
        yield frame
