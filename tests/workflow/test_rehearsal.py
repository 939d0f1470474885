"""`pwact check`: what is asked for, commands of this machine, and ``--try``."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from pwact.cli.main import main
from pwact.errors import EXIT_DONE, EXIT_FAILED

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "quickstart"
NAMES = ("init_param.json", "run_param.json", "alloy.vasp", "emt.json", "valid.xyz")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in NAMES:
        shutil.copy(EXAMPLE / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    write(tmp_path)
    return tmp_path


def write(folder: Path, **block: object) -> None:
    made = {"command": shlex.quote(sys.executable), **block}
    resource = {"scheduler": "local", "train": made, "explore": made, "DFT": made}
    (folder / "resource.json").write_text(json.dumps(resource))


def check(*words: str, kind: str = "init") -> int:
    return main(["check", f"{kind}_param.json", "resource.json", *words])


def test_what_is_asked_for(folder, capsys):
    text = (folder / "run_param.json").read_text()
    param = {**json.loads(text), "init_data": ["valid.xyz"], "valid_data": []}
    (folder / "run_param.json").write_text(json.dumps(param))
    before = sorted(folder.rglob("*"))
    assert check(kind="run") == EXIT_DONE
    said = capsys.readouterr().out
    assert "5 iterations, 10 MDs in all, at most 40 labels, 6 trainings of each model" in said
    assert check() == EXIT_DONE
    assert "asked for: 1 relaxations, 3 AIMDs" in capsys.readouterr().out
    assert sorted(folder.rglob("*")) == before


def test_a_misspelt_command_is_named(folder, capsys):
    write(folder, command="pyhton -u")
    assert check() == 2
    said = capsys.readouterr().err
    assert "resource.json: DFT.command: pyhton is not found on this machine" in said
    write(folder, command="pyhton -u", env_list=["export OMP_NUM_THREADS=1"])
    assert check() == 2
    write(folder, command="pyhton -u", env_list=["conda activate one"])
    assert check() == EXIT_DONE
    assert "pyhton is not in PATH here; source_list" in capsys.readouterr().err
    write(folder, command="pyhton -u", scheduler="slurm", queue_name="cpu")
    assert check() == EXIT_DONE  # the nodes of a cluster may have it


def test_a_trial_tells_and_leaves_nothing(folder, capsys):
    before = sorted(folder.rglob("*"))
    assert check("--try") == EXIT_DONE
    said = capsys.readouterr().out
    assert f"{sys.executable}: {sys.executable} (Python {sys.version.split()[0]})" in said
    assert "Python packages: ase numpy" in said
    assert "one label: done, " in said
    assert sorted(folder.rglob("*")) == before


def test_a_trial_names_what_would_fail_and_leaves_nothing(folder, capsys):
    write(folder, command="pyhton", env_list=["module load python"])
    before = sorted(folder.rglob("*"))
    assert check("--try") == EXIT_FAILED
    said = capsys.readouterr()
    assert "one label: failed" in said.out
    assert "DFT.command: pyhton is not found on" in said.err
    assert "the trial shows what would fail" in said.err
    assert sorted(folder.rglob("*")) == before
