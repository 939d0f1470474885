"""The loop: order, data flow, resume and views with toy engines, then a small one for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.errors import StageChangedError
from pwact.formats.frames import read_frames
from pwact.report.table import iteration_table
from pwact.tools.data.first_data import FirstData, first_data
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

JOB = run_param()["explore"]["md_jobs"][0]


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def loop(work_dir: Path, executor: ToyExecutor, **changes: Any) -> Any:
    options = changes.pop("options", {})
    write_files(work_dir, {"calculator": "emt"})
    return run_loop(work_dir, deep_update(run_param(), changes), executor, **options)


def trained_on(work_dir: Path, iteration: int, member: int = 0) -> Any:
    place = work_dir / f"iter.{iteration:04d}/00.train/train.{member:03d}/train.json"
    return json.loads(place.read_text())


def products(work_dir: Path) -> dict[str, bytes]:
    names = ("train.xyz", "candidate.csv", "label_error.csv", "iter_result.txt", "fail.csv")
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes()
        for path in sorted(work_dir.rglob("*"))
        if path.is_file() and path.name in names
    }


def test_every_training_sees_all_labels_so_far(tmp_path: Path) -> None:
    executor = ToyExecutor()
    result = loop(tmp_path, executor, valid_data=["init.xyz"])
    assert [trained_on(tmp_path, k)["frames"] for k in (0, 1, 2)] == [[3], [3, 4], [3, 4, 4]]
    assert [trained_on(tmp_path, k, 2)["start"] for k in (0, 1, 2)] == [
        None,
        "train.002",
        "train.002",
    ]
    begun = first_data(tmp_path)
    assert begun == FirstData([tmp_path / "init.xyz"], "extxyz")
    assert not (tmp_path / "iter.0002/01.explore").exists()
    assert result.data_sets == [tmp_path / f"iter.000{k}/02.label/result/train.xyz" for k in (0, 1)]
    assert result.models == [tmp_path / f"iter.0002/00.train/train.00{i}" for i in range(3)]
    assert [row.name for row in result.rows] == ["iter.0000", "iter.0001", "iter.0002"]
    assert [row.train.valid_rmse_f for row in result.rows] == pytest.approx([1 / 3, 1 / 7, 1 / 11])
    first, second, last = result.rows
    assert (first.select.frames, first.select.accurate, first.select.failed) == (10, 2, 2)
    assert (first.label.labelled, second.label.labelled) == (4, 4)
    assert (last.explore, last.select, last.label) == (None, None, None)
    assert len(iteration_table(result.rows, wide=True).splitlines()) == 5


def test_the_views(tmp_path: Path) -> None:
    executor = ToyExecutor()
    executor.spoil = {"iter.0001/02.label/scf/md.000.sys.001": "unconverged"}
    loop(tmp_path, executor, record_file="si.al")
    assert (tmp_path / "si.al").read_text() == "".join(
        f"\n{line}" for line in ("0 0", "0 1", "0 2", "1 0", "1 1", "1 2", "2 0")
    )
    lines = (tmp_path / "iter_result.txt").read_text().splitlines()
    assert lines[0].startswith("iter.0000  Total structures 10    accurate 2 rate 20.00%")
    assert lines[1] == "Total trajectories: 2, ended normally: 2, stopped early: 0"
    assert lines[2] == "Number of converged files: 4, number of non-converged files: 0"
    assert lines[5] == "Number of converged files: 2, number of non-converged files: 2"
    assert all(line.startswith("iter.0001/02.label/scf/md.000.sys.001/") for line in lines[7:])
    assert (tmp_path / "iter_select.txt").samefile(tmp_path / "iter_result.txt")


def test_what_is_not_reserved_is_deleted_after_its_iteration(tmp_path: Path) -> None:
    loop(tmp_path / "lean", ToyExecutor())
    assert list((tmp_path / "lean").rglob("traj")) == []
    assert list((tmp_path / "lean").rglob("in.json")) == []
    assert len(list((tmp_path / "lean").rglob("out.json"))) == 8
    changes = {"reserve_md_traj": True, "reserve_scf_files": True}
    loop(tmp_path / "whole", ToyExecutor(), **changes)
    assert len(list((tmp_path / "whole").rglob("traj"))) == 4
    assert len(list((tmp_path / "whole").rglob("in.json"))) == 8


def test_an_iteration_without_labels_keeps_the_models(tmp_path: Path) -> None:
    executor = ToyExecutor()
    cold = {**JOB, "temps": [1]}
    result = loop(tmp_path, executor, **{"explore.md_jobs": [JOB, cold, JOB]})
    assert (tmp_path / "iter.0002/00.train/train.000").samefile(
        tmp_path / "iter.0001/00.train/train.000"
    )
    assert not any("iter.0002/00.train" in name for name in executor.ran)
    assert [row.label.labelled for row in result.rows[:3]] == [4, 0, 4]
    assert trained_on(tmp_path, 3)["frames"] == [3, 4, 4]
    assert len(result.data_sets) == 2


def test_a_second_start_runs_nothing_and_more_md_jobs_go_on(tmp_path: Path) -> None:
    executor = ToyExecutor()
    first = loop(tmp_path, executor)
    before = products(tmp_path)
    executor.ran.clear()
    again = loop(tmp_path, executor)
    assert executor.ran == []
    assert products(tmp_path) == before
    assert [row.label for row in again.rows] == [row.label for row in first.rows]
    longer = loop(tmp_path, executor, **{"explore.md_jobs": [JOB, {**JOB, "temps": [150]}, JOB]})
    assert len(longer.rows) == 4
    assert {Path(name).relative_to(tmp_path).parts[0] for name in executor.ran} == {
        "iter.0002",
        "iter.0003",
    }
    assert not any("iter.0002/00.train" in name for name in executor.ran)
    assert {name: products(tmp_path)[name] for name in before if name.startswith("iter.")} == {
        name: before[name] for name in before if name.startswith("iter.")
    }


def test_a_moved_work_directory_is_taken_up(tmp_path: Path) -> None:
    executor = ToyExecutor()
    loop(tmp_path / "here", executor)
    executor.ran.clear()
    (tmp_path / "here").rename(tmp_path / "there")
    result = loop(tmp_path / "there", executor)
    assert executor.ran == []
    assert len(result.rows) == 3


def test_a_changed_window_is_refused_and_redone_on_request(tmp_path: Path) -> None:
    executor = ToyExecutor()
    loop(tmp_path, executor)
    changes = {"strategy.upper_model_devi_f": 0.35}
    with pytest.raises(
        StageChangedError, match=r"iter\.0000/select: .*upper_model_devi_f was 0\.4"
    ):
        loop(tmp_path, executor, **changes)
    executor.ran.clear()
    loop(tmp_path, executor, **changes, options={"redo": ("iter.0000/select",)})
    assert (tmp_path / "iter.0000/01.explore/select-bk-1").is_dir()
    assert not any("iter.0000/00.train" in name for name in executor.ran)


def test_same_seed_same_bytes_another_seed_others(tmp_path: Path) -> None:
    made = {}
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        loop(tmp_path / name, ToyExecutor(), seed=seed)
        made[name] = products(tmp_path / name)
    assert made["one"] == made["two"]
    data = "iter.0001/02.label/result/train.xyz"
    assert made["one"][data] != made["three"][data]
    text = b"".join(made["one"].values()).decode()
    assert str(tmp_path) not in text


def test_two_groups_of_one_iteration(tmp_path: Path) -> None:
    npt = {**JOB, "ensemble": "npt", "press": [1.0, 2.0], "select_sys": [1]}
    loop(tmp_path, ToyExecutor(), **{"explore.md_jobs": [[JOB, npt]]})
    md = tmp_path / "iter.0000/01.explore/md"
    names = sorted(path.name for path in md.glob("md.*/md.*"))
    assert names == [
        "md.000.sys.000.t.000",
        "md.000.sys.001.t.000",
        "md.001.sys.000.t.000.p.000",
        "md.001.sys.000.t.000.p.001",
        "md.001.sys.001.t.000.p.000",
        "md.001.sys.001.t.000.p.001",
    ]
    frames = read_frames(tmp_path / "iter.0000/02.label/result/train.xyz", "extxyz")
    assert len(frames) == 2 * 2 + 2 * 1
