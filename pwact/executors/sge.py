"""Jobs of the Grid Engine family: SGE, Son of Grid Engine, Univa, Altair."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Optional
from xml.etree import ElementTree

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError
from pwact.executors.base import Blame, JobPhase, JobSpec, JobState, OutageError
from pwact.executors.commands import Answer, in_one_line, run_command, user_name
from pwact.executors.dialect import Dialect
from pwact.executors.queue import QueueExecutor, Refusals, Row, ended_with, own_output

_SUBMITTED = re.compile(r"Your job (\d+) \(")
_REASONS_S = 60.0  # time between two questions why jobs wait
_REASONS_OF = 50  # jobs
_FEW = 3  # jobs that accounting is asked for one by one
_REASON = re.compile(r"(error reason[^:]*|scheduling info):\s+(.*)")
_HELD = "is held: it waits until 'qrls {id}'"
_SUSPENDED = "is suspended: it goes on after 'qmod -usj {id}'"
_ITS_TURN = re.compile(
    r"because it is full|overload|Collecting of scheduler job information|in hold state"
    r"|offers only|only offers|temporarily not available",
)
# what "failed" in the accounting means, beyond the program's own end (0, 100: after the job)
_SET_UP_FAILED = {26: "its output file could not be opened", 27: "its shell was not found"}
_LIMIT_ENDED = 37
_MACHINE_FAILED = frozenset({*range(1, 26), *range(29, 37), 38}) - {17}


def options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    """Return what qsub is asked for, each with the key of the block that it comes from.

    Raises
    ------
    InputError
        When more than one CPU is asked for without a parallel environment.
    """
    flags = [
        ("", f"-N {name}"),
        ("", "-S /bin/bash"),
        ("", "-V"),
        ("", "-j y"),
        ("", "-o /dev/null"),
    ]
    if block.queue_name:
        flags.append(("queue_name", f"-q {block.queue_name}"))
    slots = block.number_node * block.cpu_per_node
    own = [flag.replace("#$", "").strip() for flag in block.custom_flags]
    if block.parallel_environment:
        flags.append(("parallel_environment", f"-pe {block.parallel_environment} {slots}"))
    elif slots > 1 and not any(flag.startswith("-pe ") for flag in own):
        raise InputError(
            f"{slots} CPUs need the name of a parallel environment, one that 'qconf -spl' lists",
            file=block.file,
            key=f"{block.name}.parallel_environment",
        )
    if block.gpu_per_node:
        flags.append(("gpu_per_node", f"-l gpu={block.gpu_per_node}"))
    return flags


class SgeExecutor(QueueExecutor):
    """Submits with qsub, asks qstat once for all jobs of the user, cancels with qdel.

    How jobs ended that the queue has forgotten, qacct says.
    """

    dialect = Dialect(
        directive="#$",
        options=options,
        job_id="JOB_ID",
        nodes="$(cut -d ' ' -f 1 ${PE_HOSTFILE:-<(echo $HOSTNAME)} | xargs)",
        opening=own_output("JOB_ID"),
    )
    submits = "qsub"
    refusals = Refusals(
        # commlib's "access denied" is its own: of a host's name or of another version
        outage=r"unable to (send message to|contact) qmaster|got send error|commlib error"
        r"|can't connect|connection refused|error: failed receiving|timeout"
        r"|could not start|not yet authorized",
        limit=r"only \d+ jobs are allowed|exceeded the maximum|per user|maximum number of",
        keys=(
            (r"queue", "queue_name"),
            (r"parallel environment|slots", "parallel_environment, number_node, cpu_per_node"),
            (r"gpu", "gpu_per_node"),
            (r".", "custom_flags"),
        ),
    )
    _asked_at = -_REASONS_S
    _reasons: Mapping[str, str] = {}

    @staticmethod
    def run(words: Sequence[str], stdin: Optional[Path] = None) -> Answer:
        """Run a command of SGE."""
        return run_command(words, os.environ, "SGE", stdin)

    # ---- submission

    def submission(self, spec: JobSpec) -> tuple[Sequence[str], Optional[Path]]:
        """The command that submits the script of `spec`."""
        return ["qsub", "-N", spec.name, str(spec.script)], None

    def id_in(self, answer: Answer) -> str:
        """The job's id, which may stand among errors that name a failure."""
        match = _SUBMITTED.search(f"{answer.out}\n{answer.err}")
        return match.group(1) if match else ""

    def deletion(self, ids: Sequence[str]) -> Sequence[str]:
        """The command that ends jobs."""
        return ["qdel", ",".join(ids)]

    # ---- questions

    def queued(self, jobs: Mapping[str, str]) -> list[Row]:
        """What the queue says: all jobs of this user."""
        rows = self._listed()
        mine = [row for row in rows if row.id in jobs and row.state.phase is JobPhase.WAITING]
        return self._with_reasons(rows, mine) if mine else rows

    def ended(self, jobs: Mapping[str, str]) -> list[Row]:
        """What the accounting says."""
        if len(jobs) > _FEW:
            return accounted(self.history("qacct", "-o", user_name(), "-d", "60", "-j"))
        return [row for one in jobs for row in accounted(self.history("qacct", "-j", one))]

    def named(self, name: str) -> list[Row]:
        """All jobs of a name, of queue and accounting."""
        past = self.history("qacct", "-o", user_name(), "-j", name)
        return [*accounted(past), *self._listed()]

    def _listed(self) -> list[Row]:
        answer = self.asked("qstat", "-xml", "-u", user_name())
        if answer.status:
            raise OutageError(f"qstat: {in_one_line(answer.err) or answer.status}")
        try:
            return listed(answer.out)
        except ElementTree.ParseError as error:
            raise OutageError(f"qstat: its answer cannot be read: {error}") from error

    def _with_reasons(self, rows: list[Row], waiting: Sequence[Row]) -> list[Row]:
        """Add why jobs wait, asked from time to time: it is a question more."""
        if self._clock() >= self._asked_at + _REASONS_S or any(row.state.stuck for row in waiting):
            self._asked_at = self._clock()
            ids = [row.id for row in waiting[:_REASONS_OF]]
            self._reasons = reasons(self.asked("qstat", "-j", ",".join(ids)).out)
        known = self._reasons
        return [replace(row, state=explained(row.state, known.get(row.id, ""))) for row in rows]


def listed(text: str) -> list[Row]:
    """Read what ``qstat -xml`` prints."""
    rows = []
    for job in ElementTree.fromstring(text).iter("job_list"):
        job_id, name = job.findtext("JB_job_number", ""), job.findtext("JB_name", "")
        rows.append(Row(job_id, name, state_of(job_id, job.findtext("state", ""))))
    return rows


def state_of(job_id: str, word: str) -> JobState:
    """Tell what the letters of a state mean. Letters that nobody knows belong to a living job."""
    if "d" in word:
        return JobState(JobPhase.RUNNING, word, "is being deleted")
    if "E" in word:
        return JobState(JobPhase.WAITING, word, "in error", stuck=True, warning="can never start")
    if "h" in word and "r" not in word:
        held = _HELD.format(id=job_id)
        return JobState(JobPhase.WAITING, word, "held", obstacle="it is held", warning=held)
    if "q" in word or "w" in word:
        return JobState(JobPhase.WAITING, word)
    suspended = any(letter in word for letter in "sST")
    return JobState(
        JobPhase.RUNNING, word, warning=_SUSPENDED.format(id=job_id) if suspended else ""
    )


def explained(state: JobState, reason: str) -> JobState:
    """Add the reason why a job waits."""
    if state.phase is not JobPhase.WAITING or not reason:
        return state
    if state.stuck:
        return replace(state, reason=reason, warning=f"can never start: {reason}")
    obstacle = state.obstacle or ("" if _ITS_TURN.search(reason) else reason)
    return replace(state, reason=state.reason or reason, obstacle=obstacle)


def reasons(text: str) -> dict[str, str]:
    """Job's id → why it waits, the first line of what ``qstat -j`` prints of each."""
    found: dict[str, str] = {}
    job_id = ""
    for line in text.splitlines():
        if line.startswith("job_number:"):
            job_id = line.partition(":")[2].strip()
            continue
        match = _REASON.match(line)
        if match and job_id:
            found.setdefault(job_id, match.group(2).strip())
    return found


def accounted(text: str) -> list[Row]:
    """Read what ``qacct -j`` prints. Of a job that began more than once the last entry counts."""
    return [
        Row(entry["jobnumber"], entry.get("jobname", ""), _end(entry))
        for entry in _entries(text.splitlines())
        if "jobnumber" in entry
    ]


def _entries(lines: Iterable[str]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = [{}]
    for line in lines:
        if line.startswith("====="):
            found.append({})
            continue
        key, _, value = line.strip().partition(" ")
        found[-1][key] = value.strip()
    return found


def _end(entry: Mapping[str, str]) -> JobState:
    failed, _, why = entry.get("failed", "0").partition(":")
    code = int(failed) if failed.strip().isdigit() else 0
    status = int((entry.get("exit_status", "0").split() or ["0"])[0])
    why = why.strip()
    if code == _LIMIT_ENDED:
        return JobState(JobPhase.ENDED, "TIMEOUT", why, Blame.TIMEOUT, warning=f"was ended: {why}")
    if code in _MACHINE_FAILED:
        warning = f"failed on its node ({why}); its tasks run again"
        return JobState(JobPhase.ENDED, "FAILED", why, Blame.MACHINE, warning=warning)
    if code in _SET_UP_FAILED:
        why = f"{why}: {_SET_UP_FAILED[code]}"
        return JobState(JobPhase.ENDED, "FAILED", why)
    return ended_with(status)
