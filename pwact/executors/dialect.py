"""What differs from one scheduler to the next in the text of a job script."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from pwact.config.resources import ResourceBlock
from pwact.executors.base import JobSpec

_DIGITS = 12  # hexadecimal, of a shortened name


def as_it_is(name: str) -> str:
    """Name of a job where the scheduler takes any name of ours."""
    return name


def short_name(length: int) -> Callable[[str], str]:
    """Names of at most `length` signs, 15 or more: letters of the kind of job, and a hash."""

    def shortened(name: str) -> str:
        kind = "".join(sign for sign in name.partition("-")[0] if sign.isalpha())
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
        return name if len(name) <= length else f"{kind[: length - _DIGITS]}{digest}"

    return shortened


def nothing(spec: JobSpec) -> list[str]:  # noqa: ARG001
    """No lines before those that every script has."""
    return []


@dataclass(frozen=True)
class Dialect:
    """How a scheduler wants its job scripts; `pwact.executors.script` renders the rest.

    Attributes
    ----------
    directive
        What begins a line of the header, in capital letters: ``#SBATCH``.
    options
        Job's name and resource block → lines of the header without the directive, each after the
        key of the block that it comes from ("" where none).
    job_id
        Variable that holds the job's id while it runs.
    nodes
        Shell text within double quotes that names the nodes of the job.
    job_name
        The name by which the scheduler knows the job of that name. It must tell any two of our
        jobs apart, and depend on the name alone: a job whose id was lost is found again by it.
    opening
        Lines between header and script: where the scheduler neither changes to the directory of
        the job nor writes its output there while it runs.
    side_by_side
        Shell lines, run where several tasks share the job, that give each task its share.
    """

    directive: str
    options: Callable[[str, ResourceBlock], Sequence[tuple[str, str]]]
    job_id: str
    nodes: str = "$HOSTNAME"
    job_name: Callable[[str], str] = as_it_is
    opening: Callable[[JobSpec], list[str]] = nothing
    side_by_side: str = ""
