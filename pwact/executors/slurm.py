"""Jobs on a cluster under SLURM, with or without accounting."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError, SchedulerError
from pwact.executors import slurm_text
from pwact.executors.accounting import Accounting
from pwact.executors.base import (
    ARRAY_SPAN,
    ArrayRefusedError,
    JobPhase,
    JobSpec,
    JobState,
    LimitError,
    OutageError,
)
from pwact.executors.commands import LIST_LENGTH, Answer, end_submissions, run_command
from pwact.executors.script import header, quote
from pwact.executors.slurm_text import (
    Row,
    array_name,
    clean,
    cut,
    is_ours,
    output_pattern,
    rows,
    state_of,
)
from pwact.io.files import write_text

logger = logging.getLogger(__name__)

_ARRAY_FROM = 10  # jobs, with use_array "auto"
_LAST_WORDS_S = 2.0  # for SLURM to take note of a job whose sbatch was ended
# of an outer job, or of the user's habits: they would change what we ask for or what we read
_KEPT = ("SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT")  # where SLURM is, and who asks
_FOREIGN = re.compile(
    r"(SQUEUE|SACCT|SCANCEL|SLURM)_\w+|SBATCH_(JOB_NAME|PARTITION|ARRAY_INX|WAIT|OPEN_MODE|OUTPUT"
    r"|ERROR|INPUT|GRES|CLUSTERS|TEST_ONLY|IGNORE_PBS)"
)


def call(words: Sequence[str]) -> Answer:
    """Run a command of SLURM in an environment without foreign settings.

    Raises
    ------
    OutageError
        When it gives no answer in time.
    SchedulerError
        When it is not installed.
    """
    environment = {
        key: value
        for key, value in os.environ.items()
        if key in _KEPT or not _FOREIGN.fullmatch(key)
    }
    return run_command(words, environment, "SLURM")


class SlurmExecutor:
    """Submits with sbatch, asks squeue once for all jobs, cancels with scancel.

    A job's id is SLURM's: ``12``, or ``12_3`` for a part of an array. It counts only together
    with the job's name.

    Parameters
    ----------
    max_jobs
        Jobs at a time in the queue; None for any number.
    use_array
        ``auto`` (from ten jobs on), ``true`` or ``false``.
    poll_longest_s
        Longest time between two questions to SLURM.
    call
        Runs a command.
    """

    dialect = slurm_text.DIALECT
    trusts_records = True
    grace_s = 30.0
    settle_s = 60.0
    stuck_s = 120.0
    cancel_wait_s = 60.0

    def __init__(
        self,
        max_jobs: Optional[int] = None,
        use_array: str = "auto",
        poll_longest_s: float = 30.0,
        call: Callable[[Sequence[str]], Answer] = call,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.max_jobs = max_jobs
        self.use_array = use_array
        self.poll_longest_s = poll_longest_s
        self.poll_first_s = min(2.0, poll_longest_s)
        self._call = call
        self._sleep = sleep
        self._accounting = Accounting(call)
        self._warned: set[str] = set()

    @classmethod
    def from_block(cls, block: ResourceBlock) -> SlurmExecutor:
        """Make the executor that a resource block asks for."""
        return cls(block.max_jobs_in_queue, block.use_array, block.poll_interval or 30.0)

    def room(self, live: int) -> Optional[int]:
        """How many more jobs may be put into the queue; None: any number."""
        return None if self.max_jobs is None else max(0, self.max_jobs - live)

    # ---- submission

    def submit(self, spec: JobSpec) -> str:
        """Submit one script; see `pwact.executors.base.Executor.submit`."""
        output = output_pattern(spec.directory, "", spec.output.name)
        return self._sbatch(spec, spec.name, output, [], spec.script)

    def array_size(self, waiting: int, live: int) -> int:
        """How many of `waiting` jobs to hand over in one call; 1: no array.

        An array keeps to `max_jobs` by itself, but knows nothing of the jobs beside it.
        """
        least = {"auto": _ARRAY_FROM, "true": 2}.get(self.use_array)
        if least is None or waiting < least:
            return 1
        room = self.room(live) if live else None
        return min(waiting, ARRAY_SPAN, waiting if room is None else max(1, room))

    def submit_array(self, specs: Sequence[JobSpec]) -> list[str]:
        """Submit the scripts of groups within one span as one array, with one call."""
        first = specs[0]
        if "\\" in str(first.directory):
            raise ArrayRefusedError("a backslash in a directory keeps SLURM from numbering outputs")
        span = first.group // ARRAY_SPAN
        name = array_name(first.name) or first.name
        indices = [spec.group % ARRAY_SPAN for spec in specs]
        wrapper = first.directory / f"{span}-{first.kind}.array"
        group = f"$(({span * ARRAY_SPAN} + SLURM_ARRAY_TASK_ID))"
        lines = header(name, first.resources, self.dialect)
        lines.append(f"exec bash {quote(first.directory)}/{group}-{first.kind}.job")
        try:
            write_text(wrapper, "\n".join(lines) + "\n", sync=False)
        except OSError as error:
            raise PwactError(f"{wrapper}: cannot be written: {error.strerror}") from error
        limit = f"%{self.max_jobs}" if self.max_jobs else ""
        number = f"{span}%3a" if span else "%a"
        output = output_pattern(first.directory, number, f"-{first.kind}.out")
        flags = [f"--array={slurm_text.ranges(indices)}{limit}"]
        job_id = self._sbatch(first, name, output, flags, wrapper)
        return [f"{job_id}_{index}" for index in indices]

    def _sbatch(self, spec: JobSpec, name: str, output: str, flags: list[str], script: Path) -> str:
        words = ["sbatch", "--parsable", f"--job-name={name}", f"--chdir={spec.directory}"]
        words += [f"--output={output}", "--open-mode=append", *flags, str(script)]
        answer = self._call(words)
        message = clean(answer.err)
        job_id = (answer.out.split() or [""])[-1].partition(";")[0]
        if answer.status == 0 and job_id.isdigit():
            if message and message not in self._warned:
                self._warned.add(message)
                logger.warning("sbatch: %s", message)
            return job_id
        if answer.status == 0:
            raise OutageError(f"sbatch: no job id in its answer: {answer.out!r} {message}")
        if slurm_text.is_outage(message):
            raise OutageError(f"sbatch: {message}")
        if slurm_text.is_limit(message):
            raise LimitError(f"sbatch: {message}")
        if flags and slurm_text.is_array_refusal(message):
            raise ArrayRefusedError(f"sbatch: {message}")
        raise SchedulerError(f"sbatch: {message}; see {slurm_text.key_for(message)}")

    def output_file(self, spec: JobSpec, job_id: str) -> Path:  # noqa: ARG002
        """The file that takes the script's own output."""
        return spec.output

    # ---- questions

    def find(self, name: str) -> Optional[str]:
        """Id of the job called `name`, if SLURM knows one, alive or not."""
        return self.find_all([name]).get(name)

    def find_all(self, names: Sequence[str]) -> dict[str, str]:
        """Name → id of those of the jobs that SLURM knows."""
        asked = dict.fromkeys(one for name in names for one in (name, array_name(name)) if one)
        listed: list[Row] = []
        for part in cut(list(asked), LIST_LENGTH):
            answer = self._squeue([f"--name={','.join(part)}"])
            if answer.status:
                raise OutageError(f"squeue: {clean(answer.err)}")
            listed += rows(answer.out)
            listed += self._accounting.rows([f"--name={','.join(part)}", "--starttime=now-30days"])
        by_name = _by_name(listed)
        found: dict[str, str] = {}
        for name in names:
            mine = [*by_name.get(name, ()), *by_name.get(array_name(name) or "", ())]
            ids = [row.id for row in sorted(mine, key=_age) if is_ours(row, name)]
            if ids:
                found[name] = ids[-1]
        lost = [name for name in names if name not in found]
        jobs = {one for name in lost for one in (name, array_name(name)) if one}
        if not end_submissions("sbatch", {f"--job-name={job}" for job in jobs}):
            return found
        self._sleep(_LAST_WORDS_S)
        return self.find_all(names)

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        """State of every job, given as id → name, in one call of squeue."""
        listed: dict[str, Row] = {}
        bases = dict.fromkeys(job_id.partition("_")[0] for job_id in jobs)
        for part in cut(list(bases), LIST_LENGTH):
            listed.update((row.id, row) for row in self._listed(part))
        missing = {
            job_id: name
            for job_id, name in jobs.items()
            if job_id not in listed or not is_ours(listed[job_id], name)
        }
        if missing and self._accounting.there:
            bases = dict.fromkeys(job_id.partition("_")[0] for job_id in missing)
            for part in cut(list(bases), LIST_LENGTH):
                for row in self._accounting.rows([f"--jobs={','.join(part)}"]):
                    if row.id in missing and is_ours(row, missing[row.id]):
                        listed[row.id] = row
                        del missing[row.id]
        gone = JobState(JobPhase.GONE)
        return {job: gone if job in missing else state_of(listed[job]) for job in jobs}

    def _listed(self, ids: Sequence[str]) -> list[Row]:
        answer = self._squeue([f"--jobs={','.join(ids)}"])
        if answer.status and "invalid job id" in answer.err.lower():
            if len(ids) == 1:
                return []
            answer = self._squeue([])  # one of them is forgotten: ask for all
        if answer.status:
            raise OutageError(f"squeue: {clean(answer.err)}")
        return rows(answer.out)

    def _squeue(self, words: list[str]) -> Answer:
        """Ask for jobs of this user: others may have one of the same name."""
        command = ["squeue", "--noheader", "--array", "--states=all", f"--user={os.getuid()}"]
        return self._call([*command, f"--format={slurm_text.ROW_FORMAT}", *words])

    # ---- the end

    def cancel(self, jobs: Mapping[str, str]) -> None:
        """End those of the jobs that live under their name, and wait until they have ended."""
        wait, step = 0.0, 0.2
        alive = self._alive(jobs)
        for part in cut(list(alive), LIST_LENGTH):
            answer = self._call(["scancel", *part])
            if answer.status and slurm_text.is_outage(answer.err):
                raise OutageError(f"scancel: {clean(answer.err)}")
            if answer.status:
                logger.warning("scancel: %s", clean(answer.err))
        while alive and wait < self.cancel_wait_s:
            self._sleep(step)
            wait, step = wait + step, min(2.0, step * 1.5)
            alive = self._alive(alive)

    def _alive(self, jobs: Mapping[str, str]) -> dict[str, str]:
        states = self.poll(jobs) if jobs else {}
        return {job_id: jobs[job_id] for job_id, state in states.items() if state.alive}


def _age(row: Row) -> tuple[bool, int]:
    """Sort the living last, and then the newest."""
    return state_of(row).alive, int(row.id.partition("_")[0])


def _by_name(listed: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in listed:
        found.setdefault(row.name, []).append(row)
    return found
