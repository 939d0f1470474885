"""MD and DIRECT by scripts, and labels of the frames: names, numbers and resume; once for real."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.emt import EMT

from pwact.errors import InputError, QuorumError, StageChangedError
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.poscar import read_poscar
from pwact.io.journal import Journal
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from pwact.workflow.init_bulk.relabel import subset
from tests.workflow import toys
from tests.workflow.pairs import LOCAL, init_param, load, resources, write_files
from tests.workflow.toy_campaign import ToyExecutor, campaign, use_toys
from tests.workflow.toys import STIFFNESS, true_forces

COLLISION = 2  # frame of every toy trajectory in which atoms collide
MODEL_ENERGY = 1000.0  # of the toy script, so that its labels show


def toy_md(directory: Path) -> None:
    frames = []
    for number in range(4):
        atoms = read_poscar(directory / "POSCAR")
        atoms.positions += np.random.default_rng(number).uniform(-0.1, 0.1, (len(atoms), 3))
        if number == COLLISION:
            atoms.positions[0] = atoms.positions[1] + 0.1
        set_labels(atoms, MODEL_ENERGY + number, np.zeros((len(atoms), 3)))
        frames.append(atoms)
    write_extxyz(directory / "traj.xyz", frames)
    (directory / "tag.bigmodel.success").touch()


def toy_direct(directory: Path) -> None:
    """Take every frame but the first of all; forget the last number."""
    frames = read_extxyz(directory / "candidate.xyz")
    write_extxyz(directory / "select.xyz", frames[1:])
    numbers = range(1, len(frames) - 1)
    (directory / "select_idx.dat").write_text("".join(f"{number}\n" for number in numbers))
    (directory / "tag.direct.success").touch()


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real" not in request.node.name:
        use_toys(monkeypatch)
        monkeypatch.setitem(toys.RUN, "toy-script", toy_md)
        monkeypatch.setitem(toys.RUN, "toy-direct", toy_direct)


@pytest.fixture
def executor() -> ToyExecutor:
    return ToyExecutor()


def entry(name: str, **steps: Any) -> dict[str, Any]:
    return {"config": f"structures/{name}.poscar", "format": "vasp/poscar", **steps}


def param(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    document = {
        **init_param(),
        "scf_input": ["calculator.json", {"input": "calculator.json"}],
        "bigmodel_input": [{"input": "md.py"}, "other.py"],
        "direct_input": "direct.py",
        "sys_configs": list(entries),
    }
    return {**document, **changes}


def blocks() -> dict[str, Any]:
    return {
        **resources(),
        "explore": {**LOCAL, "command": "toy-script"},
        "direct": {**LOCAL, "command": "toy-direct"},
    }


def chain(work_dir: Path, document: dict[str, Any], executor: ToyExecutor, **options: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    for name in ("md.py", "other.py", "direct.py"):
        if not (work_dir / name).exists():
            (work_dir / name).write_text("not = {a DFT input\n")
    pair = load(work_dir, document, blocks())
    preflight(pair)
    with campaign(work_dir, "init_bulk", document["seed"], executor, **options) as opened:
        return run_init_bulk(pair.config, pair.resources, opened)


def tasks(work_dir: Path, executor: ToyExecutor) -> list[str]:
    temp = work_dir / "temp_init_bulk_work"
    return [Path(name).relative_to(temp).as_posix() for name in executor.ran]


def energies(path: Path) -> list[float]:
    return [labels_of(frame).energy for frame in read_frames(path, "extxyz")]


def is_true(path: Path) -> bool:
    """Whether the labels are those of the toy labeler."""
    return all(
        labels_of(one).energy == pytest.approx(0.5 * STIFFNESS * np.sum(one.positions**2))
        and np.allclose(labels_of(one).forces, true_forces(one))
        for one in read_frames(path, "extxyz")
    )


def test_all_ways_in_one_chain(tmp_path: Path, executor: ToyExecutor) -> None:
    """AIMD alone, AIMD relabelled, script MD with DIRECT, script MD without, both relabelled."""
    document = param(
        entry("a", aimd=True),
        entry("b", aimd=True, scf=True),
        entry("a", scale=[1.0], bigmodel=True, direct=True, scf=True, scf_input_idx=1),
        entry("b", bigmodel=True, bigmodel_input_idx=1),
        interval=2,
        reserve_work=True,
    )
    result = chain(tmp_path, document, executor)
    assert tasks(tmp_path, executor) == [
        "aimd/init_config_0/init/0_aimd",
        "aimd/init_config_1/init/0_aimd",
        "bigmodel/init_config_2/1.0_scale/0_bigmodel",
        "bigmodel/init_config_3/init/0_bigmodel",
        "bigmodel/direct",
        "scf/0",
        "scf/2",  # frame 1 of select.xyz is the one with the collision
        *(f"scf/init_config_1/init/0_aimd/{number}-scf" for number in (0, 2)),
        "scf/init_config_3/init/0_bigmodel/0-scf",  # 1 and 3 are those that DIRECT chose
    ]
    collection, temp = tmp_path / "collection", tmp_path / "temp_init_bulk_work"
    sets = [collection / "init_config_0/train.xyz", collection / "scf/train.xyz"]
    assert result.data_sets == sets
    assert (collection / "datapath.txt").read_text() == f'"{sets[0]}",\n"{sets[1]}",'
    assert [len(energies(path)) for path in sets] == [2, 5]
    assert is_true(sets[1])
    assert not (collection / "init_config_1/train.xyz").exists()
    assert not (collection / "bigmodel/direct/train.xyz").exists()
    copied = collection / "bigmodel/init_config_3/init/0_bigmodel"
    assert {"POSCAR", "other.py", "traj.xyz"} <= {path.name for path in copied.iterdir()}
    assert not list(collection.rglob("*.job"))
    owners = json.loads((temp / "bigmodel/direct/candidate.json").read_text())
    assert owners == {"0": {"idx": 2, "num": 4}}
    with (collection / "left_out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file_path"], row["config_index"]) for row in rows] == [
        ("temp_init_bulk_work/bigmodel/direct/select.xyz", "1"),
        ("temp_init_bulk_work/bigmodel/init_config_3/init/0_bigmodel", "2"),
    ]
    assert "Å apart" in rows[0]["reason"]
    assert result.left_out == 2
    fresh = ToyExecutor()
    chain(tmp_path, document, fresh)
    assert fresh.ran == []


@pytest.mark.parametrize(
    ("steps", "name", "expected"),
    [
        ({}, "init_config_0/train.xyz", [1000, 1001, 1002, 1003]),
        ({"direct": True}, "bigmodel/direct/train.xyz", [1001, 1002, 1003]),
    ],
)
def test_without_scf_the_labels_of_the_script_are_the_data(
    tmp_path: Path, executor: ToyExecutor, steps: dict[str, Any], name: str, expected: list[float]
) -> None:
    result = chain(tmp_path, param(entry("a", bigmodel=True, **steps)), executor)
    assert result.data_sets == [tmp_path / "collection" / name]
    assert energies(result.data_sets[0]) == expected
    assert not (tmp_path / "temp_init_bulk_work").exists()
    assert not (tmp_path / "bigmodel").exists()


def test_npy_goes_to_the_same_places(tmp_path: Path, executor: ToyExecutor) -> None:
    steps = {"bigmodel": True, "direct": True}
    document = param(entry("a", **steps), entry("b", aimd=True, scf=True))
    result = chain(tmp_path, {**document, "data_format": "pwmlff/npy"}, executor)
    names = [path.relative_to(tmp_path / "collection").as_posix() for path in result.data_sets]
    assert names == ["scf/PWdata", "bigmodel/direct/PWdata"]
    assert [len(read_frames(path, "pwmlff/npy")) for path in result.data_sets] == [3, 3]


def test_the_subset_is_that_of_pwact() -> None:
    assert subset(18, 10) == [5, 6, 7, 8, 9, 11, 13, 15, 16, 17]
    assert subset(3, 3) == subset(3, 99) == subset(3, None) == [0, 1, 2]
    assert subset(0, 5) == []


def test_at_most_so_many_frames_are_labelled(tmp_path: Path, executor: ToyExecutor) -> None:
    document = param(entry("a", aimd=True, scf=True), scf_max_num=2)
    result = chain(tmp_path, document, executor)
    assert len(energies(result.data_sets[0])) == 2
    numbers = subset(3, 2)
    ran = [name for name in tasks(tmp_path, executor) if name.startswith("scf")]
    assert ran == [f"scf/init_config_0/init/0_aimd/{number}-scf" for number in numbers]


def test_unconverged_frames_are_dropped_and_listed_failures_are_named(
    tmp_path: Path, executor: ToyExecutor
) -> None:
    document = param(entry("a", aimd=True, scf=True))
    executor.spoil = {"1-scf": "broken", "2-scf": "broken"}
    with pytest.raises(QuorumError, match=r"scf: 2 of 3 tasks failed(.|\n)*0_aimd/1-scf"):
        chain(tmp_path, document, executor)
    executor.spoil = {"1-scf": "unconverged", "2-scf": "unconverged"}
    result = chain(tmp_path, document, executor)
    assert len(energies(result.data_sets[0])) == 1
    text = (tmp_path / "collection/left_out.csv").read_text()
    assert text.count("the SCF is not converged") == 2


def test_a_change_is_named(tmp_path: Path, executor: ToyExecutor) -> None:
    document = param(entry("a", bigmodel=True, direct=True, scf=True))
    chain(tmp_path, document, executor)
    with pytest.raises(StageChangedError, match="scf_max_num was null, is 1"):
        chain(tmp_path, {**document, "scf_max_num": 1}, executor)
    (tmp_path / "direct.py").write_text("another")
    with pytest.raises(StageChangedError, match=r"direct\.script was"):
        chain(tmp_path, document, executor)


def test_a_directory_of_the_user_is_left_alone(tmp_path: Path, executor: ToyExecutor) -> None:
    (tmp_path / "bigmodel").mkdir()
    (tmp_path / "bigmodel/notes").touch()
    chain(tmp_path, param(entry("a", bigmodel=True)), executor)
    assert (tmp_path / "bigmodel/notes").exists()


def test_one_direct_script_serves_all(tmp_path: Path, executor: ToyExecutor) -> None:
    steps = {"bigmodel": True, "direct": True}
    document = param(entry("a", **steps), entry("b", **steps, direct_input_idx=1))
    with pytest.raises(InputError, match="one DIRECT script"):
        chain(tmp_path, {**document, "direct_input": ["direct.py", "other.py"]}, executor)


def test_frames_of_a_cut_off_aimd_are_kept(
    tmp_path: Path, executor: ToyExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    def cut_off(directory: Path) -> None:
        toys._labels(2)(directory)
        (directory / "out.json").rename(directory / "part.json")

    def read(self: Any, directory: Path, purpose: Any) -> Any:
        part = directory / "part.json"
        if part.exists():
            toys._labels(2)(directory)
            frames = whole(self, directory, purpose)
            (directory / "out.json").unlink()
            return frames
        return whole(self, directory, purpose)

    whole = toys.ToyLabeler.read_result
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(toys.RUN, "toy-aimd", cut_off)
        patch.setattr(toys.ToyLabeler, "read_result", read)
        result = chain(tmp_path, param(entry("a", aimd=True)), executor)
    assert len(energies(result.data_sets[0])) == 2
    assert "0_aimd did not come to its end (no out.json); its 2 complete steps" in caplog.text


# ---- real scripts, an EMT calculator after a Lennard-Jones AIMD, killed at every line

MD = """
import sys; sys.path[:0] = [{root!r}]
from ase import units
from ase.calculators.emt import EMT
from ase.io import read
from ase.md.verlet import VelocityVerlet
from pwact.formats.extxyz import frame_text
atoms = read("POSCAR")
atoms.rattle(0.05, seed=1)
atoms.calc = EMT()
with open("traj.xyz", "w") as stream:
    md = VelocityVerlet(atoms, 2 * units.fs)
    md.attach(lambda: stream.write(frame_text(atoms)))
    md.run(3)
"""
DIRECT = """
from pathlib import Path
lines = Path("candidate.xyz").read_text().splitlines(True)
size = int(lines[0]) + 2
frames = ["".join(lines[i : i + size]) for i in range(0, len(lines), size)]
Path("select.xyz").write_text("".join(frames[i] for i in (3, 1)))
Path("select_idx.dat").write_text("3\\n2\\n1\\n")
"""


class DiedError(BaseException):
    """The master is gone."""


def real_inputs(work_dir: Path) -> None:
    root = str(Path(__file__).parents[2])
    write_files(work_dir, {"calculator": "emt"})
    cheap = {"calculator": "lj", "arguments": {"sigma": 2.5, "epsilon": 0.1}}
    aimd = {"steps": 2, "temperature_k": 100}
    (work_dir / "cheap.json").write_text(json.dumps({**cheap, "aimd": aimd}))
    (work_dir / "md.py").write_text(MD.format(root=root))
    (work_dir / "direct.py").write_text(DIRECT)


def real_chain(work_dir: Path) -> None:
    python = shlex.quote(sys.executable)
    document = param(
        entry("a", aimd=True, scf=True),
        entry("b", bigmodel=True, direct=True, scf=True),
        aimd_input="cheap.json",
        bigmodel_input="md.py",
        data_shuffle=True,
    )
    scripts = {"explore": "md.py", "direct": "direct.py"}
    commands = {name: {**LOCAL, "command": f"{python} {one}"} for name, one in scripts.items()}
    label = {**LOCAL, "command": python, "group_size": -1}
    pair = load(work_dir, document, {**commands, "DFT": label, "scf": label})
    preflight(pair)
    with open_campaign(work_dir, "init_bulk", 7) as opened:
        run_init_bulk(pair.config, pair.resources, opened)


def products(work_dir: Path) -> dict[str, bytes]:
    names = ("scf/train.xyz", "bigmodel/direct/select.xyz", "init_config_0", "init_config_1")
    places = [work_dir / "collection" / name for name in names]
    files = [path for place in places for path in [place, *place.rglob("*")] if path.is_file()]
    return {path.relative_to(work_dir).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_a_real_chain_killed_at_every_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tmp_path / "whole"
    real_inputs(whole)
    real_chain(whole)
    frames = read_frames(whole / "collection/scf/train.xyz", "extxyz")
    assert len(frames) == 5
    for frame in frames:
        labels = labels_of(frame)
        frame.calc = EMT()
        assert labels.energy == pytest.approx(frame.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labels.forces, frame.get_forces(), atol=1e-9)
    killed, seen = tmp_path / "killed", set()
    real_inputs(killed)
    append = Journal.append_all

    def die(self: Journal, event: str, records: Any) -> None:
        append(self, event, records)
        mark = (event, str(records[0].get("name", "")).split("-")[0])
        if event != "master_started" and mark not in seen:
            seen.add(mark)
            raise DiedError

    monkeypatch.setattr(Journal, "append_all", die)
    for _ in range(60):
        try:
            real_chain(killed)
        except DiedError:
            continue
        break
    done = {name for event, name in seen if event == "stage_done"}
    assert done == {"aimd", "bigmodel", "direct", "scf", "collection"}
    assert products(killed) == products(whole)
