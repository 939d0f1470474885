"""Where jobs run, and how they are watched."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Optional

from pwact.errors import InputError

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.executors.base import Executor

EXECUTORS: dict[str, Optional[str]] = {  # None: not available yet
    "local": "pwact.executors.local:LocalExecutor",
    "slurm": "pwact.executors.slurm:SlurmExecutor",
}


def executor_for(block: ResourceBlock) -> Executor:
    """Make the executor that a resource block asks for.

    Raises
    ------
    InputError
        When there is none for its scheduler (yet).
    """
    place = EXECUTORS.get(block.scheduler)
    if place is None:
        known = ", ".join(name for name, known in EXECUTORS.items() if known)
        raise InputError(
            f"the scheduler {block.scheduler!r} is not available yet; use one of: {known}",
            file=block.file,
            key=f"{block.name}.scheduler",
        )
    module, _, name = place.partition(":")
    made: Executor = getattr(importlib.import_module(module), name).from_block(block)
    return made
