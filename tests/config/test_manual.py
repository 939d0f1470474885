from __future__ import annotations

import json
from pathlib import Path

import pytest

from pwact.config import json_schema, train_keys
from pwact.config.chinese import in_words_of, without_names
from pwact.config.elements import NUMBERS, SYMBOLS
from pwact.config.manual import CHINESE_PAGE, CHINESE_WORDS, PAGE, main, manual, tables

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    written = (ROOT / PAGE).read_text(encoding="utf-8")
    assert written == manual(), "run python -m pwact.config.manual"


@pytest.mark.parametrize("name", json_schema.SCHEMAS)
def test_the_schemas_are_current(name: str) -> None:
    written = (ROOT / json_schema.FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert written == json_schema.text(name), "run python -m pwact.config.manual"


def test_the_chinese_page_is_current_and_all_its_words_are_used() -> None:
    known, used = in_words_of(ROOT / CHINESE_WORDS), set()

    def say(text: str) -> str:
        used.update((text, without_names(text)))
        return known(text)

    written = (ROOT / CHINESE_PAGE).read_text(encoding="utf-8")
    assert written == manual(say), "run python -m pwact.config.manual"
    words = json.loads((ROOT / CHINESE_WORDS).read_text(encoding="utf-8"))
    assert sorted(set(words) - used) == []


def test_words_without_a_translation_are_found() -> None:
    say = in_words_of(ROOT / CHINESE_WORDS)
    made = [
        "#### `train`, engine toy",
        "",
        "integer from 1 to 9, or list of such",
        "number > 0 and <= 1",
        '"a" or "b"',
    ]
    assert [say(text) for text in made] == [
        "#### `train`，引擎 toy",
        "",
        "1 到 9 的整数，或其列表",
        "> 0 且 <= 1 的数",
        '"a"、"b"',
    ]
    for text in ("a new key.", "integer of a kind", "colour >= 1"):
        with pytest.raises(KeyError, match=text):
            say(text)


def test_names_of_a_registry_need_no_translation(tmp_path: Path) -> None:
    words = {"Needed for {} ({}).": "只有 {}（{}）需要。", "`a` and `b`": "原样"}
    (tmp_path / "words.json").write_text(json.dumps(words), encoding="utf-8")
    say = in_words_of(tmp_path / "words.json")
    assert (
        say("Needed for `slurm` (`#A`, `#{}`, `#C`).") == "只有 `slurm`（`#A`、`#{}`、`#C`）需要。"
    )
    assert say("`a` and `b`") == "原样"
    with pytest.raises(KeyError):
        say("Needed for slurm (`#A`).")


def test_main_writes_the_page(tmp_path: Path) -> None:
    main([str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == manual()


def test_without_a_file_all_pages_are_written_to_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs" / "zh").mkdir(parents=True)
    (tmp_path / "docs" / "schema").mkdir()
    words = tmp_path / CHINESE_WORDS
    words.write_bytes((ROOT / CHINESE_WORDS).read_bytes())
    monkeypatch.chdir(tmp_path)
    main([])
    for page in (PAGE, CHINESE_PAGE, Path("docs/schema/run.json")):
        assert (tmp_path / page).read_bytes() == (ROOT / page).read_bytes()
    words.write_text("{}")
    with pytest.raises(SystemExit, match="there is no Chinese for '# Parameters'"):
        main([])


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
