"""What SLURM's commands say, in terms of jobs. Text in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.config.resources import ResourceBlock
from pwact.executors.base import ARRAY_SPAN, Blame, JobPhase, JobState
from pwact.executors.dialect import Dialect

ROW_FORMAT = "%i|%T|%j|%r"
_SIDE_BY_SIDE = """\
    [ -n "${SLURM_JOB_ID-}" ] || return 0  # else for srun: a step would take the whole job
    export SLURM_EXACT=1
    [ "$gpus" -lt 1 ] || export SLURM_GRES=gpu:$gpus
    [ "${SLURM_MEM_PER_NODE:-0}" -eq 0 ] ||
        export SLURM_MEM_PER_NODE=$((SLURM_MEM_PER_NODE / pwact_slots))
"""
_NAME = re.compile(r"([^\d]+)(\d+)-([0-9a-f]{12})")
_PARTS = re.compile(r"(\d+)_\[(\d+(?:-\d+(?::\d+)?)?(?:,\d+(?:-\d+(?::\d+)?)?)*)(?:%\d+)?\]")

_WAITING, _RUNNING, _ENDED = JobPhase.WAITING, JobPhase.RUNNING, JobPhase.ENDED
_T, _M = Blame.TASK, Blame.MACHINE
_HELD = "is held: it waits until 'scontrol release {id}'"

# short name, long name, phase, blame, warning
_TABLE: tuple[tuple[str, str, JobPhase, Blame, str], ...] = (
    ("PD", "PENDING", _WAITING, _T, ""),
    ("CF", "CONFIGURING", _WAITING, _T, ""),
    ("RQ", "REQUEUED", _WAITING, _T, "goes back to the queue"),
    ("RF", "REQUEUE_FED", _WAITING, _T, "goes back to the queue"),
    ("RH", "REQUEUE_HOLD", _WAITING, _T, _HELD),
    ("RD", "RESV_DEL_HOLD", _WAITING, _T, _HELD),
    ("SE", "SPECIAL_EXIT", _WAITING, _T, _HELD),
    ("S", "SUSPENDED", _RUNNING, _T, "is suspended: it goes on after 'scontrol resume {id}'"),
    ("ST", "STOPPED", _RUNNING, _T, "is stopped"),
    ("R", "RUNNING", _RUNNING, _T, ""),
    ("CG", "COMPLETING", _RUNNING, _T, ""),
    ("RS", "RESIZING", _RUNNING, _T, ""),
    ("SI", "SIGNALING", _RUNNING, _T, ""),
    ("SO", "STAGE_OUT", _RUNNING, _T, ""),
    ("CD", "COMPLETED", _ENDED, _T, ""),
    ("F", "FAILED", _ENDED, _T, ""),
    ("CA", "CANCELLED", _ENDED, _T, "was cancelled, though not by pwact"),
    ("DL", "DEADLINE", _ENDED, _T, "was ended at its deadline"),
    ("OOM", "OUT_OF_MEMORY", _ENDED, _T, "ran out of memory"),
    ("TO", "TIMEOUT", _ENDED, Blame.TIMEOUT, "was ended at its time limit"),
    ("NF", "NODE_FAIL", _ENDED, _M, "ended with its node; its tasks run again"),
    ("PR", "PREEMPTED", _ENDED, _M, "had to make room for others; its tasks run again"),
    ("BF", "BOOT_FAIL", _ENDED, _M, "ended as its node did not boot; its tasks run again"),
    ("LF", "LAUNCH_FAILED", _ENDED, _M, "could not be launched on its node; its tasks run again"),
    ("RV", "REVOKED", _ENDED, _M, "was taken over by another cluster; its tasks run again"),
)
_STATES = {word: row for row in _TABLE for word in row[:2]}

_NEVER = re.compile(
    r"PartitionConfig|PartitionNodeLimit|PartitionTimeLimit|DependencyNeverSatisfied"
    r"|BadConstraints|AccountNotAllowed|QOSNotAllowed|InvalidAccount|InvalidQOS"
    r"|(QOS|Assoc)(Max|Min)\w*PerJob\w*|(QOS|Assoc)MaxWallDuration\w*"
)
_HOLDS = re.compile(r"JobHeld\w*|.*\bheld\b.*", re.IGNORECASE)
_ITS_TURN = ("", "None", "Priority", "Resources", "Dependency", "JobArrayTaskLimit")
_OBSTACLES = (  # SLURM's reasons, in words
    (r"QOSGrp\w+", "the limit of its QOS for all jobs is reached, or below what it asks for"),
    (r"AssocGrp\w+", "the limit of its account for all jobs is reached, or below what it asks for"),
    (r"QOSMax\w+", "the limit of its QOS for a user or account is reached"),
    (r"(Assoc|Account)Max\w+", "the limit of its account is reached"),
    (r"Licenses", "no licence is free"),
)

_OUTAGE = re.compile(
    r"unable to contact slurm|socket timed out|connection (refused|reset|timed out|failure)"
    r"|communication (connection )?failure|zero bytes were transmitted|not connected"
    r"|invalid user|authentication|munge|slurmctld.*(down|backup|standby)|unexpected message"
    r"|temporary failure|incompatible versions",
    re.IGNORECASE,
)
_LIMIT = re.compile(
    r"(QOS|Assoc)\w*(Submit|MaxJobs)\w*|MaxSubmitJobs\w*|MaxJobCount|job submit limit"
    r"|temporarily unable to accept job|resource temporarily unavailable|maximum number of jobs",
    re.IGNORECASE,
)
_POLICY = re.compile(r"(?<!\w)(QOS|Assoc)(?!\w*(Submit|MaxJobs))(Max|Min|Grp)\w+Limit")
_ARRAY = re.compile(r"array", re.IGNORECASE)
_WITHOUT_ACCOUNTING = re.compile(r"accounting storage is (disabled|not )", re.IGNORECASE)
_UNKNOWN_FIELD = re.compile(r"invalid field requested|unrecognized field", re.IGNORECASE)
_KEYS = (  # what sbatch complains about → keys of a resource block
    (r"invalid account", "queue_name or custom_flags"),
    (r"partition", "queue_name"),
    (r"gres|generic resource|gpu", "gpu_per_node"),
    (r"node count|nodes", "number_node"),
    (r"node configuration|cpu|ntasks|tasks", "number_node, cpu_per_node, gpu_per_node"),
    (r".", "custom_flags"),
)


def options(name: str, block: ResourceBlock) -> list[tuple[str, str]]:
    """Return what sbatch is asked for, each with the key of the block that it comes from."""
    flags = [
        ("", f"--job-name={name}"),
        ("number_node", f"--nodes={block.number_node}"),
        ("cpu_per_node", f"--ntasks-per-node={block.cpu_per_node}"),
    ]
    if block.gpu_per_node:
        flags.append(("gpu_per_node", f"--gres=gpu:{block.gpu_per_node}"))
    queues = "".join(block.queue_name.split())
    if queues:
        flags.append(("queue_name", f"--partition={queues}"))
    return flags


DIALECT = Dialect(
    directive="#SBATCH",
    options=options,
    job_id="SLURM_JOB_ID",
    nodes="${SLURM_JOB_NODELIST-$HOSTNAME}",
    side_by_side=_SIDE_BY_SIDE,
)


@dataclass(frozen=True)
class Row:
    """A job as squeue or sacct lists it."""

    id: str
    word: str
    name: str
    reason: str = ""


def rows(text: str) -> list[Row]:
    """Read lines of `ROW_FORMAT`, with or without the reason; others are left out.

    Parts of an array that wait together (``12_[3-5]``) get a row each.
    """
    found = []
    for line in text.splitlines():
        parts = line.strip().split("|", 3)
        if len(parts) >= 3 and parts[0][:1].isdigit():
            word, name, reason = _word(parts[1]), parts[2], (parts[3:] or [""])[0].strip()
            found += [Row(job_id, word, name, reason) for job_id in _each(parts[0])]
    return found


def _each(job_id: str) -> list[str]:
    """Ids of the jobs that a row stands for."""
    match = _PARTS.fullmatch(job_id)
    if not match:
        return [job_id]
    found: list[int] = []
    for part in match.group(2).split(","):
        first, _, last = part.partition("-")
        last, _, step = last.partition(":")
        found += range(int(first), int(last or first) + 1, int(step or 1))
    return [f"{match.group(1)}_{index}" for index in found]


def _word(text: str) -> str:
    return (text.split() or [""])[0].rstrip("+")  # sacct: "CANCELLED by 1000", "CANCELLED+"


def state_of(row: Row) -> JobState:
    """Tell what a row means. A word that nobody knows belongs to a living job."""
    _, word, phase, blame, warning = _STATES.get(row.word.upper(), ("", row.word, _RUNNING, _T, ""))
    reason = "" if row.reason == "None" else row.reason.strip("()")
    stuck = False
    if phase is _WAITING:
        stuck = bool(_NEVER.fullmatch(reason))
        if stuck:
            warning = f"can never start: {reason}"
        elif _HOLDS.fullmatch(reason):
            warning = _HELD
    if phase is _ENDED and reason == "JobLaunchFailure":
        warning = "could not be launched, or was killed on its node"
    waits = phase is _WAITING and reason not in _ITS_TURN
    return JobState(
        phase,
        word,
        reason,
        blame,
        _obstacle(reason) if waits else "",
        stuck,
        warning.format(id=row.id),
    )


def _obstacle(reason: str) -> str:
    """A reason for which a job has to wait, with what it means where that is not plain."""
    found = (words for pattern, words in _OBSTACLES if re.fullmatch(pattern, reason))
    words = next(found, "")
    return f"{reason} ({words})" if words else reason


def array_name(name: str) -> Optional[str]:
    """Name of the array that a job of ours may be part of, from its own name."""
    match = _NAME.fullmatch(name)
    if not match:
        return None
    kind, group, suffix = match.groups()
    return f"{kind}{int(group) // ARRAY_SPAN}.array-{suffix}"


def is_ours(row: Row, name: str) -> bool:
    """Whether a row is the job called `name`: ids alone are handed out again."""
    if "_" not in row.id:
        return row.name == name
    match = _NAME.fullmatch(name)
    index = row.id.partition("_")[2]
    return (
        match is not None
        and row.name == array_name(name)
        and index == str(int(match.group(2)) % ARRAY_SPAN)
    )


def ranges(numbers: Iterable[int]) -> str:
    """Write numbers as SLURM wants them: ``0-3,7``."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)


def cut(words: Sequence[str], length: int) -> list[list[str]]:
    """Cut words into lists that are at most `length` long when joined by commas."""
    lists: list[list[str]] = [[]]
    used = 0
    for word in words:
        if lists[-1] and used + len(word) + 1 > length:
            lists.append([])
            used = 0
        lists[-1].append(word)
        used += len(word) + 1
    return [one for one in lists if one]


def clean(text: str) -> str:
    """Join what a command said into one line, without its name at the front of each."""
    lines = (re.sub(r"^\w+: (error: )?", "", line).strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line)


def output_pattern(directory: Path, number: str, rest: str) -> str:
    """Name a file as sbatch wants it, which takes ``%`` for the beginning of a variable.

    A backslash makes it take every sign as it is, but for the backslash itself.

    Parameters
    ----------
    number
        Variables of sbatch that begin the name of the file; "" where the directory holds a
        backslash.
    rest
        How the name goes on.
    """
    path = f"{directory}/"
    if "\\" in path:
        return path.replace("\\", "\\\\") + number + rest
    return path.replace("%", "%%") + number + rest.replace("%", "%%")


def is_outage(message: str) -> bool:
    """Whether a command failed since nobody answered it."""
    return bool(_OUTAGE.search(message))


def is_without_accounting(message: str) -> bool:
    """Whether sacct failed since this cluster has no accounting."""
    return bool(_WITHOUT_ACCOUNTING.search(message))


def is_unknown_field(message: str) -> bool:
    """Whether a command failed since it does not know a column that it was asked for."""
    return bool(_UNKNOWN_FIELD.search(message))


def is_limit(message: str) -> bool:
    """Whether a submission was refused because there are too many jobs already."""
    return bool(_LIMIT.search(message)) and not _POLICY.search(message)


def is_array_refusal(message: str) -> bool:
    """Whether the array is what a submission was refused for."""
    return bool(_ARRAY.search(message))


def key_for(message: str) -> str:
    """Keys of the resource block that a refusal is about."""
    return next(key for words, key in _KEYS if re.search(words, message, re.IGNORECASE))
