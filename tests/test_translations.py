"""Pages in Chinese follow the English ones.

The first line of a translated page names the English page, or some of its sections, and the check
sum of their text. Whoever changes the English page mends the Chinese one, and then writes the new
sums::

    python -m tests.test_translations
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from pwact.config.manual import CHINESE_PAGE

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "zh").glob("*.md"))
TRANSLATED = [page for page in PAGES if page != ROOT / CHINESE_PAGE]
HEAD = re.compile(r"<!-- translation of (\S+) ([0-9a-f]{12})(?:: (.*))? -->\n")
FEWEST = {"README", "tutorial", "run", "init_bulk", "slurm", "migration", "engines", "parameters"}


def head_of(page: Path) -> re.Match[str]:
    found = HEAD.match(page.read_text(encoding="utf-8"))
    assert found, f"{page} does not begin with the page that it is a translation of"
    return found


def english_of(page: Path) -> str:
    """The English text of a page, or of those of its sections that are translated."""
    name, _, sections = head_of(page).groups()
    text = (ROOT / name).read_text(encoding="utf-8")
    if not sections:
        return text
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    begins = [f"## {begin}" for begin in sections.split("; ")]
    chosen = [part for part in parts if part.startswith(tuple(begins))]
    assert len(chosen) == len(begins), f"{name} has not these sections, once each: {sections}"
    return "".join([parts[0], *chosen])


def sum_of(page: Path) -> str:
    return hashlib.sha256(english_of(page).encode()).hexdigest()[:12]


def shape_of(text: str) -> tuple[list[str], list[int], int]:
    """Lines of code, levels of headings, and the number of rows of tables."""
    lines = [line for line in text.splitlines() if not line.startswith("<!--")]
    fenced, code = False, []
    for line in lines:
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or re.match(r" {4,}[^ ]", line):
            code.append(line)
    headings = [len(line) - len(line.lstrip("#")) for line in lines if re.match(r"#+ ", line)]
    return code, headings, sum(line.startswith("|") for line in lines)


def test_the_pages_that_users_of_pwact_need_are_there() -> None:
    assert {page.stem for page in PAGES} >= FEWEST


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_no_page_falls_behind(page: Path) -> None:
    assert head_of(page)[2] == sum_of(page), f"{head_of(page)[1]} was changed: mend docs/zh"


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: page.stem)
def test_code_headings_and_tables_are_those_of_the_english_page(page: Path) -> None:
    assert shape_of(page.read_text(encoding="utf-8")) == shape_of(english_of(page))


if __name__ == "__main__":
    for one in TRANSLATED:
        old = one.read_text(encoding="utf-8")
        one.write_text(old.replace(head_of(one)[2], sum_of(one), 1), encoding="utf-8")
