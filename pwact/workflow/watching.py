"""What a dispatch shows while its tasks run: a bar, and how far its MDs are in steps."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable, Optional

from pwact.engines.md_steps import MD_KINDS, steps_made
from pwact.executors.base import Task
from pwact.report.status import duration
from pwact.workflow.opening import Progress

logger = logging.getLogger(__name__)

LOOK_S, LOG_S = 30.0, 600.0  # between two looks at the outputs, and two lines of the log


class Watching:
    """Bars of dispatches; while MDs run they count steps.

    Parameters
    ----------
    make
        Makes the bar of a dispatch from its kind and its number of tasks; None for no bars.
    others
        What else is done while there is nothing to do but to wait; False if there is nothing.
    """

    def __init__(
        self,
        make: Optional[Progress],
        others: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._others, self._clock = make, others, clock
        self._mds: Optional[_Mds] = None

    def meanwhile(self) -> bool:
        """Do a little of what can wait for such a moment; False if there is nothing."""
        if self._mds is not None:
            self._mds.look()
        return self._others()

    @contextlib.contextmanager
    def over(self, stage: str, kind: str, tasks: Sequence[Task]) -> Iterator[Callable[[], None]]:
        """Show a dispatch; what is given is to be called whenever a task has ended."""
        make = self._make
        with make(kind, len(tasks)) if make else contextlib.nullcontext() as bar:
            if kind in MD_KINDS:
                self._mds = _Mds(stage, kind, [task.directory for task in tasks], bar, self._clock)
            try:
                yield bar.update if bar is not None else _nothing
            finally:
                self._mds = None


def _nothing() -> None:
    pass


class _Mds:
    """The MDs of one dispatch.

    How long they may still take is estimated from the steps that all of them have made since the
    first look: as many run at a time from now on as until now.
    """

    def __init__(
        self,
        stage: str,
        kind: str,
        places: Sequence[Path],
        bar: Any,
        clock: Callable[[], float],
    ) -> None:
        self._stage, self._kind, self._places = stage, kind, places
        self._bar, self._clock = bar, clock
        self._whole: dict[Path, int] = {}  # steps of those that have made all
        self._began = self._looked = self._logged = clock()
        self._tenth = 0
        self._first: Optional[int] = None

    def look(self) -> None:
        """Count steps, unless that was done a short while ago."""
        now = self._clock()
        if self._first is not None and now < self._looked + LOOK_S:
            return
        made, asked = self._steps()
        took = self._clock() - now
        self._looked = now + 20 * took  # outputs of many MDs on a slow disk
        if self._first is None:
            self._first, self._began = made, now
        if asked:
            self._show(made, asked, now)

    def _show(self, made: int, asked: int, now: float) -> None:
        words = f"{made} of {asked} steps"
        fresh = made - (self._first or 0)
        if fresh > 0:
            words += f", about {duration((now - self._began) * (asked - made) / fresh)} left"
        if self._bar is not None:
            self._bar.set_description(f"{self._kind}: {words}")
        tenth = 10 * made // asked
        if tenth > self._tenth and now >= self._logged + LOG_S:
            self._logged, self._tenth = now, tenth
            logger.info("%s: %d MDs have made %s", self._stage, len(self._places), words)

    def _steps(self) -> tuple[int, int]:
        """Steps that all have made, and those asked for."""
        found = dict(self._whole)
        made = sum(found.values())
        asked = made
        for place in self._places:
            one = None if place in found else steps_made(place)
            if one is None:
                continue
            made, asked = made + one[0], asked + one[1]
            if one[0] == one[1]:
                self._whole[place] = one[1]
        return made, asked
