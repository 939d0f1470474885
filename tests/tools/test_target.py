"""`pwact filter --target`: the limit that the labels of an iteration give."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from pwact import layout
from pwact.cli.main import main
from pwact.formats.model_devi import write_model_devi
from pwact.query.calibration import Pairs, accepted_up_to, calibrate
from pwact.report.label_error import LabelError, write_label_error
from tests.tools.made_rounds import leave_rounds

Said = pytest.CaptureFixture[str]
PLACE = "md.000.sys.000/md.000.sys.000.t.000"
EXPLORED = np.geomspace(0.01, 0.4, 60)
LABELLED = EXPLORED[20:40:2]


def campaign(here: Path, factor: float = 2.0, steps: tuple[str, str] = ("01.", "02.")) -> Path:
    """One iteration whose errors are `factor` times the deviation, ± 20 %; the fifth row failed."""
    md = here / f"iter.0001/{steps[0]}explore/md"
    (md / PLACE).mkdir(parents=True)
    values = np.r_[EXPLORED[:4], 0.0, EXPLORED[4:]]
    write_model_devi(
        md / PLACE / "model_devi.out", np.arange(61), np.outer(values, [0.5, 0.1, 1.0, 0, 0, 0])
    )
    result = here / f"iter.0001/{steps[1]}label/result"
    result.mkdir(parents=True)
    rows = [
        LabelError(PLACE, number, value, factor * value * 1.2 ** (-1) ** number, 9.0)
        for number, value in enumerate(LABELLED.tolist())
    ]
    write_label_error(result / "label_error.csv", rows)
    return md


@pytest.mark.parametrize("steps", [("01.", "02."), ("", "")])
def test_the_limit_is_that_of_the_calibration(
    here: Path, capsys: Said, steps: tuple[str, str]
) -> None:
    md = campaign(here, steps=steps)
    assert main(["filter", "-i", str(md), "--target", "0.2"]) == 0
    said = capsys.readouterr().out
    errors = 2 * LABELLED * 1.2 ** (-1.0) ** np.arange(10)
    line = calibrate(Pairs(LABELLED, errors))
    assert line is not None
    limit = accepted_up_to(line, 0.2, EXPLORED)
    assert limit is not None
    assert 0.06 < limit < 0.12
    accepted = int(np.sum(limit >= EXPLORED))
    assert said.startswith(
        "target 0.2 eV/Å, judged by model deviation force and the true errors of 10 labelled "
        f"frames\n\nlower limit {limit:.3g} eV/Å: {accepted} of 61 frames ("
    )
    share = line.below(0.2, EXPLORED[:accepted]).mean()
    assert f"the error of {100 * share:.0f}% of them is expected to be below the target" in said


def test_none_is_accepted_where_all_errors_are_above(here: Path, capsys: Said) -> None:
    md = campaign(here, factor=100.0)
    assert main(["filter", "-i", str(md), "-t", "0.01"]) == 0
    said = capsys.readouterr().out
    assert "none of 61 frames counts as accurate: at the smallest deviation, 0.01 eV/Å" in said
    (error,) = re.findall("error is about ([0-9.]+) eV/Å", said)
    assert float(error) == pytest.approx(1.0, rel=0.2)


def test_a_larger_target_accepts_more(here: Path, capsys: Said) -> None:
    md = campaign(here)
    found = []
    for target in ("0.05", "0.1", "0.4"):
        assert main(["filter", "-i", str(md), "-t", target]) == 0
        found.append(int(re.findall(r"(\d+) of 61", capsys.readouterr().out)[0]))
    assert found[0] < found[1] < found[2]


def complaint(words: list[str], capsys: Said) -> str:
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


def test_what_is_missing_is_named(here: Path, capsys: Said) -> None:
    md = campaign(here)
    table = here / "iter.0001/02.label/result/label_error.csv"
    words = ["filter", "-i", str(md), "-t", "0.1"]
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(lines[:5]))
    said = complaint(words, capsys)
    assert f"{table}: found 4 labelled frames" in said
    assert "at least 5 are needed" in said
    table.write_text("".join(line.replace("rmse_force", "rmse") for line in lines))
    lacks = "is no table with devi_force and rmse_force: it has no column 'rmse_force'"
    assert f"{table}: {lacks}" in complaint(words, capsys)
    table.write_text(f"{lines[0]}{PLACE}\n")
    assert "and rmse_force: a row has too few columns" in complaint(words, capsys)
    table.unlink()
    assert f"{table}: does not exist; the frames" in complaint(words, capsys)
    os.mkfifo(table)  # would wait for a writer for ever
    assert f"{table}: is a pipe, not a file" in complaint(words, capsys)
    table.unlink()
    table.write_text("".join(lines))
    limits = here / "iter.0001/01.explore/select/limits.csv"
    limits.parent.mkdir(exist_ok=True)
    limits.write_text("iteration,condition,sigma\n")
    assert f"{limits}: holds 0 rows; that of one iteration" in complaint(words, capsys)
    limits.write_text("iteration,condition\n1,0\n")
    named = f"{limits}: is no table with sigma and condition: it has no column 'sigma'\n"
    assert complaint(words, capsys).endswith(named)


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        (["-t", "0.1", "-l", "0.1", "-u", "1"], "--target gives the limit itself"),
        (["-t", "0.1", "-s"], "--target gives the limit itself"),
        (["-l", "0.1"], "filter needs --lower and --upper, or --target"),
        ([], "filter needs --lower and --upper, or --target"),
        (["-t", "0"], "expected a number above 0"),
        (["-t", "nan"], "expected a number of at least 0"),
    ],
)
def test_words_that_make_no_sense(here: Path, capsys: Said, more: list[str], hint: str) -> None:
    assert hint in complaint(["filter", "-i", str(campaign(here)), *more], capsys)


def test_labels_of_a_working_copy_that_came_home_without_it(here: Path, capsys: Said) -> None:
    md = campaign(here)
    copy = here / "iter.0001/temp_run_iter_work/01.explore"
    copy.mkdir(parents=True)
    md.rename(copy / "md")
    assert main(["filter", "-i", str(copy / "md"), "--target", "0.2"]) == 0
    assert "of 10 labelled frames" in capsys.readouterr().out


def test_labels_of_another_condition_say_less(here: Path, capsys: Said) -> None:
    leave_rounds(here, 6)
    md = layout.md_dir(here, 5)
    write(md / PLACE / "lmp.config", bulk("Cu", cubic=True), format="lammps-data")
    words = ["filter", "-i", str(md), "--target", "0.1"]
    assert main(words) == 0
    said = capsys.readouterr().out
    path = layout.select_dir(here, 5) / layout.CALIBRATION
    head, *lines = path.read_text().splitlines()
    place = head.split(",").index("condition")
    rows = [line.split(",") for line in lines]
    assert {row[place] for row in rows} == {"0"}
    here_too = [",".join([*row[:place], "1", *row[place + 1 :]]) for row in rows]
    path.write_text("\n".join([head, *here_too]))
    assert main(words) == 0
    assert capsys.readouterr().out != said
