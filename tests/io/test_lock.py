from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys

import pytest

from pwact.errors import LockedError
from pwact.io.lock import WorkLock

HOLD = """
import sys
from pathlib import Path
from pwact.io.lock import WorkLock
with WorkLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / ".pwact").mkdir()
    return tmp_path / ".pwact" / "lock"


def test_a_second_master_is_refused_and_a_dead_one_succeeded(path, caplog):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    with pytest.raises(LockedError) as error, WorkLock(path):
        pass
    assert str(process.pid) in str(error.value)
    assert socket.gethostname() in str(error.value)
    assert str(path.parent.parent) in str(error.value)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    with caplog.at_level(logging.WARNING), WorkLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert f"taken over from process {process.pid}" in caplog.text


def test_letting_go_leaves_no_notice(path, caplog):
    for _ in range(2):
        with WorkLock(path):
            pass
    assert caplog.text == ""


def test_a_holder_on_another_host_is_believed(path):
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with pytest.raises(LockedError, match="elsewhere.*delete"), WorkLock(path):
        pass


def test_without_locks_the_living_process_is_believed(path, monkeypatch):
    def refuse(handle, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with WorkLock(path), pytest.raises(LockedError), WorkLock(path):
        pass
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1}))
    with WorkLock(path):
        pass
