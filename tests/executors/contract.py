"""What every executor must do; run for each of them with the real thing."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pwact.executors.base import JobPhase
from pwact.executors.cancel import cancel_jobs, open_jobs

NAMES = ["a 0", "a'; echo x", "line\nbreak", "öß $HOME", "Ag50%Au50", "a\\b%j\\"]

DIES = """
import os, sys
from dataclasses import replace
from pathlib import Path
from pwact.executors import executor_for
from pwact.executors.dispatcher import Dispatcher
from tests.executors.conftest import Bench
bench = Bench(Path(sys.argv[1]))
block = replace(bench.block, scheduler=sys.argv[2], queue_name="", max_parallel_jobs=4)
executor = executor_for(block)
executor.trusts_records = False
if sys.argv[3] == "unrecorded":
    real = executor.submit
    def submit(spec):
        real(spec)
        os.killpg(0, 9)
    executor.submit = submit
else:
    executor.poll = lambda jobs: os.killpg(0, 9)
command = "echo x >> runs; sleep 1; echo done > out"
list(Dispatcher(bench.journal, sys.argv[1], lambda _: executor).run(
    "scf", bench.directory, bench.tasks(2, command), block))
"""


class ExecutorContract:
    """Subclasses give the fixtures `bench` (with the real executor and block)."""

    def test_success_in_directories_of_any_name(self, bench):
        for name in NAMES:
            (bench.root / name).mkdir()
            bench.directory = bench.root / name
            tasks = bench.tasks(2, "echo x >> runs; echo done > out")
            results = list(bench.run(tasks, real_time=True, group_size=2, parallel_num=2))
            assert [result.verdict.done for result in results] == [True, True]
            assert [(task.directory / "runs").read_text() for task in tasks] == ["x\n"] * 2
        assert open_jobs(bench.journal) == []

    def test_a_failing_task_is_tried_four_times_and_explained(self, bench):
        good = bench.tasks(2)[0]
        bad = bench.tasks(2, "echo x >> runs; echo ERROR 42 > log; exit 3")[1]
        results = list(bench.run([good, bad], real_time=True, group_size=-1))
        assert [result.verdict.done for result in results] == [True, False]
        assert (bad.directory / "runs").read_text() == "x\n" * 4
        assert "ERROR 42" in results[1].explanation
        assert "FAILED" in results[1].explanation

    def test_cancel_ends_a_job(self, bench):
        tasks = bench.tasks(1, "sleep 200; echo done > out")
        executor = bench.executor
        with pytest.raises(KeyboardInterrupt):
            self._interrupt_when_running(bench, tasks)
        (job,) = open_jobs(bench.journal)
        (line,) = cancel_jobs(bench.journal, lambda block: executor)
        assert line.endswith("cancelled")
        assert not executor.poll({job.id: job.name})[job.id].alive

    @staticmethod
    def _interrupt_when_running(bench, tasks):
        real = bench.executor.poll
        end = time.monotonic() + 60

        def poll(jobs):
            states = real(jobs)
            running = any(state.phase is JobPhase.RUNNING for state in states.values())
            if running or time.monotonic() > end:
                bench.executor.poll = real
                raise KeyboardInterrupt
            return states

        bench.executor.poll = poll
        list(bench.run(tasks, real_time=True))

    @pytest.mark.parametrize("moment", ["recorded", "unrecorded"])
    def test_a_killed_master_is_succeeded(self, bench, moment):
        done = subprocess.run(
            [sys.executable, "-c", DIES, str(bench.root), bench.block.scheduler, moment],
            check=False,
            start_new_session=True,
            timeout=60,
        )
        assert done.returncode == -9
        bench = bench.restarted()
        tasks = bench.tasks(2, "echo x >> runs; echo done > out")
        results = list(bench.run(tasks, real_time=True))
        assert [result.verdict.done for result in results] == [True, True]
        assert [(task.directory / "runs").read_text() for task in tasks] == ["x\n"] * 2
