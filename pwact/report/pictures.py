"""Pictures of a campaign: how uncertain its frames are, and how its models learn."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np

from pwact.report.plots import COLOURS, save
from pwact.report.records import IterationRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPREAD = 30.0  # from this ratio of values on, an axis is logarithmic
POINTS = 400  # of a line: of more frames the largest of each stretch is drawn
NAMED = 8  # so many conditions have a line of their own in the legend
_STYLES = ("-", "--", ":", "-.")  # of pressures
_LIMITS = (("accurate below", "--"), ("failed from", "-."))
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Curve:
    """The uncertainties of one trajectory.

    Attributes
    ----------
    steps
        MD steps, shape (n,).
    values
        Shape (n,), finite or not.
    temp_k, press_bar, dt_ps
        Temperature (K), pressure (bar) and time step (ps); None where they are not known.
    chosen
        MD steps of the frames that are labelled.
    """

    steps: np.ndarray
    values: np.ndarray
    temp_k: Optional[float]
    press_bar: Optional[float] = None
    dt_ps: Optional[float] = None
    chosen: np.ndarray = field(default_factory=lambda: _NONE)


@dataclass(frozen=True)
class Scale:
    """The uncertainties that are drawn.

    Attributes
    ----------
    label
        Of the axis, with the unit.
    window
        Lower and upper limit; None without.
    unit
        Of the values, for the legend.
    """

    label: str
    window: Optional[tuple[float, float]]
    unit: str = ""


def by_step(path: Path, title: str, curves: Sequence[Curve], scale: Scale) -> None:
    """Draw the uncertainty of each trajectory along its MD, coloured by temperature.

    Against the time where all time steps are known, else against the MD step; frames that are
    labelled are marked.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    temps = sorted({curve.temp_k for curve in curves if curve.temp_k is not None})
    presses = _pressures(curves)
    norm = Normalize(min(temps, default=0.0), max(temps, default=1.0) or 1.0)
    shades = colormaps["viridis"]
    named: set[str] = set()
    timed = all(curve.dt_ps for curve in curves)
    for curve in sorted(curves, key=_by_condition):
        steps, values = _shown(curve)
        colour: Any = "0.4"
        if curve.temp_k is not None:
            colour = shades(0.9 * float(norm(curve.temp_k)) if len(temps) > 1 else 0.4)
        words = _condition(curve, presses)
        scaled = steps * (curve.dt_ps or 1.0) if timed else steps
        label = words if words and words not in named else None
        style = _STYLES[presses.index(curve.press_bar) % len(_STYLES)] if presses else "-"
        axes.plot(scaled, values, style, color=colour, linewidth=1.0, label=label)
        named.add(words)
    named.discard("")
    if len(named) > NAMED:
        bar = figure.colorbar(ScalarMappable(norm, shades), ax=axes)
        bar.set_label("temperature (K)")
        for line in axes.get_lines():
            line.set_label(None)
    _mark_chosen(axes, curves, timed)
    _value_axis(axes, np.concatenate([curve.values for curve in curves]), scale)
    axes.set_xlabel("time (ps)" if timed else "MD step")
    axes.set_title(title, fontsize="medium", loc="left")
    _legend_beside(axes)
    save(figure, path)


def _by_condition(curve: Curve) -> tuple[float, float]:
    return curve.temp_k or 0.0, curve.press_bar or 0.0


def _pressures(curves: Sequence[Curve]) -> list[Optional[float]]:
    """The pressures, if there are several."""
    found = sorted({curve.press_bar for curve in curves}, key=lambda press: press or 0.0)
    return found if len(found) > 1 else []


def _condition(curve: Curve, presses: Sequence[Optional[float]]) -> str:
    """``300 K``, or ``300 K, 30000 bar`` where pressures differ; "" where nothing is known."""
    words = [f"{curve.temp_k:g} K"] if curve.temp_k is not None else []
    if presses and curve.press_bar is not None:
        words.append(f"{curve.press_bar:g} bar")
    return ", ".join(words)


def _mark_chosen(axes: Axes, curves: Sequence[Curve], timed: bool) -> None:
    """Put a mark on each frame that is labelled."""
    places, heights = [], []
    for curve in curves:
        here = np.isin(curve.steps, curve.chosen) & np.isfinite(curve.values)
        places.append(curve.steps[here] * (curve.dt_ps or 1.0) if timed else curve.steps[here])
        heights.append(curve.values[here])
    found = np.concatenate(heights)
    if found.size:
        label = f"labelled ({found.size})"
        axes.plot(
            np.concatenate(places),
            found,
            "o",
            color="tab:red",
            markersize=4.5,
            markerfacecolor="none",
            linestyle="none",
            label=label,
        )


def by_temperature(path: Path, title: str, curves: Sequence[Curve], scale: Scale) -> bool:
    """Draw the spread of the uncertainties at each temperature; whether any is known.

    Pressures are kept apart where there are several. Boxes: see `boxes`.
    """
    presses = _pressures(curves)
    known: dict[tuple[float, float], list[np.ndarray]] = {}
    for curve in curves:
        if curve.temp_k is not None and np.isfinite(curve.values).any():
            place = (curve.temp_k, (curve.press_bar or 0.0) if presses else 0.0)
            known.setdefault(place, []).append(curve.values[np.isfinite(curve.values)])
    if not known:
        return False
    samples = {
        f"{temp:g}" + (f" K\n{press:g} bar" if presses else ""): np.concatenate(known[temp, press])
        for temp, press in sorted(known)
    }
    what = "temperature, pressure" if presses else "temperature (K)"
    boxes(path, title, samples, scale, f"{what}, number of frames")
    return True


def boxes(
    path: Path, title: str, samples: Mapping[str, np.ndarray], scale: Scale, label: str
) -> None:
    """Draw the spread of several samples beside each other.

    Boxes reach from the first to the third quartile, whiskers from the 5th to the 95th percentile.

    Parameters
    ----------
    samples
        What stands below each box, and its values, finite, shape (n,), n > 0.
    label
        Of the axis below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.4, 1.5 + 0.6 * len(samples)), 4.0), layout="constrained")
    axes = figure.add_subplot()
    axes.boxplot(
        list(samples.values()),
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": "0.85"},
        medianprops={"color": "tab:blue", "linewidth": 1.5},
    )
    for place, sample in enumerate(samples.values(), 1):
        axes.plot(place, sample.max(), marker="x", color="0.3", linestyle="none")
    axes.set_xticks(
        range(1, len(samples) + 1),
        [f"{words}\n(n = {sample.size})" for words, sample in samples.items()],
        fontsize="small" if len(samples) > 6 else None,
    )
    _value_axis(axes, np.concatenate(list(samples.values())), scale)
    axes.set_xlabel(label)
    axes.set_title(f"{title}; x: the largest", fontsize="medium", loc="left")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize="small")
    save(figure, path)


def learning_curve(path: Path, rows: Sequence[IterationRow]) -> bool:
    """Draw errors of forces and energies against the number of labels, and the classes of frames.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    from matplotlib.figure import Figure

    labelled = [row.label.labelled if row.label else 0 for row in rows]
    before = [0, *itertools.accumulate(labelled)][: len(rows)]
    forces = _curves(
        (before, [row.train.valid_rmse_f for row in rows]),
        (before, [row.label.rmse_f if row.label else None for row in rows]),
    )
    energies = _curves(
        (before, [_mev(row.train.valid_rmse_e) for row in rows]),
        (before, [_mev(row.errors[0].rmse_e if row.errors else None) for row in rows]),
    )
    classes = [row for row in rows if row.select and row.select.frames]
    painters: list[Callable[[Axes], None]] = []
    for curves, unit in ((forces, "forces (eV/Å)"), (energies, "energies (meV/atom)")):
        if curves:
            painters.append(partial(_errors, curves=curves, unit=unit))
    if classes:
        painters.append(partial(_classes, rows=classes))
    figure = Figure(figsize=(5.0 * len(painters), 3.8), layout="constrained")
    for number, painter in enumerate(painters, 1):
        painter(figure.add_subplot(1, len(painters), number))
    if painters:
        save(figure, path)
    return bool(painters)


_Points = list[tuple[int, float]]
_KINDS = (
    ("first model, validation data", "o", "tab:blue"),
    ("exploring model, new labels", "s", "tab:orange"),
)


def _curves(
    *columns: tuple[Sequence[int], Sequence[Optional[float]]],
) -> list[tuple[tuple[str, str, str], _Points]]:
    """Name, marker and colour, and the points, of those of the two curves that have any."""
    made = [(kind, _given([*zip(*column)])) for kind, column in zip(_KINDS, columns)]
    return [(kind, points) for kind, points in made if points]


def _mev(value: Optional[float]) -> Optional[float]:
    return None if value is None else 1000 * value


def _errors(axes: Axes, curves: Sequence[tuple[tuple[str, str, str], _Points]], unit: str) -> None:
    for (label, marker, colour), points in curves:
        axes.plot(*zip(*points), marker=marker, color=colour, label=label)
    values = [value for _, points in curves for _, value in points]
    if min(values) > 0 and max(values) > 5 * min(values):
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel("labelled frames added by the run")
    axes.set_ylabel(f"RMSE of {unit}")
    what = unit.partition(" ")[0]
    axes.set_title(f"Errors of {what}", fontsize="medium", loc="left")
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
    drawn = []
    for limit, (what, style) in zip(scale.window or (), _LIMITS):
        if low <= limit <= 3 * high:
            drawn.append(limit)
            words = f"{what} {limit:.3g} {scale.unit}".rstrip()
            axes.axhline(limit, color="black", linestyle=style, linewidth=0.8, label=words)
    axes.set_ylim(top=max([high, *(1.1 * limit for limit in drawn)]))
    axes.set_ylabel(scale.label)


def _legend_beside(axes: Axes) -> None:
    """The legend on the right of the picture, if there is anything to explain."""
    if axes.get_legend_handles_labels()[1]:
        beside = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        axes.legend(frameon=False, fontsize="small", **beside)
