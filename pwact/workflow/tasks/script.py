"""Runs scripts of the user that stand alone: without their result a stage cannot go on."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Protocol

from pwact.config.resources import ResourceBlock
from pwact.errors import QuorumError
from pwact.executors.base import Task
from pwact.verdict import Verdict
from pwact.workflow.stage import Services


class Runnable(Protocol):
    """What there is to run; see `pwact.engines.batch.BatchLabeler`."""

    kind: str
    log: str
    shell_check: str

    def command(self) -> str:
        """Shell text."""

    def check(self, directory: Path) -> Verdict:
        """Whether it is done."""


def run_script(
    services: Services, stage: str, script: Runnable, directory: Path, block: ResourceBlock
) -> None:
    """Run a script in its prepared directory, as the only task of its kind there.

    Raises
    ------
    QuorumError
        It failed, or left nothing that can be used.
    """
    check: Callable[[Path], Verdict] = script.check
    task = Task(directory, script.command(), check, script.log, script.shell_check)
    for result in services.dispatch(script.kind, directory, [task], block):
        if not result.verdict.done:
            raise QuorumError(
                f"{stage}: the script failed\n{result.explanation or result.verdict.reason}\n"
                "What next: repair the cause and give the same command again; if the script itself "
                f"is changed, with --redo {stage}"
            )
