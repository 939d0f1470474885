"""A run ends before it would cost more than it may, and goes on when it may cost more."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.config.budget import BudgetConfig
from pwact.errors import BudgetError, InputError
from pwact.executors.history import JobStory, OpenJob
from pwact.io.journal import Journal
from pwact.report.status import status_text
from pwact.tools.status.status import status_of
from pwact.workflow.budget import Budget, Spent, core_hours
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

PATTERNS = ("iter.*/02.label/result/*", "iter.*/00.train/*/model", "iter.*/01.explore/select/*.csv")


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def begun(work_dir: Path) -> Path:
    write_files(work_dir, {"calculator": "emt"})
    return work_dir


def allowed(**budget: Any) -> dict[str, Any]:
    return deep_update(run_param(), {"budget": budget})


def data(work_dir: Path) -> dict[str, bytes]:
    paths = [path for pattern in PATTERNS for path in work_dir.glob(pattern) if path.is_file()]
    return {path.relative_to(work_dir).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("streaming", [True, False])
def test_labels_end_it_before_they_are_too_many(tmp_path: Path, streaming: bool) -> None:
    free = begun(tmp_path / "free")
    run_loop(free, {**run_param(), "streaming": streaming}, ToyExecutor())
    work_dir = begun(tmp_path / "bounded")
    param, executor = {**allowed(labels=7), "streaming": streaming}, ToyExecutor()
    words = r"param\.json: budget\.labels is 7; 4 labels are there, and iter\.0001/label asks for 4"
    for _ in range(2):  # the same again and again
        with pytest.raises(BudgetError, match=words) as caught:
            run_loop(work_dir, param, executor)
    assert caught.value.exit_code == 3
    assert not layout.scf_dir(work_dir, 1).exists()
    left = data(work_dir)
    assert len(left) > 10
    assert left.items() <= data(free).items()
    last = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()[-1]
    assert (last["event"], last["how"]) == ("master_ended", "stopped")
    run_loop(work_dir, {**allowed(labels=8), "streaming": streaming}, ToyExecutor())
    assert data(work_dir) == data(free)


def test_status_says_what_was_used_and_why_it_ended(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(BudgetError):
        run_loop(tmp_path, allowed(labels=7), ToyExecutor())
    found = status_of(tmp_path, time.time())
    text = status_text(found, time.time())
    assert ": stopped: " in text.splitlines()[0]
    assert "budget.labels is 7" in text.splitlines()[0]
    assert "cost       4 of 7 labels, " in text
    assert found.cost is not None
    assert (found.cost.labels, found.cost.most_labels, found.cost.most_core_hours) == (4, 7, None)


def test_hours_end_it_between_two_steps(tmp_path: Path) -> None:
    begun(tmp_path)
    executor = ToyExecutor()
    with pytest.raises(BudgetError, match="iter.0000/explore comes next"):
        run_loop(tmp_path, allowed(core_hours=1e-12), executor)
    assert len(executor.ran) == 3  # the trainings, which had begun
    result = run_loop(tmp_path, run_param(), executor)  # without a budget it goes on
    assert len(result.data_sets) == 2


def test_hours_of_a_job() -> None:
    job = OpenJob("a", "md", 0, "iter.0000/01.explore", "local", ("t",), cores=8)
    story = JobStory(job, 0, "running", began_at=1000.0)
    assert core_hours(story, 1000.0 + 1800) == pytest.approx(4.0)
    old = OpenJob("a", "md", 0, "iter.0000", "local", ("t",))
    ended = JobStory(old, 0, "ended", began_at=0.0, ended_at=3600.0)
    assert core_hours(ended, 1e9) == pytest.approx(1.0)  # an earlier version did not say how many
    assert core_hours(JobStory(job, 0), 1e9) == 0.0
    waits = JobStory(job, 0, "submitted", began_at=0.0)
    assert core_hours(waits, 1e9) == 0.0


@pytest.mark.parametrize(
    ("config", "used", "wants", "ends"),
    [
        (BudgetConfig(), Spent(10**6, 1e6), 10**6, False),
        (BudgetConfig(labels=10), Spent(6, 0), 4, False),
        (BudgetConfig(labels=10), Spent(6, 0), 5, True),
        (BudgetConfig(labels=0), Spent(0, 0), 0, False),
        (BudgetConfig(core_hours=2.0), Spent(0, 1.99), 0, False),
        (BudgetConfig(core_hours=2.0), Spent(0, 2.0), 0, True),
    ],
)
def test_bounds(config: BudgetConfig, used: Spent, wants: int, ends: bool) -> None:
    budget = Budget(config, Path("param.json"))
    if not ends:
        budget.demand("iter.0000/label", used, wants)
        return
    with pytest.raises(BudgetError, match="The run ends here"):
        budget.demand("iter.0000/label", used, wants)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"labels": -1}, r"budget\.labels: found -1"),
        ({"core_hours": 0}, r"budget\.core_hours: found 0"),
    ],
)
def test_wrong_budgets(tmp_path: Path, budget: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load(begun(tmp_path), allowed(**budget), resources())


def test_a_budget_of_an_unknown_thing_is_named(tmp_path: Path) -> None:
    (warning,) = load(begun(tmp_path), allowed(label=5), resources()).warnings
    assert "budget.label" in warning
    assert "labels" in warning
