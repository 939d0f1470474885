from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.config.resources import ResourceBlock
from pwact.errors import SchedulerError
from pwact.executors import executor_for
from pwact.executors.base import JobPhase, JobSpec, Task, name_suffix
from pwact.executors.local import LocalExecutor
from pwact.executors.processes import own_processes, processes_of, read_process
from pwact.executors.script import render
from pwact.io.files import write_text
from pwact.verdict import DONE

BLOCK = ResourceBlock(name="DFT", command="x", scheduler="local")


@pytest.fixture
def executor(tmp_path):
    made = LocalExecutor(4, kill_wait_s=0.3)
    yield made
    names = {f"test0-{name_suffix('test', str(path), 0, 0)}" for path in tmp_path.iterdir()}
    for process in own_processes():
        if process.job in names:
            os.kill(process.pid, signal.SIGKILL)


def job(directory: Path, command: str) -> JobSpec:
    directory.mkdir(exist_ok=True)
    task = Task(directory, command, lambda path: DONE, "log")
    name = f"test0-{name_suffix('test', str(directory), 0, 0)}"  # other tests may run beside
    spec = JobSpec(name, "test", 0, directory, (task,), BLOCK)
    write_text(spec.script, render(spec, LocalExecutor.dialect))
    return spec


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def living(name):
    return [process.pid for process in own_processes() if process.job == name]


def ended(executor, job_id, name):
    until(lambda: not executor.poll({job_id: name})[job_id].alive)
    return executor.poll({job_id: name})[job_id]


@pytest.mark.parametrize(("command", "word"), [("true", "COMPLETED"), ("false", "FAILED")])
def test_a_job_ends_with_its_word(executor, tmp_path, command, word):
    spec = job(tmp_path / "a b", f"echo out; echo err >&2; {command}")
    job_id = executor.submit(spec)
    states = []
    until(lambda: states.append(executor.poll({job_id: spec.name})[job_id]) or not states[-1].alive)
    assert states[-1].word == word
    text = executor.output_file(spec, job_id).read_text()
    assert "out\n" in text
    assert "err\n" in text
    assert executor.find(spec.name) is None


def test_jobs_side_by_side_get_gpus_of_their_own(executor, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6")
    specs = [job(tmp_path / name, "echo $CUDA_VISIBLE_DEVICES; sleep 60") for name in "ab"]
    specs = [replace(spec, resources=replace(BLOCK, gpu_per_node=1)) for spec in specs]
    jobs = {executor.submit(spec): spec.name for spec in specs}
    until(lambda: all("nodes:" in spec.output.read_text() for spec in specs))
    until(lambda: all(len(spec.output.read_text().splitlines()) > 3 for spec in specs))
    executor.cancel(jobs)
    assert [spec.output.read_text().splitlines()[3] for spec in specs] == ["4", "5"]


def test_room_and_defaults():
    assert LocalExecutor(3).room(1) == 2
    assert LocalExecutor(3).room(5) == 0
    made = executor_for(replace(BLOCK, cpu_per_node=10**6, poll_interval=7.0))
    assert (made.max_parallel_jobs, made.poll_longest_s) == (1, 7.0)
    assert executor_for(BLOCK).max_parallel_jobs == os.cpu_count()
    assert executor_for(replace(BLOCK, max_parallel_jobs=9)).max_parallel_jobs == 9


@pytest.mark.parametrize("wrapper", ["plain", "own session", "clean environment", "deaf"])
def test_cancel_ends_every_process(executor, tmp_path, wrapper):
    script = tmp_path / "wrapper.py"
    script.write_text(
        "import subprocess, sys, signal\n"
        + ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if wrapper == "deaf" else "")
        + "child = subprocess.Popen(\n"
        + f"    {['env', '-i', 'sleep', '61'][0 if wrapper == 'clean environment' else 2 :]},\n"
        + f"    start_new_session={wrapper == 'own session'})\n"
        + "open('pid', 'w').write(str(child.pid) + ' ')\n"
        + "child.wait()\n"
    )
    spec = job(tmp_path / "work", shlex.join([sys.executable, str(script)]))
    job_id = executor.submit(spec)
    pid_file = spec.directory / "pid"
    until(lambda: pid_file.exists() and pid_file.read_text().endswith(" "))
    child = int(pid_file.read_text())
    assert executor.poll({job_id: spec.name})[job_id].phase is JobPhase.RUNNING
    executor.cancel({job_id: spec.name})
    assert living(spec.name) == []
    assert child not in [process.pid for process in own_processes()]
    assert not executor.poll({job_id: spec.name})[job_id].alive


def test_another_master_finds_the_job_and_ends_it(executor, tmp_path):
    spec = job(tmp_path / "work", "sleep 62")
    job_id = executor.submit(spec)
    other = LocalExecutor(4, kill_wait_s=0.3)
    assert other.find(spec.name) == job_id
    assert other.find("test0-other") is None
    assert other.poll({job_id: spec.name})[job_id].alive
    other.cancel({job_id: spec.name})
    assert not other.poll({job_id: spec.name})[job_id].alive
    assert executor.poll({job_id: spec.name})[job_id].word in ("FAILED", "KILLED")


def test_a_pid_that_is_used_again_is_not_the_job(executor, tmp_path):
    spec = job(tmp_path / "work", "sleep 63")
    job_id = executor.submit(spec)
    pid, start, boot = job_id.split(".")
    other = LocalExecutor(4, kill_wait_s=0.3)
    for false_id, name in (
        (f"{pid}.{int(start) + 1}.{boot}", "test0-older"),
        (f"{pid}.{int(start) + 1}", "test0-older"),  # as pwact 0.5.0 wrote it
        (f"{pid}.{start}.an-earlier-start", "test0-older"),
        (job_id, "test0-older"),
        (f"{os.getpid()}.1", "test0-older"),
    ):
        assert not other.poll({false_id: name})[false_id].alive
        other.cancel({false_id: name})
    assert executor.poll({job_id: spec.name})[job_id].alive
    executor.cancel({job_id: spec.name})


def test_a_killed_script_takes_its_programs_with_it(executor, tmp_path):
    spec = job(tmp_path / "work", "sleep 64")
    job_id = executor.submit(spec)
    until(lambda: len(living(spec.name)) >= 3)
    os.kill(int(job_id.partition(".")[0]), signal.SIGKILL)
    state = ended(executor, job_id, spec.name)
    assert living(spec.name) == []
    assert (state.word, state.reason) == ("KILLED", "signal 9") or state.word == "ENDED"


def test_what_a_finished_job_leaves_behind_is_ended(executor, tmp_path):
    spec = job(tmp_path / "work", "setsid sleep 65 &")
    job_id = executor.submit(spec)
    ended(executor, job_id, spec.name)
    assert living(spec.name) == []


def test_jobs_survive_their_master(executor, tmp_path):
    waits = "until [ -e go ]; do sleep 0.02; done; touch out"
    spec = job(tmp_path / "work", waits)
    driver = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.executors.test_local import job\n"
        "from pwact.executors.local import LocalExecutor\n"
        f"spec = job(Path(sys.argv[1]), {waits!r})\n"
        "print(LocalExecutor(1).submit(spec), flush=True)\n"
        "os.killpg(0, 9)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", driver, str(spec.directory)],
        check=False,
        stdout=subprocess.PIPE,
        start_new_session=True,
        timeout=60,
    )
    assert done.returncode == -9
    job_id = done.stdout.decode().strip()
    assert executor.poll({job_id: spec.name})[job_id].alive
    (spec.directory / "go").touch()
    until(lambda: not executor.poll({job_id: spec.name})[job_id].alive)
    assert (spec.directory / "out").exists()


def test_a_directory_that_is_gone(executor, tmp_path):
    spec = job(tmp_path / "work", "true")
    with pytest.raises(SchedulerError, match="cannot be started"):
        executor.submit(replace(spec, directory=tmp_path / "gone"))


def test_a_job_of_an_earlier_start_of_the_machine_is_not_looked_for(executor, tmp_path):
    spec = job(tmp_path / "work", "sleep 67")
    job_id = executor.submit(spec)
    pid, start, _ = job_id.split(".")
    other = LocalExecutor(4, kill_wait_s=0.3)
    assert not other.poll({f"{pid}.{start}.earlier": "x"})[f"{pid}.{start}.earlier"].alive
    assert other.poll({f"{pid}.{start}": spec.name})[f"{pid}.{start}"].alive
    executor.cancel({job_id: spec.name})


@pytest.fixture
def session():
    """Start a session: a leader with a name in its environment, and members of it."""
    started = []

    def start(name, members):
        lines = [f"{'env -i ' if clean else ''}sleep 66 &" for clean in members]
        child = subprocess.Popen(
            ["bash", "-c", "\n".join([*lines, "wait"])],
            env={**os.environ, **({"PWACT_JOB": name} if name else {})},
            start_new_session=True,
        )
        started.append(child)
        until(lambda: len(of_session(child.pid)) == len(members) + 1)
        until(lambda: sum(not one.job for one in of_session(child.pid)) >= sum(members))
        return child

    yield start
    for child in started:
        for process in of_session(child.pid):
            os.kill(process.pid, signal.SIGKILL)
        child.wait()


def of_session(pid):
    return [process for process in own_processes() if process.session == pid]


def test_a_number_alone_is_no_proof(session):
    """As in a journal that was forged, or after the number was given out again."""
    foreign = session("", [True])
    start = read_process(foreign.pid).start
    assert processes_of([("x", foreign.pid, start)]) == {"x": []}
    foreign.kill()
    foreign.wait()  # a missing leader proves nothing either
    assert len(of_session(foreign.pid)) == 1
    assert processes_of([("x", foreign.pid, start - 1)]) == {"x": []}
    other = session("y", [True])
    assert processes_of([("x", other.pid, read_process(other.pid).start)]) == {"x": []}


@pytest.mark.parametrize("dead", [False, True])
def test_a_clean_environment_hides_no_process_of_the_job(session, dead):
    name = f"x{os.getpid()}"  # other tests run beside
    mine = session(name, [True, False])
    start = read_process(mine.pid).start
    if dead:
        mine.kill()
        mine.wait()
    assert processes_of([(name, mine.pid, start)]) == {name: of_session(mine.pid)}
    later = start + 10**6  # of a script that got the number when these processes were there
    assert processes_of([(name, mine.pid, later)])[name] != of_session(mine.pid)


def test_a_child_that_was_not_waited_for_keeps_its_number(session):
    mine = session("x", [True])
    start = read_process(mine.pid).start
    mine.kill()
    until(lambda: len(of_session(mine.pid)) == 1)
    assert processes_of([("x", mine.pid, start)]) == {"x": []}
    assert processes_of([("x", mine.pid, start)], {mine.pid}) == {"x": of_session(mine.pid)}


def test_a_job_that_ends_leaves_no_process_that_cleaned_its_environment(executor, tmp_path):
    spec = job(tmp_path / "work", "env -i sleep 68 &")
    job_id = executor.submit(spec)
    session = int(job_id.partition(".")[0])
    assert not ended(executor, job_id, spec.name).alive
    assert of_session(session) == []
