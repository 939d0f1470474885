"""What failed and was tolerated is tried again by the next start, and nothing else is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pwact import engines
from pwact.errors import StageChangedError
from pwact.formats.frames import read_frames
from pwact.formats.same_frame import structure_key
from pwact.io.journal import Journal
from pwact.workflow import ledger, retry
from pwact.workflow.active_learning import RunResult
from pwact.workflow.init_bulk.campaign import InitResult
from pwact.workflow.ledger import StageState
from pwact.workflow.stages.label import LabelStage
from tests.workflow.pairs import deep_update, init_param, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys
from tests.workflow.toys import BROKEN, UNCONVERGED

AIMD = "temp_init_bulk_work/aimd/init_config_0/1.0_scale/2_aimd"
LABELS = "iter.0000/02.label/result/train.xyz"


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


class Starts:
    """A campaign that is started again and again."""

    def __init__(self, work_dir: Path) -> None:
        self.work_dir = work_dir
        self.ran: list[str] = []
        write_files(work_dir, {"calculator": "emt"})

    def run(self, spoil: Any = None, **changes: Any) -> RunResult:
        return self._start(run_loop, run_param(), spoil, changes)

    def chain(self, spoil: Any = None, **changes: Any) -> InitResult:
        return self._start(run_chain, init_param(), spoil, changes)

    def _start(self, command: Any, param: Any, spoil: Any, changes: dict[str, Any]) -> Any:
        options = changes.pop("options", {})
        executor = ToyExecutor()
        executor.spoil = spoil or {}
        try:
            return command(self.work_dir, deep_update(param, changes), executor, **options)
        finally:
            self.ran = [Path(place).relative_to(self.work_dir).as_posix() for place in executor.ran]

    def journal(self) -> Journal:
        return Journal(self.work_dir / ".pwact/journal.jsonl")

    def lost(self) -> dict[str, tuple[str, ...]]:
        states = ledger.stages(self.journal().events())
        return {name: state.lost for name, state in states.items() if state.lost}

    def dumps(self, iteration: int) -> int:
        return len(list(self.work_dir.glob(f"iter.000{iteration}/01.explore/md/*/*/traj")))


def first_label(work_dir: Path) -> str:
    """Directory of the first label of iteration 0."""
    places = sorted(work_dir.glob("iter.0000/02.label/scf/*/*/*-scf"))
    return places[0].relative_to(work_dir).as_posix()


@pytest.fixture(scope="module")
def lost_label(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A campaign, finished but for one label, and where that is; not to be changed."""
    lost = first_label(finished_run)
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        starts = Starts(tmp_path_factory.mktemp("lost") / "work")
        assert starts.run({lost: BROKEN}).lost == [lost]
    return starts.work_dir, lost


@pytest.fixture
def with_lost_label(tmp_path: Path, lost_label: tuple[Path, str]) -> Starts:
    """A copy of it."""
    shutil.copytree(lost_label[0], tmp_path / "work", symlinks=True)
    return Starts(tmp_path / "work")


def test_a_lost_aimd_is_tried_again_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = Starts(tmp_path / "whole")
    whole.chain()
    starts = Starts(tmp_path / "lost")
    first = starts.chain({AIMD: BROKEN})
    assert first.lost == [AIMD]
    assert (starts.work_dir / AIMD / "in.json").exists()
    assert "aimd: done without 1 failed task; the next start of the same command" in caplog.text
    second = starts.chain()
    assert set(starts.ran) == {AIMD}
    assert second.lost == []
    for name in ("collection/init_config_0/train.xyz", "collection/init_config_1/train.xyz"):
        assert (starts.work_dir / name).read_bytes() == (whole.work_dir / name).read_bytes()
    assert not (starts.work_dir / "temp_init_bulk_work").exists()
    starts.chain()
    assert starts.ran == []


def test_what_fails_again_changes_nothing(tmp_path: Path) -> None:
    starts = Starts(tmp_path)
    starts.chain({AIMD: BROKEN})
    data = tmp_path / "collection/init_config_0/train.xyz"
    before = data.stat().st_mtime_ns
    again = starts.chain({AIMD: BROKEN})
    assert set(starts.ran) == {AIMD}
    assert again.lost == [AIMD]
    assert data.stat().st_mtime_ns == before
    assert not list(tmp_path.glob("collection-bk-*"))


def test_what_shall_stay_lost_is_not_tried_again(tmp_path: Path) -> None:
    starts = Starts(tmp_path)
    starts.chain({AIMD: BROKEN})
    assert starts.chain(options={"leave_failed": True}).lost == []
    assert starts.ran == []
    assert not (tmp_path / "temp_init_bulk_work").exists()
    starts.chain()
    assert starts.ran == []


def test_given_up_from_the_beginning(tmp_path: Path) -> None:
    starts = Starts(tmp_path)
    assert starts.chain({AIMD: BROKEN}, options={"leave_failed": True}).lost == []
    starts.chain()
    assert starts.ran == []


def test_frames_that_are_labelled_already_stand_against_another_aimd(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changes = {"scf_input": "calculator.json", "sys_configs.0.scf": True}
    starts = Starts(tmp_path)
    starts.chain({AIMD: BROKEN}, **changes)
    assert (tmp_path / "temp_init_bulk_work").exists()
    starts.chain(**changes)
    assert starts.ran == []
    assert "aimd: 1 failed task not tried again, since scf was computed without" in caplog.text
    assert "--redo aimd" in caplog.text
    assert AIMD in caplog.text


def test_a_lost_label_joins_its_data_set_and_nothing_is_trained_again(
    with_lost_label: Starts,
    lost_label: tuple[Path, str],
    finished_run: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    starts = with_lost_label
    assert len(read_frames(starts.work_dir / LABELS, "extxyz")) == 3
    assert (starts.dumps(0), starts.dumps(1)) == (2, 0)  # the frame may be needed
    result = starts.run()
    assert set(starts.ran) == {lost_label[1]}
    assert (starts.work_dir / LABELS).read_bytes() == (finished_run / LABELS).read_bytes()
    assert [row.label.labelled for row in result.rows if row.label] == [4, 4]
    for name in ("iter.0001/train", "iter.0002/train"):
        assert f"{name}: kept as it is, though iter.0000/label has labels" in caplog.text
    assert starts.dumps(0) == 0
    caplog.clear()
    starts.run()
    assert starts.ran == []
    assert "WARNING" not in caplog.text


def test_a_training_is_done_again_when_asked(with_lost_label: Starts) -> None:
    with_lost_label.run()
    with_lost_label.run(options={"redo": ("iter.0002/train",)})
    assert with_lost_label.ran
    assert all("iter.0002/00.train" in name for name in with_lost_label.ran)


def test_a_change_of_ones_own_is_still_refused(with_lost_label: Starts) -> None:
    with (with_lost_label.work_dir / "init.xyz").open("a") as stream:
        stream.write("\n")
    with pytest.raises(StageChangedError, match=r"iter.0000/train: changed .*init_data"):
        with_lost_label.run()
    assert with_lost_label.ran == []


def test_what_is_not_converged_is_not_tried_again_and_keeps_its_files(
    tmp_path: Path, finished_run: Path
) -> None:
    lost = first_label(finished_run)
    starts = Starts(tmp_path)
    assert starts.run({lost: UNCONVERGED}).lost == []
    assert (tmp_path / lost / "in.json").exists()
    others = [path for path in tmp_path.glob("iter.0000/02.label/scf/*/*/*-scf/in.json")]
    assert len(others) == 1
    starts.run()
    assert starts.ran == []


def test_a_trajectory_that_labels_followed_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = "iter.0000/01.explore/md/md.000.sys.000/md.000.sys.000.t.000"
    starts = Starts(tmp_path)
    assert starts.run({place: "broken"}).lost == [place]
    assert (tmp_path / place / "md.json").exists()
    assert starts.dumps(0) == 0
    before = (tmp_path / LABELS).read_bytes()
    caplog.clear()
    starts.run()
    assert starts.ran == []
    text = "iter.0000/explore: 1 failed task not tried again, since iter.0000/label was computed"
    assert text in caplog.text
    assert "--redo iter.0000/explore" in caplog.text
    assert (tmp_path / LABELS).read_bytes() == before


def test_a_trajectory_that_nothing_followed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Starts(tmp_path / "whole")
    whole.run(streaming=False)
    place = "iter.0000/01.explore/md/md.000.sys.000/md.000.sys.000.t.000"
    starts = Starts(tmp_path / "lost")

    def stop(_: LabelStage) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LabelStage, "inputs", stop)
        with pytest.raises(KeyboardInterrupt):
            starts.run({place: "broken"}, streaming=False)
    starts.run(streaming=False)
    assert starts.ran[0] == place
    assert not any("00.train" in name for name in starts.ran if "iter.0000" in name)
    assert (starts.work_dir / LABELS).read_bytes() == (whole.work_dir / LABELS).read_bytes()


@pytest.mark.parametrize(
    ("name", "others", "expected"),
    [
        ("iter.0000/explore", {"iter.0000/select": True}, None),
        ("iter.0000/explore", {"iter.0000/select": True, "iter.0000/kpu": False}, "iter.0000/kpu"),
        ("iter.0000/explore", {"iter.0001/label": True}, None),
        ("iter.0000/kpu", {"iter.0000/explore": True, "iter.0000/select": True}, None),
        ("iter.0000/kpu", {"iter.0000/direct": True}, "iter.0000/direct"),
        ("iter.0000/label", {"iter.0001/train": True, "iter.0002/train": True}, None),
        ("iter.0000/label", {"iter.0001/train": True, "iter.0002/train": False}, "iter.0002/train"),
        ("iter.0001/label", {"iter.0000/train": False}, None),
        ("aimd", {"bigmodel": True, "collection": True, "iter.0000/label": True}, None),
        ("bigmodel", {"direct": False}, "direct"),
        ("scf", {"collection": True, "direct": True}, None),
    ],
)
def test_what_stands_against_another_try(name: str, others: Any, expected: Any) -> None:
    stages = {other: StageState(other, "k", done=done) for other, done in others.items()}
    assert retry.built_on(StageState(name, "k", done=True), stages) == expected


class Killer:
    """Ends a start before the journal is written for the nth time."""

    def __init__(self, patch: pytest.MonkeyPatch, writes: float = float("inf")) -> None:
        self.count = 0
        write = Journal._write

        def counted(journal: Journal, text: bytes) -> None:
            if self.count >= writes:
                raise KeyboardInterrupt
            self.count += 1
            write(journal, text)

        patch.setattr(Journal, "_write", counted)


def test_killed_at_any_event_of_the_second_start(
    tmp_path: Path, lost_label: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = lost_label
    ended = tmp_path / "ended"
    shutil.copytree(first, ended, symlinks=True)
    with monkeypatch.context() as patch:
        killer = Killer(patch)
        Starts(ended).run()
    assert killer.count > 5
    for number in range(killer.count):
        place = tmp_path / f"killed.{number}"
        shutil.copytree(first, place, symlinks=True)
        killed = Starts(place)
        with monkeypatch.context() as patch:
            Killer(patch, number)
            with pytest.raises(KeyboardInterrupt):
                killed.run()
        killed.run()
        assert (place / LABELS).read_bytes() == (ended / LABELS).read_bytes()
        assert not any("00.train" in name for name in killed.ran)
        killed.run()
        assert killed.ran == []


def test_a_label_that_came_from_another_iteration_since_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both iterations begin with the same structure, whose label the first one lost."""
    starts, changes = same_start(tmp_path, monkeypatch)
    lost = "iter.0000/02.label/scf/md.000.sys.000/md.000.sys.000.t.000/0-scf"
    assert starts.run({lost: BROKEN}, **changes).lost == [lost]
    before = keys_by_iteration(tmp_path)
    assert [len(keys) for keys in before] == [1, 2]
    result = starts.run(**changes)
    assert starts.ran == []
    assert result.lost == []
    assert keys_by_iteration(tmp_path) == before
    assert [row.label.failed for row in result.rows if row.label] == [0, 0]
    starts.run(**changes)
    assert starts.ran == []


def test_a_label_that_is_kept_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later iteration has computed the label, and died before its data set was there."""
    starts, changes = same_start(tmp_path, monkeypatch)
    lost = "iter.0000/02.label/scf/md.000.sys.000/md.000.sys.000.t.000/0-scf"
    whole = LabelStage._output

    def dying(stage: LabelStage, *words: Any) -> Any:
        if stage.iteration == 1:
            raise KeyboardInterrupt
        return whole(stage, *words)

    with monkeypatch.context() as patch:
        patch.setattr(LabelStage, "_output", dying)
        with pytest.raises(KeyboardInterrupt):
            starts.run({lost: BROKEN}, **changes)
    assert starts.run(**changes).lost == []
    assert not any("02.label" in name for name in starts.ran)
    assert [len(keys) for keys in keys_by_iteration(tmp_path)] == [2, 1]
    starts.run(**changes)
    assert starts.ran == []


def same_start(work_dir: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Starts, dict[str, Any]]:
    """A campaign of two iterations with one trajectory each, from the same structure."""
    monkeypatch.setitem(engines.EXPLORERS, "lammps", "tests.workflow.toys:StartExplorer")
    job = {"sys_idx": [0], "ensemble": "nvt", "nsteps": 10, "trj_freq": 10, "temps": [100]}
    structure = {"config": "structures/a.poscar", "format": "vasp/poscar"}
    changes = {
        "strategy.lower_model_devi_f": 0.0,
        "strategy.upper_model_devi_f": 5.0,
        "explore.sys_configs": [structure],
        "explore.md_jobs": [{**job, "select_sys": [10]}] * 2,
    }
    return Starts(work_dir), changes


def keys_by_iteration(work_dir: Path) -> list[set[str]]:
    """The structures in the data set of each iteration; none stands twice."""
    found = []
    for path in sorted(work_dir.glob("iter.????/02.label/result/train.xyz")):
        keys = [structure_key(frame) for frame in read_frames(path, "extxyz")]
        assert len(set(keys)) == len(keys)
        found.append(set(keys))
    assert len(set().union(*found)) == sum(map(len, found))
    return found


def test_trajectories_that_a_lost_label_needs_are_made_again(
    with_lost_label: Starts, lost_label: tuple[Path, str], finished_run: Path
) -> None:
    starts = with_lost_label
    for dump in starts.work_dir.glob("iter.0000/01.explore/md/*/*/traj"):
        dump.unlink()
    assert starts.run().lost == []
    labels = [name for name in starts.ran if "01.explore" not in name]
    assert labels == [lost_label[1]]
    assert len(starts.ran) == 1 + 2
    assert (starts.work_dir / LABELS).read_bytes() == (finished_run / LABELS).read_bytes()
    assert starts.dumps(0) == 0
    starts.run()
    assert starts.ran == []


def test_trajectories_that_were_kept_and_are_gone_are_asked_for(
    tmp_path: Path, finished_run: Path
) -> None:
    lost = first_label(finished_run)
    starts = Starts(tmp_path)
    changes = {"reserve_md_traj": True}
    assert starts.run({lost: BROKEN}, **changes).lost == [lost]
    for dump in tmp_path.glob("iter.0000/01.explore/md/*/*/traj"):
        dump.unlink()
    with pytest.raises(StageChangedError, match=r"gone.*--redo iter.0000/explore"):
        starts.run(**changes)
    assert starts.ran == []
    starts.run(**changes, options={"redo": ("iter.0000/explore",)})
    assert {name for name in starts.ran if "02.label" in name} == {lost}
    assert (tmp_path / LABELS).read_bytes() == (finished_run / LABELS).read_bytes()
