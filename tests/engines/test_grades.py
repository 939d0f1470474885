"""The extrapolation grade of TorchNEP: what a training leaves for it, and what it means."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact import layout
from pwact.config.strategy import StrategyConfig
from pwact.engines.torchnep.grades import ACTIVE_SET, FOR_GPUMD, GRADES
from pwact.engines.torchnep.trainer import TorchnepTrainer
from pwact.engines.trainers import TrainedModel, Trainer
from pwact.errors import InputError, TaskError
from pwact.fingerprint import differences
from pwact.formats.extrapolation import read_grades, write_grades
from pwact.io.files import write_json
from pwact.query.window import CANDIDATE, FAILED, Limits, classify
from pwact.uncertainties.base import Uncertainty
from pwact.uncertainties.extrapolation import ExtrapolationGrade
from tests.engines import pod_helpers, test_deepmd_pytorch
from tests.engines.torchnep_helpers import GRADED, RECORDED, trainer

# of the model in tests/data/torchnep: one of its training frames, and one far from all of them
GRADES_OF_TWO = """\
#     step           gamma       gamma_res           grade
         0  1.00150134e+00  7.08020100e-01  1.00150134e+00
        10  2.33088769e+01  6.86767240e+01  6.86767240e+01
"""


def graded(command: str = "python") -> TorchnepTrainer:
    """A trainer whose models are judged by their grades."""
    made: Any = trainer(command=command, strategy=GRADED)
    return made


def model(directory: Path, active_set: bool = True) -> TrainedModel:
    """A trained model."""
    files = {
        "model": directory / "nep.txt",
        **({GRADES: directory / ACTIVE_SET} if active_set else {}),
    }
    for path in files.values():
        path.write_text(path.name)
    return TrainedModel(directory, files)


def judged(trajectory: Path, text: str = GRADES_OF_TWO) -> Path:
    """A trajectory whose grades are these."""
    place = layout.evaluated(trajectory)
    place.mkdir(parents=True)
    (place / "extrapolation_grade.out").write_text(text)
    return trajectory


def test_a_training_leaves_an_active_set_in_place_of_a_covariance() -> None:
    step = "pwact.engines.torchnep.grades build cpu"
    assert step in graded().command()
    assert "covariance" not in graded().command()
    kpu = trainer(strategy=StrategyConfig(uncertainty="kpu", model_num=1))
    assert step not in kpu.command()
    assert step not in trainer().command()


def test_a_training_without_one_is_another() -> None:
    plain, own = trainer().fingerprint(), graded().fingerprint()
    assert [*differences(plain, own)]
    assert "active_set" not in plain


def test_where_the_training_computes_the_grades_are_computed() -> None:
    made: Any = trainer(strategy=GRADED, gpu_per_node=1)
    assert "PYTHONUTF8=1 " in made.grades().command()
    assert "pwact.engines.torchnep.grades grade cuda > " in made.grades().command()
    assert made.grades().with_features() is None


def test_a_model_without_an_active_set_tells_no_grade(tmp_path: Path) -> None:
    task = tmp_path / "task"
    task.mkdir()
    with pytest.raises(TaskError, match="trained without an active set"):
        graded().grades().write_input(task, model(tmp_path, active_set=False), tmp_path)


def test_a_training_leaves_the_active_set_for_gpumd_too(tmp_path: Path) -> None:
    made, directory = graded(), tmp_path / "it's 1"
    shutil.copytree(RECORDED, directory)
    write_json(
        directory / "settings.json",
        {"seed": 3, "elements": ["Cu"], "begin": None, "keys": {"epochs": 5}},
    )
    with pytest.raises(TaskError, match="active_set.asi is missing"):
        made.read_result(directory)
    (directory / FOR_GPUMD).write_text("Cu 1 1\n1\n")
    found = made.potential([made.read_result(directory)])
    path, words = found.beside[FOR_GPUMD]
    assert path == directory / FOR_GPUMD
    assert "compute_extrapolation asi_file active_set.asi" in words
    assert FOR_GPUMD not in found.links
    (directory / ACTIVE_SET).write_text("half of")
    with pytest.raises(TaskError, match="not whole"):
        made.read_result(directory)
    plain: Any = trainer()
    assert not plain.potential([plain.read_result(directory)]).beside


@pytest.mark.parametrize("other", [pod_helpers.trainer, test_deepmd_pytorch.trainer])
def test_other_libraries_have_none(other: Any) -> None:
    made: Trainer = other()
    with pytest.raises(InputError, match="no extrapolation grade"):
        ExtrapolationGrade().evaluator(made)


def test_it_keeps_the_contract() -> None:
    made: Uncertainty = ExtrapolationGrade()
    assert made.evaluator(graded()).log == "kpu.log"
    assert not made.streams
    assert made.measure.with_unit == "largest extrapolation grade"


def test_a_frame_is_judged_by_the_larger_of_both_grades(tmp_path: Path) -> None:
    made, trajectory = (
        ExtrapolationGrade(),
        judged(tmp_path / "md/md.000.sys.000/md.000.sys.000.t.000"),
    )
    scores = made.scores(trajectory)
    assert scores.steps.tolist() == [0, 10]
    assert scores.values.tolist() == [1.00150134, 68.676724]
    assert made.measured(trajectory).values.tolist() == scores.values.tolist()
    window, story = made.window(Limits(2.0, 100.0), [scores])
    assert (window.lower, window.upper, story) == (2.0, 100.0, "")
    assert classify(scores.values, scores.failed, 2.0, 100.0)[1] == CANDIDATE


def test_an_atom_of_an_element_without_data_has_no_finite_grade(tmp_path: Path) -> None:
    path = tmp_path / "extrapolation_grade.out"
    write_grades(path, np.array([0, 5]), np.array([[np.inf] * 3, [np.nan] * 3]))
    rows = read_grades(path)
    assert rows.failed.tolist() == [True, True]
    assert classify(rows.grade, rows.failed, 2.0, 10.0).tolist() == [FAILED, FAILED]


def test_a_table_that_is_no_table_of_grades_is_refused(tmp_path: Path) -> None:
    trajectory = judged(tmp_path / "md/a/b", GRADES_OF_TWO.replace("gamma_res", "gamma_two"))
    with pytest.raises(TaskError, match="does not name the columns step and gamma and gamma_res"):
        ExtrapolationGrade().scores(trajectory)
