"""A power cut at every event of the journal: nothing that it calls done is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import pytest

from pwact import layout
from pwact.executors.base import JobSpec
from pwact.io.journal import Journal
from pwact.workflow import ledger
from pwact.workflow.stages.select import SelectStage
from tests.workflow.pairs import init_param, run_param, write_files
from tests.workflow.power_cut import Disk, Snapshot, watched
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys

Start = Callable[[Path, Mapping[str, Any], ToyExecutor], object]


class CutExecutor(ToyExecutor):
    """Its programs do not wait for the disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk

    def submit(self, spec: JobSpec) -> str:
        self._disk.asleep = True
        try:
            return super().submit(spec)
        finally:
            self._disk.asleep = False


def cuts(
    work_dir: Path, start: Start, param: Mapping[str, Any], names_too: bool
) -> list[tuple[str, Snapshot]]:
    """Run a campaign; for every line of its journal, what the disk held just after it."""
    found: list[tuple[str, Snapshot]] = []
    whole = Journal._write_out
    with pytest.MonkeyPatch.context() as patch, watched(work_dir, patch) as disk:

        def write_out(self: Journal, text: bytes) -> None:
            whole(self, text)
            last = json.loads(text.splitlines()[-1])
            line = f"{last['event']} {last.get('name', '')}"
            found.append((line, disk.now(work_dir, names_too)))

        patch.setattr(Journal, "_write_out", write_out)
        patch.setattr(SelectStage, "_picture", lambda *_: None)  # nothing depends on it
        use_toys(patch)
        start(work_dir, param, CutExecutor(disk))
    return found


def results(work_dir: Path) -> dict[str, bytes]:
    names = ("train.xyz", "candidate.csv", "label_error.csv", "iter_result.txt")
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes().replace(
            str(work_dir).encode(), b"WORK"
        )
        for path in sorted(work_dir.rglob("*"))
        if path.is_file() and (path.name in (*names, "model") or path.suffix == ".poscar")
    }


def one_iteration() -> dict[str, Any]:
    param = run_param()
    del param["explore"]["md_jobs"][1:]
    return param


def done(work_dir: Path) -> list[str]:
    events = Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    return [event["name"] for event in events if event["event"] == ledger.DONE]


@pytest.mark.slow
@pytest.mark.parametrize("names_too", [False, True], ids=["names lost", "files empty"])
@pytest.mark.parametrize(
    ("start", "param"),
    [(run_loop, one_iteration()), (run_chain, init_param())],
    ids=["run", "init_bulk"],
)
def test_a_power_cut_at_every_line_loses_nothing_that_is_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Start,
    param: dict[str, Any],
    names_too: bool,
) -> None:
    work_dir = tmp_path / "work"
    write_files(work_dir, {"calculator": "emt"})
    (work_dir / "param.json").write_text(json.dumps(param))
    found = cuts(work_dir, start, param, names_too)
    expected = results(work_dir)
    assert len(expected) >= 10
    assert len({line for line, _ in found if line.startswith("stage_done")}) >= 5
    use_toys(monkeypatch)
    monkeypatch.setattr(SelectStage, "_picture", lambda *_: None)
    for number, (line, snapshot) in enumerate(found):
        again = tmp_path / str(number)
        snapshot.restore(again)
        before = done(again)
        start(again, param, ToyExecutor())
        assert results(again) == expected, line
        assert not list(again.rglob("*-bk-*")), line
        assert not [name for name in before if done(again).count(name) > 1], line
