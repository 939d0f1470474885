"""From the rounds of many runs to the tables of docs/benchmarks.md.

python -m tests.benchmarks.label_efficiency.table ROUNDS.csv … [--csv SUMMARY.csv]
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks.label_efficiency.rounds import BATCH, ROUNDS, Row, read

ENOUGH = 0.95  # share of the frames below the target that counts as reached
EARLY = 0.90 - 1e-9  # stopped too early below this true share, which is a sum of weights
ORACLE = "tuned window"
OWN = "target, "
Runs = Mapping[int, Sequence[Row]]  # by seed, in the order of the rounds


@dataclass(frozen=True)
class Summary:
    """All seeds of a rule on a pool: medians, and quartiles where there are three numbers.

    Attributes
    ----------
    to_target
        Labels until 95 % of the test frames are below the target, each kind counting the same; inf
        if never.
    labels
        At the end.
    to_oracle, to_random, mixed_to_oracle
        Error over that of the tuned window, or of random choice, with as many labels as the rule
        had at its end; the last one in the mix of the pool.
    coverage
        Share of the accepted frames with an error below the target, over all rounds.
    accepted
        Share of the fresh frames that were accepted, over all rounds.
    ended, early, late
        Runs that came to an end; those of them with a true share below 0.90; rounds between the
        one in which the true share came to 0.95 for good and the end, median.
    window
        Limits, of the tuned window.
    """

    system: str
    pool: str
    learner: str
    times: float
    target: float
    rule: str
    seeds: int
    to_target: tuple[float, float, float]
    labels: tuple[float, float, float]
    rmse: tuple[float, float, float]
    to_oracle: tuple[float, float, float]
    to_random: tuple[float, float, float]
    mixed_to_oracle: tuple[float, float, float]
    coverage: float
    accepted: float
    ended: int
    early: int
    late: float
    floor: int
    seconds: float
    window: str = ""


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, lower and upper quartile; numbers that are there (never a mean with infinity)."""
    ordered = sorted(values)
    places = [round(part * (len(ordered) - 1)) for part in (0.5, 0.25, 0.75)]
    median, low, high = (float(ordered[place]) for place in places)
    return median, low, high


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """One of each rule, pool and target; of PWact's windows the untuned and the best one."""
    groups: dict[tuple[str, str, str, float], dict[str, dict[int, list[Row]]]] = defaultdict(dict)
    for row in rows:
        rules = groups[row.system, row.pool, row.learner, row.times]
        rules.setdefault(row.rule, defaultdict(list))[row.seed].append(row)
    made = []
    for rules in groups.values():
        windows = {name: runs for name, runs in rules.items() if name.startswith("window")}
        best = min(windows, key=lambda name: _badness(windows[name]), default="")
        oracle = windows.get(best, {})
        random = rules.get("random", {})
        for name, runs in rules.items():
            if name == best:
                made.append(_summary(ORACLE, runs, oracle, random, name.partition(" ")[2]))
            elif name not in windows:
                made.append(_summary(name, runs, oracle, random, ""))
    return made


def _badness(runs: Runs) -> float:
    """Median over the seeds of the mean logarithm of the error, over numbers of labels."""
    grid = np.arange(8, 8 + BATCH * ROUNDS + 1, BATCH)
    means = [np.mean([np.log(_at(run, count, "rmse")) for count in grid]) for run in runs.values()]
    return float(np.median(means))


def _at(run: Sequence[Row], labels: float, what: str) -> float:
    """The error with at most so many labels."""
    known = [row for row in run if row.labels <= labels]
    return float(getattr(known[-1], what))


def _summary(rule: str, runs: Runs, oracle: Runs, random: Runs, window: str) -> Summary:
    ends = {seed: run[-1] for seed, run in runs.items()}
    every = [row for run in runs.values() for row in run]
    accepted = sum(row.accepted for row in every)
    fresh = sum(row.fresh for run in runs.values() for row in run[:-1])
    ended = [seed for seed, end in ends.items() if end.ended]
    first = every[0]
    return Summary(
        first.system,
        first.pool,
        first.learner,
        first.times,
        float(np.median([end.target for end in ends.values()])),
        rule,
        len(runs),
        quartiles([_reached(run) for run in runs.values()]),
        quartiles([end.labels for end in ends.values()]),
        quartiles([end.rmse for end in ends.values()]),
        _against(ends, oracle, "rmse"),
        _against(ends, random, "rmse"),
        _against(ends, oracle, "mixed"),
        sum(row.right for row in every) / accepted if accepted else float("nan"),
        accepted / fresh if fresh else 0.0,
        len(ended),
        sum(ends[seed].share < EARLY for seed in ended),
        float(np.median([_late(runs[seed]) for seed in ended])) if ended else float("nan"),
        sum(any(row.floor for row in run) for run in runs.values()),
        sum(row.seconds for row in every) / len(runs),
        window,
    )


def _reached(run: Sequence[Row]) -> float:
    return next((float(row.labels) for row in run if row.even >= ENOUGH), float("inf"))


def _late(run: Sequence[Row]) -> float:
    """Rounds that were labelled though the true share had come to 0.95 and stayed there."""
    count = 0
    for row in reversed(run):
        if row.share < ENOUGH:
            break
        count += 1
    return max(count - 1, 0)


def _against(ends: Mapping[int, Row], others: Runs, what: str) -> tuple[float, float, float]:
    ratios = [
        getattr(end, what) / _at(others[seed], end.labels, what)
        for seed, end in ends.items()
        if seed in others
    ]
    return quartiles(ratios) if ratios else (float("nan"),) * 3


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line for each summary."""
    head = (
        "pool",
        "model",
        "target (eV/Å)",
        "rule",
        "labels to the target",
        "labels at the end",
        "error / tuned window",
        "error / random",
        "coverage",
        "accepted",
        "ended, too early, rounds too late",
        "CPU (s)",
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for one in summaries(rows):
        own = one.rule.startswith(OWN)
        cells = [
            f"{one.system}, {one.pool}",
            one.learner,
            f"{one.target:.3g} ({one.times:g}×)",
            one.rule + (f" ({one.window})" if one.window else ""),
            _counts(one.to_target),
            _counts(one.labels),
            _ratios(one.to_oracle),
            _ratios(one.to_random),
            f"{one.coverage:.3f}" if own else "",
            f"{one.accepted:.2f}" if own else "",
            f"{one.ended} of {one.seeds}, {one.early}, {one.late:.0f}" if own else "",
            f"{one.seconds:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _counts(numbers: Sequence[float]) -> str:
    median, low, high = (f"{value:.0f}" if np.isfinite(value) else "never" for value in numbers)
    return median if median == low == high else f"{median} ({low}–{high})"


def _ratios(numbers: Sequence[float]) -> str:
    median, low, high = (f"{value:.2f}" for value in numbers)
    return f"{median} ({low}–{high})"


def verdict(rows: Sequence[Row]) -> str:
    """What the pools say together of each of the loop's own rules, in lines."""
    made = summaries(rows)
    lines = []
    for rule in sorted({(one.learner, one.rule) for one in made if one.rule.startswith(OWN)}):
        own = [one for one in made if (one.learner, one.rule) == rule]
        lines += [f"{rule[0]}, {rule[1]}:", *_verdict(own, made)]
    return "\n".join(lines)


def _verdict(own: Sequence[Summary], made: Sequence[Summary]) -> list[str]:
    def other(one: Summary, rule: str) -> Summary:
        place = (one.system, one.pool, one.learner, one.times, rule)
        (found,) = [
            two for two in made if (two.system, two.pool, two.learner, two.times, two.rule) == place
        ]
        return found

    coverage = [one.coverage for one in own if np.isfinite(one.coverage)] or [float("nan")]
    worst = max(own, key=lambda one: one.to_oracle[0])
    ended = sum(one.ended for one in own)
    over = np.median([one.to_oracle[0] for one in own])
    lines = [
        f"  coverage {np.mean(coverage):.3f}, worst pool {min(coverage):.3f}",
        f"  error over that of the tuned window: {over:.2f},"
        f" worst pool {worst.to_oracle[0]:.2f} ({worst.system}, {worst.pool}, {worst.times:g}×)",
        f"  ended {ended} of {sum(one.seeds for one in own)}, "
        f"too early {sum(one.early for one in own)}",
    ]
    for pool in ("balanced", "imbalanced"):
        for rule in ("random", "untuned window", ORACLE):
            ratios = [
                one.to_target[0] / other(one, rule).to_target[0]
                for one in own
                if one.pool == pool and np.isfinite(one.to_target[0])
            ]
            never = sum(one.pool == pool and not np.isfinite(one.to_target[0]) for one in own)
            if ratios:
                lines.append(
                    f"  labels to the target, {pool}, over {rule}: median {np.median(ratios):.2f} "
                    f"of {len(ratios)} pools; not reached on {never}"
                )
    return lines


def write(path: Path, made: Sequence[Summary]) -> None:
    """Write summaries to a csv file; numbers of a triple are median, lower and upper quartile."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(asdict(made[0]))
        for one in made:
            writer.writerow(_text(value) for value in asdict(one).values())


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(_text(part) for part in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print the table and the verdict of files of rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="+", type=Path)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--without", nargs="*", default=[], help="systems that are left out")
    asked = parser.parse_args()
    rows = [row for row in read(asked.rounds) if row.system not in asked.without]
    print(table(rows))
    print(verdict(rows))
    if asked.csv:
        write(asked.csv, summaries(rows))


if __name__ == "__main__":
    main()
