"""Structures of the outputs of every program."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.formats.structures import read_structure

pytestmark = pytest.mark.real_outputs


@pytest.mark.parametrize(
    ("name", "structure_format", "formula"),
    [
        ("pwmat/atom.config", "pwmat/config", "CH4"),
        ("pwmat/MOVEMENT", "pwmat/movement", "Li60Si16"),
        ("vasp/CONTCAR.md", "vasp/poscar", "H4O2"),
        ("vasp/OUTCAR.md", "vasp/outcar", "H4O2"),
        ("dftbplus/01_sp_si8/geo.gen", "gen", "Si8"),
    ],
)
def test_formulas(samples: Path, name: str, structure_format: str, formula: str) -> None:
    atoms = read_structure(samples / name, structure_format)
    assert atoms.get_chemical_formula() == formula
    assert atoms.cell.rank == 3
