"""Frames of CP2K's molecular dynamics and optimizations, put together by their step numbers.

Positions come from ``*-pos-*.xyz``, forces from ``*-frc-*.xyz``, cells from ``*.cell``, and the log
says which energies are converged and what their stress is. A step that one of them lacks, or that
did not converge, is left out and moves no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import numpy as np
from ase import Atoms

from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.formats.cp2k_files import CELLS, FORCES, POSITIONS, Step, find, read_cells, read_steps
from pwact.formats.cp2k_input import cell_vectors, read_input
from pwact.formats.cp2k_log import Evaluation, Log
from pwact.formats.cp2k_output import read_log
from pwact.formats.cp2k_units import SAME_ENERGY, force_unit, length_unit
from pwact.formats.labels import set_labels

_SAME_CELL = 2e-9  # Å; likewise
_PRINTED_CELL = 6e-4  # Å; the log has three digits after the point
_START = -1  # stands for every step before the first that the log announces


def md_frames(
    log: Log, directory: Path, start: Atoms, left_out: Optional[list[int]] = None
) -> list[Atoms]:
    """Labelled frames of an MD: every complete and converged step, also of a run that was cut off.

    Parameters
    ----------
    log
        Of the run.
    directory
        Where the files of positions, forces and cells are.
    start
        The structure that the run began with: elements in order, and the cell, which counts where
        the cell stays the same.
    left_out
        Gets the numbers of the steps that have positions, but are no frames.

    Raises
    ------
    NotConvergedError
        There is no such step, because no SCF converged.
    TaskError
        There is none for another reason, or a file is damaged.
    """
    positions, forces = (_steps(directory, pattern) for pattern in (POSITIONS, FORCES))
    _demand_cells(log, directory)
    length = length_unit(positions, log, directory)
    in_angstrom = {
        number: replace(one, table=length * one.table) for number, one in positions.items()
    }
    unit = force_unit(forces, in_angstrom, log, directory)
    cells, by_step = _cells(directory, start), _by_step(log)
    frames = []
    for number, step in sorted(positions.items()):
        force = forces.get(number)
        evaluation = _belonging(by_step, number, step.energy)
        lacking = bool(cells) and number not in cells
        if force is None or evaluation is None or lacking or not evaluation.converged:
            if left_out is not None:
                left_out.append(number)
            continue
        if abs(force.energy - step.energy) > SAME_ENERGY:
            raise TaskError(f"{directory}: step {number} of the forces belongs to another run")
        frame = _placed(step, start, cells.get(number), directory, length)
        virial = None if evaluation.stress is None else evaluation.stress * frame.get_volume()
        set_labels(frame, evaluation.energy, unit * force.table, virial)
        frames.append(frame)
    if not frames:
        raised = NotConvergedError if log.unconverged else TaskError
        why = "no SCF converged" if log.unconverged else log.abort or "no step is complete"
        raise raised(f"{log.path}: {why}")
    return frames


def _steps(directory: Path, pattern: str) -> dict[int, Step]:
    path = find(directory, pattern)
    if path is None:
        raise TaskError(f"{directory}: there is no {pattern}")
    return read_steps(path)


def _cells(directory: Path, start: Atoms) -> dict[int, np.ndarray]:
    """Cells by step; empty if the cell stays as it is."""
    path = find(directory, CELLS)
    cells = read_cells(path) if path else {}
    own = start.cell.array
    if all(np.abs(cell - own).max() < _SAME_CELL for cell in cells.values()):
        return {}
    return cells


def _by_step(log: Log) -> dict[int, list[Evaluation]]:
    """The evaluations that may belong to an MD step.

    Those before the first announced step are of it and of the start; one that no step was
    announced after may be incomplete.
    """
    announced: dict[int, list[Evaluation]] = {}
    for one in log.evaluations:
        if one.step is not None:
            announced.setdefault(one.step, []).append(one)
    if announced:
        announced[_START] = announced[min(announced)]
    elif log.ended:
        announced[_START] = log.evaluations
    return announced


def _belonging(
    by_step: Mapping[int, Sequence[Evaluation]], number: int, energy: float
) -> Optional[Evaluation]:
    """The evaluation of an MD step."""
    first = min((step for step in by_step if step != _START), default=number + 1)
    for one in reversed(by_step.get(_START if number < first else number, ())):
        if abs(one.energy - energy) < SAME_ENERGY:
            return one
    return None


def _demand_cells(log: Log, directory: Path) -> None:
    """Raise TaskError where the cell changes, and no file says how."""
    if log.cell_changes and find(directory, CELLS) is None:
        raise TaskError(
            f"{log.path}: the cell changes ({log.kind}), and no file {CELLS} lies beside the log; "
            "CP2K writes it with MOTION/PRINT/CELL"
        )


def _placed(
    step: Step, start: Atoms, cell: Optional[np.ndarray], directory: Path, length: float = 1.0
) -> Atoms:
    if list(step.symbols) != start.get_chemical_symbols():
        raise TaskError(f"{directory}: the atoms of {POSITIONS} are not those of the structure")
    chosen = start.cell.array if cell is None else cell
    return Atoms(start.numbers, length * step.table, cell=chosen, pbc=start.pbc)


def relaxed_frame(log: Log, directory: Path, start: Atoms) -> Atoms:
    """The last step of an optimization, with labels as far as the log has them.

    Parameters
    ----------
    log, directory, start
        As in `md_frames`.

    Raises
    ------
    NotConvergedError
        The SCF of that step did not converge.
    TaskError
        There is no step, it belongs to another run, or the log has come farther.
    """
    _demand_cells(log, directory)
    positions, cells = _steps(directory, POSITIONS), _cells(directory, start)
    length = length_unit(positions, log, directory)
    # after the end CP2K may write the same structure again, without its cell
    numbers = [number for number in positions if not cells or number in cells]
    if not numbers:
        raise TaskError(f"{directory}: no step of the optimization is complete")
    if max(numbers) < log.last_step:
        message = f"end at step {max(numbers)} of {log.last_step} in {log.path.name}"
        raise TaskError(f"{directory}: positions or cells of the optimization {message}")
    step = positions[max(numbers)]
    same = [one for one in log.evaluations if abs(one.energy - step.energy) < SAME_ENERGY]
    if not same:
        message = f"step {max(numbers)} of the positions belongs to another run"
        raise TaskError(f"{log.path}: {message}")
    if not same[-1].converged:
        raise NotConvergedError(f"{log.path}, line {same[-1].line}: SCF run NOT converged")
    frame = _placed(step, start, cells.get(max(numbers)), directory, length)
    for one in same:
        if len(one.forces or ()) == len(start):
            virial = None if one.stress is None else one.stress * frame.get_volume()
            set_labels(frame, one.energy, np.array(one.forces), virial)
    return frame


def read_cp2k_scf(path: Path) -> Atoms:
    """The structure that a log prints at its start.

    Its cell has three digits there; ``cp2k.inp`` beside it says it better.

    Raises
    ------
    InputError
        The log holds no structure.
    """
    return _start(read_log(path))


def read_cp2k_md(path: Path) -> Atoms:
    """The last structure of a trajectory whose log is `path`.

    Raises
    ------
    InputError
        There is none.
    """
    numbers, placed = _md_structures(path)
    return placed(numbers[-1])


def iterate_cp2k_md(path: Path) -> Iterator[Atoms]:
    """All structures of a trajectory whose log is `path`. Raises as `read_cp2k_md`."""
    numbers, placed = _md_structures(path)
    yield from map(placed, numbers)


def _md_structures(path: Path) -> tuple[list[int], Callable[[int], Atoms]]:
    """Numbers of the complete steps, and what gives the structure of each."""
    log = read_log(path)
    start = _start(log)
    _demand_cells(log, path.parent)
    positions, cells = _steps(path.parent, POSITIONS), _cells(path.parent, start)
    length = length_unit(positions, log, path.parent)
    numbers = [number for number in positions if not cells or number in cells]
    if not numbers:
        raise InputError("no step beside it is complete", path)

    def placed(number: int) -> Atoms:
        return _placed(positions[number], start, cells.get(number), path.parent, length)

    return sorted(numbers), placed


def labelled_md(log: Log, left_out: Optional[list[int]] = None) -> list[Atoms]:
    """The labelled frames of an MD, from its log and the files beside that; see `md_frames`.

    Raises
    ------
    InputError
        The log holds no structure.
    NotConvergedError, TaskError
        As `md_frames`.
    """
    return md_frames(log, log.path.parent, _start(log), left_out)


def labelled_scf(log: Log) -> Atoms:
    """The frame of a single point; its positions have the six decimals of the log.

    Raises
    ------
    InputError
        The log holds no structure, or several runs.
    NotConvergedError, CutOffError, TaskError
        As `Log.single_point`.
    """
    if log.runs > 1:
        raise InputError(f"holds {log.runs} runs; give each a log of its own", log.path)
    atoms = _start(log)
    found = log.single_point(len(atoms))
    virial = None if found.stress is None else found.stress * atoms.get_volume()
    set_labels(atoms, found.energy, np.array(found.forces), virial)
    return atoms


def rounded_cell(log: Log) -> bool:
    """Whether the cell is known from the log alone, which gives three decimals.

    It is not if ``cp2k.inp`` or a file of cells lies beside.
    """
    return _exact_cell(log) is None and find(log.path.parent, CELLS) is None


def _start(log: Log) -> Atoms:
    if set(log.cell) != set("abc") or not log.atoms:
        raise InputError("holds no cell and coordinates", log.path)
    exact = _exact_cell(log)
    cell = _rows(log.cell) if exact is None else exact
    symbols, places = zip(*log.atoms)
    return Atoms(list(symbols), np.array(places), cell=cell, pbc=log.pbc)


def _exact_cell(log: Log) -> Optional[np.ndarray]:
    """The cell of ``cp2k.inp`` beside the log, if it is the one that the log prints."""
    if set(log.cell) != set("abc"):
        return None
    beside = log.path.parent / "cp2k.inp"
    exact = cell_vectors(read_input(beside)) if beside.is_file() else None
    fits = exact is not None and np.abs(exact - _rows(log.cell)).max() < _PRINTED_CELL
    return exact if fits else None


def _rows(vectors: Mapping[str, Sequence[float]]) -> np.ndarray:
    return np.array([vectors[name] for name in "abc"], dtype=float).reshape(3, 3)
