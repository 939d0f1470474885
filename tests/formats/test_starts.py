"""Which atoms of a structure are held: as its file says, or as the input says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.errors import InputError
from pwact.fixed_atoms import fix, held
from pwact.formats.same_frame import structure_key
from pwact.formats.starts import read_start
from pwact.formats.structures import write_structure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Eight atoms, Na before Cl in turns, of which the first is held."""
    atoms: Atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True)
    fix(atoms, np.eye(1, 8)[0])
    write_structure(tmp_path / "POSCAR", atoms, "vasp/poscar")
    return tmp_path / "POSCAR"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, [0]),
        ((), []),
        (("2",), [1]),
        (("1-3", "8"), [0, 1, 2, 7]),
        (("Na",), [0, 2, 4, 6]),
        (("Cl", "1"), [0, 1, 3, 5, 7]),
    ],
)
def test_what_is_held(path: Path, given: tuple[str, ...], wanted: list[int]) -> None:
    assert held(read_start(path, "vasp/poscar", given)) == wanted


@pytest.mark.parametrize(
    ("given", "words"), [("7-9", "found 7-9, but there are 8 atoms"), ("K", "no K, only Na Cl")]
)
def test_atoms_that_are_not_there(path: Path, given: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_start(path, "vasp/poscar", (given,))
    assert caught.value.file == path


def test_a_label_does_not_depend_on_it(path: Path) -> None:
    keys = {structure_key(read_start(path, "vasp/poscar", one)) for one in (None, (), ("Cl",))}
    assert len(keys) == 1


@pytest.mark.parametrize("name", ["vasp/poscar", "pwmat/config", "extxyz"])
def test_files_in_between_say_it(path: Path, name: str) -> None:
    atoms = read_start(path, "vasp/poscar", ("1-3", "8"))
    write_structure(path.with_name("made"), atoms, name)
    assert held(read_start(path.with_name("made"), name)) == [0, 1, 2, 7]
