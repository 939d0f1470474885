"""Signals that end a program unwind the stack as Ctrl-C does: files and locks are left in order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Optional

_WORDS = {
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP: the terminal was closed (nohup, tmux or screen outlive it)",
}


class Terminated(KeyboardInterrupt):
    """A signal arrived that ends the program; says which."""

    def __init__(self, words: str = _WORDS[signal.SIGTERM]) -> None:
        super().__init__(words)


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise Terminated in the block when SIGTERM or SIGHUP arrives.

    A signal that the shell has us ignore stays ignored, as SIGHUP behind ``nohup``. Outside the
    main thread nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with contextlib.ExitStack() as stack:
        for number in _WORDS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                stack.callback(signal.signal, number, signal.signal(number, _raise))
        yield


def _raise(number: int, _frame: Optional[FrameType]) -> None:
    raise Terminated(_WORDS[signal.Signals(number)])
