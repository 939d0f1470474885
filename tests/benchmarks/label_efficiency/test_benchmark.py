"""The benchmark of label efficiency runs; its figures are made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.morse import MorsePotential

from pwact.config.train_keys import defaults
from pwact.engines.pod import fit as pod_fit
from pwact.formats.labels import labels_of
from tests.benchmarks.label_efficiency import pools, rounds, run, table
from tests.benchmarks.label_efficiency.learners import Committee, Kpu, Squares
from tests.benchmarks.label_efficiency.rules import Random
from tests.benchmarks.label_efficiency.systems import SYSTEMS
from tests.benchmarks.label_efficiency.teachers import AseTeacher, Motion, Relabelled
from tests.requirements import need_program

ATOMS, SIZE = 4, 6
TARGET = 0.2  # eV/Å, four times the noise of the labels


def frames(count: int, seed: int) -> pools.Frames:
    """Frames of a linear model with noise; those of the second kind are three times as far out."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(count) % 2
    matrices = rng.normal(0, 1, (count, 1 + 3 * ATOMS, SIZE)) * (1 + 2 * kinds)[:, None, None]
    truths = matrices @ np.arange(1, SIZE + 1) + rng.normal(0, 0.05, (count, 1 + 3 * ATOMS))
    atoms = []
    for _ in range(count):
        made = bulk("Cu", "fcc", a=3.61, cubic=True)
        made.positions += rng.normal(0, 0.2, (ATOMS, 3))
        atoms.append(made)
    return pools.Frames(matrices, truths, kinds, atoms)


def bench() -> run.Bench:
    made = run.Bench.__new__(run.Bench)
    made.pool = pools.Pool(frames(8, 1), frames(40, 2), frames(20, 3), np.array([0.5, 0.5]))
    made.settings = defaults("pod")
    made.frames = run.joined(made.pool.start, made.pool.offered)
    return made


def test_sums_of_frames_are_those_of_their_rows() -> None:
    some, settings = frames(6, 0), defaults("pod")
    weights = pod_fit.Weights(settings["fitting_weight_energy"], settings["fitting_weight_force"])
    rows = pod_fit.LeastSquares(SIZE, settings["p0_weight"], 1.0)
    for index in (0, 3, 3):
        factors = weights.of(1 + 3 * ATOMS)
        rows.add(some.matrices[index] * factors, some.truths[index] * factors[:, 0])
    sums = Squares(some, settings).sums([0, 3, 3])
    assert np.allclose(sums.coefficients(1e-10), rows.coefficients(1e-10))
    assert np.allclose(sums.factor(), rows.factor())


def test_uncertainties_are_those_of_the_rows() -> None:
    some, rng = frames(12, 0), np.random.default_rng(1)
    fit = Kpu(some, Squares(some, defaults("pod"))).fit(range(8), rng)
    assert fit.factor is not None
    seen = some.matrices[9, 1:] @ fit.factor.T
    assert np.isclose(fit.uncertainty[9] ** 2, np.mean(np.sum(seen**2, axis=1)))
    committee = Committee(some, Squares(some, defaults("pod")))
    judged = committee.fit(range(8), np.random.default_rng(1))
    assert np.all(judged.window >= judged.uncertainty)
    assert np.all(judged.uncertainty > 0)


@pytest.mark.parametrize("learner", ["kpu", "committee"])
def test_every_rule_runs_and_the_table_has_a_line_of_it(learner: str) -> None:
    place, rows = bench(), []
    for name, rule, _ in run.rules(learner, TARGET):
        said = list(run.run(place, place.learner(learner), rule, 0, (2, 3)))
        labels = [one["labels"] for _, one in said]
        assert labels[0] == 8
        assert all(before <= after <= before + 3 for before, after in zip(labels, labels[1:]))
        rows += [run.row_of(place, _key(learner, name), TARGET, *one) for one in said]
    made = {one.rule: one for one in table.summaries(rows)}
    own = {f"{table.OWN}{pick}" for pick in run.OWN[learner]}
    assert {"random", "untuned window", table.ORACLE} | own <= set(made)
    assert made["random"].to_random == (1.0, 1.0, 1.0)
    assert made["random"].labels[0] == 14
    assert all(f"| {name}" in table.table(rows) for name in made)
    aimed = [made[name] for name in own]
    assert all(one.coverage > 0.8 for one in aimed if one.accepted)
    assert learner == "committee" or all(one.accepted > 0.2 for one in aimed)
    assert "coverage" in table.verdict(rows)


def test_frames_of_one_potential_get_the_labels_of_another(tmp_path: Path) -> None:
    atoms = bulk("Cu", "fcc", a=3.61, cubic=True)
    mover, motion = AseTeacher(EMT), Motion(300, 2, every=2)
    teacher = Relabelled(mover, AseTeacher(lambda: MorsePotential(rcut1=5.0, rcut2=6.0, r0=2.6)))
    moved = mover.trajectory(atoms, motion, np.random.default_rng(1), tmp_path)
    made = teacher.trajectory(atoms, motion, np.random.default_rng(1), tmp_path)
    for before, after in zip(moved, made):
        assert np.array_equal(after.positions, before.positions)
        bare = before.copy()
        bare.calc = MorsePotential(rcut1=5.0, rcut2=6.0, r0=2.6)
        assert labels_of(after).forces == pytest.approx(bare.get_forces())
        assert labels_of(after).energy == pytest.approx(bare.get_potential_energy())
        assert np.abs(labels_of(after).forces - labels_of(before).forces).max() > 0.01


def _key(learner: str, rule: str) -> rounds.Key:
    return rounds.Key("toy", "balanced", learner, rule, 0, 2.0)


@pytest.mark.parametrize(("right", "early"), [(108, 0), (107, 1)])
def test_a_share_of_nine_tenths_is_not_too_early(right: int, early: int) -> None:
    """As `Pool.share_below` sums it, 108 of 120 frames are a little less than 0.9."""
    place = bench()
    said = next(run.run(place, place.learner("kpu"), Random(), 0, (1, 2)))
    share = float(np.sum(np.full(120, 1 / 120) * (np.arange(120) < right)))
    name = f"{table.OWN}variance"
    row = replace(run.row_of(place, _key("kpu", name), TARGET, *said), share=share, ended=True)
    others = [replace(row, rule=rule, ended=False) for rule in ("random", "window 1.1 3")]
    made = {one.rule: one for one in table.summaries([row, *others])}
    assert made[name].early == early


def test_rounds_are_read_as_they_were_written(tmp_path: Path) -> None:
    place = bench()
    said = run.run(place, place.learner("kpu"), Random(), 0, (1, 2))
    rows = [run.row_of(place, _key("kpu", "random"), 0.06, *one) for one in said]
    for row in rows:
        rounds.write(tmp_path / "rounds.csv", [row])
    assert rounds.read([tmp_path / "rounds.csv"]) == rows


@pytest.mark.slow
def test_a_pool_is_made_by_lammps(tmp_path: Path) -> None:
    need_program("lmp")
    system = SYSTEMS["si"]
    arrays = pools.make(system, 0, tmp_path, counts=(2, 1, 1))
    assert arrays["matrices"].shape[:2] == (8 + 2 + 2 + 3 + 5, 1 + 3 * 64)
    assert sorted(set(arrays["parts"])) == [0, 1, 2]
    # a thermostat's random forces among the labels would leave a mean that is not zero
    forces = arrays["truths"][:, 1:].reshape(-1, 64, 3)
    assert np.abs(forces.sum(axis=1)).max() < 1e-6
