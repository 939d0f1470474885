"""Makes an ASE calculator once, without a calculation, and says in words why it cannot be made.

``python -m pwact.engines.ase.making`` reads ``ase.json`` and leaves ``made.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.engines.ase.configuration import configure
from pwact.io.files import write_json

SETTINGS = "ase.json"
MADE = "made.json"
_LONGEST = 300  # characters of an error that are shown


def make(directory: Path) -> None:
    """Make the calculator, and leave word of how it went."""
    from pwact.engines.ase.labeler import calculator_class  # noqa: PLC0415

    settings = json.loads((directory / SETTINGS).read_text(encoding="utf-8"))
    at = "calculator"
    try:
        known = calculator_class(settings["calculator"])
        at = "arguments"
        configure(settings)
        known(**settings["arguments"])
    except Exception as error:  # noqa: BLE001
        # a calculator may raise anything
        lacking = isinstance(error, ModuleNotFoundError)
        words = f"{type(error).__name__}: {error}"
        made = {"error": words, "at": "calculator" if lacking else at}
    else:
        made = {"error": "", "at": ""}
    write_json(directory / MADE, made)


def read_made(directory: Path) -> Any:
    """What `make` left; None if it did not come so far."""
    try:
        return json.loads((directory / MADE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def error_of(made: Any, arguments: Mapping[str, Any]) -> tuple[str, str]:
    """Key and words of what stands against a calculator; empty if it was made.

    An error that names the value of an argument is about that argument.
    """
    words = " ".join(str(made["error"]).split())[:_LONGEST]
    if not words:
        return "", ""
    named = [name for name, value in arguments.items() if _tells_of(words, name, value)]
    key = made["at"]
    return (f"{key}.{named[0]}" if key == "arguments" and len(named) == 1 else key), words


def _tells_of(words: str, name: str, value: Any) -> bool:
    texts = [name, value] if isinstance(value, str) and value.strip() else [name]
    return any(re.search(rf"(?<![\w.]){re.escape(text)}(?!\w)", words) for text in texts)


if __name__ == "__main__":
    make(Path())
