"""Spins that atoms begin with reach DFTB+, whatever their numbers there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import CHARGES, MOMENTS
from pwact.engines.dftbplus.labeler import DftbPlusLabeler
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.frames import ordered
from pwact.formats.gen import read_gen
from pwact.formats.hsd import read_hsd
from pwact.geometry import super_cell
from tests.engines.dftbplus_helpers import alloy, hsd
from tests.engines.dftbplus_helpers import labeler as with_text

SPINS = "  SpinPolarisation = {0} {{ UnpairedElectrons = 0.0\n{1} }}\n  Filling"


def labeler(folder: Path, kind: str = "Colinear", initial: str = "") -> DftbPlusLabeler:
    text = hsd(Purpose.SCF)
    if kind:
        text = text.replace("  Filling", SPINS.format(kind, initial))
    return with_text(folder, text)


def spins_of(made: DftbPlusLabeler, atoms: Atoms, folder: Path) -> list[Any]:
    """The spins in a task's input; [] where the input sets none. Others of the user are void."""
    folder.mkdir()
    made.write_input(folder, ordered(atoms), Purpose.SCF, 1)
    root, _ = read_hsd(folder / "dftb_in.hsd", frozenset({"geometry"}))
    found = root.at("Hamiltonian", "DFTB", "SpinPolarisation")
    kind = found.method if found is not None else None
    initial = kind.child("InitialSpins") if kind is not None else None
    if initial is None:
        return []
    assert [one.name for one in initial.children] == ["AllAtomSpins"]
    return [float(word) for word in initial.children[0].text.split()]


def test_spins_of_the_structure(tmp_path: Path) -> None:
    made, atoms = labeler(tmp_path), alloy()
    assert atoms.get_chemical_symbols() == ["Au", "Ag", "Au", "Ag"]
    atoms.set_array(MOMENTS, np.array([1.0, 2.0, -1.0, -2.0]))
    assert spins_of(made, made.assign(atoms), tmp_path / "one") == [2, -2, 1, -1]
    large = super_cell(made.assign(atoms, 2), (2, 1, 1))
    assert spins_of(made, large, tmp_path / "two") == [2, -2, 2, -2, 1, -1, 1, -1]
    assert len(read_gen(tmp_path / "two" / "geo.gen")) == 8


@pytest.mark.parametrize(
    ("initial", "expected"),
    [
        ("InitialSpins = { AllAtomSpins = { 1 2\n -1 -2 } }", [2, -2, 1, -1]),
        (
            "InitialSpins { AtomSpin { Atoms = { 1 }\n SpinPerAtom = 3 }\n"
            "AtomSpin = { Atoms = 3:-1\n SpinPerAtom = -3.0 } }",
            [0, -3, 3, -3],
        ),
        ("InitialSpins { AtomSpin { Atoms = ag; SpinPerAtom = 1.5 } }", [1.5, 1.5, 0, 0]),
        ("InitialSpins { AtomSpin { Atoms = 1 2; SpinPerAtom = 0 } }", [0, 0, 0, 0]),
    ],
)
def test_spins_of_the_input(tmp_path: Path, initial: str, expected: list[float]) -> None:
    made = labeler(tmp_path, "Colinear", initial)
    assert spins_of(made, made.assign(alloy()), tmp_path / "task") == expected


def test_vectors(tmp_path: Path) -> None:
    initial = "InitialSpins = { AllAtomSpins = { 1 0 0 0 2 0 0 0 3 4 4 4 } }"
    made = labeler(tmp_path, "NonColinear", initial)
    found = spins_of(made, made.assign(alloy()), tmp_path / "task")
    assert found == [0, 2, 0, 4, 4, 4, 1, 0, 0, 0, 0, 3]


def test_an_input_that_says_nothing_of_atoms_stays(tmp_path: Path) -> None:
    for kind in ("Colinear", ""):
        made = labeler(tmp_path / (kind or "none"), kind)
        task = tmp_path / f"task {kind}"
        assert spins_of(made, made.assign(alloy()), task) == []
        assert "InitialSpins" not in (task / "dftb_in.hsd").read_text()


@pytest.mark.parametrize(
    ("kind", "initial", "name", "values", "words"),
    [
        ("", "", MOMENTS, [1, 0, 0, 0], "the structure has magnetic moments, but this is not"),
        ("Colinear", "", MOMENTS, [[1, 0, 0]] * 4, "which need NonColinear"),
        ("Colinear", "", CHARGES, [1, 0, 0, 0], "charges, which the input of DFTB. cannot say"),
        (
            "Colinear",
            "InitialSpins = { AllAtomSpins = { 1 0 0 } }",
            MOMENTS,
            [0, 0, 0, 0],
            "AllAtomSpins has 3 numbers; the structure Ag2Au2 needs 4",
        ),
        (
            "Colinear",
            "InitialSpins = { AllAtomSpins = { 1 0 0 0 } }",
            MOMENTS,
            [1, 0, 0, 1],
            "give the spins once",
        ),
        (
            "Colinear",
            "InitialSpins = { AtomSpin { Atoms = 5; SpinPerAtom = 1 } }",
            MOMENTS,
            [0, 0, 0, 0],
            "found '5'; expected numbers up to 4",
        ),
    ],
)
def test_what_dftbplus_cannot_be_given_is_refused(
    tmp_path: Path, kind: str, initial: str, name: str, values: Any, words: str
) -> None:
    atoms = alloy()
    atoms.set_array(name, np.array(values, dtype=float))
    with pytest.raises(InputError, match=words):
        labeler(tmp_path, kind, initial).assign(atoms)


@pytest.mark.parametrize(
    ("charges", "fine"),
    [
        ("InitialCharges = { AtomCharge { Atoms = Ag; ChargePerAtom = 1 } }", True),
        ("InitialCharges = { AtomCharge { Atoms = 1; ChargePerAtom = 1 } }", False),
        ("InitialCharges = { AllAtomCharges = { 1 1 1 1 } }", False),
    ],
)
def test_charges_by_number_are_refused(tmp_path: Path, charges: str, fine: bool) -> None:
    made = with_text(tmp_path, hsd(Purpose.SCF).replace("  Filling", f"  {charges}\n  Filling"))
    if fine:
        made.assign(alloy())
        return
    with pytest.raises(InputError, match="counts atoms in the order of your geometry"):
        made.assign(alloy())


def test_totals_count_for_the_super_cell(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = labeler(tmp_path)
    made.assign(alloy(), 2)
    assert not caplog.text  # UnpairedElectrons = 0.0
    text = hsd(Purpose.SCF).replace("  Filling", "  Charge = -1.0\n  Filling")
    made = with_text(tmp_path / "charged", text)
    made.assign(alloy())
    assert not caplog.text
    made.assign(alloy(), 2)
    assert "Charge = -1.0 counts for the whole super cell of 8 atoms" in caplog.text
