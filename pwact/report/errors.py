"""Errors of a model on labels that it was not trained on: in all, and where they come from.

Energies are compared per atom (eV), forces by their components (eV/Å): root mean square (RMSE),
mean of the absolute values (MAE), and the atom whose force is farthest off (by the norm).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Optional

import numpy as np

from pwact.report.parity import Compared
from pwact.report.records import ErrorRecord, IterationRow, TrainRecord
from pwact.report.table import ABSENT, aligned

ALL, STRUCTURE, TEMPERATURE, ELEMENT = "all", "structure", "temperature", "element"
KINDS = (ALL, STRUCTURE, TEMPERATURE, ELEMENT)
UNKNOWN = "not known"


def error_records(frames: Sequence[Compared]) -> list[ErrorRecord]:
    """Errors of all frames, then by structure, by temperature and by element; none without frames.

    Structures and elements come in the order of their names, temperatures ascending.
    """
    if not frames:
        return []
    found = [_of_frames(ALL, "", frames)]
    for name in sorted({one.structure for one in frames}):
        found.append(_of_frames(STRUCTURE, name, [one for one in frames if one.structure == name]))
    temps = sorted({one.temp_k for one in frames}, key=lambda temp: (temp is None, temp or 0.0))
    for temp in temps:
        mine = [one for one in frames if one.temp_k == temp]
        found.append(_of_frames(TEMPERATURE, temperature_words(temp), mine))
    symbols = sorted({str(symbol) for one in frames for symbol in np.unique(one.symbols)})
    return found + [_of_element(symbol, frames) for symbol in symbols]


def temperature_words(temp_k: Optional[float]) -> str:
    """``300 K``."""
    return UNKNOWN if temp_k is None else f"{temp_k:g} K"


def _of_frames(kind: str, name: str, frames: Sequence[Compared]) -> ErrorRecord:
    energies = np.array([one.energy_error for one in frames])
    energies = energies[np.isfinite(energies)]
    rmse = mae = None
    if len(energies):
        rmse, mae = float(np.sqrt(np.mean(energies**2))), float(np.mean(np.abs(energies)))
    forces = np.concatenate([one.force_error for one in frames])
    return ErrorRecord(
        *(kind, name, len(frames), len(forces), len(energies), rmse, mae), *_of_forces(forces)
    )


def _of_element(symbol: str, frames: Sequence[Compared]) -> ErrorRecord:
    parts = [one.force_error[one.symbols == symbol] for one in frames]
    forces = np.concatenate(parts)
    counted = sum(len(part) > 0 for part in parts)
    return ErrorRecord(ELEMENT, symbol, counted, len(forces), 0, None, None, *_of_forces(forces))


def _of_forces(difference: np.ndarray) -> tuple[float, float, float]:
    """RMSE and MAE of the components, and the largest norm; `difference` has the shape (N, 3)."""
    rmse = float(np.sqrt(np.mean(difference**2)))
    worst = float(np.max(np.linalg.norm(difference, axis=1)))
    return rmse, float(np.mean(np.abs(difference))), worst


def pooled(records: Iterable[ErrorRecord]) -> list[ErrorRecord]:
    """One record a group, of several iterations together, in the order of `error_records`."""
    groups: dict[tuple[str, str], list[ErrorRecord]] = {}
    for one in records:
        groups.setdefault((one.kind, one.name), []).append(one)
    return [_pooled(groups[key]) for key in sorted(groups, key=_place)]


def _place(key: tuple[str, str]) -> tuple[int, float, str]:
    kind, name = key
    first = name.partition(" ")[0]
    number = float(first) if kind == TEMPERATURE and name != UNKNOWN else float("inf")
    return KINDS.index(kind), number, name


def _pooled(records: Sequence[ErrorRecord]) -> ErrorRecord:
    atoms = [one.atoms for one in records]
    energies = [one.energies for one in records]
    known = sum(energies) > 0
    squares = [(one.rmse_e or 0.0) ** 2 for one in records]
    return ErrorRecord(
        records[0].kind,
        records[0].name,
        sum(one.frames for one in records),
        sum(atoms),
        sum(energies),
        float(np.sqrt(np.average(squares, weights=energies))) if known else None,
        float(np.average([one.mae_e or 0.0 for one in records], weights=energies))
        if known
        else None,
        float(np.sqrt(np.average([one.rmse_f**2 for one in records], weights=atoms))),
        float(np.average([one.mae_f for one in records], weights=atoms)),
        max(one.worst_f for one in records),
    )


_HEADINGS = (
    ("", "", "energy RMSE", "MAE", "force RMSE", "MAE", "worst atom"),
    ("", "", "meV/atom", "meV/atom", "eV/Å", "eV/Å", "eV/Å"),
)


def error_table(records: Sequence[ErrorRecord], counted: str = "labels") -> str:
    """Errors of each group in a line, under two heading lines; at most 80 columns wide.

    What is not known is shown as ``-``; long names lose their beginning. The frames are `counted`
    under that heading.
    """
    lines = error_cells(records, counted)
    for cells in lines[len(_HEADINGS) :]:
        name = cells[0]
        cells[0] = name if len(name) <= _WIDEST else "…" + name[1 - _WIDEST :]
    return aligned(lines)


def error_cells(records: Sequence[ErrorRecord], counted: str = "labels") -> list[list[str]]:
    """The cells of that table, the two heading lines first, with all names in full."""
    heads = [list(line) for line in _HEADINGS]
    heads[0][1] = counted
    return [*heads, *(_cells(one) for one in records)]


def _cells(one: ErrorRecord) -> list[str]:
    return [
        one.name or ALL,
        str(one.frames),
        *(ABSENT if value is None else f"{1000 * value:.2f}" for value in (one.rmse_e, one.mae_e)),
        *(f"{value:.4f}" for value in (one.rmse_f, one.mae_f, one.worst_f)),
    ]


_WIDEST = 12
_LARGE = 999.5


def digits(value: float) -> str:
    """Three significant digits, and no power of ten where the number is large: ``1895``."""
    return f"{value:.3g}" if abs(value) < _LARGE else f"{value:.0f}"


def error_words(one: ErrorRecord) -> str:
    """``energy 1.9 meV/atom, forces 0.0241 eV/Å (MAE 0.018, worst atom 0.11)``."""
    energy = "" if one.rmse_e is None else f"energy {digits(1000 * one.rmse_e)} meV/atom, "
    return (
        f"{energy}forces {one.rmse_f:.3g} eV/Å (MAE {one.mae_f:.3g}, worst atom {one.worst_f:.3g})"
    )


def valid_words(before: TrainRecord, now: TrainRecord) -> str:
    """Errors on the validation data: ``forces 0.122 → 0.026 eV/Å``; "" where there are none.

    Parameters
    ----------
    before
        Of the models of an earlier training; may be the same, or have none.
    """
    parts = [
        _change("forces", before.valid_rmse_f, now.valid_rmse_f, 1.0, "eV/Å"),
        _change("energy", before.valid_rmse_e, now.valid_rmse_e, 1000.0, "meV/atom"),
    ]
    return ", ".join(part for part in parts if part)


def _change(
    what: str, before: Optional[float], now: Optional[float], scale: float, unit: str
) -> str:
    if now is None:
        return ""
    first = "" if before is None or before == now else f"{digits(scale * before)} → "
    return f"{what} {first}{digits(scale * now)} {unit}"


def largest_words(records: Sequence[ErrorRecord]) -> str:
    """Which element, temperature and structure has the largest force error; "" of one alone."""
    found = []
    for kind in (ELEMENT, TEMPERATURE, STRUCTURE):
        mine = [one for one in records if one.kind == kind]
        if len(mine) > 1:
            most = max(mine, key=lambda one: one.rmse_f)
            found.append(f"{most.name} {most.rmse_f:.3g}")
    return f"largest force errors: {', '.join(found)}" if found else ""


def final_errors(records: Sequence[ErrorRecord]) -> list[str]:
    """Errors of the force field that a run ends with, in words; none where they are not known."""
    if not records:
        return []
    lines = [
        f"force field on {records[0].frames} frames of valid_data:",
        f"  {error_words(records[0])}",
        f"  {largest_words(records)}",
    ]
    return [line for line in lines if line.strip()]


def error_tables(rows: Sequence[IterationRow]) -> list[str]:
    """All errors of all iterations and of the force field, as headings and tables."""
    lines: list[str] = []
    for row in rows:
        if row.errors:
            lines += ["", f"{row.name}, new labels:", error_table(row.errors)]
        if row.on_valid:
            lines += ["", "the force field, valid_data:", error_table(row.on_valid, "frames")]
    return lines


def row_errors(rows: Sequence[IterationRow]) -> list[str]:
    """The newest errors in words: on new labels, and on the validation data since the beginning."""
    labelled = [row for row in rows if row.errors]
    trained = [row for row in rows if row.train.valid_rmse_f is not None]
    lines = []
    if labelled:
        row = labelled[-1]
        lines = [
            f"{row.name}, {row.errors[0].frames} new labels before training on them:",
            f"  {error_words(row.errors[0])}",
            f"  {largest_words(row.errors)}",
        ]
    if trained:
        words = valid_words(trained[0].train, trained[-1].train)
        lines.append(f"{trained[-1].name}, valid_data: {words}")
    if final := [row for row in rows if row.on_valid]:
        lines += final_errors(final[-1].on_valid)
    return [line for line in lines if line.strip()]
