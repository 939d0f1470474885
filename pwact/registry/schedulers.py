"""Where jobs run. The contract of an executor: `pwact.executors.base`."""

from __future__ import annotations

from dataclasses import dataclass

from pwact.registry import Entry, Registry


@dataclass(frozen=True)
class Scheduler(Entry):
    """A scheduler.

    Attributes
    ----------
    needs_queue
        Whether a resource block must name a queue.
    """

    needs_queue: bool = False


EXECUTORS: Registry[Scheduler] = Registry(
    {
        "slurm": Scheduler("pwact.executors.slurm:SlurmExecutor", needs_queue=True),
        "local": Scheduler("pwact.executors.local:LocalExecutor"),
        "pbs": Scheduler("pwact.executors.pbs:PbsExecutor"),
        "torque": Scheduler("pwact.executors.pbs:TorqueExecutor"),
        "lsf": Scheduler("pwact.executors.lsf:LsfExecutor"),
        "sge": Scheduler("pwact.executors.sge:SgeExecutor"),
    }
)
