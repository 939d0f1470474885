"""Held atoms in the words of ASE and of extended XYZ."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.constraints import FixAtoms, FixBondLength, FixCartesian, FixScaled

from pwact.fixed_atoms import fix, fixed_of
from pwact.formats.extxyz_head import read_head
from pwact.formats.moving import mask_columns, put_mask, take_constraints

ROOT = Path(__file__).parents[2]
CELL = [[3.0, 0, 0], [0.4, 3.5, 0], [0.5, 0.6, 12.0]]


def free() -> Atoms:
    return Atoms("Cu3", [[0, 0, 0], [1.5, 1.7, 1.8], [0, 0, 3.6]], cell=CELL, pbc=True)


def test_constraints_of_ase() -> None:
    atoms = free()
    atoms.set_constraint(
        [FixAtoms([-1]), FixCartesian(0, [0, 0, 1]), FixScaled(1, [True, False, False])]
    )
    assert take_constraints(atoms) == []
    assert fixed_of(atoms).tolist() == [[0, 0, 1], [1, 0, 0], [1, 1, 1]]
    other = free()
    other.set_constraint([FixAtoms(mask=[True, False, True]), FixBondLength(0, 1)])
    assert take_constraints(other) == ["FixBondLengths"]
    assert fixed_of(other).tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    other = free()
    other.set_constraint(FixCartesian(0, [1, 0, 0]))
    with pytest.raises(ValueError, match="held along x alone"):
        take_constraints(other)


def text_of(atoms: Atoms) -> str:
    columns, words = mask_columns(atoms)
    cell = " ".join(map(str, atoms.cell.array.ravel()))
    head = f'Lattice="{cell}" Properties=species:S:1:pos:R:3{columns} pbc="T T T"'
    rows = [
        f"{symbol} {' '.join(map(str, place))}{word}"
        for symbol, place, word in zip(atoms.symbols, atoms.positions, words)
    ]
    return "\n".join([str(len(atoms)), head, *rows]) + "\n"


def read(text: str) -> Atoms:
    _, head, *rows = text.splitlines()
    atoms = free()
    put_mask(atoms, read_head(head), [row.split() for row in rows])
    return atoms


@pytest.mark.parametrize(
    ("fixed", "columns"),
    [
        ([[1, 1, 1], [0, 0, 0], [1, 1, 1]], ":move_mask:L:1"),
        ([[1, 1, 1], [0, 0, 1], [0, 1, 1]], ":move_mask:L:3"),
        ([[0, 0, 0]] * 3, ""),
    ],
)
def test_columns_of_extended_xyz_are_those_of_ase(fixed: list[list[int]], columns: str) -> None:
    atoms = free()
    fix(atoms, np.array(fixed))
    text = text_of(atoms)
    assert mask_columns(atoms)[0] == columns
    assert fixed_of(read(text)).tolist() == fixed
    by_ase = ase.io.read(io.StringIO(text), format="extxyz")
    take_constraints(by_ase)
    assert fixed_of(by_ase).tolist() == fixed


@pytest.mark.parametrize("word", ["X", "2", ""])
def test_a_mask_that_is_none(word: str) -> None:
    atoms = free()
    fix(atoms, np.array([1, 0, 0]))
    text = text_of(atoms).replace("3.6 T", f"3.6 {word or 'TF'}")
    with pytest.raises(ValueError, match="move_mask must be T"):
        read(text)
    wide = text_of(atoms).replace("move_mask:L:1", "move_mask:L:2").replace(" T\n", " T T\n")
    with pytest.raises(ValueError, match="move_mask has 2 columns"):
        read(wide.replace(" F\n", " F F\n"))


def test_what_ase_writes_is_read(tmp_path: Path) -> None:
    for constraint, wanted in (
        (FixAtoms([0, 2]), [[1, 1, 1], [0, 0, 0], [1, 1, 1]]),
        (  # one for each atom: ASE 3.26 writes those that it is not asked for as held
            [FixCartesian(atom, [False, False, atom == 1]) for atom in range(3)],
            [[0, 0, 0], [0, 0, 1], [0, 0, 0]],
        ),
    ):
        atoms = free()
        atoms.set_constraint(constraint)
        ase.io.write(tmp_path / "a.xyz", atoms, columns=["symbols", "positions", "move_mask"])
        assert fixed_of(read((tmp_path / "a.xyz").read_text())).tolist() == wanted


def test_a_label_without_held_atoms_begins_without_the_constraints_of_ase() -> None:
    """Which import scipy: that took most of the time in which such a program begins."""
    text = "import sys, pwact.engines.ase.worker; print('ase.constraints' in sys.modules)"
    words = [sys.executable, "-c", text]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
