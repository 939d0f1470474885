from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import TaskError
from pwact.formats.kpu_devi import read_kpu_devi, write_kpu_devi

# as numpy.savetxt of MatPL prints it
MATPL = """\
#     step        etot_kpu      f_kpu_mean       f_kpu_max       f_kpu_min
         0            0.00           36.09          107.61            2.00
         5            0.01          103.58          327.85            2.50
"""


def test_a_file_of_matpl(tmp_path: Path) -> None:
    path = tmp_path / "kpu_model_devi.out"
    path.write_text(MATPL + "        10            0.00          10")
    rows = read_kpu_devi(path)
    assert rows.steps.tolist() == [0, 5]
    assert rows.steps.dtype.kind == "i"
    assert rows.etot_kpu.tolist() == [0.0, 0.01]
    assert rows.f_mean.tolist() == [36.09, 103.58]
    assert rows.f_max.tolist() == [107.61, 327.85]
    assert rows.f_min.tolist() == [2.0, 2.5]
    assert rows.failed.tolist() == [False, False]


def test_small_values_survive_a_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "kpu_model_devi.out"
    values = np.array([[1e-12, 2e-9, 3.25e-9, 0.0], [1.0, np.nan, 1e200, -1e-3]])
    write_kpu_devi(path, np.array([0, 123456789]), values)
    lines = path.read_text().splitlines()
    assert lines[0].replace("#", "").split() == MATPL.splitlines()[0].replace("#", "").split()
    assert lines[1] == "         0  1.00000000e-12  2.00000000e-09  3.25000000e-09  0.00000000e+00"
    rows = read_kpu_devi(path)
    assert rows.steps.tolist() == [0, 123456789]
    found = np.stack([rows.etot_kpu, rows.f_mean, rows.f_max, rows.f_min], 1)
    np.testing.assert_array_equal(found, values)
    assert rows.failed.tolist() == [False, True]


def test_the_order_of_columns_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "kpu_model_devi.out"
    path.write_text("# f_kpu_min f_kpu_max step f_kpu_mean etot_kpu\n1 3 10 2 4\n")
    rows = read_kpu_devi(path)
    assert (rows.f_min[0], rows.f_max[0], rows.f_mean[0], rows.etot_kpu[0]) == (1, 3, 2, 4)


@pytest.mark.parametrize("name", ["step", "etot_kpu", "f_kpu_mean", "f_kpu_max", "f_kpu_min"])
def test_each_column_must_be_there(tmp_path: Path, name: str) -> None:
    path = tmp_path / "kpu_model_devi.out"
    path.write_text(MATPL.replace(name, "other"))
    with pytest.raises(TaskError, match=name):
        read_kpu_devi(path)
