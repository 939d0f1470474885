"""resource.json: which commands run where, and how many at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.config.kinds import (
    Anything,
    Choice,
    Items,
    Real,
    Section,
    Text,
    Whole,
)
from pwact.config.schema import (
    Node,
    declare,
    keys_of,
    nearest,
    obsolete,
    read,
    report_unknown,
)
from pwact.config.shapes import Shape, any_case
from pwact.registry.schedulers import EXECUTORS

ONE_SCRIPT = -1  # group_size that puts all tasks into one job script
_MPIRUN = re.compile(r"\bmpirun\s+-np\s+(\S+)")
_LINES = Items(Text())
_PLAIN = Text(one_line=True, plain=True)
_FLAGS = Items(_PLAIN)
_QUEUED = ", ".join(f"`{name}`" for name, one in EXECUTORS.items() if one.needs_queue)
_FIRST, *_MORE = (
    f"`{mark}`" for mark in {one.directive: None for one in EXECUTORS.values()} if mark
)


@dataclass(frozen=True)
class GroupSize:
    """How many tasks share a job script."""

    words: str = "integer >= 1, or -1 for all"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": "integer", "minimum": ONE_SCRIPT, "not": {"enum": [0]}}

    def convert(self, node: Node) -> int:
        """The number."""
        size = Whole().convert(node)
        if size < 1 and size != ONE_SCRIPT:
            raise node.wrong(f"an {self.words}")
        return size


@dataclass(frozen=True)
class UseArray:
    """auto, true or false, as a word or as a truth value."""

    words: str = '"auto", true or false'

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        words = ["auto", "true", "false"]
        return {"anyOf": [{"type": "boolean"}, any_case(words)]}

    def convert(self, node: Node) -> str:
        """``auto``, ``true`` or ``false``."""
        if isinstance(node.value, bool):
            return str(node.value).lower()
        if isinstance(node.value, str) and node.value.strip().lower() in ("auto", "true", "false"):
            return node.value.strip().lower()
        raise node.wrong(self.words)


@dataclass(frozen=True)
class ResourceBlock:
    """One block: what one kind of task needs.

    Attributes
    ----------
    name
        ``train``, ``explore``, ``DFT``, ``direct`` or ``scf``.
    """

    name: str = "train"
    command: str = declare("", Text(), "The program; may hold shell variables.", required=True)
    queue_name: str = declare(
        "", _PLAIN, f"SLURM partition, or a comma list; queue elsewhere. Needed for {_QUEUED} only."
    )
    parallel_environment: str = declare(
        "",
        Text(one_line=True, plain=True),
        "sge: parallel environment of jobs with more than one CPU.",
    )
    group_size: int = declare(
        1,
        GroupSize(),
        "Tasks that share a job script; -1 puts all into one.",
        default_words="1; DFT and scf: -1",
    )
    parallel_num: int = declare(
        1,
        Whole(1),
        "Tasks that run at a time within one job script; each gets its share of the GPUs.",
    )
    number_node: int = declare(1, Whole(1), "Nodes of one job.")
    gpu_per_node: int = declare(0, Whole(0), "GPUs per node; 0 asks for none.")
    cpu_per_node: int = declare(1, Whole(1), "CPUs per node.")
    custom_flags: tuple[str, ...] = declare(
        (),
        _FLAGS,
        f"More header lines of the job script; {_FIRST} ({', '.join(_MORE)}) is put in front "
        "if missing.",
    )
    source_list: tuple[str, ...] = declare(
        (), _LINES, "Files to source before the tasks; `source` is put in front if missing."
    )
    module_list: tuple[str, ...] = declare(
        (), _LINES, "Modules to load before the tasks; `module load` is put in front if missing."
    )
    env_list: tuple[str, ...] = declare((), _LINES, "Lines run before the tasks, as they are.")
    scheduler: str = declare("slurm", Choice(tuple(EXECUTORS)), "Where the jobs run.")
    poll_interval: Optional[float] = declare(
        None, Real(positive=True), "Longest time between two looks at the jobs.", unit="s"
    )
    max_jobs_in_queue: Optional[int] = declare(
        None, Whole(1), "At most this many jobs at a time in the queue."
    )
    use_array: str = declare(
        "auto", UseArray(), "slurm: whether the scripts of a step are submitted as one job array."
    )
    max_parallel_jobs: Optional[int] = declare(
        None,
        Whole(1),
        "local: at most this many jobs at a time.",
        default_words="CPUs // cpu_per_node",
    )
    file: Path = Path("resource.json")

    @property
    def here(self) -> bool:
        """Whether its jobs are processes of this machine."""
        return EXECUTORS[self.scheduler].here


@dataclass(frozen=True)
class Resources:
    """All blocks of resource.json; None where one is absent."""

    file: Path = Path("resource.json")
    train: Optional[ResourceBlock] = declare(None, Section(), "MatPL, DeePMD-kit or LAMMPS/POD.")
    explore: Optional[ResourceBlock] = declare(None, Section(), "LAMMPS, or a user's MD script.")
    dft: Optional[ResourceBlock] = declare(
        None, Section(), "Labels, relaxations and AIMD.", name="DFT"
    )
    direct: Optional[ResourceBlock] = declare(None, Section(), "The user's DIRECT script.")
    scf: Optional[ResourceBlock] = declare(
        None, Section(), "init_bulk: labels by another program.", default_words="as DFT"
    )

    @property
    def blocks(self) -> tuple[ResourceBlock, ...]:
        """The blocks that are there."""
        found = (self.train, self.explore, self.dft, self.direct, self.scf)
        return tuple(block for block in found if block is not None)


SHARED = (  # keys that may stand at the top for all blocks
    "scheduler",
    "queue_name",
    "poll_interval",
    "max_jobs_in_queue",
    "use_array",
    "max_parallel_jobs",
)
ALL_IN_ONE = ("DFT", "scf")  # blocks whose tasks share one script unless the input says otherwise
BLOCK_KEYS = (
    *keys_of(ResourceBlock),
    obsolete("task_run_num", Anything(), "Tries of a task; always four."),
)
SHARED_KEYS = tuple(key for key in BLOCK_KEYS if key.name in SHARED)
TOP_KEYS = keys_of(Resources)


def load_resources(root: Node) -> Resources:
    """Read resource.json.

    Raises
    ------
    InputError
        A block is incomplete or wrong.
    """
    members = root.members()
    shared = {
        key.name.lower(): members[key.name.lower()] for key in SHARED_KEYS if key.name in members
    }
    names = {key.name.lower(): key for key in TOP_KEYS}
    for name, member in members.items():
        if name not in names and name not in shared:
            report_unknown(member, [*(key.name for key in TOP_KEYS), *SHARED])
    blocks: dict[str, Any] = {
        key.attribute: _block(members[name], key.name, shared)
        for name, key in names.items()
        if name in members
    }
    if not blocks:
        _no_block(root, list(members))
    return Resources(file=root.context.file, **blocks)


def _no_block(root: Node, found: list[str]) -> None:
    wanted = ", ".join(key.name for key in TOP_KEYS)
    hints = [
        f"{name} (meant for {near}?)"
        for name in found
        if (near := nearest(name, wanted.split(", ")))
    ]
    seen = f"; found {', '.join(hints)}" if hints else ""
    raise root.error(f"none of the blocks {wanted} is there{seen}")


def _block(node: Node, name: str, shared: Mapping[str, Node]) -> ResourceBlock:
    own = node.members()
    values = read(node, BLOCK_KEYS)
    for key in SHARED_KEYS:
        if key.name in shared and key.name not in own:
            values[key.name] = key.kind.convert(shared[key.name])
    if name in ALL_IN_ONE and "group_size" not in own:
        values["group_size"] = ONE_SCRIPT
    values["queue_name"] = "".join(values["queue_name"].split())
    block = ResourceBlock(name=name, file=node.context.file, **values)
    if EXECUTORS[block.scheduler].needs_queue and not block.queue_name:
        raise node.child("queue_name", None).error(
            f"this key is required for the scheduler {block.scheduler} "
            '("scheduler": "local" needs none)'
        )
    _check_mpirun(node, block)
    return block


def _check_mpirun(node: Node, block: ResourceBlock) -> None:
    found = _MPIRUN.search(block.command)
    if found is None or "$" in found.group(1) or "$SLURM" in block.command:
        return
    place = node.child("command", block.command)
    ranks, cpus = found.group(1), block.cpu_per_node * block.number_node
    if not ranks.isdecimal() or int(ranks[:9]) < 1:
        raise place.wrong("an integer after mpirun -np")
    if int(ranks[:9]) > cpus:
        raise place.error(f"mpirun -np {ranks} asks for more than cpu_per_node, which gives {cpus}")
