"""One run of tasks through the scheduler; `Dispatcher` gives it its turns."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pwact.config.resources import ResourceBlock
from pwact.errors import SchedulerError
from pwact.executors.base import (
    ArrayExecutor,
    JobPhase,
    JobState,
    OutageError,
    Task,
    TaskResult,
)
from pwact.executors.jobs import Group, Job, Surroundings, Unit, by_obstacle, grouped, phrase
from pwact.executors.judge import (
    account,
    came_further,
    certainly_ran,
    explain,
    given_up,
    hopeless,
    job_ended,
    judge,
)
from pwact.executors.records import ExitRecord, RecordWatch, read_record
from pwact.executors.submission import (
    Submission,
    journal_ended,
    journal_running,
    journal_waiting,
)
from pwact.verdict import Outcome, Verdict

logger = logging.getLogger(__name__)

_NOTES_S = 10.0


class Run:
    """Brings every task to a result, turn by turn: `begin`, then `submit` and `look` in a loop.

    Attributes
    ----------
    tasks
        All its tasks.
    pool
        The live jobs of the executor that it submits to.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        kind: str,
        directory: Path,
        tasks: Sequence[Task],
        block: ResourceBlock,
    ) -> None:
        self.tasks = tuple(tasks)
        self._at = surroundings
        self._block = block
        self.pool = surroundings.pool_for(block.scheduler)
        self._submission = Submission(surroundings, kind, directory, block)
        self._groups = grouped(tasks, block, surroundings.first)
        self._jobs: dict[str, Job] = {}  # with the scheduler, or (without id) perhaps
        self._watch = RecordWatch(directory)
        self._records: dict[str, ExitRecord] = {}
        self._obstacles: set[str] = set()  # of which the user has read
        self._noted: dict[str, str] = {}
        self._noted_at = surroundings.clock()

    @property
    def working(self) -> bool:
        """Whether a task has no result yet."""
        return bool(self._jobs) or not self._submission.empty

    @property
    def ready(self) -> bool:
        """Whether something can be submitted now."""
        return self._submission.ready(bool(self._jobs))

    @property
    def last_group(self) -> int:
        """The highest number of a group; one less than the first, if there is none."""
        return self._at.first + len(self._groups) - 1

    @property
    def job_names(self) -> set[str]:
        """Names of the jobs that it watches."""
        return set(self._jobs)

    @property
    def _record_names(self) -> set[str]:
        return {job.spec.record.name for job in self._jobs.values()}

    # ---- the beginning

    def begin(self) -> Iterator[TaskResult]:
        """Take over the jobs of an earlier master, and judge the tasks that none of them has."""
        held = self._attach()
        ready = []
        for group in self._groups:
            for unit in [unit for unit in group.units if unit not in held]:
                verdict = judge(unit.task)
                if verdict.outcome is Outcome.INCOMPLETE and not hopeless(unit.task):
                    came_further(unit)  # than nothing: that is where this start begins
                    continue
                del group.units[unit]
                spec = self._submission.spec(group.number, "", [unit])
                why = "" if verdict.done else explain(unit, verdict, spec, "", spec.output)
                ready.append(TaskResult(unit.task, verdict, 0, why))
            self._let_wait(group)
        yield from ready

    def _attach(self) -> set[Unit]:
        """Watch the jobs that an earlier master has left; return the tasks that they have."""
        units = {
            self._submission.relative(unit): unit for group in self._groups for unit in group.units
        }
        held: set[Unit] = set()
        for left in self._at.left:
            mine = [units[name] for name in left.tasks if name in units]
            spec = self._submission.spec(left.group, left.name, mine)
            groups = {unit.group: None for unit in mine}
            same = left.group - self._at.first
            if 0 <= same < len(self._groups):
                groups[self._groups[same]] = None  # its script is in use
            for group in groups:
                group.jobs += 1
            pool = self._at.pool_for(left.scheduler)
            job = Job(spec, list(groups), mine, pool, left.id, attached=True)
            self._jobs[left.name] = job
            held.update(mine)
            if left.id:
                pool.add(left.id, left.name)
                logger.info("%s", phrase("is watched on", [job]))
                for unit in mine:
                    unit.jobs += 1
            else:
                age = max(0.0, time.time() - left.asked_at)  # a clock may have been set back
                job.give_up_at = self._at.clock() + max(0.0, pool.executor.grace_s - age)
        return held

    def _let_wait(self, group: Group) -> None:
        if group.units and not group.jobs:
            self._submission.add(group)

    # ---- watching

    def submit(self) -> None:
        """Hand over to the scheduler what the limits allow now."""
        for job in self._submission.submit(bool(self._jobs)):
            self._jobs[job.spec.name] = job

    def stop(self) -> None:
        """Watch no job any longer; they live on."""
        for job in self._jobs.values():
            job.pool.drop(job.id)

    def news(self) -> bool:
        """Whether the exit record of a job has come: then nobody needs to ask the scheduler."""
        if not self.pool.executor.trusts_records:
            return False
        fresh = self._watch.fresh(self._record_names)
        self._records.update((name, fresh[name]) for name in fresh if name in self._jobs)
        return any(record.complete for record in self._records.values())

    def look(self) -> Iterator[TaskResult]:
        """Find out which jobs have ended, and bring their tasks to results."""
        self.news()
        for name, record in self._records.items():
            if record.complete and name in self._jobs:
                self._end_by_record(self._jobs[name], record)
        self._records.clear()
        for pool in {job.pool: None for job in self._jobs.values()}:
            pool.refresh()
        self._look_up_lost()
        before = {job: job.state for job in self._jobs.values() if job.state.alive}
        for job in self._jobs.values():
            if not job.ended and job.id:
                self._heed(job)
        self._name_changes(before)
        self._end_stuck()
        ended = [job for job in self._jobs.values() if job.ended and self._settled(job)]
        for job in ended:
            del self._jobs[job.spec.name]
        if ended:
            journal_ended(self._at, ended)
            logger.info("%s", phrase("ended", ended))
        for job in ended:
            yield from self._judged(job)

    def _end_by_record(self, job: Job, record: ExitRecord) -> None:
        job.record = record
        job.state = JobState(JobPhase.ENDED, "FAILED" if record.missing else "COMPLETED")
        job.give_up_at = None
        job.pool.drop(job.id)

    def _heed(self, job: Job) -> None:
        """Take note of what the scheduler says of a job."""
        state = job.pool.state(job.id)
        if state is None:
            return
        if state.warning and state.warning != job.state.warning:
            logger.warning("job %s (%s): %s", job.spec.name, job.id, state.warning)
        before, job.state = job.state, state
        if before.phase is JobPhase.RUNNING and state.phase is JobPhase.WAITING:
            logger.warning("job %s (%s) is back in the queue: %s", job.spec.name, job.id, state)
        if state.alive:
            if state.stuck and not before.stuck:
                job.give_up_at = self._at.clock() + job.pool.executor.stuck_s
            return
        record = read_record(job.spec.record)
        job.record = record if record and record.name == job.spec.name else None
        # a job that is gone counts as a try: whatever ended it may end it for ever
        job.state = replace(state, phase=JobPhase.ENDED)
        if state.phase is JobPhase.GONE:
            job.state = replace(job.state, word="gone from the queue")
        job.give_up_at = None
        job.pool.drop(job.id)

    def _name_changes(self, before: Mapping[Job, JobState]) -> None:
        """Put on record which jobs run now, and say why jobs have to wait: each reason once."""
        alive = [job for job in before if job.state.alive]
        begun = [job for job in alive if job.state.phase is not before[job].phase]
        journal_running(self._at, [job for job in begun if job.state.phase is JobPhase.RUNNING])
        notes = self._notes()
        for job in alive:
            if job.state.phase is JobPhase.RUNNING:
                job.state = replace(job.state, obstacle=notes.get(job.spec.name, ""))
        changed = [job for job in alive if job.state.obstacle != before[job].obstacle]
        journal_waiting(self._at, changed)
        for reason, mine in by_obstacle(changed).items():
            if reason not in self._obstacles and not mine[0].state.warning:  # that says it better
                more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
                which = f"job {mine[0].spec.name} ({mine[0].id}){more}"
                logger.warning("%s: has to wait: %s", which, reason)
            self._obstacles.add(reason)

    def _notes(self) -> Mapping[str, str]:
        """Why scripts wait for other runs; looked for every few seconds."""
        now = self._at.clock()
        if now >= self._noted_at + _NOTES_S:
            self._noted_at, self._noted = now, self._watch.waits(self._record_names)
        return self._noted

    def _end_stuck(self) -> None:
        """End the jobs that can never start, after some time, and stop with them."""
        now = self._at.clock()
        stuck = [
            job
            for job in self._jobs.values()
            if job.state.stuck and not job.ended and now >= (job.give_up_at or now)
        ]
        if not stuck:
            return
        first = stuck[0]
        executor, jobs = first.pool.executor, {job.id: job.spec.name for job in stuck}
        try:
            executor.cancel(jobs)
        except OutageError as error:
            first.pool.outage(error)
            return
        journal_ended(self._at, stuck, f"cancelled: {first.state}")
        raise SchedulerError(
            f"job {first.spec.name} ({first.id}) can never start: {first.state.reason}; "
            f"change {self._block.file}: {self._block.name}"
        )

    def _look_up_lost(self) -> None:
        """Search for the jobs whose submission had no answer; after some time submit again."""
        lost = [job for job in self._jobs.values() if not job.id and not job.ended]
        if not lost:
            return
        found = lost[0].pool.ask(lambda: _find(lost))
        if found is None:
            return
        for job in lost:
            now = self._at.clock()
            if job.spec.name in found:
                self._submission.submitted([job], [found[job.spec.name]])
            elif job.give_up_at is None:
                job.give_up_at = now + job.pool.executor.grace_s
            elif now >= job.give_up_at:
                job.give_up_at = None
                job.state = JobState(JobPhase.ENDED, "never submitted")

    # ---- results

    def _settled(self, job: Job) -> bool:
        """Judge an ended job's tasks; False while files may be late, as on a network."""
        job.verdicts = {unit: judge(unit.task) for unit in job.units}
        well = job.state.word == "COMPLETED" or (job.record and not job.record.missing)
        settle_s = job.pool.executor.settle_s if well else 0.0
        if all(verdict.outcome is not Outcome.INCOMPLETE for verdict in job.verdicts.values()):
            return True
        if job.give_up_at is None:
            job.give_up_at = self._at.clock() + settle_s
        return self._at.clock() >= job.give_up_at

    def _judged(self, job: Job) -> list[TaskResult]:
        """Make the results of an ended job; what is not done waits for another."""
        again = [unit for unit in job.units if _worth_another(unit, job.verdicts[unit])]
        further = {unit for unit in again if came_further(unit)}
        progress = bool(further) or len(again) < len(job.units)
        for group in job.groups:
            group.jobs -= 1
            mine = [unit for unit in again if unit.group is group]
            if not mine or not job.id or job.attached:
                continue
            ran = certainly_ran(job.spec, job.units, again, job.record)
            charged = [unit for unit in ran if unit not in further]
            account(group, progress, charged, job.state.blame)
            if not progress:  # another task goes first, in case the first one ends every job
                for unit in job.units[: max(1, self._block.parallel_num)]:
                    group.units[unit] = group.units.pop(unit)
        ended = job_ended(job.state, job.record)
        output = job.pool.executor.output_file(job.spec, job.id)
        results = []
        for unit in job.units:
            verdict = job.verdicts[unit]
            if unit in again and not given_up(unit.group, unit):
                continue
            del unit.group.units[unit]
            why = "" if verdict.done else explain(unit, verdict, job.spec, ended, output)
            results.append(TaskResult(unit.task, verdict, unit.jobs, why))
        for group in job.groups:
            self._let_wait(group)
        return results


def _worth_another(unit: Unit, verdict: Verdict) -> bool:
    return verdict.outcome is Outcome.INCOMPLETE and not hopeless(unit.task)


def _find(jobs: Sequence[Job]) -> dict[str, str]:
    executor = jobs[0].pool.executor
    names = [job.spec.name for job in jobs]
    if isinstance(executor, ArrayExecutor):
        return executor.find_all(names)
    found = {name: executor.find(name) for name in names}
    return {name: job_id for name, job_id in found.items() if job_id}
