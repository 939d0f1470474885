"""Labels by any ASE calculator, as a program of its own so that every scheduler can run it."""

from __future__ import annotations

import json
import shlex
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.ase_settings import AseSettings, read_settings
from pwact.engines.base import Purpose
from pwact.engines.task_inputs import python_module
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.io.extxyz import write_extxyz
from pwact.io.files import tree_hash, write_json
from pwact.io.frames import read_frames
from pwact.verdict import DONE, Outcome, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock

SETTINGS = "ase.json"
STRUCTURE = "structure.xyz"
RESULT = "result.xyz"
STATUS = "status.json"
LOG = "ase.log"

# calculators of separate packages under the names that people use
KNOWN = {
    "tblite": "tblite.ase:TBLite",
    "chgnet": "chgnet.model.dynamics:CHGNetCalculator",
    "sevennet": "sevenn.calculator:SevenNetCalculator",
}


def calculator_class(name: str) -> Any:
    """The class of a calculator.

    Raises
    ------
    ImportError, AttributeError, KeyError, ValueError
        There is no such calculator here.
    """
    from ase.calculators.calculator import get_calculator_class  # noqa: PLC0415

    place = KNOWN.get(name.lower(), name)
    if ":" not in place:
        return get_calculator_class(place.lower())
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


class AseLabeler:
    """Writes and reads tasks of `pwact.engines.ase_worker`. See `pwact.engines.base.Labeler`."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = LOG
    shell_check = '[ "$rc" -eq 0 ]'

    def __init__(self, config: LabelConfig, input_idx: int, block: ResourceBlock) -> None:
        self.config = config
        self.input_file = config.inputs[input_idx].path
        self.python = block.command
        self._settings: Optional[AseSettings] = None

    @property
    def settings(self) -> AseSettings:
        """The settings of the input file."""
        if self._settings is None:
            self._settings = read_settings(self.input_file)
        return self._settings

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:  # noqa: ARG002
        """Raise InputError unless the calculator exists and knows the elements."""
        name = self.settings.calculator
        try:
            found = calculator_class(name)
        except (ImportError, AttributeError, KeyError, ValueError) as error:
            raise InputError(
                f"there is no calculator {name!r} here ({error}); allowed: a name of ASE such as"
                f" emt, {', '.join(KNOWN)}, or module:Class",
                self.input_file,
                "calculator",
            ) from error
        missing = sorted(elements - _elements_of(found)) if _elements_of(found) else []
        if missing:
            raise InputError(
                f"{name} has no parameters for {', '.join(missing)}",
                self.input_file,
                "calculator",
            )

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        """The settings that matter for `purpose`, and the files that they name."""
        settings = self.settings.to_json()
        others = {one.value for one in (Purpose.RELAX, Purpose.AIMD)} - {purpose.value}
        used = {key: value for key, value in settings.items() if key not in others}
        files = {
            value: tree_hash(Path(value))
            for value in self.settings.arguments.values()
            if isinstance(value, str) and Path(value).is_file()
        }
        return {**used, "files": files}

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
        write_extxyz(directory / STRUCTURE, [bare])
        write_json(directory / SETTINGS, {**self.settings.to_json(), "seed": seed})

    def command(self, purpose: Purpose) -> str:
        """Run the worker, with the Python of the resource block if it names one."""
        worker = python_module("pwact.engines.ase_worker", purpose.value, python=self.python)
        return f"{worker} > {shlex.quote(LOG)} 2>&1"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Complete when the worker's status says so and the result can be read."""
        try:
            status = json.loads((directory / STATUS).read_text())
            if not status["converged"]:
                return unusable(status["reason"])
            self._frames(directory, purpose)
        except (OSError, ValueError, KeyError, TaskError, InputError) as error:
            return incomplete(f"no complete result ({error})")
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        """All frames of an AIMD, the relaxed structure, or the labelled frame."""
        verdict = self.check(directory, purpose)
        if not verdict.done:
            raised = TaskError if verdict.outcome is Outcome.INCOMPLETE else NotConvergedError
            raise raised(f"{directory}: {verdict.reason}")
        return self._frames(directory, purpose)

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
    if found.__module__ != "ase.calculators.emt":
        return frozenset()
    from ase.calculators.emt import parameters  # noqa: PLC0415

    return frozenset(parameters)
