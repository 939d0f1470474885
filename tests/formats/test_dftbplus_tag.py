"""results.tag: numbers read by eye, then damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import CutOffError, TaskError
from pwact.formats.dftbplus_tag import read_tags
from tests.damage import cuts, put, spoiled

WANTED = ("mermin_energy", "total_energy", "forces", "stress", "cell_volume")
SMALL = b"""mermin_energy       :real:0:
 -0.280141072121681E+001
is_it               :logical:1:2
  T F
stress              :real:2:3,3
  0.100000000000000E+001  0.200000000000000E+001  0.300000000000000E+001
  0.400000000000000E+001  0.500000000000000E+001  0.600000000000000E+001
  0.700000000000000E+001  0.800000000000000E+001  0.900000000000000E+001
forces              :real:2:3,2
  0.100000000000000E+001  0.200000000000000E+001  0.300000000000000E+001
  0.400000000000000E+001  0.500000000000000E+001  0.600000000000000E+001
cell_volume         :real:0:
  0.404866000000000E+003
"""


def test_numbers_read_by_eye(samples: Path) -> None:
    found = read_tags(samples / "dftbplus" / "sp_alloy" / "results.tag", WANTED)
    assert sorted(found) == ["cell_volume", "forces", "mermin_energy", "stress"]
    assert float(found["mermin_energy"]) == -0.498914611129973
    assert found["forces"].shape == (4, 3)
    first = [0.397269976808019e-1, 0.204414825850403e-2, -0.289577961735761e-1]
    assert found["forces"][0].tolist() == first
    assert found["stress"][0].tolist() == [
        *(0.533098980710228e-3, -0.417157199056666e-4, -0.125987603977060e-3)
    ]
    assert float(found["cell_volume"]) == 362.179846383315
    cluster = read_tags(samples / "dftbplus" / "sp_cluster" / "results.tag", WANTED)
    assert sorted(cluster) == ["forces", "mermin_energy"]
    assert list(cluster["forces"][2]) == [
        *(-0.354130433962869e-2, -0.264391233975470e-1, -0.219859810871602e-2)
    ]


def test_an_empty_file_holds_nothing(samples: Path) -> None:
    assert read_tags(samples / "dftbplus" / "scc_fail" / "results.tag", WANTED) == {}


def test_shapes(tmp_path: Path) -> None:
    found = read_tags(put(tmp_path / "results.tag", SMALL), WANTED)
    assert found["stress"].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert found["forces"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found["cell_volume"].shape == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"3,2\n", b"3,3\n", "line 12: a name where 3 more"),
        (b"3,2\n", b"3\n", "line 9: 1 sizes where 2"),
        (b"real:0:\n -", b"real:1:2\n -", "line 3: a name where 1 more"),
        (b"is_it ", b"mermin_energy ", "line 3: mermin_energy stands there a second time"),
        (b"is_it ", b"is it ", "line 3: no name"),
        (b"\n  0.100", b"\n  0.100-100  0.100", "is not a number"),
        (b"0.600000000000000E+001\ncell", b"NaN\ncell", "line 11: NaN is not finite"),
        (b"0.600000000000000E+001\ncell", b"***\ncell", "line 11: '\\*\\*\\*' is not a number"),
        (b"\ncell", b" 0.1\ncell", "line 11: 7 numbers where 6"),
    ],
)
def test_damage(tmp_path: Path, old: bytes, new: bytes, message: str) -> None:
    assert old in SMALL
    with pytest.raises(TaskError, match=message):
        read_tags(put(tmp_path / "results.tag", SMALL.replace(old, new, 1)), WANTED)


def test_cuts_of_a_file(samples: Path, tmp_path: Path) -> None:
    content = (samples / "dftbplus" / "sp_copper" / "results.tag").read_bytes()
    whole = read_tags(put(tmp_path / "results.tag", content), WANTED)
    refused = 0
    for place in cuts(content):
        try:
            found = read_tags(put(tmp_path / "results.tag", content[:place]), WANTED)
        except CutOffError:
            refused += 1
            continue
        for name, values in found.items():
            np.testing.assert_array_equal(values, whole[name])
    assert refused > 150
    for word in (b"NaN", b"********"):
        for damaged in spoiled(content, word):
            with pytest.raises(TaskError, match="results.tag, line"):
                read_tags(put(tmp_path / "results.tag", damaged), WANTED)
    with pytest.raises(TaskError, match="a second time"):
        read_tags(put(tmp_path / "results.tag", content + content), WANTED)
