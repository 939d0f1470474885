from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import TaskError
from pwact.formats.same_frame import match_frames, same_frame


def frame(number: int) -> Atoms:
    rng = np.random.default_rng(number)
    atoms = Atoms("AuAg2Au", cell=[[5, 0.3, 0], [1, 6, 0.2], [0, -1, 7]], pbc=True)
    atoms.set_scaled_positions(rng.uniform(0, 1, (4, 3)))
    return atoms


def test_order_of_elements_and_lattice_vectors_do_not_matter() -> None:
    atoms = frame(0)
    other = atoms[[1, 2, 0, 3]]
    other.positions += other.cell.array[0] - 2 * other.cell.array[2] + 5e-4
    assert same_frame(atoms, other)


def test_everything_else_does() -> None:
    atoms = frame(0)
    moved, strained, swapped = atoms.copy(), atoms.copy(), atoms[[0, 2, 1, 3]]
    moved.positions[2, 1] += 2e-3
    strained.set_cell(atoms.cell.array + 2e-3)
    renamed = atoms.copy()
    renamed.numbers[0] = 29
    for other in (moved, strained, swapped, renamed, atoms[:3], frame(1)):
        assert not same_frame(atoms, other)


def test_each_candidate_is_found_once() -> None:
    candidates = [frame(number) for number in (0, 1, 1, 2)]
    path = Path("select.xyz")
    assert match_frames([frame(1), frame(2), frame(1)], candidates, [], path) == [1, 3, 2]
    assert match_frames([frame(1), frame(1)], candidates, [2], path) == [2, 1]
    with pytest.raises(TaskError, match=r"select\.xyz: frame 2 is frame 1 of those given"):
        match_frames([frame(1)] * 3, candidates, [2, 1], path)
