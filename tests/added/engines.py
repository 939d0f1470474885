"""Engines as somebody adds them: their "programs" are commands of ``tests.added.program``."""

from __future__ import annotations

from pwact.config.engine_keys import EngineKeys
from pwact.config.kinds import Whole
from pwact.config.schema import Key
from tests.workflow.toys import ToyExplorer, ToyLabeler, ToyTrainer

__all__ = ["KEYS", "ToyExplorer", "ToyLabeler", "ToyTrainer"]

KEYS = EngineKeys(("TOY",), "TOY", {"": (Key("patience", Whole(1), 3, "How long it waits."),)})
