"""Tables of engines, schedulers and data formats: one form, and names that come from them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pwact
from pwact.config import init_bulk, labeling, resources, run, training
from pwact.config.train_keys import ENGINES
from pwact.registry import Entry, Registry
from pwact.registry.engines import EXPLORERS, LABELERS, TRAINERS, Labels
from pwact.registry.formats import FORMATS, OF_CAMPAIGNS
from pwact.registry.picks import PICKS
from pwact.registry.schedulers import EXECUTORS
from pwact.registry.uncertainties import UNCERTAINTIES

TABLES = {
    "labelers": LABELERS,
    "trainers": TRAINERS,
    "explorers": EXPLORERS,
    "executors": EXECUTORS,
    "formats": FORMATS,
}


@pytest.mark.parametrize("table", TABLES)
def test_every_name_stands_for_a_class_and_no_spelling_for_two(table: str) -> None:
    registry = TABLES[table]
    spellings = [name for name, one in registry.items() for name in (name, *one.aliases)]
    assert sorted(set(spellings)) == sorted(spellings)
    assert all(isinstance(entry.load(), type) for entry in registry.values())


def test_input_keys_take_their_words_from_the_tables() -> None:
    def words(keys: object, name: str) -> str:
        return next(key.kind.words for key in keys if key.name == name)  # type: ignore[attr-defined]

    def quoted(registry: Registry[Entry]) -> str:
        return " or ".join(f'"{name}"' for name in registry)

    assert words(labeling.DFT_KEYS, "dft_style") == quoted(LABELERS)
    assert words(init_bulk.KEYS, "scf_style") == quoted(LABELERS)
    assert words(training.KEYS, "engine") == quoted(TRAINERS)
    assert words(resources.BLOCK_KEYS, "scheduler") == quoted(EXECUTORS)
    campaign = " or ".join(f'"{name}"' for name in OF_CAMPAIGNS)
    assert words(init_bulk.KEYS, "data_format") == words(run.KEYS, "data_format") == campaign
    assert set(ENGINES) == set(TRAINERS)
    assert {one.explored_by for one in TRAINERS.values()} <= set(EXPLORERS)


def test_a_place_alone_replaces_the_place_and_keeps_what_the_entry_can() -> None:
    table: Registry[Labels] = Registry({"a": Labels("x:Y", ("b",), all_at_once=True)})
    table["a"] = "tests.test_registry:TABLES"
    assert table["a"] == Labels("tests.test_registry:TABLES", ("b",), all_at_once=True)
    assert table["a"].load() is TABLES


def test_spellings() -> None:
    table = Registry({"extxyz": Entry("x:Y", ("xyz",)), "deepmd/npy": Entry("x:Z")})
    assert [table.canonical(word) for word in ("XYZ", "ExtXYZ", "npy")] == ["extxyz"] * 2 + [None]
    assert (table.nearest("Deepmd/npz"), table.nearest("xy"), table.nearest("q")) == (
        "deepmd/npy",
        "xyz",
        "",
    )
    assert table.nearest("deepmd", ["extxyz"]) == ""


ALLOWED = {  # words of programs and files that are names of ours as well
    ("engines/dftbplus/input.py", "dftb"),
    ("formats/structure_warnings.py", "extxyz"),
    ("takeover/tree.py", "slurm"),
}


def compared(path: Path) -> Iterator[str]:
    """Texts with which something is compared in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for one in (node.left, *node.comparators) if isinstance(node, ast.Compare) else ():
            for part in ast.walk(one) if not isinstance(one, ast.Call) else ():
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.value


def test_no_module_asks_for_a_name_of_a_registry() -> None:
    names = {*UNCERTAINTIES, *PICKS, *(name for one in TABLES.values() for name in one)}
    root = Path(pwact.__file__).parent
    found = {
        (path.relative_to(root).as_posix(), word)
        for path in root.rglob("*.py")
        for word in compared(path)
        if word in names
    }
    assert found == ALLOWED


def test_pages_name_what_is_in_the_registries() -> None:
    docs = Path(__file__).parents[1] / "docs"
    pages = {
        "schedulers.md": set(EXECUTORS),
        "to_pwdata.md": set(FORMATS),
        "gather_pwdata.md": {name for name, one in FORMATS.items() if one.writes},
        "run.md": set(PICKS),
    }
    missing = {
        (page, name)
        for page, names in pages.items()
        for name in names
        if f"`{name}`" not in (docs / page).read_text(encoding="utf-8")
    }
    texts = [(docs / page).read_text("utf-8").lower() for page in ("engines.md", "foundation.md")]
    engines = {*LABELERS, *TRAINERS}
    missing |= {("engines", name) for name in engines if not any(name in text for text in texts)}
    assert missing == set()
