"""From an uncertainty to a force error: how likely a frame's error is below a target.

Frames whose labels are known give pairs of the uncertainty U that the model had and the error e
that it made. Their logarithms lie on a line with a slope near one:

    log e = a + b log U + δ + ε,   ε ~ N(0, s²),
    a flat,   b | s² ~ N(1, 0.1² s² / 0.35²),   s² ~ scaled inverse χ²(4, 0.35²)

which is Bayesian linear regression with a conjugate prior: the predictive distribution of log e at
a new U is Student's t (Gelman et al., Bayesian Data Analysis, 3rd ed., chapters 3 and 14). The
prior says that errors grow about in proportion to the uncertainty, and scatter by a factor of 1.4.

Pairs of another condition lie on a line of their own, away by δ | s² ~ N(0, 0.7² s² / 0.35²): a
model that was tried on a crystal is not known on its melt. As long as there are no pairs of the
present condition the predictive distribution is wider by that much; some pairs of it settle δ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Union

import numpy as np

FEWEST = 5  # pairs, below which nothing is said
# Pairs that count. The ratio e / U falls as the data come to determine a model, so that pairs of
# a model with few labels keep the limit of a good one low (docs/benchmarks.md#label-efficiency).
LATEST = 15
SLOPE, SLOPE_SPREAD = 1.0, 0.1
FREEDOM, SCATTER = 4.0, 0.35  # of the prior of s²
SHIFT = 0.7  # of log e between two conditions
CONFIDENCE = 0.90  # expected share, of the frames that are accepted, with an error below the target
LEAST = 0.5  # probability that each single one of them must have
NOISE = 1e-6  # eV/Å; smaller errors are those of a frame that symmetry leaves without forces
WORSE = 1.5  # by which errors of fresh frames are larger than those of the training frames


@dataclass(frozen=True)
class Pairs:
    """Frames whose error is known, in the order in which they were labelled.

    Attributes
    ----------
    uncertainty
        What the model that explored said before it was trained on the frame, any unit, shape (n,).
    error
        RMSE of the frame's force components, eV/Å, shape (n,).
    of_start
        Whether these are the frames on which the model was trained (`starting_pairs`).
    elsewhere
        Which ones belong to another condition than the frames that are judged, bool, shape (n,).
        Not given: none.
    """

    uncertainty: np.ndarray
    error: np.ndarray
    of_start: bool = False
    elsewhere: Optional[np.ndarray] = None

    @property
    def usable(self) -> Pairs:
        """The last `LATEST` of those whose numbers are finite, and more than nothing.

        On a frame without forces, such as a perfect crystal, all models agree, and are right:
        rounding makes a pair of it that would turn the line.
        """
        both = np.column_stack([self.uncertainty, self.error])
        good = np.all(np.isfinite(both) & (both > 0), axis=1) & (self.error > NOISE)
        kept = np.flatnonzero(good)[-LATEST:]
        elsewhere = None if self.elsewhere is None else self.elsewhere[kept]
        return Pairs(self.uncertainty[kept], self.error[kept], self.of_start, elsewhere)

    @property
    def of_others(self) -> bool:
        """Whether all that count belong to other conditions."""
        elsewhere = self.usable.elsewhere
        return elsewhere is not None and len(elsewhere) > 0 and bool(elsewhere.all())

    @property
    def rows(self) -> np.ndarray:
        """(1, log U, 1 if elsewhere) of each, shape (n, 3)."""
        apart = np.zeros(len(self)) if self.elsewhere is None else self.elsewhere
        return _rows(self.uncertainty, apart)

    def __len__(self) -> int:
        return len(self.error)


@dataclass(frozen=True)
class Calibration:
    """The posterior distribution of the line: see the head of the module.

    Attributes
    ----------
    mean
        Of (a, b, δ), shape (3,).
    covariance
        Of (a, b, δ) in units of s², shape (3, 3).
    freedom
        Degrees of freedom of the predictive distribution.
    scale
        Its s.
    pairs
        How many pairs it rests on.
    most
        Uncertainty beyond which it says nothing.
    """

    mean: np.ndarray
    covariance: np.ndarray
    freedom: float
    scale: float
    pairs: int
    most: float = float("inf")

    def expected(self, uncertainty: np.ndarray) -> np.ndarray:
        """Median error at each uncertainty, eV/Å; NaN where that is no positive number."""
        rows = _rows(uncertainty)
        median: np.ndarray = np.exp(rows @ self.mean)
        return median

    def quantile(self, share: float, uncertainty: np.ndarray) -> np.ndarray:
        """The error below which this share of frames is expected, eV/Å, at each uncertainty."""
        from scipy.special import stdtrit

        rows = _rows(uncertainty)
        away = stdtrit(self.freedom, share) * self.scale * np.sqrt(self._spread(rows))
        error: np.ndarray = np.exp(rows @ self.mean + away)
        return error

    def below(self, target: float, uncertainty: np.ndarray) -> np.ndarray:
        """Probability that the error is below `target` (eV/Å), shape of `uncertainty`.

        It is 0 where the uncertainty is no positive number: nothing is known there.
        """
        from scipy.special import stdtr

        rows = _rows(uncertainty)
        away = self.scale * np.sqrt(self._spread(rows))
        distance = (np.log(target) - rows @ self.mean) / away
        chance: np.ndarray = np.nan_to_num(stdtr(self.freedom, distance), nan=0.0)
        return chance

    def _spread(self, rows: np.ndarray) -> np.ndarray:
        """Variance of log e in units of s²: that of the frame and that of the line."""
        variance: np.ndarray = 1.0 + np.einsum("ni,ij,nj->n", rows, self.covariance, rows)
        return variance


def starting_pairs(
    uncertainty: np.ndarray, error: np.ndarray, least: Union[float, np.ndarray] = 0.0
) -> Pairs:
    """Pairs of the frames on which a model was trained, for the first round.

    The model knows these frames, so their errors count 1.5 times. In 36 starts this accepted 0.41
    of what could be accepted, at a coverage of 0.98.

    Parameters
    ----------
    uncertainty, error
        Of the training frames, as in `Pairs`, shape (n,).
    least
        Errors count at least so much, eV/Å, of each frame or of all.
    """
    worse = np.fmax(WORSE * np.asarray(error, dtype=float), least)
    return Pairs(np.asarray(uncertainty, dtype=float), worse, of_start=True)


def pairs_in_force(labelled: Pairs, start: Pairs) -> Pairs:
    """The labelled pairs if there are `FEWEST` that can be used, those of the start otherwise."""
    return labelled if len(labelled.usable) >= FEWEST else start


def calibrate(pairs: Pairs) -> Optional[Calibration]:
    """Fit the line to the usable pairs; None if there are fewer than `FEWEST`.

    What is known of training frames holds for frames that are no more uncertain than these: where
    a model with many parameters has seen little it is wrong by far more than the line says.
    """
    good = pairs.usable
    if len(good) < FEWEST:
        return None
    rows, values = good.rows, np.log(good.error)
    before = np.diag([0.0, (SCATTER / SLOPE_SPREAD) ** 2, (SCATTER / SHIFT) ** 2])
    start = np.array([0.0, SLOPE, 0.0])
    precision = before + rows.T @ rows
    mean = np.linalg.solve(precision, before @ start + rows.T @ values)
    left, off = values - rows @ mean, mean - start
    freedom = FREEDOM + len(good) - 1  # one is spent on the flat prior of a
    square = FREEDOM * SCATTER**2 + left @ left + off @ before @ off
    scale = float(np.sqrt(square / freedom))
    most = float(good.uncertainty.max()) if good.of_start else float("inf")
    return Calibration(mean, np.linalg.inv(precision), freedom, scale, len(good), most)


def accepted_up_to(
    calibration: Calibration, target: float, uncertainty: np.ndarray
) -> Optional[float]:
    """The largest uncertainty up to which the frames of a pool count as accurate enough.

    Parameters
    ----------
    target
        Force error that is asked for, eV/Å.
    uncertainty
        Of all frames of the pool, shape (n,); what is no positive number is never accepted.

    Returns
    -------
    float or None
        The largest one for which the mean probability of an error below `target`, over all frames
        up to it, is at least `CONFIDENCE`, and that of the frame itself at least `LEAST`; never
        more than `Calibration.most`. None if no frame is like that.
    """
    known = np.sort(uncertainty[np.isfinite(uncertainty) & (uncertainty > 0)])
    if not known.size:
        return None
    chance = calibration.below(target, known)
    mean = np.cumsum(chance) / np.arange(1, len(known) + 1)
    good = np.flatnonzero((mean >= CONFIDENCE) & (chance >= LEAST) & (known <= calibration.most))
    return float(known[good[-1]]) if good.size else None


def upper_bound(count: int, wrong: int, confidence: float = 0.90) -> float:
    """Upper bound of the share; see `lower_bound`."""
    return 1.0 - lower_bound(count, count - wrong, confidence)


def lower_bound(count: int, wrong: int, confidence: float = 0.90) -> float:
    """Lower bound of a share of which `count` random samples had `wrong` failures.

    The exact one-sided interval of Clopper and Pearson, Biometrika 26, 404 (1934): 22 samples
    without a failure are needed before 0.90 is a lower bound at 90 % confidence.
    """
    from scipy.special import betaincinv

    if count <= wrong:
        return 0.0
    return float(betaincinv(count - wrong, wrong + 1, 1.0 - confidence))


def _rows(uncertainty: np.ndarray, elsewhere: Union[float, np.ndarray] = 0.0) -> np.ndarray:
    """(1, log U, elsewhere) of each, shape (n, 3); NaN where U is no positive number."""
    values = np.asarray(uncertainty, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        logarithm = np.where(values > 0, np.log(values), np.nan)
    logarithm[~np.isfinite(logarithm)] = np.nan
    return np.column_stack(
        [np.ones(len(values)), logarithm, np.broadcast_to(elsewhere, len(values))]
    )
