"""Moments of atoms and U of elements reach PWmat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import CHARGES, MOMENTS, SETTING, properties_of
from pwact.engines.labelers import Purpose
from pwact.engines.pwmat.labeler import PwmatLabeler
from pwact.errors import InputError
from pwact.formats.atom_config import read_atom_config
from pwact.formats.frames import ordered
from pwact.geometry import super_cell
from tests.engines import pwmat_helpers
from tests.engines.pwmat_helpers import CONTROLS, alloy

U = "IN.PSP1 = Au.UPF\nIN.PSP2 = Ag.UPF\nLDAU_PSP1 = 2 5.3\nldau_psp2 = 2 1.5 # silver\n"


def labeler(folder: Path, more: str = "") -> PwmatLabeler:
    return pwmat_helpers.labeler(folder, CONTROLS[Purpose.SCF] + more)


def magnetic(moments: object = (2.0, -1.0, -2.0, 0.0)) -> Atoms:
    atoms = alloy()
    atoms.set_array(MOMENTS, np.array(moments, dtype=float))
    return atoms


def written(made: PwmatLabeler, atoms: Atoms, folder: Path) -> Atoms:
    folder.mkdir()
    made.write_input(folder, ordered(atoms), Purpose.SCF, seed=1)
    return read_atom_config(folder / "atom.config")


def test_moments_stay_with_their_atoms(tmp_path: Path) -> None:
    made = labeler(tmp_path, "SPIN = 2\n")
    given = super_cell(made.assign(magnetic(), 2), (1, 1, 2))
    found = written(made, given, tmp_path / "task")
    for place, moment in zip(found.positions, found.arrays[MOMENTS]):
        inside = place - np.floor(place[2] / 4.1 + 0.1) * np.array([0, 0, 4.1])
        close = np.linalg.norm(alloy().positions - inside, axis=1) < 0.1
        assert magnetic().arrays[MOMENTS][close].tolist() in ([moment], [])
    assert sorted(found.arrays[MOMENTS].tolist()) == [-2, -2, -1, -1, 0, 0, 2, 2]


def test_blocks_that_constrain_moments(tmp_path: Path) -> None:
    made = labeler(tmp_path, "SPIN = 2\n")
    atoms = magnetic()
    atoms.set_array(f"{SETTING}CONSTRAINT_MAG", np.array(["2 0.1", "-1 0.2", "-2 0.3", "0 0"]))
    found = written(made, made.assign(atoms), tmp_path / "task")
    assert found.arrays[f"{SETTING}CONSTRAINT_MAG"].tolist() == ["-1 0.2", "0 0", "2 0.1", "-2 0.3"]


def test_vectors(tmp_path: Path) -> None:
    made = labeler(tmp_path, "SPIN = 222\n")
    vectors = [[2, 0, 0], [0, 1, 0], [0, 0, -2], [0, 0, 0]]
    found = written(made, made.assign(magnetic(vectors)), tmp_path / "task")
    assert found.arrays[MOMENTS].tolist() == [[0, 1, 0], [0, 0, 0], [2, 0, 0], [0, 0, -2]]


def test_u_stays_with_its_element(tmp_path: Path) -> None:
    made = labeler(tmp_path, U)
    assigned = made.assign(alloy())
    words = properties_of(assigned)[f"{SETTING}LDAU_PSP"].tolist()
    assert words == ["2 5.3", "2 1.5", "2 5.3", "2 1.5"]
    written(made, assigned, tmp_path / "both")
    lines = (tmp_path / "both" / "etot.input").read_text().splitlines()
    assert [line for line in lines if "PSP" in line.upper()] == [
        "IN.PSP1 = Ag.SG15.PBE.UPF",
        "IN.PSP2 = Au.SG15.PBE.UPF",
        "LDAU_PSP1 = 2 1.5",
        "LDAU_PSP2 = 2 5.3",
    ]
    written(made, made.assign(alloy()[[0, 2]]), tmp_path / "gold")
    assert "LDAU_PSP1 = 2 5.3\n" in (tmp_path / "gold" / "etot.input").read_text()


def test_u_of_the_only_element(tmp_path: Path) -> None:
    made = labeler(tmp_path, "LDAU_PSP1 = 2 4\n")
    words = properties_of(made.assign(alloy()[[0, 2]]))[f"{SETTING}LDAU_PSP"].tolist()
    assert words == ["2 4", "2 4"]
    with pytest.raises(InputError, match="does not say which element it means") as caught:
        made.assign(alloy())
    assert caught.value.key == "LDAU_PSP1"


@pytest.mark.parametrize(
    ("spin", "moments", "words"),
    [
        ("", [1.0, 0, 0, 0], "found 1; magnetic moments of the structure .MAGNETIC. need 2"),
        ("SPIN = 222\n", [1.0, 0, 0, 0], "found 222; magnetic moments"),
        ("SPIN = 2\n", [[1.0, 0, 0]] * 4, "MAGNETIC_XYZ. need 222"),
    ],
)
def test_moments_that_pwmat_would_not_read(
    tmp_path: Path, spin: str, moments: list[object], words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        labeler(tmp_path, spin).assign(magnetic(moments))
    assert caught.value.key == "SPIN"


def test_charges_are_refused(tmp_path: Path) -> None:
    atoms = alloy()
    atoms.set_array(CHARGES, np.array([1.0, -1, 0, 0]))
    with pytest.raises(InputError, match="it has charges, which the input of PWmat cannot say"):
        labeler(tmp_path).assign(atoms)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (" MAGNETIC\n 79 2\n", "holds 1 lines, not 4"),
        ("MAGNETIC\n 79 2\n 79 2\n 79 1\n 79 1\n", "must hold 47 and 1 numbers of its atom"),
        ("MAGNETIC_XYZ\n 79 2\n 47 2\n 79 1\n 47 1\n", "must hold 79 and 3 numbers"),
        ("MAGNETIC\n 79 2\n 47 1\n 79 2\n 47 a\n", "could not convert"),
    ],
)
def test_blocks_that_are_not_of_these_atoms(tmp_path: Path, block: str, words: str) -> None:
    path = tmp_path / "a.config"
    rows = "79 0 0 0\n47 0 .5 .5\n79 .5 0 .5\n47 .5 .5 0\n"
    path.write_text(f"4\nLattice\n4 0 0\n0 4 0\n0 0 4\nPosition\n{rows}{block}")
    with pytest.raises(InputError, match=words):
        read_atom_config(path)


def test_totals_count_for_the_super_cell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = labeler(tmp_path, "NUM_ELECTRON = 43\n")
    made.assign(alloy())
    assert not caplog.text
    made.assign(alloy(), 2)
    assert "NUM_ELECTRON = 43 counts for the whole super cell of 8 atoms" in caplog.text
