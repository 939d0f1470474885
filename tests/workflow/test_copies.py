"""Copies of a campaign leave the original alone; a campaign that was moved is the same."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.errors import LockedError, PwactError
from pwact.io.journal import Journal
from pwact.tools.kill import kill
from pwact.tools.status.status import status_of
from pwact.workflow import master
from pwact.workflow.campaign import open_campaign
from pwact.workflow.place import living_elsewhere, original_of
from tests.tools.test_kill import Master, end, sleeping
from tests.workflow.conftest import Chain

__all__ = ["sleeping"]
JOB = {"kind": "md", "group": 0, "directory": "iter.0000/md", "scheduler": "local"}


def events(work_dir: Path) -> list[dict[str, Any]]:
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def as_of_0_5_0(work_dir: Path) -> None:
    """Let the masters not say where they worked, as older versions did."""
    told = events(work_dir)
    for event in told:
        if event["event"] == master.EVENT:
            del event["directory"]
    path = work_dir / layout.STATE_DIR / layout.JOURNAL
    path.write_text("".join(json.dumps(event) + "\n" for event in told))


def beside(work_dir: Path, word: str) -> Path:
    """A place for another directory; the one given may be gone, and its name be used again."""
    return Path(tempfile.mkdtemp(dir=work_dir.parent)) / word


def test_kill_in_a_copy_touches_nothing(sleeping: Master, tmp_path: Path) -> None:
    copy = beside(tmp_path, "copy")
    shutil.copytree(sleeping.work_dir, copy)
    before = events(copy)
    with pytest.raises(PwactError, match="is a copy of"):
        end(copy)
    assert sleeping.process.poll() is None
    assert len(sleeping.processes()) >= 3
    assert events(copy) == before
    assert status_of(copy, 0.0).state != "running"
    assert status_of(sleeping.work_dir, 0.0).state == "running"
    as_of_0_5_0(copy)
    with pytest.raises(PwactError, match="does not hold the lock of this directory"):
        end(copy)
    with pytest.raises(LockedError, match="is a copy, or its lock was deleted"):
        open_campaign(copy, "run", 1).__enter__()
    assert sleeping.process.poll() is None
    as_of_0_5_0(sleeping.work_dir)
    assert living_elsewhere(sleeping.work_dir, events(sleeping.work_dir)) is None
    assert any(str(sleeping.process.pid) in line for line in end(sleeping.work_dir))


def test_a_copy_goes_on_with_jobs_of_its_own(chain: Chain, caplog: Any) -> None:
    chain.go()
    with open_campaign(chain.work_dir, "run", 7) as campaign:
        campaign.journal.append("job_asked", name="md0-original", tasks=[], **JOB)
        campaign.journal.append("job_submitted", name="md0-original", id="1.2.3")
    copy = beside(chain.work_dir, "copy")
    shutil.copytree(chain.work_dir, copy)
    same = Chain(copy)
    assert same.go() == []
    assert f"this is a copy of {chain.work_dir}" in caplog.text
    ids = [event["campaign"] for event in events(copy) if event["event"] == "campaign_started"]
    assert len(set(ids)) == 2
    with open_campaign(copy, "run", 7) as campaign:
        assert campaign.open_jobs() == []
        name = campaign._dispatcher._campaign_id
    assert name == ids[-1]
    with open_campaign(copy, "init_bulk", 7) as campaign:
        assert campaign._dispatcher._campaign_id == ids[-1]
    with open_campaign(chain.work_dir, "run", 7) as campaign:
        assert campaign.open_jobs() == ["md0-original"]
        assert campaign._dispatcher._campaign_id == ids[0]
    assert kill(copy, "run") == []  # it is a campaign of its own by now


@pytest.mark.parametrize("how", ["renamed", "copied and deleted", "seen through a link"])
def test_a_moved_campaign_is_the_same(chain: Chain, how: str) -> None:
    chain.go()
    with open_campaign(chain.work_dir, "run", 7) as campaign:
        campaign.journal.append("job_asked", name="md0-x", tasks=[], **JOB)
    moved = beside(chain.work_dir, "moved")
    if how == "renamed":
        chain.work_dir.rename(moved)
    elif how == "seen through a link":
        moved.symlink_to(chain.work_dir)
    else:
        shutil.copytree(chain.work_dir, moved)
        shutil.rmtree(chain.work_dir)
    assert original_of(moved, events(moved)) is None
    (line,) = kill(moved, "run")
    assert "md0-x" in line
    assert Chain(moved).go() == []


def test_another_campaign_in_the_old_place_is_no_original(chain: Chain) -> None:
    chain.go()
    moved = beside(chain.work_dir, "moved")
    chain.work_dir.rename(moved)
    chain.work_dir.mkdir()
    Chain(chain.work_dir).go()
    assert original_of(moved, events(moved)) is None


def test_a_process_that_does_not_hold_the_lock_is_not_ended(tmp_path: Path) -> None:
    """The journal was forged, or brought from elsewhere."""

    other = subprocess.Popen(["sleep", "100"])
    try:
        with open_campaign(tmp_path, "run", 1) as campaign:
            forged = {**master.myself(), "pid": other.pid, "mark": master.start_mark(other.pid)}
            campaign.journal.append(master.EVENT, command="run", **forged)
            with pytest.raises(PwactError, match="does not hold|try again"):
                kill(tmp_path, "run")
            forged["directory"] = str(tmp_path)
            campaign.journal.append(master.EVENT, command="run", **forged)
            with pytest.raises(PwactError, match="try again"):
                kill(tmp_path, "run")
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()
