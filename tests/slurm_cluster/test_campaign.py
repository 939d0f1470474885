"""Whole campaigns through the command line on a real SLURM: same bytes, inside a job, killed."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pwact import layout
from pwact.errors import EXIT_DONE, EXIT_FAILED
from pwact.executors.cancel import open_jobs
from pwact.executors.processes import read_process
from pwact.io.journal import Journal
from tests.faults import assert_read, fault
from tests.requirements import need_program, need_root
from tests.workflow import small_campaign

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]

PWACT = str(Path(__file__).parents[2] / "bin" / "pwact")
RUN = (sys.executable, PWACT, "run", "param.json", "resource.json")
KILL = (sys.executable, PWACT, "kill", "run")


def write_inputs(work_dir: Path, **changes) -> Path:
    """Inputs of the small campaign for SLURM; `changes` go into every block."""
    small_campaign.write_inputs(work_dir)
    path = work_dir / "resource.json"
    resource = json.loads(path.read_text())
    resource.update(scheduler="slurm", queue_name="cpu", poll_interval=0.4)
    for name in ("train", "explore", "DFT"):
        resource[name].update(changes.get(name, {}))
    path.write_text(json.dumps(resource))
    return work_dir


def start(words, work_dir) -> subprocess.Popen:
    """Start without a terminal."""
    return subprocess.Popen(
        words,
        cwd=work_dir,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def end(words, work_dir) -> tuple[int, str]:
    process = start(words, work_dir)
    said = process.communicate(timeout=300)[0]
    return process.returncode, said


def journal(work_dir) -> Journal:
    return Journal(work_dir / layout.STATE_DIR / layout.JOURNAL)


@pytest.fixture
def endless(cluster, tmp_path):
    """A campaign whose trainings last until they are ended."""
    need_program("lmp")
    made = write_inputs(tmp_path / "work", train={"command": "touch begun; sleep 100; lmp"})
    yield made
    cluster.run("scancel", "--user=root")


def wait_for_jobs(cluster, work_dir):
    def all_begun():
        return len(list(work_dir.glob("iter.0000/00.train/*/begun"))) == 3

    cluster.wait(all_begun)
    cluster.wait(lambda: all(job.id for job in open_jobs(journal(work_dir))))


def living(cluster):
    return cluster.run("squeue", "-h", "-o", "%j").split()


@fault("kill without a terminal")
def test_kill_without_a_terminal(cluster, endless):
    master = start(RUN, endless)
    wait_for_jobs(cluster, endless)
    status, said = end(KILL, endless)
    master.communicate(timeout=180)
    assert (status, master.returncode) == (EXIT_DONE, 3)
    assert_read("kill without a terminal", said.replace("train", "scf"))
    assert said.count(": cancelled") == 3
    assert living(cluster) == []
    assert open_jobs(journal(endless)) == []


@fault("kill when pwact is dead")
@fault("kill while slurmctld is down")
def test_kill_when_pwact_is_dead(cluster, endless):
    master = start(RUN, endless)
    wait_for_jobs(cluster, endless)
    os.killpg(master.pid, signal.SIGKILL)
    master.communicate(timeout=180)
    cluster.stop_controller()
    status, said = end(KILL, endless)
    cluster.start_controller()
    assert status == EXIT_FAILED
    assert_read("kill while slurmctld is down", said)
    assert len(open_jobs(journal(endless))) == 3
    status, said = end(KILL, endless)
    assert status == EXIT_DONE
    assert_read("kill when pwact is dead", said.replace("train", "scf"))
    assert said.count(": cancelled") == 3
    assert living(cluster) == []


def submit_master(cluster, work_dir, text="", *more) -> str:
    """Run pwact inside a job of its own; return that job's id."""
    script = work_dir / "master.sh"
    script.write_text(f"#!/bin/bash\n{text or shlex.join(RUN)}\necho status $?\n")
    output = f"{work_dir}/master.out".replace("%", "%%")  # as sbatch wants it
    options = ("--parsable", f"--chdir={work_dir}", f"--output={output}", *more)
    return cluster.run("sbatch", *options, "--job-name=master", str(script)).strip()


@fault("kill of a pwact inside a job")
def test_kill_of_a_pwact_inside_a_job(cluster, endless):
    job_id = submit_master(cluster, endless)
    wait_for_jobs(cluster, endless)
    pid = (endless / layout.PID).read_text().split()
    assert (pid[0], pid[2:]) == ("pid", ["job", job_id])
    status, said = end(KILL, endless)
    assert status == EXIT_DONE, said
    assert_read("kill of a pwact inside a job", said)
    assert f"job {job_id} ended" in said
    assert said.count(": cancelled") == 3
    assert living(cluster) == []
    assert not (endless / layout.PID).exists()
    time.sleep(0.2)
    assert end(KILL, endless)[0] == EXIT_DONE


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Results of the same campaign on this machine."""
    need_program("lmp")
    work_dir = tmp_path_factory.mktemp("local") / "work"
    small_campaign.write_inputs(work_dir)
    small_campaign.run(work_dir)
    return small_campaign.results(work_dir)


def test_a_whole_run_inside_a_job(cluster, expected, tmp_path):
    work_dir = write_inputs(tmp_path / "inside a job")
    job_id = submit_master(cluster, work_dir)
    output = work_dir / "master.out"
    cluster.wait(lambda: output.exists() and "\nstatus " in output.read_text(), 400)
    assert output.read_text().endswith("status 0\n"), output.read_text()
    assert f"job {job_id}" not in (work_dir / "pwact.log").read_text()
    assert small_campaign.results(work_dir) == expected
    assert not (work_dir / small_campaign.TWICE).exists()


@pytest.fixture
def waiting(cluster, tmp_path):
    """A campaign whose trainings, on the node of its own partition, wait for the file ``go``."""
    need_program("lmp")
    need_root("other hosts")
    work_dir = tmp_path / "in a job"
    hold = "touch begun; while [ ! -e ../../../go ]; do sleep 0.1; done; lmp"
    write_inputs(work_dir, train={"command": hold})
    resource = json.loads((work_dir / "resource.json").read_text())
    (work_dir / "resource.json").write_text(json.dumps({**resource, "queue_name": "gpu"}))
    yield work_dir
    cluster.run("scancel", "--user=root")


def on_hosts_of_their_own(*words: str) -> str:
    """Shell text that runs a command on a host with a start of its own.

    It has the name of the node, or that of the variable OTHER.
    """
    inner = """
hostname "${OTHER:-$SLURMD_NODENAME}"
hostname > "boot-$(hostname)"
mount --bind "boot-$(hostname)" /proc/sys/kernel/random/boot_id
exec "$@"
"""
    return shlex.join(["unshare", "--uts", "--mount", "bash", "-ec", inner, "bash", *words])


NO_LOCKS = """
import fcntl
import pwact.io.lease
fcntl.flock = lambda *_: None
pwact.io.lease.BEAT_S = 3.0
"""


@fault("two masters at once")
def test_of_masters_on_two_hosts_without_common_locks_one_works(cluster, expected, waiting):
    """The other is refused; when the first is killed, it goes on with its jobs."""
    site = waiting.parent / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NO_LOCKS)
    path = f"export PYTHONPATH={shlex.quote(f'{site}:{Path(PWACT).parents[1]}')}"

    def on(host: str) -> subprocess.Popen:
        text = f"{path} OTHER={host}\nexec {on_hosts_of_their_own(*RUN)}"
        return start(["bash", "-c", text], waiting)

    both = {host: on(host) for host in ("one", "two")}
    wait_for_jobs(cluster, waiting)
    cluster.wait(lambda: any(process.poll() is not None for process in both.values()))
    (refused,) = [host for host, process in both.items() if process.poll() is not None]
    said = both[refused].communicate()[0]
    assert_read("two masters at once", said)
    (first,) = masters(waiting)
    assert first["host"] in said
    assert {first["host"], refused} == {"one", "two"}
    os.kill(first["pid"], signal.SIGKILL)
    both[first["host"]].communicate(timeout=180)
    heir = on(refused)
    cluster.wait(lambda: len(masters(waiting)) == 2)
    (waiting / "go").touch()
    assert "no sign of life" in heir.communicate(timeout=300)[0]
    assert heir.returncode == EXIT_DONE
    assert small_campaign.results(waiting) == expected
    assert not (waiting / small_campaign.TWICE).exists()


def masters(work_dir) -> list[dict]:
    return [event for event in journal(work_dir).events() if event["event"] == "master_started"]


def start_again(cluster, work_dir, job_id):
    """Let a requeued job start at once, not in some minutes, when its processes are gone."""
    pid = masters(work_dir)[-1]["pid"]
    cluster.wait(lambda: "PD" in cluster.run("squeue", "-h", "-j", job_id, "-o", "%t"))
    cluster.wait(lambda: read_process(pid) is None)
    time.sleep(1.0)  # let the first run's end arrive, or SLURM takes it for the second's
    cluster.run("scontrol", "update", f"jobid={job_id}", "StartTime=now")


@fault("pwact inside a job that is requeued")
@pytest.mark.parametrize("how", ["requeue", "node"])
def test_a_requeued_master_goes_on(cluster, expected, waiting, how):
    """By hand, when it is told to stop; or because its node died, and then on another host."""
    job_id = submit_master(cluster, waiting, on_hosts_of_their_own(*RUN), "--requeue")
    wait_for_jobs(cluster, waiting)
    (first,) = masters(waiting)
    assert first["host"] in ("c1", "c2", "c3")
    if how == "requeue":
        cluster.run("scontrol", "requeue", job_id)
    else:
        cluster.kill_node(first["host"])
        os.kill(first["pid"], signal.SIGKILL)
    start_again(cluster, waiting, job_id)
    cluster.wait(lambda: len(masters(waiting)) == 2)
    (waiting / "go").touch()
    output = waiting / "master.out"
    cluster.wait(lambda: "\nstatus 0\n" in output.read_text(), 400)
    if how == "node":
        cluster.start_node(first["host"])
        assert masters(waiting)[1]["host"] != first["host"]
        assert_read("pwact inside a job that is requeued", (waiting / "pwact.log").read_text())
    assert small_campaign.results(waiting) == expected
    assert not (waiting / small_campaign.TWICE).exists()
    assert (
        len([event for event in journal(waiting).events() if event["event"] == "job_asked"]) == 10
    )
