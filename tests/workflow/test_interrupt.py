"""Signals and two masters, through the command line, on the small real campaign."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_STOPPED
from pwact.executors.processes import own_processes
from pwact.io.journal import Journal
from tests.faults import assert_read, fault
from tests.requirements import need_program
from tests.workflow import small_campaign

PWACT = str(Path(__file__).parents[2] / "bin" / "pwact")
RUN = ("run", "param.json", "resource.json")


@pytest.fixture
def work_dir(tmp_path):
    """A campaign whose trainings last until they are ended."""
    need_program("lmp")
    path = tmp_path / "work"
    small_campaign.write_inputs(path)
    resource = json.loads((path / "resource.json").read_text())
    resource["train"]["command"] = "sleep 100; lmp"
    (path / "resource.json").write_text(json.dumps(resource))
    return path


def pwact(work_dir, *words):
    return subprocess.Popen(
        [sys.executable, PWACT, *words],
        cwd=work_dir,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def events(work_dir):
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()


def living(work_dir):
    names = {event["name"] for event in events(work_dir) if event["event"] == "job_asked"}
    return [process for process in own_processes() if process.job in names]


def wait_for_jobs(work_dir, master):
    end = time.monotonic() + 60
    while sum(event["event"] == "job_submitted" for event in events(work_dir)) < 2:
        assert master.poll() is None, master.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


@fault("two masters at once")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, EXIT_STOPPED)]
)
def test_a_signal_stops_the_master_only_and_kill_ends_the_rest(work_dir, number, code):
    master = pwact(work_dir, *RUN)
    wait_for_jobs(work_dir, master)

    second = pwact(work_dir, *RUN)
    said = second.communicate(timeout=300)[1]
    assert second.returncode == EXIT_FAILED
    assert_read("two masters at once", said)
    assert str(master.pid) in said
    assert os.uname().nodename in said
    assert "Traceback" not in said
    assert master.poll() is None

    master.send_signal(number)
    said = master.communicate(timeout=300)[1]
    assert master.returncode == code, said
    assert "Traceback" not in said
    names = [event["name"] for event in events(work_dir) if event["event"] == "job_asked"]
    assert len(names) == 2
    assert all(name in said for name in names)
    assert len(living(work_dir)) >= 4
    assert not (work_dir / layout.PID).exists()

    ended = pwact(work_dir, "kill", "run")
    told = ended.communicate(timeout=300)[0]
    assert ended.returncode == EXIT_DONE
    assert all(name in told for name in names)
    assert living(work_dir) == []


def test_kill_ends_a_living_master_and_its_jobs(work_dir):
    master = pwact(work_dir, *RUN)
    wait_for_jobs(work_dir, master)
    ended = pwact(work_dir, "kill", "RUN")
    told = ended.communicate(timeout=300)[0]
    assert ended.returncode == EXIT_DONE
    assert str(master.pid) in told
    master.communicate(timeout=300)
    assert master.returncode == EXIT_STOPPED
    assert living(work_dir) == []
    again = pwact(work_dir, "kill", "run")
    assert "nothing" in again.communicate(timeout=300)[0]
    assert again.returncode == EXIT_DONE
