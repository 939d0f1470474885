"""The small facts that stages leave for tables and for later stages.

Each record is stored as JSON in the journal: ``to_json`` of the stage that writes it,
``from_json`` of whoever reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import ClassVar, Optional

from pwact.report.record import Record, records, sparse


@dataclass(frozen=True)
class TrainRecord(Record):
    """What a training tells: errors of the first model on the validation data.

    `valid_rmse_e` is in eV per atom, `valid_rmse_f` in eV/Å; None without validation data.
    """

    by_step: ClassVar[str] = "train"
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

    by_step: ClassVar[str] = "explore"
    temps_k: tuple[float, ...] = ()
    trajectories: int = 0
    ended_normally: int = 0
    condition: Optional[int] = sparse(None)


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

    by_step: ClassVar[str] = "select"
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
    systems: tuple[SystemRecord, ...] = records(SystemRecord)

    @property
    def unusable(self) -> int:
        """Failed frames without a usable value."""
        return sum(system.unusable for system in self.systems)


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

    by_step: ClassVar[str] = "label"
    labelled: int = 0
    failed: int = 0
    rmse_f: Optional[float] = None
    repeated: int = 0


@dataclass(frozen=True)
class ErrorRecord(Record):
    """Errors of one group of labels.

    Attributes
    ----------
    kind, name
        ``all``, or by what they are grouped and of which structure, temperature (``300 K``) or
        element they are.
    frames, atoms, energies
        How many frames and atoms count, and frames whose energy is compared.
    rmse_e, mae_e
        eV per atom; None without an energy, and of elements.
    rmse_f, mae_f, worst_f
        eV/Å; the last one of an atom.
    """

    kind: str = "all"
    name: str = ""
    frames: int = 0
    atoms: int = 0
    energies: int = 0
    rmse_e: Optional[float] = None
    mae_e: Optional[float] = None
    rmse_f: float = 0.0
    mae_f: float = 0.0
    worst_f: float = 0.0


@dataclass(frozen=True)
class AcceptedRecord(Record):
    """Physical frames of one system, and how many of them are accepted.

    Attributes
    ----------
    unphysical
        Frames from the first unphysical one of their trajectory on.
    empty
        Whether it has no physical frame at all.
    """

    name: str = ""
    frames: int = 0
    accepted: int = 0
    unphysical: int = sparse(0)
    empty: bool = sparse(False)


@dataclass(frozen=True)
class RoundRecord(Record):
    """What a selection with a target decided; ``target`` in its report.

    Attributes
    ----------
    target
        Force error that is asked for, eV/Å.
    condition
        The element of ``md_jobs`` that was explored.
    sigma
        Force error of the exploring model on its training data, eV/Å.
    measure
        What was compared with errors: a name of `pwact.query.scales.measures`.
    pairs, starting
        On how many pairs the limit rests, and whether they are those of the training data.
    limit
        Largest scaled uncertainty that is accepted; None if none is.
    frames, accepted, unphysical
        Physical frames, how many of them are accepted, and how many frames came after the first
        unphysical one of a trajectory.
    expected
        Share of the accepted frames whose error is expected to be below the target; None without.
    controls, selected
        Frames to be labelled that were drawn by lot, and all of them.
    rule
        How the others were chosen.
    floor
        Why the model cannot reach the target, in words; "" as long as it may.
    at_limit
        Median error that is expected at the limit, eV/Å; None without a limit.
    systems
        The frames of each system.
    spread
        Scaled uncertainties up to which 5, 10, … 100 % of the physical frames lie, ascending; None
        for one that is no number.
    """

    target: float = 0.0
    condition: int = 0
    sigma: float = 0.0
    measure: str = "u"
    pairs: int = 0
    starting: bool = False
    limit: Optional[float] = None
    frames: int = 0
    accepted: int = 0
    unphysical: int = 0
    expected: Optional[float] = None
    controls: int = 0
    selected: int = 0
    rule: str = ""
    floor: str = ""
    at_limit: Optional[float] = None
    systems: tuple[AcceptedRecord, ...] = records(AcceptedRecord)
    spread: tuple[Optional[float], ...] = ()


@dataclass(frozen=True)
class PairRecord(Record):
    """Uncertainty and error of one labelled frame, by the model before it was trained on it.

    Attributes
    ----------
    trajectory, step
        The frame; the directory is relative to the work directory.
    scaled
        U of the measure by which it was chosen; None where it is no number.
    uncertainty, force
        u, and the root mean square of the predicted force components (eV/Å).
    sigma
        Force error of that model on its training data, eV/Å.
    error
        RMSE of its force components, eV/Å.
    kind
        ``control`` for a frame that was drawn by lot, else ``chosen``.
    condition
        The element of ``md_jobs`` that was explored.
    """

    trajectory: str = ""
    step: int = 0
    scaled: Optional[float] = None
    uncertainty: Optional[float] = None
    force: Optional[float] = None
    sigma: float = 0.0
    error: float = 0.0
    kind: str = "chosen"
    condition: int = 0


@dataclass(frozen=True)
class IterationRow:
    """One line of the table that `pwact run` ends with.

    Attributes
    ----------
    name
        ``iter.0000``; the last training has a line of its own with nothing but its error.
    errors
        Of the exploring model on the new labels, in all and by groups; none where that was not
        recorded.
    on_valid
        Of the force field that the run ends with on ``valid_data``, likewise.
    wall_s
        Wall time of the iteration's stages in seconds; None when it is not known.
    """

    name: str
    train: TrainRecord = TrainRecord()
    explore: Optional[ExploreRecord] = None
    select: Optional[SelectRecord] = None
    label: Optional[LabelRecord] = None
    wall_s: Optional[float] = None
    errors: tuple[ErrorRecord, ...] = ()
    on_valid: tuple[ErrorRecord, ...] = ()

    @property
    def on_labels(self) -> ErrorRecord:
        """Errors on all new labels; where only the force error was recorded, that alone."""
        if self.errors:
            return self.errors[0]
        label = self.label or LabelRecord()
        known = label.rmse_f if label.rmse_f is not None else float("nan")
        return ErrorRecord(frames=label.labelled, rmse_f=known, mae_f=nan, worst_f=nan)
