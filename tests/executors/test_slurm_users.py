"""Jobs of another user are none of ours, whatever their names."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pwact.executors.base import JobPhase
from pwact.executors.slurm import Answer, SlurmExecutor

NAME = "scf0-0123456789ab"


class Cluster:
    """A queue and an accounting in which user 4711 has a job of our name."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    def __call__(self, words: Sequence[str]) -> Answer:
        if words[0] == "scancel":
            self.cancelled += words[1:]
            return Answer(0, "", "")
        mine = f"--user={os.getuid()}" in words
        return Answer(0, "" if mine else f"12|RUNNING|{NAME}|None\n", "")


def test_a_job_of_another_user_is_not_found_nor_ended() -> None:
    cluster = Cluster()
    executor = SlurmExecutor(call=cluster, sleep=lambda _: None)
    assert executor.find(NAME) is None
    assert executor.poll({"12": NAME})["12"].phase is JobPhase.GONE
    executor.cancel({"12": NAME})
    assert cluster.cancelled == []
