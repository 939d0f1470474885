"""Pictures. They are extras: without matplotlib the work goes on, and one line says so."""

from __future__ import annotations

import logging
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from pwact.io import files

log = logging.getLogger(__name__)

BINS = 100
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

    figure = Figure(figsize=(6.4, 4.8))
    axes = figure.add_subplot()
    shown = np.minimum(values, SHOWN_MAX)
    top = float(shown.max()) or SHOWN_MAX
    axes.hist(shown, bins=BINS, range=(0.0, top), density=True, label=legend(values, lower, upper))
    for limit in (lower, upper):
        axes.axvline(limit, color="black", linestyle="--", linewidth=0.8)
    axes.set_xlabel("largest force deviation of a frame (eV/Å)")
    axes.set_ylabel("density")
    axes.legend()
    with files.replacing(path) as aside:
        FigureCanvasAgg(figure).print_png(str(aside))
    return True


def legend(values: np.ndarray, lower: float, upper: float) -> str:
    """Mean, maximum and the three counts, one a line."""
    accurate = int(np.count_nonzero(values < lower))
    failed = int(np.count_nonzero(values >= upper))
    lines = (
        f"mean {values.mean():.4g}",
        f"max {values.max():.4g}",
        f"accurate {accurate}",
        f"candidate {values.size - accurate - failed}",
        f"error {failed}",
    )
    return "\n".join(lines)


@cache
def _say_once() -> None:
    log.info("no pictures are drawn: matplotlib is not installed")
