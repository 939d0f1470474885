"""Jobs on this machine: the scripts that SLURM would get, run with bash."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Callable, Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import SchedulerError
from pwact.executors.base import JobPhase, JobSpec, JobState
from pwact.executors.devices import environment_for
from pwact.executors.processes import (
    VARIABLE,
    Process,
    own_processes,
    processes_of,
    read_process,
)
from pwact.executors.slurm_text import DIALECT
from pwact.io.machine import boot_word, process_stat

logger = logging.getLogger(__name__)

_BEGIN_LOOKS, _BEGIN_STEP_S = 400, 0.005


def parallel_jobs(block: ResourceBlock) -> int:
    """How many jobs of a block run on this machine at a time."""
    return block.max_parallel_jobs or max(1, (os.cpu_count() or 1) // block.cpu_per_node)


class LocalExecutor:
    """Runs each job in a session of its own; jobs survive the master.

    A job's id is ``<pid>.<start>.<boot>``: the pid of its script, when that process was started,
    and since which start of the machine these two count, so that a pid that is used again is not
    taken for the job. pwact 0.5.0 left out the last.

    Parameters
    ----------
    max_parallel_jobs
        Jobs at the same time.
    poll_longest_s
        Longest time between two looks at the jobs.
    kill_wait_s
        How long a job may take to end after SIGTERM.
    """

    dialect = DIALECT  # SLURM's: its header is a comment here, and the script can go there
    poll_first_s = 0.01
    grace_s = 0.3
    trusts_records = False  # an ended job's processes are reaped
    settle_s = 0.0
    stuck_s = 0.0

    def __init__(
        self,
        max_parallel_jobs: int,
        poll_longest_s: float = 0.5,
        kill_wait_s: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.max_parallel_jobs = max_parallel_jobs
        self.poll_longest_s = poll_longest_s
        self._kill_wait_s = kill_wait_s
        self._sleep = sleep
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    @classmethod
    def from_block(cls, block: ResourceBlock) -> LocalExecutor:
        """Make the executor that a resource block asks for."""
        jobs = parallel_jobs(block)
        return cls(jobs, poll_longest_s=block.poll_interval or 0.5)

    def room(self, live: int) -> Optional[int]:
        """How many more jobs may be started."""
        return max(0, self.max_parallel_jobs - live)

    def submit(self, spec: JobSpec) -> str:
        """Start the script. Raises SchedulerError when no process can be made."""
        gpus = environment_for(spec.resources.gpu_per_node, os.environ)
        try:
            with spec.output.open("ab") as output:
                child = subprocess.Popen(
                    ["bash", os.fspath(spec.script)],
                    cwd=spec.directory,
                    env={**os.environ, **gpus, VARIABLE: spec.name},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise SchedulerError(f"{spec.script}: cannot be started: {error}") from error
        begun = self._begun(child.pid)
        stat = None if begun else process_stat(child.pid)  # of a script that has ended already
        start = begun.start if begun else int(stat[19]) if stat else 0
        job_id = _id(child.pid, start)
        self._children[job_id] = child
        return job_id

    def _begun(self, pid: int) -> Optional[Process]:
        """Wait until a new process shows its environment, by which it is known."""
        for _ in range(_BEGIN_LOOKS):
            process = read_process(pid)
            if process is None or process.job:
                return process
            self._sleep(_BEGIN_STEP_S)
        return process

    def output_file(self, spec: JobSpec, job_id: str) -> Path:  # noqa: ARG002
        """The file that takes the script's own output."""
        return spec.output

    def find(self, name: str) -> Optional[str]:
        """Id of the living job called `name`."""
        found = [process for process in own_processes() if process.job == name]
        for process in found:
            if process.pid == process.session:
                return _id(process.pid, process.start)
        if not found:
            return None
        # the script is dead, what it started lives
        first = min(found, key=lambda process: process.start)
        return _id(first.session, first.start)

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        """State of every job, given as id → name.

        What an ended script has left running is ended, too, as SLURM does.
        """
        states, ended = {}, {}
        for job_id, name in jobs.items():
            if self._script_lives(job_id, name):
                states[job_id] = JobState(JobPhase.RUNNING, "RUNNING")
            else:
                ended[job_id] = name
        if ended:
            self._end_leftovers(ended)
        for job_id in ended:
            child = self._children.pop(job_id, None)
            if child is not None:
                child.wait()  # until here nobody else can have its number, nor its session's
            states[job_id] = _ended(child.returncode if child else None)
        return states

    def cancel(self, jobs: Mapping[str, str]) -> None:
        """End the jobs with all their processes, first gently; return when they are gone."""
        wanted = [_identity(job_id, name) for job_id, name in jobs.items()]
        waited, step = 0.0, 0.02
        signals = iter([signal.SIGTERM])
        while any(living := processes_of(wanted, self._unreaped(jobs)).values()):
            number = next(signals, signal.SIGKILL if waited >= self._kill_wait_s else None)
            for process in (one for found in living for one in found):
                _signal(process.pid, number)
            if waited > 2 * self._kill_wait_s + 1:
                logger.error("some processes of %s cannot be ended", ", ".join(jobs.values()))
                return
            self._sleep(step)
            waited += step
        self._reap()

    def _unreaped(self, jobs: Mapping[str, str]) -> list[int]:
        """Pids of those of the jobs that this process started and did not wait for."""
        mine = (self._children.get(job_id) for job_id in jobs)
        return [child.pid for child in mine if child is not None and child.returncode is None]

    def _script_lives(self, job_id: str, name: str) -> bool:
        child = self._children.get(job_id)
        if child is not None:
            return child.returncode is None and not _is_zombie(child.pid)
        _, pid, start = _identity(job_id, name)
        process = read_process(pid)
        return process is not None and process.start == start and process.job == name

    def _end_leftovers(self, jobs: Mapping[str, str]) -> None:
        wanted = [_identity(job_id, name) for job_id, name in jobs.items()]
        for name, left in processes_of(wanted, self._unreaped(jobs)).items():
            if left:
                logger.warning("job %s has left %d processes running: ended", name, len(left))
                ids = {job_id: job for job_id, job in jobs.items() if job == name}
                self.cancel(ids)

    def _reap(self) -> None:
        for child in self._children.values():
            child.poll()


def _id(pid: int, start: int) -> str:
    return f"{pid}.{start}.{boot_word()}"


def _is_zombie(pid: int) -> bool:
    stat = process_stat(pid)
    return stat is None or stat[0] in ("Z", "X")


def _identity(job_id: str, name: str) -> tuple[str, int, int]:
    """Name, pid and start time of a job's script; a start before the last boot is none."""
    pid, _, rest = job_id.partition(".")
    start, _, boot = rest.partition(".")
    if boot and boot_word() and boot != boot_word():
        return name, 0, 0
    return name, int(pid), int(start or 0)


def _signal(pid: int, number: Optional[signal.Signals]) -> None:
    if number is not None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _ended(returncode: Optional[int]) -> JobState:
    if returncode is None:
        return JobState(JobPhase.ENDED, "ENDED")
    if returncode == 0:
        return JobState(JobPhase.ENDED, "COMPLETED")
    if returncode < 0:
        return JobState(JobPhase.ENDED, "KILLED", f"signal {-returncode}")
    return JobState(JobPhase.ENDED, "FAILED", f"exit status {returncode}")
