"""Doing steps of a campaign again: what status says, what is needed, what is refused beforehand."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.errors import QuorumError, StageChangedError
from pwact.report.status import TaskFacts
from tests.tools.test_status import Diary
from tests.workflow.dying import until_done
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

LABEL = "iter.0000/label"


def test_status_counts_the_tasks_of_a_redo_and_not_those_before(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    diary.begin(LABEL, 1, tasks=3)
    for number in range(3):
        diary.ended(diary.run(LABEL, number, 2), 3)
    diary.done(LABEL, 4)
    diary.begin("iter.0001/train", 5)
    diary.write("stage_set_aside", 6, name=LABEL, directory=LABEL, to=f"{LABEL}-bk-1")
    waiting = diary.status()
    assert [(one.name, one.state) for one in waiting.stages] == [
        (LABEL, "set aside"),
        ("iter.0001/train", "begun"),
    ]
    diary.begin(LABEL, 7)
    assert diary.status().tasks == TaskFacts()
    diary.tell(LABEL, 7, tasks=2)
    diary.ended(diary.run(LABEL, 3, 8), 9)
    diary.run(LABEL, 4, 9)
    found = diary.status()
    assert found.stage == LABEL
    assert (found.tasks.total, found.tasks.done, found.tasks.failed) == (2, 1, 0)
    assert [job.name for job in found.open_jobs] == [f"md4-{LABEL}"]
    diary.done(LABEL, 10)
    assert diary.status().stage == "iter.0001/train"


# ---- whole campaigns


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    run_loop(tmp_path, run_param(), ToyExecutor())
    return tmp_path


def steps(executor: ToyExecutor) -> set[str]:
    """Iteration and step of every task that was run."""
    found = set()
    for directory in executor.ran:
        parts = Path(directory).parts
        first = next(n for n, part in enumerate(parts) if part.startswith("iter."))
        found.add("/".join(parts[first : first + 2]))
    return found


def journal(work_dir: Path) -> bytes:
    return (work_dir / layout.STATE_DIR / layout.JOURNAL).read_bytes()


def traces(work_dir: Path) -> list[str]:
    return sorted(path.name for path in work_dir.rglob("*-bk-*"))


def data(work_dir: Path, iteration: int = 0) -> bytes:
    return (layout.result_dir(work_dir, iteration) / layout.TRAIN_XYZ).read_bytes()


WINDOW = {"strategy.upper_model_devi_f": 0.25}


def test_another_window_is_tried_on_a_complete_iteration(toys: Path, caplog: Any) -> None:
    before = data(toys)
    executor = ToyExecutor()
    with caplog.at_level(logging.WARNING):
        run_loop(toys, deep_update(run_param(), WINDOW), executor, redo=("iter.0000/select",))
    assert "iter.0000/explore is done again as well: iter.0000/label, which follows" in caplog.text
    assert {"iter.0000/01.explore", "iter.0000/02.label"} <= steps(executor)
    assert data(toys) != before
    executor = ToyExecutor()
    run_loop(toys, deep_update(run_param(), WINDOW), executor)
    assert executor.ran == []


@pytest.mark.parametrize("step", ["label", "select", "explore"])
def test_a_redo_without_a_change_leaves_the_same_data(toys: Path, step: str) -> None:
    before = data(toys), data(toys, 1)
    executor = ToyExecutor()
    run_loop(toys, run_param(), executor, redo=(f"iter.0000/{step}",))
    assert (data(toys), data(toys, 1)) == before
    again = layout.label_dir(toys, 0).with_name("02.label-bk-1").exists()
    assert again == (step == "label")  # the others leave what label read
    assert not {name for name in steps(executor) if "label" in name}  # no label is paid twice


def test_trajectories_that_would_be_others_are_not_remade(toys: Path) -> None:
    before, moved = journal(toys), traces(toys)
    changed = deep_update(run_param(), {"explore.md_jobs.0.md_dt": 0.002, **WINDOW})
    with pytest.raises(StageChangedError, match=r"iter\.0000/explore: changed .*--redo iter\.0000"):
        run_loop(toys, changed, ToyExecutor(), redo=("iter.0000/select",))
    assert (journal(toys), traces(toys)) == (before, moved)
    run_loop(toys, run_param(), ToyExecutor())


def test_a_redo_that_broke_off_goes_on_without_the_option(toys: Path) -> None:
    whole = deep_update(run_param(), WINDOW)
    before = (layout.select_dir(toys, 0) / "select_summary.txt").read_text()
    broken = ToyExecutor()
    broken.spoil = {"01.explore": "nothing"}
    with pytest.raises(QuorumError):
        run_loop(toys, whole, broken, redo=("iter.0000/select", "iter.0000/label"))
    executor = ToyExecutor()
    run_loop(toys, whole, executor)
    assert "iter.0000/02.label" in steps(executor)
    table = layout.select_dir(toys, 0) / "select_summary.txt"
    assert table.read_text() != before


def test_a_campaign_that_an_older_version_left_without_trajectories_goes_on(toys: Path) -> None:
    label = layout.label_dir(toys, 0)
    aside = {"name": "iter.0000/label", "directory": "iter.0000/02.label"}
    with (toys / layout.STATE_DIR / layout.JOURNAL).open("a") as stream:
        event = {"event": "stage_set_aside", "time": 0.0, **aside, "to": "iter.0000/02.label-bk-1"}
        stream.write(json.dumps(event) + "\n")
    before = data(toys)
    label.rename(label.with_name("02.label-bk-1"))
    run_loop(toys, run_param(), ToyExecutor())
    assert data(toys) == before


@pytest.mark.parametrize("torn", [False, True])
def test_killed_at_every_line_a_redo_ends_the_same(
    toys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    whole = tmp_path.with_name(f"{tmp_path.name} whole")
    shutil.copytree(toys, whole, symlinks=True)
    changed = deep_update(run_param(), WINDOW)
    redo = ("iter.0000/select",)
    run_loop(whole, changed, ToyExecutor(), redo=redo)

    def start() -> None:
        told = b"redo_asked" in journal(toys)
        run_loop(toys, changed, ToyExecutor(), redo=() if told else redo)

    assert until_done(monkeypatch, start, torn) > 20
    assert (data(toys), data(toys, 1)) == (data(whole), data(whole, 1))
    models = [path.relative_to(whole) for path in sorted(whole.glob("iter.0002/00.train/*/model"))]
    assert len(models) == 3
    assert all((toys / name).read_bytes() == (whole / name).read_bytes() for name in models)
