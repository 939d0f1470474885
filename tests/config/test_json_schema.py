"""The schemas are current, and say of an input what pwact says where they can."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pwact.cli.main import main as pwact_main
from pwact.config import train_keys
from pwact.config.json_schema import SCHEMAS, main, schema, text
from pwact.config.param import load_pair
from tests.config.inputs import changed
from tests.requirements import need_module

ROOT = Path(__file__).parents[2]
SCHEMA = {name: schema(name) for name in SCHEMAS}
KINDS = {"run": "run_param", "init_bulk": "init_param", "resource": "resource"}
FILES = [
    (name, path)
    for name, stem in KINDS.items()
    for path in sorted((ROOT / "examples").glob(f"*/*{stem}*.json"))
]
FILES += [("init_bulk", path) for path in sorted((ROOT / "examples").glob("*/valid_param.json"))]


def complaints(name: str, value: Any) -> list[str]:
    need_module("jsonschema")
    from jsonschema import Draft7Validator  # noqa: PLC0415

    found = Draft7Validator(SCHEMA[name]).iter_errors(value)
    return [f"{one.json_path}: {one.message}" for one in found]


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_written(name: str, tmp_path: Path) -> None:
    main([str(tmp_path)])
    assert (tmp_path / f"{name}.json").read_text(encoding="utf-8") == text(name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_they_are_schemas(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    need_module("jsonschema")
    from jsonschema import Draft7Validator  # noqa: PLC0415

    assert pwact_main(["schema", name]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == schema(name)
    Draft7Validator.check_schema(shown)


@pytest.mark.parametrize(("name", "path"), FILES, ids=[path.as_posix() for _, path in FILES])
def test_the_examples_are_valid(name: str, path: Path) -> None:
    assert complaints(name, json.loads(path.read_text(encoding="utf-8"))) == []


def example(name: str) -> Any:
    path = ROOT / "examples" / "quickstart" / f"{KINDS[name]}.json"
    return json.loads(path.read_text(encoding="utf-8"))


WRONG = [
    ("run", "strategy.target_force_error", 0),
    ("run", "strategy.target_force_error", "0.02"),
    ("run", "strategy.model_num", 4.5),
    ("run", "strategy.model_nun", 4),
    ("run", "strategy.uncertainty", "comittee"),
    ("run", "train.rcut", -1),
    ("run", "train.rcutt", 5.0),
    ("run", "explore.md_jobs.0.ensemble", "npt-x"),
    ("run", "explore.md_jobs.0.nstep", 10),
    ("run", "explore.sys_configs.0.config", 3),
    ("run", "DFT.dft_style", "emt"),
    ("run", "budget", {"label": 5}),
    ("init_bulk", "sys_configs.0.perturb", -1),
    ("init_bulk", "sys_configs.0.scale", [0]),
    ("init_bulk", "sys_config", "x"),
    ("resource", "scheduler", "slrum"),
    ("resource", "DFT.group_size", 0),
    ("resource", "DFT.cpu_per_node", "4"),
    ("resource", "DTF", {"command": "x"}),
]


@pytest.mark.parametrize(("name", "key", "value"), WRONG)
def test_what_is_wrong_is_underlined(name: str, key: str, value: Any) -> None:
    assert complaints(name, changed(example(name), {key: value})) != []


RIGHT = [
    ("run", "STRATEGY", {"anything": "in another case"}),
    ("run", "strategy.Model_Num", 4),
    ("run", "strategy._why", "a comment"),
    ("run", "strategy.uncertainty", "COMMITTEE"),
    ("run", "strategy.max_select", None),
    ("run", "init_data", "one.xyz"),
    ("run", "explore.md_jobs.0.ensemble", "NPT_I"),
    ("run", "explore.md_jobs.0.nsteps", 1e3),
    ("run", "explore.sys_configs", "one.vasp"),
    ("run", "explore.md_jobs.0", [{"sys_idx": 0, "temps": 300, "nsteps": 100}]),
    ("run", "$schema", "./run.schema.json"),
    ("init_bulk", "relax_input", [{"input": "emt.json", "kspacing": 0.2}, "emt.json"]),
    ("init_bulk", "sys_configs.0.super_cell", [[2, 0, 0], [0, 2, 0], [0, 0, 2]]),
    ("resource", "DFT.use_array", False),
    ("resource", "DFT.custom_flags", "--time=1:00:00"),
]


@pytest.mark.parametrize(("name", "key", "value"), RIGHT)
def test_what_pwact_takes_is_let_through(name: str, key: str, value: Any) -> None:
    assert complaints(name, changed(example(name), {key: value})) == []


@pytest.mark.parametrize("engine", train_keys.ENGINES)
def test_keys_of_each_engine(engine: str) -> None:
    """Unknown ones are underlined where the engine does not pass them on."""
    keys = train_keys.ENGINES[engine]
    train = {"engine": engine.upper(), "atom_type": ["Cu"], "of_nobody": 1}
    found = complaints("run", {**example("run"), "train": train})
    assert (found == []) is keys.passes_unknown
    known = next(key for key in keys.sections[""] if type(key.kind).__name__ in ("Real", "Whole"))
    train = {"engine": engine, "atom_type": ["Cu"], known.name: "a word"}
    assert complaints("run", {**example("run"), "train": train}) != []


def test_a_schema_beside_an_input_is_a_comment(tmp_path: Path) -> None:
    place = tmp_path / "example"
    shutil.copytree(ROOT / "examples" / "quickstart", place)
    for name in ("init_param", "resource"):
        content = (place / f"{name}.json").read_text()
        (place / f"{name}.json").write_text(content.replace("{", '{"$schema": "./x.json",', 1))
    pair = load_pair(Path("init_param.json"), Path("resource.json"), place, strict=True)
    assert pair.warnings == []
