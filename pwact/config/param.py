"""Reads a pair of input files: param.json and resource.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

from pwact.config import exploration, init_bulk, init_entry, labeling, run, strategy
from pwact.config.document import Document, read_document
from pwact.config.init_bulk import InitConfig, load_init
from pwact.config.kinds import Text, is_there
from pwact.config.resources import BLOCK_KEYS, TOP_KEYS, Resources, load_resources
from pwact.config.run import RunConfig, load_run
from pwact.config.schema import Context, Key, Node, keys_by_name
from pwact.errors import InputError

INIT_BULK, RUN = "init_bulk", "run"
_RUN_KEYS = keys_by_name(run.KEYS)
_INIT_KEYS = keys_by_name(init_bulk.KEYS)
_RUN_MARKS = frozenset(key.name.lower() for key in run.SECTIONS)
_INIT_MARKS = frozenset(_INIT_KEYS) - frozenset(_RUN_KEYS)


@dataclass(frozen=True)
class LoadedPair:
    """Two input files that agree with themselves and with each other.

    Attributes
    ----------
    kind
        ``init_bulk`` or ``run``.
    warnings
        What is odd but does not stop the work.
    """

    kind: str
    config: Union[InitConfig, RunConfig]
    resources: Resources
    warnings: list[str] = field(default_factory=list)


def load_pair(
    param_path: Path,
    resource_path: Path,
    launch_dir: Path,
    strict: bool = False,
    expected: Optional[str] = None,
) -> LoadedPair:
    """Read and check both files; nothing is written.

    Parameters
    ----------
    launch_dir
        Directory that both paths, and a relative ``work_dir``, start from. A resource file that is
        not there is looked for in the work directory.
    strict
        Refuse unknown keys, which are warnings otherwise.
    expected
        ``init_bulk`` or ``run``, if the user said which.

    Raises
    ------
    InputError
        One of the files is wrong; the message names the file and the key.
    """
    launch = launch_dir.absolute()
    document = read_document(launch / param_path)
    kind = _kind(document, expected)
    work_dir = work_dir_of(document, launch)
    context = Context(document.file, work_dir, homes=HOMES[kind], strict=strict)
    root = Node(document.root, "", context)
    config = load_run(root) if kind == RUN else load_init(root)
    resources, described = resources_of(launch, resource_path, context)
    _check_blocks(config, resources)
    return LoadedPair(kind, config, resources, said_of(context, described))


def resources_of(launch: Path, path: Path, param: Context) -> tuple[Resources, Context]:
    """The resource file that goes with a param.json, and what is said of it.

    One that is not there is looked for in the work directory.

    Raises
    ------
    InputError
        It is wrong.
    """
    inside = param.base / path
    missing = not is_there(launch / path)
    described = read_document(inside if missing and is_there(inside) else launch / path)
    _refuse_param(described)
    context = Context(described.file, param.base, homes=RESOURCE_HOMES, strict=param.strict)
    return load_resources(Node(described.root, "", context)), context


def said_of(param: Context, resource: Context) -> list[str]:
    """What is odd in two files. Raises InputError where that is refused."""
    refused = [*param.unknown, *resource.unknown, *param.unlikely]
    if param.strict and refused:
        raise refused[0]
    return [*param.warnings, *resource.warnings, *(str(one) for one in refused)]


def load_run_param(param_path: Path, launch_dir: Path) -> RunConfig:
    """Read the param.json of a run alone.

    Raises
    ------
    InputError
        It is wrong, or is no input of a run.
    """
    launch = launch_dir.absolute()
    document = read_document(launch / param_path)
    _kind(document, RUN)
    context = Context(document.file, work_dir_of(document, launch), homes=HOMES[RUN])
    return load_run(Node(document.root, "", context))


def _kind(document: Document, expected: Optional[str]) -> str:
    given = {name.lower() for name in document.root if not name.startswith("_")}
    is_run, is_init = given & _RUN_MARKS, given & _INIT_MARKS
    refuse_resource(document)
    if expected is not None:
        other = {RUN: is_init - is_run, INIT_BULK: is_run - is_init}[expected]
        own = {RUN: is_run, INIT_BULK: is_init}[expected]
        if other and not own:
            right = INIT_BULK if expected == RUN else RUN
            message = f"this is an input of pwact {right}, not of pwact {expected}"
            raise InputError(f"{message} (it holds {', '.join(sorted(other))})", document.file)
        return expected
    if is_run:
        return RUN
    if is_init:
        return INIT_BULK
    message = (
        "this is no input of pwact run (train, strategy, explore, DFT) "
        "nor of pwact init_bulk (sys_configs)"
    )
    raise InputError(message, document.file)


def refuse_resource(document: Document) -> None:
    """Raise InputError for a resource.json in the place of param.json."""
    if _has_blocks(document):
        message = "this looks like a resource.json; the order is PARAM RESOURCE"
        raise InputError(message, document.file)


def _has_blocks(document: Document) -> bool:
    """Whether sections have a command, as those of resource.json."""
    return any(
        isinstance(section, dict) and "command" in {str(name).lower() for name in section}
        for section in document.root.values()
    )


def _refuse_param(document: Document) -> None:
    given = {name.lower() for name in document.root}
    if not _has_blocks(document) and given & {"strategy", "sys_configs", "init_data"}:
        message = "this looks like a param.json; the order is PARAM RESOURCE"
        raise InputError(message, document.file)


def work_dir_of(document: Document, launch: Path) -> Path:
    """The work directory that a param.json names. Raises InputError for a file."""
    members = Node(document.root, "", Context(document.file, launch)).members()
    if "work_dir" not in members:
        return launch
    node = members["work_dir"]
    work_dir = launch / Text().convert(node)
    try:
        is_file = work_dir.is_file()
    except OSError as error:
        raise node.error(f"it cannot be used: {error.strerror}") from error
    if is_file:
        raise node.wrong("a directory, not a file")
    return work_dir


def _check_blocks(config: Union[InitConfig, RunConfig], resources: Resources) -> None:
    """Raise InputError unless every block that the work needs is there."""
    for name, needed in _needed_blocks(config, resources).items():
        if needed and getattr(resources, name.lower()) is None:
            message = f"this block is required and missing; it is needed for {needed}"
            raise InputError(message, resources.file, name)


def _needed_blocks(config: Union[InitConfig, RunConfig], resources: Resources) -> Mapping[str, str]:
    """Block → what it is needed for; "" if it is not."""
    if isinstance(config, RunConfig):
        direct = "strategy.direct" if config.strategy.direct else ""
        return {"train": "training", "explore": "MD", "DFT": "labelling", "direct": direct}
    systems = config.systems
    scf = any(map(config.relabelled, systems)) and resources.scf is None
    steps = {
        "relax": any(entry.relax for entry in systems),
        "aimd": any(entry.aimd for entry in systems),
        "scf": scf,
    }
    return {
        "DFT": ", ".join(word for word, used in steps.items() if used),
        "explore": "bigmodel" if any(entry.bigmodel for entry in systems) else "",
        "direct": "direct" if any(map(config.filtered, systems)) else "",
    }


def _homes(sections: Iterable[tuple[str, Iterable[Key]]]) -> dict[str, str]:
    """Key name → where it belongs; names that occur in several sections are left out."""
    homes: dict[str, str] = {}
    for where, keys in sections:
        for name in keys_by_name(keys):
            homes[name] = "" if name in homes else where
    return homes


HOMES = {
    RUN: _homes(
        [
            ("at the top level", run.KEYS),
            ("into strategy", strategy.KEYS),
            ("into explore", exploration.KEYS),
            ("into an element of explore.md_jobs", exploration.MD_KEYS),
            ("into DFT", labeling.DFT_KEYS),
        ]
    ),
    INIT_BULK: _homes(
        [
            ("at the top level", init_bulk.KEYS),
            ("into an element of sys_configs", init_entry.KEYS),
        ]
    ),
}
RESOURCE_HOMES = _homes([("at the top level", TOP_KEYS), ("into a block", BLOCK_KEYS)])
