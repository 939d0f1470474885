from __future__ import annotations

import contextlib
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.executors import executor_for
from tests.executors.conftest import Bench
from tests.requirements import need_program
from tests.slurm_cluster.cluster import Cluster


@contextlib.contextmanager
def _started(accounting):
    """A running SLURM."""
    for name in ("slurmctld", "slurmd", "munged", "sbatch"):
        need_program(name)
    for name in ("slurmdbd", "mariadbd", "sacctmgr") if accounting else ():
        need_program(name)
    # below /tmp whatever TMPDIR says: files of SLURM know no quotes, and names of sockets are short
    made = Cluster(Path(tempfile.mkdtemp(prefix="pwact-slurm-", dir="/tmp")) / "rig", accounting)
    made.directory.parent.chmod(0o755)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.directory.parent.rmdir()


@pytest.fixture(scope="session")
def plain_cluster():
    """A running SLURM without accounting."""
    with _started(accounting=False) as made:
        yield made


@pytest.fixture(scope="session")
def accounted_cluster():
    """A running SLURM with slurmdbd, which keeps to limits, and has one licence ``vasp``."""
    with _started(accounting=True) as made:
        yield made


@pytest.fixture
def cluster(request, monkeypatch):
    """The SLURM that a test module wants, with SLURM_CONF in this process's environment."""
    accounting = getattr(request.module, "ACCOUNTING", False)
    made = request.getfixturevalue("accounted_cluster" if accounting else "plain_cluster")
    monkeypatch.setenv("SLURM_CONF", str(made.conf))
    return made


@pytest.fixture
def bench(cluster, tmp_path):
    made = Bench(tmp_path / "work dir")
    made.block = replace(
        made.block, scheduler="slurm", queue_name="cpu", poll_interval=0.4, use_array="auto"
    )
    made.executor = executor_for(made.block)
    made.executor.grace_s = made.executor.settle_s = 1.0
    made.executor.stuck_s = 1.0
    yield made
    names = [event["name"] for event in made.events("job_asked")]
    made.executor.cancel({job_id: name for name, job_id in made.executor.find_all(names).items()})
