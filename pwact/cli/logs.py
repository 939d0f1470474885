"""Where the package's log lines go: to the screen and to ``pwact.log``."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Optional

from pwact.cli import console
from pwact.errors import EXIT_WRONG_INPUT, PwactError

LINE = "%(asctime)s %(message)s"
WARNING_LINE = "%(asctime)s %(levelname)s: %(message)s"
TIME = "%Y-%m-%d %H:%M:%S"
ROOT = "pwact"
RESULT = "pwact.result"  # what the screen gets in another way


class _Lines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(LINE, TIME)
        self._warning = logging.Formatter(WARNING_LINE, TIME)

    def format(self, record: logging.LogRecord) -> str:
        if record.levelno >= logging.WARNING:
            return self._warning.format(record)
        return super().format(record)


class _Screen(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.name != RESULT:
            console.note(self.format(record))


class _File(logging.FileHandler):
    """The log file; what a full disk does not take is missing there, and was on the screen.

    Nothing is written before `begin`: a start that is refused leaves no trace.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self._held: Optional[list[logging.LogRecord]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self._held is None:
            super().emit(record)
        else:
            self._held.append(record)

    def begin(self) -> None:
        held, self._held = self._held or [], None
        for record in held:
            super().emit(record)

    @property
    def holds(self) -> bool:
        return self._held is not None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802
        return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


@contextmanager
def logging_to_screen() -> Iterator[None]:
    """Show what the package logs on stderr, with times."""
    with _handler(_Screen()):
        yield


@contextmanager
def logging_to_file(path: Path, noted: Sequence[str] = ()) -> Iterator[Callable[[], None]]:
    """Append what the package logs to `path`, with times, and the error that ends the block.

    It begins when the function that it gives is called. A block that ends before with a refusal of
    the input writes nothing. `noted` are warnings that were on the screen before the file was open.
    """
    handler = _File(path)
    try:
        with _handler(handler):
            for words in noted:
                handler.handle(logging.LogRecord(ROOT, logging.WARNING, "", 0, words, None, None))
            yield handler.begin
        handler.begin()
    except BaseException as error:
        if handler.holds and getattr(error, "exit_code", None) == EXIT_WRONG_INPUT:
            raise
        handler.begin()
        ours = isinstance(error, (PwactError, KeyboardInterrupt))
        reason = str(error) or type(error).__name__
        trace = None if ours else (type(error), error, error.__traceback__)
        handler.handle(logging.LogRecord(ROOT, logging.ERROR, "", 0, reason, None, trace))
        raise
    finally:
        handler.close()


def result(text: str) -> None:
    """Write the last words of a campaign, which go to stdout, into the log file as well."""
    logging.getLogger(RESULT).info("%s", text)


@contextmanager
def _handler(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger(ROOT)
    level = logger.level
    handler.setFormatter(_Lines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
