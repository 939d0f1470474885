"""What the page of a campaign shows: values alone, found by `pwact.tools.report.page`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from pwact.report.advice import Advice
from pwact.report.records import IterationRow
from pwact.report.status import Status

Rows = Sequence[tuple[str, str]]
Table = tuple[Sequence[str], Sequence[Sequence[str]]]  # headings, and rows of cells


@dataclass(frozen=True)
class Structure:
    """Atoms as they are drawn.

    Attributes
    ----------
    numbers
        Atomic numbers, shape (n,).
    positions
        Å, shape (n, 3).
    cell
        Lattice vectors in rows, Å, shape (3, 3).
    left_out
        Atoms of the frame that are not among these.
    """

    numbers: np.ndarray
    positions: np.ndarray
    cell: np.ndarray
    left_out: int = 0


@dataclass(frozen=True)
class LabelledFrame:
    """A frame that the campaign has labelled.

    Attributes
    ----------
    title
        ``iter.0001, md.000.sys.000.t.001, step 120``.
    story
        When, why and by what it was chosen and labelled, as name and value.
    iteration
        In which it was labelled.
    uncertainty
        By which it was chosen; None where that is not recorded.
    error, largest
        Of the exploring model: RMSE of the force components and largest error of an atom, eV/Å.
    control
        Whether it was drawn by lot.
    structure
        None where it cannot be read, or beyond what the page holds.
    temp_k
        Temperature of its MD; None where that is not known.
    """

    title: str
    story: Rows
    iteration: int
    uncertainty: Optional[float] = None
    error: Optional[float] = None
    largest: Optional[float] = None
    control: bool = False
    structure: Optional[Structure] = None
    temp_k: Optional[float] = None


@dataclass(frozen=True)
class Dot:
    """A frame on the map.

    Attributes
    ----------
    kind
        ``explored``, ``training`` or ``labelled``.
    frame
        Its number among the labelled frames; None for others.
    iteration
        In which it was explored or labelled; None for the user's data.
    """

    x: float
    y: float
    kind: str
    frame: Optional[int] = None
    iteration: Optional[int] = None


@dataclass(frozen=True)
class FrameMap:
    """Frames by two principal components of their descriptors.

    Attributes
    ----------
    shares
        Part of the variance that each of the two axes shows.
    notes
        What is on it and what is not, a sentence each.
    """

    dots: Sequence[Dot] = ()
    shares: tuple[float, float] = (0.0, 0.0)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Parity:
    """A sample of pairs of label and model.

    Attributes
    ----------
    forces
        Force components, eV/Å, shape (n, 2): label, model.
    energies
        Energies per atom of frames, eV, shape (n, 2): label, model.
    of
        How many components and frames there are in all.
    """

    forces: np.ndarray
    energies: np.ndarray
    of: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Measured:
    """An error with its spread, eV/Å."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class CurvePoint:
    """The models of one iteration.

    Attributes
    ----------
    labels
        Labelled frames of the iterations before, on which they were trained.
    valid
        On the validation data: mean, smallest and largest of the members.
    chosen, control
        Of the exploring model on new labels that were chosen, and that were drawn by lot: root mean
        square with its interval of 90 %.
    """

    iteration: int
    labels: int
    valid: Optional[Measured] = None
    chosen: Optional[Measured] = None
    control: Optional[Measured] = None


@dataclass(frozen=True)
class JobBar:
    """A job; times in seconds since the epoch, None where it did not come so far."""

    name: str
    step: str
    stage: str
    submitted: float
    began: Optional[float]
    ended: Optional[float]
    state: str
    cores: Optional[int]

    def works_from(self, until: float) -> float:
        """When it began to work, at the latest `until`; one that was never seen did so at once."""
        if self.began is not None:
            return self.began
        return until if self.ended is None else self.submitted


@dataclass(frozen=True)
class StepCost:
    """What the jobs of one step took.

    Attributes
    ----------
    waited_s, worked_s
        In the queue, and at work, all jobs together.
    core_h
        Hours at work times cores; None where the cores of a job are not recorded.
    """

    step: str
    jobs: int
    waited_s: float
    worked_s: float
    core_h: Optional[float]


@dataclass(frozen=True)
class Facts:
    """Everything on the page.

    Attributes
    ----------
    verdict
        One sentence with its figures.
    made_at, until
        When the facts were found, and up to when open jobs are counted; seconds since the epoch.
    lots
        What control labels say about frames drawn by lot; "" without.
    measure
        The axis of the uncertainty by which frames were chosen.
    limits
        Of the last selection, by name, in its units; none where they are not recorded or differ by
        system.
    target
        Force error that is asked for, eV/Å.
    shared
        Iteration → what is the same in the stories of all its labels.
    parity
        Labels beside what the exploring model said of the same frames.
    errors
        Errors by structure, temperature and element.
    valid_parity, valid_errors
        The same of the force field that the run ended with, on the validation data.
    force_field
        What is known of it, as name and value; none as long as there is none.
    folder
        Where it is, seen from the page.
    provenance
        Headings, each with names and values.
    """

    title: str
    status: Status
    verdict: str
    made_at: float
    until: float
    version: str
    rows: Sequence[IterationRow] = ()
    advice: Sequence[Advice] = ()
    curve: Sequence[CurvePoint] = ()
    frames: Sequence[LabelledFrame] = ()
    shared: Mapping[int, Rows] = field(default_factory=dict)
    map: FrameMap = FrameMap()
    parity: Optional[Parity] = None
    errors: Optional[Table] = None
    valid_parity: Optional[Parity] = None
    valid_errors: Optional[Table] = None
    force_field: Rows = ()
    folder: str = ""
    measure: str = "uncertainty"
    limits: Sequence[tuple[str, float]] = ()
    target: Optional[float] = None
    jobs: Sequence[JobBar] = ()
    costs: Sequence[StepCost] = ()
    lots: str = ""
    notes: Sequence[str] = ()
    provenance: Sequence[tuple[str, Rows]] = field(default_factory=tuple)
