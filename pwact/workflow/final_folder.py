"""The folder ``final``: a view of the last model that can be handed on, made of finished stages.

It holds nothing that is not on record elsewhere, and no time, so that it comes out the same after a
kill. One that is there for the same model is left as it is, whatever was done to it.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional

from pwact import layout
from pwact.config.run import RunConfig
from pwact.engines.delivery import CALCULATOR, CHECK, CHECK_DATA
from pwact.formats.extxyz import read_extxyz
from pwact.io import files
from pwact.io.durable import sync_directory
from pwact.report.errors import digits
from pwact.report.force_field import DataFacts, ForceField, readme
from pwact.report.records import ErrorRecord
from pwact.report.target import TargetFacts
from pwact.workflow.campaign import Campaign
from pwact.workflow.changes import free_backup
from pwact.workflow.conditions import begun_iterations, plan_of
from pwact.workflow.ledger import StageState
from pwact.workflow.outcome import outcome_of
from pwact.workflow.reports import FinalReport
from pwact.workflow.rows import row
from pwact.workflow.stages.final import FinalStage, FinalStep, delivered, write_folder
from pwact.workflow.tasks.prepare import relative
from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)

README = "README.txt"
_USAGE = {
    "in.lammps": "input of LAMMPS that runs as it is",
    CALCULATOR: "calculator of ASE; runs as it is, too",
    CHECK_DATA: "a frame to try it on, for LAMMPS",
    CHECK: "the same with the energy and forces that this force field gave",
}


class Known(NamedTuple):
    """What the campaign knows beside the stage.

    Attributes
    ----------
    root
        Its root seed.
    target
        How its conditions stand; None without a target.
    newest
        Iteration and errors of the labels that came last, before they were trained on.
    """

    root: int
    target: Optional[TargetFacts] = None
    newest: tuple[str, tuple[ErrorRecord, ...]] = ("", ())


def newest_errors(stages: Mapping[str, StageState]) -> tuple[str, tuple[ErrorRecord, ...]]:
    """Errors on the labels that came last, of the model that explored; and their iteration."""
    rows = [row(stages, number) for number in range(begun_iterations(stages))]
    known = [(one.name, one.errors) for one in rows if one.errors]
    return known[-1] if known else ("", ())


def published(turn: Turn, campaign: Campaign, always: bool = False) -> Optional[Path]:
    """The folder of the force field, once that is fitted and tried; None if it is not asked for.

    `always` as in `publish`. What the trial has left for deletion goes.
    """
    work = FinalStep()
    if not work.asked(turn):
        return None
    stage, stages = work.stage(turn), campaign.stages()
    known = Known(campaign.root, outcome_of(plan_of(turn.config), stages), newest_errors(stages))
    folder = publish(stage, stages[stage.name], known, always)
    campaign.clean([stage.name])
    return folder


def publish(
    stage: FinalStage,
    state: StageState,
    known: Known,
    always: bool = False,
) -> Path:
    """Make the folder of a finished stage, unless it is there.

    Another folder of this name moves to ``final-bk-<n>``.

    Parameters
    ----------
    always
        Whether a folder of the same model is replaced, too, if it differs.
    """
    final = layout.final_dir(stage.config.work_dir)
    aside = final.with_name(f".{layout.FINAL}.new")
    files.remove(aside)
    aside.mkdir()
    with files.synced_together(aside):
        _write(aside, stage, state, known)
    if final.exists() and _same(final, aside, always):
        files.remove(aside)
        return final
    if final.exists() or final.is_symlink():
        backup = free_backup(final)
        final.rename(backup)
        logger.info("%s holds another model now; what was there is %s", final, backup.name)
    aside.rename(final)
    sync_directory(final.parent)
    return final


def final_words(work_dir: Path) -> Optional[str]:
    """In a few words the force field that lies in a campaign; None if there is none."""
    try:
        path = layout.final_dir(work_dir) / layout.FINAL_MODEL
        found = json.loads(path.read_text(encoding="utf-8"))
        frames, rmse = found["training_frames"], found["rmse"]
        words = f"{layout.FINAL}/, trained on {frames} frames"
        if rmse is None:
            return words
        energy, forces = 1000 * rmse["energy_per_atom"], rmse["forces"]
        return f"{words}; on valid_data {digits(energy)} meV/atom, {forces:.3g} eV/Å"
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _same(final: Path, fresh: Path, always: bool) -> bool:
    """Whether a folder is left as it is."""
    if not always:
        return identity(final) == identity(fresh)
    ours = [path for path in fresh.rglob("*") if path.is_file()]
    theirs = [final / path.relative_to(fresh) for path in ours]
    pairs = zip(ours, theirs)
    return all(two.is_file() and files.tree_hash(one) == files.tree_hash(two) for one, two in pairs)


def identity(folder: Path) -> Optional[Mapping[str, Any]]:
    """By what a model is known, of a folder that has one; else None."""
    try:
        found = json.loads((folder / layout.FINAL_MODEL).read_text(encoding="utf-8"))
        return {key: found[key] for key in ("files", "check", "data")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder: Path, stage: FinalStage, state: StageState, known: Known) -> None:
    trainer = stage.engines.trainer.whole() or stage.engines.trainer
    config, report = stage.config, FinalReport.from_json(state.report)
    model = trainer.read_result(config.work_dir / report.model)
    frame = read_extxyz(stage.directory / CHECK)[0]
    potential, delivery = delivered(stage.engines, model, frame)
    for name, path in potential.links.items():
        shutil.copyfile(path, folder / name)
    write_folder(folder, delivery, frame)
    shutil.copyfile(stage.directory / CHECK, folder / CHECK)
    usage = {name: words for name, words in _USAGE.items() if (folder / name).exists()}
    for name, (path, words) in potential.beside.items():
        shutil.copyfile(path, folder / name)
        usage[name] = words
    errors = model.valid
    found = ForceField(
        elements=potential.types,
        cutoff=config.train.cutoff,
        engine=config.train.engine,
        model_type=config.train.model_type,
        files={name: files.tree_hash(folder / name) for name in potential.links},
        usage=usage,
        trained_in=report.model,
        errors={"energy_per_atom": errors.rmse_e, "forces": errors.rmse_f} if errors else None,
        valid_frames=report.valid_frames,
        data=_data(stage.data.train, config.work_dir, report.frames),
        valid_data=_data(stage.data.valid, config.work_dir, ()),
        check=report.check,
        seeds={"campaign": known.root, "training": report.seed},
        versions={"pwact": state.version, **report.programs},
        inputs={path.name: files.tree_hash(path) for path in _inputs(config) if path.is_file()},
        by_structure=bool(potential.own_types),
        on_valid=report.errors,
        on_new=known.newest,
        target=known.target,
    )
    files.write_json(folder / layout.FINAL_MODEL, found.to_json())
    files.write_text(folder / README, readme(found))


def _data(paths: Sequence[Path], work_dir: Path, frames: Sequence[int]) -> list[DataFacts]:
    counts = [*frames, *[None] * (len(paths) - len(frames))]
    return [
        DataFacts(relative(path, work_dir), files.tree_hash(path), count)
        for path, count in zip(paths, counts)
    ]


def _inputs(config: RunConfig) -> list[Path]:
    """Files of the user that say how it was trained and labelled."""
    given = [config.file, config.train.input_file, *(one.path for one in config.dft.inputs)]
    return [path for path in given if path is not None]
