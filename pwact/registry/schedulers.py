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
    directive
        What begins a header line of its scripts; "" where there are none.
    here
        Whether its jobs are processes of this machine.
    limits
        ``module:function`` that says, in lines, what its queues allow a resource block; "" where
        that is not asked.
    """

    needs_queue: bool = False
    directive: str = ""
    here: bool = False
    limits: str = ""


EXECUTORS: Registry[Scheduler] = Registry(
    {
        "slurm": Scheduler(
            "pwact.executors.slurm:SlurmExecutor",
            needs_queue=True,
            directive="#SBATCH",
            limits="pwact.executors.slurm_limits:limits_of",
        ),
        "local": Scheduler("pwact.executors.local:LocalExecutor", here=True),
        "pbs": Scheduler("pwact.executors.pbs:PbsExecutor", directive="#PBS"),
        "torque": Scheduler("pwact.executors.pbs:TorqueExecutor", directive="#PBS"),
        "lsf": Scheduler("pwact.executors.lsf:LsfExecutor", directive="#BSUB"),
        "sge": Scheduler("pwact.executors.sge:SgeExecutor", directive="#$"),
    }
)
