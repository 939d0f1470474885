from __future__ import annotations

import io
import logging
import re
import sys
from pathlib import Path

import pytest

from pwact.cli import console, logs
from pwact.errors import QuorumError

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
