from __future__ import annotations

import os
import signal

import pytest

from pwact.cli.signals import Terminated, ending_signals_raise


def test_a_signal_that_ends_the_program_is_raised_and_the_old_answer_comes_back() -> None:
    outside = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run behind nohup
    try:
        with pytest.raises(Terminated, match="terminal was closed"), ending_signals_raise():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, outside)


def test_a_signal_that_the_shell_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_signals_raise():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
