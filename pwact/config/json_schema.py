"""JSON Schemas of the input files, from the declarations: ``python -m pwact.config.json_schema``.

They are for editors, which complete and underline by them. What they say of a file holds for keys
in the spelling of the manual; keys in another case are let through unseen, since a schema cannot
say both. ``pwact check`` has the last word.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from pwact.config import (
    budget,
    exploration,
    init_bulk,
    init_entry,
    labeling,
    resources,
    run,
    strategy,
    structure_file,
    train_keys,
    training,
)
from pwact.config.schema import Key
from pwact.config.shapes import Shape, any_case, case_pattern, shape_of

FOLDER = Path("docs/schema")
_DRAFT = "http://json-schema.org/draft-07/schema#"  # the one that editors know best
_PATH: Shape = {"type": "string"}
Inner = Mapping[str, Shape]


def schema(name: str) -> Shape:
    """The schema of ``run``, ``init_bulk`` or ``resource``."""
    title = "resource.json of pwact" if name == "resource" else f"param.json of pwact {name}"
    made = SCHEMAS[name]()
    made["properties"] = {"$schema": {"type": "string"}, **made["properties"]}
    return {"$schema": _DRAFT, "title": title, **_factored(made)}


def text(name: str) -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"


def _object(keys: Sequence[Key], inner: Optional[Inner] = None, open_to: bool = False) -> Shape:
    """An object with these keys.

    Parameters
    ----------
    inner
        Shapes of keys that a reader of its own takes apart.
    open_to
        Whether other keys are allowed, since a program gets them.
    """
    inner = inner or {}
    names = [name for key in keys for name in (key.name, *key.aliases)]
    others = "|".join(map(case_pattern, names))
    made: Shape = {
        "type": "object",
        "properties": {
            name: _property(key, inner.get(key.name))
            for key in keys
            for name in (key.name, *key.aliases)
        },
        "patternProperties": {"^_": {}, f"^(?:{others})$": {}},
        "additionalProperties": open_to,
    }
    needed = [key.name for key in keys if key.required and not key.aliases]
    return {**made, **({"required": needed} if needed else {})}


def _property(key: Key, inner: Optional[Shape]) -> Shape:
    """The value of a key; null stands for an absent key."""
    shape = inner if inner is not None else shape_of(key.kind)
    made: Shape = {"description": _description(key)}
    if key.default is not None and not key.default_words and not key.required:
        made["default"] = json.loads(json.dumps(key.default))
    if shape:
        made["anyOf"] = [*shape.get("anyOf", [shape]), {"type": "null"}]
    return made


def _description(key: Key) -> str:
    unit = f" Unit: {key.unit}." if key.unit else ""
    default = f" Default: {key.default_words}." if key.default_words else ""
    old = "Old. " if key.obsolete else ""
    return f"{old}{key.help}{unit}{default}"


def _many(each: Shape, lists: bool = False) -> Shape:
    """One or a list; with `lists` also a list of lists."""
    forms = each.get("anyOf", [each])
    inside = [*forms, {"type": "array", "items": each}] if lists else forms
    return {"anyOf": [*forms, {"type": "array", "items": {"anyOf": inside}}]}


def _path_or(keys: Sequence[Key]) -> Shape:
    return {"anyOf": [_PATH, _object(keys)]}


def _gaussian() -> Shape:
    return _object(labeling.GAUSSIAN_KEYS)


def _run() -> Shape:
    systems = _many(_path_or(structure_file.SYSTEM_KEYS))
    jobs = _many(_object(exploration.MD_KEYS), lists=True)
    explore = _object(exploration.KEYS, {"sys_configs": systems, "md_jobs": jobs})
    control = {"gaussian_param": _gaussian(), "input": _many(_path_or(labeling.INPUT_KEYS))}
    return _object(
        run.KEYS,
        {
            "train": _train(),
            "strategy": _object(strategy.KEYS),
            "explore": explore,
            "DFT": _object(labeling.DFT_KEYS, control),
            "budget": _object(budget.KEYS),
        },
    )


def _train() -> Shape:
    """The keys of the engine that is named; of the default engine where none is."""
    own = {key.name: _property(key, None) for key in training.KEYS}
    branches = []
    for engine in train_keys.ENGINES:
        named = {"properties": {"engine": any_case([engine])}}
        default = engine == training.TrainConfig.engine
        condition = named if default else {**named, "required": ["engine"]}
        branches.append({"if": condition, "then": _section(engine, "", training.KEYS)})
    return {"type": "object", "properties": own, "allOf": branches}


def _section(engine: str, name: str, more: Sequence[Key] = ()) -> Shape:
    """A section below ``train`` of an engine, with those below it."""
    keys = train_keys.ENGINES[engine]
    inner = {}
    for key in keys.sections[name]:
        below = f"{name}.{key.name}".lstrip(".")
        if below in keys.sections:
            own = shape_of(key.kind).get("type", "object")
            shape = _section(engine, below)
            inner[key.name] = {"anyOf": [{"type": "boolean"}, shape]} if own != "object" else shape
    return _object((*more, *keys.sections[name]), inner, open_to=keys.passes_unknown)


def _init_bulk() -> Shape:
    controls = _many(_path_or(labeling.INPUT_KEYS))
    inputs = {f"{step}_input": controls for step in init_bulk.FLAG_SYMM}
    entries = _many(_path_or(init_entry.KEYS))
    inner = {**inputs, "sys_configs": entries, "gaussian_param": _gaussian()}
    return _object(init_bulk.KEYS, inner)


def _resource() -> Shape:
    block = _object(resources.BLOCK_KEYS)
    blocks = {key.name: block for key in resources.TOP_KEYS}
    return _object((*resources.TOP_KEYS, *resources.SHARED_KEYS), blocks)


def _factored(whole: Shape) -> Shape:
    """The same with each object that stands in several places put down once."""
    seen: Counter[str] = Counter()
    _count(whole, seen)
    repeated = [one for one, number in seen.items() if number > 1]
    names = {one: f"object{number}" for number, one in enumerate(repeated, 1)}
    definitions = {
        name: {key: _referring(value, names) for key, value in json.loads(one).items()}
        for one, name in names.items()
    }
    return {**_referring(whole, names), "definitions": definitions}


def _count(value: Any, seen: Counter[str]) -> None:
    if isinstance(value, dict):
        if "additionalProperties" in value:
            seen[json.dumps(value)] += 1
        for one in value.values():
            _count(one, seen)
    elif isinstance(value, list):
        for one in value:
            _count(one, seen)


def _referring(value: Any, names: Mapping[str, str]) -> Any:
    """The value with the objects of `names` by reference."""
    if isinstance(value, list):
        return [_referring(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    name = names.get(json.dumps(value))
    if name is not None:
        return {"$ref": f"#/definitions/{name}"}
    return {key: _referring(one, names) for key, one in value.items()}


SCHEMAS: Mapping[str, Callable[[], Shape]] = {
    "run": _run,
    "init_bulk": _init_bulk,
    "resource": _resource,
}


def main(arguments: Sequence[str]) -> None:
    """Write all schemas into the folder named first, or their place below the working directory."""
    folder = Path(arguments[0]) if arguments else FOLDER
    for name in SCHEMAS:
        (folder / f"{name}.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
