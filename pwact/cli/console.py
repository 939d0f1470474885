"""What the user sees: results, errors, progress. The only module that prints.

A screen may know few letters, may be full, or may be gone: whoever works goes on. What it shows is
text: control characters (of a log of some engine, say) are spelled out. This module imports next to
nothing, so that help answers at once.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Protocol, TextIO, Union

_PLAIN = {
    "Å": "A",
    "²": "^2",
    "³": "^3",
    "–": "-",
    "−": "-",
    "…": "...",
    "→": "->",
    "≥": ">=",
    "≤": "<=",
    "×": "x",
    "·": "*",
    "±": "+-",
    "σ": "sigma",
    "λ": "lambda",
}
_HANDLER = "pwact.plain"
# what a terminal obeys instead of showing it; the last two ranges turn the writing direction
_CONTROLS = {
    code: ascii(chr(code))[1:-1]
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
    if chr(code) not in "\n\t"
}
_BYTES = range(0xDC80, 0xDD00)  # what Python makes of bytes in file names that are no text


class Bar(Protocol):
    """A progress bar."""

    def update(self) -> Any:
        """One more is done."""

    def set_description(self, desc: str) -> Any:
        """Change the title."""


def prepare() -> None:
    """Make ready what the shell gave us: letters that a terminal lacks, streams that are closed.

    A closed stream gets its number back from ``/dev/null``: else the next file that is opened, the
    journal for instance, would take it, and programs would write their messages into it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)
    codecs.register_error(_HANDLER, _spelled)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_HANDLER)


def _spelled(error: UnicodeError) -> tuple[Union[str, bytes], int]:
    """Spell what an encoding lacks: the nearest plain letters, or bytes as they were."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if ord(letter) in _BYTES:
        return bytes([ord(letter) - _BYTES.start + 0x80]), error.start + 1
    return _PLAIN.get(letter, "?"), error.start + 1


def say(text: str) -> None:
    """Show a result on stdout.

    Raises
    ------
    OSError
        It cannot be written: the disk is full, or whoever read it has gone.
    """
    if sys.stdout is None:
        return
    try:
        print(_visible(text), flush=True)  # noqa: T201
    except OSError as error:
        _give_up("stdout")  # else it fails again when Python ends
        error.filename = error.filename or "standard output"
        raise


def announce(text: str) -> None:
    """Show the end of some long work on stdout, if anybody is there."""
    try:
        say(text)
    except (OSError, ValueError):
        _give_up("stdout")


def note(text: str) -> None:
    """Show a line on stderr, above the progress bar if one is shown; nobody need be there."""
    text = _visible(text)
    try:
        if "tqdm" in sys.modules and _is_terminal():
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)
        elif sys.stderr is not None:
            print(text, file=sys.stderr, flush=True)  # noqa: T201
    except (OSError, ValueError):
        _give_up("stderr")


def show_error(message: str, error: Optional[BaseException] = None) -> None:
    """Show an error on stderr; with `error`, its traceback, too."""
    note(f"pwact: {message}")
    if error is not None and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.__excepthook__(type(error), error, error.__traceback__)


def ask(words: str) -> Optional[str]:
    """Ask at the terminal; gives the line that was typed, None where there is no more input."""
    with contextlib.suppress(OSError, ValueError):
        print(_visible(words), end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline() or None


def _visible(text: str) -> str:
    """`text` with its control characters spelled out, line ends and tabs excepted."""
    return text.translate(_CONTROLS)


def _is_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _give_up(name: str) -> None:
    """Write nothing more to a stream that is gone, so that nothing fails for it at the end."""
    stream: Optional[TextIO] = getattr(sys, name)
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class _Lasting:
    """A progress bar that nobody need look at."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def update(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._bar.update()

    def set_description(self, desc: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._bar.set_description(desc)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._bar.close()


@contextmanager
def progress(title: str, total: Optional[int]) -> Iterator[Optional[Bar]]:
    """Show a progress bar while stderr is a terminal; None elsewhere."""
    if not _is_terminal():
        yield None
        return
    from tqdm import tqdm

    try:
        bar = _Lasting(tqdm(total=total, desc=title, file=sys.stderr, leave=False))
    except (OSError, ValueError):
        yield None
        return
    try:
        yield bar
    finally:
        bar.close()
