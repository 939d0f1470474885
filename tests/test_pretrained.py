"""SevenNet and MACE for real, by small networks, in an environment of each; and the examples."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from pwact.config.exploration import ExploreConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import explorer_for, trainer_for
from pwact.engines.explorers import Condition
from pwact.engines.gradients.differentiable import loaded
from pwact.engines.trainers import TrainedModel, TrainingData
from pwact.formats.frames import write_frames
from pwact.formats.kpu_devi import read_kpu_devi
from pwact.formats.labels import labels_of, set_labels
from pwact.registry.engines import TRAINERS
from tests.commands import ROOT, pwact
from tests.engines.network_helpers import config
from tests.engines.test_deepmd import copper
from tests.engines.test_torchnep_real import explored
from tests.requirements import need_module

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
BLOCK = ResourceBlock(command=f'"{sys.executable}"')
ENV = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Small:
    """A small network of an engine.

    Attributes
    ----------
    half
        What is there when the training is half done.
    """

    engine: str
    module: str
    settings: Mapping[str, Any]
    half: str


SMALL = [
    pytest.param(
        Small(
            "sevennet",
            "sevenn",
            {"channel": 4, "num_convolution_layer": 1, "cutoff": 4.0},
            "checkpoint_2.pth",
        ),
        marks=pytest.mark.sevennet,
        id="sevennet",
    ),
    pytest.param(
        Small(
            "mace",
            "mace",
            {"num_channels": 4, "num_interactions": 1, "cutoff": 4.0},
            "mace/checkpoints/pwact_run-1_epoch-2.pt",
        ),
        marks=pytest.mark.mace,
        id="mace",
    ),
]


@pytest.fixture(params=SMALL)
def small(request: pytest.FixtureRequest) -> Small:
    made: Small = request.param
    need_module(made.module)
    return made


def frames(count: int, shift: float = 0.0) -> list[Atoms]:
    """Of copper, with energies counted from elsewhere: `shift` in eV per atom."""
    made = [copper(seed) for seed in range(count)]
    for atoms in made:
        labels = labels_of(atoms)
        set_labels(atoms, labels.energy + shift * len(atoms), labels.forces, labels.virial)
    return made


def data_set(folder: Path, shift: float = 0.0) -> TrainingData:
    folder.mkdir()
    whole = frames(10, shift)
    write_frames(folder / "train.xyz", whole[:8], "extxyz")
    write_frames(folder / "valid.xyz", whole[8:], "extxyz")
    return TrainingData((folder / "train.xyz",), (folder / "valid.xyz",), "extxyz")


def trainer(small: Small, epochs: int, **changes: Any) -> Any:
    settings = {**small.settings, "epochs": epochs, **changes.pop("settings", {})}
    return trainer_for(config(small.engine, settings, **changes), BLOCK, BLOCK)


def shell(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], cwd=directory, env={**os.environ, **ENV}, check=False, text=True
    )


def trained(made: Any, directory: Path, data: TrainingData, seed: int, start: Any = None) -> Any:
    directory.mkdir()
    made.write_input(directory, data, seed, start)
    done = shell(directory, made.command())
    assert done.returncode == 0, (directory / "train.log").read_text()[-3000:]
    assert made.check(directory).done
    return made.read_result(directory)


def test_a_training_leaves_what_lammps_loads(small: Small, tmp_path: Path) -> None:
    import torch  # noqa: PLC0415

    settings = {**small.settings, "epochs": 1}
    style = next(iter(TRAINERS[small.engine].pair_styles))
    asked = replace(config(small.engine, settings), explore=ExploreConfig(pair_style=style))
    made = trainer_for(asked, BLOCK, BLOCK)
    found = trained(made, tmp_path / "some task", data_set(tmp_path / "data"), 1)
    assert torch.jit.load(str(found.files["lammps"])) is not None


NATIVE = {
    "sevennet": "model:\n  cutoff: 4.0\n  channel: 4\n  lmax: 1\n  num_convolution_layer: 1\n"
    "train:\n  epoch: 2\n  optimizer: adam\n  optim_param: {lr: 0.01}\n  is_train_stress: false\n"
    "  scheduler: exponentiallr\n  scheduler_param: {gamma: 0.9}\n"
    "data:\n  batch_size: 3\n  shift: per_atom_energy_mean\n  scale: force_rms\n",
    "mace": "max_num_epochs: 2\nr_max: 4.0\nnum_channels: 4\nmax_L: 0\nnum_interactions: 1\n"
    "batch_size: 3\nloss: weighted\n",
}


def test_an_input_of_the_program_is_trained_by(small: Small, tmp_path: Path) -> None:
    (file := tmp_path / "input.yaml").write_text(NATIVE[small.engine])
    data = data_set(tmp_path / "data")
    made = trainer_for(config(small.engine, input_file=file), BLOCK, BLOCK)
    first = trained(made, tmp_path / "first", data, 1)
    assert len(errors_of(first.directory)) >= 2
    assert json.loads((first.directory / "result.json").read_text())["epochs"] == 2
    second = trained(made, tmp_path / "second", data, 1, first.directory)
    assert (second.directory / "begin.json").exists()


def content(model: TrainedModel) -> bytes:
    return model.files["model"].read_bytes()


def errors_of(directory: Path) -> list[str]:
    return (directory / "curve.csv").read_text().splitlines()[1:]


def test_a_training_learns_and_repeats_and_survives_a_kill(small: Small, tmp_path: Path) -> None:
    data, made = data_set(tmp_path / "some data"), trainer(small, 12)
    first = trained(made, tmp_path / "first", data, 1)
    again = tmp_path / "again"
    again.mkdir()
    made.write_input(again, data, 1, None)
    job = subprocess.Popen(
        ["bash", "-c", made.command()],
        cwd=again,
        env={**os.environ, **ENV},
        start_new_session=True,
    )
    while not (again / small.half).exists():
        assert job.poll() is None, (again / "train.log").read_text()[-2000:]
        time.sleep(0.02)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not made.check(again).done
    assert shell(again, made.command()).returncode == 0
    assert errors_of(again) == errors_of(first.directory)
    assert made.read_result(again).valid == first.valid
    assert content(made.read_result(again)) == content(first)
    other = trained(made, tmp_path / "other", data, 2)
    assert content(other) != content(first)
    start = trained(trainer(small, 1), tmp_path / "one epoch", data, 1)
    assert first.valid.rmse_f < 0.8 * start.valid.rmse_f


def test_a_batch_larger_than_the_data_is_all_of_them(small: Small, tmp_path: Path) -> None:
    """MACE itself would leave out the batch that is not full, and so train nothing."""
    data, found = data_set(tmp_path / "some data"), []
    for size in (8, 99):
        made = trainer(small, 3, settings={"batch_size": size})
        trained(made, tmp_path / f"{size}", data, 1)
        found.append(errors_of(tmp_path / f"{size}"))
    assert found[0] == found[1]
    first, last = (float(row.split(",")[2]) for row in (found[0][0], found[0][-1]))
    assert last < first


def test_a_pretrained_model_begins_with_its_forces_and_our_energies(
    small: Small, tmp_path: Path
) -> None:
    data = data_set(tmp_path / "some data")
    pretrained = trained(trainer(small, 12), tmp_path / "pretrained", data, 1)
    elsewhere = data_set(tmp_path / "data of another method", 3.0)
    made = trainer(small, 2, foundation=str(pretrained.files["model"]))
    made.validate()
    tuned = trained(made, tmp_path / "tuned", elsewhere, 1)
    told = json.loads((tmp_path / "tuned/begin.json").read_text())
    assert told["added_to_reference_energies"]["Cu"] == pytest.approx(
        3.0, abs=0.5
    )  # with its own error
    begun = told["valid_error"]
    assert begun["rmse_f"] == pytest.approx(pretrained.valid.rmse_f, rel=1e-4)
    assert begun["rmse_e"] < 0.2
    assert tuned.valid.rmse_e < 0.2
    assert tuned.valid.rmse_f < 1.2 * pretrained.valid.rmse_f
    if small.engine == "mace":  # whose first row is before the training
        row = errors_of(tmp_path / "tuned")[0].split(",")
        assert float(row[1]) == pytest.approx(begun["rmse_e"], rel=1e-5)
    strange = trainer(small, 2, foundation=str(pretrained.files["model"]), atom_type=("Cu", "Ni"))
    (tmp_path / "strange").mkdir()
    strange.write_input(tmp_path / "strange", data, 1, None)
    assert shell(tmp_path / "strange", strange.command()).returncode != 0
    assert "does not know Ni; it knows Cu" in (tmp_path / "strange/train.log").read_text()


def weights_of(model: TrainedModel) -> dict[str, Any]:
    """All that a training of SevenNet changes."""
    from sevenn.util import load_checkpoint  # noqa: PLC0415

    network = load_checkpoint(str(model.files["model"])).build_model()
    return {name: one for name, one in network.named_parameters() if one.requires_grad}


@pytest.mark.sevennet
@pytest.mark.parametrize("layers", [0, 1])
def test_layers_that_are_frozen_stay_as_they_are(layers: int, tmp_path: Path) -> None:
    """And KPU is that of the weights that were trained; a later training may train all again."""
    need_module("sevenn")
    import torch  # noqa: PLC0415

    small, data = SMALL[0].values[0], data_set(tmp_path / "data")
    shape = {"num_convolution_layer": 2}
    model = trained(trainer(small, 1, settings=shape), tmp_path / "first", data, 1)
    kept = ("edge_embedding", "onehot_to_feature_x", *(f"{n}_" for n in range(layers)))
    for name, frozen, same in (("frozen", layers, kept), ("thawed", None, ())):
        before, start = weights_of(model), model.files["model"]
        settings = {**shape, "freeze": frozen}
        made = trainer(small, 2, settings=settings, init_model_list=(start,))
        made.validate()
        model = trained(made, tmp_path / name, data, 1, start)
        after = weights_of(model)
        changed = {one for one in before if not torch.equal(before[one], after[one])}
        assert changed == {one for one in before if not one.startswith(same)}
        judged = loaded("pwact.engines.sevennet.gradients", model.files["model"]).parameters()
        assert sum(one.numel() for one in judged) == sum(after[one].numel() for one in changed)


def test_a_committee_moves_and_judges(small: Small, tmp_path: Path) -> None:
    data, made = data_set(tmp_path / "some data"), trainer(small, 3)
    models = [trained(made, tmp_path / f"{seed}", data, seed) for seed in (1, 2)]
    explorer = explorer_for(config(small.engine), BLOCK)
    potential, motion = made.potential(models), Condition("npt-iso", 4, 2, 300.0, press_bar=1.0)
    explorer.validate(motion)
    place = tmp_path / "md"
    place.mkdir()
    explorer.write_input(place, copper(20), potential, motion, 7)
    done = shell(place, explorer.command(potential))
    assert done.returncode == 0, next(place.glob("*.log*")).read_text()[-3000:]
    assert explorer.check(place, False, motion, potential).done
    deviations = explorer.read_result(place).deviations()
    assert deviations.steps.tolist() == [0, 2, 4]
    assert (np.asarray(deviations.max_f) > 0).all()


def test_one_model_tells_its_uncertainty(small: Small, tmp_path: Path) -> None:
    """Its training makes P, and a frame far from the data is less sure than one of them."""
    alone = {"uncertainty": "kpu", "model_num": 1}
    data, made = data_set(tmp_path / "some data"), trainer(small, 2, strategy=alone)
    model = trained(made, tmp_path / "model", data, 1)
    evaluator, md = made.kpu(), explored(tmp_path, data)
    (task := tmp_path / "kpu").mkdir()
    evaluator.write_input(task, model, md)
    assert shell(task, evaluator.command()).returncode == 0, (task / "kpu.log").read_text()
    assert evaluator.check(task).done
    sure, unsure = read_kpu_devi(task / "kpu_model_devi.out").f_mean
    assert 0 < 1.5 * sure < unsure


CAMPAIGNS = [
    pytest.param("foundation_agau", "sevenn", 3.0, marks=pytest.mark.sevennet),
    pytest.param("mace_cu", "mace", 3.0, marks=pytest.mark.mace),
]


@pytest.mark.parametrize(("name", "module", "times"), CAMPAIGNS)
def test_the_example_closes_the_loop(name: str, module: str, times: float, tmp_path: Path) -> None:
    need_module(module)
    work_dir = tmp_path / "my alloy"
    shutil.copytree(ROOT / "examples" / name, work_dir)
    script = work_dir / "foundation.py"
    if script.exists():
        words = [sys.executable, script.name]
        subprocess.run(words, cwd=work_dir, env={**os.environ, **ENV}, check=True)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    rows = [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]
    assert len(rows) == 3
    tasks = sorted(work_dir.glob("iter.*/00.train/train.000"))
    begun = json.loads((tasks[0] / "begin.json").read_text())["valid_error"]["rmse_f"]
    last = json.loads((tasks[-1] / "result.json").read_text())["valid"][1]
    assert last < begun / times
    for task in tasks:
        epochs = json.loads((task / "settings.json").read_text())["keys"]["epochs"]
        assert json.loads((task / "result.json").read_text())["epochs"] == epochs
    new = [read(path, ":") for path in work_dir.glob("iter.*/02.label/result/train.xyz")]
    assert len(new) == 2
    assert all(len(one) >= 1 for one in new)
