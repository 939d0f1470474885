from __future__ import annotations

from pathlib import Path

import pytest

from pwact import layout
from pwact.io import files
from pwact.workflow.campaign import open_campaign
from pwact.workflow.leftovers import sweep

STARTED = {"event": "master_started", "command": "run", "host": "c1", "pid": 1}
ENDED = {"event": "master_ended", "how": "finished", "why": ""}
JOB = {
    "event": "job_asked",
    "name": "md0-x",
    "kind": "md",
    "group": 0,
    "directory": "iter.0000/01.explore/md",
    "scheduler": "local",
    "tasks": ["a/t.000"],
}
LEFT = (
    ".al.record.0123abcd.tmp",
    ".pwact/.lease.0123abcd.tmp",
    "iter.0000/00.train/.0-train.job.0123abcd.tmp",
    "iter.0000/01.explore/md/a/t.001/.md.json.0123abcd.tmp",
    "collection/.datapath.txt.0123abcd.tmp",
)
KEPT = (
    "iter.0000/01.explore/md/a/t.000/.model_devi.out.0123abcd.tmp",  # its job may be writing it
    "iter.0000/.mine.tmp",
    "iter.0000/notes.0123abcd.tmp",
    "mine/.thesis.tex.0123abcd.tmp",
    ".mine.XYZ.tmp",
    "iter.0000/.mine.thisword.tmp",
    "elsewhere/.not_ours.0123abcd.tmp",  # behind a link, see below
    "iter.0000/.a_folder.0123abcd.tmp/mine",
    ".a_folder.0123abcd.tmp/mine",
)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    for name in (*LEFT, *KEPT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "iter.0009").symlink_to("elsewhere")
    return tmp_path


def remaining(work_dir: Path) -> set[str]:
    return {path.relative_to(work_dir).as_posix() for path in work_dir.rglob("*") if path.is_file()}


def test_what_a_killed_master_left_is_deleted(left: Path) -> None:
    assert sweep(left, [STARTED, JOB]) == len(LEFT)
    assert remaining(left) == set(KEPT)


@pytest.mark.parametrize("events", [[STARTED, ENDED], [], [STARTED, JOB, ENDED]])
def test_after_an_orderly_end_nothing_is_looked_for(left: Path, events: list[object]) -> None:
    assert sweep(left, events) == 0  # type: ignore[arg-type]
    assert remaining(left) == {*LEFT, *KEPT}


def test_the_next_start_deletes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    with open_campaign(tmp_path, "run", 1) as campaign:
        campaign.journal.flush()
        monkeypatch.setattr(campaign.journal, "append", die)
        with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
            patch.setattr(Path, "replace", die)
            patch.setattr(Path, "unlink", lambda *_, **__: None)  # killed: no time for that
            files.write_text(tmp_path / layout.AL_RECORD, "0 0")
        (aside,) = tmp_path.glob(".al.record.*.tmp")
        with pytest.raises(KilledError):
            campaign.journal.append("x")
        journal = (tmp_path / layout.STATE_DIR / layout.JOURNAL).read_bytes()
        monkeypatch.undo()
    (tmp_path / layout.STATE_DIR / layout.JOURNAL).write_bytes(journal)
    assert aside.exists()
    with open_campaign(tmp_path, "run", 1):
        assert not aside.exists()
