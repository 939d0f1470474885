from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.executors import executor_for
from tests.executors.conftest import Bench
from tests.requirements import need_program
from tests.slurm_cluster.cluster import Cluster


@pytest.fixture(scope="session")
def cluster():
    """A running SLURM, with SLURM_CONF in this process's environment."""
    for name in ("slurmctld", "slurmd", "munged", "sbatch"):
        need_program(name)
    made = Cluster(Path(tempfile.mkdtemp(prefix="pwact-slurm-")) / "rig")
    made.directory.parent.chmod(0o755)
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(made.conf)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.directory.parent.rmdir()
        if before is None:
            del os.environ["SLURM_CONF"]
        else:
            os.environ["SLURM_CONF"] = before


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
