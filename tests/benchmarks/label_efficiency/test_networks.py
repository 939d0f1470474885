"""Networks as learners of the benchmark: they train, and judge as they should."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from tests.benchmarks.label_efficiency import networks, pools, run
from tests.requirements import need_module

pytestmark = pytest.mark.torch
LABELLED = list(range(8))


def frames(count: int, seed: int) -> pools.Frames:
    """Cells of copper, of two kinds: those of the second one are three times as far out."""
    rng, atoms, truths = np.random.default_rng(seed), [], []
    kinds = np.arange(count) % 2
    for kind in kinds:
        made = bulk("Cu", "fcc", a=3.61, cubic=True).repeat((2, 1, 1))
        made.positions += rng.normal(0, 0.08 * (1 + 2 * kind), (8, 3))
        atoms.append(made.copy())
        made.calc = EMT()
        truths.append([made.get_potential_energy(), *made.get_forces().ravel()])
    return pools.Frames(np.zeros((count, 25, 1)), np.array(truths), kinds, atoms)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    need_module("torchnep")
    monkeypatch.setattr(networks, "STEPS", 6)


@pytest.mark.parametrize("name", ["torchnep-kpu", "torchnep-committee"])
def test_every_kind_of_rule_runs(name: str) -> None:
    place = run.Bench.__new__(run.Bench)
    place.pool = pools.Pool(frames(8, 1), frames(12, 2), frames(4, 3), np.array([0.5, 0.5]))
    place.frames = run.joined(place.pool.start, place.pool.offered)
    learner = run.LEARNERS[name](place.frames, None)
    seen: list[str] = []
    for rule_name, rule, _ in run.rules(name, 0.2):
        kind = rule_name.partition(" ")[0]
        if kind in (*seen, "untuned", "farthest"):
            continue
        seen.append(kind)
        said = list(run.run(place, learner, rule, 0, (1, 6)))
        begun, ended = (one["labels"] for _, one in said)
        assert begun == 8
        assert ended == 14 or (kind in ("window", "target,") and 8 <= ended < 14)
        assert all(errors.shape == (4,) and np.all(errors > 0) for errors, _ in said)
    assert seen == ["random", "window", "top", "target,"]


def test_the_uncertainty_of_one_network() -> None:
    some = frames(20, 1)
    judged = networks.OneNetwork(some).fit(LABELLED, np.random.default_rng(0))
    assert judged.uncertainty == pytest.approx(np.sqrt(judged.window))
    made = judged.features(some, 17)
    assert np.square(made).sum() == pytest.approx(judged.window[17])
    far = judged.uncertainty[8:]
    assert far[1::2].mean() > far[::2].mean()


def test_the_uncertainty_of_a_committee() -> None:
    some = frames(12, 1)
    learner = networks.NetworkCommittee(some)
    judged = learner.fit(LABELLED, np.random.default_rng(0))
    members = learner.fit(LABELLED, np.random.default_rng(0))
    forces = np.array([networks.forces_of(members._trained(one), some) for one in range(3)])
    variance = forces.reshape(3, 12, 8, 3).var(axis=0).sum(axis=2)
    assert judged.uncertainty == pytest.approx(np.sqrt(variance.mean(axis=1)))
    assert judged.window == pytest.approx(np.sqrt(variance.max(axis=1)))
    assert judged.forces(some) == pytest.approx(forces[0])


def test_a_network_learns_its_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    some = frames(12, 1)
    monkeypatch.setattr(networks, "STEPS", 60)
    judged = networks.OneNetwork(some).fit(LABELLED, np.random.default_rng(0))
    errors = some.errors(judged.forces(some.of(np.arange(12))))
    zero = some.errors(np.zeros((12, 24)))
    assert errors[LABELLED].mean() < 0.4 * zero[LABELLED].mean()
