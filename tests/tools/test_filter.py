"""`pwact filter` on trees of ours and of PWact."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact.cli.main import main
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.model_devi import write_model_devi
from tests.workflow.pairs import run_param
from tests.workflow.pwact_trees import TEMP, VARIANTS, leave

Said = pytest.CaptureFixture[str]
PLACE = "md.000.sys.000/md.000.sys.000.t.000"
MD = "iter.0001/01.explore/md"


def deviations(md: Path, place: str, values: list[float]) -> None:
    """A ``model_devi.out`` as MatPL writes it, with a row every 10 steps."""
    (md / place).mkdir(parents=True)
    rows = np.outer(values, [0.5, 0.1, 1.0, 0.0, 0.0, 0.0])
    write_model_devi(md / place / "model_devi.out", 10 * np.arange(len(values)), rows)


def uncertainties(md: Path, place: str, values: list[float]) -> None:
    (md / place).mkdir(parents=True)
    rows = np.outer(values, [0.0, 1.0, 9.0, 0.1])
    write_kpu_devi(md / place / "kpu_model_devi.out", 10 * np.arange(len(values)), rows)


def table(said: str) -> list[list[str]]:
    return [line.split() for line in said.splitlines()[3:]]


def first_lines(text: str) -> tuple[str, str]:
    """The summary line, and the line that says what the choice is based on."""
    (total,) = re.findall("^Total structures.*$", text, re.MULTILINE)
    (basis,) = re.findall("^Select by.*$", text, re.MULTILINE)
    return total, basis


@pytest.mark.parametrize("place", [".", "iter.0001", "iter.0001/01.explore", MD])
@pytest.mark.parametrize("command", ["filter", "FILTER_test"])
def test_the_limits_of_a_campaign_sort_as_the_campaign_did(
    finished_run: Path, here: Path, capsys: Said, place: str, command: str
) -> None:
    window = run_param()["strategy"]
    words = ["-l", str(window["lower_model_devi_f"]), "-u", str(window["upper_model_devi_f"])]
    status = main([command, "-i", str(finished_run / place), *words])
    said = capsys.readouterr()
    if place == ".":
        assert status == 2
        near = finished_run / "iter.0000/01.explore/md"
        assert said.err == (
            f"pwact: {finished_run}: holds no trajectory md.*.sys.*/md.*.sys.*; "
            f"did you mean {near}?\n"
        )
        return
    assert (status, said.err) == (0, "")
    own = (finished_run / "iter.0001/01.explore/select/select_summary.txt").read_text()
    assert first_lines(said.out) == first_lines(own)
    assert "details" not in said.out
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["0.2", "0.4"])
@pytest.mark.parametrize("part", ["", TEMP])
def test_trees_of_pwact_are_read(
    finished_run: Path, here: Path, capsys: Said, name: str, part: str
) -> None:
    leave(finished_run, here, (1, 1), VARIANTS[name])
    before = sorted(here.rglob("*"))
    words = ["-l", "0.01", "-u", "0.2", "0.4"]
    explore = "01.explore" if name == "0.4" else "explore"
    assert main(["filter", "-i", f"iter.0001/{part}/{explore}/md", *words]) == 0
    theirs = capsys.readouterr()
    assert main(["filter", "-i", str(finished_run / "iter.0001"), *words]) == 0
    ours = capsys.readouterr()
    assert (theirs.out, theirs.err) == (ours.out, "")
    assert "Total structures 10, judged by model deviation force" in ours.out
    assert sorted(here.rglob("*")) == before


def test_classes_and_borders_of_one_pair(here: Path, capsys: Said) -> None:
    deviations(here / "md", PLACE, [0.0, 0.0999, 0.1, 0.2, 0.2499, 0.25, np.nan, 3.0])
    deviations(here / "md", f"{PLACE}.p.001", [0.05, 0.15])
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.25"]) == 0
    assert capsys.readouterr().out == (
        "lower limit 0.1 eV/Å, upper limit 0.25 eV/Å\n"
        "\n"
        "Total structures 10    accurate 3 rate 30.00%    selected 4 rate 40.00%"
        "    error 3 rate 30.00%\n"
        "\n"
        "Select by model deviation force:\n"
        "Accurate configurations: 3\n"
        "Candidate configurations: 4\n"
        "Error configurations: 3\n"
    )
    assert not (here / "filter_test_result").exists()


def test_a_table_of_several_limits(here: Path, capsys: Said) -> None:
    deviations(here / "md", PLACE, [0.05, 0.15, 0.35, 0.45])
    assert main(["filter", "-i", "md", "-l", "0.1", "0.4", "-u", "0.2", "0.4", "0.5"]) == 0
    assert table(capsys.readouterr().out) == [
        ["0.1", "0.2", "1", "25.00", "1", "25.00", "2", "50.00"],
        ["0.1", "0.4", "1", "25.00", "2", "50.00", "1", "25.00"],
        ["0.1", "0.5", "1", "25.00", "3", "75.00", "0", "0.00"],
        ["0.4", "0.2"],
        ["0.4", "0.4"],
        ["0.4", "0.5", "3", "75.00", "1", "25.00", "0", "0.00"],
    ]
    assert [path.name for path in here.iterdir()] == ["md"]


def test_save_writes_the_tables_as_a_selection_does(here: Path, capsys: Said) -> None:
    deviations(here / "md", PLACE, [0.05, 0.15, 0.35, 0.18])
    deviations(here / "md", "md.000.sys.1000/md.000.sys.1000.t.000", [0.11])
    deviations(here / "md", "md.000.sys.002/md.000.sys.002.t.000", [0.12])
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.2", "-s"]) == 0
    result = here / "filter_test_result"
    assert sorted(path.name for path in result.iterdir()) == [
        "accurate.csv",
        "candidate.csv",
        "fail.csv",
        "select_summary.txt",
    ]
    md = here / "md"
    assert (result / "candidate.csv").read_text().splitlines() == [
        "devi_force,config_index,file_path",
        f"0.15,10,{md / PLACE}",
        f"0.18,30,{md / PLACE}",
        f"0.12,0,{md}/md.000.sys.002/md.000.sys.002.t.000",
        f"0.11,0,{md}/md.000.sys.1000/md.000.sys.1000.t.000",
    ]
    assert (result / "fail.csv").read_text().splitlines() == [
        "devi_force,config_index,file_path",
        f"0.35,20,{md / PLACE}",
    ]
    summary = (result / "select_summary.txt").read_text()
    assert summary == (
        "Total structures 6    accurate 1 rate 16.67%    selected 4 rate 66.67%"
        "    error 1 rate 16.67%\n"
        "\n"
        "Select by model deviation force:\n"
        "Accurate configurations: 1, details in file accurate.csv\n"
        "Candidate configurations: 4\n"
        "        Select details in file candidate.csv\n"
        "Error configurations: 1, details in file fail.csv\n"
    )
    assert f"\n{summary}" in capsys.readouterr().out
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.12", "-s"]) == 0
    assert len((result / "candidate.csv").read_text().splitlines()) == 2


def test_rows_of_three_columns_and_of_a_continued_run(here: Path, capsys: Said) -> None:
    trajectory = here / "md" / PLACE
    trajectory.mkdir(parents=True)
    (trajectory / "model_devi.out").write_text(
        "# step avg_devi_f max_devi_f\n 20 0.01 0.3\n 30 0.01 0.15\n"
    )
    (trajectory / "model_devi.before.out").write_text(
        "# step avg_devi_f max_devi_f\n 0 0.01 0.05\n 10 0.01 0.15\n 20 0.01 0.05\n"
    )
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.2", "0.4"]) == 0
    assert [row[2::2] for row in table(capsys.readouterr().out)] == [["1", "2", "1"]] + [
        ["1", "3", "0"]
    ]


@pytest.mark.parametrize("apart", [False, True], ids=["beside", "apart"])
def test_kpu_limits_are_relative_to_each_system(here: Path, capsys: Said, apart: bool) -> None:
    where = here / ("kpu" if apart else "md")
    other = "md.000.sys.001/md.000.sys.001.t.000"
    uncertainties(where, PLACE, [1.0] * 5 + [4.9, 5.0, 49.0, 50.0])
    uncertainties(where, other, [0.1] * 5 + [0.49, 0.51, 4.9, 5.1, 49.0])
    if apart:
        for place in (PLACE, other):
            (here / "md" / place).mkdir(parents=True)
    assert main(["filter", "-i", "md", "-l", "5", "-u", "10"]) == 0
    assert capsys.readouterr().out == (
        "kpu_lower 5, kpu_upper 10\n"
        "\n"
        "Total structures 19    accurate 12 rate 63.16%    selected 4 rate 21.05%"
        "    error 3 rate 15.79%\n"
        "\n"
        "Select by Kalman prediction uncertainty of the forces:\n"
        "md.000.sys.000: base 1, lower limit 5, upper limit 50\n"
        "md.000.sys.001: base 0.1, lower limit 0.5, upper limit 5\n"
        "Accurate configurations: 12\n"
        "Candidate configurations: 4\n"
        "Error configurations: 3\n"
    )
    assert main(["filter", "-i", "md", "-l", "5", "2", "-u", "1", "10"]) == 0
    rows = table(capsys.readouterr().out)
    assert [row[2:7:2] for row in rows] == [[], ["12", "4", "3"], [], ["10", "4", "5"]]


def test_what_cannot_be_judged_is_left_out_and_named(here: Path, capsys: Said) -> None:
    deviations(here / "md", PLACE, [0.05, 0.15])
    for number in (1, 2, 3, 4):
        (here / "md" / f"{PLACE[:-1]}{number}").mkdir()
    broken = here / "md" / f"{PLACE[:-1]}4" / "model_devi.out"
    broken.write_text("# step max_devi_f\n0 0.05\n10 zero\n")
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.2"]) == 0
    said = capsys.readouterr()
    assert "Total structures 2 " in said.out
    first, second = said.err.splitlines()
    assert re.search(
        rf"WARNING: left out: {re.escape(str(broken))}: a row does not hold 2 numbers", first
    )
    assert second.endswith(
        "left out, without a file of deviations: 3 "
        "(md.000.sys.000.t.001, md.000.sys.000.t.002, md.000.sys.000.t.003)"
    )


def test_rows_without_any_frame_make_no_division_by_zero(here: Path, capsys: Said) -> None:
    deviations(here / "md", PLACE, [])
    assert main(["filter", "-i", "md", "-l", "0.1", "-u", "0.2"]) == 0
    assert "Total structures 0    accurate 0 rate 0.00%" in capsys.readouterr().out


BAD: list[tuple[list[str], str]] = [
    (["-i", "md", "-l", "0.1"], "filter needs --lower and --upper, or --target"),
    (["-l", "0.1", "-u", "0.2"], "the following arguments are required: -i/--md_dir"),
    (["-i", "md", "-l", "0.2", "-u", "0.1"], "lower 0.2 is not below upper 0.1"),
    (["-i", "md", "-l", "0.2", "-u", "0.2"], "lower 0.2 is not below upper 0.2"),
    (["-i", "md", "-l", "0.2", "0.3", "-u", "0.1"], "lower 0.2 is not below upper 0.1"),
    (["-i", "md", "-l", "-1", "-u", "0.1"], "found '-1'; expected a number of at least 0"),
    (["-i", "md", "-l", "nan", "-u", "0.1"], "found 'nan'; expected a number of at least 0"),
    (["-i", "md", "-l", "a", "-u", "0.1"], "found 'a'; expected a number of at least 0"),
    (["-i", "md", "-l", "0", "-u", "inf"], "found 'inf'; expected a number of at least 0"),
    (["-i", "md", "-l", "0.1", "0.2", "-u", "0.3", "-s"], "--save takes one pair of limits, found"),
    (["-i", "nowhere", "-l", "0.1", "-u", "0.2"], "nowhere: does not exist"),
    (["-i", "file", "-l", "0.1", "-u", "0.2"], "file: is not a directory"),
    (["-i", "empty", "-l", "0.1", "-u", "0.2"], "empty: holds no trajectory"),
    (["-i", "bare", "-l", "0.1", "-u", "0.2"], "none of its 1 trajectories has a model_devi.out"),
    (["-i", "broken", "-l", "0.1", "-u", "0.2"], "none of its trajectories can be judged"),
    (["-i", "by_kpu", "-l", "5", "-u", "1"], "with KPU upper multiplies lower"),
    (["-i", "by_kpu", "-l", "0", "-u", "2"], "with KPU upper multiplies lower"),
    (["-i", "md", "--low", "0.1", "-u", "0.2"], "unrecognized arguments: --low 0.1"),
]


@pytest.mark.parametrize(("words", "complaint"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_arguments_are_told_and_nothing_is_written(
    here: Path, capsys: Said, words: list[str], complaint: str
) -> None:
    deviations(here / "md", PLACE, [0.15])
    uncertainties(here / "by_kpu", PLACE, [1.0])
    (here / "empty").mkdir()
    (here / "bare" / PLACE).mkdir(parents=True)
    deviations(here / "broken", PLACE, [])
    (here / "broken" / PLACE / "model_devi.out").write_text("what?\n")
    (here / "file").touch()
    before = sorted(here.rglob("*"))
    assert main(["filter", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    complaints = [line for line in said.err.splitlines() if line.startswith("pwact: ")]
    assert len(complaints) == 1
    assert complaint in complaints[0]
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize("words", [[], ["help"], ["-h"]], ids=["bare", "help", "-h"])
def test_help(capsys: Said, words: list[Any]) -> None:
    assert main(["filter", *words]) == 0
    assert "--upper UPPER [UPPER ...]" in capsys.readouterr().out
