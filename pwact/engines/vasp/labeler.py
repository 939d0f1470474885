"""VASP: writes POSCAR, POTCAR and INCAR, reads OUTCAR and CONTCAR."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.assignment import tell_totals
from pwact.engines.given_input import GivenInput
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.unlikely import STEP_FS, TEMPERATURE_K, unlikely_numbers
from pwact.engines.vasp import retry
from pwact.engines.vasp.incar import (
    Incar,
    check_purpose,
    order_warnings,
    read_incar,
    warnings,
    with_lists,
)
from pwact.engines.vasp.ionic import OnePass, read_once
from pwact.engines.vasp.lists import assign, charge_words, length_warnings, lists_of, species_of
from pwact.engines.vasp.potcar import families, potcars_of, valence, write_potcar
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.fingerprint import Settings
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.oszicar import last_electronic_step
from pwact.formats.poscar import read_poscar, write_poscar
from pwact.io import files
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)

POSCAR = "POSCAR"
POTCAR = "POTCAR"
INCAR = "INCAR"
OUTCAR = "OUTCAR"
OSZICAR = "OSZICAR"
CONTCAR = "CONTCAR"
LOG = "dft.log"
_KEPT = ("outcar", "poscar", "incar")
_ENDED = "General timing and accounting"
_FOOT_LINES = 60
_SAME_PLACE = 1e-3  # Å; OUTCAR has five decimals


class VaspLabeler(GivenInput):
    """Writes and reads tasks of VASP. See `pwact.engines.labelers.Labeler`.

    A relaxed structure comes without labels: when the
    steps run out, CONTCAR is one step ahead of the last forces.
    """

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    forces_on_held = True
    open_axes = False
    heading: Optional[Heading] = Heading(
        LOG,
        r"^ *running(?: on)? +\d+ (?:total cores|mpi-ranks)",
        r"^ *running(?: on)? +(\d+) (?:total cores|mpi-ranks)",
        r"^ *writing wavefunctions",
    )

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Keys of the INCAR. Raises InputError."""
        retry.values_of(changes)

    @cached_property
    def incar(self) -> Incar:
        """The settings of the user's INCAR."""
        return read_incar(self.input.path)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless INCAR and POTCARs fit the stage and the elements."""
        check_purpose(self.incar, purpose)
        chosen = self._potcars(elements)
        for warning in (*warnings(self.incar, purpose), *self._mesh_warnings()):
            self._say(warning)
        for warning in order_warnings(self.incar, elements) if self.config.bare_atoms else ():
            self._say(warning)
        if len(families(chosen)) > 1:
            names = ", ".join(sorted(families(chosen)))
            self._say(f"the POTCARs are of different functionals: {names}")

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperature of an AIMD; VASP's default of TEBEG is 0 K."""
        if purpose is not Purpose.AIMD:
            return []
        given = {"TEBEG": "0", **self.incar.values}
        ranges = {"POTIM": (STEP_FS, "fs"), "TEBEG": (TEMPERATURE_K, "K")}
        found = [(key, given.get(key, "").split(), *more) for key, more in ranges.items()]
        numbers = [(key, "".join(words[:1]), usual, unit) for key, words, usual, unit in found]
        return unlikely_numbers(self.input.path, numbers)

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with what INCAR's lists say of its atoms. Raises InputError."""
        made = assign(self.incar, atoms, times, self.input.species)
        values = self.incar.values
        tell_totals(self._said, self.input.path, {"NUPDOWN": values.get("NUPDOWN")}, atoms, times)
        if "NELECT" in values:
            chosen = self._potcars(frozenset(atoms.get_chemical_symbols()))
            electrons = sum(valence(chosen[one]) for one in atoms.get_chemical_symbols())
            if words := charge_words(self.incar, times * electrons, times * len(atoms)):
                self._say(words)
        return made

    def check_held(self, atoms: Atoms) -> str:  # noqa: ARG002
        """Held by selective dynamics, which says all that can be said of them."""
        return ""

    def _potcars(self, elements: frozenset[str]) -> dict[str, Path]:
        key = f"{self.config.key}.pseudo".lstrip(".")
        return potcars_of(self.config.pseudo, elements, self.config.file, key)

    def _mesh_warnings(self) -> list[str]:
        given, wanted = "KSPACING" in self.incar.values, self.input.kspacing
        if given and wanted is not None:
            return [f"KSPACING is there, so kspacing {wanted:g} of the JSON file has no effect"]
        if not given and wanted is None:
            return ["neither KSPACING here nor kspacing in the JSON file; VASP takes 0.5"]
        return []

    def _say(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            logger.warning("%s: %s", self.input.path, words)

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """INCAR and POTCARs by content."""
        values = {
            "engine": "vasp",
            "incar": files.tree_hash(self.input.path),
            "kspacing": None if "KSPACING" in self.incar.values else self.input.kspacing,
            "potcars": sorted(files.tree_hash(path) for path in self.config.pseudo),
            "species": list(self.input.species),
        }
        return with_changes(Settings(values, {"species": []}), self._changes)

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        purpose: Purpose,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        step: Optional[int] = None,  # noqa: ARG002
    ) -> None:
        """Write POSCAR, the POTCARs in its order, and INCAR; there is no KPOINTS file.

        INCAR is the user's, but for lists by species and atom, which follow those of the POSCAR.
        """
        made = ordered(atoms)
        if np.linalg.det(made.cell.array) < 0:
            # VASP refuses such a cell; the negative vectors span the same lattice
            made.set_cell(-made.cell.array)
        species = species_of(made)
        chosen = self._potcars(frozenset(made.get_chemical_symbols()))
        write_poscar(directory / POSCAR, made, species)
        write_potcar(directory / POTCAR, [chosen[element] for element, _ in species])
        content = self.input.path.read_bytes()
        if self.config.bare_atoms:
            for warning in length_warnings(self.incar, made, len(species)):
                self._say(warning)
        elif lists := {**lists_of(self.incar, made), **retry.values_of(self._changes)}:
            text = with_lists(content.decode("utf-8", "surrogateescape"), lists)
            content = text.encode("utf-8", "surrogateescape")
        if self.input.kspacing is not None and "KSPACING" not in self.incar.values:
            end = b"" if not content or content.endswith(b"\n") else b"\n"
            content += end + f"KSPACING = {self.input.kspacing!r}\n".encode("ascii")
        with files.replacing(directory / INCAR) as aside:
            aside.write_bytes(content)

    def command(self, purpose: Purpose) -> str:  # noqa: ARG002
        """Run VASP with its screen output in ``dft.log``."""
        return f"{self.block.command.strip()} > {LOG} 2>&1"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """OUTCAR alone decides: complete, and converged as VASP defines it."""
        path = directory / OUTCAR
        if not path.is_file():
            return incomplete(f"there is no {OUTCAR}")
        try:
            if purpose is Purpose.AIMD:
                return _check_md(path)
            _result(directory, purpose)
        except NotConvergedError as error:
            return unusable(str(error))
        except CutOffError as error:
            return incomplete(str(error))
        except (TaskError, InputError) as error:
            ended = _ENDED in files.log_tail(path, _FOOT_LINES)
            return unusable(str(error)) if ended else incomplete(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All converged ionic steps of an AIMD, the relaxed structure, or the labelled frame."""
        if purpose is not Purpose.AIMD:
            atoms, warning = _result(directory, purpose)
            if warning:
                logger.warning("%s: %s", directory, warning)
            return [atoms]
        run = read_once(directory / OUTCAR, keep=True)
        if not run.frames:
            raise _none_converged(directory, run)
        if run.lost:
            numbers = ", ".join(str(number) for number in run.lost)
            logger.warning("%s: ionic steps whose SCF did not converge: %s", directory, numbers)
        if run.outcar.learned:
            logger.warning("%s: machine-learned ionic steps are left out", directory)
        return run.frames

    def kept_files(self, name: str) -> bool:
        """Keep OUTCAR, POSCAR and INCAR; not POTCAR, whose licence is the user's."""
        return name.lower() in _KEPT


def _check_md(path: Path) -> Verdict:
    run = read_once(path, keep=False)
    if not run.complete:
        wanted = run.outcar.head.nsw if run.outcar.head else 0
        return incomplete(f"{OUTCAR} ends after {run.steps} of {wanted} ionic steps")
    if not run.good:
        return unusable(str(_none_converged(path.parent, run)))
    return DONE


def _none_converged(directory: Path, run: OnePass) -> TaskError:
    if run.lost:
        return NotConvergedError(f"{directory}: no ionic step has a converged SCF")
    if run.outcar.learned:
        return NotConvergedError(f"{directory}: all steps are machine-learned, which are no labels")
    return CutOffError(f"{directory}: {OUTCAR} holds no complete ionic step")


def _result(directory: Path, purpose: Purpose) -> tuple[Atoms, str]:
    """The structure of a relaxation or the frame of a single point, and a warning about it."""
    path = directory / OUTCAR
    run = read_once(path, keep=False)
    if not run.outcar.ended:
        raise CutOffError(f"{path}: cut off, {run.steps} complete ionic steps")
    if run.last is None or run.last.atoms is None:
        raise _none_converged(directory, run)
    head = run.outcar.head
    converged = run.last.converged if purpose is Purpose.RELAX else not run.lost
    if head is None or not (converged or _met_at_last(directory / OSZICAR, run, head.ediff)):
        raise NotConvergedError(
            f"{path}: the SCF is not converged after {run.last.iterations} electronic steps"
        )
    if purpose is Purpose.SCF:
        return _precise(directory / POSCAR, run), ""
    warning = (
        "" if run.outcar.relaxed else f"{run.steps} steps did not reach EDIFFG; taken as it is"
    )
    return _relaxed(directory / CONTCAR, head.symbols), warning


def _met_at_last(path: Path, run: OnePass, ediff: float) -> bool:
    """Whether OSZICAR says that the very last allowed step of a single point met EDIFF."""
    last = run.last
    if run.steps != 1 or last is None or last.given_up:
        return False
    step = last_electronic_step(path)
    return step is not None and step.number == last.iterations and step.within(ediff)


def _relaxed(path: Path, symbols: tuple[str, ...]) -> Atoms:
    """The structure in CONTCAR, if the file is whole."""
    try:
        whole = path.read_bytes().endswith(b"\n")
    except OSError as error:
        raise CutOffError(f"{path}: cannot be read: {error.strerror}") from error
    if not whole:
        raise CutOffError(f"{path}: the file is cut off")
    try:
        atoms = read_poscar(path)
    except InputError as error:
        raise CutOffError(str(error)) from error
    if tuple(atoms.get_chemical_symbols()) != symbols:
        raise TaskError(f"{path}: holds other atoms than {OUTCAR}")
    return atoms


def _precise(path: Path, run: OnePass) -> Atoms:
    """The frame of a single point with the positions that VASP was given, of all digits."""
    step = run.last
    if step is None or step.atoms is None:
        raise TaskError(f"{path.parent}: there is no frame")
    if run.steps != 1 or not path.is_file():
        return step.atoms
    given, found = read_poscar(path), step.atoms
    if given.get_chemical_symbols() != found.get_chemical_symbols():
        raise TaskError(f"{path}: holds other atoms than {OUTCAR}")
    shift = np.linalg.solve(given.cell.array.T, (given.positions - found.positions).T).T
    off = np.abs((shift - np.round(shift)) @ given.cell.array).max()
    if max(off, np.abs(given.cell.array - found.cell.array).max()) > _SAME_PLACE:
        raise TaskError(f"{path}: {OUTCAR} is of another structure")
    labels = labels_of(found)
    set_labels(given, labels.energy, labels.forces, labels.virial)
    return given
