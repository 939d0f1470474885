"""Labels by any ASE calculator, as a program of its own so that every scheduler can run it."""

from __future__ import annotations

import inspect
import json
import logging
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.atom_properties import PROPERTIES, hand_on
from pwact.config.schema import nearest
from pwact.engines.ase import making as ase_making
from pwact.engines.ase import paths as ase_paths
from pwact.engines.ase import retry
from pwact.engines.ase.configuration import PROFILE
from pwact.engines.ase.settings import AseSettings, read_settings
from pwact.engines.assignment import hold_along_axes, taken, tell_totals
from pwact.engines.given_input import WithChanges
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import with_changes
from pwact.engines.making import without_pwact
from pwact.engines.ranks import FORGET
from pwact.engines.worker import python_module
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.fingerprint import ANY, Settings
from pwact.formats.extxyz import complete_frames, write_extxyz
from pwact.formats.frames import read_frames
from pwact.io.files import tree_hash, write_json
from pwact.verdict import DONE, Outcome, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock

logger = logging.getLogger(__name__)

SETTINGS = "ase.json"
STRUCTURE = "structure.xyz"
RESULT = "result.xyz"
STATUS = "status.json"
EARLY = "early_end"  # why an MD ended before its last step
LOG = "ase.log"

# what a label's energy is; the first one where the calculator has it
FREE = "free_energy"
ENERGY = "energy"
_BY_ATOM = ("magmom", "magmoms", "initial_magmoms", "initial_magnetic_moments")
_TOTALS = ("charge", "total_charge", "tot_charge", "nelect", "multiplicity", "uhf", "nupdown")
_EQUAL_EV_PER_ATOM = 1e-7  # closer than any fit

# calculators of separate packages under the names that people use
KNOWN = {
    "tblite": "tblite.ase:TBLite",
    "chgnet": "chgnet.model.dynamics:CHGNetCalculator",
    "sevennet": "sevenn.calculator:SevenNetCalculator",
    "mace": "pwact.engines.mace.calculator:calculator",
    "torchnep": "torchnep.ase_calculator:NEP",
}


def calculator_class(name: str) -> Any:
    """The class of a calculator.

    Raises
    ------
    ImportError, AttributeError, TypeError, ValueError
        There is no such calculator here.
    """
    from ase.calculators.calculator import get_calculator_class  # noqa: PLC0415

    place = KNOWN.get(name.lower(), name)
    if ":" not in place:
        return get_calculator_class(place.lower())
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


class AseLabeler(WithChanges):
    """Tasks of `pwact.engines.ase.worker`. See `pwact.engines.labelers.Labeler`."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'
    forces_on_held = True
    open_axes = True
    trial = ("calculator", "made", "--try")
    heading: Optional[Heading] = None  # every process of a parallel Python is the same program

    def __init__(self, config: LabelConfig, input_idx: int, block: ResourceBlock) -> None:
        self.config = config
        self.input_file = config.inputs[input_idx].path
        self.block = block
        self._energy = ENERGY if config.energy_as_given else FREE
        self._said: set[str] = set()
        self._settings: Optional[AseSettings] = None

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Arguments of the calculator. Raises InputError."""
        retry.arguments_with(changes, self.settings.calculator, self.settings.arguments)

    @property
    def settings(self) -> AseSettings:
        """The settings of the input file."""
        if self._settings is None:
            self._settings = read_settings(self.input_file)
        return self._settings

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        """Raise InputError unless the calculator exists and knows the elements."""
        self._check_paths()
        name = self.settings.calculator
        try:
            found = calculator_class(name)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, ImportError) and _is_elsewhere(self.block):
                if _is_brought(self.block):
                    text = "%s: %s cannot be checked here (%s)"
                    logger.warning(text, self.input_file, name, error)
                return  # else `pwact check` makes it in that Python
            raise InputError(_unknown(name, error), self.input_file, "calculator") from error
        known = _elements_of(found)
        missing = sorted(elements - known) if known else []
        if missing:
            message = f"{name} has no parameters for {', '.join(missing)}"
            raise InputError(message, self.input_file, "calculator")
        self._check_arguments(found)

    def _check_paths(self) -> None:
        """Raise InputError for what the calculator would read from, and is not there."""
        here = self.input_file.resolve().parent
        for place, (name, kind) in ase_paths.missing(self.settings.named, here).items():
            key = place if place.startswith(f"{PROFILE}.") else f"arguments.{place}"
            if not self.block.here and Path(name).is_absolute():
                text = "%s: %s: there is no %s %s on this machine"
                logger.warning(text, self.input_file, key, kind, name)
                continue
            message = f"found {name}, but {here / name} is no {kind}; allowed: an existing one"
            raise InputError(message, self.input_file, key)

    def unlikely(self, purpose: Purpose) -> list[InputError]:
        """Time step, temperature, friction, and the largest force of a relaxation."""
        found: list[InputError] = []
        read_settings(self.input_file, found)
        return [one for one in found if (one.key or "").startswith(f"{purpose.value}.")]

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        """The structure with its moments, charges and tags: the calculator gets all of them."""
        arguments = self.settings.arguments
        for key in _BY_ATOM:
            if isinstance(arguments.get(key), list):
                raise InputError(
                    f"found a list of {len(arguments[key])} values, in an order of atoms that "
                    "super cells and data do not keep; give the structure initial magnetic moments",
                    self.input_file,
                    f"arguments.{key}",
                )
        totals = {f"arguments.{key}": arguments[key] for key in _TOTALS if arguments.get(key)}
        tell_totals(self._said, self.input_file, totals, atoms, times)
        return taken(atoms, self.settings.calculator, PROPERTIES)

    def check_held(self, atoms: Atoms) -> str:
        """Held by ASE's constraints. See `pwact.engines.assignment.Holder`."""
        return hold_along_axes(atoms)

    def _check_arguments(self, found: Any) -> None:
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):  # some classes written in C tell nothing
            return
        try:
            signature.bind(**self.settings.arguments)
        except TypeError as error:
            message = f"{self.settings.calculator} does not take these: {error}"
            raise InputError(message, self.input_file, "arguments") from error

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        """The settings that matter for `purpose`, and the files that they name."""
        settings = self.settings.to_json()
        others = {one.value for one in (Purpose.RELAX, Purpose.AIMD)} - {purpose.value}
        others.add(PROFILE)  # how a program is started decides nothing; what it reads is hashed
        used = {key: value for key, value in settings.items() if key not in others}
        here, arguments = self.input_file.resolve().parent, self.settings.arguments
        own = {name: tree_hash(path) for name, path in ase_paths.files(arguments, here).items()}
        deep = ase_paths.files_inside(self.settings.named, here)
        nested = {name: tree_hash(path) for name, path in deep.items()}
        used["files"] = Settings({**own, **nested}, dict.fromkeys(nested, ANY))
        used["energy"] = self._energy
        return with_changes(Settings(used, {**settings.defaults, "energy": ENERGY}), self._changes)

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        purpose: Purpose,  # noqa: ARG002
        seed: int,
        step: Optional[int] = None,  # noqa: ARG002
    ) -> None:
        """Write the structure and the settings."""
        from ase import Atoms as Frame  # noqa: PLC0415

        bare = Frame(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        write_extxyz(directory / STRUCTURE, [hand_on(atoms, bare)])
        self._write_settings(directory, seed)

    def _write_settings(self, directory: Path, seed: int) -> None:
        """Write what the worker needs to make the calculator; it runs elsewhere: whole paths."""
        here = self.input_file.resolve().parent
        own = self.settings
        arguments = retry.arguments_with(self._changes, own.calculator, own.arguments)
        arguments = ase_paths.absolute(arguments, here)
        settings = {**self.settings.to_json(), "arguments": arguments, "seed": seed}
        if self.settings.profile:
            settings[PROFILE] = ase_paths.absolute(self.settings.profile, here)
        else:
            del settings[PROFILE]
        write_json(directory / SETTINGS, {**settings, "energy": self._energy})

    def write_making(self, directory: Path) -> None:
        """Write the settings; see `pwact.engines.making`."""
        self._write_settings(directory, 1)

    def making_command(self, python: str) -> str:
        """Make the calculator in one process."""
        return f"{FORGET}{python_module('pwact.engines.ase.making', python=python)}"

    def read_making(self, directory: Path, printed: str) -> None:
        """Raise InputError unless the calculator was made."""
        made = ase_making.read_made(directory)
        if made is None:
            message = "the calculator cannot be made with this command"
            raise without_pwact(self.block, printed, message)
        key, words = ase_making.error_of(made, self.settings.arguments)
        if words:
            message = f"{self.settings.calculator} cannot be made: {words}"
            where = f"in the Python of {self.block.name}.command"
            raise InputError(f"{message} ({where})", self.input_file, key)

    def command(self, purpose: Purpose) -> str:
        """Run the worker, with the Python of the resource block if it names one."""
        worker = python_module("pwact.engines.ase.worker", purpose.value, python=self.block.command)
        return f"{FORGET}{worker} > {shlex.quote(LOG)} 2>&1"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Complete when the worker's status says so and the result can be read."""
        try:
            status = json.loads((directory / STATUS).read_text())
            if not status["converged"]:
                return unusable(status["reason"])
            if tree_hash(directory / RESULT) != status["result"]:
                return incomplete(f"{RESULT} is not what the calculator left")
            self._frames(directory, purpose)
        except (OSError, ValueError, KeyError, TaskError, InputError) as error:
            return incomplete(f"no complete result ({error})")
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All frames of an AIMD, the relaxed structure, or the labelled frame."""
        cut_off = purpose is Purpose.AIMD and not (directory / STATUS).exists()
        if cut_off and (frames := complete_frames(directory / RESULT)):
            return frames
        verdict = self.check(directory, purpose)
        if not verdict.done:
            raised = TaskError if verdict.outcome is Outcome.INCOMPLETE else NotConvergedError
            raise raised(f"{directory}: {verdict.reason}")
        self._tell(directory)
        return self._frames(directory, purpose)

    def _tell(self, directory: Path) -> None:
        """Say once what the user should know about a result."""
        status = json.loads((directory / STATUS).read_text())
        shift = float(status.get("other_energy_ev_per_atom", 0.0))
        if abs(shift) > _EQUAL_EV_PER_ATOM and self._energy not in self._said:
            self._said.add(self._energy)
            if self._energy == FREE:
                words = "labels hold its free_energy, which the forces are the derivatives of"
            else:
                words = (
                    "labels hold its energy, as in all of this campaign, which an earlier version "
                    "began; the forces belong to its free_energy, which a new campaign takes"
                )
            text = "%s: %s; the other one is %.3g eV per atom away (%s)"
            logger.warning(text, self.settings.calculator, words, shift, directory)
        if early := status.get(EARLY):
            logger.warning("%s: the MD ended early, and its steps count: %s", directory, early)
        processes = int(status.get("same_work_by", 1))
        if processes > 1 and "processes" not in self._said:
            self._said.add("processes")
            logger.warning(
                "%s: started %d times, and each process did the same work unless the calculator "
                "has an MPI of its own; the first one's result counts. Without MPI give a command "
                "that starts one",
                directory,
                processes,
            )

    def kept_files(self, name: str) -> bool:
        """Keep the labelled frame, the settings and the log."""
        return name in {RESULT, SETTINGS, LOG, STATUS}

    def _frames(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        frames = read_frames(directory / RESULT, "extxyz")
        if not frames:
            raise TaskError(f"{directory / RESULT} holds no frame")
        return frames if purpose is Purpose.AIMD else frames[-1:]


def _elements_of(found: Any) -> frozenset[str]:
    """Elements a calculator class is limited to; empty when it does not say."""
    if getattr(found, "__module__", "") != "ase.calculators.emt":
        return frozenset()
    from ase.calculators.emt import parameters  # noqa: PLC0415

    return frozenset(parameters)


def _unknown(name: str, error: Exception) -> str:
    near = nearest(name, (*KNOWN, *_names_of_ase()))
    hint = f"did you mean {near}?" if near and near != name.lower() else ""
    hint = hint or f"allowed: a name of ASE such as emt, {', '.join(KNOWN)}, or module:Class"
    return f"there is no calculator {name!r} here ({error}); {hint}"


def _names_of_ase() -> list[str]:
    from ase.calculators.calculator import names  # noqa: PLC0415

    return [str(name) for name in names]


def _is_brought(block: ResourceBlock) -> bool:
    """Whether modules or a script bring the Python, which only a job has."""
    return bool(block.source_list or block.module_list)


def _is_elsewhere(block: ResourceBlock) -> bool:
    """Whether the jobs use a Python that may have other packages than this one."""
    if _is_brought(block):
        return True
    program = shutil.which(block.command.split()[-1]) if block.command.strip() else None
    return program is not None and Path(program).parent != Path(sys.executable).parent
