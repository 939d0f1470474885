"""One round of a loop with a target: what it accepts and labels, and when it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional

import numpy as np
import pytest
from ase import Atoms
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.query.batch import fresh_of, room_of
from pwact.query.calibration import LATEST, Pairs, pairs_in_force, starting_pairs
from pwact.query.diverse import DiversePick, TopPick
from pwact.query.driving import (
    Decision,
    Round,
    at_floor,
    decide,
    hindsight,
    latest_controls,
    reached,
    spread_of,
)
from pwact.query.duplicates import Known
from pwact.query.picks import RANDOM, Pick, Pool, RandomPick
from pwact.query.variance import VariancePick
from tests.query.made_pools import MadeFrames, permuted
from tests.query.made_pools import pool_of as made_pool

TARGET = 0.1
NAN = float("nan")


def pool_of(values: np.ndarray, limit: Optional[int] = 10, seed: int = 0, name: str = "a") -> Pool:
    count = len(values)
    names = np.array([f"{name}/{n % 3}" for n in range(count)], dtype=object)
    rng = np.random.default_rng(seed)
    return Pool(np.asarray(values, dtype=float), np.arange(count), names, limit, rng)


def line_pairs(count: int = 20, seed: int = 0) -> Pairs:
    """Errors of twice the uncertainty."""
    rng = np.random.default_rng(seed)
    uncertainty = np.exp(rng.normal(-3.0, 0.8, count))
    return Pairs(uncertainty, 2.0 * uncertainty * np.exp(rng.normal(0.0, 0.2, count)))


def decided(*pools: Pool, physical: Optional[Sequence[np.ndarray]] = None) -> Decision:
    masks = physical or [np.ones(len(pool.values), dtype=bool) for pool in pools]
    return decide(pools, masks, line_pairs(), TARGET, RANDOM)


def good(share: float = 0.96, controls: Sequence[float] = (0.05, 0.06)) -> Round:
    return Round(1000, round(1000 * share), 0.03, 0.05, tuple(controls))


class TestDecision:
    def test_small_uncertainties_are_accepted_and_large_ones_labelled(self) -> None:
        values = np.geomspace(0.005, 0.5, 200)
        made = decided(pool_of(values))
        assert made.limit in values.tolist()
        assert 0.015 < made.limit < 0.06
        assert made.accepted[0].tolist() == (values <= made.limit).tolist()
        assert made.pairs == LATEST
        assert 0.9 <= made.expected <= 1.0
        assert len(made.controls[0]) == 2
        above = np.count_nonzero(~made.accepted[0])
        assert 50 < above < 150
        assert len(made.chosen[0]) == np.ceil(8 * above / 200)  # of eight, the part above the limit
        assert values[made.chosen[0]].min() > made.limit
        assert not set(made.chosen[0].tolist()) & set(made.controls[0].tolist())
        assert made.rule == "randomly"

    def test_controls_are_drawn_of_accepted_frames_too(self) -> None:
        values = np.full(50, 0.01)
        made = decided(pool_of(values))
        assert made.accepted[0].all()
        assert len(made.controls[0]) == 2
        assert len(made.chosen[0]) == 0

    def test_all_systems_share_one_limit(self) -> None:
        easy, hard = np.full(90, 0.01), np.geomspace(0.03, 0.05, 10)
        alone, both = decided(pool_of(hard)), decided(pool_of(easy), pool_of(hard, name="b"))
        assert alone.limit < both.limit
        assert [len(one) for one in both.chosen] == [0, int(np.sum(hard > both.limit))]

    def test_what_is_not_physical_is_neither_accepted_nor_labelled(self) -> None:
        values = np.geomspace(0.005, 0.5, 40)
        physical = np.arange(40) % 2 == 0
        made = decided(pool_of(values, None), physical=[physical])
        labelled = np.concatenate([made.controls[0], made.chosen[0]])
        assert not made.accepted[0][~physical].any()
        assert physical[labelled].all()
        assert len(labelled) == np.sum(physical & ~made.accepted[0]) + np.sum(
            made.accepted[0][made.controls[0]]
        )

    @pytest.mark.parametrize("value", [0.0, NAN, np.inf, -1.0])
    def test_a_frame_without_an_uncertainty_is_a_candidate(self, value: float) -> None:
        values = np.array([0.01] * 10 + [value])
        made = decided(pool_of(values, None))
        assert made.accepted[0].tolist() == [True] * 10 + [False]
        assert 10 in np.concatenate([made.chosen[0], made.controls[0]])

    def test_without_pairs_nothing_is_accepted(self) -> None:
        pools = [pool_of(np.geomspace(0.005, 0.5, 30))]
        few = Pairs(np.full(4, 0.01), np.full(4, 0.001))
        made = decide(pools, [np.ones(30, dtype=bool)], few, TARGET, RANDOM)
        assert (made.limit, made.pairs) == (None, 0)
        assert np.isnan(made.expected)
        assert not made.accepted[0].any()
        assert len(made.chosen[0]) + len(made.controls[0]) == 10

    def test_the_order_of_the_frames_does_not_count(self) -> None:
        values = np.random.default_rng(3).lognormal(-3.0, 1.0, 60)
        pool = pool_of(values)
        order = np.random.default_rng(4).permutation(60)
        other = Pool(
            values[order],
            pool.steps[order],
            pool.trajectories[order],
            pool.limit,
            np.random.default_rng(0),
        )
        one, same = decided(pool), decided(other)
        assert sorted(order[same.chosen[0]].tolist()) == one.chosen[0].tolist()
        assert sorted(order[same.controls[0]].tolist()) == one.controls[0].tolist()
        assert same.accepted[0].tolist() == one.accepted[0][order].tolist()
        assert one.chosen[0].tolist() == sorted(one.chosen[0].tolist())

    def test_a_system_without_frames(self) -> None:
        made = decided(pool_of(np.empty(0)), pool_of(np.full(5, 0.01), name="b"))
        assert [len(one) for one in made.controls] == [0, 2]
        assert len(made.accepted[0]) == 0
        assert decide([], [], line_pairs(), TARGET, RandomPick()).limit is None

    def test_a_limit_of_one_label_is_a_control(self) -> None:
        made = decided(pool_of(np.geomspace(0.005, 0.5, 30), 1))
        assert (len(made.controls[0]), len(made.chosen[0])) == (1, 0)
        assert len(decided(pool_of(np.geomspace(0.005, 0.5, 30), 0)).controls[0]) == 0


class TestReached:
    def test_two_rounds_in_a_row(self) -> None:
        assert reached([good(), good()], TARGET)
        assert not reached([good()] * 1, TARGET)
        assert not reached([good(controls=[0.05] * 4)] * 1, TARGET)
        assert not reached([], TARGET)

    def test_four_controls(self) -> None:
        few = good(controls=[0.05])
        assert not reached([few, good()], TARGET)
        assert reached([few, good(), few], TARGET)

    def test_controls_of_rounds_that_promised_less_do_not_count(self) -> None:
        assert not reached([good(0.5), good(controls=[0.05]), good()], TARGET)
        assert reached([good(0.5, controls=[5.0]), good(), good()], TARGET)

    def test_labels_of_a_round_may_show_that_it_was_good(self) -> None:
        seen = replace(good(0.2), hindsight=0.95)
        assert reached([seen, good()], TARGET)
        assert reached([good(), seen], TARGET)
        assert not reached([replace(seen, hindsight=0.949), good()], TARGET)
        assert not reached([replace(seen, controls=(0.05, 5.0)), good()], TARGET)

    @pytest.mark.parametrize("place", [1, 2])
    def test_the_share_must_hold_in_both(self, place: int) -> None:
        rounds = [good(), good(), good()]
        rounds[place] = good(0.949)
        assert not reached(rounds, TARGET)
        rounds[place] = good(0.95)
        assert reached(rounds, TARGET)

    def test_earlier_rounds_may_have_had_less(self) -> None:
        assert reached([good(0.2), good(), good()], TARGET)

    @pytest.mark.parametrize("error", [0.1, 5.0, NAN])
    def test_no_control_may_be_wrong(self, error: float) -> None:
        rounds = [good(), good(controls=[0.05, error]), good(), good()]
        assert not reached(rounds, TARGET)
        assert not reached([*rounds, good()], TARGET)
        # the wrong one is no longer among the last eight
        assert reached([*rounds, good(), good()], TARGET)

    def test_rounds_without_controls_prove_nothing(self) -> None:
        assert not reached([good(controls=())] * 9, TARGET)

    def test_a_round_without_frames_proves_nothing(self) -> None:
        assert not reached([good(), good(), good(), Round(0, 0, 0.03, NAN, ())], TARGET)

    @pytest.mark.parametrize(
        ("broken", "few"),
        [({"unphysical": 53}, {"unphysical": 52}), ({"ended": 0.94}, {"ended": 0.95})],
    )
    def test_the_md_must_hold(self, broken: dict[str, float], few: dict[str, float]) -> None:
        """All frames before an MD breaks may be accepted: 1000 of 1053 are less than 95 %."""
        for whole in (good(1.0), replace(good(0.2), hindsight=1.0)):
            assert reached([good(), replace(whole, **few)], TARGET)
            assert not reached([good(), replace(whole, **broken)], TARGET)

    def test_each_system_must_have_been_explored(self) -> None:
        assert not reached([good(), replace(good(), empty=1)], TARGET)

    def test_how_the_md_went_is_no_input_of_a_selection(self) -> None:
        assert repr(replace(good(), unphysical=9, ended=0.5, empty=1)) == repr(good())

    def test_the_last_eight_controls(self) -> None:
        rounds = [good(controls=[float(n), n + 0.5]) for n in range(6)]
        assert latest_controls(rounds) == (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5)


class TestHindsight:
    """What its own labels say of a round."""

    def test_the_spread_of_all_systems(self) -> None:
        pools = [pool_of(np.arange(1.0, 31.0)), pool_of(np.arange(31.0, 61.0), name="b")]
        physical = [np.ones(30, dtype=bool), np.arange(30) < 10]
        assert spread_of(pools, physical) == tuple(np.arange(2.0, 41.0, 2.0))
        assert spread_of([pool_of(np.empty(0))], [np.empty(0, dtype=bool)]) == ()

    @pytest.mark.parametrize("value", [0.0, NAN, np.inf, -1.0])
    def test_a_frame_without_an_uncertainty_is_the_most_uncertain(self, value: float) -> None:
        values = np.r_[value, np.full(19, 0.01)]
        found = spread_of([pool_of(values)], [np.ones(20, dtype=bool)])
        assert found == (0.01,) * 19 + (None,)
        assert hindsight(found, line_pairs(), TARGET) == 0.95

    def test_its_own_labels_say_more_than_earlier_ones(self) -> None:
        values = np.random.default_rng(1).lognormal(-3.5, 0.3, 200)
        doubtful = Pairs(line_pairs().uncertainty, 3 * line_pairs().error)
        pool, mask = pool_of(values), np.ones(200, dtype=bool)
        made = decide([pool], [mask], doubtful, TARGET, RANDOM)
        assert np.mean(made.accepted[0]) < 0.5
        new = np.concatenate([made.controls[0], made.chosen[0]])
        assert hindsight(made.spread, Pairs(values[new], 1.2 * values[new]), TARGET) >= 0.95
        assert hindsight(made.spread, Pairs(values[new], 9 * values[new]), TARGET) < 0.05

    def test_too_few_labels_say_nothing(self) -> None:
        few = Pairs(np.full(4, 0.01), np.full(4, 0.001))
        assert np.isnan(hindsight((0.01,) * 20, few, TARGET))
        assert np.isnan(hindsight((), line_pairs(), TARGET))


class TestRoom:
    """The nearer a system is to its end, the fewer of its frames are labelled."""

    @pytest.mark.parametrize(
        ("limit", "above", "room"),
        [
            (10, 100, 10),
            (10, 50, 6),
            (10, 51, 7),
            (10, 20, 5),
            (10, 0, 5),
            (5, 10, 5),
            (3, 0, 3),
            (40, 50, 21),
            (0, 50, 0),
            (None, 1, 100),
        ],
    )
    def test_controls_and_the_part_above_the_limit(
        self, limit: Optional[int], above: int, room: int
    ) -> None:
        assert room_of(limit, 100, above) == room

    @pytest.mark.parametrize(("limit", "room"), [(10, 5), (3, 3), (None, 5)])
    def test_a_condition_of_which_nothing_is_known_is_tried(
        self, limit: Optional[int], room: int
    ) -> None:
        assert room_of(limit, 100, 100, trial=True) == room
        pool, others = pool_of(np.geomspace(0.05, 0.5, 100), limit), np.full(20, True)
        found = []
        for elsewhere in (others, np.r_[others[:-1], False]):
            pairs = replace(line_pairs(), elsewhere=elsewhere)
            made = decide([pool], [np.ones(100, dtype=bool)], pairs, TARGET, RANDOM)
            found.append(len(made.controls[0]) + len(made.chosen[0]))
        assert found[0] == room
        assert found[1] == (100 if limit is None else limit)

    def test_where_enough_is_accepted_there_are_controls_alone(self) -> None:
        values = np.r_[np.full(96, 0.01), np.full(4, 5.0)]
        made = decided(pool_of(values))
        assert (len(made.controls[0]), len(made.chosen[0])) == (2, 0)
        small = decided(pool_of(values, 5))
        assert (len(small.controls[0]), len(small.chosen[0])) == (2, 0)
        less = decided(pool_of(np.r_[values, 5.0, 5.0]))
        assert len(less.chosen[0]) >= 3


class TestFloor:
    def test_an_error_on_the_training_data_above_the_target(self) -> None:
        reason = at_floor([Round(100, 0, 0.12, NAN, ())], TARGET)
        assert "0.12 eV/Å, more than the target of 0.1 eV/Å" in reason
        assert at_floor([Round(100, 0, 0.1, NAN, ())], TARGET) == ""
        # few frames or a poor start made it so large; more data may still bring it down
        assert at_floor([Round(100, 0, 0.12, 0.2, ()), Round(100, 0, 0.08, NAN, ())], TARGET) == ""

    def test_two_rounds_without_progress(self) -> None:
        stuck = [Round(100, 50, 0.09, 0.14, (0.15, 0.05))] * 3
        assert "1" not in at_floor(stuck[:2], TARGET)
        assert "3 of the last 6 control frames are not below 0.1 eV/Å" in at_floor(stuck, TARGET)

    @pytest.mark.parametrize("after", [(0.085, 0.14), (0.09, 0.13), (0.09, NAN)])
    def test_progress_of_either_error(self, after: tuple[float, float]) -> None:
        before = [Round(100, 50, 0.09, 0.14, (0.15, 0.05))] * 2
        assert at_floor([*before, Round(100, 50, *after, (0.15,))], TARGET) == ""

    def test_not_while_controls_are_right(self) -> None:
        assert at_floor([Round(100, 50, 0.09, 0.14, (0.05, 0.05))] * 5, TARGET) == ""

    def test_it_stays(self) -> None:
        stuck = [Round(100, 50, 0.09, 0.14, (0.15, 0.05))] * 3
        assert at_floor([*stuck, Round(100, 90, 0.02, 0.03, (0.01, 0.01))], TARGET)

    def test_no_rounds(self) -> None:
        assert at_floor([], TARGET) == ""


class TestStart:
    def test_errors_of_training_frames_count_half_as_much_again(self) -> None:
        made = starting_pairs(np.array([0.1, 0.2]), np.array([0.02, 0.04]))
        assert made.uncertainty.tolist() == [0.1, 0.2]
        assert made.error == pytest.approx([0.03, 0.06])

    def test_they_are_used_while_there_are_fewer_than_five(self) -> None:
        start = starting_pairs(np.full(9, 0.1), np.full(9, 0.02))
        values = np.full(5, 0.1)
        assert pairs_in_force(Pairs(values[:4], values[:4]), start) is start
        assert pairs_in_force(Pairs(values, np.r_[values[:4], NAN]), start) is start
        real = Pairs(values, values)
        assert pairs_in_force(real, start) is real


class TestFirstRound:
    """A model with few labels seems better than it is: its training frames are all it knows."""

    START = starting_pairs(np.linspace(0.01, 0.02, 20), np.full(20, 0.001))

    def first(self, *pools: Pool) -> Decision:
        masks = [np.ones(len(pool.values), dtype=bool) for pool in pools]
        return decide(pools, masks, self.START, TARGET, RANDOM)

    def test_nothing_more_uncertain_than_the_training_frames_is_accepted(self) -> None:
        values = np.r_[np.full(50, 0.015), np.full(50, 0.021)]
        assert self.first(pool_of(values)).accepted[0].tolist() == (values <= 0.02).tolist()
        line = Pairs(self.START.uncertainty, self.START.error)
        masks = [np.ones(100, dtype=bool)]
        later = decide([pool_of(values)], masks, line, TARGET, RANDOM)
        assert later.accepted[0].all()

    def test_five_frames_get_labels_though_all_are_accepted(self) -> None:
        made = self.first(pool_of(np.full(50, 0.015)))
        assert made.accepted[0].all()
        assert len(made.controls[0]) == 5
        assert len(made.chosen[0]) == 0
        two = self.first(
            pool_of(np.full(50, 0.015), limit=3), pool_of(np.full(50, 0.015), limit=2, name="b")
        )
        assert [len(one) for one in two.controls] == [3, 2]

    def test_no_more_than_there_is_room_for(self) -> None:
        made = self.first(pool_of(np.full(50, 0.015), limit=3))
        assert len(made.controls[0]) == 3
        assert len(self.first(pool_of(np.full(2, 0.015))).controls[0]) == 2

    def test_later_rounds_have_their_usual_controls(self) -> None:
        values = np.full(50, 0.005)
        assert decided(pool_of(values)).accepted[0].all()
        assert len(decided(pool_of(values)).controls[0]) == 2


class TestKnown:
    """Frames that nearly have a label are not labelled again."""

    def pool(self, *distances: float, limit: int = 3, value: float = 0.5) -> Pool:
        structures = {n: Atoms("Cu2", [[0, 0, 0], [0, 0, d]]) for n, d in enumerate(distances)}
        return made_pool([value] * len(distances), limit, MadeFrames(structures=structures))

    def decided(self, pool: Pool, *labelled: float, pick: Pick = RANDOM) -> Decision:
        known = Known([29], [Atoms("Cu2", [[0, 0, 0], [0, 0, d]]) for d in labelled])
        mask = np.ones(len(pool.values), dtype=bool)
        return decide([pool], [mask], line_pairs(), TARGET, pick, known)

    @pytest.mark.parametrize("pick", [RANDOM, DiversePick(), TopPick()])
    def test_others_are_chosen_in_their_place(self, pick: Pick) -> None:
        pool = self.pool(*[2.0] * 30, 2.2, 2.4, 2.2, 2.6, 2.8)
        made = self.decided(pool, 2.0, 2.6, pick=pick)
        labelled = sorted([*made.controls[0].tolist(), *made.chosen[0].tolist()])
        assert labelled in ([30, 31, 34], [31, 32, 34])

    def test_a_control_is_no_frame_that_has_a_label(self) -> None:
        pool = self.pool(*[2.0] * 30, 2.4, limit=1, value=0.001)
        made = self.decided(pool, 2.0)
        assert made.controls[0].tolist() == [30]
        assert made.accepted[0].all()
        assert self.decided(self.pool(*[2.0] * 30), 2.0).controls[0].tolist() == []

    def test_nothing_new(self) -> None:
        made = self.decided(self.pool(*[2.0] * 200), 2.0)
        assert len(made.chosen[0]) == len(made.controls[0]) == 0

    def test_no_frame_of_another_system_twice(self) -> None:
        pools = [self.pool(2.0, 2.0), self.pool(2.0, 2.3)]
        masks = [np.ones(2, dtype=bool)] * 2
        made = decide(pools, masks, line_pairs(), TARGET, RANDOM, Known([29]))
        found = [[*one, *other] for one, other in zip(made.controls, made.chosen)]
        assert [len(one) for one in found] == [1, 1]
        assert found[1] == [1]

    def test_a_perfect_crystal_that_is_labelled_is_not_fresh(self) -> None:
        """Its uncertainty is zero in every MD that begins with it, so it is never accepted."""
        crystal, other = 2.0, 2.6
        pool = self.pool(crystal, crystal, *np.linspace(2.2, 2.5, 17), other, limit=3, value=0.001)
        values = np.r_[0.0, 0.0, np.full(17, 0.001), 0.0]
        made = self.decided(replace(pool, values=values), crystal)
        assert made.fresh[0].tolist() == [False, False, *[True] * 18]
        assert made.spread == (0.001,) * 18 + (None, None)  # 17 of 18, and one without forces
        made = self.decided(replace(pool, values=values), crystal, other)
        assert made.fresh[0].tolist() == [False, False, *[True] * 17, False]
        assert made.spread == (0.001,) * 20
        assert len(made.controls[0]) == 2  # the proof of a round in which the share is there
        nothing = np.zeros(20, dtype=bool)
        assert not fresh_of(pool, nothing, Known([29])).any()

    def test_without_labelled_frames_nothing_is_read(self) -> None:
        pool = self.pool(2.0, 2.0, 2.3, 2.4)
        made = decide([pool], [np.ones(4, dtype=bool)], line_pairs(), TARGET, RANDOM)
        assert len(made.controls[0]) + len(made.chosen[0]) == 3
        assert pool.frames.read == []


@pytest.mark.parametrize("pick", [RANDOM, VariancePick(), DiversePick(), TopPick()])
def test_no_rule_depends_on_the_order_of_the_frames(pick: Pick) -> None:
    rng = np.random.default_rng(0)
    structures = {n: Atoms("Cu2", [[0, 0, 0], [0, 0, 2 + n % 37 / 15]]) for n in range(60)}
    features = {n: rng.normal(size=(2, 4)).astype(np.float32) for n in range(60)}
    frames = MadeFrames(features, structures)
    pool = made_pool(rng.lognormal(-3.0, 1.0, 60).tolist(), 10, frames)
    order = rng.permutation(60)
    found = []
    for one in (pool, permuted(pool, order)):
        mask = np.isin(one.steps, range(0, 60, 7), invert=True)
        made = decide([one], [mask], line_pairs(), TARGET, pick, Known([29]))
        found.append([one.steps[part[0]].tolist() for part in (made.controls, made.chosen)])
        assert made.rule == pick.words
    assert [sorted(part) for part in found[1]] == found[0]
    assert len(found[0][0]) == 2
    assert 3 <= len(found[0][1]) <= 8


class Spy:
    """Takes the first frames, and keeps what it was offered."""

    words = "by a spy"
    reads: tuple[str, ...] = ()
    by_system = True

    def __init__(self) -> None:
        self.seen: list[Pool] = []

    def choose(self, pools: Sequence[Pool]) -> list[np.ndarray]:
        self.seen += pools
        return [np.arange(min(pool.limit or 0, len(pool.values))) for pool in pools]


def test_what_a_rule_is_offered() -> None:
    values = np.random.default_rng(0).permutation(np.geomspace(0.005, 0.5, 60))
    physical = np.arange(60) % 3 > 0
    spy = Spy()
    made = decide([pool_of(values)], [physical], line_pairs(), TARGET, spy)
    (pool,) = spy.seen
    around = pool.around
    assert made.rule == "by a spy"
    assert around is not None
    assert sorted(around.fresh.values) == sorted(values[physical])
    assert sorted(around.fresh.values[around.taken]) == sorted(values[made.controls[0]])
    above = np.count_nonzero(physical & ~made.accepted[0])
    assert pool.limit == np.ceil(8 * above / 40)
    candidates = physical & ~made.accepted[0]
    candidates[made.controls[0]] = False
    assert sorted(pool.values) == sorted(values[candidates])
    assert around.known is None


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    unit=st.floats(1e-6, 1e6),
    larger=st.floats(1.0, 3.0),
    systems=st.integers(1, 3),
)
def test_units_and_targets(seed: int, unit: float, larger: float, systems: int) -> None:
    """The unit of U does not count; a larger target accepts no less, and never what is larger."""
    rng = np.random.default_rng(seed)
    values = [rng.lognormal(-3.0, 1.0, 30) for _ in range(systems)]
    physical = [rng.random(30) < 0.8 for _ in range(systems)]
    pairs = line_pairs(12, seed)

    def accepted(scale: float, target: float) -> list[np.ndarray]:
        pools = [pool_of(scale * one, name=f"{n}") for n, one in enumerate(values)]
        scaled = Pairs(scale * pairs.uncertainty, pairs.error)
        made = decide(pools, physical, scaled, target, RANDOM)
        for one, mask, drawn, chosen in zip(made.accepted, physical, made.controls, made.chosen):
            labelled = [*drawn.tolist(), *chosen.tolist()]
            assert len(labelled) == len(set(labelled)) <= 10
            assert mask[labelled].all()
            assert not one[chosen].any()
            assert not (one & ~mask).any()
        return list(made.accepted)

    usual = accepted(1.0, TARGET)
    below, above = np.concatenate(usual), np.concatenate(physical) & ~np.concatenate(usual)
    everything = np.concatenate(values)
    if below.any() and above.any():
        assert everything[below].max() <= everything[above].min()
    for one, other, more in zip(usual, accepted(unit, TARGET), accepted(1.0, larger * TARGET)):
        assert np.array_equal(one, other)
        assert (more >= one).all()
