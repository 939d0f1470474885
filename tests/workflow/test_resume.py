"""A real campaign that is killed at every journal line ends as the undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pwact import layout
from pwact.executors.processes import own_processes
from pwact.io.journal import Journal
from tests.workflow import killing_driver, small_campaign

ROOT = Path(__file__).parents[2]
PLANS = ("after", "before", "random")


def events(work_dir):
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def test_undisturbed_it_does_what_it_should(undisturbed):
    results = small_campaign.results(undisturbed)
    assert len(results) == 5
    picked = results["iter.0000/01.explore/select/candidate.csv"].decode().splitlines()[1:]
    assert len(picked) == 4
    lattices = results["iter.0000/02.label/result/train.xyz"].decode().count("Lattice=")
    assert lattices == 4
    assert not (undisturbed / "PID").exists()
    assert (undisturbed / "al.record").read_text() == "\n0 0\n0 1\n0 2\n1 0"
    assert (
        (undisturbed / "iter_select.txt").read_text().startswith("iter.0000  Total structures 44")
    )
    check_work_done_once(undisturbed)


def test_a_second_start_does_nothing(undisturbed):
    before = events(undisturbed)
    stamps = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.is_file()}
    small_campaign.run(undisturbed)
    later = events(undisturbed)[len(before) :]
    assert [event["event"] for event in later] == ["master_started", "master_ended"]
    changed = [path for path, stamp in stamps.items() if path.stat().st_mtime_ns != stamp]
    assert {path.name for path in changed} <= {layout.JOURNAL, layout.LOCK}


@pytest.mark.slow
@pytest.mark.parametrize("plan", PLANS)
def test_killed_at_every_line_it_ends_the_same(undisturbed, tmp_path, plan):
    """Each time the jobs die or live on as a seed decides, another one in each plan."""
    check_killed(undisturbed, tmp_path, plan, "either", PLANS.index(plan))


@pytest.mark.slow
@pytest.mark.spread
@pytest.mark.thorough
@pytest.mark.parametrize("jobs", ["keep", "kill"])
@pytest.mark.parametrize("plan", PLANS)
def test_killed_at_every_line_whatever_becomes_of_the_jobs(undisturbed, tmp_path, plan, jobs):
    check_killed(undisturbed, tmp_path, plan, jobs, 3)


def check_killed(undisturbed, tmp_path, plan, jobs, seed):
    driver = subprocess.run(
        [sys.executable, "-m", "tests.workflow.killing_driver", tmp_path, plan, jobs, str(seed)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr
    told = json.loads(driver.stdout)
    campaigns = [tmp_path / str(number) for number in range(told["campaigns"])]
    if plan == "random":
        assert told["kills"] == 20
    else:
        assert len(campaigns) == 1
        died_at = set((campaigns[0] / killing_driver.SEEN).read_text().splitlines())
        lines = set(killing_driver.sorts(events(undisturbed)))
        assert len(lines) >= 30
        assert lines - died_at == set()
        assert told["kills"] >= 30
    assert told["left"] == 0
    for work_dir in campaigns:
        assert small_campaign.results(work_dir) == small_campaign.results(undisturbed)
        check_work_done_once(work_dir)
        check_stages_done_once(work_dir)
        if plan != "random" and jobs == "keep":  # nobody died while writing a file
            assert list(work_dir.rglob(".*.tmp")) == []


def test_a_copied_campaign_is_still_whole(undisturbed, tmp_path):
    copy = tmp_path / "another 'place"
    shutil.copytree(undisturbed, copy, symlinks=True)
    for expected in (["campaign_started"], []):
        before = len(events(copy))
        small_campaign.run(copy)
        new = [event["event"] for event in events(copy)[before:]]
        assert new == [*expected, "master_started", "master_ended"]


def check_work_done_once(work_dir):
    """No program was started again where its result lay already."""
    twice = work_dir / small_campaign.TWICE
    assert not twice.exists(), twice.read_text()
    names = {event["name"] for event in events(work_dir) if event["event"] == "job_asked"}
    assert not [process for process in own_processes() if process.job in names]


def check_stages_done_once(work_dir):
    done = Counter(event["name"] for event in events(work_dir) if event["event"] == "stage_done")
    assert set(done.values()) == {1}
    assert len(done) == 5
