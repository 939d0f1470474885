"""Reading outputs of codes line by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import CutOffError, TaskError
from pwact.io.lines import Lines


def lines(tmp_path: Path, content: bytes) -> Lines:
    path = tmp_path / "out put"
    path.write_bytes(content)
    return Lines(path)


def test_lines_are_counted_and_a_cut_one_is_left_out(tmp_path: Path) -> None:
    with lines(tmp_path, b"one\r\ntwo\n1.2345\n1.2") as found:
        assert [(found.number, line) for line in found] == [(1, "one"), (2, "two"), (3, "1.2345")]
        with pytest.raises(CutOffError, match="out put, after line 3: the file is cut off"):
            found.take()


def test_a_table(tmp_path: Path) -> None:
    with lines(tmp_path, b"H 1 2 3\nH 4 5 6 7\n") as found:
        table = found.table(2, slice(1, 4), 3)
    np.testing.assert_array_equal(table, [[1, 2, 3], [4, 5, 6]])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (b"H 4 NaN 6\n", "line 2: NaN is not finite"),
        (b"H 4 -1e300 6\n", r"line 2: -1e300 is not finite, or beyond 1e\+10"),
        (b"H 4 **** 6\n", "line 2: '[*]{4}' is not a number"),
        (b"H 4 -5.0-6.0\n", "line 2: 2 numbers where 3 are expected"),
        (b"H 4 -5.0-6.0 7\n", "line 2: '-5.0-6.0' is not a number"),
        (b"H 4 5 6", "after line 1: the file is cut off"),
    ],
)
def test_a_broken_table(tmp_path: Path, second: bytes, message: str) -> None:
    with lines(tmp_path, b"H 1 2 3\n" + second) as found, pytest.raises(TaskError, match=message):
        found.table(2, slice(1, 4), 3)


def test_a_number_that_is_missing(tmp_path: Path) -> None:
    with lines(tmp_path, b"E = 5\n") as found:
        words = found.take().split()
        assert found.number_in(words, -1) == 5.0
        with pytest.raises(TaskError, match="line 1: a number is missing"):
            found.number_in(words, 3)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="nowhere: cannot be read: No such file"):
        Lines(tmp_path / "nowhere")
