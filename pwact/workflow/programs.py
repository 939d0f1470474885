"""By which command, modules and flags a step ran: on record, and a change of them is reported.

It is no input: the same numbers may come from another queue or another installation. Another
version of the program may give other numbers, however, and then the journal tells which it was.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pwact.config.resources import ResourceBlock
from pwact.io.journal import Journal
from pwact.workflow.ledger import place_of
from pwact.workflow.stage import Stage

logger = logging.getLogger(__name__)

EVENT = "stage_program"
_LISTS = ("source_list", "module_list", "env_list")


def record(journal: Journal, stage: Stage) -> None:
    """Put on record by what a stage runs that begins or goes on now, and tell what changed."""
    program = _program(stage)
    if not program:
        return
    step = place_of(stage.name)[1]
    events = [one for one in journal.events() if one["event"] == EVENT]
    of_step = [one for one in events if place_of(one["name"])[1] == step]
    before = next((one for one in reversed(of_step) if one["block"] == program["block"]), None)
    if before is not None:
        for key in ("command", *_LISTS):
            if before.get(key) != program[key]:
                logger.warning(
                    "%s: %s.%s of the resource file is not that of %s: it was %s, is %s",
                    stage.name,
                    program["block"],
                    key,
                    before["name"],
                    _shown(before.get(key)),
                    _shown(program[key]),
                )
    last: Mapping[str, Any] = next(
        (one for one in reversed(of_step) if one["name"] == stage.name), {}
    )
    if {key: last.get(key) for key in program} != program:
        journal.hold(EVENT, name=stage.name, **program)


def _program(stage: Stage) -> Mapping[str, Any]:
    """What a stage runs by; empty for one that runs nothing."""
    block = getattr(getattr(stage, "stage", stage), "block", None)
    if not isinstance(block, ResourceBlock):
        return {}
    lists = {name: list(getattr(block, name)) for name in _LISTS}
    return {"block": block.name, "command": block.command, **lists}


def _shown(value: Any) -> str:
    return repr(" ".join(value) if isinstance(value, list) else value)
