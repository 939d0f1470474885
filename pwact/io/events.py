"""Every event of the journal: one type each, read from its line of JSON.

A field without a default must be in the line; one with a default came with a later version, or is
given only where it is known. Fields that nobody knows here are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Optional, TypeVar, get_origin, get_type_hints

T = TypeVar("T", bound="FromJson")
_HASHES = Mapping[str, str]


class FromJson:
    """What can be read from an object of JSON."""

    @classmethod
    def from_json(cls: type[T], event: Mapping[str, Any]) -> T:
        """Read what has its required fields (`pwact.io.journal_fields.error_of`)."""
        return cls(**{name: _plain(event[name]) for name in names_of(cls) if name in event})


class Event(FromJson):
    """What all events share.

    Attributes
    ----------
    name_of_event
        ``event`` in the line.
    """

    name_of_event: ClassVar[str] = ""


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def names_of(kind: Any) -> tuple[str, ...]:
    """Names of the fields of an event."""
    return tuple(one.name for one in fields(kind))


# ---- the campaign and its masters


@dataclass(frozen=True)
class CampaignStarted(Event):
    """A campaign began, or went on with another seed: `command`, root `seed`, `version`."""

    name_of_event: ClassVar[str] = "campaign_started"
    command: str
    campaign: str
    seed: int
    version: str = ""
    journal_format: int = 1
    frames: Optional[str] = None
    scf_alone: Optional[bool] = None
    final: Optional[bool] = None
    time: float = 0.0


@dataclass(frozen=True)
class MasterStarted(Event):
    """A command began to work here: `host`, `pid`, `directory`, and `job` if it runs in one.

    `param`, `resource` and `launch`, where their paths start, are seen from the work directory.
    """

    name_of_event: ClassVar[str] = "master_started"
    command: str
    host: str
    pid: int
    directory: str = ""
    mark: Any = None
    job: Optional[str] = None
    job_name: Optional[str] = None
    param: Optional[str] = None
    resource: Optional[str] = None
    launch: Optional[str] = None
    time: float = 0.0


@dataclass(frozen=True)
class MasterEnded(Event):
    """A command ended: `how` (finished, stopped, failed) and `why`."""

    name_of_event: ClassVar[str] = "master_ended"
    how: str
    why: str
    command: str = ""
    time: float = 0.0


@dataclass(frozen=True)
class RunPlanned(Event):
    """How many iterations a run has; with a target at most, with what is asked for."""

    name_of_event: ClassVar[str] = "run_planned"
    iterations: int
    target: Optional[float] = None
    conditions: int = 0
    most: int = 0
    budget: Optional[Mapping[str, Any]] = None
    time: float = 0.0


@dataclass(frozen=True)
class EntriesGiven(Event):
    """Entries of `sys_configs` with what is asked of them: first ones, or an added part."""

    name_of_event: ClassVar[str] = "entries_given"
    part: int
    seed: int
    file: str
    entries: Mapping[str, Any]
    time: float = 0.0


# ---- steps


@dataclass(frozen=True)
class StageStarted(Event):
    """A step began, with all its `inputs` and their hash (`key`)."""

    name_of_event: ClassVar[str] = "stage_started"
    name: str
    key: str
    inputs: Mapping[str, Any]
    version: str = ""
    journal_format: int = 1
    time: float = 0.0


@dataclass(frozen=True)
class StageDone(Event):
    """A step ended, with the hashes of its `files`, its `report` and the tasks it `lost`."""

    name_of_event: ClassVar[str] = "stage_done"
    name: str
    key: str
    files: _HASHES
    transient: tuple[str, ...]
    report: Mapping[str, Any]
    sizes: Mapping[str, int] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    time: float = 0.0


@dataclass(frozen=True)
class StageKept(Event):
    """Changed inputs were accepted (`--keep-finished`), or became known later."""

    name_of_event: ClassVar[str] = "stage_kept"
    name: str
    key: str
    inputs: Mapping[str, Any]
    files: Optional[_HASHES] = None
    time: float = 0.0


@dataclass(frozen=True)
class StageSetAside(Event):
    """A step is to be done again; what was there went from `directory` `to` another one."""

    name_of_event: ClassVar[str] = "stage_set_aside"
    name: str
    directory: str
    to: str
    time: float = 0.0


@dataclass(frozen=True)
class StageReopened(Event):
    """The tasks that a finished step lost are tried again."""

    name_of_event: ClassVar[str] = "stage_reopened"
    name: str
    time: float = 0.0


@dataclass(frozen=True)
class FailuresLeft(Event):
    """The tasks that a finished step lost are left out for good (`--leave-failed`)."""

    name_of_event: ClassVar[str] = "failures_left"
    name: str
    time: float = 0.0


@dataclass(frozen=True)
class StageProgram(Event):
    """By which `command` and modules of which `block` of the resource file a step runs."""

    name_of_event: ClassVar[str] = "stage_program"
    name: str
    block: str
    command: str = ""
    source_list: tuple[str, ...] = ()
    module_list: tuple[str, ...] = ()
    env_list: tuple[str, ...] = ()
    time: float = 0.0


@dataclass(frozen=True)
class RedoAsked(Event):
    """These steps are to be done again: `names` by `--redo`, `remade` for what others need."""

    name_of_event: ClassVar[str] = "redo_asked"
    names: tuple[str, ...]
    remade: tuple[str, ...]
    time: float = 0.0


@dataclass(frozen=True)
class TakenOver(Event):
    """The steps that PWact had done, each with `name`, `key`, `inputs`, `files` and `report`."""

    name_of_event: ClassVar[str] = "taken_over"
    stages: tuple[Mapping[str, Any], ...]
    time: float = 0.0


@dataclass(frozen=True)
class TakenOverSettled(Event):
    """What PWact had not finished was moved aside."""

    name_of_event: ClassVar[str] = "taken_over_settled"
    time: float = 0.0


@dataclass(frozen=True)
class StageTaken(FromJson):
    """One of the steps that another program had done, in `TakenOver`."""

    name: str
    key: str
    inputs: Mapping[str, Any]
    files: _HASHES
    report: Mapping[str, Any]


# ---- tasks and jobs


@dataclass(frozen=True)
class TasksGiven(Event):
    """A step has so many `tasks` of a `sort`, or (`ahead`) has them so far."""

    name_of_event: ClassVar[str] = "tasks_given"
    stage: str
    sort: str
    place: str
    tasks: int
    ahead: bool
    time: float = 0.0


@dataclass(frozen=True)
class TaskFailed(Event):
    """A task failed: `why`, and which `log` says more."""

    name_of_event: ClassVar[str] = "task_failed"
    stage: str
    task: str
    log: str
    why: str
    time: float = 0.0


@dataclass(frozen=True)
class JobAsked(Event):
    """A job is about to be submitted to a `scheduler`, with these `tasks`, on so many `cores`."""

    name_of_event: ClassVar[str] = "job_asked"
    name: str
    kind: str
    group: int
    directory: str
    scheduler: str
    tasks: tuple[str, ...] = ()
    host: str = ""
    attempt: int = 0
    cores: int = 0
    time: float = 0.0


@dataclass(frozen=True)
class JobSubmitted(Event):
    """The scheduler took a job, as `id`."""

    name_of_event: ClassVar[str] = "job_submitted"
    name: str
    id: str
    time: float = 0.0


@dataclass(frozen=True)
class JobRunning(Event):
    """A job was seen running."""

    name_of_event: ClassVar[str] = "job_running"
    job: str
    time: float = 0.0


@dataclass(frozen=True)
class JobWaiting(Event):
    """Why a job has to wait for more than its turn ("": no longer)."""

    name_of_event: ClassVar[str] = "job_waiting"
    job: str
    reason: str = ""
    time: float = 0.0


@dataclass(frozen=True)
class JobEnded(Event):
    """A job ended as `state`, with so many tasks `done`."""

    name_of_event: ClassVar[str] = "job_ended"
    name: str
    id: str = ""
    state: str = ""
    done: Optional[int] = None
    time: float = 0.0


EVENTS: dict[str, type[Event]] = {kind.name_of_event: kind for kind in Event.__subclasses__()}


def required(kind: Any) -> Mapping[str, type]:
    """Fields that an event must have → what they are in JSON."""
    hints = get_type_hints(kind)
    return {
        one.name: _in_json(hints[one.name])
        for one in fields(kind)
        if one.default is MISSING and one.default_factory is MISSING
    }


def _in_json(hint: Any) -> type:
    origin = get_origin(hint)
    if origin is tuple:
        return list
    return dict if origin is not None and issubclass(origin, Mapping) else hint
