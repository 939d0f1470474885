"""What SLURM allows, from what its commands print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pwact.config.resources import ResourceBlock
from pwact.errors import SchedulerError
from pwact.executors.commands import Answer
from pwact.executors.slurm_limits import limits_of

PARTITION = (
    "PartitionName=cpu AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL AllocNodes=ALL Default=NO "
    "QoS=N/A DefaultTime=NONE DisableRootJobs=NO GraceTime=0 Hidden=NO MaxNodes=4 "
    "MaxTime=2-00:00:00 MinNodes=0 LLN=NO Nodes=n[1-3] State=UP TotalCPUs=96 TotalNodes=3\n"
)
CONFIG = """Configuration data as of 2026-11-30T00:00:00
MaxArraySize            = 1001
MaxJobCount             = 10000
MaxStepCount            = 40000
"""
ASSOC = "physics||normal,long|20|200||\n"
QOS = "normal||||\nlong|2||7-00:00:00|\nothers|1|1|1|1\n"


def slurm(**changed: Answer):
    answers = {
        "partition": Answer(0, PARTITION, ""),
        "config": Answer(0, CONFIG, ""),
        "assoc": Answer(0, ASSOC.replace("||\n", "|||\n"), ""),
        "qos": Answer(0, QOS, ""),
        **changed,
    }

    def ask(words: Sequence[str]) -> Answer:
        return answers[next(word for word in words if word in answers)]

    return ask


@pytest.fixture
def block() -> ResourceBlock:
    return ResourceBlock(
        "train", "python", scheduler="slurm", queue_name="cpu", file=Path("r.json")
    )


def test_partition_account_and_qos(block: ResourceBlock) -> None:
    assert list(limits_of(block, slurm())) == [
        "partition cpu: a job may take 2-00:00:00, a job may have 4 nodes",
        "the cluster: numbers of an array are below 1001, 10000 jobs of all users may be in the "
        "queue",
        "account physics: 20 jobs may run at a time, 200 jobs may be in the queue",
        "QOS long: 2 jobs may run at a time, a job may take 7-00:00:00",
    ]


def test_without_accounting(block: ResourceBlock) -> None:
    refused = Answer(1, "", "sacctmgr: error: Slurm accounting storage is disabled")
    found = list(limits_of(block, slurm(assoc=refused, qos=refused)))
    assert [words.partition(":")[0] for words in found] == ["partition cpu", "the cluster"]


def test_an_unknown_or_closed_partition(block: ResourceBlock) -> None:
    wrong = Answer(1, "", "Partition cpu not found\n")
    said = "partition cpu: Partition cpu not found"
    assert next(limits_of(block, slurm(partition=wrong))) == said
    closed = Answer(0, PARTITION.replace("State=UP", "State=DRAIN"), "")
    assert next(limits_of(block, slurm(partition=closed))).endswith("it is DRAIN")


def test_without_slurm(block: ResourceBlock) -> None:
    def ask(words: Sequence[str]) -> Answer:
        raise SchedulerError("scontrol is not installed")

    (words,) = limits_of(block, ask)
    assert words == "limits of the queue are not known: scontrol is not installed"
