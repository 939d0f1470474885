"""Pictures. They are extras: without matplotlib the work goes on, and one line says so."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pwact.io import files

log = logging.getLogger(__name__)

BINS = 100  # at most
COLOURS = ("tab:green", "tab:blue", "tab:red")  # accurate, candidate, failed
SHOWN_MAX = 1.0  # larger deviations are counted here, so that a few do not flatten the rest


def deviation_histogram(path: Path, max_devi_f: np.ndarray, lower: float, upper: float) -> bool:
    """Draw ``model_devi_distribution.png``.

    Parameters
    ----------
    path
        The picture to write.
    max_devi_f
        Deviations of all frames, shape (n,), in eV/Å; rows that are not finite are left out.
    lower, upper
        Limits of the window, ``lower <= deviation < upper`` is a candidate.

    Returns
    -------
    bool
        Whether a picture was drawn: not without matplotlib or without frames.
    """
    values = np.asarray(max_devi_f, dtype=float)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return False
    if find_spec("matplotlib") is None:
        _say_once()
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    shown = np.minimum(values, SHOWN_MAX)
    edge = 1.05 * max(float(shown.max()), lower) or SHOWN_MAX
    found = classes(values, lower, upper)
    axes.hist(
        [shown[chosen] for chosen in found.values()],
        bins=_bins(values.size),
        range=(0.0, edge),
        stacked=True,
        color=list(COLOURS),
        label=[_share(name, chosen) for name, chosen in found.items()],
    )
    for limit in (lower, upper):
        if limit <= edge:
            axes.axvline(limit, color="black", linestyle="--", linewidth=0.8)
    axes.set_xlim(0.0, edge)
    axes.set_xlabel("largest force deviation of a frame (eV/Å)")
    axes.set_ylabel("frames")
    axes.set_title(heading(values, lower, upper), fontsize="medium", loc="left")
    axes.legend(frameon=False)
    with files.replacing(path) as aside:
        FigureCanvasAgg(figure).print_png(str(aside))
    return True


def heading(values: np.ndarray, lower: float, upper: float) -> str:
    """Count, mean, largest deviation and window; and how many frames lie beyond the picture."""
    beyond = int(np.count_nonzero(values > SHOWN_MAX))
    lines = [
        f"{values.size} frames, mean {values.mean():.4g}, largest {values.max():.4g} eV/Å, "
        f"window {lower:g} to {upper:g}"
    ]
    if beyond:
        lines.append(f"{beyond} frames above {SHOWN_MAX:g} eV/Å are drawn there")
    return "\n".join(lines)


def classes(values: np.ndarray, lower: float, upper: float) -> dict[str, np.ndarray]:
    """Class → which of the frames are in it, shape (n,), bool."""
    failed = values >= upper
    accurate = (values < lower) & ~failed
    return {"accurate": accurate, "candidate": ~accurate & ~failed, "failed": failed}


def _share(name: str, chosen: np.ndarray) -> str:
    count = int(np.count_nonzero(chosen))
    return f"{name} {count} ({100 * count / chosen.size:.1f} %)"


def _bins(frames: int) -> int:
    """So many bins that a typical one holds several frames."""
    return int(min(BINS, max(10, 3 * np.sqrt(frames))))


@cache
def _say_once() -> None:
    log.info("no pictures are drawn: matplotlib is not installed")
