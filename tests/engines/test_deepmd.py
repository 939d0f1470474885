"""The DeePMD-kit trainer: files, commands and verdicts with a pretended dp, then the real one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.training import TrainConfig
from pwact.engines import trainer_for
from pwact.engines.deepmd.results import read_curve
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.lammps.own_types import for_structure
from pwact.engines.md_task import MdTrajectory
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData, ValidError
from pwact.errors import InputError, TaskError
from pwact.formats.deepmd_npy import read_deepmd
from pwact.formats.frames import write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.verdict import Outcome
from tests.engines.pod_helpers import BLOCK, SHORT, STILL, explore, shell, thermo
from tests.requirements import need_deepmd

SETTINGS: dict[str, Any] = {
    "max_neigh_num": 60,
    "model": {
        "descriptor": {"Rmax": 4.0, "M2": 2, "network_size": [2, 4, 8]},
        "fitting_net": {"network_size": [8, 8, 1]},
    },
    "optimizer": {"numb_steps": 30, "learning_rate": 0.01, "stop_lr": 0.001, "decay_step": 5},
}
# what dp 3.2.0 leaves, without the work; fails at the step that the file `fail` names
PRETENDED = """\
#!/bin/bash
shift  # --tf
echo "$@" >> calls
[ "$(cat fail 2>/dev/null)" = "$1" ] && exit 1
case "$1" in
train)
  first=0
  case "$3" in
  --restart) first=${4##*-}; cat "$4".{index,meta,data-00000-of-00001} > /dev/null || exit 1
    grep -q torn "$4.meta" && exit 1 ;;
  *) : > lcurve.out ;;
  esac
  echo '# step rmse_val rmse_e_val rmse_f_val rmse_v_val lr' >> lcurve.out
  for ((step = first; step <= 30; step += 3)); do
    echo "$step 1 0.5 0.25 nan 1e-3" >> lcurve.out
    [ $step -gt $first ] || continue
    echo $step >> steps
    for part in data-00000-of-00001 index meta; do echo whole > model.ckpt-$step.$part; done
    if [ "$(cat die 2>/dev/null)" = $step ]; then rm die; kill -9 $$; fi
  done ;;
freeze) echo graph > "$3" ;;
compress) cat "$3" > "$5"; echo compressed >> "$5" ;;
test) echo 'Energy RMSE/Natoms : 1.5e-01 eV'; echo 'Force  RMSE : 2.5e-01 eV/Å' ;;
esac
"""
PLACE = 'a folder of "copper\'s" $HOME'


def trainer(
    settings: Any = SETTINGS,
    command: str = "dp --tf",
    strategy: Optional[dict[str, Any]] = None,
    **train: Any,
) -> Trainer:
    config = RunConfig(
        file=Path("run_param.json"),
        train=TrainConfig(
            **{"engine": "deepmd", "atom_type": ("Cu",), "settings": settings, **train}
        ),
        strategy=replace(StrategyConfig(compress=True), **(strategy or {})),
    )
    block = ResourceBlock(command=command)
    return trainer_for(config, block, block)


def copper(seed: int, repeat: tuple[int, int, int] = (2, 2, 1)) -> Atoms:
    atoms = bulk("Cu", cubic=True, a=3.65).repeat(repeat)
    atoms.positions += np.random.default_rng(seed).normal(0, 0.1, atoms.positions.shape)
    atoms.calc = EMT()
    labels = labels_of(atoms)
    set_labels(atoms, labels.energy, labels.forces, labels.virial)
    return atoms


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Training frames of one composition, validation frames of two."""
    folder = tmp_path_factory.mktemp("frames of copper")
    train, valid = folder / "train.xyz", folder / "valid.xyz"
    write_frames(train, [copper(seed) for seed in range(6)], "extxyz")
    other = [copper(20, (2, 1, 1)), copper(21, (2, 1, 1))]
    write_frames(valid, [copper(10), copper(11), copper(12), *other], "extxyz")
    write_frames(folder / "one.xyz", [copper(10), copper(11), copper(12)], "extxyz")
    return TrainingData((train,), (valid,), "extxyz")


def one_system(data: TrainingData) -> TrainingData:
    return replace(data, valid=(data.valid[0].with_name("one.xyz"),))


@pytest.fixture
def pretended(tmp_path: Path) -> str:
    """Command of a dp that only leaves files."""
    file = tmp_path / "my dp"
    file.write_text(PRETENDED)
    file.chmod(0o755)
    return f'"{file}" --tf'


def calls(directory: Path) -> list[str]:
    return (directory / "calls").read_text().splitlines()


def task(tmp_path: Path, name: str = "train.000") -> Path:
    directory = tmp_path / PLACE / name
    directory.mkdir(parents=True)
    return directory


# input


def test_the_data_are_what_was_given(tmp_path: Path, data: TrainingData) -> None:
    directory = task(tmp_path)
    trainer().write_input(directory, data, 1, None)
    training = json.loads((directory / "input.json").read_text())["training"]
    for part, count in (("training_data", [6]), ("validation_data", [3, 2])):
        folders = [directory / path for path in training[part]["systems"]]
        assert [len(read_deepmd(folder)) for folder in folders] == count
    (first, *_) = read_deepmd(directory / "data" / "train")
    labels, wanted = labels_of(first), labels_of(copper(0))
    assert labels.energy == wanted.energy
    np.testing.assert_array_equal(labels.forces, wanted.forces)
    np.testing.assert_array_equal(labels.virial, wanted.virial)
    assert not list(directory.glob("start*"))


def test_members_differ_by_seed_only(tmp_path: Path, data: TrainingData) -> None:
    inputs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        directory = task(tmp_path, name)
        trainer().write_input(directory, data, seed, None)
        inputs.append(json.loads((directory / "input.json").read_text()))
    assert inputs[0] == inputs[1] != inputs[2]
    assert inputs[0]["loss"] == inputs[2]["loss"]
    seeds = [
        place["seed"]
        for made in (inputs[0], inputs[2])
        for place in (made["model"]["descriptor"], made["model"]["fitting_net"], made["training"])
    ]
    assert len(set(seeds)) == 6


def test_elements_beyond_atom_type_are_refused(tmp_path: Path) -> None:
    gold = bulk("Au", cubic=True)
    set_labels(gold, 0.0, np.zeros((4, 3)))
    write_frames(tmp_path / "gold.xyz", [gold], "extxyz")
    with pytest.raises(InputError, match="train.atom_type: the data hold Au"):
        trainer().write_input(
            task(tmp_path), TrainingData((tmp_path / "gold.xyz",), (), "extxyz"), 1, None
        )


def test_no_frames_no_training(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no training frames"):
        trainer().write_input(task(tmp_path), TrainingData((), (), "extxyz"), 1, None)


# validation and fingerprint


@pytest.mark.parametrize(
    ("given", "key", "words"),
    [
        ({"strategy": {"uncertainty": "kpu"}}, "strategy.uncertainty", "committees"),
        ({"model_type": "NEP"}, "train.model_type", "'NEP'"),
        ({"settings": {"optimizer": {"optimizer": "LKF"}}}, "train.optimizer.optimizer", "ADAM"),
        (
            {"settings": {"type_embedding": True}},
            "train.model.descriptor.network_size",
            "[25, 50, 100]",
        ),
    ],
)
def test_what_dp_cannot_do_is_refused(given: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        trainer(**given).validate()
    assert caught.value.key == key
    assert words in str(caught.value)


def test_layers_need_not_double_without_compression(caplog: pytest.LogCaptureFixture) -> None:
    settings = {"type_embedding": True, "optimizer": {"max_norm": 1}}
    trainer(settings, strategy={"compress": False}).validate()
    assert "train.optimizer.max_norm has no counterpart" in caplog.text


def test_native_input_is_checked_in_its_own_file(tmp_path: Path) -> None:
    file = tmp_path / "my input.json"
    native: dict[str, Any] = {
        "model": {"type_map": ["Cu"], "descriptor": {"type": "se_atten"}, "fitting_net": {}},
        "training": {"numb_steps": 5},
    }
    file.write_text(json.dumps(native))
    with pytest.raises(InputError, match="attn_layer 0") as caught:
        trainer(input_file=file).validate()
    assert (caught.value.file, caught.value.key) == (file, "model.descriptor")
    native["model"]["type_map"] = ["Ag"]
    file.write_text(json.dumps(native))
    with pytest.raises(InputError) as caught:
        trainer(input_file=file).validate()
    assert (caught.value.file, caught.value.key) == (file, "model.type_map")


def test_the_fingerprint_holds_what_matters() -> None:
    wider = {**SETTINGS, "max_neigh_num": 61}
    longer = {**SETTINGS, "optimizer": {"epochs": 3}}
    prints = [
        trainer().fingerprint(),
        trainer(wider).fingerprint(),
        trainer(longer).fingerprint(),
        trainer({**SETTINGS, "optimizer": {"epochs": 4}}).fingerprint(),
        trainer(strategy={"compress": False}).fingerprint(),
        trainer(strategy={"compress_dx": 0.02}).fingerprint(),
    ]
    texts = [json.dumps(one, sort_keys=True) for one in prints]
    assert len(set(texts)) == len(texts)
    same = trainer(command="srun dp", strategy={"compress_order": 5, "model_num": 7})
    assert same.fingerprint() == prints[0]


# command, verdict, result


def test_the_steps_of_a_training(tmp_path: Path, data: TrainingData, pretended: str) -> None:
    directory = task(tmp_path)
    made = trainer(command=pretended)
    made.write_input(directory, data, 1, None)
    assert made.check(directory).outcome is Outcome.INCOMPLETE
    assert shell(directory, made.command()) == 0
    assert calls(directory) == [
        "train input.json",
        "freeze -o frozen.pb",
        "compress -i graph.pb -o small.pb -s 0.01",
        "test -m graph.pb -s data/valid -n 0",
    ]
    assert made.check(directory).done
    model = made.read_result(directory)
    assert model.valid == ValidError(0.15, 0.25)
    assert model.files["model"].read_text() == "graph\ncompressed\n"
    assert model.files["graph"].read_text() == "graph\n"


def test_one_validation_system_needs_no_test(
    tmp_path: Path, data: TrainingData, pretended: str
) -> None:
    made = trainer(command=pretended, strategy={"compress": False})
    for name, given, valid in (
        ("one", one_system(data), ValidError(0.5, 0.25)),
        ("none", replace(data, valid=()), None),
    ):
        directory = task(tmp_path, name)
        made.write_input(directory, given, 1, None)
        assert shell(directory, made.command()) == 0
        assert [line.split()[0] for line in calls(directory)] == ["train", "freeze"]
        model = made.read_result(directory)
        assert model.files["model"] == model.files["graph"] == directory / "graph.pb"
        if valid is not None:
            assert model.valid == valid


def test_a_warm_start_is_linked_and_must_be_there(
    tmp_path: Path, data: TrainingData, pretended: str
) -> None:
    made = trainer(command=pretended)
    before, own = task(tmp_path, "before"), tmp_path / "my model.pb"
    (before / "graph.pb").write_text("from before")
    own.write_text("my own")
    for start, text in ((before, "from before"), (own, "my own")):
        directory = task(tmp_path, f"from {start.name}")
        made.write_input(directory, data, 1, start)
        assert (directory / "start.pb").read_text() == text
        assert shell(directory, made.command()) == 0
        assert calls(directory)[0] == "train input.json --init-frz-model start.pb"
    own.unlink()  # now the link leads nowhere: dp must be told all the same, and will fail
    for path in directory.glob("model.ckpt-*"):
        path.unlink()
    assert shell(directory, made.command()) == 0
    assert calls(directory)[4] == "train input.json --init-frz-model start.pb"


@pytest.mark.parametrize("step", ["train", "freeze", "compress", "test"])
def test_a_failed_step_ends_it(
    tmp_path: Path, data: TrainingData, pretended: str, step: str
) -> None:
    directory = task(tmp_path)
    made = trainer(command=pretended)
    made.write_input(directory, data, 1, None)
    (directory / "fail").write_text(step)
    assert shell(directory, made.command()) != 0
    assert calls(directory)[-1].split()[0] == step
    assert made.check(directory).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("graph.pb", ""),
        ("compressed.pb", ""),
        (
            "lcurve.out",
            "# step rmse_val rmse_e_val rmse_f_val rmse_v_val lr\n 30 1 nan nan 0 1e-3\n",
        ),
        ("lcurve.out", "# step rmse_val rmse_e_val rmse_f_val rmse_v_val lr\n 30 1 0.5"),
        ("test.log", "Energy RMSE/Natoms : 1.5e-01 eV\n"),
    ],
)
def test_a_damaged_result_is_incomplete(
    tmp_path: Path, data: TrainingData, pretended: str, name: str, text: str
) -> None:
    directory = task(tmp_path)
    made = trainer(command=pretended)
    made.write_input(directory, data, 1, None)
    assert shell(directory, made.command()) == 0
    assert made.check(directory).done
    (directory / name).write_text(text)
    assert made.check(directory).outcome is Outcome.INCOMPLETE
    with pytest.raises(TaskError):
        made.read_result(directory)


def cut_off(directory: Path, made: Trainer, step: int) -> None:
    """Run the command, whose training is killed after `step`."""
    (directory / "die").write_text(str(step))
    assert shell(directory, made.command()) != 0
    assert made.check(directory).outcome is Outcome.INCOMPLETE


def trained(directory: Path) -> list[int]:
    return [int(line) for line in (directory / "steps").read_text().splitlines()]


@pytest.mark.parametrize("warm", [False, True])
def test_a_training_that_was_cut_off_goes_on(
    tmp_path: Path, data: TrainingData, pretended: str, warm: bool
) -> None:
    """From the last checkpoint, and the learning curve has no step twice but that one."""
    made, directory = trainer(command=pretended), task(tmp_path)
    (tmp_path / "my.pb").write_text("a model")
    made.write_input(directory, data, 1, tmp_path / "my.pb" if warm else None)
    assert made.reached(directory) == 0
    cut_off(directory, made, 9)
    assert made.reached(directory) == 9
    (directory / "lcurve.out").open("a").write("12 1 0.5 0.25 nan 1e-3\n15 1")  # then it died
    cut_off(directory, made, 21)
    assert shell(directory, made.command()) == 0
    assert made.check(directory).done
    assert trained(directory) == list(range(3, 31, 3))
    rows = (directory / "lcurve.out").read_text().splitlines()
    steps = [int(row.split()[0]) for row in rows if not row.startswith("#")]
    assert steps == list(range(0, 31, 3))
    start = " --init-frz-model start.pb" if warm else ""
    assert [line for line in calls(directory) if line.startswith("train")] == [
        f"train input.json{start}",
        "train input.json --restart model.ckpt-9",
        "train input.json --restart model.ckpt-21",
    ]


def test_a_checkpoint_that_brings_nothing_is_left(
    tmp_path: Path, data: TrainingData, pretended: str
) -> None:
    """For the one before it; without any the training begins again."""
    made, directory = trainer(command=pretended), task(tmp_path)
    made.write_input(directory, data, 1, None)
    cut_off(directory, made, 6)
    (directory / "model.ckpt-6.meta").write_text("torn")
    assert shell(directory, made.command()) != 0
    assert shell(directory, made.command()) == 0
    assert trained(directory) == [3, 6, *range(6, 31, 3)]
    assert made.check(directory).done
    (directory / "lcurve.out").write_text("")  # as after a loss of power
    for path in directory.glob("model.ckpt-*.index"):
        path.write_text("")
    (directory / "steps").unlink()
    assert shell(directory, made.command()) == 0
    assert trained(directory) == list(range(3, 31, 3))


@pytest.mark.parametrize(("step", "repeated"), [("freeze", 3), ("compress", 2), ("test", 1)])
def test_a_failed_step_is_repeated_alone(
    tmp_path: Path, data: TrainingData, pretended: str, step: str, repeated: int
) -> None:
    directory = task(tmp_path)
    made = trainer(command=pretended)
    made.write_input(directory, data, 1, None)
    (directory / "fail").write_text(step)
    assert shell(directory, made.command()) != 0
    assert made.reached(directory) == 31
    for name in ("fail", "calls"):
        (directory / name).unlink()
    assert shell(directory, made.command()) == 0
    assert [line.split()[0] for line in calls(directory)] == ["freeze", "compress", "test"][
        -repeated:
    ]
    assert made.check(directory).done


def test_the_last_step_is_that_of_the_input(
    tmp_path: Path, data: TrainingData, pretended: str
) -> None:
    directory = task(tmp_path)
    made = trainer({**SETTINGS, "optimizer": {"numb_steps": 40}}, command=pretended)
    made.write_input(directory, data, 1, None)
    assert shell(directory, made.command()) == 0
    assert "ends with step 30 of 40" in made.check(directory).reason


def test_the_potential_of_a_committee() -> None:
    models = [TrainedModel(Path(f"/t/{n}"), {"model": Path(f"/t/{n}/compressed.pb")}) for n in "ab"]
    made = trainer(atom_type=("Cu", "Au")).potential(models)
    assert made.types == ("Cu", "Au")
    assert made.pair_lines == (
        "pair_style deepmd 0_graph.pb 1_graph.pb out_freq {out_freq} out_file model_devi.out",
        "pair_coeff * * Cu Au",
    )
    assert [made.links[f"{n}_graph.pb"] for n in (0, 1)] == [one.files["model"] for one in models]
    assert type(made) is Potential  # the pair style leaves the deviations itself
    by_atom = made.with_rms()
    assert by_atom.pair_lines == (f"{made.pair_lines[0]} atomic", made.pair_lines[1])
    assert not by_atom.rms
    one = trainer().potential(models[:1])
    assert one.with_rms().pair_lines == one.pair_lines  # it deviates from nothing
    assert trainer().potential(models[:1]).pair_lines[0] == "pair_style deepmd 0_graph.pb"


# the real programs


def killed_after_a_checkpoint(directory: Path, made: Trainer) -> float:
    """Run the command, and kill it with all its processes as a time limit does; how far it came."""
    words = ["bash", "-c", made.command()]
    with subprocess.Popen(words, cwd=directory, start_new_session=True) as job:
        while job.poll() is None and not made.reached(directory):
            time.sleep(0.01)
        assert job.poll() is None
        os.killpg(job.pid, signal.SIGKILL)
    return made.reached(directory)


@pytest.mark.slow
@pytest.mark.deepmd
def test_a_batch_larger_than_the_data_is_all_of_them(data: TrainingData, tmp_path: Path) -> None:
    """DeePMD-kit neither leaves it out, as MatPL does, nor repeats frames to fill it."""
    need_deepmd()
    found = []
    for size in (6, 99):
        few = {"numb_steps": 4, "print_freq": 1, "batch_size": size}
        made = trainer({**SETTINGS, "optimizer": few}, strategy={"compress": False})
        directory = task(tmp_path, f"{size}")
        made.write_input(directory, replace(data, valid=()), 1, None)
        assert shell(directory, "dp --tf train input.json > train.log 2>&1") == 0
        found.append(np.loadtxt(directory / "lcurve.out"))
    np.testing.assert_array_equal(*found)
    assert found[0][-1, 3] < found[0][0, 3]


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.parametrize("embedding", [False, True])
def test_an_element_that_the_structure_lacks_changes_nothing(
    data: TrainingData, tmp_path: Path, embedding: bool
) -> None:
    """All of atom_type are LAMMPS types, whatever the structure holds; MatPL's DP minds it."""
    need_deepmd()
    settings = {**SETTINGS, "type_embedding": embedding, "optimizer": {"numb_steps": 2}}
    plain = {"compress": False, "model_num": 1}
    made, directory = trainer(settings, strategy=plain, atom_type=("Cu", "Ag")), task(tmp_path)
    made.write_input(directory, replace(data, valid=()), 1, None)
    assert shell(directory, made.command()) == 0
    every = made.potential([made.read_result(directory)])
    own = for_structure(replace(every, own_types={"Cu": "Cu", "Ag": "Ag"}), {"Cu"})
    assert (every.pair_lines[1], own.pair_lines[1]) == ("pair_coeff * * Cu Ag", "pair_coeff * * Cu")
    energies = []
    for name, given in (("every", every), ("own", own)):
        assert explore(tmp_path / name, copper(30), given, STILL) == 0
        energies.append(thermo(tmp_path / name)["PotEng"])
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)


@pytest.mark.slow
@pytest.mark.deepmd
@pytest.mark.timeout(900)
def test_train_compress_start_again_and_explore(tmp_path: Path, data: TrainingData) -> None:
    """One member is compressed and tested on two systems; the other starts from it, twice."""
    need_deepmd()
    first, second = task(tmp_path, "train.000"), task(tmp_path, "train.001")
    # the example has a net for each element; dp cannot compress a common one that begins with 2
    descriptor = {**SETTINGS["model"]["descriptor"], "network_size": [3, 6, 12]}
    model = {**SETTINGS["model"], "descriptor": descriptor}
    settings = {**SETTINGS, "model": model, "type_embedding": True}
    made, plain = trainer(settings), trainer(settings, strategy={"compress": False})
    made.validate()
    made.write_input(first, data, 1, None)
    assert shell(first, made.command()) == 0
    plain.write_input(second, one_system(data), 2, first)
    reached = killed_after_a_checkpoint(second, plain)
    assert plain.check(second).outcome is Outcome.INCOMPLETE
    assert shell(second, plain.command()) == 0
    assert f"pwact: cut off; dp goes on from the checkpoint of step {reached:g}" in (
        second / "train.log"
    ).read_text(errors="replace")
    rows = (second / "lcurve.out").read_text().splitlines()
    steps = [int(row.split()[0]) for row in rows if not row.startswith("#")]
    assert steps == list(range(0, 31, 3))  # none twice
    models = [made.read_result(first), plain.read_result(second)]
    assert models[0].files["model"].name == "compressed.pb"
    for model in models:
        assert model.valid is not None
        assert 0.01 < model.valid.rmse_f < 2
    # the second's first row is the first's error on the same frames
    begin = (second / "lcurve.out").read_text().splitlines()[2].split()[5]
    of_system = re.search(
        r"testing system : \S*Cu16\b.*?Force +RMSE\s*: (\S+)",
        (first / "test.log").read_text(),
        re.S,
    )
    assert of_system is not None
    assert float(begin) == pytest.approx(float(of_system[1]), rel=0.01)
    assert read_curve(second / "lcurve.out")["step"] == 30

    potential = made.potential(models)
    md = tmp_path / PLACE / "md"
    assert explore(md, copper(30), potential, SHORT) == 0
    assert LammpsExplorer(BLOCK).check(md, False, SHORT, potential).done
    trajectory = MdTrajectory(md)
    rows = trajectory.deviations()
    assert rows.steps.tolist() == [0, 10, 20, 30, 40]
    assert (rows.max_f > 1e-4).all()
    assert (rows.min_f <= rows.avg_f).all()
    assert not rows.failed.any()
    assert abs(trajectory.frame(40).arrays["forces"]).max() > 0.01
    by_atom = tmp_path / PLACE / "by atom"
    assert explore(by_atom, copper(30), potential.with_rms(), SHORT) == 0
    more = MdTrajectory(by_atom).deviations()
    assert more.max_f.tolist() == rows.max_f.tolist()
    assert np.isnan(rows.rms_f).all()
    of_atoms = np.loadtxt(by_atom / "model_devi.out")[:, 7:]
    assert of_atoms.shape == (5, len(copper(30)))
    assert more.avg_f == pytest.approx(of_atoms.mean(axis=1), rel=1e-5)
    assert more.rms_f == pytest.approx(np.sqrt((of_atoms**2).mean(axis=1)))
    assert (more.rms_f < more.max_f).all()
