"""Learning curves and the output of ``dp test``, as DeePMD-kit 3.2.0 wrote them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.engines.deepmd.results import read_curve, read_test
from pwact.engines.trainers import ValidError
from pwact.errors import TaskError

CURVE = """\
# step       rmse_val    rmse_trn    rmse_e_val  rmse_e_trn    rmse_f_val  rmse_f_trn    lr
# If there is no available reference data, rmse_*_{val,trn} will print nan
      0      2.10e+01    1.98e+01      3.34e-01    3.39e-01      6.65e-01    6.27e-01    5.0e-03
     25      3.80e+00    3.63e+00      4.01e-01    3.98e-01      2.05e-01    1.87e-01    1.0e-03
"""
TEST = """\
[2026-11-24 04:58:01] DEEPMD INFO    # ---------------output of dp test---------------
[2026-11-24 04:58:01] DEEPMD INFO    # testing system : data/valid/Cu32
[2026-11-24 04:58:01] DEEPMD INFO    Energy MAE         : 1.000000e-01 eV
[2026-11-24 04:58:01] DEEPMD INFO    Energy RMSE        : 2.000000e-01 eV
[2026-11-24 04:58:01] DEEPMD INFO    Energy RMSE/Natoms : 6.250000e-03 eV
[2026-11-24 04:58:01] DEEPMD INFO    Force  MAE         : 8.000000e-02 eV/Å
[2026-11-24 04:58:01] DEEPMD INFO    Force  RMSE        : 9.000000e-02 eV/Å
[2026-11-24 04:58:01] DEEPMD INFO    # ----------weighted average of errors-----------
[2026-11-24 04:58:01] DEEPMD INFO    Energy RMSE        : 4.000000e-01 eV
[2026-11-24 04:58:01] DEEPMD INFO    Energy RMSE/Natoms : 7.500000e-03 eV
[2026-11-24 04:58:01] DEEPMD INFO    Force  RMSE        : 1.100000e-01 eV/Å
"""


def test_last_row_by_name(tmp_path: Path) -> None:
    file = tmp_path / "lcurve.out"
    file.write_text(CURVE)
    curve = read_curve(file)
    assert (curve["step"], curve["rmse_e_val"], curve["rmse_f_val"]) == (25.0, 0.401, 0.205)
    assert curve["lr"] == 1e-3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# step rmse_trn lr\n",
        CURVE[: CURVE.rindex("1.87e-01")],
        CURVE.replace("3.63e+00", "********"),
        CURVE.partition("\n")[2],
    ],
    ids=["empty", "no row", "torn", "no number", "no head"],
)
def test_no_curve(tmp_path: Path, text: str) -> None:
    file = tmp_path / "lcurve.out"
    file.write_text(text)
    with pytest.raises(TaskError):
        read_curve(file)


def test_average_over_all_systems(tmp_path: Path) -> None:
    file = tmp_path / "test.log"
    file.write_text(TEST)
    assert read_test(file) == ValidError(0.0075, 0.11)


@pytest.mark.parametrize("text", ["", TEST[: TEST.index("Force")], TEST.replace("RMSE", "MAE")])
def test_incomplete_test(tmp_path: Path, text: str) -> None:
    file = tmp_path / "test.log"
    file.write_text(text)
    with pytest.raises(TaskError):
        read_test(file)


@pytest.mark.parametrize("reader", [read_curve, read_test])
def test_missing(tmp_path: Path, reader: object) -> None:
    with pytest.raises(TaskError, match="nowhere"):
        reader(tmp_path / "nowhere")  # type: ignore[operator]
