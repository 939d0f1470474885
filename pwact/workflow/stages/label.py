"""Labels the candidates, and tells how wrong the exploring model was about them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional, Union

from pwact import layout
from pwact.atom_properties import digest
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.batch import BatchLabeler
from pwact.engines.explorers import Explorer
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import fingerprint_of
from pwact.fingerprint import Settings
from pwact.formats.frames import write_frames
from pwact.formats.same_frame import structure_key
from pwact.io import files
from pwact.report import selection as tables
from pwact.report.errors import error_records
from pwact.report.label_error import LabelError, write_label_error
from pwact.report.parity import Compared, write_parity
from pwact.report.records import PairRecord
from pwact.workflow.explored import Candidate, Explored, contents_of, read_candidates
from pwact.workflow.known_pairs import pairs_of
from pwact.workflow.labels.comparing import Comparing, label_error
from pwact.workflow.labels.known import new_of, structures_of, write_structures
from pwact.workflow.labels.labelling import Labelling, Spoilt, with_label
from pwact.workflow.labels.sources import Sources
from pwact.workflow.labels.store import LabelStore
from pwact.workflow.labels.tries import retried
from pwact.workflow.reports import LabelReport
from pwact.workflow.rows import later_data
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.batch import BatchWork, demand_answers
from pwact.workflow.systems import System, systems_of
from pwact.workflow.tasks.first_principles import Calculation
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.origin import assigned
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)

GATE_HINT = (
    "look at these frames: the MD may leave what the models know (a smaller time step, a lower "
    "temperature, a lower upper limit of the window), or DFT.min_distance is too large; then "
    "start with --redo of the step that reads what you changed"
)


@dataclass
class _Gathered:
    """What the finished tasks gave."""

    frames: list[Atoms] = field(default_factory=list)
    structures: list[str] = field(default_factory=list)
    errors: list[LabelError] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    pairs: list[PairRecord] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    spoilt: list[Path] = field(default_factory=list)


@dataclass(frozen=True)
class LabelStage:
    """The labelling of one iteration's candidates.

    Attributes
    ----------
    ahead
        Some systems still explore, so not all candidates are known.
    table
        Lists what is labelled; by default all picked candidates.
    contents
        Trajectory → hash of its frames when its MD had ended.
    known
        Data sets with frames that are not labelled again: the user's, and those of the iterations
        before.
    later
        Gives data sets of later iterations that stand beside this one, when labels that were lost
        are tried again.
    distinct
        Whether a structure counts once, as in every campaign since versions say so in the journal;
        older ones keep what they began with.
    condition
        The element of ``md_jobs`` that was explored; None for the one with the iteration's number.
    """

    config: RunConfig
    labeler: Union[Labeler, BatchLabeler]
    explorer: Explorer
    block: ResourceBlock
    iteration: int
    ahead: bool = False
    table: Optional[Path] = None
    contents: Mapping[str, str] = field(default_factory=dict)
    known: tuple[Path, ...] = ()
    distinct: bool = True
    later: Callable[[], Sequence[Path]] = tuple
    condition: Optional[int] = None

    @property
    def name(self) -> str:
        """``iter.0000/label``."""
        return f"{layout.iteration_name(self.iteration)}/label"

    @property
    def directory(self) -> Path:
        """``02.label``."""
        return layout.label_dir(self.config.work_dir, self.iteration)

    @property
    def candidates(self) -> Path:
        """The table of what is labelled."""
        return self.table or layout.candidate_table(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("candidates",)

    def inputs(self) -> Mapping[str, Any]:
        """Labeler, candidates, and what decides about them."""
        known = {} if self.ahead else {"candidates": files.tree_hash(self.candidates)}
        atoms = {name: found for name in self._systems if (found := digest(self._start(name)))}
        values = {
            "labeler": fingerprint_of(self.labeler, self.config.dft),
            **known,
            "min_distance": self.config.dft.min_distance,
            "data_format": self.config.data_format,
            **({"atoms": atoms} if atoms else {}),
        }
        return Settings(values, {"atoms": None})

    @cached_property
    def _systems(self) -> Mapping[str, System]:
        """All that is explored, by name."""
        systems = systems_of(self.config, self.iteration, self.condition)
        return {one.name: one for one in systems}

    def _start(self, system: str) -> Atoms:
        """The structure from which a system began, with what the labeler is given of its atoms."""
        structure = self._systems[system].structure
        return assigned(self.labeler, self.config.dft, structure, moving=False)

    def _explored(self, services: Services) -> Explored:
        return Explored(self.explorer, services.work_dir, self.contents, self._start)

    def work(self, services: Services) -> StageOutput:
        """Label what can be labelled and write the data set."""
        explored = self._explored(services)
        gate = Gate(self.config.dft.min_distance)
        sane = self._sane(read_candidates(self.candidates, services.work_dir), explored, gate)
        left_out = self.directory / layout.LEFT_OUT
        gate.write(left_out, self.name)
        gate.demand_some(len(sane), left_out, self.name, GATE_HINT)
        asked, repeated = self._new(sane, explored)
        waste: list[Path] = []
        if isinstance(self.labeler, BatchLabeler):  # its task keeps everything
            answers = self._all_at_once(services, self.labeler, asked, explored)
            lost = [(one, why) for one, why in zip(asked, answers) if isinstance(why, str)]
            for one, why in lost:
                gate.refuse(why, one.trajectory, one.step)
            if lost:
                gate.write(left_out, self.name)
        else:
            calculations = [self._calculation(self.labeler, one, explored) for one in asked]
            answers = self._labelling.answers(services, calculations)
            if not self.config.reserve_scf_files:
                waste = self._labelling.transient(with_label(calculations, answers))
        gathered = self._gather(asked, answers, explored)
        return self._output(gathered, repeated, waste)

    def _new(self, asked: Sequence[Candidate], explored: Explored) -> tuple[list[Candidate], int]:
        """Those whose structure is neither in the data nor asked for already; how many are."""
        if not self.distinct:
            return list(asked), 0
        known = structures_of((*self.known, *self.later()), self.config.data_format)
        return new_of(asked, lambda one: structure_key(explored.frame(one)), known, self.name)

    def _all_at_once(
        self,
        services: Services,
        labeler: BatchLabeler,
        asked: Sequence[Candidate],
        explored: Explored,
    ) -> list[Union[Atoms, str]]:
        """Each frame labelled, or why it is not."""
        work = BatchWork(self.name, labeler, self.directory / labeler.kind, self.block)
        frames = [partial(explored.frame, one) for one in asked]
        if self.distinct:
            answers = work.answers_once(services, self._sources, frames)
        else:
            answers = work.answers(services, frames)
        demand_answers(answers, self.config.dft.max_failed_rate, self.name)
        return answers

    @cached_property
    def _sources(self) -> Sources:
        kept = LabelStore(layout.label_store(self.config.work_dir))
        return Sources(self.directory / layout.SOURCES, kept)

    @cached_property
    def _labelling(self) -> Labelling:
        """What labels frames one by one, each structure once."""
        return Labelling(
            self.name,
            layout.scf_dir(self.config.work_dir, self.iteration),
            self.block,
            self._sources,
            self.config.dft,
            "nothing new is learned of it",
            own_first=not self.distinct,
        )

    def begin_ahead(self, services: Services, candidates: Sequence[Candidate]) -> None:
        """Begin to label some of the candidates while others are not known yet."""
        if isinstance(self.labeler, BatchLabeler):
            return
        explored = self._explored(services)
        asked = self._sane(candidates, explored, Gate(self.config.dft.min_distance))
        asked, _ = self._new(asked, explored)
        made = [self._calculation(self.labeler, one, explored) for one in asked]
        scf = layout.scf_dir(services.work_dir, self.iteration)
        tasks = self._labelling.ahead(made)
        if tasks:
            services.begin_ahead(Purpose.SCF.value, scf, tasks, self.block)

    def _sane(
        self, candidates: Sequence[Candidate], explored: Explored, gate: Gate
    ) -> list[Candidate]:
        """The candidates that a code may have; what has a directory has passed already."""
        return [
            one
            for one in candidates
            if self._task_dir(one).is_dir()
            or gate.passes(explored.frame(one), one.trajectory, one.step)
        ]

    def _task_dir(self, candidate: Candidate) -> Path:
        place = Path(*Path(candidate.trajectory).parts[-2:])  # system and trajectory
        scf = layout.scf_dir(self.config.work_dir, self.iteration)
        return scf / place / layout.scf_name(candidate.step)

    def _calculation(
        self, labeler: Labeler, candidate: Candidate, explored: Explored
    ) -> Calculation:
        return Calculation(
            labeler,
            self._task_dir(candidate),
            partial(explored.frame, candidate),
            step=candidate.step,
            group=candidate.system,
        )

    def _gather(
        self, asked: Sequence[Candidate], answers: Sequence[Union[Atoms, str]], explored: Explored
    ) -> _Gathered:
        gathered = _Gathered()
        comparing = Comparing(self.config, self._systems.values(), explored)
        for candidate, frame in zip(asked, answers):
            if isinstance(frame, str):
                gathered.lost.append(self._place(candidate))
                if isinstance(frame, Spoilt):
                    gathered.spoilt.append(self._task_dir(candidate))
                continue
            compared = comparing.compared(candidate, frame)
            error = label_error(candidate, compared)
            gathered.frames.append(frame)
            gathered.structures.append(structure_key(explored.frame(candidate)))
            gathered.compared.append(compared)
            gathered.errors.append(error)
            condition = self.iteration if self.condition is None else self.condition
            gathered.pairs += pairs_of(candidate, error.rmse_force, condition)
        return gathered

    def _place(self, candidate: Candidate) -> str:
        """What tells the user which frame has no label."""
        if isinstance(self.labeler, BatchLabeler):
            return f"{candidate.trajectory} step {candidate.step}"
        return relative(self._task_dir(candidate), self.config.work_dir)

    def _output(self, gathered: _Gathered, repeated: int, transient: Sequence[Path]) -> StageOutput:
        result = layout.result_dir(self.config.work_dir, self.iteration)
        files.remove(result)
        result.mkdir(parents=True)
        products = [result / layout.LABEL_ERROR]
        rmse = write_label_error(products[0], gathered.errors)
        data = layout.labelled(result, self.config.data_format)
        write_parity(layout.parity(self.config.work_dir, self.iteration), gathered.compared)
        if gathered.frames:
            write_frames(data, gathered.frames, self.config.data_format)
            products.append(data)
        if self.distinct:
            products.append(self.directory / layout.STRUCTURES)
            write_structures(products[-1], gathered.structures)
        labelled, failed = len(gathered.frames), len(gathered.lost)
        report = LabelReport(
            *(labelled, failed, rmse, repeated),
            data=relative(data, self.config.work_dir) if labelled else "",
            entry=tables.label_entry(labelled, gathered.lost, repeated),
            errors=tuple(error_records(gathered.compared)),
            retried=retried(self.directory / layout.RETRIES),
            pairs=tuple(gathered.pairs),
        )
        return StageOutput(products, transient, report.to_json(), lost=gathered.spoilt)


class LabelStep:
    """Labels what was chosen."""

    def asked(self, turn: Turn) -> bool:
        """Always."""
        del turn
        return True

    def stage(self, turn: Turn) -> LabelStage:
        """The labelling."""
        config, engines = turn.config, turn.engines
        return LabelStage(
            config,
            engines.labeler,
            engines.explorer,
            engines.dft,
            turn.iteration,
            table=turn.table,
            contents=contents_of(turn.explored),
            known=(*config.init_data, *turn.data_sets),
            distinct=turn.distinct,
            later=lambda: later_data(config.work_dir, turn.stages(), turn.iteration),
            condition=turn.condition,
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The data set; without one the next iteration keeps the models."""
        data = LabelReport.from_json(report).data
        turn.labelled_last = bool(data)
        turn.data_sets += [turn.config.work_dir / data] if data else []
