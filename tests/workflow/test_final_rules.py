"""When the force field of a run is made, left alone, and made again; with toy engines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pwact.io.journal import Journal
from pwact.workflow.checks.outlook import outlook
from pwact.workflow.ledger import StageState, stages
from pwact.workflow.stages.final import trained_at
from tests.force_fields import facts
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys
from tests.workflow.toys import UNCONVERGED, ToyTrainer

LAST = "iter.0002/final"


@pytest.fixture
def work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    return tmp_path


def param(**changes: Any) -> dict[str, Any]:
    return deep_update(run_param(), {"final": None, **changes})


def run(
    work_dir: Path, asked: Mapping[str, Any], spoil: Mapping[str, str] = {}, **options: Any
) -> list[str]:
    """Run, and name the tasks that were run."""
    executor = ToyExecutor()
    executor.spoil = dict(spoil)
    run_loop(work_dir, asked, executor, **options)
    return [str(Path(place).relative_to(work_dir)) for place in executor.ran]


def known(work_dir: Path) -> dict[str, StageState]:
    return stages(Journal(work_dir / ".pwact/journal.jsonl").events())


def test_it_is_the_first_model_where_all_have_seen_all(work_dir: Path) -> None:
    ran = run(work_dir, param())
    assert [one for one in ran if "final" in one] == ["iter.0002/03.final/check"]
    found, frames = facts(work_dir / "final"), len(known(work_dir)[LAST].report["frames"])
    assert found["trained_in"] == "iter.0002/00.train/train.000"
    assert found["check"]["energy"] == found["training_frames"] == 11
    seed = json.loads((work_dir / "iter.0002/00.train/train.000/train.json").read_text())["seed"]
    assert found["seeds"] == {"campaign": 7, "training": seed}
    assert found["rmse"] is None
    assert "no validation data" in (work_dir / "final/README.txt").read_text()
    assert frames == 3
    assert run(work_dir, param()) == []


@pytest.mark.parametrize(
    ("warm", "pre_model", "begun"),
    [(True, True, "train.000"), (True, False, None), (False, True, None)],
)
def test_the_training_on_all_frames_begins_as_its_members_do(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, warm: bool, pre_model: bool, begun: str
) -> None:
    monkeypatch.setattr(ToyTrainer, "whole", lambda self: self)  # members see draws
    monkeypatch.setattr(ToyTrainer, "begins_with_models", warm)
    asked = param(use_pre_model=pre_model)
    ran = run(work_dir, asked)
    assert ran[-2:] == ["iter.0002/03.final/train", "iter.0002/03.final/check"]
    train = json.loads((work_dir / ran[-2] / "train.json").read_text())
    assert (sum(train["frames"]), train["start"]) == (11, begun)
    assert facts(work_dir / "final")["trained_in"] == ran[-2]
    assert ("start_from" in known(work_dir)[LAST].inputs) == (begun is not None)
    assert run(work_dir, asked) == []


def test_switched_off(work_dir: Path) -> None:
    run(work_dir, param(final=False))
    assert not (work_dir / "final").exists()
    assert LAST not in known(work_dir)


def test_a_campaign_of_an_earlier_version_starts_no_job_at_its_end(work_dir: Path) -> None:
    run(work_dir, param(final=False))
    path = work_dir / ".pwact/journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one.pop("final") for one in lines if one["event"] == "campaign_started"] == [True]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert run(work_dir, param()) == []
    assert not (work_dir / "final").exists()
    assert run(work_dir, param(final=True)) == ["iter.0002/03.final/check"]
    assert facts(work_dir / "final")["training_frames"] == 11


def test_more_iterations_give_another_one(work_dir: Path) -> None:
    run(work_dir, param())
    longer = param()
    jobs = longer["explore"]["md_jobs"]
    jobs.append({**jobs[0], "temps": [120]})
    assert "iter.0003/03.final/check" in run(work_dir, longer)
    assert facts(work_dir / "final-bk-1")["training_frames"] == 11
    assert facts(work_dir / "final")["training_frames"] == 15


def test_other_labels_in_the_last_iteration_give_another_one(work_dir: Path) -> None:
    (work_dir / "final-bk-1").mkdir()  # of the user
    run(work_dir, param(), {"iter.0001/02.label/scf/md.000.sys.000": UNCONVERGED})
    fewer = facts(work_dir / "final")["training_frames"]
    ran = run(work_dir, param(), redo=("iter.0001/label",))
    assert "iter.0002/03.final/check" in ran
    assert facts(work_dir / "final")["training_frames"] == 11 > fewer
    assert facts(work_dir / "final-bk-2")["training_frames"] == fewer
    assert not list((work_dir / "final-bk-1").iterdir())
    assert (work_dir / "iter.0002/03.final-bk-1").is_dir()


def test_the_same_labels_leave_it_alone(work_dir: Path) -> None:
    run(work_dir, param())
    ran = run(work_dir, param(), redo=("iter.0001/label",))
    assert not [one for one in ran if "final" in one]
    assert not list(work_dir.glob("final-bk*"))


def test_redo_names_it(work_dir: Path) -> None:
    run(work_dir, param())
    assert run(work_dir, param(), redo=(LAST,)) == ["iter.0002/03.final/check"]
    assert not list(work_dir.glob("final-bk*"))


def test_a_folder_of_the_user_is_kept_aside(work_dir: Path) -> None:
    (work_dir / "final").mkdir()
    (work_dir / "final/thesis.tex").write_text("chapter 1")
    run(work_dir, param())
    assert (work_dir / "final-bk-1/thesis.tex").read_text() == "chapter 1"
    assert (work_dir / "final/model.json").is_file()


def test_check_says_what_a_start_would_do(work_dir: Path) -> None:
    run(work_dir, param(final=False))
    found = outlook(load(work_dir, param(), resources()))
    assert found is not None
    assert (LAST, "begun", "") in found.steps
    assert not (work_dir / "final").exists()


def test_which_iteration_trained_the_models() -> None:
    def state(number: int, **inputs: Any) -> StageState:
        return StageState(f"iter.{number:04d}/train", "key", inputs, True, version="1")

    states = [state(0), state(1), state(2, kept_models=[]), state(3, kept_models=[])]
    every = {one.name: one for one in states}
    assert trained_at(every, 3) == 1
    taken = {**every, "iter.0001/train": StageState("iter.0001/train", "key", {}, True)}
    assert trained_at(taken, 3) is None
