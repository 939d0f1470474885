"""Farthest points in our descriptor of a structure against those in POD's, at equal labels.

Eight crystals have labels; in each of eight rounds a rule has five frames of an imbalanced pool
labelled, and ML-POD is fitted to all labels. What counts is the force error on test frames of all
kinds.

    PYTHONPATH=. python tests/benchmarks/descriptor.py --systems cu surface --cache /tmp/pools
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pwact.query.descriptor import describe
from pwact.query.diverse import farthest_points
from pwact.query.pick import pick_random
from tests.benchmarks.label_efficiency.learners import Kpu, Squares
from tests.benchmarks.label_efficiency.pools import Frames, Pool, pool, settings_of
from tests.benchmarks.label_efficiency.systems import SYSTEMS

ROUNDS, BATCH, SHOWN = 8, 5, (1, 2, 4, 8)
RULES = ("random", "top", "farthest, ours", "farthest, POD")


def joined(parts: Pool) -> Frames:
    """The frames of the start, then those that are offered."""
    both = parts.start, parts.offered
    arrays = (
        np.concatenate([getattr(one, name) for one in both])
        for name in ("matrices", "truths", "kinds")
    )
    return Frames(*arrays, parts.start.atoms + parts.offered.atoms)


def descriptors(frames: Frames) -> dict[str, np.ndarray]:
    """Of each frame ours, and POD's: the descriptors of the energy per atom."""
    elements = sorted({int(number) for atoms in frames.atoms for number in atoms.numbers})
    ours = np.array([describe(atoms, elements) for atoms in frames.atoms])
    counts = np.array([len(atoms) for atoms in frames.atoms])
    return {"farthest, ours": ours, "farthest, POD": frames.matrices[:, 0] / counts[:, None]}


def errors(name: str, seed: int, cache: Path) -> dict[str, list[float]]:
    """Rule → force error (eV/Å) after each round of `SHOWN`."""
    parts = pool(name, False, seed, cache)
    frames = joined(parts)
    learner = Kpu(frames, Squares(frames, settings_of(SYSTEMS[name])))
    points = descriptors(frames)
    found: dict[str, list[float]] = {}
    for rule in RULES:
        rng = np.random.default_rng(seed)
        labelled = np.arange(len(parts.start))
        found[rule] = []
        for number in range(ROUNDS + 1):
            fit = learner.fit(labelled.tolist(), rng)
            if number in SHOWN:
                found[rule].append(parts.rmse(parts.test.errors(fit.forces(parts.test))))
            fresh = np.setdiff1d(np.arange(len(frames)), labelled)
            values = fit.uncertainty[fresh]
            if rule == "random":
                chosen = pick_random(len(fresh), BATCH, rng)
            elif rule == "top":
                chosen = np.argsort(-values, kind="stable")[:BATCH]
            else:
                table = points[rule]
                alike = np.ones(len(fresh))  # distances alone are compared
                chosen = farthest_points(table[fresh], table[labelled], BATCH, alike)
            labelled = np.append(labelled, fresh[chosen])
    return found


def report(name: str, results: Sequence[dict[str, list[float]]]) -> None:
    """Medians over the seeds."""
    for rule in RULES:
        medians = np.median([one[rule] for one in results], axis=0)
        print(f"{name:10} {rule:16}", *(f"{value:8.4f}" for value in medians), flush=True)


def main() -> None:
    """Print a line a system and rule."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="+", default=["cu", "surface"], choices=SYSTEMS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=Path("pools"))
    wanted = parser.parse_args()
    print("force error (eV/Å) after", ", ".join(f"{BATCH * n}" for n in SHOWN), "labels")
    for name in wanted.systems:
        report(name, [errors(name, seed, wanted.cache) for seed in range(wanted.seeds)])


if __name__ == "__main__":
    main()
