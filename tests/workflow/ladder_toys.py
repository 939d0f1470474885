"""A toy labeler whose input may be changed for another try."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from pathlib import Path
from typing import Any, Optional

from ase import Atoms

from pwact.config.kinds import Whole
from pwact.engines.labelers import Purpose
from pwact.engines.ladder import allowed, with_changes
from pwact.io.files import write_json
from tests.workflow.toys import ToyLabeler, to_json


class LadderLabeler(ToyLabeler):
    """Another try may have more `steps`."""

    changes: Mapping[str, Any] = {}  # noqa: RUF012

    def changed(self, changes: Mapping[str, Any]) -> LadderLabeler:
        made = copy(self)
        made.changes = allowed(changes, {"steps": Whole(1)})
        return made

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        return with_changes(super().fingerprint(purpose), self.changes)

    def write_input(
        self, directory: Path, atoms: Atoms, purpose: Purpose, seed: int, step: Optional[int] = None
    ) -> None:
        changes = {"changes": dict(self.changes)}
        write_json(directory / "in.json", {**to_json(atoms), "seed": seed, "step": step, **changes})
