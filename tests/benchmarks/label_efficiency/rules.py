"""What is labelled in a round: the loop's own decision, and the rules that it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Optional, Protocol

import numpy as np
from ase import Atoms

from pwact.query.calibration import Pairs, pairs_in_force
from pwact.query.driving import Decision, Round, at_floor, decide, hindsight, reached
from pwact.query.duplicates import Known
from pwact.query.kpu import base_of, kpu_window
from pwact.query.pick import pick_random
from pwact.query.picks import RANDOM, Around, Pick, Pool
from pwact.query.scales import RELATIVE, best_scale, measures, pairs_of_start
from pwact.query.window import Scores, Window
from tests.benchmarks.label_efficiency.learners import Judgement
from tests.benchmarks.label_efficiency.pools import Frames


@dataclass(frozen=True)
class State:
    """What a rule sees at the begin of a round.

    Attributes
    ----------
    frames
        All that can be labelled or are.
    fit
        The model, fitted to `labelled`.
    errors
        True ones of all frames, eV/Å; a rule looks at those that have a label only.
    labelled, fresh
        Indices of the frames.
    batch
        The most that may be labelled.
    """

    frames: Frames
    fit: Judgement
    errors: np.ndarray
    labelled: np.ndarray
    fresh: np.ndarray
    batch: int
    rng: np.random.Generator

    @property
    def sigma(self) -> float:
        """RMSE of the forces of the model on what it was trained on, eV/Å."""
        return float(np.sqrt(np.mean(self.errors[self.labelled] ** 2)))

    def trajectories(self, indices: np.ndarray) -> np.ndarray:
        """Names of the trajectories of frames, objects."""
        return np.array([str(kind) for kind in self.frames.kinds[indices]], dtype=object)


@dataclass(frozen=True)
class Choice:
    """What a rule decided.

    Attributes
    ----------
    labelled
        Indices of the frames that get labels.
    accepted
        Of those that are fresh and need none.
    """

    labelled: np.ndarray
    accepted: np.ndarray


class Rule(Protocol):
    """Chooses; has a memory of one run."""

    ended: bool  # whether it labels no more

    def choose(self, state: State) -> Choice:
        """Of the fresh frames at most a batch."""

    def learn(self, state: State, choice: Choice) -> None:
        """The frames have labels now; `state` is that of the choice."""


_NONE = np.empty(0, dtype=int)


class Baseline:
    """A rule without memory that accepts nothing and never ends."""

    ended = False

    def learn(self, state: State, choice: Choice) -> None:
        """Forget it."""


class Random(Baseline):
    """Any frames."""

    def choose(self, state: State) -> Choice:
        return Choice(state.fresh[pick_random(len(state.fresh), state.batch, state.rng)], _NONE)


@dataclass
class InWindow(Baseline):
    """PWact's rule: any of the frames between two limits, which KPU multiplies by a base."""

    lower: float
    upper: float
    relative: bool

    def choose(self, state: State) -> Choice:
        values = state.fit.window[state.fresh]
        window = Window(self.lower, self.upper)
        if self.relative:
            window = kpu_window(self._base(state), self.lower, self.upper)
        inside = state.fresh[(values >= window.lower) & (values < window.upper)]
        return Choice(inside[pick_random(len(inside), state.batch, state.rng)], _NONE)

    def _base(self, state: State) -> float:
        """Of all trajectories, labelled frames as well: their first rows."""
        scores = []
        for kind in np.unique(state.frames.kinds):
            values = state.fit.window[state.frames.kinds == kind]
            scores.append(Scores(np.arange(len(values)), values, np.zeros(len(values), dtype=bool)))
        return base_of(scores)


class Picked(Baseline):
    """One of the loop's picks among all fresh frames; `alike`: as if all were as uncertain."""

    def __init__(self, pick: Pick, alike: bool = False) -> None:
        self._pick = pick
        self._alike = alike

    def choose(self, state: State) -> Choice:
        values = state.fit.uncertainty
        pool = _pool(state, np.ones_like(values) if self._alike else values, state.fresh)
        around = Around(pool, np.empty(0, dtype=int), _known(state))
        (chosen,) = self._pick.choose([replace(pool, around=around)])
        return Choice(state.fresh[chosen], _NONE)


@dataclass
class Driven:
    """The loop with a target, by the functions that the loop itself uses."""

    target: float
    pick: Pick
    scales: Sequence[str] = RELATIVE
    records: list[dict[str, float]] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    floor: str = ""
    _pending: Optional[tuple[dict[str, np.ndarray], str, Decision]] = None

    def choose(self, state: State) -> Choice:
        scaled = self._scaled(state)
        name = self._measure()
        values = scaled[name]
        fresh = state.fresh
        running = [*self.rounds, Round(len(fresh), 0, state.sigma, float("nan"), ())]
        self.floor = at_floor(running, self.target)
        decision = decide(
            [_pool(state, values, fresh)],
            [np.ones(len(fresh), dtype=bool)],
            self._pairs(state, name),
            self.target,
            RANDOM if self.floor else self.pick,
            _known(state),
        )
        accepted = fresh[decision.accepted[0]]
        controls, chosen = fresh[decision.controls[0]], fresh[decision.chosen[0]]
        self._pending = scaled, name, decision
        return Choice(np.concatenate([controls, chosen]), accepted)

    def learn(self, state: State, choice: Choice) -> None:
        """Keep the pairs, and the round."""
        assert self._pending is not None
        scaled, name, decision = self._pending
        new = choice.labelled
        for index in new.tolist():
            row = {name: float(values[index]) for name, values in scaled.items()}
            self.records.append({**row, "error": float(state.errors[index])})
        after = hindsight(decision.spread, Pairs(scaled[name][new], state.errors[new]), self.target)
        median = float(np.median(state.errors[new])) if len(new) else np.nan
        proof = tuple(state.errors[state.fresh[decision.controls[0]]].tolist())
        accepted = int(decision.accepted[0].sum())
        self.rounds.append(Round(len(state.fresh), accepted, state.sigma, median, proof, after))

    @property
    def ended(self) -> bool:
        """Whether the loop goes no further."""
        return reached(self.rounds, self.target)

    def _scaled(self, state: State) -> dict[str, np.ndarray]:
        return measures(state.fit.uncertainty, self._force(state), state.sigma)

    def _force(self, state: State) -> np.ndarray:
        return np.asarray(np.sqrt(np.mean(state.fit.forces(state.frames) ** 2, axis=1)))

    def _column(self, name: str) -> np.ndarray:
        return np.array([record[name] for record in self.records], dtype=float)

    def _measure(self) -> str:
        return best_scale({name: self._column(name) for name in self.scales}, self._column("error"))

    def _pairs(self, state: State, name: str) -> Pairs:
        known = state.labelled
        seen = state.fit.uncertainty[known], self._force(state)[known], state.errors[known]
        start = pairs_of_start(name, seen, state.sigma)
        return pairs_in_force(Pairs(self._column(name), self._column("error")), start)


class _Source:
    """Structures and features of frames, by their place."""

    def __init__(self, state: State) -> None:
        self._state = state

    def structure(self, trajectory: str, step: int) -> Atoms:
        return self._state.frames.atoms[step]

    def features(self, trajectory: str, step: int) -> np.ndarray:
        return self._state.fit.features(self._state.frames, step)


class Remembered(Known):
    """Known frames; the descriptor of each structure is computed once a pool."""

    def __init__(self, frames: Frames, labelled: Iterable[int]) -> None:
        self._rows = frames.descriptors
        super().__init__(frames.atoms[0].numbers.tolist())
        rows = [self.describe(frames.atoms[index]) for index in labelled]
        self.descriptors = np.array(rows, dtype=float).reshape(-1, self.descriptors.shape[1])

    def describe(self, atoms: Atoms) -> np.ndarray:
        if id(atoms) not in self._rows:
            self._rows[id(atoms)] = super().describe(atoms)
        return self._rows[id(atoms)]

    def with_one(self, atoms: Atoms) -> Known:
        more = copy(self)
        more.descriptors = np.vstack([self.descriptors, self.describe(atoms)])
        return more


def _known(state: State) -> Known:
    return Remembered(state.frames, state.labelled)


def _pool(state: State, values: np.ndarray, fresh: np.ndarray) -> Pool:
    return Pool(
        values[fresh], fresh, state.trajectories(fresh), state.batch, state.rng, _Source(state)
    )
