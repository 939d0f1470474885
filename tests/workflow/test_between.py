"""What lies on disk between two steps is what the first one left, or it is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pwact.errors import StageChangedError
from pwact.formats.frames import read_frames
from tests.workflow.test_streaming import DeathError, DiesLater, loop, results
from tests.workflow.toy_campaign import ToyExecutor, use_toys

DATA = "iter.0000/02.label/result/train.xyz"
# three trainings, two trajectories, four labels an iteration, one task a job
AFTER_EXPLORE, AFTER_TWO_LABELS = 5, 7


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def interrupted(work_dir: Path, after: int) -> None:
    with pytest.raises(DeathError):
        loop(work_dir, DiesLater(after), streaming=False)


def go_on(work_dir: Path, **more: object) -> ToyExecutor:
    executor = ToyExecutor()
    loop(work_dir, executor, streaming=False, **more)
    return executor


def test_an_altered_trajectory_is_not_labelled(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_EXPLORE)
    dump = next((work_dir / "iter.0000/01.explore/md").rglob("traj"))
    before = dump.read_bytes()
    dump.write_bytes(before + b"moved")
    with pytest.raises(StageChangedError, match=r"altered since iter\.0000/explore ended.*--redo"):
        go_on(work_dir)
    assert not (work_dir / DATA).exists()
    dump.write_bytes(before)
    go_on(work_dir)
    assert results(work_dir) == results(tmp_path / "undisturbed")


def test_the_advice_for_an_altered_trajectory_works(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_EXPLORE)
    for dump in (work_dir / "iter.0000/01.explore/md").rglob("traj"):
        dump.write_text("moved")
    go_on(work_dir, options={"redo": ("iter.0000/explore",)})
    assert results(work_dir) == results(tmp_path / "undisturbed")


def task_with(work_dir: Path, name: str) -> Path:
    return next((work_dir / "iter.0000/02.label/scf").rglob(name)).parent


def test_altered_inputs_of_a_label_are_noticed(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_TWO_LABELS)
    tasks = (work_dir / "iter.0000/02.label/scf").rglob("in.json")
    waiting = next(one.parent for one in tasks if not (one.parent / "out.json").exists())
    inputs = json.loads((waiting / "in.json").read_text())
    inputs["positions"][0][0] += 1e-5  # less than what tells two frames apart
    (waiting / "in.json").write_text(json.dumps(inputs))
    with pytest.raises(StageChangedError, match=r"in\.json: was altered since iter\.0000/label"):
        go_on(work_dir)
    assert not (work_dir / DATA).exists()
    for item in waiting.iterdir():
        item.unlink()
    waiting.rmdir()
    go_on(work_dir)
    assert results(work_dir) == results(tmp_path / "undisturbed")


def test_a_label_of_another_structure_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(tmp_path, AFTER_TWO_LABELS)
    task = task_with(tmp_path, "out.json")
    made = json.loads((task / "out.json").read_text())
    made[0]["positions"][0][0] += 0.07
    (task / "out.json").write_text(json.dumps(made))
    go_on(tmp_path)
    assert len(read_frames(tmp_path / DATA, "extxyz")) == 3
    assert "of another structure than was asked for" in caplog.text
    aside = task.with_name(f"{task.name}-bk-1")
    assert json.loads((aside / "out.json").read_text()) == made
