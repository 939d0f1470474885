"""Trainings of DeePMD-kit's PyTorch backend that were cut off: the workers, with a stand-in."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from pwact.engines.deepmd.checkpoints import PYTORCH
from pwact.engines.deepmd.kpu import read_kalman
from pwact.engines.trainers import Trainer, TrainingData
from pwact.formats.frames import write_frames
from tests.engines import test_deepmd_pytorch, test_dpa
from tests.engines.test_deepmd import copper
from tests.stubs.deepmd_pytorch import KILLED_AFTER

BACKEND = Path(__file__).parents[1] / "stubs" / "deepmd_pytorch"
STEPS = {"optimizer": {"numb_steps": 40}}  # a row of the curve, and a checkpoint, every 4


def backend(folder: Path) -> str:
    """Shell text of a Python with the stand-in."""
    program = folder / "my python"
    path = shlex.quote(str(BACKEND))
    program.write_text(
        f'#!/bin/bash\nPYTHONPATH="$PYTHONPATH":{path} exec {shlex.quote(sys.executable)} "$@"\n'
    )
    program.chmod(0o755)
    return shlex.quote(str(program))


def trainer(engine: str, folder: Path, **changes: Any) -> Trainer:
    modules: dict[str, Any] = {"deepmd-pytorch": test_deepmd_pytorch, "dpa": test_dpa}
    made: Trainer = modules[engine].trainer(backend(folder), settings=STEPS, **changes)
    return made


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    write_frames(tmp_path / "train.xyz", [copper(seed) for seed in range(4)], "extxyz")
    return TrainingData((tmp_path / "train.xyz",), (), "extxyz")


def run(directory: Path, made: Trainer, killed_after: Optional[int] = None) -> int:
    """Exit status of the command, in which a training is killed after a step."""
    env = {**os.environ, KILLED_AFTER: str(killed_after)}
    words = ["bash", "-c", made.command()]
    return subprocess.run(words, cwd=directory, env=env, check=False).returncode


def starts(directory: Path) -> list[int]:
    """The steps from which the stand-in trained."""
    words = "train from step "
    lines = (directory / "train.log").read_text().splitlines()
    return [int(line[len(words) :]) for line in lines if line.startswith(words)]


def trained(directory: Path) -> Any:
    with zipfile.ZipFile(directory / "model.pt") as archive:
        (name,) = archive.namelist()
        return json.loads(archive.read(name))["trained"]


@pytest.mark.parametrize("engine", ["deepmd-pytorch", "dpa"])
def test_it_goes_on_from_its_last_checkpoint(
    tmp_path: Path, data: TrainingData, engine: str
) -> None:
    """Each step counts once, but for that of the checkpoint."""
    made, task = trainer(engine, tmp_path), tmp_path / "task"
    task.mkdir()
    made.write_input(task, data, 1, None)
    assert run(task, made, 10) != 0
    assert (made.reached(task), made.check(task).done) == (8, False)
    assert run(task, made, 18) != 0
    assert made.reached(task) == 16
    assert run(task, made) == 0
    assert made.check(task).done
    assert made.reached(task) == 41
    assert starts(task) == [0, 7, 15]
    assert trained(task) == [*range(1, 9), *range(8, 17), *range(16, 41)]
    rows = (task / "lcurve.out").read_text().splitlines()
    steps = [int(row.split()[0]) for row in rows if not row.startswith("#")]
    assert steps == [1, *range(4, 41, 4)]
    assert not list(task.glob("model.ckpt*"))


def test_the_filter_keeps_its_matrix(tmp_path: Path, data: TrainingData) -> None:
    """DeePMD-kit itself begins it again; here each step halves it."""
    made, task = trainer("deepmd-pytorch", tmp_path), tmp_path / "task"
    task.mkdir()
    made.write_input(task, data, 1, None)
    assert run(task, made, 10) != 0
    assert run(task, made) == 0
    for block in read_kalman(task / "kalman.npz"):
        np.testing.assert_allclose(block, np.eye(len(block)) / 2.0**41)


@pytest.mark.parametrize("damage", ["torn", "of no use", "all torn"])
def test_a_checkpoint_that_brings_nothing_is_left(
    tmp_path: Path, data: TrainingData, damage: str
) -> None:
    """For the one before it; without any the training begins again."""
    made, task = trainer("dpa", tmp_path), tmp_path / "task"
    task.mkdir()
    made.write_input(task, data, 1, None)
    assert run(task, made, 13) != 0
    kept = sorted(task.glob("model.ckpt-*.pt"))
    assert [path.name for path in kept] == ["model.ckpt-12.pt", "model.ckpt-8.pt"]
    for path in kept if damage == "all torn" else kept[:1]:
        if damage == "of no use":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("archive/data.pkl", "{}")
        else:
            path.write_bytes(path.read_bytes()[:-30])
    if damage == "of no use":
        assert run(task, made) != 0
    assert PYTORCH.last(task) == {"torn": 8, "of no use": 12, "all torn": 0}[damage]
    assert run(task, made) == 0
    assert starts(task) == [0, 0 if damage == "all torn" else 7]
    assert made.check(task).done


def test_a_fine_tuning_goes_on_with_the_network_that_it_took(
    tmp_path: Path, data: TrainingData
) -> None:
    """Its input does not say which."""
    first, task = tmp_path / "first", tmp_path / "task"
    for directory in (first, task):
        directory.mkdir()
    made = trainer("dpa", tmp_path)
    made.write_input(first, data, 1, None)
    assert run(first, made) == 0
    tuned = trainer("dpa", tmp_path, foundation=str(first / "model.pt"))
    tuned.write_input(task, data, 1, None)
    assert run(task, tuned, 10) != 0
    assert run(task, tuned) == 0
    assert starts(task) == [0, 7]
    assert tuned.check(task).done
