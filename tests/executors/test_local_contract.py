from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from pwact.executors.local import LocalExecutor
from pwact.executors.processes import own_processes
from tests.executors.conftest import Bench
from tests.executors.contract import ExecutorContract


class TestLocal(ExecutorContract):
    @pytest.fixture
    def bench(self, tmp_path):
        made = Bench(tmp_path / "work dir", LocalExecutor(4, kill_wait_s=1.0))
        made.block = replace(made.block, scheduler="local", max_parallel_jobs=4)
        yield made
        names = {event["name"] for event in made.events("job_asked")}
        for process in own_processes():
            if process.job in names:
                os.kill(process.pid, signal.SIGKILL)
