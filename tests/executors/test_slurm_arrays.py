"""Job arrays, and limits to the number of jobs."""

from __future__ import annotations

import pytest

from pwact.executors.base import ArrayRefusedError, JobSpec
from pwact.executors.slurm import SlurmExecutor
from tests.executors.fake_slurm import refused, slurm_bench
from tests.faults import assert_read, fault


@pytest.fixture
def bench(tmp_path):
    return slurm_bench(tmp_path / "work dir")


@pytest.mark.parametrize(
    ("use_array", "tasks", "arrays"),
    [("auto", 9, 0), ("auto", 10, 1), ("false", 30, 0), ("true", 2, 1), ("auto", 1200, 2)],
)
def test_arrays(bench, monkeypatch, use_array, tasks, arrays):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    bench.executor.use_array = use_array
    results = list(bench.run(bench.tasks(tasks)))
    assert len(results) == tasks
    assert all(result.verdict.done for result in results)
    calls = [words for words in bench.slurm.calls if words[0] == "sbatch"]
    assert len(calls) == (arrays or tasks)
    assert len([words for words in calls if any("--array=" in word for word in words)]) == arrays
    if tasks == 1200:
        assert calls[1][5:7] == ["--open-mode=append", "--array=0-199"]
        place = str(bench.directory).replace("%", "%%")  # as sbatch wants it
        assert calls[1][4] == f"--output={place}/1%3a-scf.out"
        wrapper = (bench.directory / "1-scf.array").read_text()
        assert "$((1000 + SLURM_ARRAY_TASK_ID))-scf.job" in wrapper


def test_an_array_keeps_to_max_jobs_in_queue(bench):
    bench.executor.max_jobs = 4
    assert len(list(bench.run(bench.tasks(12)))) == 12
    (submitted,) = [words for words in bench.slurm.calls if words[0] == "sbatch"]
    assert "--array=0-11%4" in submitted


def test_max_jobs_in_queue_without_arrays(bench):
    bench.executor.max_jobs, bench.executor.use_array = 3, "false"
    live = []
    real = bench.slurm._squeue

    def squeue(words):
        answer = real(words)
        over = ("COMPLETED", "FAILED")
        live.append(sum(job.step[0] not in over for job in bench.slurm.jobs.values()))
        return answer

    bench.slurm._squeue = squeue
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert max(live) == 3


@fault("MaxArraySize")
def test_refused_arrays_become_single_jobs(bench, caplog):
    bench.slurm.sbatch = [
        refused("sbatch: error: Batch job submission failed: Invalid job array specification")
    ]
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert bench.slurm.count("sbatch") == 13
    assert_read("MaxArraySize", caplog.text)
    assert len(bench.events("job_asked")) == 12


def test_a_directory_with_a_backslash_takes_no_array(bench):
    bench.directory = bench.root / "a\\b"
    bench.directory.mkdir()
    executor = bench.executor
    specs = [
        JobSpec(f"scf{group}-0123456789ab", "scf", group, bench.directory, (), bench.block)
        for group in range(2)
    ]
    with pytest.raises(ArrayRefusedError, match="backslash"):
        executor.submit_array(specs)


@fault("an array over a limit")
def test_an_array_over_the_limit_is_halved(bench, caplog):
    limit = refused("sbatch: error: QOSMaxSubmitJobPerUserLimit")
    bench.slurm.sbatch = [limit, limit]
    assert len(list(bench.run(bench.tasks(40)))) == 40
    arrays = [words[6] for words in bench.slurm.calls if words[0] == "sbatch"]
    assert arrays == [
        "--array=0-39",
        "--array=0-19",
        "--array=0-9",
        "--array=10-19",
        "--array=20-39",
    ]
    assert_read("an array over a limit", caplog.text)


def test_a_lost_array_is_found_with_one_call(bench):
    def lost(words):
        bench.slurm.accept(words)
        raise KeyboardInterrupt

    bench.slurm.sbatch = [lost]
    with pytest.raises(KeyboardInterrupt):
        list(bench.run(bench.tasks(12)))
    slurm = bench.slurm
    bench = bench.restarted()
    slurm.bench, slurm.calls = bench, []
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert slurm.count("sbatch") == 0
    searches = [words for words in slurm.calls if any("--name=" in word for word in words)]
    assert [words[0] for words in searches] == ["squeue", "sacct"]


@pytest.mark.parametrize(
    ("use_array", "max_jobs", "waiting", "live", "size"),
    [
        ("auto", None, 9, 0, 1),
        ("auto", None, 10, 500, 10),
        ("auto", None, 5000, 0, 1000),
        ("auto", 4, 500, 0, 500),
        ("auto", 4, 500, 1, 3),  # an array limits its own parts only
        ("auto", 4, 500, 4, 1),
        ("true", 4, 2, 0, 2),
        ("false", None, 500, 0, 1),
    ],
)
def test_the_size_of_an_array(use_array, max_jobs, waiting, live, size):
    assert SlurmExecutor(max_jobs, use_array).array_size(waiting, live) == size
