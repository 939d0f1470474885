"""MatPL: the input is the user's, the commands stop at the first failure, the results are whole."""

from __future__ import annotations

import copy
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.train_keys import MATPL
from pwact.config.training import TrainConfig
from pwact.engines.explorers import Condition, UserInput
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.matpl.results import read_errors
from pwact.engines.matpl.trainer import MatplTrainer
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel, TrainingData, ValidError
from pwact.engines.worker import python_module
from pwact.errors import InputError, TaskError
from pwact.fingerprint import differences
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.labels import set_labels
from pwact.verdict import Outcome
from tests.stubs.matpl import COUNTED, FAILED, KILLED_AFTER
from tests.stubs.pair_model import PairModel, load
from tests.workflow.matpl_campaign import write_program

DATA = TrainingData((Path("/data/a.xyz"), Path("/data/b.xyz")), (Path("/data/v.xyz"),), "extxyz")
ADDED = {"seed", "format", "train_data", "valid_data"}
START = {"recover_train", "model_load_file"}


def trainer(
    train: Mapping[str, Any],
    explore: str = "lmp",
    gpus: int = 0,
    strategy: Optional[StrategyConfig] = None,
    **more: Any,
) -> MatplTrainer:
    config = RunConfig(train=TrainConfig(**train), strategy=strategy or StrategyConfig(), **more)
    blocks = (
        ResourceBlock("train", "MatPL", gpu_per_node=gpus),
        ResourceBlock("explore", explore, gpu_per_node=gpus),
    )
    return MatplTrainer(config, *blocks)


def dp(**settings_: Any) -> dict[str, Any]:
    return {"model_type": "DP", "atom_type": ("Cu", "Ag"), "settings": settings_}


def nep(**settings_: Any) -> dict[str, Any]:
    return {"model_type": "NEP", "atom_type": ("Cu",), "settings": settings_}


def written(made: MatplTrainer, directory: Path, **more: Any) -> dict[str, Any]:
    options = {"data": DATA, "seed": 5, "start_from": None, **more}
    directory.mkdir(exist_ok=True)
    made.write_input(directory, **options)
    found: dict[str, Any] = json.loads((directory / "train.json").read_text())
    return found


def test_a_whole_input(tmp_path: Path) -> None:
    data = TrainingData((tmp_path / "a.xyz",), (tmp_path / "v.xyz",), "extxyz")
    given_ = dp(max_neigh_num=50, model={"descriptor": {"Rmax": 5.5}}, optimizer={"epochs": 3})
    assert written(trainer(given_), tmp_path / "train 0", data=data) == {
        "model_type": "DP",
        "atom_type": [29, 47],
        "max_neigh_num": 50,
        "model": {"descriptor": {"Rmax": 5.5}},
        "optimizer": {"epochs": 3, "optimizer": "LKF"},
        "seed": 5,
        "format": "extxyz",
        "train_data": ["../a.xyz"],
        "valid_data": ["../v.xyz"],
    }


_SCALAR = st.one_of(st.integers(1, 99), st.floats(0.1, 9.9), st.booleans(), st.text(max_size=5))
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(min_size=1, max_size=8), inner)
    ),
    max_leaves=5,
)


@st.composite
def every_key(draw: st.DrawFn) -> dict[str, Any]:
    """Every documented key with some value, and keys that nobody knows."""
    some = st.sampled_from(draw(st.lists(_VALUE, min_size=6, max_size=6)))

    def section(name: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key in MATPL[name]:
            below = f"{name}.{key.name}".lstrip(".")
            made[key.name] = section(below) if below in MATPL else draw(some)
        made[draw(st.text("XYZ", min_size=3, max_size=9))] = draw(some)
        return made

    return section("")


@given(asked=every_key())
@settings(max_examples=60, deadline=None)
def test_only_what_the_loop_must_set_differs(
    asked: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = copy.deepcopy(asked)
    start = tmp_path_factory.mktemp("start")
    found = written(
        trainer({**dp(), "settings": asked}), tmp_path_factory.mktemp("a"), start_from=start
    )
    assert asked == before
    assert found.pop("model_type") == "DP"
    assert found.pop("atom_type") == [29, 47]
    assert found["optimizer"].pop("reset_epoch") is True
    before["optimizer"].pop("reset_epoch")
    ours = ADDED | START | {"test_data", "nep_txt_file"}
    kept = {key: value for key, value in before.items() if key not in ours}
    assert {key: value for key, value in found.items() if key not in ours} == kept
    assert found["seed"] == 5


def test_a_member_starts_from_its_own_model(tmp_path: Path) -> None:
    old = tmp_path / "iter.0000/00.train/train.002"
    old.mkdir(parents=True)
    place = "../iter.0000/00.train/train.002/model_record"
    found = written(trainer(dp()), tmp_path / "new", start_from=old)
    assert found["model_load_file"] == f"{place}/dp_model.ckpt"
    assert found["recover_train"] is True
    assert found["optimizer"] == {"optimizer": "LKF", "reset_epoch": True}
    found = written(trainer(nep()), tmp_path / "new", start_from=old)
    assert found["nep_txt_file"] == f"{place}/nep5.txt"
    assert not START & set(found)


@pytest.mark.parametrize("kind", [dp, nep])
def test_a_warm_start_begins_with_a_smaller_loss(tmp_path: Path, kind: Any) -> None:
    """NEP ignores ``model_load_file``: its first loss was that of a start from nothing."""
    train = {**kind(optimizer={"epochs": 1}), "atom_type": ("Cu",)}
    losses = []
    for name, start in (("cold", None), ("warm", tmp_path / "cold")):
        (tmp_path / name).mkdir()
        run_training(tmp_path / name, train, start)
        curve = (tmp_path / name / "model_record/epoch_train.dat").read_text(encoding="utf-8")
        losses.append(float(curve.splitlines()[1].split()[1]))
    assert losses[1] < losses[0]


def test_a_checkpoint_of_nep_is_a_start_as_well(tmp_path: Path) -> None:
    """It is laid into ``model_record``, where a training of NEP looks for one."""
    train = {**nep(optimizer={"epochs": 2}), "atom_type": ("Cu",)}
    cold, warm = tmp_path / "cold", tmp_path / "warm"
    cold.mkdir()
    run_training(cold, train)
    before = (cold / "model_record/nep_model.ckpt").read_bytes()
    warm.mkdir()
    run_training(warm, train, cold / "model_record/nep_model.ckpt", **{KILLED_AFTER: "1"})
    made = run_training(warm, train)  # which goes on from its own
    assert load(made.read_result(warm).files["model"]).history == [5, 5]
    assert (cold / "model_record/nep_model.ckpt").read_bytes() == before


@pytest.mark.parametrize(
    ("train", "key", "name", "expected"),
    [
        (dp, "model_load_file", "m.ckpt", {"recover_train": True, "model_load_file": "../m.ckpt"}),
        (nep, "nep_txt_file", "nep.txt", {"nep_txt_file": "../nep.txt"}),
        (nep, "model_load_file", "m.ckpt", {"recover_train": True}),
    ],
)
def test_a_start_model_among_the_keys_of_matpl_counts(
    tmp_path: Path,
    train: Any,
    key: str,
    name: str,
    expected: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where no other start is known; its content is part of the fingerprint."""
    made = trainer(train(**{key: name}), work_dir=tmp_path)
    with pytest.raises(InputError, match=f"train.{key}: there is no file .*{name}"):
        made.validate()
    assert "start" not in made.fingerprint()
    (tmp_path / name).write_text("model")
    made.validate()
    keys = {*START, "nep_txt_file"}
    found = written(made, tmp_path / "first")
    assert {one: value for one, value in found.items() if one in keys} == expected
    assert "start" in made.fingerprint()
    assert not list(differences(trainer(train(**{key: name})).fingerprint(), made.fingerprint()))
    old = tmp_path / "iter.0000"
    found = written(made, tmp_path / "next", start_from=old / "model.txt")
    assert str(found.get("nep_txt_file", found.get("model_load_file", ""))) != f"../{name}"
    refused = trainer(train(**{key: name, "recover_train": False}), work_dir=tmp_path)
    assert not keys - {"recover_train"} & set(written(refused, tmp_path / "none"))
    caplog.clear()
    trainer(train(**{key: name}), work_dir=tmp_path, init_model_list=(old,)).validate()
    assert f"train.{key} is not used: init_model_list is given" in caplog.text


@pytest.mark.parametrize(
    ("train", "name", "expected"),
    [
        (dp(), "m.ckpt", {"recover_train": True, "model_load_file": "../m.ckpt"}),
        (nep(), "m.ckpt", {"recover_train": True}),
        (nep(), "nep.txt", {"nep_txt_file": "../nep.txt"}),
    ],
)
def test_a_start_model_of_the_user(
    tmp_path: Path, train: dict[str, Any], name: str, expected: dict[str, Any]
) -> None:
    (tmp_path / name).write_text("model")
    found = written(trainer(train), tmp_path / "new", start_from=tmp_path / name)
    keys = {*START, "nep_txt_file"}
    assert {key: value for key, value in found.items() if key in keys} == expected


@pytest.mark.parametrize(
    ("train", "batch", "count"), [(dp, 1, 4), (dp, 5, 5), (dp, 9, 7), (nep, 1, None)]
)
def test_without_valid_data(tmp_path: Path, train: Any, batch: int, count: Optional[int]) -> None:
    """DP fails without any, so it is shown a few frames, which fill a batch; NEP needs none."""
    labelled = copper()
    set_labels(labelled, -1.0, np.zeros((len(labelled), 3)))
    for name, frames in (("a.xyz", 3), ("b.xyz", 4)):
        write_extxyz(tmp_path / name, [labelled] * frames)
    data = TrainingData((tmp_path / "a.xyz", tmp_path / "b.xyz"), (), "extxyz")
    made = trainer({**train(optimizer={"batch_size": batch}), "engine": "matpl"})
    found = written(made, tmp_path / "new", data=data)["valid_data"]
    assert found == ([] if count is None else ["few_frames.xyz"])
    if count is not None:
        assert len(read_extxyz(tmp_path / "new/few_frames.xyz")) == count


TEXT = "model_record/nep5.txt"
CURVES = "model_record/epoch_train.dat $(ls model_record/epoch_valid.dat 2> /dev/null)"
MARK = "model_record/torch_script_module.pt"
TRAIN = (
    'rm -f train.ended && input=$({python}) && {{ [ -z "$input" ] || '
    '{{ MatPL train "$input" >> train.log 2>&1 && '
    "wc -c < model_record/{kind}_model.ckpt > epochs.ended; }}; }} && "
)
SCRIPT = (
    f"rm -f {MARK} && MatPL script ./model_record/{{name}}.ckpt {MARK} >> train.log 2>&1"
    f" && cksum {MARK} model_record/dp_model.ckpt {CURVES} > train.ended"
)
CPU = "export CUDA_VISIBLE_DEVICES='' && "
SMALL = "model_record/cmp_dp_model.ckpt"
COMPRESS = (
    f'{{ {{ [ -s compress.ended ] && [ -s {SMALL} ] && [ "$(cat compress.ended)" = '
    f'"$(wc -c < {SMALL})" ]; }} || {{ rm -f compress.ended {SMALL}; MatPL compress '
    f"./model_record/dp_model.ckpt -d 0.02 -o 5 -s {SMALL} >> train.log 2>&1 && "
    f"wc -c < {SMALL} > compress.ended; }}; }} && "
)


@pytest.mark.parametrize(
    ("train", "gpus", "compress", "after"),
    [
        (dp(), 0, False, CPU + SCRIPT.format(name="dp_model")),
        (dp(), 1, False, SCRIPT.format(name="dp_model")),
        (dp(), 0, True, COMPRESS + CPU + SCRIPT.format(name="cmp_dp_model")),
        (
            nep(),
            0,
            False,
            f"cksum model_record/nep5.txt model_record/nep_model.ckpt {CURVES} > train.ended",
        ),
    ],
)
def test_commands(train: dict[str, Any], gpus: int, compress: bool, after: str) -> None:
    strategy = StrategyConfig(compress=compress, compress_order=5, compress_dx=0.02)
    made = trainer(train, gpus=gpus, strategy=strategy).command()
    python = python_module("pwact.engines.matpl.restart")
    assert made == TRAIN.format(python=python, kind=train["model_type"].lower()) + after


@pytest.mark.parametrize(
    ("train", "command", "style", "head"),
    [
        (dp(), "mpirun -np 1 lmp_mpi", "matpl", ()),
        (dp(), "lmp", "matpl/dp", ()),
        (dp(), "lmp -k on g 1 -sf kk # kokkos", "matpl/dp", ()),
        (nep(), "LMP_MPI", "matpl", ()),
        (nep(), "lmp", "matpl/nep", ()),
        (
            nep(),
            "lmp_KOKKOS -k on",
            "matpl/nep/kk",
            ("package kokkos neigh half comm device", "newton on"),
        ),
    ],
)
def test_pair_styles(
    train: dict[str, Any], command: str, style: str, head: tuple[str, ...]
) -> None:
    made = trainer(train, command)
    file = "nep5.txt" if train["model_type"] == "NEP" else "torch_script_module.pt"
    models = [
        TrainedModel(Path(f"train.{member:03d}"), {"model": Path(f"train.{member:03d}") / file})
        for member in range(2)
    ]
    found = made.potential(models)
    numbers = "29 47" if train["model_type"] == "DP" else "29"
    assert found.head_lines == head
    assert found.pair_lines == (
        f"pair_style {style} 0_{file} 1_{file} out_freq {{out_freq}} out_file model_devi.out",
        f"pair_coeff * * {numbers}",
    )
    assert dict(found.links) == {
        f"0_{file}": Path("train.000") / file,
        f"1_{file}": Path("train.001") / file,
    }
    assert "out_freq" not in made.potential(models[:1]).pair_lines[0]


@pytest.mark.parametrize(
    ("train", "key", "message"),
    [
        (dp(optimizer={"t_0": 5}), "train.optimizer.t_0", "t_0 and t_mult go together"),
        (dp(optimizer={"t_mult": 5}), "train.optimizer.t_mult", "go together"),
        (
            dp(optimizer={"max_norm": 1, "clip_value": 1}),
            "train.optimizer.clip_value",
            "exclude each other",
        ),
        (dp(optimizer={"norm_type": 1}), "train.optimizer.norm_type", "it needs max_norm"),
        (
            dp(model={"fitting_net": {"network_size": [50, 50]}}),
            "train.model.fitting_net.network_size",
            "the last layer must be 1",
        ),
    ],
)
def test_what_matpl_would_refuse(train: dict[str, Any], key: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        trainer(train).validate()
    assert caught.value.key == key


def test_what_may_surprise_is_told(caplog: pytest.LogCaptureFixture) -> None:
    trainer(nep(train_data=["x"]), gpus=2).validate()
    assert "train.train_data is set by the loop" in caplog.text
    assert "LKF of NEP does not run on 2 GPUs" in caplog.text
    assert "type_embedding" not in caplog.text
    trainer(dp(model={"type_embedding": {"physical_property": ["density"]}})).validate()
    assert "train.model.type_embedding has no effect" in caplog.text


CURVE = """\
# epoch              loss   RMSE_Etot(eV/atom)         RMSE_F(eV/Å)   real_lr    time(s)
      1  1.0e+00  2.0e-01  3.0e-01  1e-3  0.5
      2  1.0e-01  2.0e-02  3.0e-02  1e-3  0.5
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CURVE, ValidError(0.02, 0.03)),
        (CURVE + "      3  1.0e-01  2.0e-03", ValidError(0.02, 0.03)),
        (CURVE + CURVE.replace("2.0e-02", "2.0e-05"), ValidError(2e-5, 0.03)),
        ("# epoch loss RMSE_F(eV/Å)\n 1 0.1 0.2\n", None),
    ],
)
def test_errors(tmp_path: Path, text: str, expected: ValidError) -> None:
    (tmp_path / "epoch_valid.dat").write_text(text, encoding="utf-8")
    assert read_errors(tmp_path / "epoch_valid.dat") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("", "no whole row"),
        ("# epoch loss\n", "no whole row"),
        ("# epoch loss RMSE_F(eV/Å)\n 1 0.1\n", "no whole row"),
        ("# epoch RMSE_Etot(eV/atom) RMSE_F(eV/Å)\n 1 nan 0.2\n", "not finite"),
        ("# epoch RMSE_Etot(eV/atom) RMSE_F(eV/Å)\n 1 0.1 1e300\n", "not finite"),
        ("# epoch RMSE_Etot(eV/atom) RMSE_F(eV/Å)\n 1 **** 0.2\n", "[*]{4}"),
    ],
)
def test_errors_that_cannot_be_believed(tmp_path: Path, text: str, message: str) -> None:
    if text is not None:
        (tmp_path / "x.dat").write_text(text, encoding="utf-8")
    with pytest.raises(TaskError, match=message):
        read_errors(tmp_path / "x.dat")


@pytest.mark.parametrize("missing", ["", "torch_script_module.pt", "dp_model.ckpt", "tag"])
def test_a_training_is_done_when_its_models_are_there(tmp_path: Path, missing: str) -> None:
    record = tmp_path / "model_record"
    record.mkdir()
    PairModel("DP", [29, 47], [1]).save(record / "torch_script_module.pt")
    PairModel("DP", [29, 47], [1]).save_checkpoint(record / "dp_model.ckpt", p_matrix=False)
    if missing and missing != "tag":
        (record / missing).write_text("")
    if missing != "tag":
        (tmp_path / "tag.train.success").touch()  # of an earlier version, or of PWact
    (record / "epoch_train.dat").write_text(CURVE, encoding="utf-8")
    (record / "epoch_valid.dat").write_text(CURVE, encoding="utf-8")
    made = trainer(dp(), valid_data=(Path("v.xyz"),))
    assert made.check(tmp_path).done == (not missing)
    if not missing:
        assert made.read_result(tmp_path).valid == ValidError(0.02, 0.03)
        assert trainer(dp()).read_result(tmp_path).valid is None


def run_training(
    folder: Path,
    train: Mapping[str, Any],
    start: Optional[Path] = None,
    made: Optional[MatplTrainer] = None,
    **environment: str,
) -> MatplTrainer:
    """Train with the stand-in, in the current directory of the caller's choice."""
    write_program(folder / "MatPL", "tests.stubs.matpl")
    labelled = copper()
    set_labels(labelled, -1.0, np.zeros((len(labelled), 3)))
    write_extxyz(folder / "data.xyz", [labelled] * 4)
    made = made or trainer(train)
    data = TrainingData((folder / "data.xyz",), (), "extxyz")
    if not (folder / "train.json").exists():
        made.write_input(folder, data, 5, start)
    given_ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **environment}
    subprocess.run(["bash", "-c", made.command()], cwd=folder, env=given_, check=False)
    return made


@pytest.mark.parametrize("word", ["lkf", "Adam", "adamw", " sgd", "GKF"])
def test_an_optimizer_is_written_as_matpl_knows_it(tmp_path: Path, word: str) -> None:
    """MatPL compares the letters one by one."""
    train = {**nep(optimizer={"optimizer": word, "epochs": 1}), "atom_type": ("Cu",)}
    assert run_training(tmp_path, train).check(tmp_path).done
    asked = json.loads((tmp_path / "train.json").read_text())
    assert asked["optimizer"]["optimizer"] == word.strip().upper()


@pytest.mark.parametrize("kind", [dp, nep])
def test_a_training_that_was_cut_off_is_not_done(tmp_path: Path, kind: Any) -> None:
    """MatPL leaves a model after every epoch."""
    train = {**kind(optimizer={"epochs": 3, "batch_size": 2}), "atom_type": ("Cu",)}
    made = run_training(tmp_path, train, **{KILLED_AFTER: "2"})
    assert list((tmp_path / "model_record").glob("*_model.ckpt"))
    found = made.check(tmp_path)
    assert (found.outcome, "cut off after epoch 2 of 3" in found.reason) == (
        Outcome.INCOMPLETE,
        True,
    )
    assert run_training(tmp_path, train).check(tmp_path).done
    (tmp_path / "tag.train.failed").touch()
    assert "ended with an error" in made.check(tmp_path).reason


def epochs_of(folder: Path, train: Mapping[str, Any], **environment: str) -> list[int]:
    """Which epochs one more run of the command trains."""
    counted = folder / "counted"
    counted.unlink(missing_ok=True)
    run_training(folder, train, **{COUNTED: str(counted), **environment})
    return [int(line.split()[-1]) for line in counted.read_text().splitlines()]


@pytest.mark.parametrize("kind", [dp, nep])
@pytest.mark.parametrize("start", ["nothing", "a model"])
def test_a_training_that_was_cut_off_goes_on(tmp_path: Path, kind: Any, start: str) -> None:
    """No epoch is trained twice, and the model is the one of a training in one go."""
    train = {**kind(optimizer={"epochs": 4}), "atom_type": ("Cu",)}
    folder, before = tmp_path / "train.001", None
    folder.mkdir()
    if start == "a model":
        before = tmp_path / "train.000"
        before.mkdir()
        run_training(before, train)
    made = run_training(folder, train, before, **{KILLED_AFTER: "1"})
    assert made.reached(folder) == 1
    assert epochs_of(folder, train, **{KILLED_AFTER: "3"}) == [2, 3]
    assert (made.reached(folder), made.check(folder).done) == (3, False)
    assert epochs_of(folder, train) == [4]
    assert made.check(folder).done
    assert load(made.read_result(folder).files["model"]).history == [5] * (2 if before else 1)
    rows = (folder / "model_record/epoch_train.dat").read_text().splitlines()[1:]
    assert [int(row.split()[0]) for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("step", ["compress", "script"])
def test_a_failed_step_is_repeated_alone(tmp_path: Path, step: str) -> None:
    """Torch refuses MatPL's checkpoints unless it is told otherwise, which the verdict names."""
    train = {**dp(optimizer={"epochs": 2}), "atom_type": ("Cu",)}
    made = trainer(train, strategy=StrategyConfig(compress=True))
    run_training(tmp_path, train, made=made, **{FAILED: step})
    found = made.check(tmp_path)
    assert found.outcome is Outcome.INCOMPLETE
    assert "export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1" in found.reason
    assert made.reached(tmp_path) == 3
    (tmp_path / "calls").unlink()
    run_training(tmp_path, train, made=made, **{FAILED: "none"})
    assert made.check(tmp_path).done
    assert (tmp_path / "calls").read_text().split() == ["compress", "script"][step == "script" :]


@pytest.mark.parametrize("damage", ["torn", "gone", "no further"])
def test_a_checkpoint_that_is_no_good_is_not_gone_on_from(tmp_path: Path, damage: str) -> None:
    train = {**nep(optimizer={"epochs": 3}), "atom_type": ("Cu",)}
    made = run_training(tmp_path, train, **{KILLED_AFTER: "2"})
    checkpoint = tmp_path / "model_record/nep_model.ckpt"
    if damage == "torn":
        checkpoint.write_bytes(checkpoint.read_bytes()[:-30])
    elif damage == "gone":
        checkpoint.unlink()
    else:
        run_training(tmp_path, train, **{FAILED: "train"})
    assert epochs_of(tmp_path, train) == [1, 2, 3]
    assert made.check(tmp_path).done


def test_batches_that_are_never_full_train_nothing(tmp_path: Path) -> None:
    train = {**nep(optimizer={"epochs": 2, "batch_size": 5}), "atom_type": ("Cu",)}
    found = run_training(tmp_path, train).check(tmp_path)
    assert found.outcome is Outcome.UNUSABLE  # another try would end the same way
    assert "the loss of epoch 2 is 0" in found.reason


def test_valid_data_that_fill_no_batch_leave_no_errors(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train = {**nep(optimizer={"epochs": 1, "batch_size": 4}), "atom_type": ("Cu",)}
    run_training(tmp_path, train)
    assert not (tmp_path / "model_record/epoch_valid.dat").exists()
    made = trainer(train, valid_data=(tmp_path / "valid.xyz",))
    assert made.check(tmp_path).done
    assert made.read_result(tmp_path).valid is None
    assert caplog.text.count("no errors on valid_data are known") == 1


@pytest.mark.parametrize(
    ("completed", "asked", "done"),
    [(3, 2, False), (2, 3, True), (None, 3, False), (None, 2, True), (None, None, True)],
)
def test_the_last_epoch_is_that_of_the_completed_input(
    tmp_path: Path, completed: Optional[int], asked: Optional[int], done: bool
) -> None:
    """A training of an earlier version, which says nowhere how many epochs there are, stays."""
    record = tmp_path / "model_record"
    record.mkdir()
    PairModel("NEP", [29], [1]).save_text(record / "nep5.txt")
    (record / "nep_model.ckpt").write_text("x")
    (record / "epoch_train.dat").write_text(CURVE, encoding="utf-8")
    (tmp_path / "tag.train.success").touch()
    for name, epochs in (("std_input.json", completed), ("train.json", asked)):
        if epochs is not None:
            (tmp_path / name).write_text(json.dumps({"optimizer": {"epochs": epochs}}))
    assert trainer(nep()).check(tmp_path).done == done


@pytest.mark.parametrize(
    ("train", "types"), [(dp(), ["Ag"]), (dp(type_embedding=True), ["Ag"]), (nep(), ["Cu", "Ag"])]
)
def test_lammps_knows_only_elements_of_the_structure(
    tmp_path: Path, train: dict[str, Any], types: list[str]
) -> None:
    """DP takes declared types into its descriptor, also those that no atom has."""
    models = [TrainedModel(tmp_path, {"model": tmp_path / name}) for name in ("0.pt", "1.pt")]
    potential = trainer({**train, "atom_type": ("Cu", "Ag")}).potential(models)
    explorer = LammpsExplorer(ResourceBlock("explore", "lmp"))
    silver = bulk("Ag", cubic=True)
    user = tmp_path / "user.in"
    user.write_text("units metal\nread_data x\nfix 1 all nvt temp 300 300 0.1\nrun 10\n")
    for name, motion in (("own", Condition("nvt", 10, 5, 300.0)), ("user", UserInput(user, 5))):
        directory = tmp_path / name
        directory.mkdir()
        explorer.write_input(directory, silver, potential, motion, 7)
        assert (directory / "atom_type.txt").read_text().split() == types
        assert f"{len(types)} atom types" in (directory / "lmp.config").read_text()
        lines = (directory / "in.lammps").read_text().splitlines()
        numbers = " ".join({"Cu": "29", "Ag": "47"}[symbol] for symbol in types)
        assert f"pair_coeff * * {numbers}" in lines
        assert len([line for line in lines if line.startswith("mass")]) == len(types)
    gold = bulk("Au", cubic=True)
    with pytest.raises(TaskError, match="do not know Au"):
        explorer.write_input(directory, gold, potential, Condition("nvt", 10, 5, 300.0), 7)


def test_energies_of_a_pure_phase_are_those_of_the_model(tmp_path: Path) -> None:
    """An alloy's DP model explores one of its elements."""
    program, model = tmp_path / "lmp_mpi", PairModel("DP", [29, 47], [1])
    write_program(program, "tests.stubs.matpl_lammps", "lmp_mpi")
    model.save(tmp_path / "1.pt")
    command = shlex.quote(str(program))
    made = trainer(dp(), command)
    potential = made.potential([TrainedModel(tmp_path, {"model": tmp_path / "1.pt"})])
    explorer = LammpsExplorer(ResourceBlock("explore", command))
    directory, condition = tmp_path / "md", Condition("nvt", 2, 1, 300.0)
    directory.mkdir()
    explorer.write_input(directory, copper(), potential, condition, 7)
    words = ["bash", "-c", explorer.command(potential)]
    assert subprocess.run(words, cwd=directory, check=False).returncode == 0
    frame = explorer.read_result(directory).frame(2)
    np.testing.assert_allclose(frame.arrays["forces"], model.atomic(frame)[1], atol=1e-5)


@pytest.mark.slow
def test_an_md_that_is_stopped_and_continued_loses_and_doubles_no_row(tmp_path: Path) -> None:
    """MatPL begins ``model_devi.out`` anew after a restart; the rows before are kept."""
    whole, torn = tmp_path / "whole", tmp_path / "torn run"
    explorer, potential = exploration(tmp_path)
    condition = Condition("nvt", 24000, 400, 300.0)
    for directory in (whole, torn):
        directory.mkdir()
        explorer.write_input(directory, copper(), potential, condition, 7)
    command = ["bash", "-c", explorer.command(potential)]
    assert subprocess.run(command, cwd=whole, check=False).returncode == 0
    with subprocess.Popen(command, cwd=torn, start_new_session=True) as running:
        while not any(int(row.split()[0]) > 10000 for row in rows_of(torn)):
            time.sleep(0.02)
            assert running.poll() is None
        os.killpg(running.pid, signal.SIGKILL)
    assert not explorer.check(torn, True, condition, potential).done
    assert subprocess.run(command, cwd=torn, check=False).returncode == 0
    one, other = explorer.read_result(whole), explorer.read_result(torn)
    assert (torn / "model_devi.before.out").exists()
    steps = one.deviations().steps.tolist()
    assert steps == other.deviations().steps.tolist() == list(range(0, 24001, 400))
    np.testing.assert_allclose(
        one.deviations().max_f[:30], other.deviations().max_f[:30], atol=1e-8
    )
    assert explorer.check(torn, True, condition, potential).done


def rows_of(directory: Path) -> list[str]:
    """Whole rows of ``model_devi.out``."""
    path = directory / "model_devi.out"
    text = path.read_text() if path.exists() else ""
    return text[: text.rfind("\n") + 1].splitlines()[1:]


def exploration(folder: Path) -> tuple[LammpsExplorer, Potential]:
    """An explorer whose LAMMPS is the stand-in, and a committee of stand-in models."""
    program = folder / "lmp_mpi"
    write_program(program, "tests.stubs.matpl_lammps", "lmp_mpi")
    models = []
    for seed in (1, 2, 3):
        PairModel("DP", [29], [seed]).save(folder / f"{seed}.pt")
        models.append(TrainedModel(folder, {"model": folder / f"{seed}.pt"}))
    command = shlex.quote(str(program))
    made = trainer({**dp(), "atom_type": ("Cu",)}, command)
    return LammpsExplorer(ResourceBlock("explore", command)), made.potential(models)


def copper() -> Atoms:
    return bulk("Cu", cubic=True, a=3.65).repeat((2, 1, 1))
