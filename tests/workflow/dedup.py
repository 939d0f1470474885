"""A step of its own, as somebody adds one: of frames that are alike, one is labelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pwact import layout
from pwact.io import files
from pwact.report import selection as tables
from pwact.workflow.explored import Explored, contents_of, read_candidates
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.turn import Turn

NEAREST = 0.2  # Å: frames whose atoms moved by less are alike


@dataclass(frozen=True)
class DedupStage:
    """Keeps the first of candidates that are alike."""

    turn: Turn
    name: str
    candidates: Path
    reads = ("candidates",)

    @property
    def directory(self) -> Path:
        return layout.explore_dir(self.turn.config.work_dir, self.turn.iteration) / "toy-dedup"

    def inputs(self) -> Mapping[str, Any]:
        return {"candidates": files.tree_hash(self.candidates), "nearest": NEAREST}

    def work(self, services: Services) -> StageOutput:
        explorer, work_dir = self.turn.engines.explorer, services.work_dir
        explored = Explored(explorer, work_dir, contents_of(self.turn.explored))
        listed = read_candidates(self.candidates, work_dir)
        kept: list[Any] = []
        for one in listed:
            here = explored.frame(one).positions
            others = [explored.frame(other).positions for other in kept]
            if all(np.abs(here - there).max() > NEAREST for there in others):
                kept.append(one)
        table = self.directory / tables.CANDIDATE
        tables.write_rows(table, [(one.uncertainty, one.step, one.trajectory) for one in kept])
        entry = f"Dedup: candidates {len(listed)}, kept {len(kept)}\n"
        return StageOutput([table], report={"entry": entry, "kept": len(kept)})


class DedupStep:
    """The work of the row ``dedup``."""

    on = True

    def asked(self, turn: Turn) -> bool:
        return self.on

    def stage(self, turn: Turn) -> DedupStage:
        name = f"{layout.iteration_name(turn.iteration)}/toy-dedup"
        return DedupStage(turn, name, turn.candidates)

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        turn.table = self.stage(turn).directory / tables.CANDIDATE
