"""What each step leaves in the journal for later steps, tables and pages: one type a report.

A report is written as ``StageOutput(…, report=SelectReport(…).to_json())`` and read as
``report_of(stages, iteration, SelectReport)`` (`pwact.workflow.rows`). A field that is sparse came
with a later version, or is there only where there is something to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Optional

from pwact import layout
from pwact.report.record import Record, records, sparse, table
from pwact.report.records import (
    ErrorRecord,
    ExploreRecord,
    LabelRecord,
    PairRecord,
    RoundRecord,
    SelectRecord,
    SpreadRecord,
    TrainRecord,
)

# ---- steps of an iteration


@dataclass(frozen=True)
class FirstDataRecord(Record):
    """The data sets that a run began with, relative to the work directory, and their format."""

    paths: tuple[str, ...] = ()
    data_format: str = ""


@dataclass(frozen=True)
class TrainReport(TrainRecord):
    """The models, errors on the validation data (eV per atom, eV/Å), and the first data.

    Attributes
    ----------
    models
        The directories of the members, relative to the work directory.
    init_data
        The first data; None for models that were taken over.
    """

    models: tuple[str, ...] = ()
    init_data: Optional[FirstDataRecord] = sparse(None, FirstDataRecord)


@dataclass(frozen=True)
class FinalReport(Record):
    """The model that is handed on, and what was evaluated with it.

    Attributes
    ----------
    model
        Its directory, relative to the work directory.
    frames
        Of each data set that it was trained on.
    valid_frames
        Frames of all validation data.
    check
        ``data`` and number of the ``frame`` that was evaluated, and its ``energy`` (eV).
    programs
        Versions of the programs that evaluated it.
    errors
        On the validation data, in all and by groups.
    """

    by_step: ClassVar[str] = layout.FINAL
    model: str = ""
    seed: Optional[int] = None
    frames: tuple[int, ...] = ()
    valid_frames: int = 0
    check: Mapping[str, Any] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[ErrorRecord, ...] = sparse((), ErrorRecord)


@dataclass(frozen=True)
class AppraiseReport(Record):
    """Force error of the driving model on so many training frames, eV/Å."""

    by_step: ClassVar[str] = "appraise"
    sigma: float = float("nan")
    frames: int = 0


@dataclass(frozen=True)
class TrajectoryRecord(Record):
    """How one trajectory has ended.

    Attributes
    ----------
    system, structure
        Its system, and what the structure is called; "" where an older journal does not say.
    directory
        Relative to the work directory.
    usable
        Whether it has frames that can be judged.
    normal
        Whether it came to its end.
    why, at
        Why it did not, and under which condition.
    frames, features
        Hashes of its frames, and of the features that an evaluation left; "" without.
    """

    system: str = ""
    structure: str = sparse("")
    directory: str = ""
    usable: bool = False
    normal: bool = False
    why: str = sparse("")
    at: str = sparse("")
    frames: str = sparse("")
    features: str = sparse("")


@dataclass(frozen=True)
class ExploreReport(ExploreRecord):
    """The trajectories in the order of their numbers, and how many ended normally."""

    paths: tuple[TrajectoryRecord, ...] = records(TrajectoryRecord)


@dataclass(frozen=True)
class KpuReport(Record):
    """The trajectories again; usable are those that were evaluated."""

    by_step: ClassVar[str] = "kpu"
    paths: tuple[TrajectoryRecord, ...] = records(TrajectoryRecord)


@dataclass(frozen=True)
class EntryReport(Record):
    """What a step has to say in ``iter_result.txt``; part of the reports of several steps."""

    entry: str = ""


@dataclass(frozen=True)
class SelectReport(SelectRecord):
    """Frames by class, the table of candidates, and how the values are spread.

    Attributes
    ----------
    candidates
        The table of the frames that go to the labeler, relative to the work directory.
    spread
        How the values are spread; None with a target, and of PWact.
    target
        What was decided; None without a target.
    """

    spread: Optional[SpreadRecord] = sparse(None, SpreadRecord)
    candidates: str = ""
    entry: str = ""
    target: Optional[RoundRecord] = sparse(None, RoundRecord)


@dataclass(frozen=True)
class DirectReport(Record):
    """How many candidates a script was given and has chosen; what was left out."""

    by_step: ClassVar[str] = layout.DIRECT
    candidates: int = 0
    chosen: int = 0
    left_out: tuple[Any, ...] = ()
    entry: str = ""


@dataclass(frozen=True)
class LabelReport(LabelRecord):
    """The data set, counts of labels, and errors of the exploring model on them.

    Attributes
    ----------
    data
        The data set, relative to the work directory; "" where nothing was labelled.
    errors
        Of the exploring model on the new labels; none where an older version labelled.
    retried
        Task → how often its SCF was tried again.
    pairs
        Uncertainty and error of each frame, with a target.
    frames_gone
        Whether labels were taken over whose frames cannot be read any more.
    """

    data: str = ""
    entry: str = ""
    errors: tuple[ErrorRecord, ...] = sparse((), ErrorRecord)
    retried: Mapping[str, int] = table()
    pairs: tuple[PairRecord, ...] = sparse((), PairRecord)
    frames_gone: bool = sparse(False)


# ---- steps of init_bulk, and pwact label


@dataclass(frozen=True)
class MdRecord(Record):
    """A usable MD of an entry of ``sys_configs``, relative to the work directory."""

    entry: int = 0
    directory: str = ""


@dataclass(frozen=True)
class LeftOutReport(Record):
    """What was left out, as rows of ``left_out.csv``."""

    left_out: tuple[Any, ...] = ()


@dataclass(frozen=True)
class MdReport(LeftOutReport):
    """The MD of all entries."""

    trajectories: tuple[MdRecord, ...] = records(MdRecord)


@dataclass(frozen=True)
class ChosenReport(Record):
    """The entry of ``sys_configs`` of each chosen frame."""

    by_step: ClassVar[str] = layout.DIRECT
    entries: tuple[int, ...] = ()


@dataclass(frozen=True)
class RelabelReport(LeftOutReport):
    """What was labelled again: which tasks were tried how often."""

    by_step: ClassVar[str] = layout.SCF
    retried: Mapping[str, int] = table()


@dataclass(frozen=True)
class CollectReport(Record):
    """The data sets, relative to the work directory, and how much is not in them."""

    by_step: ClassVar[str] = layout.COLLECTION
    data_sets: tuple[str, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class GivenReport(Record):
    """How many given frames have a label now, and how many have none."""

    labelled: int = 0
    left_out: int = 0
    retried: Mapping[str, int] = table()
    data_sets: tuple[str, ...] = sparse(())
