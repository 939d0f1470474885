"""The loop with the Kalman prediction uncertainty of one model in place of a committee."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact import engines
from pwact.errors import InputError, QuorumError, StageChangedError
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.io.journal import Journal
from pwact.uncertainties.kpu import KalmanUncertainty
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.reports import KpuReport, TrajectoryRecord
from pwact.workflow.stages.explore import ExploreStage
from pwact.workflow.stages.kpu import KpuStage
from pwact.workflow.stages.select import SelectStage
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.test_loop import products
from tests.workflow.test_stages import Rig, rows_of
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys
from tests.workflow.toys import RUN, ToyKpu

EXPLORE = "iter.0000/01.explore"
toy_md = RUN["toy-md"]
STRATEGY = {"uncertainty": "KPU", "kpu_lower": 0.8, "kpu_upper": 1.5}
PLACES = [f"md.000.sys.00{n}/md.000.sys.00{n}.t.000" for n in (0, 1)]


def trajectories(output: Any) -> Sequence[TrajectoryRecord]:
    """What an exploration or an evaluation says of its trajectories."""
    return KpuReport.from_json(output.report).paths


class Kpu:
    """One iteration up to the stage ``kpu``; row n of a trajectory at T kelvin is T (1 + n)."""

    def __init__(self, work_dir: Path, **changes: Any) -> None:
        self.rig = Rig(work_dir, strategy={**STRATEGY, **changes.pop("strategy", {})}, **changes)
        self.rig.train()
        self.potential = self.rig.trainer.potential(self.rig.models())

    def explored(self) -> Any:
        rig = self.rig
        stage = ExploreStage(rig.config, rig.explorer, self.potential, rig.block, 0)
        return rig.services.run(stage)

    def stage(self, paths: Any) -> KpuStage:
        (model,) = self.rig.models()
        rig = self.rig
        return KpuStage(rig.config, ToyKpu(), model, rig.block, 0, paths, rig.explorer)

    def evaluated(self) -> Any:
        return self.rig.services.run(self.stage(trajectories(self.explored())))

    def select(self, paths: Any) -> Any:
        rig = self.rig
        stage = SelectStage(rig.config, KalmanUncertainty(), 0, paths)
        return stage, rig.services.run(stage)


def test_one_task_a_trajectory(tmp_path: Path) -> None:
    kpu = Kpu(tmp_path)
    explored = kpu.explored()
    assert [path.name for path in explored.files] == ["md.log", "md.log"]
    output = kpu.rig.services.run(kpu.stage(trajectories(explored)))
    assert [path.relative_to(tmp_path).as_posix() for path in output.files] == [
        f"{EXPLORE}/kpu/{place}/kpu_model_devi.out" for place in PLACES
    ]
    assert trajectories(output) == trajectories(explored)
    assert {path.name for path in output.transient} == {"md.json"}
    for place in PLACES:
        link = tmp_path / EXPLORE / "md" / place / "kpu_model_devi.out"
        assert link.is_symlink()
        assert link.samefile(tmp_path / EXPLORE / "kpu" / place / "kpu_model_devi.out")
        assert not (link.parent / "model_devi.out").exists()


def test_what_is_reserved_stays(tmp_path: Path) -> None:
    assert Kpu(tmp_path, reserve_work=True).evaluated().transient == []


def test_a_second_call_evaluates_only_what_is_missing(tmp_path: Path) -> None:
    kpu = Kpu(tmp_path)
    kpu.evaluated()
    (tmp_path / EXPLORE / "kpu" / PLACES[1] / "kpu_model_devi.out").unlink()
    before = list(kpu.rig.services.ran)
    kpu.evaluated()
    assert kpu.rig.services.ran[len(before) :] == [f"{EXPLORE}/kpu/{PLACES[1]}"]


def test_it_depends_on_model_trajectories_and_evaluator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kpu = Kpu(tmp_path)
    stage = kpu.stage(trajectories(kpu.explored()))
    before = stage.inputs()
    (tmp_path / EXPLORE / "md" / PLACES[0] / "traj").unlink()  # retention does that
    assert stage.inputs() == before
    (tmp_path / EXPLORE / "md" / PLACES[0] / "md.log").write_text("another run")
    changed = stage.inputs()
    assert [name for name in before if before[name] != changed[name]] == ["trajectories"]
    monkeypatch.setattr(ToyKpu, "fingerprint", lambda self: {"engine": "other"})
    model = json.loads((tmp_path / "iter.0000/00.train/train.000/model").read_text())
    (tmp_path / "iter.0000/00.train/train.000/model").write_text(json.dumps({**model, "x": 1}))
    assert all(stage.inputs()[name] != before[name] for name in before)


def test_a_failed_task_is_borne_and_its_trajectory_left_out(tmp_path: Path) -> None:
    kpu = Kpu(tmp_path)
    explored = trajectories(kpu.explored())
    kpu.rig.services.spoil = {f"kpu/{PLACES[0]}": "kpu.log"}
    output = kpu.rig.services.run(kpu.stage(explored))
    assert [entry.usable for entry in trajectories(output)] == [False, True]
    assert [entry.normal for entry in trajectories(output)] == [True, True]
    stage, selected = kpu.select(trajectories(output))
    assert selected.report["frames"] == 5
    assert list(stage.inputs()["deviations"]) == [f"{EXPLORE}/md/{PLACES[1]}"]
    summary = (stage.directory / "select_summary.txt").read_text()
    assert "md.000.sys.001: base" in summary
    assert "md.000.sys.000" not in summary


def test_two_failed_tasks_are_too_many(tmp_path: Path) -> None:
    kpu = Kpu(tmp_path)
    explored = trajectories(kpu.explored())
    kpu.rig.services.spoil = {"01.explore/kpu/": "kpu.log"}
    with pytest.raises(QuorumError, match="iter.0000/kpu: all 2 tasks failed"):
        kpu.rig.services.run(kpu.stage(explored))


def test_an_unusable_trajectory_is_not_evaluated(tmp_path: Path) -> None:
    kpu = Kpu(tmp_path)
    kpu.rig.services.spoil = {f"md/{PLACES[0]}": "broken"}
    output = kpu.evaluated()
    assert [entry.usable for entry in trajectories(output)] == [False, True]
    assert len(output.files) == 1


@pytest.mark.draws
def test_limits_belong_to_the_system(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rows 100, 200 … 500 at 100 K: base 300, candidates from 240 to below 360."""
    kpu = Kpu(tmp_path)
    paths = trajectories(kpu.evaluated())
    place = tmp_path / EXPLORE / "kpu" / PLACES[1] / "kpu_model_devi.out"
    other = np.zeros((8, 4))
    other[:, 1] = [10.0, 10.0, 10.0, 10.0, 10.0, 7.9999, 8.0, 12.0]
    write_kpu_devi(place, np.arange(8) * 10, other)
    with caplog.at_level("INFO"):
        stage, output = kpu.select(paths)
    tables = {
        name: [(row["file_path"][-4:], float(row["devi_force"])) for row in rows_of(path)]
        for name in ("accurate", "candidate", "candidate_delete", "fail")
        if (path := stage.directory / f"{name}.csv").exists()
    }
    first = [row for name in tables for row in tables[name]]
    assert len(first) == 13
    picked = sorted(tables["candidate"] + tables["candidate_delete"])
    assert picked == [(".000", 8.0), *[(".000", 10.0)] * 5, (".000", 300.0)]
    assert tables["accurate"] == [(".000", 100.0), (".000", 200.0), (".000", 7.9999)]
    assert tables["fail"] == [(".000", 400.0), (".000", 500.0), (".000", 12.0)]
    summary = (stage.directory / "select_summary.txt").read_text().splitlines()
    stories = [
        "md.000.sys.000: base 300, lower limit 240, upper limit 360",
        "md.000.sys.001: base 10, lower limit 8, upper limit 12",
    ]
    assert summary[2:5] == ["Select by Kalman prediction uncertainty of the forces:", *stories]
    assert [story for story in stories if f"iter.0000/select: {story}" in caplog.text] == stories
    assert output.report["selected"] == 3
    picture = tmp_path / EXPLORE / "md/md.000.sys.001/model_devi_distribution.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    before = stage.inputs()
    assert (before["kpu_lower"], before["kpu_upper"]) == (0.8, 1.5)
    write_kpu_devi(place, np.arange(8) * 10, other + 1)
    assert stage.inputs()["deviations"] != before["deviations"]


def test_without_a_base_nothing_is_picked(tmp_path: Path) -> None:
    """What two decimals make of a model whose numbers are small."""
    kpu = Kpu(tmp_path)
    paths = trajectories(kpu.evaluated())
    for place in PLACES:
        file = tmp_path / EXPLORE / "kpu" / place / "kpu_model_devi.out"
        write_kpu_devi(file, np.arange(3), np.zeros((3, 4)))
    stage, output = kpu.select(paths)
    assert output.report["selected"] == 0
    assert output.report["failed"] == 6
    summary = (stage.directory / "select_summary.txt").read_text()
    assert summary.count("no limits can be derived from this base") == 2


def param(**changes: Any) -> dict[str, Any]:
    return deep_update(run_param(), {"strategy": STRATEGY, **changes})


def test_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    executor = ToyExecutor()
    result = run_loop(tmp_path, param(), executor)
    assert [row.select.selected for row in result.rows if row.select] == [2, 2]
    assert [path.name for path in result.models] == ["train.000"]
    kinds = [Path(name).relative_to(tmp_path).parts[1:3] for name in executor.ran]
    assert kinds[:6] == [
        ("00.train", "train.000"),
        *[("01.explore", "md")] * 2,
        *[("01.explore", "kpu")] * 2,  # streaming or not: no label before
        ("02.label", "scf"),
    ]
    assert (tmp_path / "al.record").read_text().split("\n")[-1] == "2 0"
    kpu = tmp_path / EXPLORE / "kpu" / PLACES[0]
    assert sorted(path.name for path in kpu.iterdir() if "tag" not in path.name) == [
        "kpu_model_devi.out",
        "model",
    ]
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    run_loop(tmp_path, param(), executor)
    later = Journal(tmp_path / ".pwact/journal.jsonl").events()[len(events) :]
    assert [event["event"] for event in later] == ["master_started", "master_ended"]
    with pytest.raises(StageChangedError, match="kpu_upper"):
        run_loop(tmp_path, param(strategy={**STRATEGY, "kpu_upper": 2.0}), executor)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_trajectories_that_are_not_what_the_md_left_are_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Jobs wait for long, and a dump that another one has written is not seen by its log."""
    use_toys(monkeypatch)
    whole, work_dir = tmp_path / "whole", tmp_path / "work"
    for place in (whole, work_dir):
        write_files(place, {"calculator": "emt"})
    run_loop(whole, param(), ToyExecutor())
    dump = work_dir / EXPLORE / "md" / PLACES[1] / "traj"

    class Meddling(ToyExecutor):
        def submit(self, spec: Any) -> str:
            if spec.kind == "kpu" and dump.exists():
                if when == "before":
                    raise Stopped
                dump.write_text("of another MD")
            return super().submit(spec)

    words = f"{PLACES[1]}: the trajectory was altered .*, so its uncertainty is not computed"
    refused = pytest.raises(StageChangedError, match=words)
    if when == "meanwhile":
        with refused:
            run_loop(work_dir, param(), Meddling())
    else:
        with pytest.raises(Stopped):
            run_loop(work_dir, param(), Meddling())
        dump.write_text("of another MD")
        executor = ToyExecutor()
        with refused:
            run_loop(work_dir, param(), executor)
        assert executor.ran == []  # nothing is computed from it first
    dump.write_text("frames")
    executor = ToyExecutor()
    run_loop(work_dir, param(), executor)
    again = work_dir / EXPLORE / "kpu" / PLACES[1]
    assert str(again) in executor.ran  # nothing that was computed meanwhile passes for a result
    assert again.with_name(f"{again.name}-bk-1").is_dir()
    made = {name: text for name, text in products(work_dir).items() if "-bk-" not in name}
    assert made == products(whole)


def test_redone_trajectories_are_judged_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    run_loop(tmp_path, param(), ToyExecutor())
    before = products(tmp_path)
    executor = ToyExecutor()
    run_loop(tmp_path, param(), executor, redo=("iter.0000/explore",))
    ran = [Path(name).relative_to(tmp_path).parts[:3] for name in executor.ran]
    assert ran[:2] == [("iter.0000", "01.explore", "md")] * 2
    stages = [event["name"] for event in asides(tmp_path)]
    assert stages == ["iter.0000/explore"]
    assert {name: text for name, text in products(tmp_path).items() if "-bk-" not in name} == before
    monkeypatch.setitem(RUN, "toy-md", other_md)
    executor = ToyExecutor()
    run_loop(tmp_path, param(), executor, redo=("iter.0000/explore",))
    ran = [Path(name).relative_to(tmp_path).parts[:3] for name in executor.ran]
    assert ran[2:4] == [("iter.0000", "01.explore", "kpu")] * 2
    assert (tmp_path / "iter.0000/01.explore/kpu-bk-1").is_dir()


def other_md(directory: Path) -> None:
    """The same frames, but another log: it tells how long the run took."""
    toy_md(directory)
    (directory / "md.log").write_text("another run\n")


def asides(work_dir: Path) -> list[Any]:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    return [event for event in events if event["event"] == "stage_set_aside"]


class Stopped(BaseException):
    """Plays the death of the master."""


class DyingExecutor(ToyExecutor):
    """Dies at the first job at which none before it has died: before the job runs, or after."""

    def __init__(self, died_at: set[str], after: bool) -> None:
        super().__init__()
        self.died_at, self.after = died_at, after

    def submit(self, spec: Any) -> str:
        new = {str(task.directory) for task in spec.tasks} - self.died_at
        self.died_at |= new
        if new and not self.after:
            raise Stopped
        name = super().submit(spec)
        if new:
            raise Stopped
        return name


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_every_job_it_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    use_toys(monkeypatch)
    whole, work_dir = tmp_path / "whole", tmp_path / "stopped"
    for place in (whole, work_dir):
        write_files(place, {"calculator": "emt"})
    executor = ToyExecutor()
    run_loop(whole, param(), executor)
    died_at: set[str] = set()
    stops = 0
    while True:
        try:
            run_loop(work_dir, param(), DyingExecutor(died_at, after))
            break
        except Stopped:
            stops += 1
    assert products(work_dir) == products(whole)
    assert len(died_at) == len(set(executor.ran))
    assert stops >= 9


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"train.engine": "deepmd"}, "strategy.uncertainty", "committees"),
        ({"train.model_type": "NEP"}, "strategy.uncertainty", "needs the model DP"),
        (
            {"train.optimizer": {"optimizer": "adam"}},
            "train.optimizer.optimizer",
            "found ADAM; kpu needs LKF",
        ),
        ({"strategy": {**STRATEGY, "compress": True}}, "strategy.compress", "exclude"),
        ({"strategy": {**STRATEGY, "kpu_format": "poscar"}}, "strategy.kpu_format", "pwmat/config"),
    ],
)
def test_who_has_no_kalman_filter_is_told_beforehand(
    tmp_path: Path, changes: dict[str, Any], key: str, words: str
) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    train = {"train.engine": "matpl", "train.model_type": "DP"}
    with pytest.raises(InputError) as caught:
        preflight(load(tmp_path, param(**{**train, **changes}), resources()))
    assert caught.value.key == key
    assert words in str(caught.value)
    assert not (tmp_path / ".pwact").exists()


def test_what_has_one_passes(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    changes = {"train.engine": "matpl", "train.model_type": "DP"}
    pair = load(tmp_path, param(**changes), resources())
    assert preflight(pair) == []
    assert engines.trainer_for(pair.config, pair.resources.train, pair.resources.explore).kpu()
