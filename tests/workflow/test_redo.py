"""Doing steps of a campaign again: what status says, what is needed, what is refused beforehand."""

from __future__ import annotations

from pathlib import Path

from pwact.report.status import TaskFacts
from tests.workflow.test_status import Diary

LABEL = "iter.0000/label"


def test_status_counts_the_tasks_of_a_redo_and_not_those_before(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    diary.begin(LABEL, 1, tasks=3)
    for number in range(3):
        diary.ended(diary.run(LABEL, number, 2), 3)
    diary.done(LABEL, 4)
    diary.begin("iter.0001/train", 5)
    diary.write("stage_set_aside", 6, name=LABEL, directory=LABEL, to=f"{LABEL}-bk-1")
    waiting = diary.status()
    assert [(one.name, one.state) for one in waiting.stages] == [
        (LABEL, "set aside"),
        ("iter.0001/train", "begun"),
    ]
    diary.begin(LABEL, 7)
    assert diary.status().tasks == TaskFacts()
    diary.tell(LABEL, 7, tasks=2)
    diary.ended(diary.run(LABEL, 3, 8), 9)
    diary.run(LABEL, 4, 9)
    found = diary.status()
    assert found.stage == LABEL
    assert (found.tasks.total, found.tasks.done, found.tasks.failed) == (2, 1, 0)
    assert [job.name for job in found.open_jobs] == [f"md4-{LABEL}"]
    diary.done(LABEL, 10)
    assert diary.status().stage == "iter.0001/train"
