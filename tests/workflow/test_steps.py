"""The table of steps: what holds for every row, and a row that somebody adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.formats.al_record import MARKS
from pwact.formats.frames import read_frames
from pwact.io.journal import Journal
from pwact.takeover.campaign import plan
from pwact.tools.status.status import status_of
from pwact.workflow import again, ledger, retry, steps
from pwact.workflow.ledger import StageState
from pwact.workflow.steps import Step
from pwact.workflow.turn import work_of
from tests.workflow.dedup import DedupStep
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

JOB = run_param()["explore"]["md_jobs"][0]
ROW = Step(
    "toy-dedup",
    "tests.workflow.dedup:DedupStep",
    steps.LABEL,
    needs=(steps.FRAMES, steps.CANDIDATES),
    leaves=(steps.CANDIDATES,),
    entry=True,
    by_system=False,
    free=True,
    optional=True,
    folder=("01.explore", "toy-dedup"),
)
PLACE = steps.names().index("select") + 1
WITH_DEDUP = steps.table(*steps.STEPS[:PLACE], ROW, *steps.STEPS[PLACE:])


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


@pytest.fixture
def dedup(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the table, and nothing else."""
    monkeypatch.setattr(steps, "STEPS", WITH_DEDUP)


def loop(work_dir: Path, executor: ToyExecutor, **changes: Any) -> Any:
    options = changes.pop("options", {})
    write_files(work_dir, {"calculator": "emt"})
    return run_loop(work_dir, deep_update(run_param(), changes), executor, **options)


def frames(work_dir: Path, iteration: int) -> int:
    return len(read_frames(work_dir / f"iter.{iteration:04d}/02.label/result/train.xyz", "extxyz"))


def done_stages(work_dir: Path) -> list[str]:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    return [event["name"] for event in events if event["event"] == ledger.DONE]


# ---- every row


def test_a_name_that_is_taken_or_a_step_in_the_wrong_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"two steps are called 'toy-dedup'"):
        steps.table(*WITH_DEDUP, ROW)
    with pytest.raises(ValueError, match=r"'toy-dedup' needs \w+, which none before it leaves"):
        steps.table(ROW, *steps.STEPS)


@pytest.mark.parametrize("step", steps.STEPS, ids=steps.names())
def test_a_row_is_whole(step: Step) -> None:
    earlier = {what for one in steps.between(steps.STEPS[0], step) for what in one.leaves}
    assert set(step.needs) <= earlier
    assert step.mark in MARKS
    for method in ("asked", "stage", "done"):
        assert callable(getattr(work_of(step), method))
    if step.found:
        assert callable(steps.load(step.found))


def test_the_record_has_its_marks_in_order() -> None:
    numbers = [step.number for step in steps.STEPS]
    assert numbers == sorted(numbers)
    assert [step.mark for step in steps.STEPS if step.closes] == list(MARKS)
    assert [step.name for step in steps.until(steps.MODELS)] == ["train"]


# ---- a row more


@pytest.mark.usefixtures("dedup")
def test_a_step_of_ones_own_is_done_in_its_place(tmp_path: Path) -> None:
    result = loop(tmp_path, ToyExecutor())
    assert done_stages(tmp_path)[:5] == [
        f"iter.0000/{name}" for name in ("train", "explore", "select", "toy-dedup", "label")
    ]
    assert [row.label.labelled for row in result.rows[:2]] == [1, 1]
    assert [frames(tmp_path, iteration) for iteration in (0, 1)] == [1, 1]
    lines = (tmp_path / "iter_result.txt").read_text().splitlines()
    assert lines[2] == "Dedup: candidates 4, kept 1"
    assert lines[3].startswith("Number of converged files: 1,")
    assert (tmp_path / "al.record").read_text().split("\n")[1:4] == ["0 0", "0 1", "0 2"]
    stages = [stage.name for stage in status_of(tmp_path, 0.0).stages]
    assert stages.index("iter.0000/toy-dedup") == stages.index("iter.0000/label") - 1


@pytest.mark.usefixtures("dedup")
def test_a_second_start_does_nothing(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor())
    before = done_stages(tmp_path)
    executor = ToyExecutor()
    loop(tmp_path, executor)
    assert executor.ran == []
    assert done_stages(tmp_path) == before


def test_switched_on_later_it_leaves_finished_iterations_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop(tmp_path, ToyExecutor())
    assert [frames(tmp_path, iteration) for iteration in (0, 1)] == [4, 4]
    monkeypatch.setattr(steps, "STEPS", WITH_DEDUP)
    executor = ToyExecutor()
    longer = {"explore.md_jobs": [JOB, {**JOB, "temps": [150]}, JOB]}
    loop(tmp_path, executor, **longer)
    assert [frames(tmp_path, iteration) for iteration in (0, 1, 2)] == [4, 4, 1]
    assert not [name for name in executor.ran if "iter.0000" in name or "iter.0001" in name]
    assert [name for name in done_stages(tmp_path) if "toy-dedup" in name] == [
        "iter.0002/toy-dedup"
    ]


@pytest.mark.usefixtures("dedup")
def test_switched_off_later_what_it_did_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop(tmp_path, ToyExecutor())
    monkeypatch.setattr(DedupStep, "on", False)
    executor = ToyExecutor()
    longer = {"explore.md_jobs": [JOB, {**JOB, "temps": [150]}, JOB]}
    loop(tmp_path, executor, **longer)
    assert [frames(tmp_path, iteration) for iteration in (0, 1, 2)] == [1, 1, 4]
    assert not [name for name in executor.ran if "iter.0000" in name or "iter.0001" in name]


@pytest.mark.usefixtures("dedup")
def test_a_redo_remakes_the_frames_that_it_reads(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor())
    data = (tmp_path / "iter.0000/02.label/result/train.xyz").read_bytes()
    executor = ToyExecutor()
    loop(tmp_path, executor, options={"redo": ("iter.0000/toy-dedup",)})
    names = {Path(name).relative_to(tmp_path).parts[1] for name in executor.ran}
    assert names == {"01.explore"}
    assert (tmp_path / "iter.0000/02.label/result/train.xyz").read_bytes() == data


@pytest.mark.usefixtures("dedup")
def test_a_step_that_sees_everything_lets_labels_wait(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor(), streaming=True)
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    names = [event["name"] for event in events if event["event"] == ledger.STARTED]
    assert names.index("iter.0000/toy-dedup") < names.index("iter.0000/label")


@pytest.mark.usefixtures("dedup")
def test_what_others_read_of_the_table(tmp_path: Path) -> None:
    order = ["iter.0000/label", "iter.0000/toy-dedup"]
    assert ledger.comes_before("iter.0000/toy-dedup", "iter.0000/label", order)
    explored = StageState("iter.0000/explore", "key", done=True, transient=("gone",))
    remade = again.remade_by(tmp_path, {explored.name: explored}, ["iter.0000/toy-dedup"])
    assert remade == {"iter.0000/explore": "iter.0000/toy-dedup"}
    begun = StageState("iter.0000/toy-dedup", "key")
    assert retry.built_on(explored, {begun.name: begun}) is None  # it costs nothing
    paid = StageState("iter.0000/label", "key")
    assert retry.built_on(explored, {paid.name: paid}) == "iter.0000/label"
    reopened = [{"event": ledger.REOPENED, "name": "iter.0000/explore"}]
    state = StageState("iter.0000/toy-dedup", "key", done=True, begun_at=0)
    assert retry.made_again([{"event": "before"}, *reopened], state)


@pytest.mark.parametrize(
    ("record", "taken"),
    [
        ("\n0 0\n0 1\n0 2\n1 0", ["train", "explore", "select", "label", "train"]),
        ("\n0 0\n0 1", ["train", "explore", "select"]),
    ],
    ids=["labelled", "selected"],
)
def test_taking_over_passes_over_what_pwact_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str, taken: list[str]
) -> None:
    loop(tmp_path, ToyExecutor(), reserve_md_traj=True)
    monkeypatch.setattr(steps, "STEPS", WITH_DEDUP)
    (tmp_path / ".pwact").rename(tmp_path / "elsewhere")
    for name in ("PID", "iter_result.txt", "iter_select.txt"):
        (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / "al.record").write_text(record)
    pair = load(tmp_path, deep_update(run_param(), {"reserve_md_traj": True}), resources())
    takeover = plan(pair.config, pair.resources)
    assert takeover is not None
    assert [stage.name.partition("/")[2] for stage, _ in takeover.stages] == taken
