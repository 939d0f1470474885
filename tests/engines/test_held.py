"""What each program is given of atoms that are held, and what it cannot be given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.scripts.md import MdScript
from pwact.errors import InputError
from pwact.fixed_atoms import fix, fixed_of
from pwact.formats.atom_config import read_atom_config
from pwact.formats.poscar import read_poscar
from tests.engines import (
    abacus_helpers,
    cp2k_inputs,
    dftbplus_helpers,
    pwmat_helpers,
    qe_inputs,
    vasp_helpers,
)


def with_held(atoms: Atoms, rows: list[list[int]]) -> Atoms:
    fix(atoms, np.array(rows))
    return atoms


ROWS = [[1, 1, 1], [0, 0, 0], [0, 0, 1], [0, 0, 0]]  # gold, silver, gold, silver
SORTED = [[0, 0, 0], [0, 0, 0], [1, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize("purpose", [Purpose.RELAX, Purpose.AIMD])
def test_vasp(tmp_path: Path, purpose: Purpose) -> None:
    made = vasp_helpers.vasp(tmp_path, vasp_helpers.INCARS[purpose])
    atoms = with_held(vasp_helpers.alloy(), ROWS)
    assert made.check_held(atoms) == ""
    task = tmp_path / "task"
    task.mkdir()
    made.write_input(task, atoms, purpose, 1)
    assert fixed_of(read_poscar(task / "POSCAR")).tolist() == SORTED
    fix(atoms, np.zeros(4))
    made.write_input(task, atoms, purpose, 1)
    assert "elective" not in (task / "POSCAR").read_text()


@pytest.mark.parametrize("purpose", [Purpose.RELAX, Purpose.AIMD])
def test_pwmat(tmp_path: Path, purpose: Purpose) -> None:
    made = pwmat_helpers.labeler(tmp_path, pwmat_helpers.CONTROLS[purpose])
    atoms = with_held(pwmat_helpers.alloy(), ROWS)
    assert made.check_held(atoms) == ""
    task = pwmat_helpers.prepared(made, tmp_path / "task", purpose, atoms)
    assert fixed_of(read_atom_config(task / "atom.config")).tolist() == SORTED


def in_part() -> Atoms:
    """Held along a alone, in a cell whose c is not free of x."""
    atoms = vasp_helpers.alloy()
    return with_held(atoms, [[1, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])


def labelers(folder: Path) -> dict[str, Labeler]:
    aimd = Purpose.AIMD
    return {
        "pwmat": pwmat_helpers.labeler(folder / "pwmat", pwmat_helpers.CONTROLS[aimd]),
        "cp2k": cp2k_inputs.labeler(folder / "cp2k", cp2k_inputs.cp2k_input("MD")),
        "dftb+": dftbplus_helpers.labeler(folder / "dftb", dftbplus_helpers.hsd(aimd)),
        "abacus": abacus_helpers.abacus(folder / "abacus", abacus_helpers.abacus_input(aimd)),
        "qe": qe_inputs.labeler(folder / "qe", qe_inputs.pw_input("md")),
    }


@pytest.mark.parametrize("name", ["abacus", "pwmat", "cp2k", "dftb+", "qe"])
def test_directions_that_cannot_be_held(tmp_path: Path, name: str) -> None:
    made = labelers(tmp_path)[name]
    with pytest.raises(InputError, match="held along (x|some directions) alone"):
        made.check_held(in_part())
    whole = with_held(vasp_helpers.alloy(), [[1, 1, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert made.check_held(whole) == ""
    assert made.forces_on_held == (name != "cp2k")


HELD_TWICE = "&MOTION\n &CONSTRAINT\n  &FIXED_ATOMS\n   LIST 1\n  &END\n &END\n&END\n"


def test_atoms_that_the_input_of_cp2k_holds_as_well(tmp_path: Path) -> None:
    made = cp2k_inputs.labeler(tmp_path, cp2k_inputs.cp2k_input("MD", motion=HELD_TWICE))
    with pytest.raises(InputError, match="held by their numbers here, and others by") as caught:
        made.check_held(in_part())
    assert caught.value.file == made.input.path
    assert caught.value.key.endswith("&FIXED_ATOMS")


def test_atoms_that_the_input_of_dftbplus_chooses_as_well(tmp_path: Path) -> None:
    text = dftbplus_helpers.hsd(Purpose.AIMD).replace("Steps = 4", "Steps = 4\n  MovedAtoms = 1:2")
    made = dftbplus_helpers.labeler(tmp_path, text)
    with pytest.raises(InputError, match="chosen by their numbers here") as caught:
        made.check_held(in_part())
    assert caught.value.key == "Driver/VelocityVerlet/MovedAtoms"


def test_a_script_says_itself_what_moves(tmp_path: Path) -> None:
    (tmp_path / "md.py").write_text("")
    made = MdScript(tmp_path / "md.py", ResourceBlock(name="explore", command="python"))
    assert made.check_held(in_part()) == "1 atoms are held, but md.py says itself what moves"
    assert not fixed_of(made.assign(in_part())).any()
