"""A master that dies while it writes a line of the journal: cut at each byte, nothing is lost.

A campaign with toy engines is recorded: what was on disk when each line came. The reader must find
the state before or after the line at every byte of it; from a sample of bytes for every sort of
event the campaign is resumed, and ends with the same files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pwact import engines, layout
from pwact.errors import PwactError, UsageError
from pwact.io.journal import Journal, parse
from pwact.io.journal_fields import FIELDS
from pwact.takeover.campaign import plan, take_over
from pwact.tools.status.status import status_of
from pwact.workflow import ledger
from pwact.workflow.active_learning import run_active_learning
from pwact.workflow.init_bulk import parts
from pwact.workflow.stages import select
from tests.workflow.pairs import (
    deep_update,
    init_param,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.pwact_trees import VARIANTS, leave
from tests.workflow.toy_campaign import ToyExecutor, campaign, run_chain, run_loop, use_toys
from tests.workflow.toys import BROKEN

JOURNAL = Path(layout.STATE_DIR) / layout.JOURNAL
ADDED = {"config": "structures/b.poscar", "format": "vasp/poscar", "perturb": 1, "aimd": True}
JOB = {
    "sys_idx": [0],
    "ensemble": "nvt",
    "nsteps": 10,
    "trj_freq": 10,
    "temps": [100, 110],
    "select_sys": [100],
}
LOOP = {
    "strategy.lower_model_devi_f": 0.0,
    "strategy.upper_model_devi_f": 5.0,
    "explore.sys_configs": [{"config": "structures/a.poscar", "format": "vasp/poscar"}],
    "explore.md_jobs": [JOB] * 2,
}

LOST = "iter.0000/02.label/scf/md.000.sys.000/md.000.sys.000.t.000/10-scf"

Act = Callable[[Path], object]  # a command, given again until it has ended


@dataclass(frozen=True)
class Line:
    """What was on disk when a line came.

    Attributes
    ----------
    act
        Number of the command that wrote it.
    place
        Copy of the work directory.
    before
        Lines that were written together with it, and before it.
    """

    act: int
    place: Path
    before: bytes
    text: bytes

    @property
    def sort(self) -> str:
        """Its event, with the step."""
        event = json.loads(self.text)
        step = (
            "" if event["event"].startswith("job_") else ledger.place_of(event.get("name", ""))[1]
        )
        return f"{event['event']} {step}".strip()

    @property
    def known(self) -> bytes:
        """The journal without this line."""
        path = self.place / JOURNAL
        return (path.read_bytes() if path.exists() else b"") + self.before


def inputs_only(work_dir: Path) -> None:
    """Write what the user has at first."""
    write_files(work_dir, {"calculator": "emt"})


@dataclass(frozen=True)
class Scenario:
    """What is done with a campaign.

    Attributes
    ----------
    sorts
        Events that must come in it.
    prepare
        Makes what lies in the work directory at first.
    """

    acts: Sequence[Act]
    sorts: set[str]
    prepare: Act = inputs_only


class Recorder:
    """Runs commands and keeps what was on disk at every line of the journal.

    A campaign is resumed where it was: a copy elsewhere would be one.
    """

    def __init__(self, place: Path, scenario: Scenario) -> None:
        self.acts, self.sorts = scenario.acts, scenario.sorts
        self._prepare = scenario.prepare
        self.lines: list[Line] = []
        self.work_dir = place / "work"
        self._whole, self._copies = place / "whole", place / "copies"

    def record(self) -> None:
        """Run the commands."""
        real, act = Journal._write_out, 0

        def write_out(journal: Journal, text: bytes) -> None:
            copy = self._copies / str(len(self.lines))
            shutil.copytree(self.work_dir, copy, symlinks=True)
            before = b""
            for line in text.splitlines(keepends=True):
                self.lines.append(Line(act, copy, before, line))
                before += line
            real(journal, text)

        self.work_dir.mkdir()
        self._prepare(self.work_dir)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Journal, "_write_out", write_out)
            for act, work in enumerate(self.acts):  # noqa: B007
                work(self.work_dir)
        self.work_dir.rename(self._whole)

    def resume(self, line: Line, size: int) -> None:
        """Go on from where so many bytes of a line were on disk, and compare the ends."""
        shutil.rmtree(self.work_dir, ignore_errors=True)
        shutil.copytree(line.place, self.work_dir, symlinks=True)
        (self.work_dir / JOURNAL).write_bytes(line.known + line.text[:size])
        state = self.work_dir / layout.STATE_DIR  # who is dead is proved elsewhere
        for path in (state / layout.LOCK, state / "lease", self.work_dir / layout.PID):
            path.unlink(missing_ok=True)
        for work in self.acts[line.act :]:
            work(self.work_dir)
        assert content(self.work_dir) == content(self._whole)
        found = Journal(self.work_dir / JOURNAL).events()
        assert found[-1]["event"] == "master_ended"


def content(work_dir: Path) -> dict[str, bytes]:
    """Everything but the journal and the scripts of jobs, which hold the campaign's name."""
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes()
        for path in sorted(work_dir.rglob("*"))
        if path.is_file() and path.suffix not in (".jsonl", ".job")
    }


def begin(work_dir: Path) -> None:
    """A label store is filled, and asked by the second iteration."""
    run_loop(work_dir, deep_update(run_param(), LOOP), ToyExecutor())


def redo(work_dir: Path) -> None:
    """Another window: a selection in the middle is done again, and what follows from it."""
    asked = ledger.REDO in [event["event"] for event in Journal(work_dir / JOURNAL).events()]
    changes = {**LOOP, "strategy.upper_model_devi_f": 0.15}
    words = () if asked else ("iter.0000/select",)
    run_loop(work_dir, deep_update(run_param(), changes), ToyExecutor(), redo=words)


def chain(work_dir: Path, *entries: Any) -> None:
    """Structures with every step."""
    first = {**init_param()["sys_configs"][0], "perturb": 1, "scale": [1.0]}
    run_chain(work_dir, {**init_param(), "sys_configs": [first, *entries]}, ToyExecutor())


def add(work_dir: Path) -> None:
    """One more structure."""
    chain(work_dir, ADDED)


def lose(work_dir: Path) -> None:
    """A label fails for good; the campaign goes on without it."""
    executor = ToyExecutor()
    executor.spoil = {LOST: BROKEN}
    run_loop(work_dir, deep_update(run_param(), LOOP), executor)


def left_by_pwact(work_dir: Path) -> None:
    """What PWact had done of a campaign when it ended in the middle of the first labelling."""
    source = work_dir.with_name("as of PWact")
    source.mkdir()
    write_files(source, {"calculator": "emt"})
    run_loop(source, deep_update(run_param(), {"reserve_md_traj": True}), ToyExecutor())
    leave(source, work_dir, (0, 1), VARIANTS["0.4"])
    write_files(work_dir, {"calculator": "emt"})


def take(work_dir: Path) -> None:
    """Go on with it."""
    pair = load(work_dir, run_param(), resources())
    takeover = plan(pair.config, pair.resources)
    with campaign(work_dir, "run", pair.config.seed, ToyExecutor()) as opened:
        take_over(opened, takeover)
        run_active_learning(pair.config, pair.resources, opened)


USUAL = {
    *("campaign_started", "master_started", "stage_started", "stage_program", "tasks_given"),
    *("job_asked", "job_submitted", "job_ended", "stage_done", "master_ended"),
}
SCENARIOS = {
    "redo": Scenario(
        [begin, redo],
        {*USUAL, "run_planned", "redo_asked", "stage_set_aside", "stage_kept"},
    ),
    "added": Scenario([chain, add], {*USUAL, "entries_given"}),
    "lost": Scenario([lose, begin], {*USUAL, "stage_reopened"}),
    "taken": Scenario([take], {*USUAL, "taken_over"}, left_by_pwact),
}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)


def use(patch: pytest.MonkeyPatch) -> None:
    """Toy engines, and no waiting for the disk."""
    use_toys(patch)
    patch.setitem(engines.EXPLORERS, "lammps", "tests.workflow.toys:StartExplorer")
    patch.setattr(os, "fsync", lambda _: None)
    patch.setattr(select, "histogram", lambda *_: False)


@pytest.fixture(scope="module", params=sorted(SCENARIOS))
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorder:
    with pytest.MonkeyPatch.context() as patch:
        use(patch)
        recorder = Recorder(tmp_path_factory.mktemp("recorded"), SCENARIOS[request.param])
        recorder.record()
    return recorder


def test_every_event_that_lacks_a_field_is_named(recorded: Recorder, tmp_path: Path) -> None:
    """A field that must be there is declared; without one that is not, everything is read."""
    path = tmp_path / JOURNAL
    path.parent.mkdir()
    sorts = {line.sort: line for line in recorded.lines}
    for line in sorts.values():
        event = json.loads(line.text)
        for key in event.keys() - {"event"}:
            left = {name: value for name, value in event.items() if name != key}
            text = line.known + json.dumps(left).encode() + b"\n"
            if key in FIELDS[event["event"]]:
                with pytest.raises(PwactError, match=f"lacks '{key}'"):
                    parse(text, path)
            else:
                events, _ = parse(text, path)
                ledger.stages(events)
                ledger.pending(events)
                parts.known_parts(events)
                path.write_bytes(text)
                with suppress(UsageError):  # nothing was begun yet
                    status_of(tmp_path, 0.0)


def test_at_every_byte_the_state_is_that_before_or_after_the_line(recorded: Recorder) -> None:
    cuts, path = 0, Path(layout.JOURNAL)
    for line in recorded.lines:
        known = b"".join(line.known.splitlines(keepends=True)[-1:])  # the others were read already
        before = parse(known, path)
        for size in range(len(line.text)):
            assert parse(known + line.text[:size], path) == before
        events, size = parse(known + line.text, path)
        assert events == [*before[0], json.loads(line.text)]
        assert size == len(known + line.text)
        cuts += len(line.text)
    assert cuts > 5000


def test_what_is_written_next_stands_in_place_of_the_torn_line(
    recorded: Recorder, tmp_path: Path
) -> None:
    path, found = tmp_path / layout.JOURNAL, {line.sort: line for line in recorded.lines}
    for number, line in enumerate(found.values()):
        path.write_bytes(line.known + line.text[: byte_of(number, line)])
        journal = Journal(path, clock=lambda: 0.0)
        journal.append("next")
        journal.close()
        assert path.read_bytes() == line.known + b'{"event": "next", "time": 0.0}\n'


def byte_of(number: int, line: Line) -> int:
    """A byte of a line, another one for every line."""
    return 1 + 7919 * number % (len(line.text) - 1)


@pytest.mark.slow
def test_from_a_sample_of_bytes_it_ends_the_same(recorded: Recorder) -> None:
    sample = {line.sort: line for line in recorded.lines}  # the last one of each
    assert {one.partition(" ")[0] for one in sample} >= recorded.sorts
    for number, line in enumerate(sample.values()):
        recorded.resume(line, byte_of(number, line))


@pytest.mark.slow
@pytest.mark.thorough
def test_from_every_line_it_ends_the_same(recorded: Recorder) -> None:
    """Cut off before it, at a byte, before its end of line, and behind it."""
    for number, line in enumerate(recorded.lines):
        for size in (0, byte_of(number, line), len(line.text) - 1, len(line.text)):
            recorded.resume(line, size)
