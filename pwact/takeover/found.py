"""What PWact's finished steps left, as the results of our stages. Nothing is written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Union

from pwact import layout
from pwact.engines.explorers import Explorer
from pwact.errors import InputError, TaskError
from pwact.formats.al_record import Entry
from pwact.formats.frames import data_set_format, read_frames
from pwact.formats.labels import labels_of
from pwact.registry.engines import LABELERS
from pwact.registry.formats import FORMATS, OF_CAMPAIGNS
from pwact.report import selection as tables
from pwact.report.records import SelectRecord
from pwact.takeover.tree import PwactTree
from pwact.workflow.explored import Candidate, read_candidates
from pwact.workflow.reports import (
    ExploreReport,
    LabelReport,
    SelectReport,
    TrainReport,
    TrajectoryRecord,
)
from pwact.workflow.stage import Stage, StageOutput
from pwact.workflow.stages.explore import ExploreStage
from pwact.workflow.stages.label import LabelStage
from pwact.workflow.stages.select import SelectStage
from pwact.workflow.stages.train import ReuseStage, TrainStage
from pwact.workflow.steps import Step, load
from pwact.workflow.tasks.prepare import relative
from pwact.workflow.turn import Turn

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Found:
    """What a finished step of PWact left.

    Attributes
    ----------
    warnings
        What the user may wonder about.
    """

    output: StageOutput
    warnings: Sequence[str] = ()


def found_by(step: Step, stage: Stage, tree: PwactTree) -> Found:
    """What PWact left of a step that it finished.

    Raises
    ------
    InputError
        Nobody can read it, or it is not there.
    """
    if not step.found:
        iteration = stage.name.partition("/")[0].partition(".")[2]
        raise InputError(
            f"{stage.name} of PWact cannot be taken over; delete the lines from '{int(iteration)} "
            f"{step.number}' on, and the exploration is done again",
            tree.record,
        )
    found: Found = load(step.found)(stage, tree)
    return found


def found_training(stage: Union[TrainStage, ReuseStage], tree: PwactTree) -> Found:
    """The models of a training."""
    config = stage.config
    models = []
    for member in range(config.strategy.model_num):
        place = layout.member_dir(tree.work_dir, stage.iteration, member)
        try:
            models.append(stage.trainer.read_result(place))
        except (TaskError, OSError) as error:
            raise _missing(tree, stage.name, f"the model in {place} cannot be used: {error}") from (
                error
            )
    valid = models[0].valid
    report = TrainReport(
        valid.rmse_e if valid else None,
        valid.rmse_f if valid else None,
        tuple(relative(model.directory, tree.work_dir) for model in models),
    )
    products = [path for model in models for path in model.files.values()]
    return Found(StageOutput(products, report=report.to_json()))


def found_exploration(stage: ExploreStage, tree: PwactTree) -> Found:
    """The trajectories that are there; what the input asks for by now may be something else."""
    places = [
        place
        for system in sorted(stage.directory.glob("md.*.sys.*"))
        for place in sorted(system.glob(f"{system.name}.*"))
        if place.is_dir()
    ]
    if not places:
        raise _missing(tree, stage.name, f"{stage.directory} holds no trajectory")
    paths, products = [], []
    for place in places:
        usable, normal = _end(stage, place)
        if usable:
            products += sorted(place.glob(layout.MODEL_DEVI_FILES))
        directory = relative(place, tree.work_dir)
        paths.append(TrajectoryRecord(place.parent.name, "", directory, usable, normal))
    temps = sorted({float(temp) for system in stage.systems for temp in system.job.temps})
    normal_ends = sum(entry.normal for entry in paths)
    report = ExploreReport(tuple(temps), len(paths), normal_ends, None, tuple(paths))
    output = StageOutput(products, report=report.to_json())
    return Found(output, missing(stage, len(paths)))


def _end(stage: ExploreStage, place: Path) -> tuple[bool, bool]:
    """Whether a trajectory has frames that can be judged, and came to its end."""
    try:
        trajectory = stage.explorer.read_result(place)
        usable = len(trajectory.deviations().steps) > 0
    except (TaskError, OSError):
        return False, False
    return usable, usable and trajectory.ended_normally


def found_selection(stage: SelectStage, tree: PwactTree) -> Found:
    """The tables of a selection."""
    names = (tables.ACCURATE, tables.CANDIDATE, tables.DELETED, tables.FAILED, tables.SUMMARY)
    present = [stage.directory / name for name in names if (stage.directory / name).is_file()]
    candidate = stage.directory / tables.CANDIDATE
    if candidate not in present:
        raise _missing(tree, stage.name, f"{candidate} is missing")
    accurate, selected, deleted, failed = (_rows(stage.directory / name) for name in names[:4])
    total = accurate + selected + deleted + failed
    counts = SelectRecord(total, accurate, selected + deleted, failed, selected)
    ends = [tables.MdEnd(entry.directory, entry.normal) for entry in stage.explored]
    made = tables.iteration_entry(layout.iteration_name(stage.iteration), counts, ends)
    report = SelectReport(
        **counts.to_json(),
        candidates=relative(candidate, tree.work_dir),
        entry=tree.entries.get(stage.iteration, Entry()).select or made,
    )
    return Found(StageOutput(present, report=report.to_json()))


def _rows(table: Path) -> int:
    if not table.is_file():
        return 0
    with table.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))


def found_labels(stage: LabelStage, tree: PwactTree) -> Found:
    """The data set of a labelling; there is none if nothing was a candidate, or none converged."""
    entry = tree.entries.get(stage.iteration, Entry())
    data = _data(stage, tree)
    frames = read_frames(data, stage.config.data_format) if data is not None else []
    count = len(frames)
    if data is None and entry.converged != 0 and _rows(stage.candidates):
        result = layout.result_dir(tree.work_dir, stage.iteration)
        raise _missing(tree, stage.name, f"{result} holds no labelled frames")
    lost = entry.not_converged or 0
    report = LabelReport(
        count,
        lost,
        data="" if data is None else relative(data, tree.work_dir),
        entry=entry.label or tables.label_entry(count, []),
        frames_gone=_frames_are_gone(stage, tree),
    )
    warnings = _turned(stage.config.dft.style, frames)
    if report.frames_gone:
        warnings.append(
            f"{stage.name}: its labels count, but the trajectories of PWact are gone: this step "
            "and the choice of its frames cannot be done again, unless the exploration is "
            f"(--redo {layout.iteration_name(stage.iteration)}/explore), which gives other frames"
        )
    output = StageOutput([] if data is None else [data], report=report.to_json())
    return Found(output, warnings)


def _turned(style: str, frames: Sequence[Atoms]) -> list[str]:
    """What is said of labels whose virials PWact left with the opposite sign."""
    with_virial = any(labels_of(frame).virial is not None for frame in frames)
    if not LABELERS[style].turned_by_pwact or not with_virial:
        return []
    return [
        f"PWact left the virials of its labels by {style} with the opposite sign, new ones do not "
        "have it: to train virials, turn those of PWact (pwact to_pwdata --virial-sign opposite); "
        "see docs/formats.md"
    ]


def _frames_are_gone(stage: LabelStage, tree: PwactTree) -> bool:
    """Whether frames that were labelled cannot be read any more."""
    listed = read_candidates(stage.candidates, tree.work_dir)
    return any(_unreadable(stage.explorer, one, tree) for one in listed[:1])


def _unreadable(explorer: Explorer, candidate: Candidate, tree: PwactTree) -> str:
    """Why a frame cannot be read; "" if it can."""
    try:
        explorer.read_result(tree.work_dir / candidate.trajectory).frame(candidate.step)
    except (TaskError, OSError) as error:
        return str(error)
    return ""


def _data(stage: LabelStage, tree: PwactTree) -> Union[Path, None]:
    """The labelled frames; the oldest PWact kept folders of compositions in one a trajectory."""
    result = layout.result_dir(tree.work_dir, stage.iteration)
    mine = {name: _holds(result, name) for name in OF_CAMPAIGNS}
    chosen = stage.config.data_format
    other = next((name for name in mine if mine[name] is not None), chosen)
    if mine[chosen] is None and other != chosen:
        raise InputError(
            f"the labels that PWact left in {result} are {other}, not {chosen}",
            stage.config.file,
            "data_format",
        )
    return mine[chosen]


def _holds(result: Path, data_format: str) -> Union[Path, None]:
    usual = layout.labelled(result, data_format)
    if usual.exists():
        return usual
    known = FORMATS[data_format].folder and result.is_dir()
    return result if known and data_set_format(data_format).find(result) else None


def check_candidates(name: str, turn: Turn, tree: PwactTree) -> None:
    """Raise InputError unless every frame that a step is to work on can be read."""
    for candidate in read_candidates(turn.candidates, tree.work_dir):
        if why := _unreadable(turn.engines.explorer, candidate, tree):
            place = tree.work_dir / candidate.trajectory
            reason = f"{turn.candidates} names step {candidate.step} of {place}: {why}"
            raise _missing(tree, name, reason)


def missing(stage: ExploreStage, there: int) -> list[str]:
    """How the trajectories of a finished exploration differ from those that the input asks for."""
    number = stage.iteration
    asked = sum(1 for system in stage.systems for _ in system.runs())
    if asked == there:
        return []
    return [
        f"iter.{number:04d}: PWact explored {there} trajectories, explore.md_jobs"
        f"[{number}] asks for {asked} by now; what it did counts"
    ]


def _missing(tree: PwactTree, name: str, story: str) -> InputError:
    return InputError(f"says that {name} is done, but {story}", tree.record)
