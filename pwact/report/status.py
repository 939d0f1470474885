"""What `pwact status` shows of a campaign: the facts, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Optional

from pwact import layout
from pwact.report.advice import Advice, advice_lines
from pwact.report.cost import CostFacts
from pwact.report.errors import error_tables, row_errors
from pwact.report.record import Record
from pwact.report.records import IterationRow
from pwact.report.table import iteration_table
from pwact.report.target import TargetFacts, status_words, verdict

SHOWN_ITERATIONS = 5
SHOWN_FAILURES = 10
SHOWN_FINDINGS = 5


@dataclass(frozen=True)
class MasterFacts(Record):
    """The process that works, or worked last, in a directory.

    Attributes
    ----------
    alive
        None where that cannot be seen: it is on another host, or nothing is known of it.
    slurm_job
        The job in which it was started, if any.
    since
        When it began, in seconds since the epoch.
    """

    alive: Optional[bool] = None
    host: Optional[str] = None
    pid: Optional[int] = None
    slurm_job: Optional[str] = None
    since: Optional[float] = None


@dataclass(frozen=True)
class StageFacts(Record):
    """A stage that was begun.

    Attributes
    ----------
    state
        ``done``, ``begun``, or ``set aside``: it will be done again.
    seconds
        What it took beyond the stages before it; None unless it is done by pwact.
    """

    name: str
    iteration: Optional[int]
    step: str
    state: str
    seconds: Optional[float] = None


@dataclass(frozen=True)
class TaskFacts(Record):
    """Tasks of the present stage; `total` is None where it is not known."""

    total: Optional[int] = None
    done: int = 0
    failed: int = 0


@dataclass(frozen=True)
class StepFacts(Record):
    """MDs that have not ended: how many, steps that they have made, and steps that they will."""

    mds: int = 0
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class JobFacts(Record):
    """How many jobs are in which state, and those that have not ended."""

    asked: int = 0
    submitted: int = 0
    running: int = 0
    ended: int = 0

    @property
    def open_words(self) -> str:
        """Those that have not ended, in words."""
        parts = (
            (self.running, "running"),
            (self.submitted, "submitted"),
            (self.asked, "asked for"),
        )
        return ", ".join(f"{count} {word}" for count, word in parts if count)


@dataclass(frozen=True)
class OpenJobFacts(Record):
    """A job that has not ended, as far as the journal knows; `directory` is absolute.

    Attributes
    ----------
    reason
        Why the scheduler lets it wait, where it waits for more than its turn; "" otherwise.
    """

    name: str
    id: str
    state: str
    scheduler: str
    directory: str
    since: Optional[float]
    reason: str = ""


@dataclass(frozen=True)
class Failure(Record):
    """A task that failed, or a job that left tasks undone.

    Attributes
    ----------
    log
        The file that tells more, absolute.
    """

    stage: str
    what: str
    why: str
    log: str


@dataclass(frozen=True)
class Estimate(Record):
    """Seconds that are left, from medians; None where there is nothing to go by."""

    stage_s: Optional[float] = None
    campaign_s: Optional[float] = None


@dataclass(frozen=True)
class Status(Record):
    """A campaign as far as its records tell.

    Attributes
    ----------
    program
        ``pwact``, or ``PWact`` for a campaign of that program.
    kind
        ``run`` or ``init_bulk``.
    state
        ``running``, ``finished``, ``stopped``, ``failed``, ``died``, or ``unknown``.
    why
        Why it stopped or failed, "" otherwise.
    stage, iteration
        What is under way, or comes next; None if there is nothing.
    iterations
        How many iterations a run has, the last training not counted; None if it is not known, and
        with a target, where it turns out.
    findings
        Why iterations selected nothing or hardly anything, a sentence each.
    early_ends
        Trajectories that died before their last step and are used up to there.
    target
        How the conditions of a run with a target stand; None without.
    steps
        How far the MDs of the present stage are that have not ended; None where there are none.
    rows
        What is known of each iteration of a run: counts of frames and labels, and errors.
    cost
        What a run of pwact has cost; None of an init_bulk.
    advice, force_field
        What is wrong, and what to do; where the force field is, and how good, None without one.
    """

    directory: str
    program: str
    kind: str
    state: str
    why: str
    master: MasterFacts
    stage: Optional[str]
    iteration: Optional[int]
    iterations: Optional[int]
    waits_for: str
    tasks: TaskFacts
    jobs: JobFacts
    open_jobs: tuple[OpenJobFacts, ...]
    stages: tuple[StageFacts, ...]
    eta: Estimate
    failures: tuple[Failure, ...]
    findings: tuple[str, ...] = ()
    early_ends: tuple[Failure, ...] = ()
    target: Optional[TargetFacts] = None
    steps: Optional[StepFacts] = None
    rows: tuple[IterationRow, ...] = ()
    cost: Optional[CostFacts] = None
    advice: tuple[Advice, ...] = ()
    force_field: Optional[str] = None


def status_text(status: Status, now: float, wide: bool = False) -> str:
    """The facts for people; `now` in seconds since the epoch.

    If `wide`, with the whole table of iterations, and all errors on new labels.
    """
    lines = [*_lines(status, now)]
    if wide and status.rows:
        lines += ["", iteration_table(status.rows, wide=True), *error_tables(status.rows)]
    return "\n".join(lines)


def _lines(status: Status, now: float) -> Iterator[str]:
    yield f"{status.program} {status.kind} in {status.directory}: {_state(status)}"
    yield f"master     {_master(status, now)}"
    yield f"stage      {_stage(status)}"
    if status.steps is not None:
        one = status.steps
        yield f"steps      {one.mds} MDs under way: {one.done} of {one.total} steps"
    if status.program == "pwact":
        jobs = status.jobs
        yield (
            f"jobs       {jobs.asked} asked for, {jobs.submitted} submitted, "
            f"{jobs.running} running, {jobs.ended} ended"
        )
    if status.cost is not None:
        yield f"cost       {status.cost.words}"
    yield f"waits for  {status.waits_for}"
    if status.state != "finished":
        yield f"time left  {_left(status.eta)}"
    if status.target is not None:
        yield f"target     {verdict(status.target)}"
        yield from (f"           {words}" for words in status_words(status.target))
    if status.force_field is not None:
        yield f"model      {status.force_field}"
    yield from _done(status.stages)
    yield from (
        f"{word:<10} {words}"
        for word, words in zip_longest(["errors"], row_errors(status.rows), fillvalue="")
        if words
    )
    yield from _failures(status.failures)
    if status.findings:
        more = f", the last {SHOWN_FINDINGS}" if len(status.findings) > SHOWN_FINDINGS else ""
        yield f"findings   {len(status.findings)}{more}:"
        yield from (f"  {words}" for words in status.findings[-SHOWN_FINDINGS:])
    if status.early_ends:
        yield from _listed("died early", status.early_ends)
    yield from advice_lines(status.advice)


def _state(status: Status) -> str:
    where = ""
    if status.iteration is not None and status.state != "finished":
        where = f", iteration {status.iteration}"
        if status.target is not None:
            where += f" (at most {status.target.longest}, then a last training)"
        if status.iterations is not None:
            where += f" (0 to {status.iterations - 1}, then a last training)"
    why = f": {status.why.splitlines()[0]}" if status.why else ""
    return f"{status.state}{where}{why}"


def _master(status: Status, now: float) -> str:
    master = status.master
    if master.pid is None:
        return "none is known"
    words = f"process {master.pid}" + (f" on {master.host}" if master.host else "")
    if master.slurm_job:
        words += f" in job {master.slurm_job}"
    if master.alive:
        since = f", for {duration(now - master.since)}" if master.since else ""
        return f"{words} lives{since}"
    if master.alive is None:
        return f"{words}: whether it lives cannot be seen from here"
    return f"{words} {'died' if status.state == 'died' else 'has ended'}"


def _stage(status: Status) -> str:
    if status.stage is None:
        return "none"
    tasks = status.tasks
    if tasks.total is None:
        return status.stage
    failed = f", {tasks.failed} failed" if tasks.failed else ""
    return f"{status.stage}: {tasks.done} of {tasks.total} tasks done{failed}"


def _left(eta: Estimate) -> str:
    if eta.stage_s is None and eta.campaign_s is None:
        return "not known yet"
    parts = [(eta.stage_s, "for this stage"), (eta.campaign_s, "in all")]
    return ", ".join(f"about {duration(left)} {what}" for left, what in parts if left is not None)


def _done(stages: Sequence[StageFacts]) -> Iterator[str]:
    """One line an iteration (or for the whole init_bulk): its steps and their times."""
    rows: dict[Optional[int], list[StageFacts]] = {}
    for stage in stages:
        rows.setdefault(stage.iteration, []).append(stage)
    shown = list(rows)[-SHOWN_ITERATIONS:]
    if len(shown) < len(rows):
        yield f"           … earlier iterations: {len(rows) - len(shown)}"
    for number in shown:
        words = ", ".join(_step(stage) for stage in rows[number])
        yield f"{_row_name(number):<10} {words}"


def _row_name(iteration: Optional[int]) -> str:
    return "stages" if iteration is None else layout.iteration_name(iteration)


def _step(stage: StageFacts) -> str:
    if stage.state != "done":
        return f"{stage.step} {stage.state}"
    return stage.step if stage.seconds is None else f"{stage.step} {duration(stage.seconds)}"


def _failures(failures: Sequence[Failure]) -> Iterator[str]:
    if not failures:
        yield "failures   none"
        return
    yield from _listed("failures", failures)


def _listed(word: str, failures: Sequence[Failure]) -> Iterator[str]:
    more = f", the last {SHOWN_FAILURES}" if len(failures) > SHOWN_FAILURES else ""
    yield f"{word:<10} {len(failures)}{more}:"
    for failure in failures[-SHOWN_FAILURES:]:
        yield f"  {failure.stage}: {failure.what}: {failure.why.splitlines()[0]}"
        yield f"    log: {failure.log}"


def duration(seconds: float) -> str:
    """Seconds in words of two units at most: ``42 s``, ``3 min 5 s``, ``4 d 3 h``."""
    left = max(0, round(seconds))
    units = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, word in units:
        count, left = divmod(left, size)
        parts.append((count, word))
    first = next((n for n, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {word}" for count, word in parts[first : first + 2] if count) or "0 s"
