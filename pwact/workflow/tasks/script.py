"""Runs scripts of the user that stand alone: without their result a stage cannot go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Protocol

from pwact.config.resources import ResourceBlock
from pwact.errors import QuorumError, StageChangedError
from pwact.executors.base import Task
from pwact.verdict import Verdict
from pwact.workflow.changes import free_backup
from pwact.workflow.stage import Services
from pwact.workflow.tasks.untouched import Untouched

_GIVEN = ".given.json"  # hidden: it is not for the user's collection


class Runnable(Protocol):
    """What there is to run; see `pwact.engines.batch.BatchLabeler`.

    Attributes
    ----------
    given
        Names of the files with frames that it is given.
    """

    kind: str
    given: Sequence[str]
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
    StageChangedError
        What it was given was altered: by hand, or by the script.
    """
    given = Untouched(directory / _GIVEN)
    given.note_files(directory, script.given)
    _demand_untouched(given, directory, stage)
    check: Callable[[Path], Verdict] = script.check
    task = Task(directory, script.command(), check, script.log, script.shell_check)
    for result in services.dispatch(script.kind, directory, [task], block):
        if not result.verdict.done:
            raise QuorumError(
                f"{stage}: the script failed\n{result.explanation or result.verdict.reason}\n"
                "What next: repair the cause and give the same command again; if the script itself "
                f"is changed, with --redo {stage}"
            )
    _demand_untouched(given, directory, stage)  # its job may have waited for long


def _demand_untouched(given: Untouched, directory: Path, stage: str) -> None:
    path = given.altered(directory)
    if path is not None:
        aside = free_backup(directory)
        directory.rename(aside)
        raise StageChangedError(
            f"{path}: was altered since {stage} wrote it, so what the script makes of it cannot be "
            f"used; it is in {aside} now, and the next start runs the script again (which must "
            "leave alone what it is given)"
        )
