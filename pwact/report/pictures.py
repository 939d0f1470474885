"""Pictures of a campaign: how uncertain its frames are, and how its models learn."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.report.plots import COLOURS, save
from pwact.report.records import IterationRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = 30.0  # from this ratio of values on, an axis is logarithmic
POINTS = 400  # of a line: of more frames the largest of each stretch is drawn
NAMED = 8  # so many temperatures have a colour of their own in the legend


@dataclass(frozen=True)
class Curve:
    """The uncertainties of one trajectory.

    Attributes
    ----------
    steps
        MD steps, shape (n,).
    values
        Shape (n,), finite or not.
    temp_k
        Temperature in K; None where it is not known.
    """

    steps: np.ndarray
    values: np.ndarray
    temp_k: Optional[float]


@dataclass(frozen=True)
class Scale:
    """The uncertainties that are drawn.

    Attributes
    ----------
    label
        Of the axis, with the unit.
    window
        Lower and upper limit; None without.
    """

    label: str
    window: Optional[tuple[float, float]]


def by_step(path: Path, title: str, curves: Sequence[Curve], scale: Scale) -> None:
    """Draw the uncertainty of each trajectory against its MD step, coloured by temperature."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    temps = sorted({curve.temp_k for curve in curves if curve.temp_k is not None})
    norm = Normalize(min(temps, default=0.0), max(temps, default=1.0) or 1.0)
    shades = colormaps["viridis"]
    named: set[float] = set()
    for curve in curves:
        steps, values = _shown(curve)
        colour: Any = "0.4"
        label = None
        if curve.temp_k is not None:
            colour = shades(0.9 * float(norm(curve.temp_k)) if len(temps) > 1 else 0.4)
            label = f"{curve.temp_k:g} K" if curve.temp_k not in named else None
            named.add(curve.temp_k)
        axes.plot(steps, values, color=colour, linewidth=1.0, label=label)
    _value_axis(axes, np.concatenate([curve.values for curve in curves]), scale)
    axes.set_xlabel("MD step")
    axes.set_title(title, fontsize="medium", loc="left")
    if len(temps) > NAMED:
        bar = figure.colorbar(ScalarMappable(norm, shades), ax=axes)
        bar.set_label("temperature (K)")
    elif temps:
        _legend_by_temperature(axes)
    save(figure, path)


def by_temperature(path: Path, title: str, curves: Sequence[Curve], scale: Scale) -> bool:
    """Draw the spread of the uncertainties at each temperature; whether any is known.

    Boxes reach from the first to the third quartile, whiskers from the 5th to the 95th percentile.
    """
    from matplotlib.figure import Figure

    known: dict[float, list[np.ndarray]] = {}
    for curve in curves:
        if curve.temp_k is not None and np.isfinite(curve.values).any():
            known.setdefault(curve.temp_k, []).append(curve.values[np.isfinite(curve.values)])
    if not known:
        return False
    temps = sorted(known)
    samples = [np.concatenate(known[temp]) for temp in temps]
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.boxplot(
        samples,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "0.85"},
        medianprops={"color": "tab:blue", "linewidth": 1.5},
    )
    for place, sample in enumerate(samples, 1):
        axes.plot(place, sample.max(), marker="x", color="0.3", linestyle="none")
    axes.set_xticks(
        range(1, len(temps) + 1),
        [f"{temp:g}\n(n = {sample.size})" for temp, sample in zip(temps, samples)],
    )
    _value_axis(axes, np.concatenate(samples), scale)
    axes.set_xlabel("temperature (K), number of frames")
    axes.set_title(f"{title}; x: the largest", fontsize="medium", loc="left")
    save(figure, path)
    return True


def learning_curve(path: Path, rows: Sequence[IterationRow]) -> bool:
    """Draw force errors against the number of labels, and the classes of each exploration.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    from matplotlib.figure import Figure

    labelled = [row.label.labelled if row.label else 0 for row in rows]
    before = [0, *itertools.accumulate(labelled)][: len(rows)]
    valid = [(n, row.train.valid_rmse_f) for n, row in zip(before, rows)]
    new = [(n, row.label.rmse_f if row.label else None) for n, row in zip(before, rows)]
    curves = [
        ("first model, validation data", "o", _given(valid)),
        ("exploring model, new labels", "s", _given(new)),
    ]
    curves = [curve for curve in curves if curve[2]]
    classes = [row for row in rows if row.select and row.select.frames]
    if not curves and not classes:
        return False
    panels = bool(curves) + bool(classes)
    figure = Figure(figsize=(5.0 * panels, 3.8), layout="constrained")
    if curves:
        _errors(figure.add_subplot(1, panels, 1), curves)
    if classes:
        _classes(figure.add_subplot(1, panels, panels), classes)
    save(figure, path)
    return True


def _errors(axes: Axes, curves: Sequence[tuple[str, str, list[tuple[int, float]]]]) -> None:
    for (label, marker, points), colour in zip(curves, ("tab:blue", "tab:orange")):
        axes.plot(*zip(*points), marker=marker, color=colour, label=label)
    values = [value for _, _, points in curves for _, value in points]
    if min(values) > 0 and max(values) > 5 * min(values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("labelled frames added by the run")
    axes.set_ylabel("RMSE of forces (eV/Å)")
    axes.set_title("Errors of the models", fontsize="medium", loc="left")
    axes.legend(frameon=False)


def _classes(axes: Axes, rows: Sequence[IterationRow]) -> None:
    numbers = [int(row.name.partition(".")[2]) for row in rows]
    bottom = np.zeros(len(rows))
    for kind, colour in zip(("accurate", "candidate", "failed"), COLOURS):
        counts = np.array([getattr(row.select, kind) for row in rows], dtype=float)
        share = 100 * counts / [row.select.frames for row in rows if row.select]
        axes.bar(numbers, share, bottom=bottom, color=colour, label=kind)
        bottom += share
    if len(numbers) <= 20:
        axes.set_xticks(numbers)
    axes.set_ylim(0, 100)
    axes.set_xlabel("iteration")
    axes.set_ylabel("explored frames (%)")
    axes.set_title("Explored frames by class", fontsize="medium", loc="left", pad=24)
    axes.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _given(points: Sequence[tuple[int, Optional[float]]]) -> list[tuple[int, float]]:
    return [(number, value) for number, value in points if value is not None]


def _shown(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Not more points than can be seen; peaks are kept."""
    finite = np.isfinite(curve.values)
    steps, values = curve.steps[finite], curve.values[finite]
    if values.size <= POINTS:
        return steps, values
    stretches = np.array_split(np.arange(values.size), POINTS)
    kept = [part[np.argmax(values[part])] for part in stretches]
    return steps[kept], values[kept]


def _value_axis(axes: Axes, values: np.ndarray, scale: Scale) -> None:
    finite = values[np.isfinite(values) & (values > 0)]
    if finite.size and finite.max() > SPREAD * np.percentile(finite, 5):
        axes.set_yscale("log")
        axes.set_ylim(bottom=0.7 * float(np.percentile(finite, 1)))
    else:
        axes.set_ylim(bottom=0)
    low, high = axes.get_ylim()
    drawn = [limit for limit in scale.window or () if low <= limit <= 3 * high]
    for limit in drawn:
        axes.axhline(limit, color="black", linestyle="--", linewidth=0.8)
    axes.set_ylim(top=max([high, *(1.1 * limit for limit in drawn)]))
    axes.set_ylabel(scale.label)


def _legend_by_temperature(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    order: list[Any] = sorted(range(len(labels)), key=lambda place: float(labels[place][:-2]))
    axes.legend([handles[n] for n in order], [labels[n] for n in order], frameon=False)
