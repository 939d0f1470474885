"""Every row of the tables of faults has a test, and they are many."""

from __future__ import annotations

from importlib import import_module

from tests.faults import ROWS, tested

MODULES = (
    "tests.executors.test_dispatcher",
    "tests.executors.test_master_faults",
    "tests.executors.test_slurm_arrays",
    "tests.executors.test_slurm_faults",
    "tests.slurm_cluster.test_campaign",
    "tests.slurm_cluster.test_faults",
    "tests.slurm_cluster.test_slurm",
    "tests.slurm_cluster.test_time_limits",
    "tests.workflow.test_disk_faults",
    "tests.workflow.test_interrupt",
)


def test_every_row_has_a_test() -> None:
    for module in MODULES:
        import_module(module)
    assert sorted(set(ROWS) - tested) == []
    assert len(ROWS) >= 30
