"""DFTB+ (the program of that name): relaxation, AIMD and single points, by DFTB or xTB."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.assignment import tell_totals
from pwact.engines.dftbplus import input as control
from pwact.engines.dftbplus import retry, spins
from pwact.engines.dftbplus.files import Links, check_slater_koster, link_names
from pwact.engines.given_input import GivenInput
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.links import link_files
from pwact.engines.unlikely import unlikely_numbers
from pwact.errors import CutOffError, InputError, NotConvergedError, TaskError
from pwact.fixed_atoms import held, held_in_part
from pwact.formats.dftbplus_md import read_md
from pwact.formats.dftbplus_output import (
    BOHR,
    HARTREE,
    SCC_FAILED,
    Screen,
    read_details,
    read_screen,
)
from pwact.formats.dftbplus_tag import read_tags
from pwact.formats.gen import read_gen, write_gen
from pwact.formats.hsd import Node, Text, read_hsd
from pwact.formats.labels import set_labels
from pwact.io.files import tree_hash, write_text
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms


logger = logging.getLogger(__name__)

INPUT = "dftb_in.hsd"
OLD_INPUT = "without_mdoutput.hsd"
LOG = "dft.log"
TAGS = "results.tag"
DETAILS = "detailed.out"
FINAL = f"{control.PREFIX}.gen"
MD_XYZ, MD_OUT = f"{control.PREFIX}.xyz", "md.out"
OUTPUTS = (TAGS, DETAILS, FINAL, MD_XYZ, MD_OUT, "charges.bin")
_KEPT = frozenset({INPUT, control.GEOMETRY, LOG, TAGS, DETAILS})
_OPAQUE = frozenset({"geometry"})
_WANTED = ("mermin_energy", "total_energy", "forces", "stress", "cell_volume")
_TOO_CLOSE = "too close together"
_SAME_ENERGY = 1e-9  # hartree; detailed.out has ten decimals
_SAME_VOLUME = 1e-6  # relative; geo_end.gen has eleven digits


class DftbPlusLabeler(GivenInput):
    """Writes and reads tasks of DFTB+. See `pwact.engines.labelers.Labeler`.

    The energy is the Mermin free energy, to which the forces belong. Frames of an MD have no
    virial, since the stress of an MD holds the kinetic part.
    """

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    forces_on_held = True
    open_axes = False
    heading: Optional[Heading] = Heading(
        LOG, r"^\| +DFTB\+ release ", r"^MPI processes: +(\d+)", r"^DFTB\+ running times"
    )

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Mixing of charges. Raises InputError."""
        retry.lines_of(changes, self._read()[0])

    def _read(self) -> tuple[Node, Text, Links]:
        """The user's input, with names of links in place of relative names."""
        root, text = read_hsd(self.input.path, _OPAQUE)
        return root, text, link_names(root, self.input.path.parent)

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the input fits the stage and the elements."""
        path = self.input.path
        root, _, _ = self._read()
        control.check_driver(root, path, purpose)
        control.check_options(root, path)
        control.parser_version(root, path)
        control.check_hamiltonian(root, path, elements, self.input.kspacing)
        if root.at("Hamiltonian", "DFTB") is not None:
            check_slater_koster(root, path, elements)
        for warning in control.warnings(root, self.input.kspacing):
            if warning not in self._said:
                self._said.add(warning)
                logger.warning("%s: %s", path, warning)

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step and temperature of an AIMD."""
        if purpose is not Purpose.AIMD:
            return []
        root, _ = read_hsd(self.input.path, _OPAQUE)
        return unlikely_numbers(self.input.path, control.numbers_of(root))

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with the spins that its atoms begin with. Raises InputError."""
        root, _ = read_hsd(self.input.path, _OPAQUE)
        tell_totals(self._said, self.input.path, spins.totals(root), atoms, times)
        return spins.assign(root, self.input.path, atoms)

    def check_held(self, atoms: Atoms) -> str:
        """Held by ``MovedAtoms``, unless the input has its own. Raises InputError."""
        root, _, _ = self._read()
        control.check_moved(root, self.input.path)
        if held_in_part(atoms):
            raise InputError(
                "atoms are held along some directions alone, which the driver of DFTB+ cannot do; "
                "hold them altogether or free them: fix_atoms of the entry"
            )
        return ""

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The input with what it includes, and the files that it names, by content."""
        _, text, links = self._read()
        content = text.render().encode("utf-8", "surrogateescape")
        values = {
            "engine": "dftb+",
            "input": hashlib.sha256(content).hexdigest(),
            "kspacing": self.input.kspacing,
            "files": {name: tree_hash(path) for name, path in sorted(links.used.items())},
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
        """Write the input and the geometry, link what the input names."""
        path = self.input.path
        root, text, links = self._read()
        control.put_in(root, frozenset(atoms.get_chemical_symbols()))
        version = control.parser_version(root, path)
        own = text.render()
        own += "" if own.endswith("\n") else "\n"
        own += "# what pwact needs\n"
        own += control.kpoints(root, atoms.cell.array, self.input.kspacing)
        own += "" if self.config.bare_atoms else spins.lines_of(root, atoms)
        own += retry.lines_of(self._changes, root)
        moved = _moved(atoms)
        task = (root, purpose, version, seed)
        write_text(directory / INPUT, own + control.appended(*task, moved=moved))
        if purpose is Purpose.AIMD:
            old = control.appended(*task, md_output=False, moved=moved)
            write_text(directory / OLD_INPUT, own + old)
        write_gen(directory / control.GEOMETRY, atoms)
        link_files(directory, links.targets)

    def command(self, purpose: Purpose) -> str:
        """``CMD > dft.log``, after the outputs of an earlier try were deleted.

        DFTB+ leaves old outputs as they are when it stops at its input. An MD is started once
        more if DFTB+ does not know ``MDOutput``: 24.1 prints the forces without it.
        """
        run = f"{self.block.command.strip()} > {LOG}"
        line = f"rm -f {' '.join(OUTPUTS)}\n{run}"
        if purpose is Purpose.AIMD:
            again = f"grep -q 'Path: .*/MDOutput' {LOG} && cp {OLD_INPUT} {INPUT} && {run}"
            line = f"{line} || {{ {again}; }}"
        return line

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Done when the run came to its end, its SCC converged, and all can be read."""
        ended = False
        try:
            screen = read_screen(directory / LOG)
            ended = screen.ended
            frames = _frames(directory, screen, purpose)
            stopped = SCC_FAILED in screen.error  # an MD that goes no further: what it has is good
            if purpose is Purpose.AIMD and not ended and not (stopped and frames):
                return incomplete(screen.end)
            good = sum(step.converged for step in screen.steps)
            if purpose is Purpose.AIMD and ended and len(frames) < good:
                return incomplete(f"{directory}: {len(frames)} of {good} MD steps are complete")
        except NotConvergedError as error:
            return unusable(str(error))
        except CutOffError as error:
            return incomplete(str(error))
        except (TaskError, InputError) as error:
            whole = ended and not _lacking(directory, purpose)
            return unusable(str(error)) if whole else incomplete(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All complete and converged steps of an AIMD, the relaxed structure, the labelled frame.

        An AIMD that was cut off gives the steps that it has.
        """
        screen = read_screen(directory / LOG)
        frames = _frames(directory, screen, purpose)
        if purpose is Purpose.RELAX and not screen.relaxed:
            logger.warning("%s: the steps ran out before the relaxation converged", directory)
        if purpose is Purpose.AIMD:
            lost = [str(step.number) for step in screen.steps if not step.converged]
            if lost:
                logger.warning("%s: SCC not converged in steps %s", directory, ", ".join(lost))
        return frames

    def kept_files(self, name: str) -> bool:
        """Keep the input, the geometry, the screen output and the results."""
        return name in _KEPT


def _moved(atoms: Atoms) -> list[int]:
    """Atoms that move, from 1 on, where some are held; else none."""
    still = set(held(atoms))
    return [number + 1 for number in range(len(atoms)) if number not in still] if still else []


def _lacking(directory: Path, purpose: Purpose) -> list[str]:
    """Outputs that are needed and not there, or not yet, as on a network."""
    needed = [TAGS, DETAILS, *([FINAL] if purpose is Purpose.RELAX else [])]
    if purpose is Purpose.AIMD:
        needed = [MD_OUT, MD_XYZ]
    paths = [directory / name for name in (*needed, control.GEOMETRY)]
    return [path.name for path in paths if not path.is_file() or not path.stat().st_size]


def _frames(directory: Path, screen: Screen, purpose: Purpose) -> list[Atoms]:
    """What a run gave.

    Raises
    ------
    NotConvergedError, CutOffError, TaskError
        It gave nothing that can be used.
    """
    failed = SCC_FAILED in screen.error or _TOO_CLOSE in screen.error
    start = read_gen(directory / control.GEOMETRY)
    if purpose is Purpose.AIMD and (screen.steps and screen.steps[0].energy is not None):
        found = read_md(directory, screen, start)
        if found.frames:
            return found.frames
        if found.lost:
            raise NotConvergedError(f"{screen.path}: no MD step has a converged SCC")
    if failed:
        raise NotConvergedError(screen.end)
    if purpose is Purpose.AIMD or not screen.ended:
        raise CutOffError(screen.end)
    return [_single(directory, start, purpose)]


def _single(directory: Path, start: Atoms, purpose: Purpose) -> Atoms:
    """The last structure with its labels; of a single point the one that was given."""
    details = read_details(directory / DETAILS)
    if details.scc is None or details.energy is None:
        raise CutOffError(f"{details.path}: cut off before the end of the SCC")
    if not details.scc:
        raise NotConvergedError(f"{details.path}: {SCC_FAILED}")
    atoms = start
    if purpose is Purpose.RELAX:
        atoms = read_gen(directory / FINAL)
        if atoms.get_chemical_symbols() != start.get_chemical_symbols():
            raise TaskError(f"{directory / FINAL}: holds other atoms than {control.GEOMETRY}")
    _label(directory / TAGS, atoms, details.energy)
    return atoms


def _label(path: Path, atoms: Atoms, energy: float) -> None:
    """Set the labels from ``results.tag``, which must belong to these atoms and this energy."""
    tags = read_tags(path, _WANTED)
    if not tags:
        raise CutOffError(f"{path}: holds no results; did the run die?")
    found = tags.get("mermin_energy", tags.get("total_energy"))
    needed = ("forces", "stress", "cell_volume") if atoms.pbc.any() else ("forces",)
    if missing := [name for name in needed if name not in tags]:
        raise CutOffError(f"{path}: {' and '.join(missing)} not there")
    if found is None or abs(float(found) - energy) > _SAME_ENERGY:
        raise TaskError(f"{path}: its free energy is not the {energy} hartree of {DETAILS}")
    if tags["forces"].shape != (len(atoms), 3):
        raise TaskError(f"{path}: holds forces of other atoms than the structure")
    virial: Optional[np.ndarray] = None
    if atoms.pbc.any():
        volume = float(tags["cell_volume"])
        if abs(volume * BOHR**3 / atoms.get_volume() - 1) > _SAME_VOLUME:
            raise TaskError(f"{path}: cell_volume is not that of the structure")
        virial = tags["stress"] * volume * HARTREE
    set_labels(atoms, float(found) * HARTREE, tags["forces"] * (HARTREE / BOHR), virial)
