from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pwact.cli import console, logs
from pwact.errors import QuorumError
from tests.commands import ROOT

TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_log_lines_have_times_and_warnings_are_marked(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("pwact.workflow.campaign")
    with logs.logging_to_screen():
        log.info("50 %% %s", "done")
        log.warning("careful")
        log.debug("not for users")
    log.warning("nobody listens any more")
    shown = capsys.readouterr()
    assert re.fullmatch(f"{TIME}50 % done\n{TIME}WARNING: careful\n", shown.err)
    assert shown.out == ""


def test_warnings_from_before_the_file_was_open_are_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pwact.log"
    with logs.logging_to_screen(), logs.logging_to_file(path, ["100 % odd"]):
        logging.getLogger("pwact.cli").info("began")
    text = path.read_text(encoding="utf-8")
    assert re.fullmatch(f"{TIME}WARNING: 100 % odd\n{TIME}began\n", text)
    assert "odd" not in capsys.readouterr().err  # it was there before


def _fail(path: Path, error: BaseException) -> None:
    with logs.logging_to_file(path):
        logging.getLogger("pwact.cli").info("began")
        raise error


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (QuorumError("3 of 4 failed, 100 %"), "ERROR: 3 of 4 failed, 100 %\n"),
        (KeyboardInterrupt(), "ERROR: KeyboardInterrupt\n"),
        (ValueError("a bug"), "ValueError: a bug\n"),
    ],
)
def test_the_log_file_is_appended_and_keeps_the_error(
    tmp_path: Path, error: BaseException, ending: str
) -> None:
    path = tmp_path / "pwact.log"
    path.write_text("before\n", encoding="utf-8")
    with pytest.raises(type(error)):
        _fail(path, error)
    text = path.read_text(encoding="utf-8")
    assert re.match(f"before\n{TIME}began\n", text)
    assert text.endswith(ending)
    assert ("Traceback" in text) == isinstance(error, ValueError)


def test_progress_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with console.progress("train", 2) as bar:
        assert bar is None
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with console.progress("train", 2) as bar, logs.logging_to_screen():
        assert bar is not None
        bar.update()
        logging.getLogger("pwact").info("a line above the bar")
    assert "train:" in terminal.getvalue()
    assert "a line above the bar\n" in terminal.getvalue()


def run_python(code: str, **given: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a few lines in a Python of their own that has `console` and is prepared as `main` is."""
    head = "from pwact.cli import console, logs; import logging, os, sys; console.prepare()\n"
    return subprocess.run(
        [sys.executable, "-c", head + code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **given.pop("env", {})},
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given},
    )


LINE = "0.05 eV/Å – 0.15 … 300 K ≥ 漢"


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [
        ("ascii", "0.05 eV/A - 0.15 ... 300 K >= ?"),
        ("gbk", "0.05 eV/A – 0.15 … 300 K ≥ 漢"),
        ("utf-8", LINE),
    ],
)
def test_letters_that_a_terminal_lacks_are_spelled(encoding: str, seen: str) -> None:
    code = f"console.say({LINE!r}); console.note({LINE!r})"
    ended = run_python(code, env={"PYTHONIOENCODING": encoding})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode(encoding).rstrip("\n") == seen
    assert ended.stderr.decode(encoding).rstrip("\n") == seen


def test_bytes_of_a_file_name_that_are_no_text_come_out_as_they_are() -> None:
    ended = run_python("console.say(os.fsdecode(b'Ag\\xff.xyz'))")
    assert ended.stdout == b"Ag\xff.xyz\n"


def test_control_characters_of_a_log_do_not_reach_the_terminal() -> None:
    ended = run_python(r"console.note('a\x1b[2Jb\x07\x00\x9b\u202ec\tline\nend')")
    assert ended.stderr == b"a\\x1b[2Jb\\x07\\x00\\x9b\\u202ec\tline\nend\n"


GOES_ON = """
with logs.logging_to_screen():
    for number in range(3):
        logging.getLogger("pwact").info("line %d", number)
        with console.progress("train", 2) as bar:
            bar and bar.update()
console.announce("the end")
os.write({out}, b"went on")
"""


@pytest.mark.parametrize("gone", ["reader", "disk", "closed"])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_work_goes_on_without_a_screen(tmp_path: Path, stream: str, gone: str) -> None:
    witness = tmp_path / "witness"
    with witness.open("wb") as kept:
        code = GOES_ON.format(out=kept.fileno())
        given: dict[str, Any] = {"pass_fds": [kept.fileno()]}
        if gone == "reader":
            read_end, given[stream] = os.pipe()
            os.close(read_end)
        elif gone == "disk":
            given[stream] = os.open("/dev/full", os.O_WRONLY)
        else:
            number = {"stdout": 1, "stderr": 2}[stream]
            given["preexec_fn"] = partial(os.close, number)
        ended = run_python(code, **given)
        if stream in given:
            os.close(given[stream])
    assert ended.returncode == 0
    assert witness.read_bytes() == b"went on"


def test_a_closed_stream_does_not_lend_its_number_to_the_next_file(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    code = f"handle = open({str(path)!r}, 'w'); sys.exit(handle.fileno() < 3)"
    assert run_python(code, preexec_fn=partial(os.close, 2), stderr=None).returncode == 0


def test_a_result_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "pwact", "--version"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1
    assert ended.stderr == b"pwact: standard output: No space left on device\n"


def test_the_log_file_takes_names_that_are_no_text(tmp_path: Path) -> None:
    """In a process of its own: what is logged here travels as text between test processes."""
    path = tmp_path / "pwact.log"
    code = f"""
from pathlib import Path
with logs.logging_to_file(Path({str(path)!r})):
    logging.getLogger("pwact").info("reading %s", os.fsdecode(b"Ag\\xff.xyz"))
"""
    assert run_python(code).returncode == 0
    assert "reading Ag\\udcff.xyz\n" in path.read_text(encoding="utf-8")


def test_last_words_go_to_the_log_file_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pwact.log"
    with logs.logging_to_screen(), logs.logging_to_file(path):
        logs.result("the table")
    assert path.read_text(encoding="utf-8").endswith(" the table\n")
    assert capsys.readouterr().err == ""
