"""Where jobs run. The contract of an executor: `pwact.executors.base`."""

from __future__ import annotations

from dataclasses import dataclass

from pwact.registry import Entry, Registry


@dataclass(frozen=True)
class Scheduler(Entry):
    """A scheduler.

    Attributes
    ----------
    queues
        Whether jobs wait in a queue that ``queue_name`` names.
    """

    queues: bool = True


EXECUTORS: Registry[Scheduler] = Registry(
    {
        "slurm": Scheduler("pwact.executors.slurm:SlurmExecutor"),
        "local": Scheduler("pwact.executors.local:LocalExecutor", queues=False),
    }
)
