"""The live jobs of one executor, whoever asked for them, polled together."""

from __future__ import annotations

import logging
import math
import threading
from typing import Callable, Optional, TypeVar

from pwact.executors.base import Executor, JobPhase, JobState, OutageError

logger = logging.getLogger(__name__)
_T = TypeVar("_T")

GONE_POLLS = 3  # polls in a row that must miss a job before it counts as gone
_BACK_OFF = 1.5
_SLICE_S = 0.5


class Pool:
    """Asks for all live jobs at once, more and more rarely while nothing happens.

    An outage of the scheduler is logged once, and once more when it is over.

    Parameters
    ----------
    sleep, clock
        As in `Dispatcher`.
    taken
        The share (0..1) of the places of the same machine that jobs of other pools take.
    """

    def __init__(
        self,
        executor: Executor,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
        taken: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.executor = executor
        self._sleep = sleep
        self._clock = clock
        self._taken = taken
        self._guard = threading.RLock()
        self._live: dict[str, str] = {}
        self._states: dict[str, JobState] = {}
        self._gone: dict[str, int] = {}
        self._interval = executor.poll_first_s
        self._polled_at: Optional[float] = None
        self._outage_since: Optional[float] = None

    @property
    def live(self) -> int:
        """How many jobs are not known to have ended."""
        return len(self._live)

    @property
    def interval_s(self) -> float:
        """Seconds until the next poll is due."""
        return self._interval

    @property
    def silent(self) -> bool:
        """Whether the scheduler did not answer the last question."""
        return self._outage_since is not None

    def room(self) -> Optional[int]:
        """How many more jobs may be submitted; None: any number."""
        places = self.executor.room(0)
        if places is None:
            return None
        return self.executor.room(self.live + math.ceil(places * self._taken() - 1e-9))

    @property
    def share(self) -> float:
        """The share of its places that its jobs take, 0..1; 0 where any number may live."""
        places = self.executor.room(0)
        return self.live / places if places else 0.0

    def add(self, job_id: str, name: str) -> None:
        """Watch a job."""
        with self._guard:
            self._live[job_id] = name
            self._interval = self.executor.poll_first_s

    def drop(self, job_id: str) -> None:
        """Watch a job no longer."""
        with self._guard:
            self._live.pop(job_id, None)
            self._states.pop(job_id, None)
            self._gone.pop(job_id, None)
            self._interval = self.executor.poll_first_s

    def state(self, job_id: str) -> Optional[JobState]:
        """Return the last known state of a job, None before the first poll.

        A job counts as gone only after `GONE_POLLS` polls in a row have missed it.
        """
        state = self._states.get(job_id)
        if state and state.phase is JobPhase.GONE and self._gone.get(job_id, 0) < GONE_POLLS:
            return None
        return state

    def refresh(self) -> None:
        """Ask the scheduler, unless somebody has done so just now."""
        with self._guard:
            now = self._clock()
            fresh = self._polled_at is not None and now - self._polled_at < self._interval / 2
            if not self._live or (fresh and all(one in self._states for one in self._live)):
                return
            states = self.ask(lambda: self.executor.poll(dict(self._live)))
            self._polled_at = self._clock()
            for job_id, state in (states or {}).items():
                gone = state.phase is JobPhase.GONE
                self._gone[job_id] = self._gone.get(job_id, 0) + 1 if gone else 0
                self._states[job_id] = state

    def ask(self, call: Callable[[], _T]) -> Optional[_T]:
        """Ask the scheduler something; None while it does not answer."""
        since = self._clock()
        try:
            answer = call()
        except OutageError as error:
            self.outage(error, since)
            return None
        if self._outage_since is not None:
            logger.warning(
                "the scheduler answers again, after %.0f s", self._clock() - self._outage_since
            )
            self._outage_since = None
        return answer

    def outage(self, error: OutageError, since: Optional[float] = None) -> None:
        """Note that the scheduler did not answer (what it was asked at `since`); ask later."""
        if self._outage_since is None:
            self._outage_since = self._clock() if since is None else since
            logger.warning("the scheduler does not answer, jobs go on; asking again: %s", error)

    def pause(self, wake: Callable[[], bool]) -> None:
        """Sleep until the next poll is due or `wake` says that there is news."""
        with self._guard:
            wait = self._interval
            longest = self.executor.poll_longest_s
            self._interval = min(max(wait * _BACK_OFF, 0.001), longest)
        waited, part = 0.0, min(wait, max(_SLICE_S, wait / 8))
        while waited < wait:
            self._sleep(part)
            waited += part
            if wake():
                return
