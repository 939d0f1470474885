"""What `pwact report` finds in campaigns of ours and of PWact, finished, dead, or hardly begun."""

from __future__ import annotations

import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Optional

import numpy as np
import pytest
from ase.build import bulk

from pwact.cli.main import main
from pwact.formats.lammps_dump import frame_text
from pwact.formats.model_devi import write_model_devi
from pwact.report.parity import read_parity
from pwact.tools.report.page import Gathering
from pwact.workflow.campaign import open_campaign
from tests.workflow.pwact_trees import VARIANTS, content, leave

Said = pytest.CaptureFixture[str]
NOW = 1.9e9


class Reader(HTMLParser):
    """The texts of a page, without scripts, and whether its elements are closed."""

    VOID = frozenset({"meta", "link", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.names: list[str] = []
        self.data = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.names.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        self.names.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.data = self.data or data
        elif self.open and self.open[-1] != "style":
            self.words.append(data)


def page_of(work_dir: Path, path: Path) -> Reader:
    """Write the page of a campaign, and read it."""
    assert main(["report", str(work_dir), "-o", str(path)]) == 0
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) < 3_000_000
    assert not re.findall(r"(?:src|href)=[\"'](?!data:|#)", text)
    assert "url(" not in text
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_a_finished_campaign(finished_run: Path, here: Path, capsys: Said) -> None:
    before = content(finished_run)
    page = page_of(finished_run, here / "of it.html")
    assert content(finished_run) == before
    assert "of it.html: open it in a browser" in capsys.readouterr().out
    words = "\n".join(page.words)
    facts = Gathering(finished_run, NOW).facts()
    assert facts.verdict.startswith("This run is finished; ")
    for part in (facts.verdict, "Overview", "Frames", "Errors", "Jobs", "Inputs and versions"):
        assert part in words
    labelled = sum(row.label.labelled for row in facts.rows if row.label)
    assert len(facts.frames) == labelled == page.names.count("option") + labelled > 0
    stored = json.loads(page.data)
    assert [one["t"] for one in stored["frames"]] == [one.title for one in facts.frames]
    assert all("a" in one for one in stored["frames"])
    worst = max(range(labelled), key=lambda number: facts.frames[number].error or 0.0)
    assert stored["worst"] == worst
    assert words.count("accurate") > 0
    assert {job.step for job in facts.jobs} == {"train", "explore", "label"}
    assert all(cost.core_h is not None for cost in facts.costs)


def test_each_label_says_when_why_and_by_what(finished_run: Path) -> None:
    facts = Gathering(finished_run, NOW).facts()
    for frame in facts.frames:
        own, shared = dict(frame.story), dict(facts.shared[frame.iteration])
        assert {"chosen", "trajectory", "MD step", "atoms", "energy of the label"} <= set(own)
        assert own["trajectory"].startswith(f"iter.{frame.iteration:04d}/")
        assert f"{frame.error:.4g} eV/Å" in own["error of the exploring model"]
        assert {"exploring model", "chosen by", "labelled by", "labelled until"} <= set(shared)
        assert "lower_model_devi_f" in shared["chosen by"]
        assert (
            f"iter.{frame.iteration:04d}/00.train/train.000, sha256 of"
            in (shared["exploring model"])
        )
        assert "; command " in shared["labelled by"]
        assert frame.structure is not None


def test_the_points_of_the_curve(finished_run: Path) -> None:
    facts = Gathering(finished_run, NOW).facts()
    assert [one.iteration for one in facts.curve] == list(range(len(facts.rows)))
    known = 0
    for point, row in zip(facts.curve, facts.rows):
        assert point.labels == known
        known += row.label.labelled if row.label else 0
        if row.label is None or row.label.rmse_f is None:
            assert point.chosen is None
            continue
        assert point.chosen is not None
        assert point.chosen.value == pytest.approx(row.label.rmse_f)
        assert point.chosen.low <= point.chosen.value <= point.chosen.high
        assert point.control is None


def test_seeds_versions_and_hashes_are_those_of_the_journal(finished_run: Path) -> None:
    parts = {
        heading: dict(rows) for heading, rows in Gathering(finished_run, NOW).facts().provenance
    }
    events = list(map(json.loads, (finished_run / ".pwact/journal.jsonl").read_text().splitlines()))
    begun = next(event for event in events if event["event"] == "campaign_started")
    assert parts["Campaign"]["seed of run"] == str(begun["seed"])
    assert parts["Campaign"]["versions of pwact"] == begun["version"]
    done = [event for event in events if event["event"] == "stage_done"]
    labelled = {
        event["report"]["data"]: f"sha256 {event['files'][event['report']['data']]}"
        for event in done
        if event["name"].endswith("/label") and event["report"]["data"]
    }
    assert parts["Labelled data"] == labelled
    trained = [event for event in done if event["name"].endswith("/train")][-1]["files"]
    assert parts["Models of the last training"] == {
        path: f"sha256 {value}" for path, value in trained.items()
    }
    assert "sha256" in "".join(parts["Data at the beginning"].values())
    assert not any(
        len(word) == 64
        for words in parts["Settings of the last steps"].values()
        for word in words.split()
    )


def test_a_dead_campaign(finished_run: Path, here: Path) -> None:
    """The journal ends in the midst of a label step; nothing is said about what came after it."""
    dead = here / "a dead one"
    shutil.copytree(finished_run, dead, symlinks=True)
    journal = dead / ".pwact/journal.jsonl"
    lines = journal.read_text().splitlines()
    cut = max(
        n for n, line in enumerate(lines) if '"iter.0001/label"' in line and "started" in line
    )
    journal.write_text("\n".join(lines[: cut + 1]) + "\n" + lines[cut + 1][:20])
    (dead / ".pwact/lock").write_text("elsewhere 1\n")
    page = page_of(dead, here / "page.html")
    facts = Gathering(dead, NOW).facts()
    assert facts.status.state in ("died", "stopped", "unknown")
    assert facts.advice[0].advice in "\n".join(page.words)
    last = json.loads(lines[cut])["time"]
    if facts.status.state != "unknown":
        assert facts.until == last
    assert [row.label is None for row in facts.rows][:2] == [False, True]


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_trees_of_pwact(finished_run: Path, here: Path, name: str) -> None:
    tree = here / "of pwact"
    tree.mkdir()
    leave(finished_run, tree, (1, 1), VARIANTS[name])
    before = content(tree)
    page = page_of(tree, here / "page.html")
    assert content(tree) == before
    facts = Gathering(tree, NOW).facts()
    assert "of PWact" in facts.verdict
    assert "PWact keeps no record of its jobs." in "\n".join(page.words)
    assert {frame.iteration for frame in facts.frames} == {0}
    assert all(frame.structure is not None for frame in facts.frames)


@pytest.mark.parametrize("command", ["run", "init_bulk"])
def test_without_labels(here: Path, command: str) -> None:
    with open_campaign(here, command, 1):
        pass
    page = page_of(here, here / "page.html")
    assert json.loads(page.data)["frames"] == []
    assert "canvas" not in page.names
    assert f"This {command} is finished." in page.words


def test_names_are_shown_as_they_are(finished_run: Path, here: Path) -> None:
    """Whatever they hold: nothing becomes an element or ends the data of the page."""
    nasty = "</script><script>alert(1)</script><marquee>&amp;"
    place = here / (nasty.replace("/", "∕") + os.fsdecode(b"\xff"))
    shutil.copytree(finished_run, place, symlinks=True)
    for table in place.glob("iter.*/02.label/result/label_error.csv"):
        table.write_text(table.read_text().replace("md.000.sys.000.t.000", nasty))
    page = page_of(place, here / "page.html")
    assert page.names.count("script") == 2
    assert "marquee" not in page.names
    assert page.words.count(f"{place.name[:-1]}?") == 2
    titles = [one["t"] for one in json.loads(page.data)["frames"]]
    assert any(nasty.rpartition("/")[2] in title for title in titles)


def test_explored_frames_on_the_map_are_drawn_by_lot(finished_run: Path, here: Path) -> None:
    tree = here / "with dumps"
    shutil.copytree(finished_run, tree, symlinks=True)
    (place, *_) = sorted((tree / "iter.0000/01.explore/md").glob("md.*/md.*/"))
    frame = bulk("Cu", cubic=True)
    lots = np.random.default_rng(1)
    texts = []
    for step in range(0, 90, 10):
        frame.rattle(0.05, rng=lots)
        texts.append(frame_text(step, frame, np.zeros((4, 3)), ["Cu"]))
    (place / "traj.lammpstrj").write_text("".join(texts))
    (place / "atom_type.txt").write_text("Cu\n")
    write_model_devi(place / "model_devi.out", np.arange(0, 90, 10), np.full((9, 6), 0.1))
    found = Gathering(tree, NOW).facts().map
    assert sum(dot.kind == "explored" for dot in found.dots) == 9
    assert {dot.iteration for dot in found.dots if dot.kind == "explored"} == {0}
    assert any("9 explored frames by lot from 1 traj" in words for words in found.notes)
    assert found == Gathering(tree, NOW).facts().map


def test_parity_is_of_all_labels_and_a_sample_of_many(
    finished_run: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = here / "with parity"
    shutil.copytree(finished_run, tree, symlinks=True)
    kept = sorted(tree.glob("iter.*/02.label/parity.npz"))
    frames = [one for path in kept for one in read_parity(path)]
    forces = np.concatenate([one.label_forces.ravel() for one in frames])
    facts = Gathering(tree, NOW).facts()
    assert facts.parity is not None
    assert facts.parity.of[0] == len(forces) > 10
    assert facts.parity.forces[:, 0] == pytest.approx(forces)
    assert facts.errors is not None
    assert facts.errors[1][0][:2] == ["all", str(len(frames))]
    monkeypatch.setattr("pwact.tools.report.errors.COMPONENTS", 10)
    kept[0].write_bytes(kept[0].read_bytes()[:-40])
    fewer = Gathering(tree, NOW).facts()
    assert fewer.parity is not None
    assert len(fewer.parity.forces) == 10
    assert set(fewer.parity.forces[:, 0]) <= set(forces)
    assert any("left out of the parity plots" in words for words in fewer.map.notes)


def test_a_damaged_table_is_named(finished_run: Path, here: Path) -> None:
    tree = here / "damaged"
    shutil.copytree(finished_run, tree, symlinks=True)
    (tree / "iter.0000/02.label/result/label_error.csv").write_text("what,is,this\n1,2,3\n")
    facts = Gathering(tree, NOW).facts()
    assert facts.frames == []
    assert any("is no table of labels" in words for words in facts.map.notes)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere"], "nowhere is not a directory"),
        (["."], "no campaign of pwact, nor one of PWact, was begun here"),
        ([".", "-o", "."], "--output: . is a directory; expected the name of a file"),
    ],
)
def test_wrong_words(here: Path, capsys: Said, given: list[str], said: str) -> None:
    assert main(["report", *given]) == 2
    assert said in capsys.readouterr().err
    assert list(here.iterdir()) == []
