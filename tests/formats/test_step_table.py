from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import TaskError
from pwact.formats.step_table import read_step_table


def test_columns_rows_and_what_is_finite(tmp_path: Path) -> None:
    path = tmp_path / "table.out"
    path.write_text("# b step a\n1 10 2\n3 0 nan\n5 20 1e300\n7 30 8")
    table = read_step_table(path, [("a",)])
    assert table.steps.tolist() == [0, 10, 20]
    assert table.columns["b"].tolist() == [3, 1, 5]
    assert table.finite.tolist() == [False, True, False]


@pytest.mark.parametrize("needed", [[("c", "d")], [("a",), ("c",)]])
def test_a_missing_column_is_named(tmp_path: Path, needed: list[tuple[str, ...]]) -> None:
    path = tmp_path / "table.out"
    path.write_text("# b step a\n1 10 2\n")
    with pytest.raises(TaskError, match=r"table.out: line 1 .* step and .*c"):
        read_step_table(path, needed)
    assert read_step_table(path, [("c", "a")]).steps.tolist() == [10]
