"""Labels that cannot be right are found; honest data of many kinds are left in peace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Optional

import numpy as np
import pytest

from pwact.query.outliers import Labelled, outliers

RANDOM = np.random.default_rng(3)
BASE = (-1000.0, -3.5)  # eV per atom of two elements, whose zeros differ by much


def frames(
    counts: Sequence[Sequence[int]],
    off: Sequence[float],
    force: Optional[Sequence[float]] = None,
    room: float = 15.0,
) -> Labelled:
    """Frames with energies `off` eV per atom off those of their elements."""
    table = np.array(counts)
    atoms = table.sum(axis=1)
    energy = table @ BASE[: table.shape[1]] + np.array(off) * atoms
    strong = np.ones(len(atoms)) if force is None else np.array(force, dtype=float)
    volume = room * atoms.astype(float)
    return Labelled(table, energy, strong, 0.4 * strong, volume, np.full(len(atoms), np.nan))


def md(count: int, atoms: Sequence[int] = (16, 16), width: float = 0.01) -> Labelled:
    """Frames of an MD."""
    return frames([atoms] * count, RANDOM.normal(0, width, count), RANDOM.uniform(0.5, 3, count))


def joined(*parts: Labelled) -> Labelled:
    names = ("counts", "energy", "force", "mean_force", "volume", "virial")
    return Labelled(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def changed(data: Labelled, name: str, row: int, value: float) -> Labelled:
    array = getattr(data, name).copy()
    array[row] = value
    return replace(data, **{name: array})


ALLOYS = [[n, 32 - n] for n in range(4, 28)]
SPOILT: list[tuple[str, Labelled, str, int]] = [
    ("a misplaced decimal point", changed(md(9), "energy", 4, 1e6), "energy", 4),
    ("ten times too low", changed(md(9), "energy", 2, 10 * md(9).energy[2]), "energy", 2),
    ("an atom's worth", changed(md(9), "energy", 8, md(9).energy[8] + 60), "energy", 8),
    ("alone among compositions", frames(ALLOYS, [0.0] * 9 + [-40.0] + [0.1] * 14), "energy", 9),
    ("of one frame", frames([[4, 4]], [900.0]), "energy", 0),
    ("in all data", changed(md(3), "force", 1, 1e6), "force", 1),
    ("a strong force for nothing", changed(md(9), "force", 3, 120.0), "force", 3),
    ("a virial", changed(md(9), "virial", 3, 1e6), "virial", 3),
    (
        "a virial beside others",
        changed(replace(md(9), virial=np.full(9, 20.0)), "virial", 5, 1500.0),
        "virial",
        5,
    ),
]


@pytest.mark.parametrize(("name", "data", "kind", "row"), SPOILT, ids=[one[0] for one in SPOILT])
def test_what_cannot_be_right(name: str, data: Labelled, kind: str, row: int) -> None:
    found = outliers(data)
    assert np.flatnonzero(getattr(found, kind)).tolist() == [row], name
    others = {"energy", "force", "virial"} - {kind}
    assert not any(getattr(found, other).any() for other in others)


def close_pairs(distances: Any) -> Labelled:
    """Dimers, whose repulsion falls off over 0.3 Å: energies go with forces."""
    force = 10.0 * np.exp((2.0 - np.asarray(distances)) / 0.3)
    return frames([[0, 2]] * len(force), 0.5 * 0.3 * force, force, room=500.0)


HONEST: list[tuple[str, Labelled]] = [
    ("an MD", md(500)),
    ("two frames", frames([[8, 8]] * 2, [0.0, 0.3])),
    ("many compositions", frames(ALLOYS, RANDOM.normal(0, 0.05, 24))),
    ("crystal and melt", joined(md(95), frames([[16, 16]] * 5, [0.6] * 5, [4.0] * 5))),
    ("atoms alone", joined(md(50), frames([[1, 0], [0, 1]], [6.0, 9.0], [0, 0], room=1000.0))),
    ("dimers", joined(md(50), close_pairs(np.linspace(0.9, 3.0, 20)))),
    ("close atoms in a crystal", joined(md(20), frames([[16, 16]], [60 / 32], [200.0]))),
    (
        "an equation of state",
        joined(
            *(
                frames([[2, 2]], [20 * x * x], [0], room=15 * (1 + x))
                for x in np.linspace(-0.3, 0.3, 13)
            )
        ),
    ),
    (
        "a molecule that breaks",
        joined(
            frames([[1, 2]] * 9, [0.0] * 9, [1] * 9, 300.0), frames([[1, 2]], [3.3], [0.0], 300.0)
        ),
    ),
    ("structures found by chance", frames([[4, 4]] * 40, RANDOM.exponential(0.5, 40), [0.01] * 40)),
    ("equal frames", frames([[4, 4]] * 9, [0.0] * 9, [0.0] * 9)),
]


@pytest.mark.parametrize(("name", "data"), HONEST, ids=[one[0] for one in HONEST])
def test_honest_data(name: str, data: Labelled) -> None:
    found = outliers(data)
    for kind in ("energy", "force", "virial"):
        assert not getattr(found, kind).any(), f"{name}: {kind}"


def test_the_distance_is_that_from_the_others() -> None:
    data = changed(md(9), "energy", 4, 1e6)
    assert outliers(data).off[4] == pytest.approx(1e6 / 32 + 501.75, abs=0.1)
