"""The messages that docs/troubleshooting.md explains are those of the program."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Every text of the program, with … for what is put in."""
    found = []
    for path in sorted((ROOT / "pwact").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.JoinedStr, ast.BinOp, ast.Constant)):
                found.append(_text(node))
    return [re.sub(r"%(\.\d)?[sdfr]", "…", text) for text in found]


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    whole = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if whole else "…"


@pytest.mark.parametrize("message", MESSAGES)
def test_the_program_says_so(message: str, texts: list[str]) -> None:
    parts = [re.escape(part.strip()) for part in message.split("…") if len(part.strip()) > 1]
    wanted = re.compile(".*".join(parts), re.DOTALL)
    assert any(wanted.search(text) for text in texts), f"nobody says {message!r}"


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 40
