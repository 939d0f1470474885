from __future__ import annotations

import pytest

from pwact.errors import QuorumError
from pwact.executors.base import Task, TaskResult
from pwact.verdict import DONE, incomplete, unusable
from pwact.workflow.quorum import check_quorum, demand_one, may_fail, name_lost_groups


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
    ("total", "failed", "rate", "tolerated"),
    [
        (0, 0, 0.1, True),
        (1, 0, 0.0, True),
        (1, 1, 0.0, False),  # the only one
        (2, 1, 0.0, True),  # one is tolerated
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
        (5, 4, 1.0, True),
        (5, 5, 1.0, False),  # never all
    ],
)
def test_how_many_may_fail(tmp_path, total, failed, rate, tolerated):
    given = results(tmp_path, total, failed)
    if tolerated:
        assert check_quorum(given, rate, "iter.0000/label", tmp_path) == given[failed:]
    else:
        counted = f"{failed} of {total} tasks failed"
        if failed == total:
            counted = "its only task failed" if total == 1 else f"all {total} tasks failed"
        with pytest.raises(QuorumError, match=counted):
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


def test_without_a_success_a_stage_has_failed_and_says_why(tmp_path, caplog):
    with pytest.raises(QuorumError) as caught:
        demand_one(results(tmp_path, 1, 1), "iter.0000/explore", tmp_path)
    text = str(caught.value)
    assert text.startswith(f"iter.0000/explore: its only task failed in {tmp_path}\n")
    assert "boom" in text
    assert "What next: repair the cause and give the same command again" in text
    assert "boom" in caplog.text
    with pytest.raises(QuorumError, match="all 3 tasks failed"):
        demand_one(results(tmp_path, 3, 3), "aimd", tmp_path)
    demand_one(results(tmp_path, 3, 2), "aimd", tmp_path)
    demand_one([], "aimd", tmp_path)


def test_what_would_end_the_same_way_asks_for_another_input(tmp_path):
    lost = results(tmp_path, 2, 2)[1:]
    with pytest.raises(QuorumError) as caught:
        demand_one(lost, "iter.0000/label", tmp_path)
    assert "would end the same way again" in str(caught.value)
    assert "--redo iter.0000/label" in str(caught.value)


def test_a_group_without_success_is_named(tmp_path, caplog):
    given = results(tmp_path, 4, 3)
    groups = {one.task.directory: "AB"[place // 2] for place, one in enumerate(given)}
    name_lost_groups(given, groups, "iter.0000/explore", "nothing of it is explored")
    assert len(caplog.records) == 1
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    message = record.getMessage()
    assert message.startswith("iter.0000/explore: nothing of A succeeded, so nothing of it")
    assert "boom" in message
    caplog.clear()
    name_lost_groups(given[:2], groups, "aimd", "it gives no data")  # nobody else succeeded
    assert not caplog.records


def test_never_may_all_of_them_fail():
    """A script that labels all frames at once counts frames by this, too."""
    assert [may_fail(rate, count) for rate, count in ((0.1, 0), (0.1, 1), (1.0, 1), (1.0, 5))] == [
        *(0, 0, 0),
        4,
    ]
