"""CP2K (Quickstep): relaxation, cell relaxation, AIMD and single points by GPW, DFTB or xTB."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.assignment import hold_along_axes, tell_totals
from pwact.engines.cp2k import checks, retry
from pwact.engines.cp2k.kinds import assign, element_of
from pwact.engines.cp2k.task import COORDINATES, INPUT, LOG, put_in, write_coordinates
from pwact.engines.given_input import GivenInput
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.links import link_files
from pwact.engines.unlikely import STEP_FS, TEMPERATURE_K, unlikely_numbers
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.formats.cp2k_files import CELLS, FORCES, POSITIONS, find, read_cells, read_steps
from pwact.formats.cp2k_input import cell_vectors, read_input, write_input
from pwact.formats.cp2k_log import Log
from pwact.formats.cp2k_output import read_log
from pwact.formats.cp2k_trajectory import md_frames, relaxed_frame
from pwact.formats.labels import set_labels
from pwact.io.files import tree_hash
from pwact.io.lines import Lines
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)

_TOTALS = ("CHARGE", "MULTIPLICITY")


class Cp2kLabeler(GivenInput):
    """Writes and reads tasks of CP2K. See `pwact.engines.labelers.Labeler`."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    forces_on_held = False  # CP2K writes zeros, in its log and its files
    open_axes = False
    heading: Optional[Heading] = Heading(
        LOG,
        r"PROGRAM STARTED AT ",
        r"^ *GLOBAL\| Total number of message passing processes +(\d+)",
        r"PROGRAM ENDED AT ",
    )

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Keys below &SCF. Raises InputError."""
        retry.values_of(changes, read_input(self.input.path), self.input.path)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the input fits the purpose and has a basis for each element."""
        path = self.input.path
        root = read_input(path)
        dft = checks.check_input(root, path, purpose)
        checks.linked_files(root, path, self.config.gaussian)
        checks.check_basis(dft, root, self.config, elements)
        checks.check_kpoints(dft, path, self.config, self.input.kspacing)
        checks.tell_changes(root, path)

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperature of an AIMD, where they have the units of CP2K's defaults."""
        motion = None
        if purpose is Purpose.AIMD:
            motion = read_input(self.input.path).section("MOTION", "MD")
        if motion is None:
            return []
        step, temperature = (motion.value(name) for name in ("TIMESTEP", "TEMPERATURE"))
        numbers = [
            ("MOTION.MD.TIMESTEP", step.replace("[FS]", "").strip(), STEP_FS, "fs"),
            ("MOTION.MD.TEMPERATURE", temperature.replace("[K]", "").strip(), TEMPERATURE_K, "K"),
        ]
        return unlikely_numbers(self.input.path, numbers)

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with kinds and moments of its atoms. Raises InputError."""
        root = read_input(self.input.path)
        dft = root.section("FORCE_EVAL", "DFT")
        totals = {key: dft.value(key) for key in _TOTALS if dft and dft.keyword(key)}
        tell_totals(self._said, self.input.path, totals, atoms, times)
        return assign(root, atoms)

    def check_held(self, atoms: Atoms) -> str:
        """Held by ``&FIXED_ATOMS``, unless the input has its own. Raises InputError."""
        constraint = read_input(self.input.path).section("MOTION", "CONSTRAINT")
        if constraint is not None and constraint.sections("FIXED_ATOMS"):
            raise InputError(
                "found atoms that are held by their numbers here, and others by the structure; "
                "take them out of one of the two (fix_atoms: false frees those of the structure)",
                self.input.path,
                "&MOTION &CONSTRAINT &FIXED_ATOMS",
            )
        return hold_along_axes(atoms)

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The input, the files that it refers to, and names of basis sets and potentials."""
        gaussian = self.config.gaussian
        links = checks.linked_files(read_input(self.input.path), self.input.path, gaussian)
        names: dict[str, Any] = {}
        if gaussian is not None:
            lists = zip(gaussian.atom_list, gaussian.basis_set_list, gaussian.potential_list)
            names = {"kinds": [list(row) for row in lists], "kspacing": gaussian.kspacing}
        files = {name: tree_hash(path) for name, path in sorted(links.items())}
        values = {"input": tree_hash(self.input.path), "files": files, **names}
        return with_changes(values, self._changes)

    def write_input(
        self, directory: Path, atoms: Atoms, purpose: Purpose, seed: int, step: Optional[int] = None
    ) -> None:
        """Write input and coordinates, link what the input refers to."""
        root = read_input(self.input.path)
        links = checks.linked_files(root, self.input.path, self.config.gaussian)
        coordinates = COORDINATES if step is None else f"{step}{COORDINATES}"
        put_in(root, atoms, coordinates, self.config.gaussian, purpose, seed)
        retry.put_in(root, retry.values_of(self._changes, root, self.input.path))
        write_coordinates(directory / coordinates, atoms)
        write_input(directory / INPUT, root)
        link_files(directory, links)

    def command(self, purpose: Purpose) -> str:  # noqa: ARG002
        """``CMD cp2k.inp > dft.log``."""
        return f"{self.block.command.strip()} {INPUT} > {LOG}"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Done when the run came to its end, converged, and can be read."""
        try:
            log = read_log(directory / LOG)
            if not log.ended and "NOT converged" in log.abort:
                return unusable(f"{LOG}: {log.abort}")
            if purpose is not Purpose.SCF:  # which is judged by its convergence first
                log.demand_end()
            _frames(log, directory, purpose)
            if purpose is Purpose.AIMD:
                _demand_last_steps(log, directory)
        except NotConvergedError as error:
            return unusable(str(error))
        except (TaskError, InputError) as error:
            return incomplete(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All complete and converged steps of an AIMD, the relaxed structure, the labelled frame.

        An AIMD that was cut off gives the steps that it has.
        """
        log = read_log(directory / LOG)
        if purpose is Purpose.RELAX:
            log.demand_end()
            if log.out_of_steps:
                logger.warning("%s: MAX_ITER ended the relaxation before it converged", log.path)
        left_out: list[int] = []
        frames = _frames(log, directory, purpose, left_out)
        if left_out:
            logger.warning(
                "%s: %d of %d MD steps are left out, the first is step %d: its energy did not "
                "converge, or energy, forces or cell are missing",
                directory,
                len(left_out),
                len(left_out) + len(frames),
                left_out[0],
            )
        return frames

    def kept_files(self, name: str) -> bool:
        """Keep input, log and coordinates."""
        return name.lower() in {INPUT, LOG} or name.lower().endswith(COORDINATES)


def _frames(
    log: Log, directory: Path, purpose: Purpose, left_out: Optional[list[int]] = None
) -> list[Atoms]:
    start = read_task(directory)
    if purpose is Purpose.AIMD:
        return md_frames(log, directory, start, left_out)
    if purpose is Purpose.RELAX:
        if log.out_of_time:
            raise TaskError(f"{log.path}: WALLTIME ended the relaxation")
        return [relaxed_frame(log, directory, start)]
    found = log.single_point(len(start))
    virial = None if found.stress is None else found.stress * start.get_volume()
    set_labels(start, found.energy, np.array(found.forces), virial)
    return [start]


def read_task(directory: Path) -> Atoms:
    """The structure of a task as `Cp2kLabeler.write_input` wrote it.

    Raises
    ------
    TaskError, InputError
        It is not there any more, or damaged.
    """
    from ase import Atoms as Frame  # noqa: PLC0415

    root = read_input(directory / INPUT)
    cell, coord = cell_vectors(root), root.section("FORCE_EVAL", "SUBSYS", "COORD")
    subsys = root.section("FORCE_EVAL", "SUBSYS")
    kinds = {one.parameter: one for one in (subsys.sections("KIND") if subsys else ())}
    included = coord.keyword("@INCLUDE") if coord else None
    if cell is None or included is None:
        raise TaskError(f"{directory / INPUT}: holds no cell and coordinates of pwact")
    symbols, positions = [], []
    with Lines(directory / included.value) as lines:
        for line in lines:
            words = line.split()
            symbol = element_of(words[0], kinds.get(words[0])) if len(words) == 4 else ""
            if not symbol or (symbol != words[0] and words[0] not in kinds):
                raise lines.error("an element and 3 numbers are expected")
            symbols.append(symbol)
            positions.append(lines.numbers(words[1:]))
    return Frame(symbols, np.array(positions), cell=cell, pbc=True)


def _demand_last_steps(log: Log, directory: Path) -> None:
    """Raise TaskError unless the files of an AIMD that has ended come to the step of its log.

    How often CP2K writes each of them stands in ``&EACH`` of the input; else at every step.
    """
    printed = read_input(directory / INPUT).section("MOTION", "PRINT")
    last = max((one.step for one in log.evaluations if one.step is not None), default=0)
    wanted = [("TRAJECTORY", POSITIONS), ("FORCES", FORCES)]
    wanted += [("CELL", CELLS)] if log.cell_changes else []
    for name, pattern in wanted:
        section = printed.section(name, "EACH") if printed else None
        every = section.value("MD") if section else ""
        width = int(every) if every.isdigit() and int(every) else 1
        path = find(directory, pattern)
        steps = _numbers_in(path, pattern)
        if max(steps, default=-1) < last - last % width:
            raise TaskError(f"{path or directory / pattern} does not come to step {last}")


def _numbers_in(path: Optional[Path], pattern: str) -> list[int]:
    if path is None:
        return []
    return list(read_cells(path) if pattern == CELLS else read_steps(path))
