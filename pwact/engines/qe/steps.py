"""All steps of an AIMD of pw.x, from the outputs of all its starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact.engines.labelers import Purpose
from pwact.engines.md_steps import MdProgress
from pwact.engines.qe import task
from pwact.errors import TaskError
from pwact.formats.qe_input import PwInput
from pwact.formats.qe_output import Evaluation, Evaluations, PwLog, parts, read_log
from pwact.formats.thermo import last_number

if TYPE_CHECKING:
    from ase import Atoms


@dataclass
class AllSteps(Evaluations):
    """What the starts of an AIMD left.

    Attributes
    ----------
    start
        The structure that was put in.
    wanted
        How many evaluations were asked for.
    evaluations
        Of all starts, in order; a step that two of them began is taken from the later one.
    last
        The output of the last start.
    """

    path: Path
    start: Atoms
    wanted: int
    evaluations: list[Evaluation] = field(default_factory=list)
    last: Optional[PwLog] = None

    @property
    def end(self) -> str:
        """How it ended, for people."""
        return self.last.end if self.last else f"{self.path}: no output"


def read_steps(directory: Path) -> AllSteps:
    """Read an AIMD as far as it went.

    Raises
    ------
    TaskError
        There is no output, a table is damaged, or two starts do not follow each other.
    NotConvergedError
        pw.x ignored a card of the input.
    """
    start = task.read_start(directory / task.INPUT)
    wanted = task.steps_of(PwInput(directory / task.INPUT))
    found = AllSteps(directory / task.LOG, start, wanted)
    where = start.copy()
    for path in parts(directory, task.LOG):
        log = read_log(path, start, where)
        log.demand_cards()
        if log.evaluations:
            _follow(found, log)
        found.last = log
        where.set_cell(log.moved[0])
        where.positions = log.moved[1]
    if found.last is None:
        raise TaskError(f"{found.path}: cannot be read: no such file")
    return found


def _follow(found: AllSteps, log: PwLog) -> None:
    """Add what a start did, which must begin where the one before it stopped."""
    kept = [one for one in found.evaluations if one.whole]
    expected = len(kept) + 1
    first = next((one.step for one in log.evaluations if one.step), expected)
    if kept and (first != expected or not log.goes_on):
        raise TaskError(f"{log.path}: does not go on where the start before it stopped")
    found.evaluations = [*kept, *log.evaluations]


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    root = PwInput(directory / task.INPUT)
    if task.calculation(root) not in task.CALCULATIONS[Purpose.AIMD]:
        return None
    pattern = r"^\s*Entering Dynamics:\s*iteration\s*=\s*(\d+)"
    made = [last_number(path, pattern) or 0 for path in parts(directory, task.LOG)]
    return MdProgress(max(made, default=None), task.steps_of(root))
