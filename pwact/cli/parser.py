"""The argument parser of a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from pwact.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Argument parser of one command: usage errors are raised, not printed.

    Attributes
    ----------
    kinds
        Parsers of what comes behind the command, by the word: ``pwact build surface``.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.kinds: dict[str, Parser] = {}

    def help_for(self, words: Sequence[str]) -> str:
        """The help of the command, or of the kind that `words` begin with."""
        kind = self.kinds.get(words[0] if words else "", self)
        return kind.format_help().rstrip()

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the usage line."""
        usage = " ".join(self.format_usage().split())
        raise UsageError(f"{self.prog}: {message}\n{usage}")
