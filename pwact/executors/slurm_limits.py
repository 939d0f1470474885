"""What SLURM allows in the queues of a resource block, as far as it says so."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable

from pwact.config.resources import ResourceBlock
from pwact.errors import PwactError
from pwact.executors.commands import Answer
from pwact.executors.slurm import call

_PARTITION = (
    ("MaxTime", "a job may take {}"),
    ("MaxNodes", "a job may have {} nodes"),
    ("State", "it is {}"),
)
_ACCOUNT = (
    ("MaxJobs", "{} jobs may run at a time"),
    ("MaxSubmit", "{} jobs may be in the queue"),
    ("MaxWall", "a job may take {}"),
    ("GrpJobs", "{} jobs of all its users may run at a time"),
    ("GrpSubmit", "{} jobs of all its users may be in the queue"),
)
_QOS = (
    ("MaxJobsPU", "{} jobs may run at a time"),
    ("MaxSubmitPU", "{} jobs may be in the queue"),
    ("MaxWall", "a job may take {}"),
    ("GrpJobs", "{} jobs of all its users may run at a time"),
)
_NONE = frozenset({"", "UNLIMITED", "(null)", "UP", "N/A"})


def limits_of(block: ResourceBlock, ask: Callable[[Sequence[str]], Answer] = call) -> Iterator[str]:
    """Limits of the partitions of a block, of the user and of the QOS, a line each.

    What SLURM does not say, or not without accounting, is left out; where it does not answer at
    all, that is said.
    """
    names = block.queue_name.split(",")
    try:
        for name in names:
            answer = ask(["scontrol", "-o", "show", "partition", name])
            if answer.status:
                yield f"partition {name}: {(answer.err or answer.out).strip()}"
                continue
            known = dict(re.findall(r"(\w+)=(\S*)", answer.out))
            yield from _said(f"partition {name}", known, _PARTITION)
        yield from _of_arrays(ask(["scontrol", "show", "config"]).out)
    except PwactError as error:
        yield f"limits of the queue are not known: {error}"
        return
    yield from _of_accounting(ask)


def _said(what: str, known: Mapping[str, str], table: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The limits that are set."""
    found = [words.format(known[key]) for key, words in table if known.get(key, "") not in _NONE]
    if found:
        yield f"{what}: {', '.join(found)}"


def _of_arrays(config: str) -> Iterator[str]:
    known = dict(re.findall(r"^(\w+)\s*=\s*(\S+)", config, re.MULTILINE))
    table = (
        ("MaxArraySize", "numbers of an array are below {}"),
        ("MaxJobCount", "{} jobs of all users may be in the queue"),
    )
    yield from _said("the cluster", known, table)


def _of_accounting(ask: Callable[[Sequence[str]], Answer]) -> Iterator[str]:
    """Limits of the user in each account, and of each QOS of his; none without accounting."""
    user = getpass.getuser()
    columns = ["Account", "Partition", "QOS", *(key for key, _ in _ACCOUNT)]
    accounts = _table(ask, ["assoc", "where", f"user={user}"], columns)
    quality: dict[str, None] = {}
    for row in accounts:
        inside = f" in {row['Partition']}" if row["Partition"] else ""
        yield from _said(f"account {row['Account']}{inside}", row, _ACCOUNT)
        quality.update(dict.fromkeys(row["QOS"].split(",")))
    for row in _table(ask, ["qos"], ["Name", *(key for key, _ in _QOS)]):
        if row["Name"] in quality:
            yield from _said(f"QOS {row['Name']}", row, _QOS)


def _table(
    ask: Callable[[Sequence[str]], Answer], what: Sequence[str], columns: Sequence[str]
) -> list[dict[str, str]]:
    """Rows that sacctmgr shows; none where there is no accounting."""
    try:
        answer = ask(["sacctmgr", "-nP", "show", *what, f"format={','.join(columns)}"])
    except PwactError:
        return []
    rows = [line.split("|") for line in answer.out.splitlines()] if not answer.status else []
    return [dict(zip(columns, row)) for row in rows if len(row) == len(columns)]
