from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import TaskError
from pwact.formats.model_devi import Deviations, read_model_devi, write_model_devi

MATPL = "#    step avg_devi_f min_devi_f max_devi_f avg_devi_e min_devi_e max_devi_e\n"
DEEPMD = (
    "#       step         max_devi_v         min_devi_v         avg_devi_v"
    "         max_devi_f         min_devi_f         avg_devi_f\n"
)


def read_text(tmp_path: Path, text: str) -> Deviations:
    path = tmp_path / "model_devi.out"
    path.write_text(text)
    return read_model_devi(path)


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (MATPL, "{step} 0.2 0.1 0.3 9 9 9\n"),
        (DEEPMD, "{step} 9e0 9 9 0.3 1e-1 2.0e-01\n"),
        (DEEPMD.replace("\n", " atm_devi_f(N)\n"), "{step} 9 9 9 0.3 0.1 0.2 8 8\n"),
        ("# step avg_devi_f min_devi_f max_devi_f\n", "{step} 0.2 0.1 0.3\n"),
        ("#step max_devi_f avg_devi_f min_devi_f\n", "{step} 0.3 0.2 0.1\n"),
    ],
)
def test_columns_are_found_by_name(tmp_path: Path, header: str, row: str) -> None:
    text = header + "".join(row.format(step=step) for step in (0, 10, 20))
    found = read_text(tmp_path, text)
    assert found.steps.tolist() == [0, 10, 20]
    assert found.steps.dtype.kind == "i"
    assert found.max_f.tolist() == [0.3] * 3
    assert found.avg_f.tolist() == [0.2] * 3
    assert found.min_f.tolist() == [0.1] * 3
    assert found.failed.tolist() == [False] * 3


def test_the_root_mean_square_over_the_atoms(tmp_path: Path) -> None:
    """A column of ours, or of what DeePMD-kit tells of each atom; else unknown."""
    of_atoms = np.array([[0.1, 0.4, 0.3], [0.2, 0.2, 0.5]])
    rows = [
        f"{step} 9 9 9 {one.max()} {one.min()} {one.mean()} {' '.join(map(str, one.tolist()))}\n"
        for step, one in zip((0, 10), of_atoms)
    ]
    found = read_text(tmp_path, DEEPMD.replace("\n", " atm_devi_f(N)\n") + "".join(rows))
    np.testing.assert_allclose(found.rms_f, np.sqrt((of_atoms**2).sum(axis=1) / 3))
    assert not found.failed.any()
    assert np.isnan(read_text(tmp_path, MATPL + "0 0.2 0.1 0.3 9 9 9\n").rms_f).all()
    path = tmp_path / "ours.out"
    write_model_devi(path, np.array([0, 10]), np.arange(14.0).reshape(2, 7))
    assert read_model_devi(path).rms_f.tolist() == [6.0, 13.0]


def test_oldest_files_have_only_the_average(tmp_path: Path) -> None:
    found = read_text(tmp_path, "# step avg_devi_f max_devi_e\n0 0.2 9\n")
    assert found.max_f.tolist() == found.avg_f.tolist() == [0.2]
    assert np.isnan(found.min_f).all()
    assert not found.failed.any()


@pytest.mark.parametrize(
    ("row", "failed"),
    [
        ("10 9 9 9 0.3 0.1 0.2", False),
        ("10 9 9 9 nan 0.1 0.2", True),
        ("10 9 9 9 0.3 0.1 -nan", True),
        ("10 -nan nan NaN 0.3 0.1 0.2", True),
        ("10 9 9 9 inf 0.1 inf", True),
        ("10 1.797693e+308 nan -nan -nan -nan -nan", True),
        ("10 9 9 9 1.797693e+308 0.1 0.2", True),
        ("10 0.0e+00 0.0e+00 0.0e+00 0.0e+00 0.0e+00 0.0e+00", True),
        ("0 0.0e+00 0.0e+00 0.0e+00 0.0e+00 0.0e+00 0.0e+00", False),
        ("10 9 9 9 1e-9 0.0 0.0", False),
        ("10 9 9 9 123456.0 0.0 0.0", False),
    ],
)
def test_frames_that_no_model_describes(tmp_path: Path, row: str, failed: bool) -> None:
    assert read_text(tmp_path, DEEPMD + row + "\n").failed.tolist() == [failed]


@pytest.mark.parametrize("header", ["", DEEPMD])
def test_of_repeated_steps_the_last_stays(tmp_path: Path, header: str) -> None:
    rows = [f"{step} 9 9 9 0.{k} 0 0\n" for k, step in enumerate((0, 10, 20, 20, 30), start=1)]
    found = read_text(tmp_path, DEEPMD + "".join(rows[:3]) + header + "".join(rows[3:]))
    assert found.steps.tolist() == [0, 10, 20, 30]
    assert found.max_f.tolist() == [0.1, 0.2, 0.4, 0.5]
    assert len(found.failed) == len(found.avg_f) == len(found.min_f) == 4


@pytest.mark.parametrize("torn", ["2", "20 9 9", "20 9 9 9 0.3 0.1 0.2"])
def test_a_torn_last_line_is_left_out(tmp_path: Path, torn: str) -> None:
    found = read_text(tmp_path, DEEPMD + "0 9 9 9 0.3 0.1 0.2\n" + torn)
    assert found.steps.tolist() == [0]


def test_only_a_header(tmp_path: Path) -> None:
    found = read_text(tmp_path, DEEPMD)
    assert [len(getattr(found, name)) for name in ("steps", "max_f", "failed")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 does not name"),
        ("0 1 2 3 4 5 6\n", "line 1 does not name"),
        ("# step avg_devi_e\n0 1\n", "line 1 does not name"),
        (DEEPMD + "0 1 2\n", "names 7 columns, line 2 has 3"),
        (DEEPMD + "0 9 9 9 1 1 1\n10 9 9\n20 9 9 9 1 1 1\n", "does not hold 7"),
        (DEEPMD + "0 9 9 9 1 1 1\n10 9 9 9 1 1 x\n", "does not hold 7"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(TaskError, match=message) as caught:
        read_text(tmp_path, text)
    assert "model_devi.out" in str(caught.value)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_model_devi(tmp_path / "absent")


def test_written_as_matpl_does(tmp_path: Path) -> None:
    rows = np.array([[0.2, 0.1, 0.3, 0.02, 0.01, 0.03], [np.nan] * 6])
    write_model_devi(tmp_path / "model_devi.out", np.array([0, 10]), rows)
    lines = (tmp_path / "model_devi.out").read_text().splitlines()
    assert lines[0].split() == MATPL.split()
    assert lines[1] == "        0 " + " ".join(f"{number:16.9f}" for number in rows[0])
    found = read_model_devi(tmp_path / "model_devi.out")
    assert (found.avg_f[0], found.min_f[0], found.max_f[0]) == (0.2, 0.1, 0.3)
    assert found.failed.tolist() == [False, True]
