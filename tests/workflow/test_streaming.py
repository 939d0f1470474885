"""Labels of one system begin while another one explores; no result depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pwact.errors import QuorumError, StageChangedError
from pwact.executors.base import JobPhase, JobSpec, JobState
from pwact.io.journal import Journal
from pwact.workflow.stages.label import LabelStage
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

SLOW, QUICK = "md.000.sys.000", "md.000.sys.001"


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


class SlowSystem(ToyExecutor):
    """The MD of one system does not end before the labels of the other one have."""

    def __init__(self, patience: int = 50) -> None:
        super().__init__()
        self.patience = patience
        self.running: dict[str, JobSpec] = {}

    def submit(self, spec: JobSpec) -> str:
        self.running[spec.name] = spec
        return super().submit(spec)

    def poll(self, jobs: Mapping[str, str]) -> dict[str, JobState]:
        states = super().poll(jobs)
        labelled = any("02.label" in name and "sys.001" in name for name in self.ran)
        self.patience -= 1
        for name in jobs:
            spec = self.running.get(name)  # None: an earlier master asked for it
            slow = spec and spec.kind == "md" and SLOW in str(spec.tasks[0].directory)
            if slow and not labelled and self.patience > 0:
                states[name] = JobState(JobPhase.RUNNING)
        return states


def loop(work_dir: Path, executor: ToyExecutor, **changes: Any) -> Any:
    options = changes.pop("options", {})
    write_files(work_dir, {"calculator": "emt"})
    return run_loop(work_dir, deep_update(run_param(), changes), executor, **options)


def results(work_dir: Path) -> dict[str, bytes]:
    """Everything that is computed, but not the job scripts."""
    names = ("*/01.explore/select/*.csv", "*/02.label/result/*", "*/00.train/train.*/model*")
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes()
        for name in names
        for path in sorted(work_dir.glob(f"iter.{name}"))
        if path.is_file()
    }


def task_directories(work_dir: Path) -> list[str]:
    found = work_dir.glob("iter.*/02.label/scf/*/*/*")
    return sorted(path.relative_to(work_dir).as_posix() for path in found)


@pytest.mark.parametrize("group_size", [1, 3, -1])
def test_the_results_are_those_of_the_barrier(tmp_path: Path, group_size: int) -> None:
    made = {}
    for streaming in (True, False):
        work_dir = tmp_path / str(streaming)
        executor = SlowSystem()
        loop(work_dir, executor, streaming=streaming, reserve_scf_files=True)
        made[streaming] = (
            results(work_dir),
            task_directories(work_dir),
            sorted(name.replace(str(work_dir), "") for name in executor.ran),
        )
    assert made[True] == made[False]
    assert len(made[True][0]) >= 10


def journal(work_dir: Path) -> list[str]:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    return [f"{event['event']} {event.get('name', '')}".partition("-")[0] for event in events]


def test_a_system_is_labelled_while_another_one_explores(tmp_path: Path) -> None:
    """The slow MD of `SlowSystem` ends after the first label: with a barrier it never would."""
    executor = SlowSystem(patience=100_000)
    loop(tmp_path, executor)
    told = journal(tmp_path)
    assert told.index("job_ended scf0") < told.index("stage_done iter.0000/explore")
    assert told.index("stage_started iter.0000/label") < told.index("job_asked scf0")
    assert told.count("stage_done iter.0000/label") == 1
    assert told.count("stage_started iter.0000/label") == 1


def test_with_a_barrier_no_label_begins_before_the_selection(tmp_path: Path) -> None:
    loop(tmp_path, SlowSystem(), streaming=False)
    told = journal(tmp_path)
    assert told.index("stage_done iter.0000/select") < told.index("stage_started iter.0000/label")
    assert told.index("stage_started iter.0000/label") < told.index("job_asked scf0")


class DeathError(Exception):
    """The master dies."""


class DiesLater(SlowSystem):
    """The master dies when so many tasks were run."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def submit(self, spec: JobSpec) -> str:
        if len(self.ran) >= self.after:
            raise DeathError
        return super().submit(spec)


@pytest.mark.parametrize("second", [True, False])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("after", [4, 6, 8, 9, 11])
def test_a_master_that_dies_is_succeeded_in_either_mode(
    tmp_path: Path, first: bool, second: bool, after: int
) -> None:
    loop(tmp_path / "undisturbed", SlowSystem())
    work_dir = tmp_path / "work"
    with pytest.raises(DeathError):
        loop(work_dir, DiesLater(after), streaming=first)
    executor = SlowSystem()
    loop(work_dir, executor, streaming=second)
    assert results(work_dir) == results(tmp_path / "undisturbed")
    assert len(executor.ran) == len(set(executor.ran))


def test_a_changed_labeler_is_told_when_labels_were_begun_ahead(tmp_path: Path) -> None:
    with pytest.raises(DeathError):
        loop(tmp_path, DiesLater(6))
    assert "job_asked scf0" in journal(tmp_path)
    assert "stage_done iter.0000/explore" not in journal(tmp_path)
    with pytest.raises(StageChangedError, match=r"iter\.0000/label: changed since it was begun"):
        loop(tmp_path, SlowSystem(), **{"DFT.min_distance": 0.6})
    loop(
        tmp_path,
        SlowSystem(),
        **{"DFT.min_distance": 0.6, "options": {"redo": ("iter.0000/label",)}},
    )
    assert (tmp_path / "iter.0000/02.label-bk-1").is_dir()


def test_a_failing_exploration_keeps_the_labels_that_were_made(tmp_path: Path) -> None:
    executor = SlowSystem()
    executor.spoil = {f"{SLOW}/{SLOW}": "nothing"}
    with pytest.raises(QuorumError, match="explore"):
        loop(tmp_path, executor, **{"strategy.lmps_tolerance": False})
    labelled = [name for name in executor.ran if "02.label" in name]
    assert labelled
    again = SlowSystem()
    loop(tmp_path, again, **{"strategy.lmps_tolerance": False})
    assert not set(labelled) & set(again.ran)
    undisturbed = tmp_path / "undisturbed"
    loop(undisturbed, SlowSystem(), **{"strategy.lmps_tolerance": False})
    assert {name: text for name, text in results(tmp_path).items()} == results(undisturbed)


def test_a_system_with_a_failed_trajectory_waits_for_the_judgement(tmp_path: Path) -> None:
    """Its trajectory may succeed after a repair; then other frames are picked."""
    job = {**run_param()["explore"]["md_jobs"][0], "temps": [100, 110]}
    changes = {"explore.md_jobs": [job], "strategy.lmps_tolerance": False}
    executor = SlowSystem()
    executor.spoil = {f"{QUICK}/{QUICK}.t.001": "nothing"}
    with pytest.raises(QuorumError, match="explore"):
        loop(tmp_path / "work", executor, **changes, reserve_scf_files=True)
    assert not [name for name in executor.ran if f"02.label/scf/{QUICK}" in name]
    loop(tmp_path / "work", SlowSystem(), **changes, reserve_scf_files=True)
    loop(tmp_path / "once", SlowSystem(), **changes, streaming=False, reserve_scf_files=True)
    assert results(tmp_path / "work") == results(tmp_path / "once")
    assert task_directories(tmp_path / "work") == task_directories(tmp_path / "once")


@pytest.mark.parametrize("redo", ["iter.0000", "iter.0000/explore", "iter.0000/select"])
def test_a_redo_labels_each_frame_once_more(tmp_path: Path, redo: str) -> None:
    loop(tmp_path, SlowSystem())
    hotter = {**run_param()["explore"]["md_jobs"][0], "temps": [110]}
    changes = {} if redo.endswith("select") else {"explore.md_jobs": [hotter]}
    executor = SlowSystem()
    loop(tmp_path, executor, **changes, options={"redo": (redo,)})
    assert len(executor.ran) == len(set(executor.ran))
    assert not list(tmp_path.glob("iter.0000/*-bk-2"))


def test_time_that_two_stages_share_counts_once(tmp_path: Path) -> None:
    result = loop(tmp_path, SlowSystem())
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    own = [event["time"] for event in events if "iter.0000/" in event.get("name", "")]
    assert result.rows[0].wall_s <= max(own) - min(own)


def test_a_label_stage_is_looked_at_once_and_not_for_each_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    real = LabelStage.inputs
    monkeypatch.setattr(LabelStage, "inputs", lambda self: (looks.append(self.name), real(self))[1])
    executor = SlowSystem()
    loop(tmp_path, executor)
    ahead = [name for name in executor.ran if "02.label" in name and "iter.0000" in name]
    assert {name.split("md.000.")[1][:7] for name in ahead} == {"sys.000", "sys.001"}
    assert looks.count("iter.0000/label") == 2  # when it was begun ahead, and at its turn
