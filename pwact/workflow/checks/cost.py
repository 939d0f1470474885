"""What a pair of input files would cost: tasks, jobs, core-hours, disk. Nothing is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Optional

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair
from pwact.config.resources import ONE_SCRIPT, ResourceBlock, Resources
from pwact.config.run import RunConfig
from pwact.engines.explorers import Condition
from pwact.executors.history import JobStory, job_stories
from pwact.executors.local import parallel_jobs
from pwact.formats.structures import read_structure
from pwact.io.journal import Journal
from pwact.registry import Entry
from pwact.registry.schedulers import EXECUTORS
from pwact.report.table import aligned
from pwact.uncertainties import uncertainty
from pwact.workflow import ledger
from pwact.workflow.budget import core_hours, spent
from pwact.workflow.checks.amount import init_bulk_parts
from pwact.workflow.conditions import plan_of
from pwact.workflow.systems import System, all_systems

ATOM_BYTES = 140  # a line of a dump: eight numbers, most of them with 16 digits
UNKNOWN = "?"
_TRIED = frozenset({"scf", "train", "md"})  # kinds of tasks that `--try` can time


@dataclass(frozen=True)
class Part:
    """Tasks of one sort.

    Attributes
    ----------
    kind
        Of their jobs.
    tasks
        How many there will be at most, those that are done included.
    at_once
        How many a step has.
    """

    words: str
    kind: str
    tasks: int
    at_once: int
    block: Optional[ResourceBlock]


def cost_lines(
    pair: LoadedPair, now: float, tried: Mapping[str, float] = MappingProxyType({})
) -> list[str]:
    """Say what is asked for and what it may cost.

    Parameters
    ----------
    now
        Seconds since the epoch.
    tried
        Kind of task (``scf``, ``train``, ``md``) → seconds of one that was tried.
    """
    config, resources = pair.config, pair.resources
    events = Journal(config.work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    if isinstance(config, RunConfig):
        parts = _of_run(config, resources)
    else:
        parts = _of_init_bulk(config, resources)
    usual = task_core_hours(job_stories(events), now)
    fresh = []
    for part in parts:
        if part.kind in tried and part.kind not in usual and part.block is not None:
            usual[part.kind] = tried[part.kind] * _cores(part.block) / 3600
            fresh.append(part.words)
    lines = aligned([_HEADINGS, *(_cells(one, usual) for one in parts)]).splitlines()
    lines += [_together(parts, usual, fresh), *_queues(parts)]
    if isinstance(config, RunConfig):
        used = spent(ledger.stages(events), events, now)
        lines += [f"used so far: {used.labels} labels, {used.core_hours:.3g} core-hours"]
        lines += [*_budget(config), *_disk(config)]
    return lines


_HEADINGS = ("at most", "tasks", "jobs a step", "at a time", "core-hours a task", "core-hours")


def _cells(part: Part, usual: Mapping[str, float]) -> list[str]:
    one = usual.get(part.kind)
    jobs, limit = _jobs(part)
    return [
        part.words,
        str(part.tasks),
        jobs,
        limit,
        UNKNOWN if one is None else f"{one:.2g}",
        UNKNOWN if one is None else f"{one * part.tasks:.3g}",
    ]


def _jobs(part: Part) -> tuple[str, str]:
    """How many jobs a step has, and how many of them are in the queue, or run, at a time."""
    block = part.block
    if block is None:
        return UNKNOWN, UNKNOWN
    size = part.at_once if block.group_size == ONE_SCRIPT else block.group_size
    jobs = ceil(part.at_once / max(1, size))
    queue = EXECUTORS[block.scheduler].needs_queue
    limit = block.max_jobs_in_queue if queue else parallel_jobs(block)
    return str(jobs), str(jobs if limit is None else min(jobs, limit))


def _queues(parts: Sequence[Part]) -> Iterator[str]:
    """What the queues of the blocks allow; each once."""
    blocks = {one.block.name: one.block for one in parts if one.block is not None and one.tasks}
    said: dict[str, list[str]] = {}
    for name, block in blocks.items():
        limits = EXECUTORS[block.scheduler].limits
        for words in Entry(limits).load()(block) if limits else ():
            said.setdefault(words, []).append(name)
    yield from (f"queue of {', '.join(names)}: {words}" for words, names in said.items())


def _cores(block: ResourceBlock) -> int:
    return block.number_node * block.cpu_per_node


def _together(parts: Sequence[Part], usual: Mapping[str, float], tried: Sequence[str]) -> str:
    known = [one for one in parts if one.kind in usual]
    unknown = [one.words for one in parts if one.kind not in usual and one.tasks]
    total = sum(usual[one.kind] * one.tasks for one in known)
    own = len(known) > len(tried)
    sources = ["medians of this campaign"] if own else []
    sources += [f"one each that was tried ({', '.join(tried)})"] if tried else []
    source = " and ".join(sources)
    words = f"together about {total:.3g} core-hours, by {source}" if known else ""
    never = [one.words for one in parts if one.kind not in _TRIED and one.words in unknown]
    missing = [f"not known yet: {', '.join(unknown)}"] if unknown else []
    missing += ["--try measures one of each"] if set(unknown) - set(never) and not tried else []
    missing += [f"--try does not time {', '.join(never)}"] if never else []
    return "; ".join(part for part in (words, *missing) if part)


def task_core_hours(jobs: Sequence[JobStory], now: float) -> dict[str, float]:
    """Kind of task → CPUs times hours of one in the median, from jobs that did all their tasks."""
    found: dict[str, list[float]] = {}
    for job in jobs:
        apart = f"/{layout.APPRAISE}" in job.job.directory  # evaluations, which are no MD
        if job.state == "ended" and job.tasks and job.done == len(job.tasks) and not apart:
            found.setdefault(job.job.kind, []).append(core_hours(job, now) / len(job.tasks))
    return {kind: median(times) for kind, times in found.items()}


def _of_run(config: RunConfig, resources: Resources) -> list[Part]:
    plan, systems = plan_of(config), all_systems(config)
    times = 1 if plan.target is None else plan.most
    steps = max(1, plan.conditions)
    mds = sum(len(list(one.runs())) for one in systems)
    labels = sum(one.limit for one in systems)
    members = config.strategy.model_num
    trainings = (plan.longest + 1) * members
    at_once = (members, ceil(mds / steps), ceil(labels / steps))
    parts = [
        Part("trainings", "train", trainings, at_once[0], resources.train),
        Part("MDs", "md", mds * times, at_once[1], resources.explore),
        Part("labels", "scf", labels * times, at_once[2], resources.dft),
    ]
    if not uncertainty(config.strategy.uncertainty).streams:
        parts.insert(2, Part("KPU", "kpu", mds * times, at_once[1], resources.train))
    return parts


def _of_init_bulk(config: InitConfig, resources: Resources) -> list[Part]:
    blocks = {layout.BIGMODEL: resources.explore, layout.SCF: resources.scf or resources.dft}
    return [
        Part(words, kind, count, count, blocks.get(kind, resources.dft))
        for count, words, kind in init_bulk_parts(config)
        if count
    ]


def _budget(config: RunConfig) -> list[str]:
    labels, hours = config.budget.labels, config.budget.core_hours
    words = [] if labels is None else [f"{labels} labels"]
    words += [] if hours is None else [f"{hours:g} core-hours"]
    return [f"budget: the run ends at {' or '.join(words)}"] if words else []


def _disk(config: RunConfig) -> Iterator[str]:
    """What trajectories take, and what iterations have taken so far."""
    sizes = [size for one in all_systems(config) for size in _bytes(one)]
    unknown = sizes.count(None)
    more = f"; {unknown} more by inputs of your own, whose length is not known" if unknown else ""
    total = sum(size or 0 for size in sizes)
    if config.reserve_md_traj:
        yield f"disk: trajectories about {_shown(total)}, which are kept{more}"
    else:
        share = _shown(total / max(1, plan_of(config).conditions))
        yield f"disk: trajectories about {share} an iteration, deleted when it is complete{more}"
    done = _last_complete(config.work_dir)
    if done is not None:
        files, size = _contents(done)
        yield f"disk: {done.name} has {files} files, {_shown(size)}"


def _bytes(system: System) -> Iterator[Optional[int]]:
    """What each trajectory of a system takes; None where its length is not known."""
    atoms = len(read_structure(system.structure.path, system.structure.format))
    for run in system.runs():
        motion = run.motion
        if isinstance(motion, Condition):
            yield (motion.nsteps // motion.trj_freq + 1) * atoms * ATOM_BYTES
        else:
            yield None


def _last_complete(work_dir: Path) -> Optional[Path]:
    """The last iteration that has labels."""
    found = sorted(work_dir.glob(f"iter.*/{layout.LABEL}/result"))
    return found[-1].parent.parent if found else None


def _contents(directory: Path) -> tuple[int, int]:
    """Number of files below a directory, and their bytes."""
    sizes = [
        (Path(place) / name).lstat().st_size
        for place, _, names in os.walk(directory)
        for name in names
    ]
    return len(sizes), sum(sizes)


def _shown(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
