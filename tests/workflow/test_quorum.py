from __future__ import annotations

import pytest

from pwact.errors import QuorumError
from pwact.executors.base import Task, TaskResult
from pwact.verdict import DONE, incomplete, unusable
from pwact.workflow.quorum import check_quorum


def results(tmp_path, total, failed):
    made = []
    for number in range(total):
        task = Task(tmp_path / f"scf/{number}-scf", "true", lambda _: DONE, "dft.log")
        bad = unusable("not converged") if number % 2 else incomplete("cut off")
        story = (
            ""
            if number % 2
            else f"{task.directory}: cut off\nthe end of {task.directory / 'dft.log'}:\n    boom"
        )
        made.append(TaskResult(task, bad if number < failed else DONE, 4, story))
    return made


@pytest.mark.parametrize(
    ("total", "failed", "rate", "borne"),
    [
        (0, 0, 0.1, True),
        (1, 1, 0.0, True),  # one is always borne
        (2, 2, 0.1, False),
        (10, 1, 0.0, True),
        (10, 2, 0.1, False),
        (20, 2, 0.1, True),
        (20, 3, 0.1, False),
        (29, 2, 0.1, True),
        (30, 3, 0.1, True),  # 0.1 * 30 is a little more than 3, 0.07 * 100 a little more than 7
        (100, 7, 0.07, True),
        (100, 29, 0.29, True),  # 0.29 * 100 is a little less than 29
        (100, 30, 0.29, False),
        (5, 5, 1.0, True),
    ],
)
def test_how_many_may_fail(tmp_path, total, failed, rate, borne):
    given = results(tmp_path, total, failed)
    if borne:
        assert check_quorum(given, rate, "iter.0000/label", tmp_path) == given[failed:]
    else:
        with pytest.raises(QuorumError, match=f"{failed} of {total} tasks failed"):
            check_quorum(given, rate, "iter.0000/label", tmp_path)


def test_the_message_tells_all_that_is_needed(tmp_path, caplog):
    with pytest.raises(QuorumError) as caught:
        check_quorum(results(tmp_path, 20, 14), 0.1, "iter.0000/label", tmp_path)
    text = str(caught.value)
    assert text.startswith("iter.0000/label: 14 of 20 tasks failed in ")
    assert "at most 2 may\n" in text
    assert f"\n{tmp_path}/scf/0-scf: cut off\n" in text
    assert "boom" in text
    assert f"\n{tmp_path}/scf/1-scf: not converged (log: {tmp_path / 'scf/1-scf/dft.log'})" in text
    assert text.count(str(tmp_path / "scf/0-scf/dft.log")) == 1
    assert "and 4 more" in text
    assert "give the same command again" in text
    assert "scf/13-scf" not in text
    assert "scf/13-scf" in caplog.text
