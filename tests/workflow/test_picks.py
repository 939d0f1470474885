"""Rules that choose among candidates: what they get, and what the choice then depends on."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from pwact.errors import InputError, StageChangedError
from pwact.fingerprint import differences
from pwact.io.journal import Journal
from pwact.registry import Entry
from pwact.registry.picks import PICKS
from pwact.workflow import ledger
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.reports import ExploreReport
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.test_stages import Rig
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

JOB = run_param()["explore"]["md_jobs"][0]
ONE = {"explore.md_jobs": [JOB]}
FARTHEST = {**ONE, "strategy.pick": "farthest"}
VARIANCE = {
    **ONE,
    **{"strategy.pick": "variance", "strategy.uncertainty": "kpu"},
    **{"strategy.kpu_lower": 0.1, "strategy.kpu_upper": 100.0},
}


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lines in the registry, and nothing else."""
    use_toys(monkeypatch)
    monkeypatch.setitem(PICKS, "farthest", Entry("tests.workflow.own_picks:FarthestPick"))
    monkeypatch.setitem(PICKS, "variance", Entry("tests.workflow.own_picks:VariancePick"))


def loop(work_dir: Path, executor: ToyExecutor, changes: dict[str, Any], **options: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    return run_loop(work_dir, deep_update(run_param(), changes), executor, **options)


def picked(work_dir: Path) -> list[tuple[str, int]]:
    path = work_dir / "iter.0000/01.explore/select/candidate.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [(row["file_path"].rpartition("/")[2], int(row["config_index"])) for row in rows]


def inputs(work_dir: Path) -> dict[str, Any]:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    return dict(ledger.stages(events)["iter.0000/select"].inputs)


def summary(work_dir: Path) -> str:
    return (work_dir / "iter.0000/01.explore/select/select_summary.txt").read_text()


def test_a_rule_sees_structures(tmp_path: Path) -> None:
    loop(tmp_path / "own", ToyExecutor(), FARTHEST)
    loop(tmp_path / "usual", ToyExecutor(), ONE)
    assert "Candidate configurations: 6, by distance select 4, delete 2" in summary(
        tmp_path / "own"
    )
    assert "6, randomly select 4, delete 2" in summary(tmp_path / "usual")
    mine = picked(tmp_path / "own")
    assert len(mine) == 4
    for name in ("md.000.sys.000.t.000", "md.000.sys.001.t.000"):
        assert (name, 10) in mine  # the first candidate, and the one that is farthest from it


def test_the_choice_depends_on_what_the_rule_sees(tmp_path: Path) -> None:
    loop(tmp_path / "own", ToyExecutor(), FARTHEST)
    loop(tmp_path / "usual", ToyExecutor(), ONE)
    own, usual = inputs(tmp_path / "own"), inputs(tmp_path / "usual")
    assert {*own} - {*usual} == {"frames"}
    assert all(own["frames"].values())
    assert (own["pick"], usual["pick"]) == ("farthest", "random")
    before = {key: value for key, value in usual.items() if key != "pick"}  # of an older version
    rig = Rig(tmp_path / "usual", **ONE)
    from pwact.uncertainties.committee import CommitteeDeviation  # noqa: PLC0415
    from pwact.workflow.stages.select import SelectStage  # noqa: PLC0415

    events = Journal(tmp_path / "usual/.pwact/journal.jsonl").events()
    state = ledger.stages(events)["iter.0000/explore"]
    paths = ExploreReport.from_json(state.report).paths
    now = SelectStage(rig.config, CommitteeDeviation(), 0, paths).inputs()
    before.pop("seed")
    assert not any(differences(before, now))


def test_a_second_start_finds_the_choice_though_the_frames_are_gone(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor(), FARTHEST)
    assert not list(tmp_path.rglob("traj"))
    executor = ToyExecutor()
    loop(tmp_path, executor, FARTHEST)
    assert executor.ran == []


def test_another_rule_is_refused_and_chosen_again_on_request(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor(), ONE)
    with pytest.raises(StageChangedError, match='pick was "random", is "farthest"'):
        loop(tmp_path, ToyExecutor(), FARTHEST)
    executor = ToyExecutor()
    loop(tmp_path, executor, FARTHEST, redo=("iter.0000/select",))
    assert any("01.explore" in name for name in executor.ran)  # its frames were gone
    loop(tmp_path / "fresh", ToyExecutor(), FARTHEST)
    assert picked(tmp_path) == picked(tmp_path / "fresh")


def test_streaming_makes_the_same_choice(tmp_path: Path) -> None:
    for name, streams in (("ahead", True), ("barrier", False)):
        loop(tmp_path / name, ToyExecutor(), {**FARTHEST, "streaming": streams})
    assert picked(tmp_path / "ahead") == picked(tmp_path / "barrier")


def test_a_rule_sees_features(tmp_path: Path) -> None:
    """Rows point to two directions in turn: after the largest one the other one is worth more."""
    loop(tmp_path, ToyExecutor(), VARIANCE)
    mine = picked(tmp_path)
    assert ("md.000.sys.000.t.000", 40) in mine
    assert ("md.000.sys.000.t.000", 30) in mine or ("md.000.sys.001.t.000", 30) in mine
    assert {*inputs(tmp_path)} >= {"features"}
    assert all(inputs(tmp_path)["features"].values())
    assert not list(tmp_path.rglob("features.npy"))  # the iteration is complete
    executor = ToyExecutor()
    loop(tmp_path, executor, VARIANCE)
    assert executor.ran == []


def test_features_that_are_gone_are_made_again(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor(), VARIANCE)
    before = picked(tmp_path)
    shutil.rmtree(tmp_path / "iter.0000/01.explore/select")
    executor = ToyExecutor()
    loop(tmp_path, executor, VARIANCE)
    assert picked(tmp_path) == before
    assert {Path(name).relative_to(tmp_path).parts[2] for name in executor.ran} == {"md", "kpu"}


def test_a_rule_that_needs_features_is_refused_without_them(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    changes = {**ONE, "strategy.pick": "variance"}
    pair = load(tmp_path, deep_update(run_param(), changes), resources())
    with pytest.raises(InputError, match="does not give") as caught:
        preflight(pair)
    assert caught.value.key == "strategy.pick"
