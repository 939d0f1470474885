"""Jobs of the PBS family: OpenPBS and PBS Professional (``pbs``), and Torque (``torque``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Optional

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError
from pwact.executors.base import Blame, JobPhase, JobSpec, JobState, OutageError
from pwact.executors.commands import LIST_LENGTH, Answer, in_one_line, run_command, user_name
from pwact.executors.dialect import Dialect, short_name
from pwact.executors.queue import QueueExecutor, Refusals, Row, ended_with, own_output

_NAME_LENGTH = 15  # Torque and old releases take no longer names
_UNKNOWN = re.compile(r"unknown job|job has finished", re.IGNORECASE)
_SIGNAL = 256  # what an exit status begins at when a signal ended the script
_LIMITS = {  # negative exit statuses of PBS itself, as its reference guide lists them
    -24: ("TIMEOUT", "CPU use in a burst", Blame.TASK),
    -25: ("TIMEOUT", "number of CPUs used", Blame.TASK),
    -26: ("OUT_OF_MEMORY", "virtual memory", Blame.TASK),
    -27: ("OUT_OF_MEMORY", "memory", Blame.TASK),
    -28: ("TIMEOUT", "CPU time", Blame.TIMEOUT),
    -29: ("TIMEOUT", "walltime", Blame.TIMEOUT),
}
_OVER_TIME = re.compile(r"exceeded resource (walltime|cput)|walltime .*exceeded limit")
_NEVER = re.compile(r"Can Never Run: *(.*)", re.IGNORECASE)
_WAITS = re.compile(r"Not Running: *(.*)|Job held.*|.*too many failed attempts.*", re.IGNORECASE)
_ITS_TURN = re.compile(
    r"Insufficient amount of resource|Not enough (free|of the right type of) nodes"
    r"|No available resources on nodes|top job|Draining system|another job|Starving",
    re.IGNORECASE,
)
_HELD = "is held: it waits until 'qrls {id}'"
_SUSPENDED = "is suspended"
_PHASES = {
    **dict.fromkeys("HMQTW", JobPhase.WAITING),
    **dict.fromkeys("BERSU", JobPhase.RUNNING),
    **dict.fromkeys("CFX", JobPhase.ENDED),
}


def _shared_options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    if "," in block.queue_name:
        raise InputError(
            f"PBS takes one queue; found {block.queue_name}",
            file=block.file,
            key=f"{block.name}.queue_name",
        )
    flags = [
        ("", f"-N {name}"),
        ("", "-S /bin/bash"),
        ("", "-V"),
        ("", "-j oe"),
        ("", "-o /dev/null"),
    ]
    if block.queue_name:
        flags.append(("queue_name", f"-q {block.queue_name}"))
    return flags


def _asks_for(block: ResourceBlock, words: str) -> bool:
    """Whether the user's own flags say where the job runs."""
    return any(re.search(words, flag) for flag in block.custom_flags)


def pbs_options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    """Return what qsub of OpenPBS is asked for, each with the key of the block it comes from."""
    chunk = f"ncpus={block.cpu_per_node}:mpiprocs={block.cpu_per_node}"
    chunk += f":ngpus={block.gpu_per_node}" if block.gpu_per_node else ""
    own = _asks_for(block, r"\b(select|nodes)=")
    select = [] if own else [("number_node", f"-l select={block.number_node}:{chunk}")]
    return [*_shared_options(name, block), *select]


def torque_options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    """Return what qsub of Torque is asked for, each with the key of the block it comes from."""
    gpus = f":gpus={block.gpu_per_node}" if block.gpu_per_node else ""
    nodes = f"-l nodes={block.number_node}:ppn={block.cpu_per_node}{gpus}"
    own = _asks_for(block, r"\b(nodes|procs)=")
    return [*_shared_options(name, block), *([] if own else [("number_node", nodes)])]


class PbsExecutor(QueueExecutor):
    """Submits with qsub, asks qstat once for all jobs, cancels with qdel.

    The server remembers jobs that have ended for a while (``qstat -x``).
    """

    dialect = Dialect(
        directive="#PBS",
        options=pbs_options,
        job_id="PBS_JOBID",
        nodes="$(sort -u ${PBS_NODEFILE:-<(echo $HOSTNAME)} | xargs)",
        job_name=short_name(_NAME_LENGTH),
        opening=own_output("PBS_JOBID"),
    )
    submits = "qsub"
    refusals = Refusals(
        outage=r"cannot connect to server|connection refused|no permission to contact|timed? ?out"
        r"|errno=1\d\d|end of file|premature|batch protocol error|could not (contact|connect)"
        r"|server (is )?(shutting|not responding|down)|credential|munge",
        limit=r"would exceed .*limit|exceeds? .*(queued|job) limit|maximum number of jobs"
        r"|too many (jobs|queued)|limit on .*jobs|max_(user_)?queu",
        keys=(
            (r"queue|route", "queue_name"),
            (r"gpu", "gpu_per_node"),
            (r"select|node|ncpus|ppn|chunk|resource", "number_node, cpu_per_node, custom_flags"),
            (r".", "custom_flags"),
        ),
    )
    history_flags: Sequence[str] = ("-x",)

    @staticmethod
    def run(words: Sequence[str], stdin: Optional[Path] = None) -> Answer:
        """Run a command of PBS; ``PBS_DPREFIX`` would make it read other header lines."""
        foreign = ("PBS_DPREFIX", "PBS_QSTAT_EXECONLY")
        kept = {key: value for key, value in os.environ.items() if key not in foreign}
        return run_command(words, kept, "PBS", stdin)

    # ---- submission

    def submission(self, spec: JobSpec) -> tuple[Sequence[str], Optional[Path]]:
        """The command that submits the script of `spec`."""
        return ["qsub", "-N", self.dialect.job_name(spec.name), str(spec.script)], None

    def id_in(self, answer: Answer) -> str:
        """The job's id: the last line, ``12.server``."""
        lines = answer.out.split()
        return lines[-1] if lines and re.fullmatch(r"\d+(\.\S+)?", lines[-1]) else ""

    def deletion(self, ids: Sequence[str]) -> Sequence[str]:
        """The command that ends jobs."""
        return ["qdel", *ids]

    # ---- questions

    def queued(self, jobs: Mapping[str, str]) -> list[Row]:
        """What the server says of the jobs, those that have ended included."""
        return self._described(list(jobs))

    def ended(self, jobs: Mapping[str, str]) -> list[Row]:  # noqa: ARG002
        """Nothing: what the server forgot, nobody knows."""
        return []

    def named(self, name: str) -> list[Row]:
        """All jobs of this user that have a name."""
        answer = self.asked("qselect", *self.history_flags, "-u", user_name(), "-N", name)
        if answer.status:
            raise OutageError(f"qselect: {in_one_line(answer.err) or answer.status}")
        return self._described(answer.out.split())

    def _described(self, ids: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        step = max(1, LIST_LENGTH // (max(map(len, ids), default=0) + 1))
        for start in range(0, len(ids), step):
            part = ids[start : start + step]
            answer = self.asked("qstat", *self.history_flags, "-f", *part)
            if answer.status and not _UNKNOWN.search(answer.err):
                raise OutageError(f"qstat: {in_one_line(answer.err) or answer.status}")
            rows += described(answer.out)
        return rows


class TorqueExecutor(PbsExecutor):
    """As PBS, with the words of Torque, whose server remembers ended jobs without being asked."""

    dialect = Dialect(
        directive="#PBS",
        options=torque_options,
        job_id="PBS_JOBID",
        nodes=PbsExecutor.dialect.nodes,
        job_name=PbsExecutor.dialect.job_name,
        opening=PbsExecutor.dialect.opening,
    )
    history_flags = ()


def described(text: str) -> list[Row]:
    """Read what ``qstat -f`` prints: jobs with their attributes, long lines continued by tabs."""
    rows = []
    for job_id, attributes in _jobs(text):
        rows.append(Row(job_id, attributes.get("Job_Name", ""), state_of(job_id, attributes)))
    return rows


def _jobs(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    job_id, key = "", ""
    attributes: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("Job Id:"):
            if job_id:
                yield job_id, attributes
            job_id, attributes, key = line.partition(":")[2].strip(), {}, ""
        elif line.startswith("\t") and key:
            attributes[key] += line.strip("\t\r")
        elif " = " in line:
            key, _, value = line.strip().partition(" = ")
            attributes[key] = value
    if job_id:
        yield job_id, attributes


def state_of(job_id: str, attributes: Mapping[str, str]) -> JobState:
    """Tell what the attributes of a job mean. A state that nobody knows belongs to a living job."""
    word = attributes.get("job_state", "")
    comment = attributes.get("comment", "").strip()
    phase = _PHASES.get(word, JobPhase.RUNNING)
    if phase is JobPhase.ENDED:
        return _end(attributes.get("Exit_status", ""), comment)
    if phase is JobPhase.WAITING:
        return _waiting(job_id, word, comment)
    return JobState(phase, word, warning=_SUSPENDED if word in ("S", "U") else "")


def _waiting(job_id: str, word: str, comment: str) -> JobState:
    never = _NEVER.search(comment)
    if never:
        reason = never.group(1) or comment
        warning = f"can never start: {reason}"
        return JobState(JobPhase.WAITING, word, reason, stuck=True, warning=warning)
    match = _WAITS.search(comment)
    reason = (match.group(1) or match.group()) if match else ""
    if word == "H":
        held = _HELD.format(id=job_id)
        return JobState(
            JobPhase.WAITING, word, reason, obstacle=reason or "it is held", warning=held
        )
    obstacle = "" if not reason or _ITS_TURN.search(reason) else reason
    return JobState(JobPhase.WAITING, word, reason, obstacle=obstacle)


def _end(status: str, comment: str) -> JobState:
    code = int(status) if re.fullmatch(r"-?\d+", status.strip()) else None
    if code is None:  # deleted before it began
        return JobState(JobPhase.ENDED, "ENDED", comment)
    if code in _LIMITS:
        word, what, blame = _LIMITS[code]
        warning = f"was ended at its limit of {what}"
        return JobState(JobPhase.ENDED, word, f"exit status {code}", blame, warning=warning)
    if _OVER_TIME.search(comment):
        warning = "was ended at its limit of time"
        return JobState(JobPhase.ENDED, "TIMEOUT", comment, Blame.TIMEOUT, warning=warning)
    if code < 0:
        warning = f"failed in the hands of PBS (exit status {code}); its tasks run again"
        return JobState(JobPhase.ENDED, "FAILED", comment, Blame.MACHINE, warning=warning)
    return ended_with(code - 128 if code >= _SIGNAL else code)
