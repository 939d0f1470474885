"""Bars and log while MDs run: in steps, and with the time left before the first of them ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pwact.executors.base import Task
from pwact.verdict import DONE
from pwact.workflow.watching import Watching


class Bar:
    def __init__(self) -> None:
        self.titles: list[str] = []
        self.done = 0

    def update(self) -> None:
        self.done += 1

    def set_description(self, desc: str) -> None:
        self.titles.append(desc)


def md(place: Path, last: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "in.lammps").write_text("variable NSTEPS index 500\n")
    rows = "".join(f"{step} -1.0\n" for step in range(0, last + 1, 100))
    (place / "md.log").write_text(f"Step PotEng\n{rows}")


def tasks(tmp_path: Path) -> list[Task]:
    return [Task(tmp_path / f"md {one}", "", lambda _: DONE, "md.log") for one in range(2)]


def test_steps_and_the_time_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bar, now, asked = Bar(), [0.0], [0]

    @contextmanager
    def made(kind: str, total: int) -> Iterator[Any]:
        assert (kind, total) == ("md", 2)
        yield bar

    def others() -> bool:
        asked[0] += 1
        return False

    watching = Watching(made, others, lambda: now[0])
    given = tasks(tmp_path)
    md(given[0].directory, 0)
    md(given[1].directory, 0)
    with watching.over("iter.0000/explore", "md", given) as ended:
        assert watching.meanwhile() is False
        assert bar.titles == ["md: 0 of 1000 steps"]
        now[0] = 10.0
        watching.meanwhile()
        assert len(bar.titles) == 1  # so soon nobody looks again
        now[0] = 1000.0
        md(given[0].directory, 200)
        watching.meanwhile()
        assert bar.titles[1:] == ["md: 200 of 1000 steps, about 1 h 6 min left"]
        assert "iter.0000/explore: 2 MDs have made 200 of 1000 steps, about" in caplog.text
        now[0] = 2000.0
        md(given[0].directory, 500)
        watching.meanwhile()
        ended()
        (given[0].directory / "md.log").unlink()
        now[0] = 2500.0
        watching.meanwhile()
        assert bar.titles[-1] == "md: 500 of 1000 steps, about 41 min 40 s left"
    assert bar.done == 1
    assert asked == [5]
    watching.meanwhile()
    assert len(bar.titles) == 4
    assert caplog.text.count("MDs have made") == 2


def test_other_tasks_are_counted_alone(tmp_path: Path) -> None:
    bar = Bar()

    @contextmanager
    def made(kind: str, total: int) -> Iterator[Any]:
        yield bar

    watching = Watching(made, lambda: True, lambda: 0.0)
    given = tasks(tmp_path)
    md(given[0].directory, 100)
    with watching.over("iter.0000/label", "scf", given) as ended:
        assert watching.meanwhile() is True
        ended()
    assert (bar.titles, bar.done) == ([], 1)
