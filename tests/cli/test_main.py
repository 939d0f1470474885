from __future__ import annotations

import os
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from pwact import __version__
from pwact.cli.commands import campaign as commands
from pwact.cli.main import COMMANDS, main
from pwact.cli.signals import Terminated
from pwact.errors import InputError, LockedError

HEAVY = ("numpy", "pandas", "ase", "pwdata", "matplotlib", "tqdm", "inspect", "difflib")


@pytest.mark.parametrize("words", [[], ["-h"], ["help"], ["-help"], ["--help"], ["HELP"]])
def test_help_lists_the_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("word", ["-h", "help", "-help", "--help", "Help"])
def test_help_of_a_command(name: str, word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name.upper(), word]) == 0
    assert f"usage: pwact {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.bare])
def test_a_bare_command_shows_its_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name]) == 0
    assert f"usage: pwact {name}" in capsys.readouterr().out


def test_help_at_the_end_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "no.json", "no.json", "-h"]) == 0
    assert "usage: pwact run" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["help"], ["--version"], ["run", "-h"]])
def test_a_reader_that_has_seen_enough(words: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "pwact", *words]
    try:
        shown = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write_end)
    assert (shown.returncode, shown.stderr) == (1, b"")


@pytest.mark.parametrize("word", ["--version", "--Version"])
def test_version(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([word]) == 0
    assert capsys.readouterr().out == f"pwact {__version__}\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["rum", "a", "b"], "unknown command 'rum'; did you mean run?"),
        (["init_blk"], "did you mean init_bulk?"),
        (["init_surface", "a", "b"], "did you mean build surface?"),
        (["zzz"], "commands: init, build, init_bulk, run,"),
        (["run", "param.json"], "arguments are required: resource usage: pwact run"),
        (["run", "a", "b", "--stric"], "unrecognized arguments: --stric"),
        (["check", "a", "b", "--redo", "x"], "unrecognized arguments"),
        (["kill", "everything"], "invalid choice: 'everything'"),
        (["gather_pwdata", "-i", "no such directory"], "no such directory is not a directory"),
        (["to_pwdata", "-i", "a", "-s", ""], "argument -s/--savepath: found ''; expected a path"),
        (["to_pwdata", "-i", "a", ""], "argument -i/--input: found ''; expected a path"),
        (["to_pwdata", "-i", "a", "-w", " "], "argument -w/--work_dir: found ' '"),
        (["gather_pwdata", "-i", ""], "argument -i/--input_dir: found ''"),
        (["filter", "-i", "", "-l", "1", "-u", "2"], "argument -i/--md_dir: found ''"),
        (["draw", "-o", ""], "argument -o/--output: found ''"),
        (["status", ""], "argument directory: found ''"),
        (["check", "a", "b\0"], r"argument resource: found 'b\x00'"),
    ],
)
def test_wrong_use(words: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("pwact: ")
    assert hint in " ".join(shown.err.split())
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("is wrong", None, "seed"), 2, "seed: is wrong"),
        (InputError("it says:\n  Error", Path("a\nb"), "x"), 2, r"a\nb: x: it says: Error"),
        (InputError("found \x1b[2J", Path("\x07"), ""), 2, r"\x07: found \x1b[2J"),
        (LockedError("busy"), 1, "busy"),
        (Terminated(), 3, "stopped by SIGTERM"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (PermissionError(13, "Permission denied", "x"), 1, "x: Permission denied"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (
            ModuleNotFoundError("No module named 'ase'", name="ase"),
            1,
            f"the Python module ase is not installed for {sys.executable}; in the checkout",
        ),
        (ZeroDivisionError("oh"), 1, "unexpected ZeroDivisionError: oh; run with --debug"),
    ],
)
def test_endings(
    error: BaseException,
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fails(_options: Namespace) -> int:
        raise error

    monkeypatch.setattr(commands, "check", fails)
    assert main(["Check", "a", "b"]) == status
    shown = capsys.readouterr().err
    assert shown.startswith(f"pwact: {message}")
    assert shown.count("\n") == 1
    assert main(["check", "a", "b", "--debug"]) == status
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "in fails" in shown


def test_arguments_reach_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Namespace] = []
    monkeypatch.setattr(commands, "run", lambda options: seen.append(options) or 0)
    words = ["RUN", "p", "r", "--redo", "iter.0000", "--redo", "iter.0001/label", "--strict"]
    assert main(["--debug", *words]) == 0
    assert main(["run", "p", "r", "--keep-finished"]) == 0
    first, second = seen
    assert (first.param, first.resource, first.strict) == ("p", "r", True)
    assert first.redo == ["iter.0000", "iter.0001/label"]
    assert (first.keep_finished, second.keep_finished, second.redo) == (False, True, [])


def test_help_is_light() -> None:
    script = (
        "import sys; from pwact.cli.main import main; main(['--help']); "
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    words = [sys.executable, "-c", script]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shown.stderr.strip() == ""
