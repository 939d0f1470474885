from __future__ import annotations

from dataclasses import replace

import pytest

from pwact.report.advice import Advice
from pwact.report.status import (
    Estimate,
    Failure,
    JobFacts,
    MasterFacts,
    StageFacts,
    Status,
    TaskFacts,
    duration,
    status_text,
)

RUNNING = Status(
    directory="/w",
    program="pwact",
    kind="run",
    state="running",
    why="",
    master=MasterFacts(True, "login1", 4711, None, 100.0),
    stage="iter.0001/explore",
    iteration=1,
    iterations=5,
    waits_for="its jobs: 2 running",
    tasks=TaskFacts(8, 3, 1),
    jobs=JobFacts(0, 0, 2, 14),
    open_jobs=(),
    stages=(
        StageFacts("iter.0000/train", 0, "train", "done", 12.4),
        StageFacts("iter.0000/label", 0, "label", "done", None),
        StageFacts("iter.0001/explore", 1, "explore", "begun"),
    ),
    eta=Estimate(42.0, 3700.0),
    failures=(Failure("iter.0000/label", "t/820-scf", "not converged\nat all", "/w/t/log"),),
)


def test_text_of_a_running_campaign() -> None:
    assert status_text(RUNNING, 165.0) == (
        "pwact run in /w: running, iteration 1 (0 to 4, then a last training)\n"
        "master     process 4711 on login1 lives, for 1 min 5 s\n"
        "stage      iter.0001/explore: 3 of 8 tasks done, 1 failed\n"
        "jobs       0 asked for, 0 submitted, 2 running, 14 ended\n"
        "waits for  its jobs: 2 running\n"
        "time left  about 42 s for this stage, about 1 h 1 min in all\n"
        "iter.0000  train 12 s, label\n"
        "iter.0001  explore begun\n"
        "failures   1:\n"
        "  iter.0000/label: t/820-scf: not converged\n"
        "    log: /w/t/log"
    )


def test_what_to_do_comes_last() -> None:
    advice = (Advice("error", "it was killed", "begin"), Advice("note", "no data", "give some"))
    text = status_text(replace(RUNNING, advice=advice), 165.0)
    assert text.startswith(status_text(RUNNING, 165.0))
    assert text.endswith("\nwhat to do\n  it was killed\n    → begin\n  no data\n    → give some")


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"state": "died", "master": MasterFacts(False, "h", 1)}, "process 1 on h died"),
        ({"state": "failed", "master": MasterFacts(False, "h", 1)}, "process 1 on h has ended"),
        ({"state": "failed", "why": "no\nmore"}, "failed, iteration 1 (0 to 4, then a last "),
        ({"state": "failed", "why": "no\nmore"}, "training): no\nmaster"),
        ({"master": MasterFacts(None, "h", 1, "77")}, "process 1 on h in job 77: whether it lives"),
        ({"master": MasterFacts()}, "master     none is known"),
        ({"eta": Estimate()}, "time left  not known yet"),
        ({"eta": Estimate(5.0)}, "time left  about 5 s for this stage\n"),
        ({"stage": None}, "stage      none\n"),
        ({"tasks": TaskFacts()}, "stage      iter.0001/explore\n"),
        ({"iterations": None}, "running, iteration 1\n"),
        ({"failures": ()}, "failures   none"),
        ({"failures": RUNNING.failures * 12}, "failures   12, the last 10:\n"),
    ],
)
def test_other_lines(change: dict[str, object], line: str) -> None:
    assert line in status_text(replace(RUNNING, **change), 165.0)  # type: ignore[arg-type]


def test_what_is_not_there_has_no_line() -> None:
    assert "time left" not in status_text(replace(RUNNING, state="finished"), 0.0)
    assert "\njobs " not in status_text(replace(RUNNING, program="PWact"), 0.0)


def test_many_iterations_are_cut() -> None:
    stages = tuple(StageFacts(f"iter.{n:04d}/train", n, "train", "done", 1.0) for n in range(8))
    text = status_text(replace(RUNNING, stages=stages), 0.0)
    assert "… earlier iterations: 3\niter.0003" in text
    assert "iter.0002" not in text


def test_an_init_bulk_has_one_line_of_stages() -> None:
    stages = tuple(StageFacts(word, None, word, "done", 61.0) for word in ("relax", "aimd"))
    change = {"kind": "init_bulk", "stages": stages, "iteration": None}
    text = status_text(replace(RUNNING, **change), 0.0)  # type: ignore[arg-type]
    assert "\nstages     relax 1 min 1 s, aimd 1 min 1 s\n" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (-3, "0 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (86400 * 3 + 7200 + 5, "3 d 2 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
