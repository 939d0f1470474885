"""Plain words: pages, messages and docstrings, and one name for what every module has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
MODULES = sorted((REPOSITORY / "pwact").rglob("*.py"))
LEFT_OUT = {"changelog.md"}  # what was said of older versions stays
PAGES = [
    REPOSITORY / "README.md",
    *sorted(page for page in (REPOSITORY / "docs").glob("*.md") if page.name not in LEFT_OUT),
    *sorted((REPOSITORY / "examples").rglob("*.md")),
]
GLOSSARY = "## Plain words"
BANNED = re.compile(
    r"\b(anew|afresh|borne|believe[sd]?|believing|reckon\w*|gives? up|given up|giving up"
    r"|lost its ground|no code should|those who|worth a name|spoken of|a sound \w+|(?:is|are) sound"
    r"|(?:is|are|was|were|be|been|being|as|not) told(?! apart))\b",
    re.IGNORECASE,
)
OF_PAGES = re.compile(r"(?<!_)\b(remarks?|doubts?|complain\w*)\b", re.IGNORECASE)

OF_NAMES = re.compile(r"(?<!de)(remark|doubt|fault|complain|objection)", re.IGNORECASE)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Strings of a module, docstrings and messages, and its comments."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for number, line in enumerate(source.splitlines(), 1):
        if " # " in line or line.lstrip().startswith("#"):
            yield number, line.partition("#")[2]


def prose(page: Path) -> str:
    """A page without the table of words that are not to be written."""
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(GLOSSARY)
    return before + rest[rest.index("\n## ") :] if found else text


def names(path: Path) -> set[str]:
    """What a module calls its functions, classes, arguments and variables, and its own name."""
    found = {path.stem}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, (ast.Name, ast.Attribute)):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


@pytest.mark.parametrize(
    "text",
    ["It is told of nothing.", "A sound pair", "begins anew", "those who look on", "He gives up."],
)
def test_words_that_are_not_plain_are_found(text: str) -> None:
    assert BANNED.search(text)
    assert not BANNED.search("Two species are told apart; no sound is heard.")


def test_modules_have_plain_words() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{line}: {match.group()}"
        for path in MODULES
        for line, text in texts(path)
        for match in [BANNED.search(text)]
        if match
    ]
    assert found == []


def test_pages_have_plain_words() -> None:
    found = [
        f"{page.relative_to(REPOSITORY)}: {match.group()}"
        for page in PAGES
        for pattern in (BANNED, OF_PAGES)
        for match in pattern.finditer(prose(page))
    ]
    assert found == []


def test_what_warns_is_a_warning_and_what_refuses_is_an_error() -> None:
    found = {
        f"{path.relative_to(REPOSITORY)}: {name}"
        for path in MODULES
        for name in names(path)
        if OF_NAMES.search(name)
    }
    assert found == set()


def test_every_module_calls_its_logger_by_one_name() -> None:
    made = re.compile(r"^(\w+) = logging\.getLogger\(__name__\)", re.MULTILINE)
    names = {name for path in MODULES for name in made.findall(path.read_text(encoding="utf-8"))}
    assert names == {"logger"}
