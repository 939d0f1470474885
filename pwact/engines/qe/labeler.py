"""Quantum ESPRESSO (pw.x): relaxation, cell relaxation, AIMD and single points."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.config.schema import Usual
from pwact.engines.assignment import hold_along_axes, tell_totals
from pwact.engines.given_input import GivenInput
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.links import link_files
from pwact.engines.qe import checks, retry, task
from pwact.engines.qe.species import assign, listed, of_task, species_for
from pwact.engines.qe.steps import AllSteps, read_steps
from pwact.engines.qe.task import INPUT, LOG, NEXT_INPUT, OUT, RESULTS, SCHEMA
from pwact.engines.unlikely import TEMPERATURE_K, unlikely_numbers
from pwact.engines.worker import python_module
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.formats.qe_input import PwInput
from pwact.formats.qe_output import labelled, read_log
from pwact.formats.qe_xml import labelled_xml
from pwact.formats.upf import header
from pwact.io.files import tree_hash, write_text
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)

_STEP = Usual(0.2, 200, "1 fs is 20.67")  # ħ over Ry
_TOTALS = ("tot_charge", "tot_magnetization", "nbnd")
_KEPT = frozenset({INPUT, LOG, RESULTS})


class QeLabeler(GivenInput):
    """Writes and reads tasks of pw.x. See `pwact.engines.base.Labeler`."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ]'  # 3: nstep ended a relaxation
    forces_on_held = True
    open_axes = False
    heading: Optional[Heading] = Heading(
        LOG,
        r"^ *Program PWSCF v",
        r"^ *(?:Number of MPI processes:|Parallel version \(MPI\), running on) +(\d+)",
        r"^ *JOB DONE\.",
    )

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Keys of &ELECTRONS. Raises InputError."""
        retry.values_of(changes)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the input fits the purpose and has what each element needs."""
        root = PwInput(self.input.path)
        checks.check_input(root, purpose)
        if purpose is Purpose.AIMD and task.draws_by_the_clock(root):
            self._tell_clock(root)
        species = species_for(root, self.config.pseudo, sorted(elements))
        checks.pseudopotentials(root, species, self.config.pseudo)

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperature of an AIMD."""
        if purpose is not Purpose.AIMD:
            return []
        root = PwInput(self.input.path)
        step, temperature = root.word("CONTROL", "dt"), root.word("IONS", "tempw")
        numbers = [
            ("&CONTROL dt", step.replace("d", "e"), _STEP, "ħ/Ry"),
            ("&IONS tempw", temperature.replace("d", "e"), TEMPERATURE_K, "K"),
        ]
        return unlikely_numbers(self.input.path, numbers)

    def _tell_clock(self, root: PwInput) -> None:
        thermostat = root.text("IONS", "ion_temperature")
        if thermostat not in self._said:
            self._said.add(thermostat)
            text = (
                "%s: with ion_temperature = '%s' pw.x draws velocities by its clock: the frames of "
                "this AIMD will not be the same a second time"
            )
            logger.warning(text, root.path, thermostat)

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with species and moments of its atoms. Raises InputError."""
        root = PwInput(self.input.path)
        totals = {key: root.text("SYSTEM", key) or None for key in _TOTALS}
        tell_totals(self._said, self.input.path, totals, atoms, times)
        return assign(root, atoms)

    def check_held(self, atoms: Atoms) -> str:
        """Held by what stands behind the positions. Raises InputError."""
        return hold_along_axes(atoms)

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The input, the pseudopotentials that it names and those of the JSON file."""
        root = PwInput(self.input.path)
        files = checks.pseudopotentials(root, listed(root), self.config.pseudo)
        files = {**{path.name: path for path in self.config.pseudo}, **files}
        values = {
            "engine": "qe",
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
        """Write the input, link the pseudopotentials."""
        root = PwInput(self.input.path)
        symbols = dict.fromkeys(atoms.get_chemical_symbols())
        species = species_for(root, self.config.pseudo, list(symbols))
        files = checks.pseudopotentials(root, species, self.config.pseudo)
        valence = {one.label: header(files[one.file]).valence for one in species}
        assigned = of_task(root, atoms, species, valence)
        task.put_in(root, atoms, assigned, purpose, seed)
        task.kpoints(root, atoms.cell.array, self.input.kspacing)
        if self._changes:
            root.put("ELECTRONS", retry.values_of(self._changes))
        write_text(directory / INPUT, root.render())
        link_files(directory, files)

    def command(self, purpose: Purpose) -> str:
        """``CMD -in pw.in > dft.log``; an AIMD goes on from its last step.

        The results of a single point lie beside the log in the end, since the directory of pw.x
        holds wave functions and is deleted.
        """
        run = self.block.command.strip()
        if purpose is Purpose.AIMD:
            prepare = python_module("pwact.engines.qe.resume")
            return f"{prepare} && {run} -in {NEXT_INPUT} > {LOG}"
        line = f"rm -rf {OUT} {RESULTS} {LOG}\n{run} -in {INPUT} > {LOG}"
        return f"{line} && cp {SCHEMA} {RESULTS}" if purpose is Purpose.SCF else line

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Done when the run came to its end, converged, and can be read."""
        try:
            if purpose is Purpose.AIMD:
                return _steps_done(read_steps(directory))
            self.read_result(directory, purpose)
        except NotConvergedError as error:
            return unusable(str(error))
        except (TaskError, InputError) as error:
            return incomplete(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All complete and converged steps of an AIMD, the relaxed structure, the labelled frame.

        An AIMD that was cut off gives the steps that it has.
        """
        if purpose is Purpose.AIMD:
            return _frames(read_steps(directory))
        start = task.read_start(directory / INPUT)
        log = read_log(directory / LOG, start)
        log.demand_end()
        if purpose is Purpose.SCF:
            return [labelled_xml(directory / RESULTS, start, log.has_stress)]
        if not log.usable:
            raise TaskError(f"{log.path}: holds no complete evaluation")
        if not log.relaxed:
            logger.warning("%s: nstep ended the relaxation before it converged", log.path)
        return [labelled(log.usable[-1], start)]

    def kept_files(self, name: str) -> bool:
        """Keep input, log and results."""
        return name in _KEPT


def _steps_done(found: AllSteps) -> Verdict:
    """Whether an AIMD has all its steps; one that met a step that does not converge has no more."""
    if found.evaluations and not found.evaluations[-1].converged:
        if found.usable:
            return DONE
        raise NotConvergedError(f"{found.path}: no MD step has a converged energy")
    if len(found.evaluations) < found.wanted or not found.evaluations[-1].whole:
        return incomplete(f"{found.end} of {found.wanted}")
    return DONE


def _frames(found: AllSteps) -> list[Atoms]:
    if not found.usable:
        message = f"{found.path}: no MD step is complete and converged"
        raise NotConvergedError(message) if found.not_converged else TaskError(message)
    lost = len(found.evaluations) - len(found.usable)
    if lost and found.not_converged:
        logger.warning("%s: %d MD steps are left out: not converged", found.path, lost)
    return [labelled(one, found.start) for one in found.usable]
