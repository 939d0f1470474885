"""What the user sees: results, complaints, progress. The only module that prints.

It imports next to nothing, so that help answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional, Protocol


class Bar(Protocol):
    """A progress bar."""

    def update(self) -> Any:
        """One more is done."""

    def set_description(self, desc: str) -> Any:
        """Change the title."""


def say(text: str) -> None:
    """Show a result on stdout."""
    print(text, flush=True)  # noqa: T201


def note(text: str) -> None:
    """Show a line on stderr, above the progress bar if one is shown."""
    if "tqdm" in sys.modules and sys.stderr.isatty():
        from tqdm import tqdm

        tqdm.write(text, file=sys.stderr)
    else:
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def complain(message: str, error: Optional[BaseException] = None) -> None:
    """Show an error on stderr; with `error`, its traceback, too."""
    print(f"pwact: {message}", file=sys.stderr, flush=True)  # noqa: T201
    if error is not None:
        sys.__excepthook__(type(error), error, error.__traceback__)


@contextmanager
def progress(title: str, total: Optional[int]) -> Iterator[Optional[Bar]]:
    """Show a progress bar while stderr is a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=title, file=sys.stderr, leave=False) as bar:
        yield bar
