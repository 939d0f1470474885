"""`pwact check`: what is asked for, commands of this machine, and ``--try``."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pwact.cli.main import main
from pwact.errors import EXIT_DONE, EXIT_FAILED
from pwact.executors.processes import own_processes
from pwact.io.journal import Journal
from pwact.workflow.checks import trials
from tests.commands import ROOT
from tests.requirements import need_program

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "quickstart_window"
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


def test_a_trial_tells_and_leaves_nothing(folder, tmp_path_factory, monkeypatch, capsys):
    before = sorted(folder.rglob("*"))
    libraries = tmp_path_factory.mktemp("libraries")
    for name in ("sevenn", "mace", "torchnep"):
        (libraries / f"{name}.py").touch()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(libraries), str(ROOT)]))
    assert check("--try") == EXIT_DONE
    said = capsys.readouterr().out
    assert f"{sys.executable}: {sys.executable} (Python {sys.version.split()[0]})" in said
    assert re.search(r"Python packages: ase numpy.* sevenn mace torchnep\n", said)
    assert "one label: done, " in said
    assert sorted(folder.rglob("*")) == before


def test_the_plan_with_a_trial_trains_a_model_and_runs_an_md(folder, capsys):
    need_program("lmp")
    shutil.copy(EXAMPLE / "resource.json", folder)
    text = (folder / "run_param.json").read_text()
    param = {**json.loads(text), "init_data": ["valid.xyz"], "valid_data": []}
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][:1]
    (folder / "run_param.json").write_text(json.dumps(param))
    before = sorted(folder.rglob("*"))
    assert check("--plan", "--try", kind="run") == EXIT_DONE
    said = capsys.readouterr().out
    for words in ("one label: done, ", "one training: done, ", "one MD: done, "):
        assert words in said
    assert "?" not in said.partition("at most  ")[2]
    assert "by one each that was tried (trainings, MDs, labels)" in said
    assert sorted(folder.rglob("*")) == before


def test_a_training_that_fails_in_the_trial_is_named(folder, capsys):
    param = json.loads((folder / "run_param.json").read_text())
    param.update(init_data=["valid.xyz"], valid_data=[])
    (folder / "run_param.json").write_text(json.dumps(param))
    resource = json.loads((EXAMPLE / "resource.json").read_text())
    resource["train"] = {**resource["train"], "command": "false"}
    (folder / "resource.json").write_text(json.dumps(resource))
    assert check("--plan", "--try", kind="run") == EXIT_FAILED
    said = capsys.readouterr()
    assert "one training: failed" in said.out
    assert "one MD" not in said.out
    assert "the trial shows what would fail" in said.err


def test_a_trial_names_what_would_fail_and_leaves_nothing(folder, capsys):
    write(folder, command="pyhton", env_list=["module load python"])
    before = sorted(folder.rglob("*"))
    assert check("--try") == EXIT_FAILED
    said = capsys.readouterr()
    assert "one label: failed" in said.out
    assert "DFT.command: pyhton is not found on" in said.err
    assert "the trial shows what would fail" in said.err
    assert sorted(folder.rglob("*")) == before


def test_what_a_killed_trial_left_is_ended_and_deleted(folder, capfd):
    slow = folder / "slow"
    slow.write_text("#!/bin/bash\nsleep 300 &\ntouch begun\nwait\n")
    slow.chmod(0o755)
    write(folder, command=f"bash {shlex.quote(str(slow))}", env_list=["export A=1  # PATH"])
    before = sorted(folder.rglob("*"))
    words = ["check", "init_param.json", "resource.json", "--try"]
    trial = subprocess.Popen([sys.executable, "-m", "pwact", *words], cwd=folder, env=with_root())
    try:
        wait_for(lambda: list(folder.glob(".pwact-try-*/label/one/begun")))
    finally:
        trial.kill()
        trial.wait()
    (place,) = folder.glob(".pwact-try-*")
    names = {event["name"] for event in journal_of(place) if event["event"] == "job_asked"}
    assert [one for one in own_processes() if one.job in names]
    assert check() == EXIT_DONE
    said = capfd.readouterr().err
    assert f"{place}: a check --try that was killed has left it: its jobs are ended" in said
    assert sorted(folder.rglob("*")) == before
    wait_for(lambda: not [one for one in own_processes() if one.job in names])


def test_a_living_trial_is_left_alone(folder, capsys, monkeypatch):
    journal = trials.begin(folder)
    place = journal.path.parent.parent
    assert check() == EXIT_DONE
    assert place.is_dir()
    assert ".pwact-try" not in capsys.readouterr().err
    monkeypatch.setattr(socket, "gethostname", lambda: "c2")
    assert check() == EXIT_DONE
    assert place.is_dir()
    assert f"{place}: a check --try on " in capsys.readouterr().err
    monkeypatch.undo()
    trials.end(journal)
    assert not place.exists()


def with_root() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root)}


def journal_of(place: Path) -> list[dict[str, object]]:
    return Journal(place / ".pwact" / "journal.jsonl").events()


def wait_for(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)
