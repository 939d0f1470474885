"""From the rounds of many runs to the table of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.label_efficiency.run import Row


def table(rows: Sequence[Row]) -> str:
    return str(len(rows))
