"""What steps leave in the journal is read and written as types, also that of older versions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pwact
from pwact.io.journal import Journal
from pwact.report.record import Record
from pwact.workflow import ledger, reports, reports_page
from pwact.workflow.reports import EntryReport

JOURNALS = sorted((Path(__file__).parents[1] / "data/journals").rglob("journal.jsonl"))
KINDS: dict[str, type[Record]] = {
    "train": reports.TrainReport,
    "appraise": reports.AppraiseReport,
    "explore": reports.ExploreReport,
    "kpu": reports.KpuReport,
    "select": reports.SelectReport,
    "label": reports.LabelReport,
    "aimd": reports.MdReport,
    "scf": reports.RelabelReport,
    "collection": reports.CollectReport,
}


def left(journal: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in ledger.stages(Journal(journal).events()).items():
        if state.done:
            yield name.rpartition("/")[2], dict(state.report)


def plain(value: Any) -> Any:
    """As JSON gives it back."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return list(map(plain, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("journal", JOURNALS, ids=lambda path: "/".join(path.parts[-4:-2]))
def test_reports_of_older_versions_are_read_whole(journal: Path) -> None:
    found = list(left(journal))
    assert found
    for step, report in found:
        kind = KINDS.get(step, reports.LeftOutReport)
        again = plain(kind.from_json(report).to_json())
        empty = {key for key, value in report.items() if value in ([], {})}
        known = {key: again.get(key, report[key] if key in empty else None) for key in report}
        assert known == plain(report)


def test_an_absent_field_has_its_default_and_an_unknown_one_is_left_alone() -> None:
    report = reports.LabelReport.from_json({"labelled": 3, "data": "a", "of_tomorrow": 1})
    assert report == reports.LabelReport(labelled=3, data="a")
    assert "pairs" not in report.to_json()
    assert reports.SelectReport.from_json({}).spread is None


def test_records_within_records_come_back() -> None:
    path = reports.TrajectoryRecord("md.000.sys.000", "a.xyz", "iter.0000/x", True, False, "died")
    report = reports.ExploreReport((300.0,), 1, 0, 2, (path,))
    stored = plain(report.to_json())
    assert stored["condition"] == 2
    assert stored["paths"][0] == {
        **{"system": "md.000.sys.000", "structure": "a.xyz", "directory": "iter.0000/x"},
        **{"usable": True, "normal": False, "why": "died"},
    }
    assert reports.ExploreReport.from_json(stored) == report


def named(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def untyped(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        inside = node.value if isinstance(node, ast.Subscript) else None
        if isinstance(node, ast.Call) and named(node.func) == "get":
            inside = getattr(node.func, "value", None)
        if inside is not None and named(inside) == "report":
            yield f"{path.name}:{node.lineno}"


def test_no_module_reads_a_report_by_the_names_of_its_keys() -> None:
    root = Path(pwact.__file__).parent
    assert [place for path in sorted(root.rglob("*.py")) for place in untyped(path)] == []


def test_the_page_of_files_has_all_reports() -> None:
    page = Path(__file__).parents[2] / "docs/files.md"
    assert reports_page.table() in page.read_text(encoding="utf-8"), (
        "run python -m pwact.workflow.reports_page"
    )
    listed = {kind for _, kind in reports_page.REPORTS}
    kinds = {one for one in vars(reports).values() if isinstance(one, type)}
    assert {one for one in kinds if one.__name__.endswith("Report")} == listed | {EntryReport}
