"""One round of a loop that is given a target error: what is accepted, labelled, and when it ends.

The frames up to a limit of the uncertainty are accepted, since the pairs of earlier labels say that
their errors are below the target (`pwact.query.calibration`). Of the others a rule chooses some.
Control labels are drawn among all (`pwact.query.controls`). Verdicts are functions of the rounds of
one condition, so that a resumed campaign comes to the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Optional

import numpy as np

from pwact.query.batch import Batch, fresh_of
from pwact.query.calibration import FEWEST, Pairs, accepted_up_to, calibrate
from pwact.query.duplicates import Known
from pwact.query.picks import Pick, Pool

SHARE = 0.95  # of the fresh frames of a round, accepted in each of the last `IN_A_ROW` rounds
IN_A_ROW = 2
LATEST_CONTROLS = 8  # controls that are looked at, the last ones of a condition
LEAST_CONTROLS = 4  # of these must be there
PROOF = 2  # controls, at least, of a round in which the share is there
LEVELS = 20  # of the spread of U that a round leaves
PROGRESS = 0.05  # smaller steps of both errors, twice in a row, are no progress


@dataclass(frozen=True)
class Round:
    """What a finished round of one condition has shown.

    Attributes
    ----------
    frames
        Fresh frames that are physical, of all systems.
    accepted
        How many of them were accepted.
    sigma
        RMSE of the forces of the model that explored on what it was trained on, eV/Å.
    median_error
        Median error of the frames that were labelled in this round, eV/Å; NaN if not known.
    controls
        True errors of the control labels, RMSE of the forces, eV/Å, in a fixed order. A label that
        failed is left out.
    hindsight
        Share of the frames that would have been accepted by the labels of this very round; NaN
        where these are too few.
    unphysical
        Frames from the first unphysical one of their trajectory on.
    ended
        Share of the trajectories that came to their last step.
    empty
        Systems of which no physical frame was explored.

    No selection reads the last three: they are not in ``repr``, which is one of its inputs.
    """

    frames: int
    accepted: int
    sigma: float
    median_error: float
    controls: tuple[float, ...]
    hindsight: float = float("nan")
    unphysical: int = field(default=0, repr=False)
    ended: float = field(default=1.0, repr=False)
    empty: int = field(default=0, repr=False)

    @property
    def offered(self) -> int:
        """All frames: a model that leads an MD to an unphysical one is wrong there."""
        return self.frames + self.unphysical

    @property
    def share(self) -> float:
        """Accepted by all; 0 of none."""
        return self.accepted / self.offered if self.frames else 0.0

    @property
    def after(self) -> float:
        """The same share by the labels of this very round; NaN if not known."""
        return self.hindsight * self.frames / max(self.offered, 1)

    @property
    def good(self) -> bool:
        """Whether the share was there, as seen before its labels or after, and the MD held.

        Frames before an MD breaks may all be accepted, and prove nothing of what comes then.
        """
        if not self.frames or self.empty or self.ended < SHARE:
            return False
        return self.share >= SHARE or self.after >= SHARE


@dataclass(frozen=True)
class Decision:
    """What becomes of the fresh frames of a round.

    Attributes
    ----------
    limit
        Frames with an uncertainty up to it are accepted; None if none is.
    expected
        Mean probability that the error of an accepted frame is below the target; NaN without any.
    pairs
        How many pairs the limit rests on; 0 where there were too few.
    accepted
        For each system which of its frames are accepted, bool, shape (n,).
    controls, chosen
        For each system the indices of the frames to be labelled, ascending; no frame is in both.
    rule
        How the frames above the limit were chosen: words of the rule.
    spread
        See `spread_of`.
    fresh
        For each system which of its frames count, bool, shape (n,): `pwact.query.batch.fresh_of`.
    """

    limit: Optional[float]
    expected: float
    pairs: int
    accepted: tuple[np.ndarray, ...]
    controls: tuple[np.ndarray, ...]
    chosen: tuple[np.ndarray, ...]
    rule: str
    spread: tuple[Optional[float], ...] = ()
    fresh: tuple[np.ndarray, ...] = ()


def reached(rounds: Sequence[Round], target: float) -> bool:
    """Whether a condition has what was asked for.

    In each of the last two rounds at least 95 % of the fresh frames were accepted, by the labels of
    earlier rounds or by its own (`hindsight`), of each system some frame was physical, and 95 % of
    the trajectories came to their end. And of the controls of these and of the rounds right
    before them in which that held, the last eight, at least four are there and none has an error of
    `target` (eV/Å) or more. The share alone stops too early in half of the campaigns. Controls of
    earlier rounds count no more: they belong to models of which nothing was promised.

    Parameters
    ----------
    rounds
        Those of this condition, from the first one.
    """
    if good_rounds(rounds) < IN_A_ROW:
        return False
    proof = latest_controls(rounds[-good_rounds(rounds) :])
    return len(proof) >= LEAST_CONTROLS and not _wrong(proof, target)


def least_rounds(labels: int) -> int:
    """How many rounds a condition takes at least to be reached, with so many labels a round."""
    return max(IN_A_ROW, -(-LEAST_CONTROLS // max(labels, 1)))


def good_rounds(rounds: Sequence[Round]) -> int:
    """How many of the last rounds had accepted at least 95 % of their fresh frames, in a row."""
    good = [one.good for one in reversed(rounds)]
    return good.index(False) if False in good else len(good)


def latest_controls(rounds: Sequence[Round]) -> tuple[float, ...]:
    """Errors of the controls that a verdict looks at, eV/Å, the latest ones last."""
    known = [error for one in rounds for error in one.controls]
    return tuple(known[-LATEST_CONTROLS:])


def _wrong(controls: Sequence[float], target: float) -> int:
    """How many are not below the target; one that is not a number is not."""
    return sum(not error < target for error in controls)


def at_floor(rounds: Sequence[Round], target: float) -> str:
    """Why a model cannot reach the target, in words; empty as long as it may.

    Its error on what it was trained on is larger than the target, which holds as long as it is; or
    two rounds in a row have lowered neither this error nor that of the fresh frames by 5 % while
    controls are still wrong, which once said holds for the condition. Frames are then drawn at
    random, since a model that is too simple for its data is bent by extreme frames.

    Parameters
    ----------
    rounds
        Those of this condition, from the first one. The last one may be one that has no labels
        yet: NaN for its median error and no controls.
    """
    sigma = rounds[-1].sigma if rounds else float("nan")
    if sigma > target:
        return (
            f"its force error on its own training data is {sigma:.4g} eV/Å, "
            f"more than the target of {target:g} eV/Å"
        )
    stuck = (_stuck(rounds[:end], target) for end in range(1, len(rounds) + 1))
    return next(filter(None, stuck), "")


def _stuck(rounds: Sequence[Round], target: float) -> str:
    """Why a model makes no progress after these rounds."""
    wrong, latest = _wrong(latest_controls(rounds), target), latest_controls(rounds)
    if len(rounds) <= IN_A_ROW or not wrong:
        return ""
    last = rounds[-IN_A_ROW - 1 :]
    if any(_better(before, after) for before, after in zip(last, last[1:])):
        return ""
    return (
        f"two rounds have lowered neither its error on its training data nor that of fresh frames "
        f"by {PROGRESS:.0%}, and {wrong} of the last {len(latest)} control frames are "
        f"not below {target:g} eV/Å"
    )


def _better(before: Round, after: Round) -> bool:
    """Whether one of the errors fell; what is not known may have."""
    steps = [(before.sigma, after.sigma), (before.median_error, after.median_error)]
    return any(not late > (1.0 - PROGRESS) * early for early, late in steps)


def decide(
    pools: Sequence[Pool],
    physical: Sequence[np.ndarray],
    pairs: Pairs,
    target: float,
    pick: Pick,
    known: Optional[Known] = None,
) -> Decision:
    """Decide on all fresh frames of a round.

    Parameters
    ----------
    pools
        One a system, with all its fresh frames: uncertainty U of each in the unit of `pairs`, and
        how many frames may be labelled, controls included.
    physical
        Which frames of each system are looked at, bool; the others are neither accepted nor
        labelled.
    pairs
        Uncertainty and error of labelled frames, in the order in which they were labelled. Where
        these are those of the start, at least `FEWEST` frames get labels, more controls if need
        be: else a model that seems good at first would be tried by one or two frames a round.
        Where all are of other conditions, the round is one of trial (`pwact.query.batch.room_of`).
    target
        Force error that is asked for, eV/Å.
    pick
        The rule for the frames above the limit.
    known
        The frames that have labels: what is nearly one of them, or of the frames that are chosen,
        is not labelled. Nothing is compared where they are not given.

    Returns
    -------
    Decision
        It does not depend on the order of the frames in a pool, if no frame is there twice.
    """
    orders = [np.lexsort((pool.steps, pool.trajectories.astype(str))) for pool in pools]
    ordered = [pool.at(order) for pool, order in zip(pools, orders)]
    masks = [np.asarray(mask, dtype=bool)[order] for mask, order in zip(physical, orders)]
    limit, expected, used = _limit(ordered, masks, pairs, target)
    accepted = [_below(pool, mask, limit) for pool, mask in zip(ordered, masks)]
    fresh = [fresh_of(pool, mask, known) for pool, mask in zip(ordered, masks)]
    batch = Batch(ordered, masks, accepted, known, pairs.of_others)
    batch.draw_controls()
    if _enough(fresh, accepted):
        batch.draw_more(PROOF)
    else:
        batch.choose(pick)
    if pairs.of_start:
        batch.draw_more(FEWEST)
    return Decision(
        limit,
        expected,
        used,
        tuple(one[np.argsort(order)] for one, order in zip(accepted, orders)),
        tuple(np.sort(order[one]) for one, order in zip(batch.controls, orders)),
        tuple(np.sort(order[one]) for one, order in zip(batch.chosen, orders)),
        pick.words,
        spread_of(ordered, fresh),
        tuple(one[np.argsort(order)] for one, order in zip(fresh, orders)),
    )


def _limit(
    pools: Sequence[Pool], masks: Sequence[np.ndarray], pairs: Pairs, target: float
) -> tuple[Optional[float], float, int]:
    """The limit of all systems together, the share that it promises, and the pairs behind it."""
    line = calibrate(pairs)
    if line is None:
        return None, float("nan"), 0
    looked_at = [pool.values[mask] for pool, mask in zip(pools, masks)]
    values = np.concatenate(looked_at or [np.empty(0)])
    limit = accepted_up_to(line, target, values)
    if limit is None:
        return None, float("nan"), line.pairs
    below = np.sort(values[(values > 0) & (values <= limit)])
    return limit, float(np.mean(line.below(target, below))), line.pairs


def _enough(fresh: Sequence[np.ndarray], accepted: Sequence[np.ndarray]) -> bool:
    """Whether the share by which a condition ends is there."""
    frames = sum(int(one.sum()) for one in fresh)
    return frames > 0 and sum(int(one.sum()) for one in accepted) >= SHARE * frames


def _below(pool: Pool, mask: np.ndarray, limit: Optional[float]) -> np.ndarray:
    if limit is None:
        return np.zeros(len(mask), dtype=bool)
    accepted: np.ndarray = mask & (pool.values > 0) & (pool.values <= limit)
    return accepted


def spread_of(pools: Sequence[Pool], masks: Sequence[np.ndarray]) -> tuple[Optional[float], ...]:
    """The U up to which 5, 10, … 100 % of the frames of all systems lie; () without any.

    None where it is no positive number: these frames count as the most uncertain ones.
    """
    values = np.concatenate([pool.values[mask] for pool, mask in zip(pools, masks)] or [[]])
    if not len(values):
        return ()
    known = np.sort(np.where(np.isfinite(values) & (values > 0), values, np.inf))
    places = -(-np.arange(1, LEVELS + 1) * len(known) // LEVELS) - 1
    return tuple(float(one) if np.isfinite(one) else None for one in known[places])


def hindsight(spread: Sequence[Optional[float]], pairs: Pairs, target: float) -> float:
    """Share of the frames of a round that its own labels would have accepted.

    Before a round has labels, its limit rests on pairs of earlier models, which are worse. The
    pairs of its own say more, and they are as honest: its frames were no part of its training.

    Parameters
    ----------
    spread
        Of the uncertainties of the frames, as `spread_of` gives it.
    pairs
        Uncertainty and error of the frames that were labelled in this round.
    target
        eV/Å.

    Returns
    -------
    float
        NaN with fewer than `FEWEST` pairs, or without frames.
    """
    line = calibrate(pairs)
    if line is None or not spread:
        return float("nan")
    values = np.array([np.nan if one is None else one for one in spread], dtype=float)
    limit = accepted_up_to(line, target, values)
    return 0.0 if limit is None else float(np.mean(values <= limit))
