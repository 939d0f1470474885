"""What the journal tells of the command that was given last in a work directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.executors import history
from pwact.executors.history import JobStory, job_stories
from pwact.report.status import Failure, OpenJobFacts, StageFacts, TaskFacts
from pwact.tools.status import estimate
from pwact.workflow import facts, ledger, master, opening, steps
from pwact.workflow.conditions import Plan

Events = Sequence[Mapping[str, Any]]


class Story:
    """The stages, jobs and failures of the last command.

    Attributes
    ----------
    work_dir
        Where it lies.
    command
        ``init_bulk`` or ``run``.
    master
        The event with which its last master began.
    end
        The event with which that master ended; None if it did not say so.
    states
        Its stages as the ledger knows them.
    jobs
        All its jobs.
    plan
        What its run asks for.
    budget
        What it may cost.
    iterations
        How many iterations that has; None if it is not known.
    """

    def __init__(self, work_dir: Path, events: Events) -> None:
        self.work_dir = work_dir
        self._events = events
        commands = _commands(events)
        self.command = commands[-1]
        own = [command == self.command for command in commands]
        self.states = [
            one
            for one in ledger.stages(events).values()
            if own[one.begun_at if one.begun_at >= 0 else one.position]
        ]
        self.jobs = [story for story in job_stories(events) if own[story.position]]
        self._owners = _owners(events)
        ends = [event for event in events if event["event"] in (master.EVENT, master.ENDED)]
        self.master = [event for event in ends if event["event"] == master.EVENT][-1]
        self.end = ends[-1] if ends[-1]["event"] == master.ENDED else None
        self.plan = facts.told_plan(events) if self.command == "run" else Plan(0)
        self.budget = facts.told_budget(events)
        known = self.plan.conditions > 0 and self.plan.target is None
        self.iterations: Optional[int] = self.plan.conditions if known else None

    def state(self, lives: Optional[bool], locked: bool) -> str:
        """``running``, ``finished``, ``stopped``, ``failed``, ``died`` or ``unknown``.

        Parameters
        ----------
        lives
            Whether the master does; None where that cannot be seen.
        locked
            Whether a master has not let go of the lock.
        """
        if self.end is not None:
            return str(self.end["how"])
        if lives is None:
            return "unknown"
        if lives:
            return "running"
        return "died" if locked else "stopped"

    def stages(self) -> list[StageFacts]:
        """Its stages in the order in which they were first begun."""
        seconds = estimate.own_seconds(self.states)
        found = [
            StageFacts(
                state.name,
                *ledger.place_of(state.name),
                "done" if state.done else "begun" if state.begun else "set aside",
                seconds.get(state.name),
            )
            for state in self.states
        ]
        return sorted(found, key=_turn)

    def present(self, stages: Sequence[StageFacts]) -> Optional[StageFacts]:
        """What is under way: of several stages the first, for others follow it."""
        for word in ("begun", "set aside"):
            for stage in stages:
                if stage.state == word:
                    return stage
        return None

    def jobs_of(self, stage: Optional[StageFacts]) -> list[JobStory]:
        """The jobs of a stage since it was begun."""
        if stage is None:
            return []
        first = self._begun_at(stage)
        return [
            story
            for story in self.jobs
            if story.position > first and self._owners[story.position] == stage.name
        ]

    def stage_of(self, job: JobStory) -> str:
        """The name of the stage that asked for a job; "" where that is not known."""
        return self._owners.get(job.position, "")

    def _begun_at(self, stage: StageFacts) -> int:
        return next(state.begun_at for state in self.states if state.name == stage.name)

    def begun_at_s(self, stage: StageFacts) -> float:
        """When a stage was begun, in seconds since the epoch."""
        return next(state.started_at for state in self.states if state.name == stage.name)

    def tasks(self, stage: Optional[StageFacts]) -> TaskFacts:
        """How far the tasks of a stage are."""
        if stage is None:
            return TaskFacts()
        whole: dict[tuple[str, str], int] = {}
        ahead = 0
        for event in self._events[self._begun_at(stage) + 1 :]:
            if event["event"] == master.EVENT:
                ahead = 0  # reported again
            elif event["event"] == facts.TASKS and event["stage"] == stage.name:
                if event["ahead"]:
                    ahead += event["tasks"]
                elif layout.first_try(event["place"]) == event["place"]:  # others count as these
                    whole[event["sort"], event["place"]] = event["tasks"]
        total = sum(whole.values()) if whole else ahead or None
        done = sum(story.done for story in self.jobs_of(stage))
        failed = sum(failure.stage == stage.name for failure in self.failed_tasks())
        return TaskFacts(total, done if total is None else min(done, total), failed)

    def open_jobs(self) -> list[OpenJobFacts]:
        """Its jobs that have not ended."""
        return [
            OpenJobFacts(
                story.job.name,
                story.job.id,
                story.state,
                story.job.scheduler,
                str(self.work_dir / story.job.directory),
                story.began_at,
                story.obstacle,
            )
            for story in self.jobs
            if story.state != "ended"
        ]

    def failed_tasks(self) -> list[Failure]:
        """Tasks that failed and were not done since, of stages that stand as they were begun.

        Of a label that was tried again with changes the last try counts, if that failed.
        """
        begun = {state.name: state.begun_at for state in self.states if state.begun}
        done_at = self._done_at()
        found: dict[str, Failure] = {}
        for position, event in enumerate(self._events):
            if event["event"] != facts.FAILED or position < begun.get(event["stage"], position + 1):
                continue
            label = layout.first_try(event["task"])
            if max(done_at.get(event["task"], -1), done_at.get(label, -1)) > position:
                continue
            log = str(self.work_dir / event["log"])
            why = event["why"] or "no reason known"
            found[label] = Failure(event["stage"], event["task"], why, log)
        return list(found.values())

    def _done_at(self) -> dict[str, int]:
        """Which event asked last for the job by which a task was done.

        A label counts as done where a job with a further try of it has ended: that of a try that
        failed comes before the word of its failure.
        """
        found: dict[str, int] = {}
        for story in self.jobs:
            if story.done == len(story.job.tasks):
                found.update(dict.fromkeys(story.tasks, story.position))
            for task in story.tasks if story.state == "ended" else ():
                label = layout.first_try(task)
                if label != task:
                    found[label] = story.position
        return found

    def failed_jobs(self) -> list[Failure]:
        """Jobs of stages under way that left tasks undone, which later jobs have not done."""
        under_way = {state.name for state in self.states if state.begun and not state.done}
        listed = {layout.first_try(failure.what) for failure in self.failed_tasks()}
        left: dict[str, JobStory] = {}
        for story in self.jobs:
            for task in map(layout.first_try, story.tasks):
                left.pop(task, None)
                if story.state == "ended" and story.done < len(story.tasks):
                    left[task] = story
        stories = {left[task].job.name: left[task] for task in left if task not in listed}
        return [
            Failure(
                self._owners[story.position],
                f"job {story.job.name}",
                f"{story.outcome or 'ended'}, {story.done} of {len(story.tasks)} tasks done",
                str(self.work_dir / story.output),
            )
            for story in stories.values()
            if self._owners[story.position] in under_way
        ]


def _turn(stage: StageFacts) -> tuple[int, int]:
    """Its place in a run; steps of an init_bulk stay as they came."""
    if stage.iteration is None:
        return -1, 0
    order = steps.names()
    return stage.iteration, order.index(stage.step) if stage.step in order else len(order)


def _owners(events: Events) -> dict[int, str]:
    """The stage that asked for each job, by the number of the event that asked."""
    found: dict[int, str] = {}
    places: dict[tuple[str, str], str] = {}
    begun = ""
    for position, event in enumerate(events):
        if event["event"] == ledger.STARTED:
            begun = event["name"]
        elif event["event"] == facts.TASKS:
            places[event["sort"], event["place"]] = event["stage"]
        elif event["event"] == history.ASKED:
            found[position] = places.get((event["kind"], event["directory"]), begun)
    return found


def _commands(events: Events) -> list[str]:
    """The command under which each event was written."""
    found, command = [], ""
    for event in events:
        if event["event"] in (master.EVENT, opening.CAMPAIGN):
            command = str(event["command"])
        found.append(command)
    return found
