"""Fine-tuning by DeePMD-kit's PyTorch backend, with a pretended Python."""

from __future__ import annotations

import json
import logging
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import pytest

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.training import TrainConfig
from pwact.engines import explorer_for, trainer_for
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.deepmd.dpa_worker import check_pretrained, words_to_begin
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData, ValidError
from pwact.errors import InputError, TaskError
from pwact.formats.deepmd_npy import read_deepmd
from pwact.formats.frames import write_frames
from pwact.verdict import Outcome
from tests.engines.pod_helpers import shell
from tests.engines.test_deepmd import copper

FILE = Path("run_param.json")
RECORDED = Path(__file__).parent.parent / "data" / "dpa"
STEPS = {"optimizer": {"numb_steps": 20}}  # as in the recorded training
# what the worker and `dp --pt test` leave, without the work; `fail` names what fails
PRETENDED = f"""\
#!/bin/bash
echo "$@" >> calls
[ "$(cat fail 2>/dev/null)" = "$2" ] && exit 1
case "$2" in
pwact.engines.deepmd.dpa_worker) cp "{RECORDED}"/* . ;;
deepmd) echo 'Energy RMSE/Natoms : 1.5e-01 eV'; echo 'Force  RMSE : 2.5e-01 eV/Å' ;;
esac
"""


def config(**changes: Any) -> RunConfig:
    strategy = {"model_num": 4, **changes.pop("strategy", {})}
    models = changes.pop("init_model_list", ())
    train = {"engine": "dpa", "atom_type": ("Cu",), "settings": STEPS}
    return RunConfig(
        file=FILE,
        train=TrainConfig(**{**train, **changes}),
        strategy=replace(StrategyConfig(), **strategy),
        init_model_list=models,
    )


def trainer(command: str = "python", **changes: Any) -> Trainer:
    block = ResourceBlock(command=command)
    return trainer_for(config(**changes), block, block)


def pretended(folder: Path) -> str:
    """Shell text that starts it."""
    file = folder / "my python"
    file.write_text(PRETENDED)
    file.chmod(0o755)
    return shlex.quote(str(file))


@pytest.fixture
def foundation(tmp_path: Path) -> str:
    (tmp_path / "dpa 3.pt").write_text("weights")
    return str(tmp_path / "dpa 3.pt")


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    train, valid = tmp_path / "train.xyz", tmp_path / "valid.xyz"
    write_frames(train, [copper(seed) for seed in range(6)], "extxyz")
    write_frames(valid, [copper(10), copper(11, (2, 1, 1))], "extxyz")
    return TrainingData((train,), (valid,), "extxyz")


def written(
    made: Trainer, folder: Path, data: TrainingData, seed: int = 1, start: Optional[Path] = None
) -> dict[str, Any]:
    folder.mkdir()
    made.write_input(folder, data, seed, start)
    document: dict[str, Any] = json.loads((folder / "input.json").read_text())
    return document


def test_a_model_to_begin_with_fixes_the_network(
    tmp_path: Path, data: TrainingData, foundation: str
) -> None:
    made = trainer(foundation=foundation, settings={**STEPS, "model_branch": "Domains_Alloy"})
    made.validate()
    document = written(made, tmp_path / "task", data)
    assert document["model"] == {"type_map": ["Cu"], "finetune_head": "Domains_Alloy"}
    assert document["learning_rate"]["start_lr"] == 1e-3
    assert document["training"]["save_freq"] == document["training"]["disp_freq"] == 2
    assert (tmp_path / "task" / "pretrained.pt").resolve() == Path(foundation)
    assert not (tmp_path / "task" / "start.pt").is_symlink()


def test_from_nothing_the_keys_make_the_network(tmp_path: Path, data: TrainingData) -> None:
    made = trainer(settings={**STEPS, "type_embedding": True})
    made.validate()
    document = written(made, tmp_path / "task", data)
    assert document["model"]["descriptor"]["type"] == "se_atten"
    assert document["model"]["descriptor"]["tebd_dim"] == 8
    assert "type_embedding" not in document["model"]
    assert not any(path.is_symlink() for path in (tmp_path / "task").iterdir())


def test_later_iterations_begin_with_the_model_before(
    tmp_path: Path, data: TrainingData, foundation: str
) -> None:
    """It has one branch, whose name is not that of the foundation's."""
    made = trainer(foundation=foundation, settings={**STEPS, "model_branch": "Domains_Alloy"})
    document = written(made, tmp_path / "next", data, start=tmp_path)
    assert document["model"] == {"type_map": ["Cu"]}
    assert (tmp_path / "next" / "start.pt").readlink() == Path("..", "model.pt")
    assert not (tmp_path / "next" / "pretrained.pt").is_symlink()


def test_models_of_the_user_are_fine_tuned(tmp_path: Path, data: TrainingData) -> None:
    (tmp_path / "mine.pt").write_text("weights")
    written(trainer(), tmp_path / "task", data, start=tmp_path / "mine.pt")
    assert (tmp_path / "task" / "pretrained.pt").resolve() == tmp_path / "mine.pt"
    assert not (tmp_path / "task" / "start.pt").is_symlink()


def energies(folder: Path) -> list[float]:
    frames = read_deepmd(folder / "data" / "train")
    return [float(frame.get_potential_energy()) for frame in frames]


def test_members_that_begin_alike_see_other_frames(
    tmp_path: Path, data: TrainingData, foundation: str
) -> None:
    made = trainer(foundation=foundation)
    for name, seed in (("a", 1), ("b", 2), ("again", 1)):
        written(made, tmp_path / name, data, seed)
    written(trainer(), tmp_path / "nothing", data)
    alone = trainer(foundation=foundation, strategy={"model_num": 1})
    written(alone, tmp_path / "one", data)
    assert alone.whole() is None
    assert trainer().whole() is None
    handed_on = made.whole()
    assert handed_on is not None
    written(handed_on, tmp_path / "handed on", data)
    everything = energies(tmp_path / "nothing")
    assert len(set(everything)) == 6
    assert energies(tmp_path / "one") == energies(tmp_path / "handed on") == everything
    assert energies(tmp_path / "a") == energies(tmp_path / "again") != energies(tmp_path / "b")
    assert len(energies(tmp_path / "a")) == 6
    assert set(energies(tmp_path / "a")) < set(everything)


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"strategy": {"uncertainty": "kpu"}}, "strategy.uncertainty", "deepmd-pytorch knows KPU"),
        ({"strategy": {"compress": True}}, "strategy.compress", "no compression"),
        ({"foundation": "DPA-3.1"}, "train.foundation", "found DPA-3.1; allowed: a file"),
        (
            {"foundation": "/a/file", "init_model_list": (Path("a"),)},
            "init_model_list",
            "train.foundation names it",
        ),
        ({"settings": {"model_branch": "a"}}, "train.model_branch", "needs train.foundation"),
        (
            {"foundation": "/a/file", "settings": {"max_neigh_num": 50}},
            "train.max_neigh_num",
            "train.foundation, which fixes this",
        ),
        (
            {"foundation": "/a/file", "settings": {"model": {"descriptor": {"Rmax": 5}}}},
            "train.model.descriptor.Rmax",
            "train.foundation, which fixes this",
        ),
        (
            {"settings": {"optimizer": {"optimizer": "LKF"}}},
            "train.optimizer.optimizer",
            "'LKF'; this engine trains by ADAM only",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        trainer(**changes).validate()
    assert caught.value.key == key


def native(folder: Path, **sections: Any) -> Path:
    document = {
        "model": {"type_map": ["Cu"], "descriptor": {}, "fitting_net": {}},
        "training": {"numb_steps": 20},
        **sections,
    }
    file = folder / "my input.json"
    file.write_text(json.dumps(document))
    return file


def test_a_native_input_is_read_as_it_is(
    tmp_path: Path, data: TrainingData, foundation: str
) -> None:
    model = {"type_map": ["Cu"], "descriptor": {"trainable": False}, "fitting_net": {}}
    file = native(tmp_path, model={**model, "finetune_head": "a"})
    made = trainer(input_file=file, foundation=foundation)
    made.validate()
    document = written(made, tmp_path / "task", data)
    assert document["model"]["descriptor"]["trainable"] is False
    assert document["model"]["finetune_head"] == "a"
    later = written(made, tmp_path / "next", data, start=tmp_path)
    assert "finetune_head" not in later["model"]


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"optimizer": {"type": "LKF"}}, "optimizer.type"),
        (
            {
                "model": {
                    "type_map": ["Cu"],
                    "descriptor": {},
                    "fitting_net": {},
                    "finetune_head": "a",
                }
            },
            "model.finetune_head",
        ),
    ],
)
def test_a_native_input_that_cannot_be(tmp_path: Path, sections: dict[str, Any], key: str) -> None:
    file = native(tmp_path, **sections)
    with pytest.raises(InputError) as caught:
        trainer(input_file=file).validate()
    assert (caught.value.file, caught.value.key) == (file, key)


def test_the_content_of_a_foundation_counts(tmp_path: Path) -> None:
    file = tmp_path / "a model"
    prints = []
    for text in ("one", "two", "one"):
        file.write_text(text)
        prints.append(trainer(foundation=str(file)).fingerprint())
    assert prints[0] == prints[2] != prints[1]
    assert trainer().fingerprint()["foundation"] is None


def test_a_training(tmp_path: Path, data: TrainingData) -> None:
    made = trainer(pretended(tmp_path))
    written(made, tmp_path / "it's", data)
    assert made.check(tmp_path / "it's").outcome is Outcome.INCOMPLETE
    assert shell(tmp_path / "it's", made.command()) == 0
    assert made.check(tmp_path / "it's").done
    assert (tmp_path / "it's" / "calls").read_text().splitlines() == [
        "-m pwact.engines.deepmd.dpa_worker",
        "-m deepmd --pt test -m model.pt -s data/valid -n 0",  # two compositions
    ]
    result = made.read_result(tmp_path / "it's")
    assert result.valid == ValidError(0.15, 0.25)
    assert {role: path.name for role, path in result.files.items()} == {"model": "model.pt"}


def test_only_the_test_is_repeated_where_it_failed(tmp_path: Path, data: TrainingData) -> None:
    made, task = trainer(pretended(tmp_path)), tmp_path / "task"
    written(made, task, data)
    (task / "fail").write_text("deepmd")
    assert shell(task, made.command()) == 1
    assert made.reached(task) == 21.0
    (task / "fail").unlink()
    assert shell(task, made.command()) == 0
    calls = [line.split()[1] for line in (task / "calls").read_text().splitlines()]
    assert calls == ["pwact.engines.deepmd.dpa_worker", "deepmd", "deepmd"]


def test_a_training_for_fewer_steps_than_asked_for_does_not_count(
    tmp_path: Path, data: TrainingData
) -> None:
    made = trainer(pretended(tmp_path), settings={"optimizer": {"numb_steps": 40}})
    written(made, tmp_path / "task", data)
    assert shell(tmp_path / "task", made.command()) == 0
    assert "ends with step 20 of 40" in str(made.check(tmp_path / "task").reason)


def test_a_committee_runs_in_ase(tmp_path: Path) -> None:
    models = [TrainedModel(tmp_path, {"model": tmp_path / str(n) / "model.pt"}) for n in range(2)]
    potential = trainer().potential(models)
    assert potential.links["1_model.pt"] == tmp_path / "1" / "model.pt"
    assert [one["arguments"] for one in potential.calculators] == [  # type: ignore[attr-defined]
        {"model": "0_model.pt"},
        {"model": "1_model.pt"},
    ]
    assert potential.deviates
    assert isinstance(explorer_for(config(), ResourceBlock(command="python")), AseExplorer)


# what the worker asks of a pretrained model

ONE = {"type_map": ["Ag", "Cu"]}
SEVERAL = {"model_dict": {"alloys": {**ONE, "model_branch_alias": ["metals"]}, "water": ONE}}


@pytest.mark.parametrize(
    ("params", "model"),
    [
        (ONE, {}),
        (ONE, {"finetune_head": "Default"}),
        (SEVERAL, {"finetune_head": "water"}),
        (SEVERAL, {"finetune_head": "metals"}),
    ],
)
def test_a_branch_that_is_there(params: dict[str, Any], model: dict[str, Any]) -> None:
    check_pretrained(params, {"type_map": ["Cu"], **model})


@pytest.mark.parametrize(
    ("params", "model", "words"),
    [
        (ONE, {"type_map": ["Cu", "Au", "Ni"]}, "does not know Au, Ni; it knows Ag Cu"),
        (SEVERAL, {"type_map": ["Au"], "finetune_head": "water"}, "does not know Au"),
        (ONE, {"type_map": ["Cu"], "finetune_head": "water"}, "no branches: .*water"),
        (SEVERAL, {"type_map": ["Cu"]}, "branches alloys, water: train.model_branch .*found None"),
        (SEVERAL, {"type_map": ["Cu"], "finetune_head": "wter"}, "found wter"),
    ],
)
def test_what_would_get_random_weights_is_refused(
    params: dict[str, Any], model: dict[str, Any], words: str
) -> None:
    with pytest.raises(TaskError, match=words):
        check_pretrained(params, model)


def test_our_own_model_is_trained_on_as_it_is(tmp_path: Path) -> None:
    assert words_to_begin(tmp_path) == ["input.json"]
    (tmp_path / "start.pt").symlink_to("nowhere")  # dp says so; it must not begin from nothing
    words = ["input.json", "--init-model", "start.pt", "--use-pretrain-script"]
    assert words_to_begin(tmp_path) == words


def test_keys_without_a_counterpart_are_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        trainer(settings={"optimizer": {"kalman_lambda": 0.9}}).validate()
    assert "train.optimizer.kalman_lambda has no counterpart" in caplog.text
