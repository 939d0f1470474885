"""Pictures of what was explored: of each structure by step and by temperature, and of all."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy as np

from pwact import layout
from pwact.engines.md_input import md_input
from pwact.io.tables import flaw
from pwact.query.window import Limits, Scores
from pwact.report import pictures, plots
from pwact.report.measure import Measure
from pwact.report.pictures import Curve, Scale
from pwact.uncertainties.base import Uncertainty
from pwact.workflow.explored import read_candidates

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawn:
    """One structure in one iteration: its trajectories and their uncertainties.

    Attributes
    ----------
    chosen
        Trajectory → MD steps of its frames that are labelled.
    """

    title: str
    uncertainty: Uncertainty
    scores: Sequence[tuple[Path, Scores]]
    chosen: Mapping[Path, Sequence[int]]

    def draw(self, base: Path, formats: Sequence[str], limits: Optional[Limits]) -> list[Path]:
        """Draw all pictures of it; `base` is their common path without what tells them apart."""
        found = [one for _, one in self.scores]
        window = self.uncertainty.window(limits, found)[0] if limits else None
        measure = self.uncertainty.measure
        pair = (window.lower, window.upper) if window else None
        scale = Scale(measure.with_unit, pair, measure.unit)
        curves = [self._curve(path, one) for path, one in self.scores]
        values = np.concatenate([one.usable for one in found])
        shown = pair or (-np.inf, np.inf)

        def by_step(path: Path) -> bool:
            pictures.by_step(path, self.title, curves, scale)
            return True

        painters: dict[str, Callable[[Path], bool]] = {
            "histogram": lambda path: plots.histogram(path, values, shown, measure, self.title),
            "by_step": by_step,
            "by_temperature": lambda path: pictures.by_temperature(path, self.title, curves, scale),
        }
        return [
            path
            for word, painter in painters.items()
            for path in paths(base.with_name(f"{base.name}-{word}"), formats)
            if make(path, painter)
        ]

    def _curve(self, trajectory: Path, scores: Scores) -> Curve:
        asked = md_input(trajectory)
        chosen = np.array(self.chosen.get(trajectory.resolve(), ()), dtype=np.int64)
        conditions = (asked.temp_k, asked.press_bar, asked.dt_ps)
        return Curve(scores.steps, scores.usable, *conditions, chosen)


class AllIterations:
    """The uncertainties of all frames of each iteration, for one picture.

    Parameters
    ----------
    limits
        Of the iterations; they are drawn where there is one pair for all.
    """

    def __init__(self, limits: set[Limits]) -> None:
        self._limits = limits
        self._values: dict[str, list[np.ndarray]] = {}
        self._measure: Optional[Measure] = None

    def add(
        self, name: str, uncertainty: Uncertainty, scores: Sequence[tuple[Path, Scores]]
    ) -> None:
        """Take in a structure of an iteration."""
        finite = [one.usable[np.isfinite(one.usable)] for _, one in scores]
        self._values.setdefault(name, []).extend(finite)
        self._measure = uncertainty.measure

    def draw(self, path: Path) -> bool:
        """Draw them beside each other; whether there was anything to draw."""
        joined = {name: np.concatenate(parts) for name, parts in self._values.items() if parts}
        samples = {name[len("iter.") :]: values for name, values in joined.items() if values.size}
        if not samples or self._measure is None:
            return False
        pair = None
        if len(self._limits) == 1 and not self._measure.relative:
            (limits,) = self._limits
            pair = (limits.lower, limits.upper)
        scale = Scale(self._measure.with_unit, pair, self._measure.unit)
        pictures.boxes(path, "All iterations", samples, scale, "iteration, number of frames")
        return True


def chosen_frames(work_dir: Path, iteration: int) -> dict[Path, list[int]]:
    """Trajectory → MD steps of the frames that were chosen; none where no table tells."""
    path = layout.candidate_table(work_dir, iteration)
    found: dict[Path, list[int]] = {}
    try:
        for one in read_candidates(path, work_dir):
            found.setdefault((work_dir / one.trajectory).resolve(), []).append(one.step)
    except FileNotFoundError:
        pass
    except (OSError, KeyError, ValueError, TypeError) as error:
        logger.warning("%s: chosen frames are not marked: %s", path, flaw(error))
    return found


def paths(base: Path, formats: Sequence[str]) -> list[Path]:
    """The files of a picture, one a format."""
    return [base.with_name(f"{base.name}.{form}") for form in dict.fromkeys(formats)]


def make(path: Path, painter: Callable[[Path], bool]) -> bool:
    """Draw one; whether there was anything to draw."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return painter(path)
