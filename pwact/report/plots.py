"""Pictures. They are extras: without matplotlib the work goes on, and one line says so."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.io import files
from pwact.report.measure import Measure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

BINS = 100  # at most
COLOURS = ("0.75", "tab:blue", "tab:orange")  # accurate, candidate, failed: seen by all eyes
SHOWN_MAX = 1.0  # larger deviations are counted here, so that a few do not flatten the rest


@dataclass(frozen=True)
class _Axis:
    """How values become bars; values beyond `largest` are drawn there."""

    label: str
    edges: np.ndarray
    title: str
    scale: str = "linear"
    largest: float = np.inf
    unit: str = ""


def histogram(
    path: Path,
    values: np.ndarray,
    limits: tuple[float, float],
    measure: Measure,
    title: str = "",
) -> bool:
    """Draw ``model_devi_distribution.png``.

    Parameters
    ----------
    path
        The picture to write.
    values
        Uncertainties of all frames, shape (n,); those that are not finite are failed frames without
        a usable value, drawn at the right end. On an axis of decades values that are not above
        zero are drawn at the left end.
    limits
        Lower and upper limit of the window, ``lower <= value < upper`` is a candidate; without
        limits -inf and inf, and no classes are named.

    title
        Stands above the counts.

    Returns
    -------
    bool
        Whether a picture was drawn: not without matplotlib or without a value that can be drawn.
    """
    values = np.asarray(values, dtype=float)
    axis = (_decades if measure.decades else _linear)(values, limits, measure)
    if axis is not None and title:
        axis = replace(axis, title=f"{title}\n{axis.title}")
    return axis is not None and _draw(path, values, limits, axis)


def _linear(values: np.ndarray, limits: tuple[float, float], measure: Measure) -> Optional[_Axis]:
    finite = _finite(values)
    if not finite.size:
        return None
    edge = 1.05 * max(float(min(finite.max(), SHOWN_MAX)), limits[0]) or SHOWN_MAX
    return _Axis(
        measure.of_a_frame,
        np.linspace(0.0, edge, _bins(values.size) + 1),
        heading(values, *limits, measure.unit),
        largest=SHOWN_MAX,
        unit=measure.unit,
    )


def _decades(values: np.ndarray, limits: tuple[float, float], measure: Measure) -> Optional[_Axis]:
    finite = _finite(values)
    positive = finite[finite > 0]
    if not positive.size:
        return None
    low, high = 0.9 * float(positive.min()), 1.1 * float(positive.max())
    lower, upper = limits
    window = f", window {lower:.4g} to {upper:.4g}" if np.isfinite(upper) else ""
    largest = f"largest {finite.max():.4g} {measure.unit}".rstrip()
    return _Axis(
        measure.of_a_frame,
        np.geomspace(low, high, _bins(values.size) + 1),
        f"{values.size} frames, mean {finite.mean():.4g}, {largest}{window}{_unusable(values)}",
        "log",
        unit=measure.unit,
    )


def _finite(values: np.ndarray) -> np.ndarray:
    numbers: np.ndarray = np.asarray(values, dtype=float)
    finite: np.ndarray = numbers[np.isfinite(numbers)]
    return finite


def _draw(path: Path, values: np.ndarray, window: tuple[float, float], axis: _Axis) -> bool:
    if not _drawable():
        return False
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    edges = on_edges(axis.edges, window)
    low, high = float(edges[0]), float(edges[-1])
    shown = np.where(np.isfinite(values), np.clip(values, low, min(high, axis.largest)), high)
    found = classes(values, *window)
    axes.hist(
        [shown[chosen] for chosen in found.values()],
        bins=edges.tolist(),
        stacked=True,
        color=list(COLOURS),
        label=[_share(name, chosen) for name, chosen in found.items()],
    )
    for limit, which, style in zip(window, ("lower", "upper"), ("--", "-.")):
        if low <= limit <= high:
            words = f"{which} limit {limit:.3g} {axis.unit}".rstrip()
            axes.axvline(limit, color="black", linestyle=style, linewidth=0.8, label=words)
    axes.set_xscale(axis.scale)
    axes.set_xlim(low, high)
    axes.set_xlabel(axis.label)
    axes.set_ylabel("frames")
    axes.set_title(axis.title, fontsize="medium", loc="left")
    if np.isfinite(window[1]):
        axes.legend(frameon=False)
    save(figure, path)
    return True


def on_edges(edges: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Edges of bars, of which the one nearest to a limit lies on it: no bar has two classes.

    Parameters
    ----------
    edges
        Ascending, shape (n,); the first and the last stay.
    """
    low, high = edges[0], edges[-1]
    kept = list(edges[1:-1])
    inside = sorted({limit for limit in limits if low < limit < high})
    for limit in inside:
        if limit in kept:
            continue
        others = [edge for edge in kept if edge not in inside]
        if others:
            kept.remove(min(others, key=lambda edge: abs(edge - limit)))
        kept.append(limit)
    return np.array([low, *sorted(set(kept)), high])


def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the path ends with; the same gives the same bytes."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    form = path.suffix[1:]
    stamp = {"Date": None} if form == "svg" else None
    with files.replacing(path) as aside, rc_context({"svg.hashsalt": "pwact"}):
        FigureCanvasAgg(figure).print_figure(str(aside), format=form, metadata=stamp, dpi=120)


def heading(values: np.ndarray, lower: float, upper: float, unit: str) -> str:
    """Count, mean, largest value and window; and how many frames lie beyond the picture."""
    finite = _finite(values)
    beyond = int(np.count_nonzero(finite > SHOWN_MAX))
    window = f", window {lower:g} to {upper:g}" if np.isfinite(upper) else ""
    words = f"{values.size} frames, mean {finite.mean():.4g}, largest {finite.max():.4g} {unit}"
    if beyond:
        window += f"\n{beyond} frames above {SHOWN_MAX:g} {unit} are drawn there"
    return words + window + _unusable(values)


def _unusable(values: np.ndarray) -> str:
    count = values.size - _finite(values).size
    return f"\n{count} failed frames without a usable value are drawn at the right" if count else ""


def classes(values: np.ndarray, lower: float, upper: float) -> dict[str, np.ndarray]:
    """Class → which of the frames are in it, shape (n,), bool.

    The same as `pwact.query.window.classify` of frames that failed where `values` are not finite.
    """
    failed = ~(np.isfinite(values) & (values < upper))  # also where there are no limits
    accurate = (values < lower) & ~failed
    return {"accurate": accurate, "candidate": ~accurate & ~failed, "failed": failed}


def _share(name: str, chosen: np.ndarray) -> str:
    count = int(np.count_nonzero(chosen))
    return f"{name} {count} ({100 * count / chosen.size:.1f} %)"


def _bins(frames: int) -> int:
    """So many bins that a typical one holds several frames."""
    return int(min(BINS, max(10, 3 * np.sqrt(frames))))


@cache
def flaw() -> str:
    """Why nothing can be drawn here; empty if there is a matplotlib that works."""
    if find_spec("matplotlib") is None:
        return "matplotlib is not installed"
    try:
        import_module("matplotlib.backends.backend_agg")
    except Exception as error:  # noqa: BLE001  one that was built for another numpy raises anything
        reason = str(error).partition("\n")[0]
        return f"matplotlib cannot be imported: {type(error).__name__}: {reason}"
    return ""


@cache
def _drawable() -> bool:
    """Whether pictures are drawn; if not, one line says so, once."""
    if reason := flaw():
        level = logging.WARNING if find_spec("matplotlib") else logging.INFO
        logger.log(level, "no pictures are drawn: %s", reason)
    return not reason
