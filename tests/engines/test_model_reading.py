"""`pwact check` has the library of a trainer read the models to begin with."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any, Optional

import pytest

from pwact.cli.main import main
from pwact.config.resources import ResourceBlock
from pwact.engines import trainer_for
from pwact.engines.model_reading import ModelReading
from pwact.errors import EXIT_WRONG_INPUT, InputError
from pwact.executors.once import run_once
from pwact.formats.frames import write_frames
from tests.commands import ROOT
from tests.engines.network_helpers import config
from tests.engines.network_helpers import trainer as network_trainer
from tests.engines.test_deepmd import copper
from tests.engines.test_dpa import trainer as dpa_trainer

PYTHON = shlex.quote(sys.executable)
HERE = f"export PYTHONPATH={shlex.quote(str(ROOT))}"
READABLE = "tests.engines.readable_models"


def fault(folder: Path, text: str, python: str = PYTHON) -> Optional[InputError]:
    """What stands against a model of this text, in a training for Ag and Au."""
    (folder / "a model").write_text(text)
    asked = {"begin": str(folder / "a model"), "elements": ["Ag", "Au"]}
    block = ResourceBlock(name="train", file=folder / "resource.json")
    param = folder / "run_param.json"
    made = ModelReading(param, block, READABLE, "", {"init_model_list[1]": asked})
    made.write_making(folder)
    ended = run_once([HERE, made.making_command(python)], folder, 60.0, {})
    try:
        made.read_making(folder, ended.printed)
    except InputError as error:
        return error
    return None


def test_a_model_that_fits_is_read(tmp_path: Path) -> None:
    assert fault(tmp_path, "Cu Au Ag") is None


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("Ag Cu", "init_model_list[1]", "a model does not know Au"),
        ("Ag Au head", "train.head", "several heads"),
        ("library", "train.command", "its Python has no module no_such_library"),
    ],
)
def test_what_stands_against_a_model_has_its_key(
    tmp_path: Path, text: str, key: str, words: str
) -> None:
    found = fault(tmp_path, text)
    assert found is not None
    assert (found.key, words in str(found)) == (key, True)
    assert found.file == tmp_path / ("resource.json" if "command" in key else "run_param.json")


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    (tmp_path / "a model").mkdir()
    block = ResourceBlock(name="train", file=tmp_path / "resource.json")
    asked = {"begin": str(tmp_path / "a model"), "elements": []}
    made = ModelReading(tmp_path / "p.json", block, READABLE, "", {"train.foundation": asked})
    made.write_making(tmp_path)
    ended = run_once([HERE, made.making_command(PYTHON)], tmp_path, 60.0, {})
    with pytest.raises(InputError, match="foundation: .* cannot be read as a model: IsA"):
        made.read_making(tmp_path, ended.printed)


def test_a_python_that_ends_at_once_is_named(tmp_path: Path) -> None:
    found = fault(tmp_path, "Ag Au", "true")
    assert found is not None
    assert found.key == "train.command"
    assert "cannot be read with this command (it printed nothing)" in str(found)


@pytest.mark.parametrize("engine", ["sevennet", "mace"])
def test_networks_have_each_model_of_the_user_read(engine: str, tmp_path: Path) -> None:
    assert network_trainer(engine, use_pre_model=False).reading() is None
    (model := tmp_path / "old.model").write_text("weights")
    found = network_trainer(engine, foundation=str(model)).reading()
    assert found is not None
    assert found.module == f"pwact.engines.{engine}.worker"
    (asked,) = found.models.values()
    assert (asked["begin"], asked["elements"]) == (str(model), ["Cu"])
    several = network_trainer(engine, init_model_list=(model, model)).reading()
    assert several is not None
    assert [*several.models] == ["init_model_list[0]", "init_model_list[1]"]


def test_dpa_has_its_foundation_read(tmp_path: Path) -> None:
    assert dpa_trainer().reading() is None
    found = dpa_trainer(foundation=str(tmp_path / "m.pt")).reading()
    assert found is not None
    (asked,) = found.models.values()
    assert asked["begin"] == str(tmp_path / "m.pt")
    assert "type_map" in asked["model"]


def test_torchnep_needs_no_library_for_it(tmp_path: Path) -> None:
    made = config("torchnep", foundation=str(tmp_path / "nep.txt"))
    assert trainer_for(made, ResourceBlock(), ResourceBlock()).reading() is None


def campaign(folder: Path, **train: Any) -> None:
    (folder / "cu.vasp").write_text(
        "Cu\n1.0\n3.6 0 0\n0 3.6 0\n0 0 3.6\nCu\n4\nDirect\n"
        "0 0 0\n0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5\n"
    )
    (folder / "emt.json").write_text('{"calculator": "emt"}')
    (folder / "old.model").write_text("weights")
    job = {"sys_idx": 0, "ensemble": "nvt", "temps": [300], "nsteps": 10, "md_dt": 0.001}
    write_frames(folder / "train.xyz", [copper(1)], "extxyz")
    param = {
        "init_data": ["train.xyz"],
        "train": {"engine": "mace", "foundation": "old.model", "atom_type": ["Cu"], **train},
        "explore": {
            "sys_configs": [{"config": "cu.vasp", "format": "vasp/poscar"}],
            "md_jobs": [{**job, "trj_freq": 5}],
        },
        "strategy": {"lower_model_deiv_f": 0.1, "upper_model_deiv_f": 0.2},
        "DFT": {"dft_style": "ase", "input": "emt.json"},
    }
    block = {"command": PYTHON}
    resource = {"scheduler": "local", "train": block, "explore": block, "DFT": block}
    (folder / "param.json").write_text(json.dumps(param))
    (folder / "resource.json").write_text(json.dumps(resource))


def contents(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts]


def test_check_reads_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    campaign(tmp_path)
    monkeypatch.chdir(tmp_path)
    worker = tmp_path / "mace"  # a package of that name, which the worker imports first
    worker.mkdir()
    (worker / "__init__.py").write_text("raise ValueError('of this mace')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    before = contents(tmp_path)
    status = main(["check", "param.json", "resource.json"])
    said = capsys.readouterr()
    assert status == EXIT_WRONG_INPUT
    told = said.err + said.out
    assert "train.foundation: " in told
    assert "old.model cannot be read as a model: ValueError: of this mace" in told
    assert contents(tmp_path) == before
