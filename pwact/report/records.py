"""The small facts that stages leave for tables and for later stages.

Each record is stored as JSON in the journal: ``to_json`` of the stage that writes it,
``from_json`` of whoever reads it. A missing key takes its default, so that an older journal can
still be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Optional, TypeVar

Self = TypeVar("Self", bound="Record")

SPREAD = "spread"  # in the report of a selection, beside its counts


@dataclass(frozen=True)
class Record:
    """Base of all records: conversion to and from JSON."""

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls: type[Self], stored: Mapping[str, Any]) -> Self:
        """The record in `stored`; keys that it does not know are left alone."""
        known = {field.name for field in fields(cls)}
        values = {name: _frozen(value) for name, value in stored.items() if name in known}
        return cls(**values)


@dataclass(frozen=True)
class TrainRecord(Record):
    """What a training tells: errors of the first model on the validation data.

    `valid_rmse_e` is in eV per atom, `valid_rmse_f` in eV/Å; None without validation data.
    """

    valid_rmse_e: Optional[float] = None
    valid_rmse_f: Optional[float] = None


@dataclass(frozen=True)
class ExploreRecord(Record):
    """What an exploration tells.

    Attributes
    ----------
    temps_k
        The temperatures visited, ascending, each once (K).
    trajectories, ended_normally
        Number of trajectories, and of those that reached their last step.
    condition
        The element of ``md_jobs`` that it served in a campaign with a target; else None, and that
        is not on record.
    """

    temps_k: tuple[float, ...] = ()
    trajectories: int = 0
    ended_normally: int = 0
    condition: Optional[int] = None

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values."""
        stored = super().to_json()
        return stored if self.condition is not None else omitting(stored, "condition")


@dataclass(frozen=True)
class SelectRecord(Record):
    """How many frames fell into which class.

    Attributes
    ----------
    frames
        Frames looked at: the sum of the three classes.
    candidate
        All candidates, also those left out by the limit.
    selected
        Candidates that go to the labeler.
    """

    frames: int = 0
    accurate: int = 0
    candidate: int = 0
    failed: int = 0
    selected: int = 0


@dataclass(frozen=True)
class SystemRecord(Record):
    """How many frames of one system fell into which class.

    Attributes
    ----------
    unusable
        Failed frames without a usable value: not finite, or zero after the first step.
    lower
        Lower limit of this system; None where no limits could be derived.
    quantiles
        Of the usable values: the smallest, those at 5, 25, 50, 75, 95 %, the largest.
    """

    name: str = ""
    frames: int = 0
    accurate: int = 0
    candidate: int = 0
    failed: int = 0
    unusable: int = 0
    lower: Optional[float] = None
    quantiles: tuple[float, ...] = ()


@dataclass(frozen=True)
class SpreadRecord(Record):
    """How the values of all frames are spread.

    Attributes
    ----------
    quantiles
        As those of a system; with KPU in multiples of each system's lower limit.
    zeros
        Frames whose value is exactly zero, whatever their class.
    """

    quantiles: tuple[float, ...] = ()
    zeros: int = 0
    systems: tuple[SystemRecord, ...] = ()

    @property
    def unusable(self) -> int:
        """Failed frames without a usable value."""
        return sum(system.unusable for system in self.systems)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SpreadRecord:
        """The record in `stored`, with its systems."""
        systems = tuple(SystemRecord.from_json(one) for one in stored.get("systems", ()))
        return replace(super().from_json(stored), systems=systems)


@dataclass(frozen=True)
class LabelRecord(Record):
    """How the labelling went.

    Attributes
    ----------
    labelled, failed
        New frames that have a label now, and those that have none.
    rmse_f
        Of the exploring model on the new labels, in eV/Å.
    repeated
        Frames that were asked for a second time, or are in the data already.
    """

    labelled: int = 0
    failed: int = 0
    rmse_f: Optional[float] = None
    repeated: int = 0


@dataclass(frozen=True)
class IterationRow:
    """One line of the table that `pwact run` ends with.

    Attributes
    ----------
    name
        ``iter.0000``; the last training has a line of its own with nothing but its error.
    wall_s
        Wall time of the iteration's stages in seconds; None when it is not known.
    """

    name: str
    train: TrainRecord = TrainRecord()
    explore: Optional[ExploreRecord] = None
    select: Optional[SelectRecord] = None
    label: Optional[LabelRecord] = None
    wall_s: Optional[float] = None


def omitting(stored: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """`stored` without some of its keys."""
    return {key: value for key, value in stored.items() if key not in names}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
