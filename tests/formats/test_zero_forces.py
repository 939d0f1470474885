"""Forces that are exactly 0 on the same atoms, frame by frame."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from pwact.formats.labels import set_labels
from pwact.formats.zero_forces import ZeroForces


def frame(forces: np.ndarray, symbols: str = "SiC") -> Atoms:
    atoms = Atoms(symbols, np.zeros((len(forces), 3)), cell=[4, 5, 6], pbc=True)
    set_labels(atoms, -1.0, forces)
    return atoms


def words(*forces: list[list[float]], least: int = 1) -> list[str]:
    zeros = ZeroForces()
    for one in forces:
        zeros.add(frame(np.array(one, dtype=float)))
    return zeros.words(least)


STILL = [[0, 0, 0], [1, 2, 3]]


def test_the_same_atom_in_all_frames() -> None:
    (said,) = words(STILL, [[0, 0, 0], [0, 0, -1e-9]])
    assert said.startswith("the forces on 1 of 2 atoms are exactly 0 in all 2 frames (atoms 1): if")
    (said,) = words(STILL)
    assert "exactly 0 in one frame (atoms 1)" in said


@pytest.mark.parametrize(
    "forces",
    [
        [STILL, [[1e-9, 0, 0], [1, 0, 0]]],  # not in all
        [STILL, [[1, 0, 0], [0, 0, 0]]],  # each atom once
        [[[0, 0, 0], [0, 0, 0]]] * 3,  # a perfect crystal
        [],
    ],
    ids=["once", "in turn", "no force at all", "no frame"],
)
def test_nothing_to_say(forces: list[list[list[float]]]) -> None:
    assert words(*forces) == []


def test_frames_without_any_force_say_nothing() -> None:
    assert words(STILL, [[0, 0, 0], [0, 0, 0]], least=2) == []
    assert len(words(STILL, [[0, 0, 0], [0, 0, 0]], STILL, least=2)) == 1


def test_each_kind_for_itself_and_a_few_numbers() -> None:
    zeros = ZeroForces()
    forces = np.zeros((14, 3))
    forces[-1] = 1
    zeros.add(frame(forces, "Si14"))
    zeros.add(frame(np.array(STILL)[::-1]))
    many, one = zeros.words()
    assert "on 13 of 14 atoms" in many
    assert "(atoms 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 …)" in many
    assert "on 1 of 2 atoms are exactly 0 in one frame (atoms 2)" in one
