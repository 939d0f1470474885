"""The table of events in docs/files.md, from their types."""

from __future__ import annotations

import sys
from pathlib import Path

from pwact.io.events import EVENTS, names_of, required

COMMAND = "python -m pwact.io.events_page"


def table() -> str:
    """The events for docs/files.md."""
    lines = ["| event | says | fields |", "|---|---|---|"]
    for name, kind in EVENTS.items():
        says = (kind.__doc__ or "").strip().splitlines()[0]
        own = ", ".join(
            f"`{one}`" if one in required(kind) else f"(`{one}`)"
            for one in names_of(kind)
            if one != "time"
        )
        lines.append(f"| `{name}` | {says} | {own} |")
    return "\n".join(lines) + "\n"


def write_table(page: Path) -> None:
    """Put the table into its place on a page."""
    put_table(page, "events", COMMAND, table())


def put_table(page: Path, name: str, command: str, made: str) -> None:
    """Put what a command makes into the place of that name on a page."""
    begin, end = (f"<!-- {name}: {word}, {command} -->" for word in ("begin", "end"))
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    page.write_text(f"{before}{begin}\n{made}{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    write_table(Path(sys.argv[1] if sys.argv[1:] else "docs/files.md"))
