"""`pwact draw` on trees of ours and of PWact."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pwact.cli.main import main
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.model_devi import write_model_devi
from pwact.query.window import Limits
from pwact.tools.explored.draw import subject_of
from tests.workflow.pwact_trees import VARIANTS, content, leave

pytestmark = pytest.mark.draws

Said = pytest.CaptureFixture[str]
PLACE = "md.000.sys.000/md.000.sys.000.t.000"
SVG = "{http://www.w3.org/2000/svg}"


def pixels(path: Path) -> np.ndarray:
    from matplotlib import image

    return np.asarray(image.imread(path))


def words(path: Path) -> str:
    """The comments of an SVG, which are its texts."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True))
    tree = ET.parse(path, parser)
    assert tree.getroot().tag == f"{SVG}svg"
    return "\n".join(node.text or "" for node in tree.iter() if node.tag is ET.Comment)


def test_everything_of_a_finished_campaign(finished_run: Path, here: Path, capsys: Said) -> None:
    before = content(finished_run)
    assert main(["draw", str(finished_run), "--format", "PNG", "svg"]) == 0
    said = capsys.readouterr()
    assert content(finished_run) == before
    made = sorted(path.as_posix() for path in Path("pictures").rglob("*") if path.is_file())
    assert sorted(said.out.splitlines()) == made
    expected = {
        f"pictures/{path.relative_to(finished_run).parts[0]}/{path.name}-{kind}.{form}"
        for path in finished_run.glob("iter.*/01.explore/md/md.*")
        for kind in ("histogram", "by_step")  # the toys leave no in.lammps with a temperature
        for form in ("png", "svg")
    }
    assert len(expected) >= 8
    assert set(made) == expected | {
        f"pictures/{name}.{form}"
        for name in ("learning_curve", "iterations", "parity")
        for form in ("png", "svg")
    }
    for name in made:
        if name.endswith("png"):
            assert pixels(Path(name)).std() > 0.05
    text = words(Path("pictures/learning_curve.svg"))
    assert "RMSE of forces (eV/Å)" in text
    assert "explored frames (%)" in text
    text = words(Path("pictures/parity.svg"))
    assert "Forces, RMSE 0.25 eV/Å" in text
    assert "iter.0001" in text
    assert "Energies" not in text  # the toys' logs have none
    by_step = words(Path("pictures/iter.0000/md.000.sys.000-by_step.svg"))
    assert "iter.0000 a.poscar (md.000.sys.000)" in by_step
    assert "labelled (2)" in by_step
    assert "accurate below 0.1 eV/Å" in by_step
    assert "failed from 0.4 eV/Å" in by_step


def test_limits_and_temperatures(here: Path, capsys: Said) -> None:
    md = here / "iter.0003/01.explore/md"
    for number, temp in enumerate(("300", "1200.0")):
        place = md / f"md.000.sys.000/md.000.sys.000.t.{number:03d}"
        place.mkdir(parents=True)
        rows = np.outer([0.1, 0.2, 0.3, np.nan], [0.5, 0.1, 1.0, 0.0, 0.0, 0.0])
        write_model_devi(place / "model_devi.out", 10 * np.arange(4), rows)
        (place / "in.lammps").write_text(f"variable TEMP index {temp}\nrun 10\n")
    other = md / "md.000.sys.001/md.000.sys.001.t.000"
    other.mkdir(parents=True)
    write_model_devi(other / "model_devi.out", np.arange(2), np.full((2, 6), 0.2))
    assert main(["draw", "--format", "svg", "-l", "0.15", "-u", "0.25", "-o", "p"]) == 0
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == [
        "md.000.sys.000-histogram.svg",
        "md.000.sys.000-by_step.svg",
        "md.000.sys.000-by_temperature.svg",
        "md.000.sys.001-histogram.svg",  # whose temperature is not known
        "md.000.sys.001-by_step.svg",
        "iterations.svg",
    ]
    by_step = words(here / "p/iter.0003/md.000.sys.000-by_step.svg")
    for text in ("300 K", "1200 K", "MD step", "largest force deviation (eV/Å)"):
        assert text in by_step
    assert " K" not in words(here / "p/iter.0003/md.000.sys.001-by_step.svg")
    by_temp = words(here / "p/iter.0003/md.000.sys.000-by_temperature.svg")
    for text in ("300", "1200", "(n = 3)", "temperature (K), number of frames"):
        assert text in by_temp
    assert "window 0.15 to 0.25" in words(here / "p/iter.0003/md.000.sys.000-histogram.svg")
    first = (here / "p/iter.0003/md.000.sys.000-by_step.svg").read_bytes()
    assert main(["draw", "--format", "svg", "-o", "p", "--iteration", "3"]) == 0
    histogram = words(here / "p/iter.0003/md.000.sys.000-histogram.svg")
    assert "window" not in histogram
    assert "candidate" not in histogram
    assert (here / "p/iter.0003/md.000.sys.000-by_step.svg").read_bytes() != first


def test_frames_of_zeros_are_failed_as_in_the_tables(here: Path) -> None:
    md = here / "iter.0000/01.explore/md"
    place = md / PLACE
    place.mkdir(parents=True)
    rows = np.outer([0.0, 0.1, 0.2, 0.0, 0.0], [0.5, 0.1, 1.0, 0.0, 0.0, 0.0])
    write_model_devi(place / "model_devi.out", 10 * np.arange(5), rows)
    assert main(["draw", "--format", "svg", "-l", "0.05", "-u", "0.15", "-o", "p"]) == 0
    histogram = words(here / "p/iter.0000/md.000.sys.000-histogram.svg")
    for text in ("accurate 1 (20.0 %)", "candidate 1 (20.0 %)", "failed 3 (60.0 %)"):
        assert text in histogram


def test_uncertainties_of_one_model_have_limits_of_their_own(here: Path, capsys: Said) -> None:
    place = here / "iter.0000/01.explore/kpu" / PLACE
    place.mkdir(parents=True)
    (here / "iter.0000/01.explore/md" / PLACE).mkdir(parents=True)
    rows = np.outer([1.0] * 10 + [3.0, 40.0], [0.0, 2.0, 9.0, 0.1])
    write_kpu_devi(place / "kpu_model_devi.out", np.arange(12), rows)
    assert main(["draw", "--format", "svg", "-l", "1.5", "-u", "10"]) == 0
    assert capsys.readouterr().err == ""
    base = here / "pictures/iter.0000/md.000.sys.000-"
    assert "window 3 to 30" in words(Path(f"{base}histogram.svg"))
    assert "KPU of the forces" in words(Path(f"{base}by_step.svg"))


@pytest.mark.parametrize("name", ["0.2", "0.4"])
def test_trees_of_pwact(finished_run: Path, here: Path, capsys: Said, name: str) -> None:
    leave(finished_run, here, (1, 1), VARIANTS[name])
    summary = (finished_run / "iter_result.txt").read_text().split("iter.0002")[0]
    (here / "iter_select.txt").write_text(summary[: summary.rindex("Number of converged")])
    before = content(here)
    assert main(["draw", "--format", "svg", "-o", "../pictures"]) == 0
    theirs = capsys.readouterr()
    assert content(here) == before
    assert main(["draw", str(finished_run), "--format", "svg", "-o", "../ours"]) == 0
    for iteration in ("iter.0000", "iter.0001"):
        pictures = sorted((here.parent / "pictures" / iteration).iterdir())
        ours = sorted((here.parent / "ours" / iteration).iterdir())
        assert [path.name for path in pictures] == [path.name for path in ours]
    rows, own = subject_of(here).rows, subject_of(finished_run).rows
    assert [row.select for row in rows] == [
        None if row.select is None else replace(row.select, selected=row.select.candidate)
        for row in own[:2]
    ]
    assert [row.label.labelled if row.label else None for row in rows] == [4, None]
    assert "learning_curve.svg" in theirs.out


def test_a_running_campaign_and_a_damaged_file(
    finished_run: Path, here: Path, capsys: Said
) -> None:
    shutil.copytree(finished_run, here / "running", symlinks=True)
    first, second = sorted((here / "running/iter.0001/01.explore/md").glob("*/*/model_devi.out"))[
        :2
    ]
    first.write_bytes(first.read_bytes()[:-7])
    second.write_text("what is this\n")
    journal = here / "running/.pwact/journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])
    assert main(["draw", "running", "--iteration", "1"]) == 0
    said = capsys.readouterr()
    assert f"{second}" in said.err
    assert "Traceback" not in said.err
    assert "pictures/iter.0001/md.000.sys.000-by_step.png" in said.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nowhere"], "nowhere is not a directory"),
        (["."], "no run of pwact, nor one of PWact, was begun here"),
        (["tree", "--iteration", "7"], "iter.0007 is not there; there are iter.0000 to iter.0000"),
        (["tree", "--iteration", "-1"], "--iteration: found '-1'; expected an integer from 0 on"),
        (["tree", "--format", "gif"], "invalid choice: 'gif'"),
        (["tree", "-l", "0.1"], "--lower and --upper go together"),
        (["tree", "-l", "0.1", "-u", "x"], "found 'x'; expected a number of at least 0"),
        (["tree", "-l", "0.3", "-u", "0.2"], "lower 0.3 is not below upper 0.2"),
        (["tree", "more", "words"], "unrecognized arguments: more words"),
    ],
)
def test_wrong_words(here: Path, capsys: Said, given: list[str], said: str) -> None:
    place = here / "tree/iter.0000/01.explore/md" / PLACE
    place.mkdir(parents=True)
    write_model_devi(place / "model_devi.out", np.arange(2), np.full((2, 6), 0.2))
    assert main(["draw", *given]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in here.iterdir()] == ["tree"]


def test_the_journal_names_the_limits(finished_run: Path) -> None:
    events = (finished_run / ".pwact/journal.jsonl").read_text().splitlines()
    (given,) = {
        (event["inputs"]["lower_model_devi_f"], event["inputs"]["upper_model_devi_f"])
        for event in map(json.loads, events)
        if event["event"] == "stage_started" and event["name"].endswith("/select")
    }
    limits = subject_of(finished_run).limits
    assert set(limits.values()) == {Limits(*given)}
    assert 0 in limits
