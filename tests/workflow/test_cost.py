"""What a campaign would cost, before anything is spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.cli.main import main
from pwact.executors.history import JobStory, OpenJob
from pwact.workflow.checks.cost import cost_lines, task_core_hours
from tests.workflow.pairs import (
    deep_update,
    init_param,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(tmp_path, {"calculator": "emt"})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    return tmp_path


def words(lines: list[str]) -> dict[str, list[str]]:
    return {line.split("  ")[0]: line.split()[len(line.split("  ")[0].split()) :] for line in lines}


def lines_of(place: Path, tried: dict[str, float] | None = None, **changes: Any) -> list[str]:
    pair = load(place, deep_update(run_param(), changes), resources())
    return cost_lines(pair, 0.0, tried or {})


def test_what_is_asked_for_and_what_one_label_tells(place: Path) -> None:
    found = words(lines_of(place))
    assert found["trainings"] == ["9", "3", "3", "?", "?"]  # three models, and once more at the end
    assert found["MDs"] == ["4", "2", "2", "?", "?"]
    assert found["labels"] == ["8", "4", "4", "?", "?"]  # two of each system, in two iterations
    unknown = "not known yet: trainings, MDs, labels; --try measures one of each"
    assert unknown in lines_of(place)
    tried = lines_of(place, {"scf": 1800.0})
    assert words(tried)["labels"][-2:] == ["0.5", "4"]
    together = "together about 4 core-hours, by one each that was tried (labels)"
    assert f"{together}; not known yet: trainings, MDs" in tried
    every = lines_of(place, {"scf": 1800.0, "train": 3600.0, "md": 7200.0})
    assert words(every)["trainings"][-2:] == ["1", "9"]
    assert words(every)["MDs"][-2:] == ["2", "8"]
    together = "together about 21 core-hours, by one each that was tried (trainings, MDs, labels)"
    assert together in every


def test_what_no_trial_times(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    limits = {"strategy.kpu_lower": 0.8, "strategy.kpu_upper": 1.5}
    kpu = {"strategy.uncertainty": "KPU", "strategy.model_num": 1, **limits}
    pair = load(place, deep_update(run_param(), kpu), resources())
    never = "--try does not time KPU"
    unknown = "not known yet: trainings, MDs, KPU, labels; --try measures one of each"
    assert f"{unknown}; {never}" in cost_lines(pair, 0.0)
    tried = cost_lines(pair, 0.0, {"scf": 1.0, "train": 1.0, "md": 1.0})
    (together,) = [line for line in tried if line.startswith("together about")]
    assert together.endswith(f"(trainings, MDs, labels); not known yet: KPU; {never}")


def test_a_campaign_that_has_begun_tells_from_its_own_jobs(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    run_loop(place, run_param(), ToyExecutor())
    lines = lines_of(place)
    found = words(lines)
    for name in ("trainings", "MDs", "labels"):
        assert float(found[name][-1]) == pytest.approx(
            float(found[name][-2]) * int(found[name][0]), rel=0.05
        )
    assert any(line.startswith("together about ") for line in lines)
    assert any(line.startswith("used so far: 8 labels, ") for line in lines)
    assert any(line.startswith("disk: iter.0001 has ") for line in lines)
    assert not any("not known yet" in line for line in lines)


def test_disk_and_budget(place: Path) -> None:
    lines = lines_of(place, budget={"labels": 5, "core_hours": 2})
    assert "budget: the run ends at 5 labels or 2 core-hours" in lines
    # four atoms, five frames, two trajectories an iteration
    assert "disk: trajectories about 5.6 kB an iteration, deleted when it is complete" in lines
    kept = lines_of(place, reserve_md_traj=True)
    assert "disk: trajectories about 11.2 kB, which are kept" in kept


def in_a_queue(**more: Any) -> dict[str, Any]:
    queue = {"scheduler": "slurm", "queue_name": "cpu", "max_jobs_in_queue": 2, **more}
    return {name: {**block, **queue} for name, block in resources().items()}


@pytest.mark.parametrize(
    ("size", "jobs"), [(1, ["3", "2"]), (2, ["2", "2"]), (-1, ["1", "1"]), (9, ["1", "1"])]
)
def test_jobs_of_a_queue(place: Path, size: int, jobs: list[str]) -> None:
    pair = load(place, run_param(), in_a_queue(group_size=size))
    assert words(cost_lines(pair, 0.0))["trainings"][1:3] == jobs


def test_an_init_bulk(place: Path) -> None:
    pair = load(place, init_param(), resources())
    found = words(cost_lines(pair, 0.0))
    assert found["relaxations"][0] == "1"
    never = "not known yet: relaxations, AIMDs; --try does not time relaxations, AIMDs"
    assert cost_lines(pair, 0.0)[-1] == never
    assert found["AIMDs"][0] == "5"  # two scales of two perturbed ones, and the other structure


def test_tasks_in_the_median() -> None:
    def story(kind: str, hours: float, tasks: int, done: int, place: str = "iter.0000") -> JobStory:
        job = OpenJob(kind, kind, 0, place, "local", ("t",) * tasks, cores=4)
        return JobStory(job, 0, "ended", began_at=0.0, ended_at=3600 * hours, done=done)

    jobs = [
        story("md", 1.0, 2, 2),
        story("md", 4.0, 2, 2),
        story("md", 9.0, 2, 2),
        story("md", 100.0, 2, 1),  # one came to nothing
        story("md", 50.0, 1, 1, "iter.0000/01.explore/appraise/md"),
        story("train", 3.0, 1, 1),
    ]
    assert task_core_hours(jobs, 0.0) == {"md": 8.0, "train": 12.0}


def test_the_command(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load(place, run_param(), in_a_queue())
    before = sorted(place.rglob("*"))
    assert main(["check", "param.json", "resource.json", "--plan"]) == 0
    shown = capsys.readouterr().out
    assert "core-hours a task" in shown
    assert "used so far: 0 labels, 0 core-hours" in shown
    assert sorted(place.rglob("*")) == before
    assert json.loads((place / "param.json").read_text())["seed"] == 7
