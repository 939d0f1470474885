"""What a structure says and nothing carries along is said at check."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms, FixBondLength

from pwact.formats.structure_warnings import warnings
from pwact.formats.structures import read_structure

XYZ = """2
Lattice="5 0 0 0 5 0 0 0 5" Properties=species:S:1:pos:R:3{columns} pbc="{pbc}"
Fe 0 0 0{first}
Fe 1 1 2{first}
"""


def said(path: Path, text: str, structure_format: str) -> list[str]:
    path.write_text(text, encoding="utf-8")
    read_structure(path, structure_format)
    return warnings(path, structure_format)


@pytest.mark.parametrize(
    ("columns", "first", "pbc", "words"),
    [
        ("", "", "T T T", []),
        (":initial_magmoms:R:1", " 2.2", "T T T", []),
        (":initial_charges:R:1", " 1", "T T T", []),
        (":magmoms:R:1", " 2.2", "T T T", ["start from is called initial_magmoms"]),
        (":charge:R:1", " 1", "T T T", ["start from is called initial_charges"]),
        (":move_mask:L:1", " F", "T T T", []),  # carried along
        ("", "", "T T F", []),  # carried along, or refused
    ],
)
def test_extxyz(tmp_path: Path, columns: str, first: str, pbc: str, words: list[str]) -> None:
    text = XYZ.format(columns=columns, first=first, pbc=pbc)
    found = said(tmp_path / "a.xyz", text, "extxyz")
    assert len(found) == len(words)
    assert all(word in one for word, one in zip(words, found))


def test_what_ase_reads(tmp_path: Path) -> None:
    slab: Atoms = fcc111("Ag", (1, 1, 3), vacuum=6.0)
    slab.set_constraint([FixAtoms([0]), FixBondLength(1, 2)])
    slab.set_initial_magnetic_moments([1.0, 0.0, 0.0])
    slab.set_initial_charges([0.1, 0.0, 0.0])
    ase.io.write(tmp_path / "slab.json", slab)
    found = warnings(tmp_path / "slab.json", "json")
    assert found == ["it has constraints (FixBondLengths) that nothing keeps"]
    slab.set_initial_charges(None)
    results = SinglePointCalculator(slab, energy=0.0, magmoms=np.ones(3), charges=np.ones(3))
    slab.calc = results
    ase.io.write(tmp_path / "result.traj", slab)
    found = warnings(tmp_path / "result.traj", "traj")
    assert not any("magnetic moments" in words for words in found)
    assert found[-1].endswith("is called initial_charges")
    ase.io.write(tmp_path / "plain.json", bulk("Ag"))
    assert warnings(tmp_path / "plain.json", "json") == []


DATA = """of two atoms

2 atoms
1 atom types
0 3 xlo xhi
0 3 ylo yhi
0 3 zlo zhi

Masses

1 55.845

Atoms # {style}

1 {first}
2 {second}
"""


@pytest.mark.parametrize(
    ("style", "first", "second", "words"),
    [
        ("atomic", "1 0 0 0", "1 1.5 1.5 1.5", ""),
        ("charge", "1 0.5 0 0 0", "1 -0.5 1.5 1.5 1.5", "charges"),
        ("charge", "1 0 0 0 0", "1 0.0 1.5 1.5 1.5", ""),
        ("full", "1 1 0.5 0 0 0", "1 1 0 1.5 1.5 1.5", "charges"),
        ("spin", "1 0 0 0 0 0 1 2.2", "1 1.5 1.5 1.5 0 0 1 2.2", "spins"),
    ],
)
def test_data_of_a_force_field(
    tmp_path: Path, style: str, first: str, second: str, words: str
) -> None:
    text = DATA.format(style=style, first=first, second=second)
    found = said(tmp_path / "a.lmp", text, "lammps/lmp")
    assert [one.split(",")[0] for one in found] == ([f"it has {words}"] if words else [])
