"""The steps of an iteration: one table, in the order in which they are done.

The loop, the order of stages, views, status, tables, retries and the takeover of PWact's campaigns
walk it. A new step is a file in `pwact.workflow.stages` and a row here; its position says what
comes before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pwact import layout
from pwact.formats.al_record import MARKS
from pwact.registry import Entry

TRAIN, EXPLORE, LABEL = MARKS

# what steps leave for later ones
MODELS = "models"
FRAMES = "frames"  # trajectories; deleted when the iteration is complete, unless they are reserved
FEATURES = "features"  # see `pwact.formats.features`; deleted likewise
SCORES = "scores"  # how uncertain each frame is
CANDIDATES = "candidates"
LABELS = "labels"


@dataclass(frozen=True)
class Step:
    """One step, a row of the table.

    Attributes
    ----------
    name
        The last word of its stage: ``iter.0000/train``.
    work
        ``module:Class`` of what makes its stages; see `pwact.workflow.turn.Work`.
    mark
        The step of PWact's record (``al.record``) that it is a part of.
    needs, leaves
        What it reads of earlier steps of its iteration, and what it gives to later ones.
    closes
        Whether the record has its line when this step is done.
    entry
        Whether its report has an ``entry`` in ``iter_result.txt``.
    by_system
        Whether it can work on one system while others still explore. An exploration with steps
        that have to see everything is not labelled while it runs.
    free
        Whether it costs nothing: it runs no program, and is done again without asking when a task
        before it comes late.
    optional
        Whether an iteration that was labelled without it is complete as it is: switched on later,
        it leaves that alone; switched off, what it did there still counts.
    line
        ``module:function`` that says in lines for the log what it has found; "" where nothing does.
    found
        ``module:function`` that reads what PWact left of it; "" where PWact's cannot be taken over.
    last
        Whether it belongs to the end of a run: done once, after the models of the last iteration.
    folder
        Its directory below the iteration, if it lies in that of an earlier mark: a takeover moves
        it aside though that mark is finished.
    """

    name: str
    work: str
    mark: str
    needs: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    closes: bool = False
    entry: bool = False
    by_system: bool = True
    free: bool = False
    optional: bool = False
    line: str = ""
    found: str = ""
    last: bool = False
    folder: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """The number of its mark in PWact's record."""
        return MARKS.index(self.mark)


def table(*rows: Step) -> tuple[Step, ...]:
    """Steps in their order.

    Raises
    ------
    ValueError
        Two have one name, by which the journal knows them, or one needs what none before it leaves.
    """
    left: set[str] = set()
    for number, row in enumerate(rows):
        if row.name in {one.name for one in rows[:number]}:
            raise ValueError(f"two steps are called {row.name!r}; a name must be free")
        if missing := sorted(set(row.needs) - left):
            raise ValueError(f"step {row.name!r} needs {missing[0]}, which none before it leaves")
        left |= set(row.leaves)
    return rows


STEPS: tuple[Step, ...] = table(
    Step(
        "train",
        "pwact.workflow.stages.train:TrainStep",
        TRAIN,
        leaves=(MODELS,),
        closes=True,
        line="pwact.workflow.step_lines:trained",
        found="pwact.takeover.found:found_training",
    ),
    Step(
        layout.FINAL,
        "pwact.workflow.stages.final:FinalStep",
        TRAIN,
        needs=(MODELS,),
        by_system=False,
        last=True,
    ),
    Step(
        "appraise",
        "pwact.workflow.stages.appraise:AppraiseStep",
        EXPLORE,
        needs=(MODELS,),
        by_system=False,
        optional=True,
    ),
    Step(
        "explore",
        "pwact.workflow.stages.explore:ExploreStep",
        EXPLORE,
        needs=(MODELS,),
        leaves=(FRAMES, SCORES),
        found="pwact.takeover.found:found_exploration",
    ),
    Step(
        "kpu",
        "pwact.workflow.stages.kpu:KpuStep",
        EXPLORE,
        needs=(MODELS, FRAMES),
        leaves=(SCORES, FEATURES),
        by_system=False,
    ),
    Step(
        "select",
        "pwact.workflow.stages.select:SelectStep",
        EXPLORE,
        needs=(SCORES,),
        leaves=(CANDIDATES,),
        closes=True,
        entry=True,
        free=True,
        line="pwact.workflow.step_lines:selected",
        found="pwact.takeover.found:found_selection",
    ),
    Step(
        layout.DIRECT,
        "pwact.workflow.stages.direct:DirectStep",
        LABEL,
        needs=(FRAMES, CANDIDATES),
        leaves=(CANDIDATES,),
        entry=True,
        by_system=False,
        optional=True,
        folder=(layout.EXPLORE, layout.DIRECT),
    ),
    Step(
        "label",
        "pwact.workflow.stages.label:LabelStep",
        LABEL,
        needs=(FRAMES, CANDIDATES),
        leaves=(LABELS,),
        closes=True,
        entry=True,
        line="pwact.workflow.step_lines:labelled",
        found="pwact.takeover.found:found_labels",
    ),
)


def names() -> list[str]:
    """Names of all steps, in order; not every run has all of them."""
    return [step.name for step in STEPS]


def after(name: str) -> Sequence[Step]:
    """The steps that come after one."""
    return STEPS[names().index(name) + 1 :] if name in names() else ()


def source_of(what: str) -> Step:
    """The first step that leaves `MODELS`, `FRAMES` …."""
    return next(step for step in STEPS if what in step.leaves)


def between(first: Step, last: Step) -> Sequence[Step]:
    """From one step on, up to, but without, another one."""
    return STEPS[STEPS.index(first) : STEPS.index(last)]


def until(what: str) -> Sequence[Step]:
    """All steps up to the first that leaves `what`."""
    return STEPS[: STEPS.index(source_of(what)) + 1]


def of_the_end() -> Sequence[Step]:
    """The steps of a last iteration: those for its models, and what is done with these."""
    return [*until(MODELS), *(step for step in STEPS if step.last)]


def load(place: str) -> Any:
    """What ``module:name`` stands for, imported on use."""
    return Entry(place).load()
