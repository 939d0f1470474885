"""Engines as somebody adds them: their "programs" are commands of ``tests.added.program``."""

from __future__ import annotations

import json
from pathlib import Path

from pwact.config.engine_keys import EngineKeys
from pwact.config.kinds import Whole
from pwact.config.schema import Key
from pwact.engines.md_input import MdInput
from tests.workflow.toys import ToyExplorer, ToyLabeler, ToyTrainer

__all__ = ["KEYS", "ToyExplorer", "ToyLabeler", "ToyTrainer", "asked"]

KEYS = EngineKeys(("TOY",), "TOY", {"": (Key("patience", Whole(1), 3, "How long it waits."),)})


def asked(directory: Path) -> MdInput:
    """What the MD of the explorer asks for."""
    return MdInput(json.loads((directory / "md.json").read_text(encoding="utf-8"))["temp"])
