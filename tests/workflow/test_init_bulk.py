"""The chain of init_bulk: names, numbers and resume with toy engines, then once for real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact.cli.commands.campaign import init_summary
from pwact.errors import QuorumError, StageChangedError, TaskError
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from pwact.geometry import shortest_distance
from pwact.workflow.campaign import open_campaign
from pwact.workflow.init_bulk import structures
from pwact.workflow.init_bulk.campaign import run_init_bulk
from pwact.workflow.tasks import gate
from tests.workflow.pairs import deep_update, init_param, load, resources, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, use_toys
from tests.workflow.toys import ToyLabeler


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real" not in request.node.name:
        use_toys(monkeypatch)


@pytest.fixture
def executor() -> ToyExecutor:
    return ToyExecutor()


def chain(work_dir: Path, executor: ToyExecutor, **changes: Any) -> Any:
    options = changes.pop("options", {})
    write_files(work_dir, {"calculator": "emt"})
    return run_chain(work_dir, deep_update(init_param(), changes), executor, **options)


def tree(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_the_collection_has_the_promised_names(tmp_path: Path, executor: ToyExecutor) -> None:
    result = chain(tmp_path, executor)
    perturbed = [
        f"init_config_0/{base}_scale_pertub/{name}.poscar"
        for base in ("0.95", "1.0")
        for name in ("0_pertub", "1_pertub", f"{base}_scale")
    ]
    assert tree(tmp_path / "collection") == sorted(
        [
            "datapath.txt",
            "init_config_0/relaxed.poscar",
            "init_config_0/super_cell.poscar",
            "init_config_0/0.95_scale.poscar",
            "init_config_0/1.0_scale.poscar",
            *perturbed,
            "init_config_0/origin.csv",
            "init_config_0/train.xyz",
            "init_config_1/origin.csv",
            "init_config_1/train.xyz",
        ]
    )
    sets = [tmp_path / "collection" / f"init_config_{n}" / "train.xyz" for n in (0, 1)]
    assert result.data_sets == sets
    text = (tmp_path / "collection/datapath.txt").read_text()
    assert text == f'"{sets[0]}",\n"{sets[1]}",'
    assert not (tmp_path / "temp_init_bulk_work").exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert not left & {"super_cell_scale", "pertub", "aimd", "relax"}


def test_the_work_tree_has_the_promised_names(tmp_path: Path, executor: ToyExecutor) -> None:
    chain(tmp_path, executor, reserve_work=True)
    temp = tmp_path / "temp_init_bulk_work"
    tasks = [Path(name).relative_to(temp).as_posix() for name in executor.ran]
    assert sorted(tasks) == [
        "aimd/init_config_0/0.95_scale/0_aimd",
        "aimd/init_config_0/0.95_scale/1_aimd",
        "aimd/init_config_0/1.0_scale/2_aimd",
        "aimd/init_config_0/1.0_scale/3_aimd",
        "aimd/init_config_1/init/0_aimd",
        "relax/init_config_0",
    ]
    assert (temp / "pertub/init_config_0/1.0_scale/1_pertub.poscar").is_file()
    assert (temp / "super_cell_scale/init_config_0/super_cell.poscar").is_file()


def test_each_step_takes_what_the_one_before_made(tmp_path: Path, executor: ToyExecutor) -> None:
    chain(tmp_path, executor)
    folder = tmp_path / "collection/init_config_0"

    def lengths(name: str) -> list[float]:
        return read_structure(folder / name, "vasp/poscar").cell.lengths().tolist()

    relaxed = 4.1 * 0.98
    assert lengths("relaxed.poscar") == pytest.approx([relaxed] * 3)
    assert lengths("super_cell.poscar") == pytest.approx([2 * relaxed, relaxed, relaxed])
    assert lengths("0.95_scale.poscar") == pytest.approx(
        [2 * 0.95 * relaxed, 0.95 * relaxed, 0.95 * relaxed]
    )
    one = read_structure(folder / "1.0_scale_pertub/0_pertub.poscar", "vasp/poscar")
    two = read_structure(folder / "1.0_scale_pertub/1_pertub.poscar", "vasp/poscar")
    assert not np.allclose(one.positions, two.positions)
    frames = read_frames(folder / "train.xyz", "extxyz")
    assert len(frames) == 4 * 3
    assert frames[6].cell.lengths() == pytest.approx(one.cell.lengths(), abs=1e-6)
    assert [len(frame) for frame in frames] == [8] * 12


@pytest.mark.parametrize(
    ("entry", "base", "name"),
    [
        ({"perturb": 1}, "init", "a.poscar"),
        ({"perturb": 1, "relax": True}, "relax", "relaxed.poscar"),
        ({"perturb": 1, "super_cell": [1, 1, 2]}, "super_cell", "super_cell.poscar"),
        ({"perturb": 1, "scale": [1]}, "1_scale", "1_scale.poscar"),
    ],
)
def test_the_base_says_where_structures_come_from(
    tmp_path: Path, executor: ToyExecutor, entry: dict[str, Any], base: str, name: str
) -> None:
    config = {"config": "structures/a.poscar", "format": "vasp/poscar", **entry}
    chain(tmp_path, executor, sys_configs=[config])
    found = tree(tmp_path / "collection/init_config_0" / f"{base}_pertub")
    assert found == sorted(["0_pertub.poscar", name])
    assert (tmp_path / "collection/datapath.txt").read_text() == ""


def test_interval_counts_in_each_trajectory(tmp_path: Path, executor: ToyExecutor) -> None:
    chain(tmp_path / "all", executor)
    chain(tmp_path / "some", executor, interval=2)
    name = "collection/init_config_0/train.xyz"
    every = read_frames(tmp_path / "all" / name, "extxyz")
    some = read_frames(tmp_path / "some" / name, "extxyz")
    expected = [every[number] for number in (0, 2, 3, 5, 6, 8, 9, 11)]
    assert [labels_of(frame).energy for frame in some] == [
        labels_of(frame).energy for frame in expected
    ]


def test_the_shuffle_is_seeded_and_keeps_every_frame(tmp_path: Path, executor: ToyExecutor) -> None:
    name = "collection/init_config_0/train.xyz"
    energies, texts = [], []
    for number, changes in enumerate(({}, {"data_shuffle": True}, {"data_shuffle": True})):
        chain(tmp_path / str(number), executor, **changes)
        texts.append((tmp_path / str(number) / name).read_bytes())
        frames = read_frames(tmp_path / str(number) / name, "extxyz")
        energies.append([labels_of(frame).energy for frame in frames])
    assert texts[1] == texts[2]
    assert energies[0] != energies[1]
    assert sorted(energies[0]) == sorted(energies[1])


def test_npy_and_another_seed(tmp_path: Path, executor: ToyExecutor) -> None:
    result = chain(tmp_path, executor, data_format="pwmlff/npy", seed=8)
    assert result.data_sets[0] == tmp_path / "collection/init_config_0/PWdata"
    assert (result.data_sets[0] / "Ag4Au4/energies.npy").is_file()
    other = chain(tmp_path / "other", executor, data_format="pwmlff/npy", seed=9)
    first, second = (read_frames(one.data_sets[0], "pwmlff/npy") for one in (result, other))
    assert not np.allclose(first[0].positions, second[0].positions)


def test_perturbed_atoms_never_collide(
    tmp_path: Path, executor: ToyExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {
        **init_param()["sys_configs"][1],
        "perturb": 60,
        "atom_pert_distance": 10,
        "aimd": False,
    }
    chain(tmp_path, executor, sys_configs=[entry])
    folder = tmp_path / "collection/init_config_0/init_pertub"
    made = [read_structure(path, "vasp/poscar") for path in folder.glob("*_pertub.poscar")]
    assert len(made) == 60
    assert min(shortest_distance(atoms) for atoms in made) >= 0.5
    monkeypatch.setattr(structures, "flaw", lambda *_: "it is bad")
    with pytest.raises(TaskError, match="it is bad; .*atom_pert_distance"):
        chain(tmp_path / "absurd", executor, sys_configs=[entry])


def test_a_finished_chain_is_not_begun_again(tmp_path: Path, executor: ToyExecutor) -> None:
    chain(tmp_path, executor)
    before = (tmp_path / "collection/init_config_0/train.xyz").stat().st_mtime_ns
    executor.ran.clear()
    result = chain(tmp_path, executor)
    assert executor.ran == []
    assert (tmp_path / "collection/init_config_0/train.xyz").stat().st_mtime_ns == before
    assert len(result.data_sets) == 2
    with pytest.raises(StageChangedError, match=re.escape("perturb was 2, is 3")):
        chain(tmp_path, executor, **{"sys_configs.0.perturb": 3})
    assert executor.ran == []


def test_redo_of_a_finished_chain(tmp_path: Path, executor: ToyExecutor) -> None:
    chain(tmp_path, executor)
    chain(tmp_path, executor, interval=3, options={"redo": ("collection",)})
    frames = read_frames(tmp_path / "collection/init_config_0/train.xyz", "extxyz")
    assert len(frames) == 4
    backup = read_frames(tmp_path / "collection-bk-1/init_config_0/train.xyz", "extxyz")
    assert len(backup) == 12


def test_a_lost_relaxation_stops_a_lost_aimd_does_not(
    tmp_path: Path, executor: ToyExecutor
) -> None:
    executor.spoil = {"relax/init_config_0": "broken"}
    with pytest.raises(QuorumError, match="1 of 1"):
        chain(tmp_path, executor)
    executor.spoil = {"1_aimd": "broken"}
    chain(tmp_path, executor)
    assert len(read_frames(tmp_path / "collection/init_config_0/train.xyz", "extxyz")) == 9


def test_a_chain_whose_only_aimd_fails_has_failed(tmp_path: Path, executor: ToyExecutor) -> None:
    entry = init_param()["sys_configs"][1]
    executor.spoil = {"0_aimd": "broken"}
    with pytest.raises(QuorumError, match=r"aimd: its only task failed[\s\S]*no out.json"):
        chain(tmp_path, executor, sys_configs=[entry])
    assert (tmp_path / "temp_init_bulk_work/aimd/init_config_0/init/0_aimd/in.json").exists()
    assert not (tmp_path / "collection").exists()
    executor.spoil = {}
    assert len(chain(tmp_path, executor, sys_configs=[entry]).data_sets) == 1


def test_structures_only_are_said_to_be_that(tmp_path: Path, executor: ToyExecutor) -> None:
    entries = [{**entry, "aimd": False, "relax": False} for entry in init_param()["sys_configs"]]
    result = chain(tmp_path, executor, sys_configs=entries)
    assert (result.data_sets, result.wanted) == ([], False)
    text = init_summary(result)
    assert "there are no labelled data: the input asks for no aimd, bigmodel or scf" in text
    assert "structures and data" not in text
    assert "no labelled data" not in init_summary(chain(tmp_path / "data", executor))


def test_data_that_were_asked_for_and_are_not_there_are_a_failure(
    tmp_path: Path, executor: ToyExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyLabeler, "read_result", lambda *_: [])
    entry = init_param()["sys_configs"][1]
    for _ in range(2):  # the second start finds everything done
        with pytest.raises(QuorumError, match="labelled data were asked for, and there are none"):
            chain(tmp_path, executor, sys_configs=[entry])


def test_an_entry_without_any_data_is_named(
    tmp_path: Path, executor: ToyExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    executor.spoil = {"init_config_1/init/0_aimd": "broken"}
    assert len(chain(tmp_path, executor).data_sets) == 1
    assert "aimd: nothing of init_config_1 succeeded, so it gives no data" in caplog.text


def test_structures_that_are_all_left_out_stop_the_chain(
    tmp_path: Path, executor: ToyExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "flaw", lambda *_: "atoms collide")
    with pytest.raises(QuorumError, match="aimd: its only structure is left out.*atoms collide"):
        chain(tmp_path, executor, sys_configs=[init_param()["sys_configs"][1]])


def test_a_real_chain_with_emt(tmp_path: Path) -> None:
    settings = {
        "calculator": "emt",
        "relax": {"fmax": 0.05, "steps": 20},
        "aimd": {"steps": 4, "temperature_k": 300, "timestep_fs": 2.0},
    }
    write_files(tmp_path, settings)
    changes = {"sys_configs.0.perturb": 1, "sys_configs.0.scale": [1.0]}
    pair = load(tmp_path, deep_update(init_param(), changes), resources())
    with open_campaign(tmp_path, "init_bulk", 7) as opened:
        result = run_init_bulk(pair.config, pair.resources, opened)
    frames = read_frames(result.data_sets[0], "extxyz")
    assert len(frames) >= 4
    assert {len(frame) for frame in frames} == {8}
    energies = [labels_of(frame).energy for frame in frames]
    assert len(set(energies)) == len(energies)
