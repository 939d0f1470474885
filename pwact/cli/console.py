"""What the user sees: log lines, progress, results, complaints. The only module that prints."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional, Protocol

from pwact.errors import PwactError

LINE = "%(asctime)s %(message)s"
WARNING_LINE = "%(asctime)s %(levelname)s: %(message)s"
TIME = "%Y-%m-%d %H:%M:%S"
ROOT = "pwact"


class Bar(Protocol):
    """A progress bar."""

    def update(self) -> Any:
        """One more is done."""


def say(text: str) -> None:
    """Show a result on stdout."""
    print(text, flush=True)  # noqa: T201


def complain(message: str, error: Optional[BaseException] = None) -> None:
    """Show an error on stderr; with `error`, its traceback, too."""
    print(f"pwact: {message}", file=sys.stderr, flush=True)  # noqa: T201
    if error is not None:
        traceback.print_exception(type(error), error, error.__traceback__)


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        self._style._fmt = WARNING_LINE if record.levelno >= logging.WARNING else LINE
        return super().format(record)


class _Screen(logging.Handler):
    """Writes above a progress bar, if one is shown."""

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if "tqdm" in sys.modules and sys.stderr.isatty():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def logging_to_screen() -> Iterator[None]:
    """Show what the package logs on stderr, with times."""
    with _handler(_Screen()):
        yield


@contextmanager
def logging_to_file(path: Path) -> Iterator[None]:
    """Append what the package logs to `path`, with times, and the error that ends the block."""
    handler = logging.FileHandler(path, encoding="utf-8")
    try:
        with _handler(handler):
            yield
    except BaseException as error:
        ours = isinstance(error, (PwactError, KeyboardInterrupt))
        reason = str(error) or type(error).__name__
        trace = None if ours else (type(error), error, error.__traceback__)
        handler.handle(logging.LogRecord(ROOT, logging.ERROR, "", 0, reason, None, trace))
        raise
    finally:
        handler.close()


@contextmanager
def _handler(handler: logging.Handler) -> Iterator[None]:
    logger = logging.getLogger(ROOT)
    level = logger.level
    handler.setFormatter(_Lines(LINE, TIME))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def progress(title: str, total: int) -> Iterator[Optional[Bar]]:
    """Show a progress bar while stderr is a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, file=sys.stderr, leave=False) as bar:
        yield bar
