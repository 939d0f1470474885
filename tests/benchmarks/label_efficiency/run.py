"""Runs rules of choice on fixed pools, and prints how many labels they take.

    python -m tests.benchmarks.label_efficiency.run --system si --seeds 5

A run begins with eight labelled crystals. In each round the model is fitted to all labels, judges
every frame of the pool that has none, and the rule has some of them labelled. The model of each
round is tested on frames of trajectories that nothing was chosen from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np

from pwact.query.diverse import DiversePick, TopPick
from pwact.query.picks import Pick
from pwact.query.scales import ABSOLUTE, RELATIVE
from pwact.query.variance import VariancePick
from tests.benchmarks.label_efficiency.learners import (
    Committee,
    Kpu,
    Learner,
    Squares,
)
from tests.benchmarks.label_efficiency.networks import NetworkCommittee, OneNetwork
from tests.benchmarks.label_efficiency.pools import Frames, pool, settings_of
from tests.benchmarks.label_efficiency.rounds import Key, Row, write
from tests.benchmarks.label_efficiency.rules import Driven, InWindow, Picked, Random, Rule, State
from tests.benchmarks.label_efficiency.systems import SYSTEMS
from tests.benchmarks.label_efficiency.table import table

TIMES = (1.3, 2.0)  # targets, of what the model reaches with all frames of the balanced pool
QUANTILE = 0.95
LEARNERS: dict[str, Any] = {
    "kpu": Kpu,
    "committee": Committee,
    "torchnep-kpu": OneNetwork,
    "torchnep-committee": NetworkCommittee,
}
OF_ALL = ("kpu", "committee")  # those that need no more than LAMMPS
WINDOWS = {  # of PWact's rule: lower limits, and upper ones as multiples of the lower
    "committee": ((0.01, 0.03, 0.1, 0.3, 1.0), (3.0, 10.0, np.inf)),
    "kpu": ((1.1, 1.5, 3.0, 8.0, 30.0), (3.0, 20.0, np.inf)),
    "torchnep-committee": ((0.03, 0.1, 0.3), (np.inf,)),
    "torchnep-kpu": ((1.1, 2.0, 5.0), (np.inf,)),
}
UNTUNED = {name: (5.0, 10.0) if made.relative else (0.05, 0.15) for name, made in LEARNERS.items()}
OWN = {name: ("variance",) if made.relative else ("diverse",) for name, made in LEARNERS.items()}
PICKS: dict[str, Callable[[], Pick]] = {
    "variance": VariancePick,
    "diverse": DiversePick,
    "top": TopPick,
}


def rules(learner: str, target: float) -> Iterator[tuple[str, Rule, bool]]:
    """Name, rule, and whether it depends on the target."""
    yield "random", Random(), False
    relative = LEARNERS[learner].relative
    yield "untuned window", InWindow(*_limits(*UNTUNED[learner], relative)), False
    for lower in WINDOWS[learner][0]:
        for ratio in WINDOWS[learner][1]:
            upper = ratio if relative else lower * ratio
            yield f"window {lower:g} {upper:g}", InWindow(lower, upper, relative), False
    yield "top of all", Picked(TopPick()), False
    yield "farthest of all", Picked(DiversePick(), alike=True), False
    scales = RELATIVE if relative else ABSOLUTE
    for pick in OWN[learner]:
        yield f"target, {pick}", Driven(target, PICKS[pick](), scales), True


def _limits(lower: float, upper: float, relative: bool) -> tuple[float, float, bool]:
    return lower, upper, relative


class Bench:
    """A pool with its learner, for any number of runs."""

    def __init__(
        self, name: str, balanced: bool, seed: int, cache: Optional[Path], part: int
    ) -> None:
        self.pool = pool(name, balanced, seed, cache, part)
        self.settings = settings_of(SYSTEMS[name])
        self.frames = joined(self.pool.start, self.pool.offered)

    def learner(self, name: str) -> Learner:
        """A learner on these frames."""
        made: Learner = LEARNERS[name](self.frames, self.squares)
        return made

    @cached_property
    def squares(self) -> Squares:
        """The sums of each frame, which all fits share."""
        return Squares(self.frames, self.settings)


@lru_cache(maxsize=2)
def opened(name: str, balanced: bool, seed: int, cache: Optional[Path], part: int) -> Bench:
    """A pool, kept as long as the next two."""
    return Bench(name, balanced, seed, cache, part)


def joined(first: Frames, second: Frames) -> Frames:
    """Both, one after the other; kinds of the first are told apart by −1."""
    return Frames(
        np.concatenate([first.matrices, second.matrices]),
        np.concatenate([first.truths, second.truths]),
        np.concatenate([np.full(len(first), -1), second.kinds]),
        [*first.atoms, *second.atoms],
    )


@lru_cache(maxsize=4)
def floor_of(name: str, learner: str, seed: int, cache: Optional[Path]) -> float:
    """Error below which 95 % of the test frames are with all frames of the balanced pool, eV/Å.

    `learner` fits them.
    """
    bench = opened(name, True, seed, cache, LEARNERS[learner].part)
    rng = np.random.default_rng([11, seed])
    fit = bench.learner(learner).fit(range(len(bench.frames)), rng)
    errors = bench.pool.test.errors(fit.forces(bench.pool.test))
    return float(np.quantile(errors, QUANTILE))


def run(
    bench: Bench, learner: Learner, rule: Rule, seed: int, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """A run: errors of the test frames in each round, eV/Å, and what the rule said.

    `size` are the rounds, and the labels of each.
    """
    frames, start = bench.frames, len(bench.pool.start)
    rng = np.random.default_rng([7, seed])
    labelled = np.arange(start)
    for number in range(size[0] + 1):
        begun = time.process_time()
        fit = learner.fit(labelled.tolist(), rng)
        test = bench.pool.test.errors(fit.forces(bench.pool.test))
        fresh = np.setdiff1d(np.arange(start, len(frames)), labelled)
        if number == size[0] or rule.ended:
            left = {"round": number, "labels": len(labelled), "fresh": len(fresh)}
            yield test, {**left, "ended": rule.ended}
            return
        errors = frames.errors(fit.forces(frames))
        state = State(frames, fit, errors, labelled, fresh, size[1], rng)
        choice = rule.choose(state)
        rule.learn(state, choice)
        target = getattr(rule, "target", np.nan)
        yield (
            test,
            {
                "round": number,
                "labels": len(labelled),
                "fresh": len(fresh),
                "accepted": len(choice.accepted),
                "right": int(np.sum(errors[choice.accepted] < target)),
                "floor": bool(getattr(rule, "floor", "")),
                "seconds": time.process_time() - begun,
            },
        )
        labelled = np.concatenate([labelled, choice.labelled])


def rows_of(
    name: str,
    balanced: bool,
    learner_name: str,
    seed: int,
    wanted: Sequence[str],
    cache: Optional[Path],
) -> list[Row]:
    """All rounds of all rules on one pool."""
    learner_kind = LEARNERS[learner_name]
    floor = floor_of(name, learner_kind.whole, seed, cache)
    bench = opened(name, balanced, seed, cache, learner_kind.part)
    learner = bench.learner(learner_name)
    made = []
    for times in TIMES:
        for rule_name, rule, aimed in rules(learner_name, times * floor):
            if (times != TIMES[0] and not aimed) or not _asked(rule_name, wanted):
                continue
            said = list(run(bench, learner, rule, seed, (learner.rounds, learner.batch)))
            for each in (times,) if aimed else TIMES:
                pool_name = "balanced" if balanced else "imbalanced"
                key = Key(name, pool_name, learner_name, rule_name, seed, each)
                made += [row_of(bench, key, each * floor, *one) for one in said]
    return made


def row_of(
    bench: Bench, key: Key, target: float, errors: np.ndarray, said: Mapping[str, Any]
) -> Row:
    """A round as `run` gives it; `target` in eV/Å."""
    absent = {"accepted": 0, "right": 0, "floor": False, "seconds": 0.0, "ended": False}
    judged = {
        "target": target,
        "rmse": bench.pool.rmse(errors),
        "mixed": bench.pool.mixed_rmse(errors),
        "share": bench.pool.share_below(errors, target),
        "even": float(np.mean(errors < target)),
    }
    return Row(**asdict(key), **judged, **{**absent, **said})


def _asked(rule: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(rule.startswith(one) for one in wanted)


def main() -> None:
    """Run what is asked for, write every round to a file, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--system", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--pool", nargs="*", default=["balanced", "imbalanced"])
    parser.add_argument("--learner", nargs="*", default=list(OF_ALL), choices=list(LEARNERS))
    parser.add_argument("--rule", nargs="*", default=[], help="beginnings of names")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="folder that keeps the pools")
    parser.add_argument("--out", type=Path, help="file for every round, csv; rows are added")
    asked = parser.parse_args()
    tasks = [
        (name, which == "balanced", learner, seed, asked.rule, asked.cache)
        for name in asked.system
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds)
        for which in asked.pool
        for learner in asked.learner
    ]
    rows: list[Row] = []
    with ProcessPoolExecutor(asked.processes) as processes:
        for made in processes.map(_task, tasks):
            rows += made
            if asked.out:
                write(asked.out, made)
    print(table(rows))


def _task(task: tuple[str, bool, str, int, Sequence[str], Optional[Path]]) -> list[Row]:
    return rows_of(*task)


if __name__ == "__main__":
    main()
