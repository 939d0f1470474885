"""A scheduler as somebody adds it: this machine, with headers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pwact.config.resources import ResourceBlock
from pwact.executors.local import LocalExecutor
from pwact.executors.slurm_text import DIALECT


def options(name: str, block: ResourceBlock) -> Sequence[tuple[str, str]]:
    return [("", f"-name {name}"), ("cpu_per_node", f"-cpus {block.cpu_per_node}")]


class OwnExecutor(LocalExecutor):
    """Runs jobs as `LocalExecutor` does."""

    dialect = replace(DIALECT, directive="#OWN", options=options)
