"""The table of reports in docs/files.md, from their types."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path

from pwact import layout
from pwact.io.events_page import put_table
from pwact.report.record import Record, is_sparse
from pwact.workflow import reports

COMMAND = "python -m pwact.workflow.reports_page"
REPORTS: tuple[tuple[str, type[Record]], ...] = (
    *(
        (f"`iter.NNNN/{kind.by_step}`", kind)
        for kind in (
            reports.TrainReport,
            reports.FinalReport,
            reports.AppraiseReport,
            reports.ExploreReport,
            reports.KpuReport,
            reports.SelectReport,
            reports.DirectReport,
            reports.LabelReport,
        )
    ),
    (f"`{layout.AIMD}`, `{layout.BIGMODEL}`", reports.MdReport),
    (f"`{layout.DIRECT}`", reports.ChosenReport),
    (f"`{layout.SCF}`", reports.RelabelReport),
    (f"`{layout.COLLECTION}`", reports.CollectReport),
    ("the others of `init_bulk`", reports.LeftOutReport),
    ("that of `pwact label`", reports.GivenReport),
)


def table() -> str:
    """The reports for docs/files.md."""
    lines = ["| step | leaves | fields |", "|---|---|---|"]
    for step, kind in REPORTS:
        says = (kind.__doc__ or "").strip().splitlines()[0]
        names = (f"(`{one.name}`)" if is_sparse(one) else f"`{one.name}`" for one in fields(kind))
        lines.append(f"| {step} | {says} | {', '.join(names)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = Path(sys.argv[1] if sys.argv[1:] else "docs/files.md")
    put_table(page, "reports", COMMAND, table())
