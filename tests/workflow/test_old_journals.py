"""Campaigns that released versions began are continued to the same bytes.

`tests/data/journals/VERSION/` holds what that version left with the stand-in engines of the tests:
a finished init_bulk and run, a run that was killed while it labelled, an init_bulk killed in its
AIMD. Pictures, job scripts and views are left out. A new release adds a folder, and changes none.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pwact import layout
from pwact.io.journal import Journal
from tests.workflow.pairs import init_param, run_param
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys

DATA = Path(__file__).parents[1] / "data" / "journals"
VERSIONS = sorted(place.name for place in DATA.iterdir())


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def copy(version: str, name: str, tmp_path: Path) -> Path:
    return Path(
        shutil.copytree(DATA / version / name, tmp_path / "it lies elsewhere", symlinks=True)
    )


def data(work_dir: Path) -> dict[str, bytes]:
    """Labels, models and selections."""
    patterns = (
        "iter.*/02.label/result/*",
        "iter.*/00.train/*/model",
        "iter.*/01.explore/select/*.csv",
    )
    paths = [path for pattern in patterns for path in work_dir.glob(pattern) if path.is_file()]
    return {path.relative_to(work_dir).as_posix(): path.read_bytes() for path in paths}


def collected(work_dir: Path) -> dict[str, bytes]:
    folder = work_dir / layout.COLLECTION
    paths = [one for one in folder.rglob("*") if one.is_file() and one.name != layout.DATAPATH]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def ran(executor: ToyExecutor, work_dir: Path) -> list[str]:
    return sorted(Path(name).relative_to(work_dir).as_posix() for name in executor.ran)


def test_every_released_version_is_there() -> None:
    assert "0.5.0" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_finished_is_kept(version: str, tmp_path: Path) -> None:
    work_dir, executor = copy(version, "finished", tmp_path), ToyExecutor()
    before = data(work_dir), collected(work_dir)
    journal = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    run_chain(work_dir, init_param(), executor)
    run_loop(work_dir, run_param(), executor)
    assert executor.ran == []
    assert (data(work_dir), collected(work_dir)) == before
    later = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()[len(journal) :]
    assert {event["event"] for event in later} <= {
        "master_started",
        "master_ended",
        "entries_given",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_run_goes_on_to_the_same_bytes(version: str, tmp_path: Path) -> None:
    work_dir, executor = copy(version, "killed_run", tmp_path), ToyExecutor()
    run_loop(work_dir, run_param(), executor)
    expected = data(DATA / version / "finished")
    assert len(expected) > 10
    assert data(work_dir) == expected
    assert {name.split("/")[0] for name in ran(executor, work_dir)} == {"iter.0001", "iter.0002"}
    labels = [name for name in ran(executor, work_dir) if "02.label" in name]
    assert len(labels) == 3  # one of four was done


@pytest.mark.parametrize("version", VERSIONS)
def test_a_killed_init_bulk_goes_on_to_the_same_bytes(version: str, tmp_path: Path) -> None:
    work_dir, executor = copy(version, "killed_init", tmp_path), ToyExecutor()
    run_chain(work_dir, init_param(), executor)
    made, expected = collected(work_dir), collected(DATA / version / "finished")
    more = {f"init_config_{number}/{layout.ORIGIN}" for number in (0, 1)}  # of later versions
    assert set(made) - set(expected) <= more
    assert {name: made[name] for name in expected} == expected
    assert len(ran(executor, work_dir)) == 3  # two of five AIMD were done, and the relaxation


@pytest.mark.parametrize("version", VERSIONS)
def test_a_last_line_that_is_cut_anywhere_is_no_event(version: str, tmp_path: Path) -> None:
    whole = (DATA / version / "killed_run" / layout.STATE_DIR / layout.JOURNAL).read_bytes()
    before = whole[:-1].rfind(b"\n") + 1
    path = tmp_path / layout.JOURNAL
    path.write_bytes(whole)
    events = Journal(path).events()
    for end in range(before, len(whole)):
        path.write_bytes(whole[:end])
        assert Journal(path).events() == events[:-1]
