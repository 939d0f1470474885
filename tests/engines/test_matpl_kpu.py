"""MatPL's Kalman prediction uncertainty: links, command, completeness, and the matrix P."""

from __future__ import annotations

import os
import pickle
import re
import shlex
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from pwact.config.resources import ResourceBlock
from pwact.config.strategy import StrategyConfig
from pwact.engines.evaluator import KpuEvaluator
from pwact.engines.explorers import Condition
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.matpl.kpu import demand_p_matrix
from pwact.engines.matpl.kpu_detail import average, read_detail
from pwact.engines.matpl.trainer import MatplTrainer
from pwact.engines.md_task import MdTrajectory
from pwact.engines.trainers import TrainedModel
from pwact.errors import InputError, TaskError
from pwact.formats.kpu_devi import read_kpu_devi
from tests.engines.test_matpl import dp, nep, trainer, written
from tests.requirements import need_program
from tests.stubs.matpl import FAILED, NEW_PWDATA
from tests.stubs.pair_model import PairModel
from tests.workflow.matpl_campaign import write_program

KPU = StrategyConfig(uncertainty="kpu", model_num=1)


def model(folder: Path, p_matrix: bool = True) -> TrainedModel:
    """A stand-in model as a training leaves it."""
    record = folder / "model_record"
    record.mkdir(parents=True)
    made = PairModel("DP", [29], [1])
    made.save(record / "torch_script_module.pt")
    made.save_checkpoint(record / "dp_model.ckpt", p_matrix)
    return TrainedModel(
        folder,
        {"model": record / "torch_script_module.pt", "checkpoint": record / "dp_model.ckpt"},
    )


def matpl(command: str = "MatPL", strategy: StrategyConfig = KPU, **changes: Any) -> MatplTrainer:
    made = trainer({**dp(**changes), "atom_type": ("Cu",)}, "lmp_mpi", strategy=strategy)
    made._train = ResourceBlock("train", command)
    return made


def test_the_training_keeps_p(tmp_path: Path) -> None:
    assert written(matpl(), tmp_path / "one")["save_p_matrix"] is True
    assert written(matpl(save_p_matrix=False), tmp_path / "two")["save_p_matrix"] is True
    assert "save_p_matrix" not in written(matpl(strategy=StrategyConfig()), tmp_path / "three")
    kept, other = (matpl(strategy=one).fingerprint() for one in (KPU, StrategyConfig()))
    assert {name for name in kept if kept[name] != other.get(name)} == {"save_p_matrix"}


@pytest.mark.parametrize(
    ("train", "key", "words"),
    [
        (nep(), "strategy.uncertainty", "kpu needs the model DP, not NEP"),
        (dp(optimizer={"optimizer": "Adam"}), "train.optimizer.optimizer", "found ADAM"),
        (dp(optimizer={"optimizer": "GKF"}), "train.optimizer.optimizer", "found GKF"),
    ],
)
def test_who_has_no_p(train: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        trainer(train, strategy=KPU).kpu()
    assert caught.value.key == key
    assert trainer(dp(optimizer={"optimizer": "lkf"}), strategy=KPU).kpu().fingerprint()


def test_a_fault_in_a_file_of_matpl_names_that_file(tmp_path: Path) -> None:
    file = tmp_path / "train.json"
    train = {**dp(optimizer={"optimizer": "ADAM"}), "input_file": file}
    with pytest.raises(InputError) as caught:
        trainer(train, strategy=KPU).kpu()
    assert (caught.value.file, caught.value.key) == (file, "optimizer.optimizer")


def test_only_dp_is_compressed() -> None:
    strategy = StrategyConfig(compress=True)
    trainer(dp(), strategy=strategy).validate()
    with pytest.raises(InputError, match="only DP can be compressed, not NEP") as caught:
        trainer(nep(), strategy=strategy).validate()
    assert caught.value.key == "strategy.compress"


@pytest.mark.parametrize("frames", ["pwmat/config", "lammps/dump"])
def test_command(frames: str) -> None:
    made = matpl("srun MatPL", StrategyConfig(uncertainty="kpu", kpu_format=frames)).kpu()
    clean, rest = made.command().split("; ", 1)
    made_files = "kpu.log traj force_kpu_detail.npy matpl_kpu.out kpu_model_devi.out"
    assert clean == f"rm -rf {made_files}"
    split, evaluate, average_ = rest.split(" && ")
    assert average_.endswith("-m pwact.engines.matpl.kpu_detail >> kpu.log 2>&1")
    assert split.endswith(f"-m pwact.engines.matpl.frames {frames} > kpu.log 2>&1")
    assert evaluate == (
        f"srun MatPL kpu -m dp_model.ckpt -c traj -f {frames} -a atom_type.txt "
        "-d -s matpl_kpu.out >> kpu.log 2>&1"
    )
    assert made.fingerprint() == {"engine": "matpl", "format": frames}


def prepared(tmp_path: Path, kpu: KpuEvaluator) -> Path:
    task, md = tmp_path / "kpu" / "t", tmp_path / "md" / "t"
    task.mkdir(parents=True)
    md.mkdir(parents=True)
    kpu.write_input(task, model(tmp_path / "train.000"), md)
    return task


def test_large_files_are_links_that_a_move_leaves_whole(tmp_path: Path) -> None:
    task = prepared(tmp_path, matpl().kpu())
    assert {path.name: str(path.readlink()) for path in task.iterdir()} == {
        "dp_model.ckpt": "../../train.000/model_record/dp_model.ckpt",
        "atom_type.txt": "../../md/t/atom_type.txt",
        "traj.lammpstrj": "../../md/t/traj.lammpstrj",
    }


HEADER = "# step etot_kpu f_kpu_mean f_kpu_max f_kpu_min\n"
ROWS = HEADER + "".join(f"{step} 0.00 1.00 2.00 0.50\n" for step in (0, 10, 20))


@pytest.mark.parametrize(
    ("text", "frames", "reason"),
    [
        (ROWS, (0, 10, 20), None),
        (ROWS, (0, 10, 20, 30), "3 rows for 4 frames"),
        (ROWS, (0, 10, 30), "3 rows for 3 frames"),
        (ROWS[:-1], (0, 10, 20), "2 rows for 3 frames"),
        (ROWS, (), "3 rows for 0 frames"),
        (HEADER, (), "there are no frames to evaluate"),
        (f"{HEADER}0 0.00 0.00 0.00 0.00\n10 0.00 0.00 0.00 0.00\n", (0, 10), "but zeros"),
        (f"{HEADER}0 0.00 0.00 0.00 0.00\n10 0.00 0.01 0.00 0.00\n", (0, 10), None),
        ("", (0,), "line 1"),
        (None, (0, 10, 20), "cannot be read"),
    ],
    ids=[
        "whole",
        "short",
        "other step",
        "cut",
        "too many",
        "no frame",
        "zeros",
        "a zero",
        "empty",
        "missing",
    ],
)
def test_every_frame_has_its_row(
    tmp_path: Path, text: Any, frames: tuple[int, ...], reason: Any
) -> None:
    made = matpl().kpu()
    detail = tmp_path / "force_kpu_detail.npy"
    detail.touch()
    (tmp_path / "traj").mkdir()
    for step in frames:
        (tmp_path / "traj" / f"{step}.config").touch()
    if text is not None:
        (tmp_path / "kpu_model_devi.out").write_text(text)
    verdict = made.check(tmp_path)
    assert verdict.done == (reason is None)
    assert reason is None or reason in verdict.reason
    assert made.transient_files(tmp_path) == [tmp_path / "traj", detail]
    detail.unlink()  # a table of an earlier version, which took in the numbers of the atoms
    assert not made.check(tmp_path).done


def test_a_model_without_p_is_refused_before_the_md_and_after(tmp_path: Path) -> None:
    made, bare = matpl(), model(tmp_path / "train.000", p_matrix=False)
    for refuses in (
        lambda: made.potential([bare]),
        lambda: made.kpu().write_input(tmp_path, bare, tmp_path),
    ):
        with pytest.raises(TaskError, match=r"dp_model.ckpt: holds no matrix P"):
            refuses()
    assert matpl(strategy=StrategyConfig()).potential([bare]).pair_lines
    potential = made.potential([model(tmp_path / "train.001")])
    assert not potential.deviates
    assert potential.pair_lines[0] == "pair_style matpl 0_torch_script_module.pt"


def archive(path: Path, table: Any, name: str = "dp_model/data.pkl") -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(name, pickle.dumps(table, protocol=2))
    return path


STATE = {"state": {0: {"kalman_lambda": 0.98, "P": []}}, "param_groups": [{"params": [0]}]}


@pytest.mark.parametrize(
    ("table", "there"),
    [
        ({"json_file": {"optimizer": {}}, "optimizer": STATE}, True),
        ({"json_file": {"optimizer": {"p0_weight": 0.01}}, "epoch": 3}, False),
        ({"json_file": {"optimizer": {}}, "elements": ["P"]}, False),  # phosphorus
        ({"optimizer": {"state": {0: {"exp_avg": []}}, "param_groups": []}}, False),  # ADAM
    ],
)
def test_the_names_of_the_filter_are_looked_for(tmp_path: Path, table: Any, there: bool) -> None:
    path = archive(tmp_path / "dp_model.ckpt", table)
    if there:
        demand_p_matrix(path)
    else:
        with pytest.raises(TaskError, match="save_p_matrix"):
            demand_p_matrix(path)


class Trap:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)

    def __init__(self, place: Path) -> None:
        self.place = place


def test_nothing_of_a_checkpoint_is_executed(tmp_path: Path) -> None:
    path = archive(tmp_path / "dp_model.ckpt", {"optimizer": STATE, "x": Trap(tmp_path / "trap")})
    demand_p_matrix(path)
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize("damage", ["absent", "text", "cut", "no table", "broken table"])
def test_what_is_no_checkpoint_is_named(tmp_path: Path, damage: str) -> None:
    path = archive(tmp_path / "dp_model.ckpt", {"optimizer": STATE})
    if damage == "absent":
        path.unlink()
    elif damage == "text":
        path.write_text("a model")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-30])
    elif damage == "no table":
        archive(path, {}, "dp_model/other")
    else:
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("dp_model/data.pkl", b"no pickle")
    with pytest.raises(TaskError, match=r"dp_model.ckpt: cannot be searched"):
        demand_p_matrix(path)


@pytest.fixture
def md(tmp_path: Path) -> Path:
    """A finished MD by one stand-in model, and the stand-in as ``MatPL``."""
    need_program("lmp")
    for name, module in (("MatPL", "matpl"), ("lmp_mpi", "matpl_lammps")):
        extra = ["lmp_mpi"] if name == "lmp_mpi" else []
        write_program(tmp_path / name, f"tests.stubs.{module}", *extra)
    program = shlex.quote(str(tmp_path / "lmp_mpi"))
    explorer = LammpsExplorer(ResourceBlock("explore", program))
    potential = matpl().potential([model(tmp_path / "train.000")])
    directory = tmp_path / "md 0"
    directory.mkdir()
    condition = Condition("nvt", 40, 10, 600.0)
    copper = bulk("Cu", cubic=True, a=3.65).repeat((2, 1, 1))
    explorer.write_input(directory, copper, potential, condition, 7)
    command = ["bash", "-c", explorer.command(potential)]
    assert subprocess.run(command, cwd=directory, check=False).returncode == 0
    assert not (directory / "model_devi.out").exists()
    assert explorer.check(directory, False, condition, potential).done
    return directory


@pytest.mark.parametrize("frames", ["pwmat/config", "lammps/dump", "config"])
def test_with_a_stand_in(tmp_path: Path, md: Path, frames: str) -> None:
    """As MatPL 2025.3 does: ``lammps/dump`` fails for one element, ``config`` is not known."""
    strategy = StrategyConfig(uncertainty="kpu", kpu_format=frames)
    kpu = matpl(shlex.quote(str(tmp_path / "MatPL")), strategy).kpu()
    trained = tmp_path / "train.000"
    files = {"checkpoint": trained / "model_record/dp_model.ckpt"}
    task = tmp_path / "kpu 0"
    task.mkdir()
    kpu.write_input(task, TrainedModel(trained, files), md)
    ended = subprocess.run(["bash", "-c", kpu.command()], cwd=task, check=False)
    assert kpu.check(task).done == (frames == "pwmat/config")
    assert (ended.returncode == 0) == (frames == "pwmat/config")
    log = (task / kpu.log).read_text()
    if frames != "pwmat/config":
        assert re.search("atom_type of one element|does not know the format config", log)
        return
    rows = read_kpu_devi(task / "kpu_model_devi.out")
    assert rows.steps.tolist() == [0, 10, 20, 30, 40]
    frame = MdTrajectory(md).frame(40)
    forces = frame.arrays["forces"][:4] / PairModel("DP", [29], [1]).epsilon
    assert rows.f_mean[-1] == pytest.approx(1000 * (forces**2).mean(), rel=1e-4)
    assert rows.f_max[-1] == pytest.approx(1000 * (forces**2).max(), rel=1e-4)
    assert rows.f_min[-1] == pytest.approx(1000 * (forces**2).min(), rel=1e-2)
    assert np.all(rows.f_mean[1:] > 0)
    own = read_kpu_devi(task / "matpl_kpu.out")
    assert np.all(own.f_max >= 3)  # the number of the last atom


def test_a_new_pwdata_leaves_no_result(
    tmp_path: Path, md: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its version was not known beforehand; the log says why."""
    monkeypatch.setenv(NEW_PWDATA, "1")
    kpu = matpl(shlex.quote(str(tmp_path / "MatPL"))).kpu()
    task = tmp_path / "kpu 0"
    task.mkdir()
    kpu.write_input(task, model(tmp_path / "train.001"), md)
    ended = subprocess.run(["bash", "-c", kpu.command()], cwd=task, check=False)
    assert ended.returncode != 0
    assert "install pwdata 0.4.7 in MatPL's Python" in kpu.check(task).reason
    assert "numpy.int64' has no len()" in (task / kpu.log).read_text()


def test_a_torch_that_refuses_the_checkpoint_is_named(
    tmp_path: Path, md: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAILED, "kpu")
    kpu = matpl(shlex.quote(str(tmp_path / "MatPL"))).kpu()
    task = tmp_path / "kpu 0"
    task.mkdir()
    kpu.write_input(task, model(tmp_path / "train.001"), md)
    assert subprocess.run(["bash", "-c", kpu.command()], cwd=task, check=False).returncode != 0
    assert "export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1" in kpu.check(task).reason


def details(frames: int = 2) -> np.ndarray:
    """Two atoms a frame, as MatPL writes them."""
    made = np.empty((frames, 2, 4))
    made[:, :, 0] = [5, 9]
    made[:, :, 1:] = 1e-4 * np.arange(6 * frames).reshape(frames, 2, 3)
    return made


def test_the_mean_is_that_of_the_force_components(tmp_path: Path) -> None:
    own = "# step etot_kpu f_kpu_mean f_kpu_max f_kpu_min\n0 0.25 3.50 9.00 0.00\n"
    (tmp_path / "matpl_kpu.out").write_text(f"{own}10 0.50 3.50 9.00 0.00\n")
    np.save(tmp_path / "force_kpu_detail.npy", details())
    average(tmp_path)
    rows = read_kpu_devi(tmp_path / "kpu_model_devi.out")
    assert rows.steps.tolist() == [0, 10]
    assert rows.etot_kpu.tolist() == [0.25, 0.5]
    np.testing.assert_allclose(rows.f_mean, [2.5e-4, 8.5e-4], rtol=1e-7)
    np.testing.assert_allclose(rows.f_max, [5e-4, 11e-4], rtol=1e-7)
    np.testing.assert_allclose(rows.f_min, [0, 6e-4], rtol=1e-7)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (None, "cannot be read"),
        (details(3), r"found shape \(3, 2, 4\), not \(2, atoms, 4\)"),
        (details()[:, :, 1:], r"found shape \(2, 2, 3\)"),
        (details()[:, :, ::-1], "first of its four columns holds no numbers of atoms"),
        (details()[:, :, [0, 0, 2, 3]], "more than its first column holds numbers of atoms"),
        (details()[:, [0, 0]], "holds no numbers of atoms"),
    ],
)
def test_details_of_another_form_are_refused(tmp_path: Path, made: Any, message: str) -> None:
    path = tmp_path / "force_kpu_detail.npy"
    if made is not None:
        np.save(path, made)
    with pytest.raises(TaskError, match=message):
        read_detail(path, 2)
