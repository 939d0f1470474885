"""A finished evaluation of the uncertainty by every engine that has one, for the contract."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.explorers import Condition
from pwact.engines.gradients.covariance import (
    GRADIENT_COVARIANCE,
    covariance_of,
    write_covariance,
)
from pwact.engines.gradients.evaluator import GradientKpu, Judge, evaluate
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.trainers import TrainedModel
from pwact.formats.extrapolation import read_grades, write_grades
from pwact.formats.features import Features
from pwact.formats.kpu_devi import read_kpu_devi, write_kpu_devi
from tests.engines import (
    gradient_models,
    pod_helpers,
    test_deepmd_pytorch,
    test_grades,
    test_matpl_kpu,
    test_pod_kpu,
)
from tests.engines.contract_task import Case, Finished, names_in, run
from tests.engines.test_deepmd import copper
from tests.workflow.matpl_campaign import write_program

FRAME = "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n1\nITEM: ATOMS id type x y z\n1 1 0 0 0\n"


def evaluated(made: KpuEvaluator, task: Path, inputs: frozenset[str]) -> Finished:
    """What later steps read of it: the table, and the features where there are some."""

    def read(directory: Path) -> Any:
        rows = read_kpu_devi(directory / layout.KPU_MODEL_DEVI)
        found = [rows.steps.tolist(), repr(rows.etot_kpu.tolist()), rows.f_mean.tolist()]
        path = directory / layout.FEATURES
        if path.exists():
            features = Features(path)
            found += [np.asarray(features.of(int(step))).tolist() for step in rows.steps]
        return found

    return Finished(task, made.check, inputs, read)


def pod(folder: Path, features: bool = False) -> Finished:
    """Of a POD model, by LAMMPS."""
    frames = [pod_helpers.labelled(pod_helpers.alloy(seed, repeat=3)) for seed in range(4)]
    trainer = test_pod_kpu.kpu_trainer()
    data = pod_helpers.data_set(folder / "data", frames, [])
    model = pod_helpers.fit(trainer, folder / "train.000", data)
    start = pod_helpers.alloy(9, repeat=3)
    potential = trainer.potential([model])
    assert pod_helpers.explore(folder / "md", start, potential, pod_helpers.SHORT) == 0
    made: KpuEvaluator = trainer.kpu()
    if features:
        richer = made.with_features()
        assert richer is not None
        made = richer
    task = folder / "task"
    task.mkdir()
    made.write_input(task, model, folder / "md")
    inputs = names_in(task)
    run(task, made.command())
    return evaluated(made, task, inputs)


def pod_with_features(folder: Path) -> Finished:
    """The same, with the features of each frame."""
    return pod(folder, True)


def matpl(folder: Path) -> Finished:
    """Of a DP model, by the stand-ins of MatPL and its LAMMPS."""
    folder.mkdir(exist_ok=True)
    write_program(folder / "MatPL", "tests.stubs.matpl")
    write_program(folder / "lmp_mpi", "tests.stubs.matpl_lammps", "lmp_mpi")
    made = test_matpl_kpu.matpl(shlex.quote(str(folder / "MatPL")))
    model = test_matpl_kpu.model(folder / "train.000")
    explorer = LammpsExplorer(ResourceBlock("explore", shlex.quote(str(folder / "lmp_mpi"))))
    potential, motion = made.potential([model]), Condition("nvt", 40, 10, 600.0)
    (folder / "md").mkdir()
    explorer.write_input(folder / "md", copper(3), potential, motion, 7)
    run(folder / "md", explorer.command(potential))
    kpu, task = made.kpu(), folder / "task"
    task.mkdir()
    kpu.write_input(task, model, folder / "md")
    inputs = names_in(task)
    run(task, kpu.command(), PATH=f"{folder}:{os.environ['PATH']}")
    return evaluated(kpu, task, inputs)


def deepmd_pytorch(folder: Path) -> Finished:
    """As the evaluation leaves it, without DeePMD-kit."""
    model, md, task = (folder / name for name in ("train.000", "md", "task"))
    for place in (model, md, task):
        place.mkdir(parents=True)
    test_deepmd_pytorch.kalman(model, block_0=np.eye(2))
    steps = np.array([0, 10, 20])
    (md / "traj.lammpstrj").write_text("".join(FRAME.format(step) for step in steps))
    made = test_deepmd_pytorch.trainer("python").kpu()
    made.write_input(task, TrainedModel(model), md)
    inputs = names_in(task)
    (task / made.log).touch()
    rows = [[1e-3 * (step + 1), 2e-3, float("nan"), float("nan")] for step in steps]
    write_kpu_devi(task / layout.KPU_MODEL_DEVI, steps, np.array(rows))
    return evaluated(made, task, inputs)


def gradients(folder: Path, features: bool = False) -> Finished:
    """Of a network by sketched gradients, as its worker leaves it, without the network."""
    model, md, task = (folder / name for name in ("train.000", "md", "task"))
    for place in (model, task):
        place.mkdir(parents=True)
    frames = [gradient_models.crystal(seed) for seed in range(3)]
    covariance = covariance_of(gradient_models.WaveRows(), frames)
    write_covariance(model / GRADIENT_COVARIANCE, covariance)
    (model / "weights").write_text("weights")
    gradient_models.write_trajectory(md, frames)
    made = GradientKpu("a.module", "python", "model", 4)
    made = made.with_features() if features else made
    made.write_input(task, TrainedModel(model, {"model": model / "weights"}), md)
    inputs = names_in(task)
    (task / made.log).touch()
    evaluate(task, Judge(gradient_models.WaveRows(), covariance, 4), features)
    return evaluated(made, task, inputs)


def gradients_with_features(folder: Path) -> Finished:
    """The same, with the features of each frame."""
    return gradients(folder, True)


def torchnep_grades(folder: Path) -> Finished:
    """Of a model of TorchNEP, as its worker leaves them."""
    model, md, task = (folder / name for name in ("train.000", "md", "task"))
    for place in (model, task):
        place.mkdir(parents=True)
    gradient_models.write_trajectory(md, [gradient_models.crystal(seed) for seed in range(3)])
    made: KpuEvaluator = test_grades.graded().grades()
    made.write_input(task, test_grades.model(model), md)
    inputs = names_in(task)
    (task / made.log).touch()
    steps = np.array([0, 10, 20])
    rows = np.array([[0.9, 0.5, 0.9], [1.5, 2.5, 2.5], [np.inf, np.inf, np.inf]])
    write_grades(task / layout.EXTRAPOLATION_GRADE, steps, rows)

    def read(directory: Path) -> Any:
        found = read_grades(directory / layout.EXTRAPOLATION_GRADE)
        return found.steps.tolist(), found.grade.tolist()

    return Finished(task, made.check, inputs, read)


EVALUATORS: dict[str, Case] = {
    "pod kpu": Case("evaluator pod", pod),
    "pod kpu with features": Case("evaluator pod", pod_with_features),
    "matpl kpu": Case("evaluator matpl", matpl),
    "deepmd-pytorch kpu": Case("evaluator deepmd-pytorch", deepmd_pytorch),
    "torchnep grades": Case("evaluator torchnep", torchnep_grades),
    "gradients": Case("evaluator gradients", gradients),
    "gradients with features": Case("evaluator gradients", gradients_with_features),
}
