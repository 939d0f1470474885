"""Finds out how a campaign stands, from its journal or from what PWact left. Nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.errors import PwactError, UsageError
from pwact.formats.al_record import MARKS, Step
from pwact.io import lease
from pwact.io.journal import Journal
from pwact.report.advice import Situation, advice_of
from pwact.report.cost import CostFacts
from pwact.report.records import IterationRow
from pwact.report.status import (
    Estimate,
    JobFacts,
    MasterFacts,
    StageFacts,
    Status,
    TaskFacts,
)
from pwact.takeover.rows import rows_of_pwact
from pwact.takeover.tree import PwactTree, tree_in
from pwact.tools.status import estimate
from pwact.tools.status.progress import expected_s, steps_of
from pwact.tools.status.story import Story
from pwact.workflow import master
from pwact.workflow.budget import spent
from pwact.workflow.conditions import begun_iterations
from pwact.workflow.final_folder import final_words
from pwact.workflow.findings import all_findings, validated
from pwact.workflow.outcome import outcome_of
from pwact.workflow.rows import early_ends, row


def status_of(work_dir: Path, now: float) -> Status:
    """How the last command of a work directory stands at the time `now` (seconds since the epoch).

    Raises
    ------
    UsageError
        Neither pwact nor PWact ever worked there.
    PwactError
        The journal is damaged.
    """
    if not work_dir.is_dir():
        raise UsageError(f"{work_dir} is not a directory")
    events = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    if any(event["event"] == master.EVENT for event in events):
        return _of_journal(work_dir, events, now)
    tree = tree_in(work_dir)
    if tree is None:
        raise UsageError(f"{work_dir}: no campaign of pwact, nor one of PWact, was begun here")
    return _of_pwact(tree)


def _of_journal(work_dir: Path, events: Sequence[Mapping[str, Any]], now: float) -> Status:
    story = Story(work_dir, events)
    stages = story.stages()
    lives = False if story.end else master.lives(story.master, work_dir)
    locked = lease.holder(work_dir / layout.STATE_DIR / layout.LOCK) is not None
    state = story.state(lives, locked)
    present = story.present(stages) if state != "finished" else None
    states = {one.name: one for one in story.states}
    found = all_findings(states)
    failures = tuple([*story.failed_tasks(), *story.failed_jobs()])
    ends = tuple(early_ends(work_dir, story.states))
    target = outcome_of(story.plan, states)
    why = str(story.end["why"]) if story.end else ""
    rows = _rows(story)
    tasks = story.tasks(present)
    jobs = JobFacts(**Counter(job.state for job in story.jobs))
    return Status(
        directory=str(work_dir),
        program="pwact",
        kind=story.command,
        state=state,
        why=why,
        master=MasterFacts(
            lives,
            story.master["host"],
            int(story.master["pid"]),
            story.master.get("job"),
            story.master.get("time"),
        ),
        stage=present.name if present else None,
        iteration=present.iteration if present else None,
        iterations=story.iterations,
        waits_for=_waits_for(state, present, jobs.open_words + _obstacles(story)),
        tasks=tasks,
        jobs=jobs,
        open_jobs=tuple(story.open_jobs()),
        stages=tuple(stages),
        eta=_eta(story, stages, present, now) if state != "finished" else Estimate(),
        failures=failures,
        findings=tuple(one.words for one in found),
        early_ends=ends,
        target=target,
        advice=tuple(
            advice_of(
                Situation(
                    *(state, why, len(failures), len(ends)),
                    [job.reason for job in story.open_jobs() if job.reason],
                    found,
                    rows,
                    target,
                    validated(story.states),
                )
            )
        ),
        steps=steps_of(work_dir, story.jobs_of(present)),
        rows=rows,
        cost=_cost(story, events, now) if story.command == "run" else None,
        force_field=final_words(work_dir),
    )


def _cost(story: Story, events: Sequence[Mapping[str, Any]], now: float) -> CostFacts:
    used, allowed = spent({one.name: one for one in story.states}, events, now), story.budget
    return CostFacts(used.labels, used.core_hours, allowed.labels, allowed.core_hours)


def _rows(story: Story) -> tuple[IterationRow, ...]:
    """The line of each iteration that was begun; none of an init_bulk."""
    stages = {one.name: one for one in story.states}
    return tuple(row(stages, number) for number in range(begun_iterations(stages)))


def _obstacles(story: Story) -> str:
    """Why its jobs have to wait, as the scheduler says."""
    counts = Counter(job.reason for job in story.open_jobs() if job.reason)
    return "".join(f"; {count} must wait: {reason}" for reason, count in counts.items())


def _waits_for(state: str, stage: Optional[StageFacts], open_jobs: str) -> str:
    if state == "finished":
        return "nothing: it is finished"
    if state == "running" and open_jobs:
        return f"its jobs: {open_jobs}"
    if state == "running":
        return f"no job: pwact itself works{f' on {stage.name}' if stage else ''}"
    if state == "unknown":
        return f"its jobs: {open_jobs}" if open_jobs else "what its process does"
    again = "the next start: give the same command again"
    return f"{again}; it takes up what is left: {open_jobs}" if open_jobs else again


def _eta(
    story: Story, stages: Sequence[StageFacts], present: Optional[StageFacts], now: float
) -> Estimate:
    left = None
    if present is not None:
        mine = story.jobs_of(present)
        kinds = {one.job.kind for one in mine}
        like = [one for one in story.jobs if one.job.kind in kinds]
        usual = expected_s(story.work_dir, mine, now)
        left = estimate.tasks_left_s(estimate.Work(story.tasks(present), mine, like, usual), now)
        if left is None:
            left = estimate.stage_left_s(stages, present, now - story.begun_at_s(present))
    return Estimate(left, estimate.campaign_left_s(stages, present, left, story.iterations))


def _of_pwact(tree: PwactTree) -> Status:
    """What a tree of PWact tells: its record, and its process if that lives on this machine."""
    done = [
        StageFacts(_name(one), one.iteration, MARKS[one.number], "done") for one in tree.steps()
    ]
    coming = Step(0, 0)
    if tree.last is not None:
        turns, number = divmod(tree.last.number + 1, len(MARKS))
        coming = Step(tree.last.iteration + turns, number)
    facts = _master_of_pwact(tree.work_dir)
    state = "running" if facts.alive else "unknown"
    waits = (
        "what PWact does; it keeps no record of its jobs"
        if facts.alive
        else ("PWact, or 'pwact run', which goes on after the last finished step")
    )
    return Status(
        directory=str(tree.work_dir),
        program="PWact",
        kind="run",
        state=state,
        why="",
        master=facts,
        stage=_name(coming),
        iteration=coming.iteration,
        iterations=None,
        waits_for=waits,
        tasks=TaskFacts(),
        jobs=JobFacts(),
        open_jobs=(),
        stages=tuple(done),
        eta=Estimate(),
        failures=(),
        rows=tuple(rows_of_pwact(tree)),
    )


def _name(step: Step) -> str:
    return f"{layout.iteration_name(step.iteration)}/{MARKS[step.number]}"


def _master_of_pwact(work_dir: Path) -> MasterFacts:
    try:
        found = master.read_pid(work_dir)
    except PwactError:
        found = None
    if found is None:
        return MasterFacts()
    alive = True if master.start_mark(found.pid) is not None else None
    return MasterFacts(alive, None, found.pid, found.job)
