"""Frames of any kind, drawn by hypothesis: elements, cells, boundaries, labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase import Atoms
from hypothesis import Phase, settings
from hypothesis import strategies as st

from pwact.formats.labels import set_labels

BOUNDED = settings(
    max_examples=25, derandomize=True, deadline=None, database=None, phases=[Phase.generate]
)
SIZES = (1, 2, 3, 7, 32, 300)
ODD = (0.0, -0.0, 1e-17, -1e-300, 1 / 3, 12345678.901234567, -1e9)  # numbers of many or few digits


@st.composite
def cells(draw: Any) -> np.ndarray:
    """Right-handed lattice vectors as rows, Å, skewed by up to a third of their lengths."""
    lengths = [draw(st.floats(3.0, 40.0)) for _ in range(3)]
    skew = [draw(st.floats(-1 / 3, 1 / 3)) for _ in range(6)]
    a, b, c = lengths
    return np.array(
        [
            [a, skew[0] * b / 3, skew[1] * c / 3],
            [skew[2] * a, b, skew[3] * c / 3],
            [skew[4] * a, skew[5] * b, c],
        ]
    )


MAYBE = st.booleans()
ANY_AXES = st.tuples(MAYBE, MAYBE, MAYBE)
ALL_AXES = st.just((True, True, True))


@st.composite
def frames(
    draw: Any,
    size: int = 0,
    pbc: Any = ANY_AXES,
    virial: Any = MAYBE,
    properties: bool = False,
    largest: int = 118,
) -> Atoms:
    """A labelled frame; numbers without end come from a seed, odd ones stand among them.

    Parameters
    ----------
    size
        Number of atoms, or 0 for any.
    pbc
        Draws the periodic axes.
    virial
        Draws whether there is a virial.
    properties
        Whether atoms have moments and charges.
    largest
        Atomic number.
    """
    count = size or draw(st.sampled_from(SIZES))
    kinds = draw(st.lists(st.integers(1, largest), min_size=1, max_size=min(5, count), unique=True))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cell = draw(cells())
    positions = random.uniform(-1.2, 2.2, (count, 3)) @ cell
    forces = random.normal(scale=draw(st.sampled_from([1e-6, 1.0, 1e4])), size=(count, 3))
    forces[0] = draw(st.tuples(*[st.sampled_from(ODD)] * 3))
    numbers = np.concatenate([kinds, random.choice(kinds, count - len(kinds))])
    atoms = Atoms(random.permutation(numbers), positions, cell=cell, pbc=draw(pbc))
    if properties:
        atoms.set_initial_magnetic_moments(random.normal(size=count))
        atoms.set_initial_charges(random.normal(size=count))
    half = random.normal(size=(3, 3))
    tensor = half + half.T if draw(virial) else None
    set_labels(atoms, draw(st.sampled_from([*ODD, -46822.10548])), forces, tensor)
    return atoms
