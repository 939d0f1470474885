"""What changed about a stage since it was done, in words, and how it is removed for another try."""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pwact import fingerprint
from pwact.executors.history import asked_below
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.workflow import ledger
from pwact.workflow.fate import Situation
from pwact.workflow.ledger import StageState
from pwact.workflow.stage import Stage
from pwact.workflow.tasks.prepare import relative

logger = logging.getLogger(__name__)


def situation(
    work_dir: Path,
    events: Sequence[Mapping[str, Any]],
    stage: Stage,
    inputs: Mapping[str, Any],
) -> Situation:
    """What is known of a stage, but for what the user asks for at this start."""
    state = ledger.stages(events).get(stage.name, StageState(stage.name))
    if not state.begun:
        return Situation(begun=False, done=False)
    later = events[state.begun_at + 1 :]
    again = ledger.set_aside_before(events, state)
    return Situation(
        done=state.done,
        deleted=state.done and not stage.directory.exists(),
        stale=again and _follows(events, state, inputs, stage.reads),
        changes=changes(work_dir, state, inputs),
        at_stake=state.done or asked_below(later, relative(stage.directory, work_dir)),
    )


def _follows(
    events: Sequence[Mapping[str, Any]],
    state: StageState,
    inputs: Mapping[str, Any],
    reads: Collection[str],
) -> bool:
    """Whether a stage differs because an earlier one was done again.

    Where that one was done with other inputs, the user has said what is wanted by now.
    """
    if read_otherwise(state.inputs, inputs, reads):
        return True
    differs = any(fingerprint.differences(dict(state.inputs), inputs))
    return differs and ledger.begun_otherwise_before(events, state)


def read_otherwise(old: Mapping[str, Any], new: Mapping[str, Any], reads: Collection[str]) -> bool:
    """Whether results of earlier steps differ, which are below the paths `reads` in the inputs.

    What is there on one side only counts as well: it was not known yet, or it is another sort of
    step by now, which follows from earlier results too.
    """
    paths = [path for path, _, _ in fingerprint.differences(dict(old), new)]
    return any(
        path == read or path.startswith((f"{read}.", f"{read}["))
        for path in paths
        for read in reads
    )


def changes(work_dir: Path, state: StageState, inputs: Mapping[str, Any]) -> list[str]:
    """Name every input that differs and every product that is not as the stage left it.

    A stage that is not done may have been begun before all its inputs were known.
    """
    old, new = dict(state.inputs), inputs
    if not state.done:
        both = old.keys() & new.keys()
        old, new = ({key: some[key] for key in both} for some in (old, new))
    found = list(differences(old, new))
    return found + (damage(work_dir, state.files) if state.done else [])


def differences(old: Any, new: Any) -> Iterator[str]:
    """Name every field that differs: ``settings.rcut was 5.0, is 6.0``."""
    for path, before, after in fingerprint.differences(old, new):
        if isinstance(before, list) and isinstance(after, list):
            yield f"{path} had {len(before)} entries, has {len(after)}"
        else:
            yield f"{path} was {_short(before)}, is {_short(after)}"


def _short(value: Any, longest: int = 60) -> str:
    if value is fingerprint.ABSENT:
        return "absent"
    text = json.dumps(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def damage(work_dir: Path, products: Mapping[str, str]) -> list[str]:
    """Say in words which products are missing or altered; `products` maps path → hash."""
    present = hashes(work_dir, products)
    words = []
    for name, known in products.items():
        if name not in present:
            words.append(f"its result {name} is missing")
        elif present[name] != known:
            words.append(f"its result {name} was altered")
    return words


def hashes(work_dir: Path, names: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Hashes of those files or directories that exist; paths are relative to `work_dir`."""
    return {name: files.tree_hash(work_dir / name) for name in names if (work_dir / name).exists()}


def changed_text(state: StageState, words: Sequence[str], shown: int = 3) -> str:
    """Tell the user what changed and what can be done about it."""
    more = f" and {len(words) - shown} more" if len(words) > shown else ""
    done = "done" if state.done else "begun"
    by = f" (begun by pwact {state.version})" if state.version else ""
    return (
        f"{state.name}: changed since it was {done}: {'; '.join(words[:shown])}{more}{by}. "
        f"Undo the change, or start with --redo {state.name} to do it again (what is there is kept "
        "aside, and what follows from it is done again too), or with --keep-finished to go on "
        "with what is there"
    )


def free_backup(directory: Path) -> Path:
    """``<directory>-bk-<n>``, the first that does not exist."""
    number = 1
    while (backup := directory.with_name(f"{directory.name}-bk-{number}")).exists():
        number += 1
    return backup


def places_aside(work_dir: Path, directory: Path) -> dict[str, str]:
    """Where a directory that makes room lies and where it goes, for the journal."""
    backup = free_backup(directory)
    return {"directory": relative(directory, work_dir), "to": relative(backup, work_dir)}


def move_aside(directory: Path, backup: Path) -> None:
    """Move a directory out of the way; done again, it changes nothing."""
    if directory.exists():
        directory.rename(backup)
        sync_directory(backup.parent)
        logger.warning("%s is done again; what was there is now %s", directory, backup.name)
