"""DeePMD-kit's PyTorch backend: input, commands and verdicts, with a pretended Python."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Optional

import numpy as np
import pytest

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.training import TrainConfig
from pwact.engines import explorer_for, trainer_for
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.deepmd.features import Describer, root_of
from pwact.engines.deepmd.kpu import DeepmdKpu, demand_kalman, read_kalman
from pwact.engines.deepmd.lkf import seed_sampling
from pwact.engines.deepmd.pytorch_keys import LkfTranslation
from pwact.engines.trainers import TrainedModel, Trainer, TrainingData, ValidError
from pwact.errors import InputError, TaskError
from pwact.fingerprint import differences
from pwact.formats.features import writing_features
from pwact.formats.frames import write_frames
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.verdict import Outcome
from tests.engines.pod_helpers import shell
from tests.engines.test_deepmd import copper
from tests.engines.test_deepmd_keys import place

FILE = Path("run_param.json")
# what the worker and `dp --pt test` leave, without the work; `fail` names what fails
PRETENDED = """\
#!/bin/bash
echo "$@" >> calls
[ "$(cat fail 2>/dev/null)" = "$2" ] && exit 1
case "$2" in
pwact.engines.deepmd.lkf)
  echo '# step rmse_val rmse_e_val rmse_f_val lr' > lcurve.out
  echo '   120        1        0.5       0.25 1e-3' >> lcurve.out
  echo weights > model.pt; echo matrix > kalman.npz ;;
deepmd) echo 'Energy RMSE/Natoms : 1.5e-01 eV'; echo 'Force  RMSE : 2.5e-01 eV/Å' ;;
esac
"""


def config(settings: Optional[dict[str, Any]] = None, **changes: Any) -> RunConfig:
    strategy = {"uncertainty": "kpu", "model_num": 1, **changes.pop("strategy", {})}
    train = {"engine": "deepmd-pytorch", "atom_type": ("Cu",), "settings": settings or {}}
    return RunConfig(
        file=FILE,
        train=TrainConfig(**{**train, **changes}),
        strategy=replace(StrategyConfig(), **strategy),
    )


def trainer(command: str = "python", **changes: Any) -> Trainer:
    block = ResourceBlock(command=command)
    return trainer_for(config(**changes), block, block)


def translate(settings: dict[str, Any]) -> LkfTranslation:
    return LkfTranslation(settings, ("Ag", "Au"), FILE)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {},
            {
                "optimizer.type": "LKF",
                "optimizer.kf_blocksize": 5120,
                "optimizer.kf_start_pref_e": 10.0,
                "optimizer.kf_limit_pref_e": 10.0,
                "optimizer.kf_start_pref_f": 100.0,
                "optimizer.kf_limit_pref_f": 100.0,
                "model.descriptor.type": "se_e2_a",
                "model.descriptor.sel": [100, 100],
                "loss.start_pref_v": 0.0,
                "loss.limit_pref_v": 0.0,
                "training.batch_size": 1,
            },
        ),
        (
            {
                "optimizer": {
                    "optimizer": "lkf",
                    "BLOCK_SIZE": 800,
                    "pre_fac_etot": 5,
                    "Pre_Fac_Force": 50,
                    "numb_steps": 7,
                    "print_freq": 2,
                    "batch_size": 3,
                }
            },
            {
                "optimizer.kf_blocksize": 800,
                "optimizer.kf_start_pref_e": 5.0,
                "optimizer.kf_limit_pref_e": 5.0,
                "optimizer.kf_start_pref_f": 50.0,
                "optimizer.kf_limit_pref_f": 50.0,
                "training.numb_steps": 7,
                "training.disp_freq": 2,
                "training.batch_size": 3,
            },
        ),
        (
            {"type_embedding": {"network_size": [4, 6]}},
            {
                "model.descriptor.type": "se_atten",
                "model.descriptor.tebd_dim": 6,
                "model.descriptor.sel": 100,
            },
        ),
    ],
)
def test_keys(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    made = translate(settings)
    assert {path: place(made.input, path) for path in expected} == expected
    assert made.warnings == []
    assert "type_embedding" not in made.input["model"]


@pytest.mark.parametrize(
    "word",
    ["learning_rate", "stop_lr", "start_pre_fac_force", "kalman_lambda", "p0_weight", "nselect"],
)
def test_what_the_filter_does_not_use_is_said(word: str) -> None:
    made = translate({"optimizer": {word: 0.5}})
    assert made.warnings == [
        f"train.optimizer.{word} has no counterpart in DeePMD-kit and is not used"
    ]
    assert made.input == translate({}).input


def test_virials_are_not_trained_and_it_is_said() -> None:
    made = translate({"optimizer": {"train_virial": True}})
    assert made.warnings == ["train.optimizer.train_virial: the Kalman filter trains no virials"]


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"strategy": {"uncertainty": "committee"}}, "strategy.uncertainty", "committees"),
        ({"model_type": "NEP"}, "train.model_type", "'NEP'"),
        (
            {"settings": {"optimizer": {"optimizer": "ADAM"}}},
            "train.optimizer.optimizer",
            "'ADAM'; this engine trains by LKF only",
        ),
        (
            {"settings": {"optimizer": {"train_force": False}}},
            "train.optimizer.train_force",
            "energies and forces together",
        ),
        (
            {"settings": {"optimizer": {"pre_fac_force": 0}}},
            "train.optimizer.pre_fac_force",
            "found 0",
        ),
        (
            {"settings": {"optimizer": {"block_sise": 3}}},
            "train.optimizer.block_sise",
            "did you mean block_size",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], key: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        trainer(**changes).validate()
    assert caught.value.key == key
    assert words in str(caught.value)


def native(folder: Path, **sections: Any) -> Path:
    document = {
        "model": {"type_map": ["Cu"], "descriptor": {"type": "se_e2_a"}, "fitting_net": {}},
        "training": {"numb_steps": 20},
        "optimizer": {"type": "LKF", "kf_start_pref_f": 100.0},
        **sections,
    }
    file = folder / "my input.json"
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("optimizer", [{}, {"type": "Adam"}, None])
def test_a_native_input_needs_the_filter(tmp_path: Path, optimizer: Any) -> None:
    file = native(tmp_path, optimizer=optimizer)
    with pytest.raises(InputError) as caught:
        trainer(input_file=file).validate()
    assert (caught.value.file, caught.value.key) == (file, "optimizer.type")


def test_a_native_input_is_warned_of_prefactors_that_do_not_learn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer(input_file=native(tmp_path)).validate()
    assert caplog.text == ""
    trainer(input_file=native(tmp_path, optimizer={"type": "LKF"})).validate()
    assert "kf_start_pref_f is 1; a network hardly learns" in caplog.text


def test_a_native_embedding_of_elements_has_its_seed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Other than in the TensorFlow backend, where it needs a section of its own."""
    model = {"type_map": ["Cu"], "descriptor": {"type": "se_atten"}, "fitting_net": {}}
    trainer(input_file=native(tmp_path, model=model)).validate()
    assert caplog.text == ""
    embedded = {**model, "type_embedding": {"neuron": [8]}}
    trainer(input_file=native(tmp_path, model=embedded)).validate()
    assert "model.type_embedding is not used" in caplog.text


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    folder = tmp_path_factory.mktemp("frames of copper")
    train, valid = folder / "train.xyz", folder / "valid.xyz"
    write_frames(train, [copper(seed) for seed in range(4)], "extxyz")
    write_frames(valid, [copper(10), copper(11, (2, 1, 1))], "extxyz")
    return TrainingData((train,), (valid,), "extxyz")


@pytest.fixture
def pretended(tmp_path: Path) -> str:
    file = tmp_path / "my python"
    file.write_text(PRETENDED)
    file.chmod(0o755)
    return f'"{file}"'


def test_a_training(tmp_path: Path, data: TrainingData, pretended: str) -> None:
    made = trainer(pretended)
    first, second = tmp_path / "it's 1", tmp_path / "it's 2"
    for directory, start in ((first, None), (second, first)):
        directory.mkdir()
        made.write_input(directory, data, 3, start)
        assert made.check(directory).outcome is Outcome.INCOMPLETE
        assert shell(directory, made.command()) == 0
        assert made.check(directory).done
    assert (first / "calls").read_text().splitlines() == [
        "-m pwact.engines.deepmd.lkf",
        "-m deepmd --pt test -m model.pt -s data/valid -n 0",  # two compositions
    ]
    result = made.read_result(first)
    assert result.valid == ValidError(0.15, 0.25)
    assert {role: path.name for role, path in result.files.items()} == {
        "model": "model.pt",
        "kpu": "kalman.npz",
    }
    document = json.loads((first / "input.json").read_text())
    training = document["training"]
    assert training["save_freq"] == training["disp_freq"]
    assert training["max_ckpt_keep"] == 2  # each holds P, which may be large
    assert (second / "start.pt").resolve() == first / "model.pt"
    assert not (first / "start.pt").is_symlink()


@pytest.mark.parametrize("name", ["model.pt", "kalman.npz", "lcurve.out", "test.log"])
def test_what_is_missing_is_not_done(
    tmp_path: Path, data: TrainingData, pretended: str, name: str
) -> None:
    made = trainer(pretended)
    made.write_input(tmp_path, data, 3, None)
    assert shell(tmp_path, made.command()) == 0
    (tmp_path / name).unlink()
    assert made.check(tmp_path).outcome is Outcome.INCOMPLETE


def test_the_first_failure_is_the_failure(
    tmp_path: Path, data: TrainingData, pretended: str
) -> None:
    made = trainer(pretended)
    made.write_input(tmp_path, data, 3, None)
    (tmp_path / "fail").write_text("pwact.engines.deepmd.lkf")
    assert shell(tmp_path, made.command()) == 1
    assert (tmp_path / "calls").read_text().count("\n") == 1


def test_one_model_runs_in_ase(tmp_path: Path) -> None:
    made = trainer()
    model = TrainedModel(tmp_path, {"model": tmp_path / "model.pt"})
    potential = made.potential([model])
    assert potential.links == {"model.pt": tmp_path / "model.pt"}
    assert potential.calculators == (
        {"calculator": "deepmd.calculator:DP", "arguments": {"model": "model.pt"}},
    )
    assert not potential.deviates
    assert isinstance(explorer_for(config(), ResourceBlock(command="python")), AseExplorer)


# the matrix P and its evaluation


def kalman(folder: Path, **blocks: Any) -> Path:
    np.savez(folder / "kalman.npz", **blocks)
    return folder / "kalman.npz"


def test_blocks_of_p_are_read_in_their_order(tmp_path: Path) -> None:
    path = kalman(tmp_path, **{f"block_{n}": np.full((n + 1, n + 1), n) for n in range(12)})
    assert [len(block) for block in read_kalman(path)] == list(range(1, 13))
    assert [block[0, 0] for block in read_kalman(path)] == list(range(12))


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ({}, "no blocks of P"),
        ({"block_1": np.eye(2)}, "no blocks of P"),
        ({"other": np.eye(2)}, "no blocks of P"),
        ({"block_0": np.ones((2, 3))}, "no square matrices"),
        ({"block_0": np.ones(4)}, "no square matrices"),
    ],
)
def test_what_is_no_p_is_refused(tmp_path: Path, blocks: dict[str, Any], words: str) -> None:
    with pytest.raises(TaskError, match=words):
        read_kalman(kalman(tmp_path, **blocks))


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_model_without_p_is_refused_before_the_evaluation(
    tmp_path: Path, content: Optional[bytes]
) -> None:
    if content is not None:
        (tmp_path / "kalman.npz").write_bytes(content)
    with pytest.raises(TaskError, match="kalman.npz"):
        demand_kalman(tmp_path / "kalman.npz")
    (tmp_path / "kpu").mkdir()
    with pytest.raises(TaskError, match="kalman.npz"):
        DeepmdKpu("python", 4).write_input(tmp_path / "kpu", TrainedModel(tmp_path), tmp_path)
    assert list((tmp_path / "kpu").iterdir()) == []


def test_an_evaluation(tmp_path: Path) -> None:
    model, md, work = (tmp_path / name for name in ("a model", "a md", "kpu"))
    for folder in (model, md, work):
        folder.mkdir()
    kalman(model, block_0=np.eye(2))
    frame = "ITEM: TIMESTEP\n{}\nITEM: NUMBER OF ATOMS\n1\nITEM: ATOMS id type x y z\n1 1 0 0 0\n"
    (md / "traj.lammpstrj").write_text("".join(frame.format(step) for step in (0, 10)))
    made = trainer("srun my/python").kpu()
    made.write_input(work, TrainedModel(model), md)
    assert {path.name: path.readlink().parts[1] for path in work.iterdir()} == {
        "model.pt": "a model",
        "kalman.npz": "a model",
        "atom_type.txt": "a md",
        "traj.lammpstrj": "a md",
    }
    assert made.command().endswith("srun my/python -m pwact.engines.deepmd.kpu 16 > kpu.log 2>&1")
    assert "kpu_model_devi.out" in made.check(work).reason
    nan = float("nan")
    for steps, done in (([0], False), ([0, 20], False), ([0, 10], True)):
        write_kpu_devi(
            work / "kpu_model_devi.out", np.array(steps), [[1, 2, nan, nan]] * len(steps)
        )
        assert made.check(work).done is done
    assert made.transient_files(work) == [work / "traj.lammpstrj"]
    more = made.with_features()
    assert more.command().endswith("pwact.engines.deepmd.kpu 16 --features > kpu.log 2>&1")
    before = {"engine": "deepmd-pytorch", "probes": 16}
    assert not any(differences(before, made.fingerprint()))
    assert any(differences(before, more.fingerprint()))
    assert "features.npy" in more.check(work).reason
    with writing_features(work / "features.npy", np.array([0, 10]), 2) as put:
        put(0, np.eye(2))
    assert more.check(work).done
    assert work / "features.npy" in more.transient_files(work)


def covariance(size: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(size, size))
    made: np.ndarray = root @ root.T
    return made


@pytest.mark.parametrize("sizes", [(3, 4), (300, 250, 150)])
@pytest.mark.parametrize("probes", [0, 4])
def test_the_squares_of_the_features_are_the_uncertainty(
    sizes: tuple[int, ...], probes: int
) -> None:
    """Block by block, exactly; also of more weights than columns."""
    blocks = [covariance(size, number) for number, size in enumerate(sizes)]
    rng = np.random.default_rng(9)
    describer = Describer(blocks)
    assert describer.columns == min(sum(sizes), 512)
    for _ in range(2):  # one frame leaves nothing to the next
        gradients = rng.normal(size=(probes or 6, sum(sizes)))
        for gradient in gradients:
            describer.see(gradient)
        made = describer.features(6, probes)
        squares = []
        for gradient in gradients:
            parts = np.split(gradient, np.cumsum(sizes)[:-1])
            squares.append(sum(part @ block @ part for part, block in zip(parts, blocks)))
        assert np.square(made).sum() == pytest.approx(np.mean(squares) / (6 if probes else 1))
        if describer.columns == sum(sizes):
            whole = np.zeros((sum(sizes), sum(sizes)))
            whole[: sizes[0], : sizes[0]], whole[sizes[0] :, sizes[0] :] = blocks
            products = gradients @ whole @ gradients.T
            np.testing.assert_allclose(made @ made.T * 6 * (probes or 1), products)


def test_a_root_of_p_that_rounding_has_spoilt() -> None:
    block = covariance(5, 1)
    np.testing.assert_allclose(root_of(block) @ root_of(block).T, block)
    flat = np.outer(np.arange(5.0), np.arange(5.0)) - 1e-9 * np.eye(5)
    np.testing.assert_allclose(root_of(flat) @ root_of(flat).T, flat, atol=1e-7)
    with pytest.raises(TaskError, match="no covariance"):
        root_of(-block)


def test_the_filter_gets_a_seed() -> None:
    def draws(seed: int) -> list[list[int]]:
        kind = type("Filter", (), {"_KFOptimizerWrapper__sample": lambda *_: None})
        seed_sampling(kind, seed)
        made = kind()
        sample = made._KFOptimizerWrapper__sample
        shapes = [sample(24, 6, 40) for _ in range(3)]
        assert {one.shape for one in shapes} == {(4, 6)}
        assert all(one.min() >= 0 and one.max() < 40 for one in shapes)
        return [one.ravel().tolist() for one in shapes]

    assert draws(1) == draws(1) != draws(2)
    assert len({tuple(one) for one in draws(1)}) == 3


def test_another_filter_is_not_trained_by_chance() -> None:
    with pytest.raises(TaskError, match=r"3\.2\.0 can"):
        seed_sampling(SimpleNamespace(), 1)
