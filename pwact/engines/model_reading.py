"""Reads the models that trainings begin with once, without a training: part of ``pwact check``.

Only the library knows which elements, heads and tasks a file holds, so its Python reads it:
``python -m pwact.engines.model_reading MODULE`` reads ``asked.json`` and leaves ``read.json``.
MODULE has a function ``read_begin``, which raises UnfitModelError for a model that cannot be
trained for what is asked of it; what else it raises says that there is no such model.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pwact.config.resources import ResourceBlock
from pwact.engines.making import without_pwact
from pwact.engines.worker import python_module
from pwact.errors import InputError, UnfitModelError
from pwact.io.files import write_json

ASKED = "asked.json"
READ = "read.json"
BEGIN = "begin"  # in what is asked: the model, by its path or a name that the library knows
_LONGEST = 300  # characters of an error that are shown


@dataclass(frozen=True)
class ModelReading:
    """See `pwact.engines.making.MakesCalculator`.

    Attributes
    ----------
    module
        Dotted name of the module with ``read_begin``.
    environment
        Shell text before the Python, which sets variables for it.
    models
        Key by which the user names a model → what its reading is given, with `BEGIN`.
    """

    input_file: Path
    block: ResourceBlock
    module: str
    environment: str
    models: Mapping[str, Mapping[str, Any]]
    trial = ("train: the model to begin with", "read", "--plan --try")

    def write_making(self, directory: Path) -> None:
        """Write what is asked of each model."""
        write_json(directory / ASKED, dict(self.models))

    def making_command(self, python: str) -> str:
        """Read all of them in one process."""
        return self.environment + python_module(__name__, self.module, python=python)

    def read_making(self, directory: Path, printed: str) -> None:
        """Raise InputError, with file and key, unless each model can be begun with."""
        try:
            read = json.loads((directory / READ).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            message = "the models to begin with cannot be read with this command"
            raise without_pwact(self.block, printed, message) from error
        for key, found in read.items():
            self._demand(key, found)

    def _demand(self, key: str, found: Mapping[str, str]) -> None:
        if found["lacking"]:
            message = f"its Python has no module {found['lacking']}, which trains the models"
            raise InputError(message, self.block.file, f"{self.block.name}.command")
        if found["error"]:
            raise InputError(found["error"], self.input_file, found["key"] or key)


def read_all(directory: Path, module: str) -> None:
    """Read the models, and leave word of what stands against each."""
    read = import_module(module).read_begin
    asked = json.loads((directory / ASKED).read_text(encoding="utf-8"))
    write_json(directory / READ, {key: _outcome(read, one) for key, one in asked.items()})


def _outcome(read: Any, asked: Mapping[str, Any]) -> dict[str, str]:
    made = {"error": "", "key": "", "lacking": ""}
    try:
        read(asked)
    except UnfitModelError as error:
        return {**made, "error": str(error), "key": error.key}
    except ModuleNotFoundError as error:
        return {**made, "lacking": str(error.name)}
    except Exception as error:  # noqa: BLE001 - whatever a file of anybody makes of it
        words = " ".join(str(error).split())[:_LONGEST]
        words = f"{asked[BEGIN]} cannot be read as a model: {type(error).__name__}: {words}"
        return {**made, "error": words}
    return made


if __name__ == "__main__":
    read_all(Path(), sys.argv[1])
