"""Which steps a start does again: those that the user names, and what these need remade.

Trajectories are deleted when an iteration is complete. Where a step that reads them is done again,
the exploration is repeated first: the same seeds give the same frames.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.errors import StageChangedError
from pwact.workflow import ledger, steps
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import LabelReport

logger = logging.getLogger(__name__)
_EXPLORE = steps.source_of(steps.FRAMES).name


def asked_names(redo: Sequence[str], known: Iterable[str]) -> list[str]:
    """The stages that the words of ``--redo`` name."""
    return [name for name in known if any(is_named(word, name) for word in redo)]


def is_named(word: str, name: str) -> bool:
    """Whether a word is this stage or its iteration."""
    return name == word or name.startswith(f"{word}/")


def record(
    events: Sequence[Mapping[str, Any]], work_dir: Path, redo: Sequence[str], tell: bool = True
) -> Any:
    """What is to be done again, for the journal; None if there is nothing new.

    Raises
    ------
    StageChangedError
        A step needs frames that are gone and that nobody can make again.
    """
    stages = ledger.stages(events)
    names = asked_names(redo, stages)
    _demand_frames(stages, names)
    wanted = {*names, *ledger.pending(events)}
    remade = remade_by(work_dir, stages, wanted)
    for name, reader in remade.items() if tell else ():
        _tell(name, reader)
    return {"names": names, "remade": sorted(remade)} if names or remade else None


def _demand_frames(stages: Mapping[str, StageState], names: Collection[str]) -> None:
    readers = {step.name for step in steps.after(_EXPLORE)}
    for name in names:
        iteration, step = ledger.place_of(name)
        if iteration is None or step not in readers:
            continue
        place = layout.iteration_name(iteration)
        label = stages.get(f"{place}/{steps.source_of(steps.LABELS).name}")
        explore = f"{place}/{_EXPLORE}"
        gone = label is not None and LabelReport.from_json(label.report).frames_gone
        if gone and explore not in names and not stages[explore].version:  # none: taken over
            raise StageChangedError(
                f"--redo {name}: it needs trajectories of PWact, which are gone, and nobody knows "
                f"their seeds. --redo {explore} explores again: other frames, and what follows "
                "from them is done again, too"
            )


def remade_by(
    work_dir: Path, stages: Mapping[str, StageState], asked: Collection[str]
) -> dict[str, str]:
    """Explorations that must be repeated for their trajectories → what needs these.

    Parameters
    ----------
    asked
        Stages that are to be done again.
    """
    found = {}
    for name, state in stages.items():
        iteration, step = ledger.place_of(name)
        if iteration is None or step != _EXPLORE or not state.done or name in asked:
            continue
        if not is_thinned(work_dir, state):
            continue
        if reader := _reader(iteration, stages, asked):
            found[name] = reader
    return found


def _reader(
    iteration: int, stages: Mapping[str, StageState], asked: Collection[str]
) -> Optional[str]:
    """Which step of an iteration needs its trajectories, in words; None if none does."""
    later = steps.after(_EXPLORE)
    readers = [step.name for step in later if steps.FRAMES in step.needs]
    for step in readers:
        name = f"{layout.iteration_name(iteration)}/{step}"
        if name in asked or (name in stages and not stages[name].done):
            return name
    for step in (one.name for one in later if one.name not in readers):  # readers follow these
        name = f"{layout.iteration_name(iteration)}/{step}"
        if name in asked:
            return f"{layout.iteration_name(iteration)}/{readers[-1]}, which follows {name},"
    return None


def is_thinned(work_dir: Path, state: StageState) -> bool:
    """Whether files of a finished stage were deleted when its iteration was complete."""
    return not all((work_dir / path).exists() for path in state.transient)


def remake(name: str, reader: str) -> dict[str, Any]:
    """For the journal: an exploration is done again for the sake of another stage."""
    _tell(name, reader)
    return {"names": [], "remade": [name]}


def _tell(name: str, reader: str) -> None:
    text = (
        "%s is done again as well: %s needs its trajectories, which were deleted "
        "(reserve_md_traj); the same seeds give the same frames"
    )
    if not name.endswith(f"/{_EXPLORE}"):
        text = "%s is done again as well: %s needs its features, which were deleted (reserve_work)"
    logger.warning(text, name, reader)
