from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from pwact.errors import LockedError
from pwact.io import lease
from pwact.io.lock import WorkLock
from pwact.io.machine import Machine

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


def test_a_holder_on_another_host_that_gives_no_signs_is_believed(path):
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1}))  # as pwact 0.5.0 left it
    with pytest.raises(LockedError, match="elsewhere.*delete"), WorkLock(path):
        pass
    with WorkLock(path, lambda named: f"{named['host']} burnt down"):
        assert json.loads(path.read_text())["pid"] == os.getpid()


ELSEWHERE = {"host": "elsewhere", "boot": "b2", "id": "m2", "pid": 1, "start": 5}


def left_by(path, **changes):
    """Leave lock and lease of a holder that did not let go."""
    text = json.dumps({**ELSEWHERE, "token": "t", "beat_s": 30.0, **changes})
    path.write_text(text)
    path.with_name("lease").write_text(text)


def no_sleep(seconds):
    raise AssertionError("it waits")


def test_another_host_without_a_sign_of_life_is_dead(path, caplog):
    left_by(path)
    slept = []
    with caplog.at_level(logging.WARNING), WorkLock(path, sleep=slept.append):
        assert json.loads(path.with_name("lease").read_text())["pid"] == os.getpid()
    assert 90 <= sum(slept) <= 120
    assert "taken over from process 1 on elsewhere" in caplog.text
    assert "no sign of life" in caplog.text
    assert sorted(item.name for item in path.parent.iterdir()) == ["lock"]
    assert path.read_text() == ""


def test_another_host_with_a_sign_of_life_lives(path):
    left_by(path)
    place = path.with_name("lease")
    slept = []

    def touch(seconds):
        slept.append(seconds)
        if sum(slept) > 29:
            os.utime(place, ns=(1, len(slept)))

    with pytest.raises(LockedError, match="process 1 on host elsewhere"):
        WorkLock(path, sleep=touch).__enter__()
    assert sum(slept) < 35
    assert json.loads(place.read_text())["host"] == "elsewhere"
    with pytest.raises(LockedError):
        WorkLock(path, patient=False, sleep=no_sleep).__enter__()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"host": "here"}, "started again"),  # another boot id of the same machine
        ({"boot": "b1"}, "process is gone"),  # a container or another name on the same kernel
        ({"host": "here", "boot": "", "id": ""}, "process is gone"),
    ],
)
def test_the_dead_of_this_machine_are_known_at_once(path, monkeypatch, caplog, changes, why):
    monkeypatch.setattr("pwact.io.lock.this_machine", lambda: Machine("here", "b1", "m1"))
    left_by(path, **{"id": "m1", "pid": 2**22 + 1, **changes})
    with caplog.at_level(logging.WARNING), WorkLock(path, sleep=no_sleep):
        pass
    assert why in caplog.text


def test_a_name_is_no_proof_of_life(path, monkeypatch):
    monkeypatch.setattr("pwact.io.lock.this_machine", lambda: Machine("here", "b1", "m1"))
    left_by(path, host="here", id="another machine")
    slept = []
    with WorkLock(path, sleep=slept.append):
        assert slept


def test_a_lock_that_was_deleted_does_not_help_against_the_living(path):
    with WorkLock(path):
        path.unlink()
        with pytest.raises(LockedError, match=str(os.getpid())), WorkLock(path):
            pass
        assert json.loads(path.with_name("lease").read_text())["pid"] == os.getpid()


def test_of_machines_without_common_locks_one_gets_it(path, monkeypatch):
    here = threading.local()
    monkeypatch.setattr("fcntl.flock", lambda *_: None)
    monkeypatch.setattr("pwact.io.lease.changes", lambda *_: True)
    monkeypatch.setattr("pwact.io.lock.this_machine", lambda: Machine(*[here.name] * 3))
    start, done = threading.Barrier(4), threading.Barrier(4)
    taken, refused = [], []

    def work(number):
        here.name = f"host{number}"
        start.wait()
        try:
            with WorkLock(path):
                taken.append(number)
                done.wait()
        except LockedError:
            refused.append(number)
            done.wait()

    for _ in range(20):
        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(taken), len(refused)) == (1, 3)
        del taken[:], refused[:]
    assert sorted(item.name for item in path.parent.iterdir()) == ["lock"]


def test_of_two_that_find_the_same_holder_dead_one_gets_it(path):
    left_by(path)
    dead = json.loads(path.read_text())
    place = path.with_name("lease")
    assert lease.take_away(place, dead)
    first = lease.Lease(place, {"pid": 7})
    assert first.take()
    assert not lease.take_away(place, dead)  # the second comes too late
    assert first.still_mine()
    assert not lease.Lease(place, {"pid": 8}).take()


def test_a_lease_that_is_put_back_takes_the_place_of_no_other(path, monkeypatch):
    place = path.with_name("lease")
    first, third = lease.Lease(place, {"pid": 7}), lease.Lease(place, {"pid": 9})
    assert first.take()
    real = lease.holder

    def read(aside):
        assert third.take()  # comes while the lease of the first one is looked at
        return real(aside)

    monkeypatch.setattr(lease, "holder", read)
    assert not lease.take_away(place, {"pid": 1})
    assert third.still_mine()
    assert sorted(item.name for item in path.parent.iterdir()) == ["lease"]


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize("text", ["", "{", "7"])
def test_a_lease_that_a_crash_damaged_is_watched_and_taken_away(path, text, patient):
    path.with_name("lease").write_text(text)
    slept = []
    with WorkLock(path, patient=patient, sleep=slept.append):
        assert json.loads(path.with_name("lease").read_text())["pid"] == os.getpid()
    assert sum(slept) > 90
    path.with_name("lease").write_text(text)
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1}))
    with WorkLock(path, sleep=no_sleep):
        pass


def test_who_was_taken_for_dead_stops(path):
    with WorkLock(path) as lock:
        lock.demand()
        path.with_name("lease").unlink()
        lock.demand()  # nobody else: it is made again
        left_by(path)
        with pytest.raises(LockedError, match="taken over by process 1 on host elsewhere"):
            lock.demand()
    assert json.loads(path.with_name("lease").read_text())["host"] == "elsewhere"
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_the_holder_gives_signs_of_life(path, monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.01)
    with WorkLock(path):
        assert lease.changes(path.with_name("lease"), lambda _: time.sleep(0.1))
    assert not path.with_name("lease").exists()


def test_a_copy_is_not_locked(path, tmp_path, caplog):
    with WorkLock(path):
        shutil.copytree(path.parent, tmp_path / "copy" / ".pwact")
        with caplog.at_level(logging.WARNING), WorkLock(tmp_path / "copy" / ".pwact" / "lock"):
            pass
        assert "copied from" in caplog.text
        with pytest.raises(LockedError), WorkLock(path):
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
