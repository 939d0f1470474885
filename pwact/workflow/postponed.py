"""Work that waits until there is nothing to do but to wait."""

from __future__ import annotations

import logging
from collections import deque
from typing import Callable

logger = logging.getLogger(__name__)


class Postponed:
    """Things on which nothing depends, in the order in which they came."""

    def __init__(self) -> None:
        self._works: deque[Callable[[], object]] = deque()

    def add(self, work: Callable[[], object]) -> None:
        """Put one more off."""
        self._works.append(work)

    def do_one(self) -> bool:
        """Do the oldest, if there is one; whether there was. What it raises is only reported."""
        if not self._works:
            return False
        work = self._works.popleft()
        try:
            work()
        except Exception as error:  # noqa: BLE001  nothing depends on it, whatever went wrong
            words = f"{type(error).__name__}: {error}"
            logger.warning("left out, and the run goes on without it: %s", words)
        return True

    def do_all(self) -> None:
        """Do all of them."""
        while self.do_one():
            pass
