"""Parity plots: what the exploring models said, against the labels that followed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.report.parity import Compared
from pwact.report.plots import save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 20000  # of more force components so many are drawn, evenly spread


def parity(path: Path, groups: Sequence[tuple[str, Sequence[Compared]]]) -> bool:
    """Draw force components, and energies where they are known, of model against label.

    Parameters
    ----------
    groups
        Name of each iteration and its frames; iterations have colours from dark to light.

    Returns
    -------
    bool
        Whether there was a frame to draw.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    shown = [(name, frames) for name, frames in groups if frames]
    if not shown:
        return False
    everything = [one for _, frames in shown for one in frames]
    energies = any(np.isfinite(one.energy_error) for one in everything)
    figure = Figure(figsize=(5.0 * (1 + energies), 4.6), layout="constrained")
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(shown)))
    forces = figure.add_subplot(1, 1 + energies, 1)
    share = max(1, sum(one.label_forces.size for one in everything) // POINTS)
    for (name, frames), colour in zip(shown, colours):
        label, model = (
            np.concatenate([np.ravel(getattr(one, side)) for one in frames])
            for side in ("label_forces", "model_forces")
        )
        _points(forces, label[::share], model[::share], colour, name)
    rmse = _rms(np.concatenate([one.force_error for one in everything]))
    _finish(forces, f"Forces, RMSE {rmse:.3g} eV/Å", "eV/Å")
    if energies:
        _energies(figure.add_subplot(1, 2, 2), shown, colours)
    _legend(forces)
    save(figure, path)
    return True


def _energies(
    axes: Axes, groups: Sequence[tuple[str, Sequence[Compared]]], colours: np.ndarray
) -> None:
    errors = []
    for (name, frames), colour in zip(groups, colours):
        known = [one for one in frames if np.isfinite(one.energy_error)]
        label = np.array([one.energies[0] / len(one.symbols) for one in known])
        model = np.array([one.energies[1] / len(one.symbols) for one in known])
        errors.append(1000 * (model - label))
        _points(axes, label, model, colour, name, size=16.0)
    rmse = _rms(np.concatenate(errors))
    _finish(axes, f"Energies, RMSE {rmse:.3g} meV/atom", "eV/atom")


def _points(
    axes: Axes, label: np.ndarray, model: np.ndarray, colour: Any, name: str, size: float = 6.0
) -> None:
    axes.scatter(label, model, s=size, color=[colour], linewidths=0, rasterized=True, label=name)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _finish(axes: Axes, title: str, unit: str) -> None:
    """The diagonal, equal axes, and what they are."""
    low = min(axes.get_xlim()[0], axes.get_ylim()[0])
    high = max(axes.get_xlim()[1], axes.get_ylim()[1])
    axes.plot([low, high], [low, high], color="black", linewidth=0.8, zorder=0)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal")
    axes.set_xlabel(f"label ({unit})")
    axes.set_ylabel(f"model before training on it ({unit})")
    axes.set_title(title, fontsize="medium", loc="left")


def _legend(axes: Axes) -> None:
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 8:  # the first, the last, and some between
        places = np.linspace(0, len(names) - 1, 8).round().astype(int).tolist()
        handles, names = ([column[place] for place in places] for column in (handles, names))
    axes.legend(handles, names, frameon=False, fontsize="small", markerscale=2.0)
