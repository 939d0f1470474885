"""Where jobs run, and how they are watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pwact.registry.schedulers import EXECUTORS

if TYPE_CHECKING:
    from pwact.config.resources import ResourceBlock
    from pwact.executors.base import Executor


def executor_for(block: ResourceBlock) -> Executor:
    """Make the executor that a resource block asks for."""
    made: Executor = EXECUTORS[block.scheduler].load().from_block(block)
    return made


def check_block(block: ResourceBlock) -> None:
    """Refuse what the scheduler of a resource block has no words for.

    Raises
    ------
    InputError
        With the key of the block.
    """
    executor_for(block).dialect.options("scf0-0123456789ab", block)
