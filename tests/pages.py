"""The commands that the pages show, and who runs them.

A command is what stands in an indented or fenced block that has a line beginning with the name of a
program. The last comment before the block says who runs it::

    <!-- run -->                    tests/test_quickstart.py, in the tutorial's quickstart
    <!-- run by tests/X.py … -->    this test does the same
    <!-- form -->                   nobody: it shows the arguments, which are checked
    <!-- output -->                 nobody: it is what a command prints
    <!-- not run: why -->           nobody: it needs a program that is not free, and the like
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.commands import ROOT

PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*/README.md")),
]
PROGRAMS = frozenset(
    [
        "bash",
        "cat",
        "cd",
        "cp",
        "dp",
        "git",
        "head",
        "lmp",
        "ls",
        "MatPL",
        "mpirun",
        "mypy",
        "pip",
        "pwact",
        "pytest",
        "python",
        "python3",
        "ruff",
        "sbatch",
        "scancel",
        "sed",
        "squeue",
        "srun",
        "tail",
    ]
)
_MARK = re.compile(r"<!-- (.*) -->")


@dataclass(frozen=True)
class Commands:
    """A block of lines of a page that a user may give to a shell.

    Attributes
    ----------
    place
        ``docs/run.md:12``.
    mark
        Who runs them; "" where the page does not say it.
    """

    place: str
    text: str
    mark: str


def commands_of(page: Path) -> Iterator[Commands]:
    """The commands of a page, block by block."""
    fenced, mark, block = False, "", []
    lines = [*page.read_text(encoding="utf-8").splitlines(), "the end"]
    for number, line in enumerate(lines, 1):
        fence = line.startswith("```")
        if not fence and (fenced or line.startswith("    ") or (block and not line)):
            block.append(line.strip())
            continue
        fenced ^= fence
        if any(one.split(" ")[0] in PROGRAMS for one in block):
            place = f"{page.relative_to(ROOT).as_posix()}:{number - len(block)}"
            yield Commands(place, "\n".join(block).strip(), mark)
        found = _MARK.fullmatch(line)
        if block or found or (line and not fence):
            mark = found[1] if found else ""
        block = []
