"""The commands themselves, on a small init_bulk with ASE's EMT."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from ase.build import bulk

from pwact.cli.main import main

PARAM = {
    "seed": 7,
    "dft_style": "ase",
    "aimd_input": "emt.json",
    "sys_configs": [{"config": "cu.vasp", "format": "vasp/poscar", "perturb": 1, "aimd": True}],
}
WORDS = ("init_bulk", "param.json", "resource.json")
PATIENCE_S = 60.0
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A launch directory with the input of an init_bulk of two MD steps."""
    place = tmp_path / "with a space"
    place.mkdir()
    monkeypatch.chdir(place)
    bulk("Cu", cubic=True).write(place / "cu.vasp", format="vasp")
    write(place / "param.json", PARAM)
    write_steps(place, 2)
    block = {"command": shlex.quote(sys.executable)}
    write(place / "resource.json", {"scheduler": "local", "DFT": block})
    yield place
    if (place / ".pwact").exists():
        main(["kill", "init_bulk"])  # whatever a failed test has left


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def write_steps(place: Path, steps: int) -> None:
    write(place / "emt.json", {"calculator": "emt", "aimd": {"steps": steps}})


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.rglob("*"))


def test_check_says_what_it_is_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = names(here)
    assert main(["check", "param.json", "resource.json"]) == 0
    shown = capsys.readouterr()
    assert "input of pwact init_bulk" in shown.out
    assert shown.err == ""
    assert names(here) == before


def test_unknown_keys_are_warnings_or_with_strict_errors(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "param.json", {**PARAM, "sede": 3})
    assert main(["check", "param.json", "resource.json"]) == 0
    assert re.search("WARNING: .*sede.*seed", capsys.readouterr().err)
    assert main(["check", "param.json", "resource.json", "--strict"]) == 2
    words = "sede: unknown key; did you mean seed?"  # not "ignored", which a warning says
    assert capsys.readouterr().err.endswith(f"param.json: {words}\n")


@pytest.mark.parametrize("command", ["check", "init_bulk"])
def test_bad_input_is_one_line_and_nothing_is_written(
    here: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "param.json", {**PARAM, "seed": "seven"})
    before = names(here)
    assert main([command, "param.json", "resource.json"]) == 2
    shown = capsys.readouterr()
    assert re.fullmatch("pwact: .*param.json: seed: .*\n", shown.err)
    assert shown.out == ""
    assert names(here) == before


@pytest.mark.parametrize("command", ["check", "init_bulk"])
def test_what_the_files_hold_is_checked_first(
    here: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "cu.vasp").write_text("not a structure", encoding="utf-8")
    before = names(here)
    assert main([command, "param.json", "resource.json"]) == 2
    assert "cu.vasp" in capsys.readouterr().err
    assert names(here) == before


def test_the_other_command_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "param.json", "resource.json"]) == 2
    assert "init_bulk" in capsys.readouterr().err
    assert not (here / "PID").exists()


def test_init_bulk_runs_and_is_done_once(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(list(WORDS)) == 0
    shown = capsys.readouterr()
    (data_set,) = re.findall(r'^"(.*)",$', shown.out, re.MULTILINE)
    assert Path(data_set) == here / "collection" / "init_config_0" / "train.xyz"
    assert len(re.findall("^4$", Path(data_set).read_text(encoding="utf-8"), re.MULTILINE)) == 3
    assert " aimd\n" in shown.err
    log = (here / "pwact.log").read_text(encoding="utf-8")
    assert f"init_bulk in {here}" in log
    assert data_set in log  # the last words are there, whatever became of the screen
    before = Path(data_set).stat()
    assert main(list(WORDS)) == 0
    assert data_set in capsys.readouterr().out
    assert Path(data_set).stat().st_ino == before.st_ino


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGTERM, 3, "stopped by SIGTERM"),
        (signal.SIGINT, 130, "interrupted"),
        (
            signal.SIGHUP,
            3,
            "stopped by SIGHUP: the terminal was closed (nohup, tmux or screen outlive it)",
        ),
    ],
)
def test_stopping_names_the_job_and_kill_ends_it(
    here: Path,
    number: signal.Signals,
    status: int,
    word: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_steps(here, 10**7)
    mark = f"{time.monotonic_ns()}"
    outside = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run behind nohup
    master = subprocess.Popen(
        [sys.executable, "-m", "pwact", *WORDS],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PWACT_TEST_MARK": mark},
    )
    signal.signal(signal.SIGHUP, outside)
    journal = here / ".pwact" / "journal.jsonl"
    wait_until(lambda: journal.exists() and "job_submitted" in journal.read_text(encoding="utf-8"))
    wait_until(lambda: "ase.worker" in commands_of(mark))
    master.send_signal(number)
    _, said = master.communicate(timeout=PATIENCE_S)
    assert master.returncode == status
    assert said.endswith(f"pwact: {word}\n")
    (job,) = re.findall("left running: (aimd0-[0-9a-f]{12})", said)
    assert job in (here / "pwact.log").read_text(encoding="utf-8")
    assert "ase.worker" in commands_of(mark)
    assert main(["kill", "INIT_BULK"]) == 0
    assert job in capsys.readouterr().out
    assert commands_of(mark) == ""
    assert main(["kill", "init_bulk"]) == 0
    assert "nothing left" in capsys.readouterr().out


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def commands_of(mark: str) -> str:
    """Command lines of the live processes that hold `mark` in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"PWACT_TEST_MARK={mark}\0" in (process / "environ").read_text(errors="replace"):
                found.append((process / "cmdline").read_text(errors="replace"))
        except OSError:
            continue  # it ended, or is not ours
    return "\n".join(found)


def test_nothing_to_kill_here(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(here)
    assert main(["kill", "run"]) == 1
    assert "started here" in capsys.readouterr().err
    assert names(here) == before


def test_gather(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(here)
    for words in (["-i", "param.json"], ["-i", "nowhere"], [], ["-i"], ["-x"], ["more"]):
        assert main(["gather_pwdata", *words]) == 2
        shown = capsys.readouterr()
        assert shown.out == ""
        assert len([line for line in shown.err.splitlines() if line.startswith("pwact: ")]) == 1
    (here / "runs" / "iter.0000").mkdir(parents=True)
    assert main(["gather_pwdata", "-i", "runs"]) == 0
    assert "no labelled data in runs" in capsys.readouterr().out
    assert names(here) == sorted([*before, "runs", "iter.0000"])
    result = here / "runs" / "iter.0000" / "02.label" / "result"
    result.mkdir(parents=True)
    (result / "train.xyz").write_text("data", encoding="utf-8")
    assert main(["GATHER_pwdata", "-i", "runs"]) == 0
    copy = here / "final_pwdata" / "iter.0000" / "train.xyz"
    assert capsys.readouterr().out.splitlines()[-1] == f'"{copy}",'
    assert copy.read_text(encoding="utf-8") == "data"
