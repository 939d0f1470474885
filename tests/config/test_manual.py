from __future__ import annotations

from pathlib import Path

import pytest

from pwact.config import json_schema, train_keys
from pwact.config.elements import NUMBERS, SYMBOLS
from pwact.config.manual import PAGE, main, manual, tables

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == manual(), "run python -m pwact.config.manual"


@pytest.mark.parametrize("name", json_schema.SCHEMAS)
def test_the_schemas_are_current(name: str) -> None:
    written = (ROOT / json_schema.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == json_schema.text(name), "run python -m pwact.config.manual"


def test_main_writes_the_page(tmp_path: Path) -> None:
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == manual()


def test_every_key_is_explained_and_declared_once() -> None:
    for heading, _, keys in tables():
        names = [name.lower() for key in keys for name in (key.name, *key.aliases)]
        assert len(set(names)) == len(names), heading
        assert all(key.help and key.help[-1] in ".:" for key in keys), heading


@pytest.mark.parametrize("engine", list(train_keys.ENGINES))
def test_training_sections_hang_together(engine: str) -> None:
    sections = train_keys.ENGINES[engine].sections
    for section in sections:
        parent, _, name = section.rpartition(".")
        if section:
            assert name in {key.name for key in sections[parent]}


def test_defaults_by_engine() -> None:
    found = train_keys.defaults("pod")
    assert (len(found), found["rcut"], found["rin"]) == (17, 5.0, 1.0)
    assert None not in found.values()


def test_elements() -> None:
    assert (len(SYMBOLS), len(set(SYMBOLS))) == (118, 118)
    assert [NUMBERS[symbol] for symbol in ("H", "Si", "Ag", "Au", "Og")] == [1, 14, 47, 79, 118]
