"""``python -m pwact.config.manual`` writes docs/parameters.md, its Chinese page, and docs/schema.

With a file behind it the English page is written there, and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pwact.config import (
    budget,
    exploration,
    init_bulk,
    init_entry,
    json_schema,
    labeling,
    nep_in,
    resources,
    run,
    strategy,
    structure_file,
    train_keys,
    training,
)
from pwact.config.chinese import Say, in_words_of
from pwact.config.schema import Key
from pwact.registry.engines import TRAINERS

PAGE = Path("docs/parameters.md")
CHINESE_PAGE = Path("docs/zh/parameters.md")
CHINESE_WORDS = Path("docs/zh/parameters.json")
TITLE = "# Parameters"
INTRO = """\
This page is made by `python -m pwact.config.manual` from the declarations in `pwact/config/`.

Keys may be written in any case. A key that begins with `_` is a comment (so is `$schema`), and
`null` stands for an absent key. Where a list is expected, a single value will do. Relative paths
start at `work_dir`.
Unknown keys are reported and ignored; `pwact check --strict` refuses them. Keys marked *old* are
accepted and have no effect. Files are JSON in UTF-8."""
COLUMNS = ("key", "type", "default", "unit", "meaning")
SHARED = "{} may stand at the top level as well and then hold for all blocks."
Table = tuple[str, str, Sequence[Key]]


def tables() -> Iterator[Table]:
    """Heading, words of introduction and keys of each table."""
    yield "## param.json of `run`", "", run.KEYS
    yield "### `train`", "Besides, the keys of the engine below.", training.KEYS
    for engine, sections, words in (*_ENGINES, *_of_registry()):
        for section, keys in sections.items():
            place = f"train.{section}".rstrip(".")
            yield f"#### `{place}`, engine {engine}", words if not section else "", keys
    yield "### `strategy`", "", strategy.KEYS
    yield "### `explore`", "", exploration.KEYS
    yield "#### `explore.sys_configs[]`", "Or the path alone.", structure_file.SYSTEM_KEYS
    yield "#### `explore.md_jobs[]`", "", exploration.MD_KEYS
    yield "### `DFT`", "", labeling.DFT_KEYS
    yield "### `budget`", "Counted over all starts of the run.", budget.KEYS
    yield "#### `gaussian_param`", "In `DFT`, or in the param.json of init_bulk.", _GAUSSIAN
    yield "## param.json of `init_bulk`", "", init_bulk.KEYS
    entries = "Or the path alone. Order: relax, super_cell, scale, perturb, MD."
    yield "### `sys_configs[]`", entries, init_entry.KEYS
    forms = "In a list of control files. Or the path alone."
    yield "### `relax_input[]`, `aimd_input[]`, `scf_input[]`", forms, labeling.INPUT_KEYS
    yield "## resource.json", SHARED, resources.TOP_KEYS
    yield "### A block of resource.json", "", resources.BLOCK_KEYS


_GAUSSIAN = labeling.GAUSSIAN_KEYS
_ENGINES: Sequence[tuple[str, Mapping[str, tuple[Key, ...]], str]] = (
    (
        "matpl",
        train_keys.MATPL,
        "All keys are passed on, unknown ones too. Defaults are MatPL's own.",
    ),
    ("deepmd, deepmd-pytorch and dpa, besides matpl's", train_keys.DEEPMD_MORE, ""),
    ("dpa, besides matpl's", train_keys.DPA_MORE, ""),
    ("pod", train_keys.POD, ""),
    ("sevennet", train_keys.ENGINES["sevennet"].sections, ""),
    (
        "torchnep",
        {"": nep_in.KEYS},
        "The words of nep.in, lists as lists. Defaults are ours, for small data sets.",
    ),
    ("mace", train_keys.ENGINES["mace"].sections, ""),
)


def _of_registry() -> Iterator[tuple[str, Mapping[str, tuple[Key, ...]], str]]:
    """Engines whose line in the registry says where their keys are declared."""
    for name, one in TRAINERS.items():
        if one.keys:
            yield name, train_keys.ENGINES[name].sections, ""


def manual(say: Say = str) -> str:
    """The whole page.

    Parameters
    ----------
    say
        From the words of the declarations to those of the page.
    """
    parts = [f"{say(TITLE)}\n\n{say(INTRO)}\n"]
    shared = ", ".join(f"`{name}`" for name in resources.SHARED)
    for heading, words, keys in tables():
        parts.append(f"{say(heading)}\n")
        if words:
            parts.append(f"{say(words).format(shared)}\n")
        parts.append(_table(keys, say))
    return "\n".join(parts)


def _table(keys: Sequence[Key], say: Say) -> str:
    lines = [_row(map(say, COLUMNS)), _row(["---"] * len(COLUMNS)).replace(" ", "")]
    for key in keys:
        words, unit = say(key.kind.words), say(key.unit)
        cells = (f"`{key.name}`", words, _default(key, say), unit, _meaning(key, say))
        lines.append(_row(cell.replace("|", "\\|") for cell in cells))
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _default(key: Key, say: Say) -> str:
    if key.required:
        return say("**required**")
    if key.default_words:
        return say(key.default_words)
    return "" if key.default is None else _json(key.default)


def _json(value: Any) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _meaning(key: Key, say: Say) -> str:
    old = say("*Old.* ") if key.obsolete else ""
    names = ", ".join(f"`{alias}`" for alias in key.aliases)
    also = say(" Also spelt {}.").format(names) if names else ""
    usual = ""
    if key.usual:
        usual = say(" Usual: {}.").format(key.usual.words().replace(" to ", say(" to ")))
    return f"{old}{say(key.help)}{usual}{also}"


def main(arguments: Sequence[str]) -> None:
    """Write the page to the file named first; without one all pages and schemas to their places."""
    if arguments:
        Path(arguments[0]).write_text(manual(), encoding="utf-8")
        return
    PAGE.write_text(manual(), encoding="utf-8")
    json_schema.main(())
    try:
        CHINESE_PAGE.write_text(manual(in_words_of(CHINESE_WORDS)), encoding="utf-8")
    except KeyError as error:
        raise SystemExit(f"{CHINESE_WORDS}: there is no Chinese for {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
