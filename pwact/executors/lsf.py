"""Jobs of IBM Spectrum LSF."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

from pwact.config.resources import ResourceBlock
from pwact.executors.base import Blame, JobPhase, JobSpec, JobState, OutageError
from pwact.executors.commands import LIST_LENGTH, Answer, in_one_line, run_command, user_name
from pwact.executors.dialect import Dialect
from pwact.executors.queue import QueueExecutor, Refusals, Row, ended_with, own_output

_SUBMITTED = re.compile(r"Job <(\d+)> is submitted to")
_NOT_FOUND = re.compile(r"is not found|No (matching |unfinished )?job found", re.IGNORECASE)
_UNKNOWN_FIELD = re.compile(r"unknown field|invalid field|illegal", re.IGNORECASE)
_FIELDS = (  # the others for an LSF that does not know the first
    "jobid stat exit_code exit_reason pend_reason job_name delimiter='|'",
    "jobid stat exit_code exit_reason job_name delimiter='|'",
)
_ITS_TURN = re.compile(
    r"New job is waiting|Job slots? limit reached|Not enough (job slots|processors|slots|hosts)"
    r"|Load information unavailable|Closed by LSF administrator|resource reservation"
    r"|requirements for reserving resource|dispatch interval|higher priority",
    re.IGNORECASE,
)
_HELD = "is held: it waits until 'bresume {id}'"
_SUSPENDED = "is suspended: it goes on after 'bresume {id}'"
_REASONS = {  # LSF's reasons for which a job ended → word, who is to blame
    "TERM_RUNLIMIT": ("TIMEOUT", Blame.TIMEOUT),
    "TERM_CPULIMIT": ("TIMEOUT", Blame.TIMEOUT),
    "TERM_DEADLINE": ("TIMEOUT", Blame.TIMEOUT),
    "TERM_MEMLIMIT": ("OUT_OF_MEMORY", Blame.TASK),
    "TERM_SWAP": ("OUT_OF_MEMORY", Blame.TASK),
    "TERM_PREEMPT": ("PREEMPTED", Blame.MACHINE),
    "TERM_LOAD": ("PREEMPTED", Blame.MACHINE),
    "TERM_WINDOW": ("PREEMPTED", Blame.MACHINE),
    "TERM_ZOMBIE": ("NODE_FAIL", Blame.MACHINE),
    "TERM_REMOVE_HUNG_JOB": ("NODE_FAIL", Blame.MACHINE),
    "TERM_RC": ("NODE_FAIL", Blame.MACHINE),
}
_TERM = re.compile(r"(TERM_\w+)(?::\s*([^.;]*))?")
_HISTORY = re.compile(r"Job <(\d+)>, Job Name <([^>]*)>")
_EXIT_CODE = re.compile(r"Exited with exit code (\d+)|Exited by signal (\d+)")


def options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    """Return what bsub is asked for, each with the key of the block that it comes from."""
    flags = [("", f"-J {name}"), ("", "-o /dev/null")]
    if block.queue_name:
        flags.append(("queue_name", f'-q "{block.queue_name.replace(",", " ")}"'))
    flags.append(("number_node", f"-n {block.number_node * block.cpu_per_node}"))
    if block.number_node > 1 or block.cpu_per_node > 1:
        flags.append(("cpu_per_node", f'-R "span[ptile={block.cpu_per_node}]"'))
    if block.gpu_per_node:
        flags.append(("gpu_per_node", f'-gpu "num={block.gpu_per_node}"'))
    return flags


class LsfExecutor(QueueExecutor):
    """Submits with bsub, asks bjobs once for all jobs, cancels with bkill.

    What bjobs has forgotten, bhist says.
    """

    dialect = Dialect(
        directive="#BSUB",
        options=options,
        job_id="LSB_JOBID",
        nodes="${LSB_HOSTS-$HOSTNAME}",
        opening=own_output("LSB_JOBID"),
    )
    submits = "bsub"
    refusals = Refusals(
        outage=r"LSF is down|batch daemon (not|internal)|still trying|please wait|cannot connect"
        r"|communication (time ?out|error)|connection (refused|reset)|failed in an LSF library call"
        r"|mbatchd|slave LIM|master (LIM|batch)|server (error|is not responding)",
        limit=r"pending job threshold|pending (job|slot)s? limit|too many jobs"
        r"|limit (of|for) .*jobs|reached .*(pending|job) .*limit|MAX_PEND",
        keys=(
            (r"queue", "queue_name"),
            (r"gpu", "gpu_per_node"),
            (r"user permission", "the installation of LSF, which could not verify who you are"),
            (r"processor|slot|host", "number_node, cpu_per_node"),
            (r".", "custom_flags"),
        ),
    )
    _fields: Sequence[str] = _FIELDS

    @staticmethod
    def run(words: Sequence[str], stdin: Optional[Path] = None) -> Answer:
        """Run a command of LSF; ``BSUB_QUIET`` would keep bsub from naming the job."""
        foreign = re.compile(r"BSUB_\w+|LSB_(BJOBS_\w+|DISPLAY_\w+|JOBNAME|JOBINDEX\w*|SUB_\w+)")
        kept = {key: value for key, value in os.environ.items() if not foreign.fullmatch(key)}
        return run_command(words, kept, "LSF", stdin)

    # ---- submission

    def submission(self, spec: JobSpec) -> tuple[Sequence[str], Optional[Path]]:
        """The command that submits the script of `spec`; bsub reads the header from its input."""
        return ["bsub", "-J", spec.name], spec.script

    def id_in(self, answer: Answer) -> str:
        """The job's id."""
        match = _SUBMITTED.search(answer.out)
        return match.group(1) if match else ""

    def deletion(self, ids: Sequence[str]) -> Sequence[str]:
        """The command that ends jobs."""
        return ["bkill", *ids]

    # ---- questions

    def queued(self, jobs: Mapping[str, str]) -> list[Row]:
        """What bjobs says of the jobs, those that ended within the last hour or so included."""
        ids = list(jobs)
        step = max(1, LIST_LENGTH // (max(map(len, ids)) + 1))
        parts = (ids[start : start + step] for start in range(0, len(ids), step))
        return [row for part in parts for row in self._listed(*part)]

    def ended(self, jobs: Mapping[str, str]) -> list[Row]:
        """What the history says."""
        return past(self.history("bhist", "-l", "-n", "0", *jobs))

    def named(self, name: str) -> list[Row]:
        """All jobs of this user that have a name."""
        history = self.history("bhist", "-a", "-l", "-n", "0", "-u", user_name(), "-J", name)
        return [*past(history), *self._listed("-u", user_name(), "-J", name)]

    def _listed(self, *words: str) -> list[Row]:
        while True:
            fields = self._fields[0]
            answer = self.asked("bjobs", "-a", "-noheader", "-o", fields, *words)
            if not answer.status or _NOT_FOUND.search(answer.err):
                return listed(answer.out, "pend_reason" in fields)
            if len(self._fields) == 1 or not _UNKNOWN_FIELD.search(answer.err):
                raise OutageError(f"bjobs: {in_one_line(answer.err) or answer.status}")
            self._fields = self._fields[1:]


def listed(text: str, with_reason: bool = True) -> list[Row]:
    """Read what bjobs prints, with or without the reason for which a job waits."""
    rows = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) >= 5 and parts[0].isdigit():
            job_id, word, code, why = parts[:4]
            reason = "|".join(parts[4:-1]) if with_reason else ""
            rows.append(Row(job_id, parts[-1], state_of(job_id, word, (code, why), reason)))
    return rows


def state_of(job_id: str, word: str, end: tuple[str, str], reason: str = "") -> JobState:
    """Tell what a state means. A word that nobody knows belongs to a living job.

    Parameters
    ----------
    end
        Exit code, and the reason for which the job ended.
    reason
        Why it waits.
    """
    if word in ("DONE", "POST_DONE", "POST_ERR", "EXIT"):
        return JobState(JobPhase.ENDED, "COMPLETED") if word != "EXIT" else _end(*end)
    if word == "PSUSP":
        held = _HELD.format(id=job_id)
        return JobState(JobPhase.WAITING, word, "held", obstacle="it is held", warning=held)
    if word in ("PEND", "WAIT", "PROV"):
        reason = "" if reason == "-" else reason
        obstacle = "" if not reason or _ITS_TURN.search(reason) else reason
        return JobState(JobPhase.WAITING, word, reason, obstacle=obstacle)
    suspended = word in ("USUSP", "SSUSP")
    unreachable = "runs on a host that does not answer" if word in ("UNKWN", "ZOMBI") else ""
    warning = _SUSPENDED.format(id=job_id) if suspended else unreachable
    return JobState(JobPhase.RUNNING, word, warning=warning)


def _end(code: str, why: str) -> JobState:
    match = _TERM.search(why)
    if match and match.group(1) in _REASONS:
        word, blame = _REASONS[match.group(1)]
        reason = (match.group(2) or match.group(1)).strip()
        again = "; its tasks run again" if blame is Blame.MACHINE else ""
        warning = f"was ended: {reason}{again}"
        return JobState(JobPhase.ENDED, word, match.group(1), blame, warning=warning)
    if match:
        return JobState(JobPhase.ENDED, "KILLED", match.group(1))
    if code.isdigit() and int(code):
        return ended_with(int(code))
    return JobState(JobPhase.ENDED, "FAILED", why.strip("-"))


def past(text: str) -> list[Row]:
    """Read what ``bhist -l`` prints of jobs that have ended; long lines are broken anywhere."""
    rows = []
    for part in re.split(r"^-{20,}$", text, flags=re.MULTILINE):
        joined = re.sub(r"\n {21}", "", part)
        job, done = _HISTORY.search(joined), "Done successfully" in joined
        ended = _EXIT_CODE.search(joined)
        if job and done:
            rows.append(Row(job.group(1), job.group(2), JobState(JobPhase.ENDED, "COMPLETED")))
        elif job and (ended or "Completed <exit>" in joined):
            code, number = ended.groups() if ended else (None, None)
            status = code or (str(128 + int(number)) if number else "")
            why = _TERM.search(joined)
            rows.append(Row(job.group(1), job.group(2), _end(status, why.group() if why else "")))
    return rows
