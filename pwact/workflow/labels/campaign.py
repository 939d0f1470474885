"""The campaign of ``pwact label``: one data set, of frames that the user gives."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from pwact import layout
from pwact.config.label import LabelInput
from pwact.engines import run_labeler_for
from pwact.engines.batch import BatchLabeler
from pwact.engines.labelers import Labeler
from pwact.engines.ladder import fingerprint_of
from pwact.errors import InputError
from pwact.fixed_atoms import free
from pwact.formats.frames import ordered, write_frames
from pwact.formats.same_frame import structure_key
from pwact.formats.trajectories import iterate_structures
from pwact.io import files
from pwact.workflow.campaign import Campaign
from pwact.workflow.labels.given import GivenFrame, Way, bare
from pwact.workflow.labels.labelling import Labelling, with_label
from pwact.workflow.labels.sources import Sources
from pwact.workflow.labels.store import LabelStore
from pwact.workflow.labels.tries import retried
from pwact.workflow.opening import LABEL
from pwact.workflow.reports import GivenReport
from pwact.workflow.retry import in_hand
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.batch import BatchWork, demand_answers
from pwact.workflow.tasks.first_principles import Calculation
from pwact.workflow.tasks.gate import Gate

if TYPE_CHECKING:
    from ase import Atoms

_HINT = "look at these frames, or set min_distance; then start with --redo label"


@dataclass(frozen=True)
class Wanted:
    """Which frames of which files are labelled.

    Attributes
    ----------
    sources
        Files or folders, each with its format.
    step
        Every so manyth frame of each file, the first one included.
    limit
        At most so many frames, the first ones; None for all.
    """

    sources: Sequence[tuple[Path, str]]
    step: int = 1
    limit: Optional[int] = None

    def frames(self) -> Iterator[tuple[int, int, Atoms]]:
        """Number of the file, number of the frame there, frame. Raises InputError."""
        taken = 0
        for place, (path, name) in enumerate(self.sources):
            for number, atoms in enumerate(iterate_structures(path, name)):
                if number % self.step:
                    continue
                if taken == self.limit:
                    return
                taken += 1
                yield place, number, atoms


def given_frames(
    wanted: Wanted, labeler: Union[Labeler, BatchLabeler], output: Path
) -> list[GivenFrame]:
    """The frames with what the labeler is given of their atoms.

    Which atoms are held does not matter to labels.

    Raises
    ------
    InputError
        A file cannot be read, or the labeler cannot be given what is there; names file and frame.
    """
    found = []
    for place, number, atoms in wanted.frames():
        path = wanted.sources[place][0]
        free(atoms)
        try:
            assigned = ordered(labeler.assign(atoms))
        except InputError as error:
            message = f"{error.message} ({path}, frame {number})"
            raise InputError(message, error.file, error.key) from error
        task = output / layout.LABEL_TASKS / layout.SCF / str(place) / layout.scf_name(number)
        found.append(GivenFrame(assigned, task, str(path), number, str(path)))
    return found


@dataclass(frozen=True)
class GivenStage:
    """The labelling of given frames.

    Attributes
    ----------
    output
        Directory of the campaign, and of the data set.
    """

    config: LabelInput
    labeler: Union[Labeler, BatchLabeler]
    frames: Sequence[GivenFrame]
    output: Path

    name = LABEL

    @property
    def directory(self) -> Path:
        """Where the tasks are."""
        return self.output / layout.LABEL_TASKS

    @property
    def data(self) -> Path:
        """The data set."""
        return layout.labelled(self.output, self.config.data_format)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ()

    def inputs(self) -> Mapping[str, Any]:
        """Labeler and structures."""
        keys = [structure_key(one.atoms) for one in self.frames]
        return {
            "labeler": fingerprint_of(self.labeler, self.config.label),
            "frames": len(keys),
            "structures": hashlib.sha256(" ".join(keys).encode()).hexdigest()[:32],
            "min_distance": self.config.label.min_distance,
            "data_format": self.config.data_format,
        }

    def work(self, services: Services) -> StageOutput:
        """Label what can be labelled; the rest is left out and listed."""
        gate = Gate(self.config.label.min_distance)
        done: list[Calculation] = []
        way = Way(
            self.name, self.output, partial(self._answers, services, done), True, _HINT, self.output
        )
        labelled, spoilt = way.labelled(self.frames, gate)
        if labelled:
            write_frames(self.data, labelled, self.config.data_format)
        else:
            files.remove(self.data)
        waste = [] if self.config.reserve_scf_files else self._labelling.transient(done)
        tries = retried(self.directory / layout.RETRIES)
        report = GivenReport(len(labelled), len(gate.left_out), tries, (self.data.name,))
        made = [self.data] if labelled else []
        return StageOutput(made, waste, report.to_json(), lost=spoilt)

    def _answers(
        self, services: Services, done: list[Calculation], asked: Sequence[GivenFrame]
    ) -> Sequence[Union[Atoms, str]]:
        """Each frame labelled, or why it is not; `done` gets the calculations of those."""
        if isinstance(self.labeler, BatchLabeler):
            work = BatchWork(
                self.name, self.labeler, self.directory / self.labeler.kind, self.config.block
            )
            frames = [partial(bare, one.atoms) for one in asked]
            answers = work.answers_once(services, self._sources, frames)
            demand_answers(answers, self.config.label.max_failed_rate, self.name)
            return answers
        calculations = [one.calculation(self.labeler) for one in asked]
        labels = self._labelling.answers(services, calculations)
        done += with_label(calculations, labels)
        return labels

    @cached_property
    def _sources(self) -> Sources:
        store = LabelStore(layout.label_store(self.config.work_dir))
        return Sources(self.directory / layout.SOURCES, store)

    @cached_property
    def _labelling(self) -> Labelling:
        return Labelling(
            self.name,
            self.directory / layout.SCF,
            self.config.block,
            self._sources,
            self.config.label,
            "it gives no data",
        )


@dataclass(frozen=True)
class LabelResult:
    """What a finished ``pwact label`` leaves.

    Attributes
    ----------
    data
        The data set; None if no frame has a label.
    listed
        Where the frames are listed that are left out.
    given, labelled, left_out
        Numbers of frames.
    lost
        Directories of failed tasks that the next start tries again.
    """

    data: Optional[Path]
    listed: Path
    given: int
    labelled: int
    left_out: int
    lost: Sequence[str] = ()


def given_stage(wanted: Wanted, config: LabelInput, output: Path) -> GivenStage:
    """What labels the wanted frames. Raises InputError as `given_frames`."""
    labeler = run_labeler_for(config.label, config.block)
    return GivenStage(config, labeler, given_frames(wanted, labeler, output), output)


def run_label(stage: GivenStage, campaign: Campaign) -> LabelResult:
    """Label the frames, unless that is done.

    Raises
    ------
    InputError
        Something that is no data set of this campaign lies in its place.
    QuorumError
        Too many tasks failed.
    """
    if stage.name not in campaign.stages():
        for path in (stage.data, stage.directory):
            if path.exists():
                message = "is there, and no campaign of pwact label made it; give another --output"
                raise InputError(message, path)
    report = GivenReport.from_json(campaign.run(stage))
    lost = in_hand(campaign.stages().values())
    if not lost:
        campaign.clean([stage.name])
    data = stage.data if report.labelled else None
    listed = stage.output / layout.LEFT_OUT
    return LabelResult(data, listed, len(stage.frames), report.labelled, report.left_out, lost)
