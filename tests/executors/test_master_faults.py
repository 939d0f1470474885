"""Faults of the master and of its files, with the answers of a fake SLURM."""

from __future__ import annotations

import subprocess
import time

import pytest

from pwact.io.journal import Journal
from tests.executors.conftest import Bench
from tests.executors.fake_slurm import slurm_bench
from tests.faults import assert_read, fault


class KilledError(BaseException):
    """The master dies here."""


@pytest.fixture
def bench(tmp_path):
    return slurm_bench(tmp_path / "work dir")


def killed(bench, sbatch):
    """Run until the master dies in its first sbatch; return the bench of the next start."""
    bench.slurm.sbatch = [sbatch]
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(1)))
    return again(bench)


def again(bench: Bench) -> Bench:
    slurm, bench = bench.slurm, bench.restarted()
    bench.slurm, slurm.bench = slurm, bench
    return bench


def in_the_sbatch(bench, accepted):
    def sbatch(words):
        if accepted:
            bench.slurm.accept(words)
        raise KilledError

    return sbatch


def finished_once(bench, jobs=1):
    (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(bench.slurm.jobs) == jobs
    return len(bench.events("job_asked"))


@fault("killed between sbatch and its record")
@pytest.mark.parametrize("accepted", [True, False])
def test_killed_between_sbatch_and_its_record(bench, caplog, accepted):
    bench = killed(bench, in_the_sbatch(bench, accepted))
    assert finished_once(bench) == (1 if accepted else 2)
    assert (bench.clock() >= bench.executor.grace_s) is not accepted
    assert_read("killed between sbatch and its record", caplog.text)


@fault("killed while sbatch still tries")
def test_an_sbatch_that_outlived_its_master_is_ended(bench, caplog):
    left = []

    def sbatch(words):
        name = next(word for word in words if word.startswith("--job-name="))
        left.append(subprocess.Popen(["bash", "-c", "sleep 200; true", "sbatch", name]))
        raise KilledError

    bystander = subprocess.Popen(["bash", "-c", "sleep 200; true", "sbatch", "--job-name=scf0-0"])
    try:
        bench = killed(bench, sbatch)
        bench.clock.now += 1000.0  # the next start is late: nothing is waited for any more
        assert finished_once(bench) == 2
        assert left[0].wait(60) == -9
        assert bystander.poll() is None
    finally:
        for process in (bystander, *left):
            process.kill()
            process.wait()
    assert_read("killed while sbatch still tries", caplog.text)


@fault("killed while writing the journal")
@pytest.mark.parametrize("event", ["job_asked", "job_submitted", "job_ended"])
def test_a_torn_last_line(bench, caplog, event):
    real = bench.journal._write

    def write(text):
        if event.encode() in text:
            real(text[: len(text) // 2])
            raise KilledError
        real(text)

    bench.journal._write = write
    with pytest.raises(KilledError):
        list(bench.run(bench.tasks(1)))
    assert not bench.journal.path.read_bytes().endswith(b"\n")
    bench = again(bench)
    finished_once(bench)
    assert_read("killed while writing the journal", caplog.text)
    events = [one["event"] for one in Journal(bench.journal.path).events()]
    assert events.count("job_asked") == events.count("job_submitted") == 1


@fault("clock set back")
def test_a_clock_that_was_set_back(bench, caplog):
    bench.journal._clock = lambda: time.time() + 1e6
    bench = killed(bench, in_the_sbatch(bench, accepted=False))
    assert finished_once(bench) == 2
    assert bench.executor.grace_s <= bench.clock() < 300
    assert_read("clock set back", caplog.text)


@fault("unreadable tag")
def test_a_tag_that_is_none(bench, caplog):
    (task,) = bench.tasks(1)
    for name in ("tag.scf.success", "tag.scf.failed"):
        (task.directory / name / "x").mkdir(parents=True)
    finished_once(bench)
    assert_read("unreadable tag", caplog.text)
