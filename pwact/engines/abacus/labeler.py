"""ABACUS: relaxation, cell relaxation, MD and single points, by its documented files.

STRU, and with it the frames that are read, groups the atoms by species.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.atom_properties import MOMENTS, properties_of
from pwact.engines.abacus import checks, retry, task
from pwact.engines.abacus.species import species_for, stru_beside
from pwact.engines.abacus.task import INPUT, KPT, LOG, OUT, STRU
from pwact.engines.assignment import hold_along_axes, taken, tell_totals
from pwact.engines.given_input import GivenInput
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.links import link_files
from pwact.engines.unlikely import STEP_FS, TEMPERATURE_K, unlikely_numbers
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.formats.abacus_dump import DumpedStep, read_dump
from pwact.formats.abacus_input import AbacusInput
from pwact.formats.abacus_log import AbacusLog, Evaluation, labelled, read_log
from pwact.formats.abacus_stru import read_stru
from pwact.io.files import tree_hash, write_text
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)

_TOTALS = ("nelec", "nupdown", "nbands")
_KEPT = frozenset({INPUT, STRU, KPT, LOG, "running_scf.log"})
_SAME_PLACE = 1e-4  # Å; of places in MD_dump and STRU that were converted from bohr and back


class AbacusLabeler(GivenInput):
    """Writes and reads tasks of ABACUS. See `pwact.engines.labelers.Labeler`."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    forces_on_held = True
    open_axes = False
    heading: Optional[Heading] = None  # what it prints exactly once is not known

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Keys of INPUT. Raises InputError."""
        retry.values_of(changes)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the input fits the purpose and has what each element needs."""
        root = AbacusInput(self.input.path)
        checks.check_input(root, purpose)
        species_for(root, self.config.pseudo, sorted(elements))
        given = task.has_kspacing(root) or task.kpt_beside(root) is not None
        if given and self.input.kspacing is not None:
            words = f"so kspacing {self.input.kspacing:g} of the JSON file has no effect"
            self._say(f"KPT or kspacing (1/bohr) of INPUT is there, {words}")

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperatures of an AIMD."""
        if purpose is not Purpose.AIMD:
            return []
        root = AbacusInput(self.input.path)
        ranges = {"md_dt": (STEP_FS, "fs")}
        ranges.update(dict.fromkeys(("md_tfirst", "md_tlast"), (TEMPERATURE_K, "K")))
        numbers = ((key, root.word(key), *usual) for key, usual in ranges.items())
        return unlikely_numbers(self.input.path, numbers)

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with the moments of its atoms. Raises InputError."""
        root = AbacusInput(self.input.path)
        made = taken(atoms, "ABACUS", {MOMENTS})
        moments = properties_of(made).get(MOMENTS)
        if moments is not None:
            checks.check_moments(root, collinear=moments.ndim == 1)
        totals = {key: root.text(key) or None for key in _TOTALS}
        tell_totals(self._said, self.input.path, totals, atoms, times)
        return made

    def check_held(self, atoms: Atoms) -> str:
        """Held by what stands behind the positions. Raises InputError."""
        return hold_along_axes(atoms)

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """INPUT, the user's STRU and KPT, pseudopotentials and orbitals, by content."""
        root = AbacusInput(self.input.path)
        beside = {STRU: stru_beside(root), KPT: task.kpt_beside(root)}
        files = {path.name: path for path in self.config.pseudo}
        files.update({name: path for name, path in beside.items() if path is not None})
        values = {
            "engine": "abacus",
            "input": tree_hash(self.input.path),
            "kspacing": self.input.kspacing,
            "files": {name: tree_hash(path) for name, path in sorted(files.items())},
        }
        return with_changes(values, self._changes)

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        purpose: Purpose,
        seed: int,
        step: Optional[int] = None,  # noqa: ARG002
    ) -> None:
        """Write INPUT, STRU and KPT, link pseudopotentials and orbitals."""
        root = AbacusInput(self.input.path)
        symbols = dict.fromkeys(atoms.get_chemical_symbols())
        species, files = species_for(root, self.config.pseudo, list(symbols))
        write_text(directory / STRU, task.stru_of(atoms, species, purpose))
        values = task.input_values(root, species, atoms, purpose, seed)
        values.update(retry.values_of(self._changes))
        write_text(directory / INPUT, task.input_text(root, values))
        mesh = task.kpt_text(root, atoms.cell.array, self.input.kspacing)
        if mesh is not None:
            write_text(directory / KPT, mesh)
        link_files(directory, files)

    def command(self, purpose: Purpose) -> str:
        """``CMD > dft.log`` from the beginning; of a single point the log is kept beside."""
        clean = f"rm -rf {OUT} running_scf.log"
        line = f"{clean}\n{self.block.command.strip()} > {LOG} 2>&1"
        return f"{line} && cp {OUT}/running_scf.log ." if purpose is Purpose.SCF else line

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Done when the run came to its end, converged, and can be read."""
        try:
            found = self.read_result(directory, purpose)
            if purpose is Purpose.AIMD:
                return _all_steps(directory, len(found))
        except NotConvergedError as error:
            return unusable(str(error))
        except (TaskError, InputError) as error:
            return incomplete(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All complete and converged MD steps, the relaxed structure, or the labelled frame."""
        start = _start(directory)
        if purpose is Purpose.SCF:
            log = read_log(directory / "running_scf.log", start)
            return [labelled(log.single(), start)]
        log = read_log(_log_of(directory), start)
        if purpose is Purpose.AIMD:
            return _frames(directory, log, start)
        log.demand_end()
        if not log.evaluations or not log.evaluations[-1].converged:
            raise NotConvergedError(f"{log.path}: the last SCF is not converged")
        if not log.relaxed:
            logger.warning("%s: relax_nmax ended the relaxation before it converged", log.path)
        return [_relaxed(directory, start)]

    def kept_files(self, name: str) -> bool:
        """Keep the inputs and the log."""
        return name in _KEPT

    def _say(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            logger.warning("%s: %s", self.input.path, words)


def _start(directory: Path) -> Atoms:
    try:
        return read_stru(directory / STRU)
    except (InputError, OSError) as error:
        raise TaskError(f"{directory / STRU}: holds no structure of pwact: {error}") from error


def _log_of(directory: Path) -> Path:
    return directory / OUT / task.running_log(AbacusInput(directory / INPUT))


def _relaxed(directory: Path, start: Atoms) -> Atoms:
    path = directory / OUT / "STRU_ION_D"
    try:
        found = read_stru(path)
    except (InputError, OSError) as error:
        raise CutOffError(f"{path}: {error}") from error
    if found.get_chemical_symbols() != start.get_chemical_symbols():
        raise TaskError(f"{path}: holds other atoms than {STRU}")
    return found


def _all_steps(directory: Path, usable: int) -> Verdict:
    """Whether an MD came to its last step; a step that does not converge ends nothing."""
    root = AbacusInput(directory / INPUT)
    wanted = task.evaluations_of(root)
    log = read_log(_log_of(directory), _start(directory))
    if not log.ended or len(log.evaluations) < wanted:
        count = len(log.evaluations)
        return incomplete(f"{log.path} ends after {count} of {wanted} evaluations")
    lost = sum(not one.converged for one in log.evaluations)
    if usable + lost < wanted:
        return incomplete(f"{directory / OUT / 'MD_dump'}: {usable} of {wanted - lost} steps")
    return DONE


def _frames(directory: Path, log: AbacusLog, start: Atoms) -> list[Atoms]:
    """The converged steps that both the log and the dump hold."""
    made: list[Atoms] = []
    lost = 0
    for one, dumped in zip(log.evaluations, read_dump(directory / OUT / "MD_dump")):
        _same_step(directory, one, dumped, start, first=not made and not lost)
        if not one.converged:
            lost += 1
        elif one.whole:
            made.append(_frame(one, dumped, start))
    if not made:
        message = f"{log.path}: no MD step is complete and converged"
        raise NotConvergedError(message) if lost else TaskError(message)
    if lost:
        logger.warning("%s: %d MD steps are left out: not converged", log.path, lost)
    return made


def _frame(one: Evaluation, dumped: DumpedStep, start: Atoms) -> Atoms:
    """A frame by the dump, which has more digits than the log."""
    atoms = start.copy()
    atoms.set_cell(dumped.cell)
    atoms.positions = dumped.positions
    stress = one.stress if dumped.stress is None else dumped.stress
    return labelled(Evaluation(True, one.energy, one.step, dumped.forces, stress), atoms)


def _same_step(
    directory: Path, one: Evaluation, dumped: DumpedStep, start: Atoms, first: bool
) -> None:
    path = directory / OUT / "MD_dump"
    if dumped.number != one.step:
        raise TaskError(f"{path}: MDSTEP {dumped.number} where the log has step {one.step}")
    if list(dumped.symbols) != start.get_chemical_symbols():
        raise TaskError(f"{path}: holds other atoms than {STRU}")
    away = start.cell.scaled_positions(dumped.positions - start.positions)
    if first and np.abs((away - np.round(away)) @ start.cell.array).max() > _SAME_PLACE:
        raise TaskError(f"{path}: is of another structure")
