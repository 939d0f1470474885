"""A loop with a target whose verdicts a file dictates: selection and labels that say what it says.

``aim.json`` in the work directory has a line for each iteration: share that is accepted, and errors
of the control labels in eV/Å. The frames and labels themselves are those of a window.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pwact.workflow import steps
from pwact.workflow.stage import Services, Stage, StageOutput
from pwact.workflow.stages.label import LabelStep
from pwact.workflow.stages.select import SelectStep
from pwact.workflow.turn import Turn

AIM = "aim.json"
TARGET = 0.02
GOOD, BAD = (1.0, (0.01,) * 4), (0.5, (0.01, 0.05))  # for this target
WORKS = {"select": "AimedSelectStep", "label": "AimedLabelStep"}
STEPS = tuple(
    replace(step, work=f"tests.workflow.aimed:{WORKS[step.name]}") if step.name in WORKS else step
    for step in steps.STEPS
    if step.name in ("train", "explore", "select", "label")
)


def dictate(work_dir: Path, rounds: Sequence[tuple[float, Sequence[float]]]) -> None:
    """Say what each iteration comes to."""
    (work_dir / AIM).write_text(json.dumps(rounds))


def dictated(stage: Any) -> tuple[float, Sequence[float]]:
    """What the iteration of a stage comes to."""
    rounds = json.loads((stage.config.work_dir / AIM).read_text())
    share, errors = rounds[min(stage.iteration, len(rounds) - 1)]
    return share, errors


@dataclass(frozen=True)
class Aimed:
    """A stage that says more than the one inside."""

    inside: Any

    @property
    def name(self) -> str:
        return str(self.inside.name)

    @property
    def directory(self) -> Path:
        path: Path = self.inside.directory
        return path

    @property
    def reads(self) -> Collection[str]:
        reads: Collection[str] = self.inside.reads
        return reads

    def inputs(self) -> Mapping[str, Any]:
        inputs: Mapping[str, Any] = self.inside.inputs()
        return inputs

    def work(self, services: Services) -> StageOutput:
        made: StageOutput = self.inside.work(services)
        return replace(made, report={**made.report, **self.said(made.report)})

    def said(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError


class AimedSelectStage(Aimed):
    """Says how many frames were accepted."""

    def said(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        frames, share = report["frames"], dictated(self.inside)[0]
        aim = {"frames": frames, "accepted": round(share * frames), "sigma": 0.005, "floor": ""}
        return {"target": {**aim, "condition": self.inside.condition, "target": TARGET}}


class AimedLabelStage(Aimed):
    """Says how wrong the control labels were."""

    def said(self, report: Mapping[str, Any]) -> Mapping[str, Any]:
        place = f"iter.{self.inside.iteration:04d}/01.explore/md/md.000.sys.000/t"
        errors = dictated(self.inside)[1]
        pairs = [
            {"trajectory": place, "step": step, "error": error, "kind": "control"}
            for step, error in enumerate(errors)
        ]
        return {"pairs": pairs}


def windowed(turn: Turn) -> Turn:
    """The turn of a campaign without a target."""
    window = {"lower_model_devi_f": 0.1, "upper_model_devi_f": 5.0}
    strategy = replace(turn.config.strategy, target_force_error=None, **window)
    return replace(turn, config=replace(turn.config, strategy=strategy))


class AimedSelectStep(SelectStep):
    def stage(self, turn: Turn) -> Any:
        stage = SelectStep().stage(windowed(turn))
        return AimedSelectStage(stage)

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        del report
        turn.table = None


class AimedLabelStep(LabelStep):
    def stage(self, turn: Turn) -> Any:
        made: Stage = AimedLabelStage(LabelStep().stage(windowed(turn)))
        return made
