"""PWmat: plane waves, Gaussian basis sets, or the DFTB inside it.

Its control file stands in `pwact.engines.pwmat.input`, what it says of its end in `report`,
pseudopotentials and their like in `pwmat_basis`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.assignment import hold_along_axes, tell_totals
from pwact.engines.given_input import WithChanges
from pwact.engines.heading import Heading
from pwact.engines.kpoints import DEFAULT_KSPACING, mesh
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.links import link_files
from pwact.engines.pwmat import report, retry
from pwact.engines.pwmat.atoms import assign, hubbard_lines
from pwact.engines.pwmat.basis import Basis, basis_of
from pwact.engines.pwmat.input import EtotInput, read_etot_input, render, replaced
from pwact.engines.unlikely import STEP_FS, TEMPERATURE_K, unlikely_numbers
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.fingerprint import extended
from pwact.formats.atom_config import read_atom_config, read_final_config, write_atom_config
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of
from pwact.formats.movement import complete_frames, iterate_movement
from pwact.io.files import tree_hash, write_text
from pwact.verdict import DONE, Outcome, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock

logger = logging.getLogger(__name__)

CONTROL = "etot.input"
STRUCTURE = "atom.config"
MOVEMENT = "MOVEMENT"
SINGLE_POINT = "OUT.MLMD"
RELAXED = "final.config"
LOG = "dft.log"

JOBS = {Purpose.RELAX: "RELAX", Purpose.AIMD: "MD", Purpose.SCF: "SCF"}
MOVED = 1e-3  # Å: an atom of a single point that is farther from its place belongs to another frame
# outputs of an earlier try, which must not be taken for those of this one or be appended to
_OUTPUTS = (report.REPORT, MOVEMENT, SINGLE_POINT, RELAXED, report.RELAXSTEPS)


class PwmatLabeler(WithChanges):
    """Writes and reads tasks of PWmat. See `pwact.engines.labelers.Labeler`."""

    structure_format = "pwmat/config"
    structure_postfix = ".config"
    log = LOG
    heading: Optional[Heading] = None  # what PWmat prints at its start is not known here
    shell_check = f"tail -n 1 {report.REPORT} 2>/dev/null | grep -q time"
    forces_on_held = True
    open_axes = False

    def __init__(self, config: LabelConfig, input_idx: int, block: ResourceBlock) -> None:
        self.config = config
        self.given = config.inputs[input_idx]
        self.block = block
        self._said: set[str] = set()

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """How the SCF is solved. Raises InputError."""
        retry.values_of(changes, self.control)

    @cached_property
    def control(self) -> EtotInput:
        """The user's control file."""
        return read_etot_input(self.given.path)

    @cached_property
    def basis(self) -> Basis:
        """What stands for the elements."""
        return basis_of(self.config, self.control)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the control file fits `purpose` and the elements are known."""
        control = self.control
        control.check_nodes()
        job, expected = control.values.get("JOB", ""), JOBS[purpose]
        if job.upper() != expected:
            found = f"found {job}" if job else "this key is missing"
            raise control.error("JOB", f"{found}; expected {expected} for {purpose.value}")
        if "MP_N123" in control.values and self.given.kspacing is not None:
            message = f"is given, and so is kspacing in {self.config.file}; expected one of them"
            raise control.error("MP_N123", message)
        control.whole("FLAG_SYMM")
        if purpose is Purpose.SCF and not control.flag(SINGLE_POINT, True):
            raise control.error(SINGLE_POINT, "found F; forces are read from it, expected T")
        self.basis.check(elements)

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperatures of an AIMD, which stand behind its kind and its steps."""
        if purpose is not Purpose.AIMD:
            return []
        ranges = ((STEP_FS, "fs"), (TEMPERATURE_K, "K"), (TEMPERATURE_K, "K"))
        words = self.control.words("MD_DETAIL")[2:5]
        numbers = (("MD_DETAIL", word, *usual) for word, usual in zip(words, ranges))
        return unlikely_numbers(self.control.path, numbers)

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with its moments, and the U of its elements. Raises InputError."""
        totals = {"NUM_ELECTRON": self.control.values.get("NUM_ELECTRON")}
        tell_totals(self._said, self.given.path, totals, atoms, times)
        return assign(self.control, atoms)

    def check_held(self, atoms: Atoms) -> str:
        """Held by move flags. See `pwact.engines.assignment.Holder`."""
        return hold_along_axes(atoms)

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The control file, what generates the k-points, and the files behind the elements."""
        made = extended(self.basis.fingerprint(), control=tree_hash(self.given.path))
        if "MP_N123" not in self.control.values:
            made["kspacing"] = self.given.kspacing or DEFAULT_KSPACING
            made["flag_symm"] = self._symmetry()
        return with_changes(made, self._changes)

    def _symmetry(self) -> int:
        own = self.control.whole("FLAG_SYMM")
        return own if own is not None else self.given.flag_symm or 0

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        purpose: Purpose,
        seed: int,  # noqa: ARG002
        step: Optional[int] = None,
    ) -> None:
        """Write structure and control file, and link what stands for the elements."""
        frame = ordered(atoms)
        elements = list(dict.fromkeys(frame.get_chemical_symbols()))
        name = STRUCTURE if step is None else f"{step}{STRUCTURE}"
        files = [f"IN.ATOM = {name}", *self.basis.lines(elements)]
        hubbard = None if self.config.bare_atoms else hubbard_lines(self.control, elements)
        defaults = [("OUT.MLMD", "T")] if purpose is Purpose.SCF else []
        defaults += [(key, "F") for key in ("OUT.WG", "OUT.RHO", "OUT.VR")]
        numbers = mesh(frame.cell.array, self.given.kspacing or DEFAULT_KSPACING)
        points = " ".join(str(number) for number in (*numbers, 0, 0, 0, self._symmetry()))
        defaults.append(("MP_N123", points))
        link_files(directory, self.basis.links(elements))
        write_atom_config(directory / name, frame)
        changed = replaced(self.control, retry.values_of(self._changes, self.control))
        text = render(changed, [*files, *(hubbard or ())], defaults, hubbard is not None)
        write_text(directory / CONTROL, text)

    def command(self, purpose: Purpose) -> str:  # noqa: ARG002
        """Remove what an earlier try has left, and run PWmat, which takes no argument."""
        return f"rm -f {' '.join(_OUTPUTS)}\n{self.block.command} > {LOG} 2>&1"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Complete when REPORT has ended; the SCF of a single point must be converged as well."""
        if not report.ended(directory):
            return incomplete(f"the last line of {report.REPORT} tells no time: PWmat did not end")
        try:
            if purpose is Purpose.SCF:
                reason = report.not_converged(directory)
                if reason:
                    return unusable(reason)
            for _ in self._read(directory, purpose):
                pass
        except (TaskError, InputError) as error:
            return incomplete(f"no complete result ({error})")
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All ionic steps of an AIMD, the relaxed structure, or the labelled frame.

        Of an AIMD that was cut off the complete steps are read.
        """
        if purpose is not Purpose.AIMD:
            verdict = self.check(directory, purpose)
            if not verdict.done:
                raised = TaskError if verdict.outcome is Outcome.INCOMPLETE else NotConvergedError
                raise raised(f"{directory}: {verdict.reason}")
        frames = [ordered(frame) for frame in self._read(directory, purpose, cut_off=True)]
        if purpose is Purpose.RELAX:
            self._warn_about_forces(directory)
        elif purpose is Purpose.AIMD:
            self._warn_about_steps(directory, len(frames))
        else:
            _warn_about_zeros(frames[-1], directory)
        return frames

    def kept_files(self, name: str) -> bool:
        """Keep what the frame was read from."""
        known = {report.REPORT, CONTROL, SINGLE_POINT, MOVEMENT}
        return name.lower() in {one.lower() for one in known} or STRUCTURE in name.lower()

    def _read(self, directory: Path, purpose: Purpose, cut_off: bool = False) -> Iterator[Atoms]:
        """The frames of a result, which must be those of the task."""
        asked = _asked(directory)
        if purpose is Purpose.RELAX:
            yield _same_atoms(read_final_config(directory / RELAXED), asked, directory / RELAXED)
        elif purpose is Purpose.AIMD:
            path = directory / MOVEMENT
            for frame in (complete_frames if cut_off else _all_frames)(path):
                yield _same_atoms(frame, asked, path)
        else:
            path = directory / SINGLE_POINT
            path = path if path.exists() else directory / MOVEMENT
            *_, frame = _all_frames(path)
            _same_places(_same_atoms(frame, asked, path), asked, path)
            yield frame

    def _warn_about_steps(self, directory: Path, found: int) -> None:
        """Tell of an MD that has ended and left fewer frames than steps were asked for.

        It may be as the user wants it: which steps PWmat writes is not known here.
        """
        steps = self.control.words("MD_DETAIL")[1:2]
        if report.ended(directory) and any(one.isdigit() and int(one) > found + 1 for one in steps):
            message = "%s: holds %d frames, but MD_DETAIL asks for %s steps"
            logger.warning(message, directory / MOVEMENT, found, steps[0])

    def _warn_about_forces(self, directory: Path) -> None:
        """Tell of a relaxation that ended before its forces were as small as asked for."""
        words, last = self.control.words("RELAX_DETAIL"), report.last_relax_step(directory)
        try:
            limit = float(words[2])
        except (IndexError, ValueError):
            return
        if last is not None and not last.force <= limit:
            logger.warning(
                "%s: the relaxation ended after %d steps with a force of %g eV/Å, above the %g of "
                "RELAX_DETAIL; the structure is taken as it is",
                directory,
                last.step,
                last.force,
                limit,
            )


class PwmatDftbLabeler(PwmatLabeler):
    """PWmat that insists on its DFTB."""

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """As PWmat's, and USE_DFTB must be T."""
        if not self.control.flag("USE_DFTB", False):
            found = "found F" if "USE_DFTB" in self.control.values else "this key is missing"
            raise self.control.error("USE_DFTB", f"{found}; dft_style dftb expects T")
        super().validate(purpose, elements)


def _asked(directory: Path) -> Atoms:
    """The structure of a task."""
    found = sorted(path for path in directory.iterdir() if path.name.endswith(STRUCTURE))
    if len(found) != 1:
        raise TaskError(f"{directory}: expected one {STRUCTURE}, found {len(found)}")
    return read_atom_config(found[0])


def _all_frames(path: Path) -> Iterator[Atoms]:
    """The frames of a file that must be whole."""
    frames = iterate_movement(path)
    first = next(frames, None)
    if first is None:
        raise TaskError(f"{path} holds no frame")
    yield first
    yield from frames


def _same_atoms(frame: Atoms, asked: Atoms, path: Path) -> Atoms:
    if not np.array_equal(frame.numbers, asked.numbers):
        found, expected = frame.get_chemical_formula(), asked.get_chemical_formula()
        raise TaskError(f"{path}: its atoms ({found}) are not those of the task ({expected})")
    return frame


def _same_places(frame: Atoms, asked: Atoms, path: Path) -> None:
    """Raise TaskError unless a single point is that of the task's structure."""
    fractions = asked.cell.scaled_positions(frame.positions - asked.positions)
    apart = asked.cell.cartesian_positions(fractions - np.round(fractions))
    if np.abs(apart).max() > MOVED or np.abs(frame.cell.array - asked.cell.array).max() > MOVED:
        raise TaskError(f"{path} holds another structure than the task's")


def _warn_about_zeros(frame: Atoms, directory: Path) -> None:
    if len(frame) > 1 and not labels_of(frame).forces.any():
        logger.warning("%s: all forces are exactly zero; did PWmat compute them?", directory)
