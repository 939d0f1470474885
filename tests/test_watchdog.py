"""The test suite ends by itself, and names the test, whatever a test does.

Each test runs a small suite of its own below the watchdog, as bin/test does with this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import ROOT

LONG = "3600"


@pytest.fixture
def suite(tmp_path):
    """Runs a suite of the given text; returns the exit code and what was printed."""
    started = []

    def run(text: str, *words: str, limits: tuple[str, ...] = ()) -> tuple[int, str]:
        folder = tmp_path / "a suite"
        folder.mkdir(exist_ok=True)
        heading = "import os, signal, subprocess, sys, time\n"
        (folder / "test_it.py").write_text(heading + text, encoding="utf-8")
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        pytest_words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.running"]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PIDS": str(tmp_path / "pids")}
        process = subprocess.Popen(
            [sys.executable, ROOT / "tests/watchdog.py", *limits]
            + [sys.executable, *pytest_words, *words],
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        said = process.communicate()[0]  # until the last process has let go of the pipe
        return process.returncode, said

    yield run
    for process in started:
        process.kill()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]


STUBBORN = f"""
def test_good():
    pass

def test_stubborn():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep({LONG})
        except BaseException:
            pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_test_that_ignores_every_end_is_ended_and_named_with_its_place(suite, workers):
    code, said = suite(STUBBORN, "-n", workers, limits=("--test-s", "2"))
    assert code == 1
    assert "test_it.py::test_stubborn ran for more than 2 s" in said
    assert "in test_stubborn" in said, "the stack"


def test_pytest_ends_a_test_at_its_own_limit_and_goes_on(suite):
    text = f"def test_sleeper():\n    time.sleep({LONG})\ndef test_next():\n    pass\n"
    code, said = suite(text, "-n", "1", "--timeout=1", "-o", "timeout_method=signal")
    assert code == 1
    assert "FAILED test_it.py::test_sleeper" in said
    assert "1 failed, 1 passed" in said


def test_a_worker_that_is_killed_is_a_failure_with_its_test(suite):
    text = "def test_killed():\n    os.kill(os.getpid(), 9)\ndef test_next():\n    pass\n"
    code, said = suite(text, "-n", "2")
    assert code == 1
    assert "test_it.py::test_killed" in said
    assert "died in" in said


def test_a_killed_pytest_is_a_failure_with_its_test(suite):
    code, said = suite("def test_killed():\n    os.kill(os.getpid(), 9)\n")
    assert code == 1
    assert "died in test_it.py::test_killed" in said


LOST = f"""
def test_lost():
    if os.fork() == 0:  # holds what the worker's parent reads from
        time.sleep({LONG})
    os._exit(1)
"""


def test_a_dead_worker_that_others_wait_for_is_a_failure_with_its_test(suite):
    code, said = suite(LOST, "-n", "2", limits=("--idle-s", "5"))
    assert code == 1
    assert "for 5 s no test ran, and pytest did not end" in said
    assert "died in test_it.py::test_lost" in said


def test_a_child_that_holds_the_output_open_is_ended(suite, tmp_path):
    text = f"""
def test_parent():
    child = subprocess.Popen(["sleep", "{LONG}"], start_new_session=True)
    open(os.environ["PIDS"], "w").write(str(child.pid))
"""
    code, said = suite(text, "-s")
    assert code == 0
    assert "ended 1 left-over process(es)" in said
    assert not is_there(int((tmp_path / "pids").read_text(encoding="utf-8")))


def test_a_hung_test_is_ended_with_children_that_know_nothing_of_it(suite, tmp_path):
    text = f"""
def test_parent():
    child = subprocess.Popen(["sleep", "{LONG}"], start_new_session=True, env={{}})
    open(os.environ["PIDS"], "w").write(str(child.pid))
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    child.wait()
"""
    code, said = suite(text, "-s", limits=("--test-s", "2"))
    assert code == 1
    assert "test_it.py::test_parent ran for more than 2 s" in said
    assert not is_there(int((tmp_path / "pids").read_text(encoding="utf-8")))


def test_a_module_that_hangs_when_it_is_collected_is_named(suite):
    code, said = suite(f"time.sleep({LONG})\n", limits=("--test-s", "2"))
    assert code == 1
    assert "test_it.py (collecting) ran for more than 2 s" in said


def test_all_of_it_has_a_limit(suite):
    text = """
import pytest
@pytest.mark.parametrize("n", range(999))
def test_one(n):
    time.sleep(1)
"""
    for total_s in ("3", "10", "60"):  # a busy machine takes its time before the first test
        code, said = suite(text, limits=("--total-s", total_s))
        assert code == 1
        assert f"the tests took more than {total_s} s" in said
        if "test_it.py::test_one[" in said:
            return
    pytest.fail(f"no test was named: {said}")


@pytest.mark.parametrize(
    ("text", "expected"), [("def test():\n    pass", 0), ("def test():\n    assert 0", 1), ("", 5)]
)
def test_else_the_exit_code_is_that_of_pytest(suite, text, expected):
    code, said = suite(text)
    assert code == expected
    assert "watchdog" not in said


def test_the_watchdog_takes_all_with_it_when_it_is_ended(suite, tmp_path):
    text = f"""
def test_it():
    open(os.environ["PIDS"], "w").write(str(os.getpid()))
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep({LONG})
"""
    code, _ = suite(text)
    assert code == 128 + 15
    assert not is_there(int((tmp_path / "pids").read_text(encoding="utf-8")))
