"""Pictures of a campaign with a target: errors against uncertainties, promises against facts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.report.plots import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENOUGH = 0.95  # share of accepted frames with which a condition may end


@dataclass(frozen=True)
class Points:
    """Labelled frames: scaled uncertainty, and force error in eV/Å, shape (n,) each."""

    uncertainty: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Line:
    """What the pairs say of the error at each uncertainty.

    Attributes
    ----------
    uncertainty
        Shape (n,), ascending.
    low, middle, high
        Error below which 5, 50 and 95 % of the frames are expected, eV/Å, shape (n,).
    words
        On what it rests: ``40 pairs``.
    """

    uncertainty: np.ndarray
    low: np.ndarray
    middle: np.ndarray
    high: np.ndarray
    words: str


@dataclass(frozen=True)
class Aim:
    """The target (eV/Å), and the limit up to which frames are accepted; None if none is."""

    target: float
    limit: Optional[float]


def errors(
    path: Path, title: str, groups: Sequence[tuple[str, Points]], line: Optional[Line], aim: Aim
) -> bool:
    """Draw the error of each labelled frame against its uncertainty, with the limit.

    Parameters
    ----------
    groups
        Name of each kind of frames, for the legend, and the frames: earlier ones first.

    Returns
    -------
    bool
        Whether there was a frame to draw.
    """
    from matplotlib.figure import Figure

    shown = [(name, _positive(points)) for name, points in groups]
    shown = [(name, points) for name, points in shown if len(points.error)]
    if not shown:
        return False
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.add_subplot()
    if line is not None:
        axes.fill_between(
            line.uncertainty,
            line.low,
            line.high,
            color="0.9",
            label=f"90 % of frames ({line.words})",
        )
        axes.plot(line.uncertainty, line.middle, color="0.5", linewidth=1.2)
    for (name, points), (marker, colour, size) in zip(shown, _styles(len(shown))):
        label = f"{name} ({len(points.error)})"
        axes.plot(
            points.uncertainty,
            points.error,
            *(marker,),
            color=colour,
            markersize=size,
            linestyle="none",
            label=label,
        )
    _decades(axes)
    _limits(axes, aim)
    axes.set_xlabel("scaled uncertainty U of a frame")
    axes.set_ylabel("true force error, RMSE of a frame (eV/Å)")
    axes.set_title(title, fontsize="medium", loc="left")
    axes.legend(frameon=False, fontsize="small")
    save(figure, path)
    return True


def _decades(axes: Axes) -> None:
    """Logarithmic axes with numbers that one reads at once: 0.02, 0.05, 0.1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log")
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def _styles(count: int) -> list[tuple[str, str, float]]:
    """Marker, colour and size of each kind; the earlier frames are the quiet ones."""
    styles = [(".", "0.55", 6.0), ("s", "tab:blue", 5.0), ("D", "tab:orange", 5.5)]
    return styles[-count:]


def _limits(axes: Axes, aim: Aim) -> None:
    axes.axhline(aim.target, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.annotate(
        f"target {aim.target:g}",
        (high, aim.target),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize="small",
    )
    if aim.limit is not None:
        axes.axvline(aim.limit, color="black", linestyle="--", linewidth=0.8)
        axes.annotate(
            f"accepted up to {aim.limit:.3g}",
            (aim.limit, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            fontsize="small",
        )
        axes.set_xlim(min(low, aim.limit / 1.5), max(high, aim.limit * 1.2))


def _positive(points: Points) -> Points:
    both = np.column_stack([points.uncertainty, points.error])
    good = np.all(np.isfinite(both) & (both > 0), axis=1)
    return Points(both[good, 0], both[good, 1])


@dataclass(frozen=True)
class Bin:
    """Frames with about one predicted probability of an error below the target.

    Attributes
    ----------
    predicted
        Its mean.
    observed
        Share of the frames whose error was below the target.
    low, high
        Bounds of that share at 90 % confidence each.
    count
        Number of frames.
    """

    predicted: float
    observed: float
    low: float
    high: float
    count: int


def reliability(path: Path, title: str, bins: Sequence[Bin]) -> bool:
    """Draw the observed share of frames below the target against the predicted one."""
    from matplotlib.figure import Figure

    if not bins:
        return False
    figure = Figure(figsize=(4.8, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    predicted = [one.predicted for one in bins]
    observed = [one.observed for one in bins]
    away = [[one.observed - one.low for one in bins], [one.high - one.observed for one in bins]]
    axes.errorbar(
        predicted, observed, yerr=away, fmt="o", color="tab:blue", ecolor="0.6", capsize=2
    )
    for one in bins:
        axes.annotate(
            f"{one.count}",
            (one.predicted, one.observed),
            xytext=(7, -10),
            textcoords="offset points",
            fontsize="small",
        )
    axes.set_xlim(-0.03, 1.06)
    axes.set_ylim(-0.03, 1.06)
    axes.set_xlabel("predicted probability of an error below the target")
    axes.set_ylabel("share of labelled frames below it")
    axes.set_title(f"{title} (numbers: frames)", fontsize="medium", loc="left")
    save(figure, path)
    return True


@dataclass(frozen=True)
class RoundRow:
    """One iteration.

    Attributes
    ----------
    iteration, condition
        Its number, and the element of ``md_jobs`` that it explored.
    share
        Accepted share of its fresh physical frames; None without frames.
    right, wrong
        Number of control labels below the target, and of the others.
    """

    iteration: int
    condition: int
    share: Optional[float]
    right: int
    wrong: int


def accepted(path: Path, rows: Sequence[RoundRow]) -> bool:
    """Draw the accepted share and the controls of each iteration, conditions side by side."""
    from matplotlib.figure import Figure

    known = [row for row in rows if row.share is not None]
    if not known:
        return False
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    _conditions(upper, rows)
    for condition in sorted({row.condition for row in known}):
        mine = [row for row in known if row.condition == condition]
        shares = [100 * (row.share or 0.0) for row in mine]
        upper.plot([row.iteration for row in mine], shares, "o-", color="tab:blue")
    words = f"{100 * ENOUGH:g} %: enough, if no control is wrong"
    upper.axhline(100 * ENOUGH, color="black", linestyle="--", linewidth=0.8, label=words)
    beside = {"loc": "upper right", "bbox_to_anchor": (1.0, -0.01), "fontsize": "small"}
    upper.legend(frameon=False, **beside)
    upper.set_ylim(0, 105)
    upper.set_ylabel("accepted frames (%)")
    numbers = [row.iteration for row in rows]
    right = [row.right for row in rows]
    lower.bar(numbers, right, color="0.75", label="below the target")
    lower.bar(
        numbers, [row.wrong for row in rows], bottom=right, color="tab:orange", label="not below"
    )
    lower.set_ylabel("controls")
    lower.set_xlabel("iteration")
    lower.yaxis.get_major_locator().set_params(integer=True)
    lower.legend(frameon=False, ncols=2, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1))
    if len(numbers) <= 20:
        lower.set_xticks(numbers)
    save(figure, path)
    return True


def _conditions(axes: Axes, rows: Sequence[RoundRow]) -> None:
    """Mark where each condition begins, and which element of md_jobs it is."""
    before: Optional[int] = None
    for row in rows:
        if row.condition == before:
            continue
        if before is not None:
            axes.axvline(row.iteration - 0.5, color="0.7", linewidth=0.8)
        axes.annotate(
            f"md_jobs[{row.condition}]",
            (row.iteration - 0.45, 1.01),
            xycoords=("data", "axes fraction"),
            fontsize="small",
            color="0.3",
        )
        before = row.condition
