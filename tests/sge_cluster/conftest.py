from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.executors import executor_for
from tests.executors.conftest import Bench
from tests.requirements import need_program, need_root
from tests.sge_cluster.cluster import Cluster


@pytest.fixture(scope="session")
def started_cluster():
    """A running SGE."""
    for name in ("sge_qmaster", "sge_execd", "qsub", "qacct"):
        need_program(name)
    need_root("an SGE")
    # below /tmp whatever TMPDIR says: scripts of SGE know no quotes
    made = Cluster(Path(tempfile.mkdtemp(prefix="pwact-sge-", dir="/tmp")))
    made.directory.chmod(0o755)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.directory)


@pytest.fixture
def grid(started_cluster, monkeypatch):
    """The SGE, named in this process's environment."""
    for name, value in started_cluster.environment.items():
        monkeypatch.setenv(name, value)
    return started_cluster


@pytest.fixture
def bench(grid, tmp_path):
    made = Bench(tmp_path / "work dir")
    made.block = replace(made.block, scheduler="sge", poll_interval=0.4, parallel_environment="mpi")
    made.executor = executor_for(made.block)
    made.executor.grace_s = made.executor.settle_s = 1.0
    made.executor.stuck_s = 1.0
    yield made
    names = [event["name"] for event in made.events("job_asked")]
    found = {made.executor.find(name): name for name in names}
    made.executor.cancel({job_id: name for job_id, name in found.items() if job_id})
