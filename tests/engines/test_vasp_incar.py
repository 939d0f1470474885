"""INCAR files: what VASP makes of them, and what a stage asks of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pwact.engines.labelers import Purpose
from pwact.engines.vasp.incar import Incar, check_purpose, order_warnings, read_incar, warnings
from pwact.errors import InputError

RELAX, AIMD, SCF = Purpose.RELAX, Purpose.AIMD, Purpose.SCF
MD = "IBRION = 0; NSW = 5; POTIM = 1; ISIF = 2\n"


def incar(tmp_path: Path, text: str) -> Incar:
    file = tmp_path / "INCAR"
    file.write_text(text)
    return read_incar(file)


def test_everything_that_may_stand_in_a_line(tmp_path: Path) -> None:
    text = """
    SYSTEM = two = one   ! a warning ; NSW = 9
    # NSW = 8
    ediff=1E-5;IBRION = 2 ; NSW=7 steps of it
    MAGMOM = 4*1.0 \\
             2*-1.0 0.5
    LDAU=.TRUE.;;
    NSW = 7 steps of it
    LCHARG = F
    WANNIER = "a ; b
    # kept = yes"
    ENCUT = 400
    """
    found = incar(tmp_path, text)
    assert found.values["SYSTEM"] == "two = one"
    assert found.values["EDIFF"] == "1E-5"
    assert found.values["ENCUT"] == "400"
    assert "KEPT" not in found.values
    assert (found.integer("NSW", 0), found.integer("IBRION", -1)) == (7, 2)
    assert found.integer("NELM", 60) == 60
    assert (found.flag("LDAU"), found.flag("LCHARG"), found.flag("LWAVE")) == (True, False, False)
    assert (found.count("MAGMOM"), found.count("LDAUU")) == (7, None)
    assert (found.twice, found.strays) == ((), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n= 3\n", "line 2: '= 3' is no KEY = value"),
        ("NSW =\n", "line 1: 'NSW =' is no KEY = value"),
        ("NSW = ! 3\n", "line 1: 'NSW =' is no KEY = value"),
        ("my key = 3\n", "line 1: 'my key = 3' is no KEY = value"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"INCAR: {message}"):
        incar(tmp_path, text)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_incar(tmp_path)


@pytest.mark.parametrize(
    ("purpose", "text"),
    [
        (RELAX, "IBRION = 1; NSW = 1"),
        (RELAX, "ibrion = 2; nsw = 100"),
        (RELAX, "IBRION = 3; NSW = 100"),
        (AIMD, "IBRION = 0; NSW = 100"),
        (AIMD, "NSW = 100"),
        (SCF, ""),
        (SCF, "NSW = 0; IBRION = 2"),
        (SCF, "NSW = -1"),
        (SCF, "ICHARG = 1"),
    ],
)
def test_what_fits(tmp_path: Path, purpose: Purpose, text: str) -> None:
    check_purpose(incar(tmp_path, text), purpose)


@pytest.mark.parametrize(
    ("purpose", "text", "message"),
    [
        (RELAX, "", "NSW: found no NSW; a relaxation needs a number of ionic steps > 0"),
        (RELAX, "IBRION = 2", "NSW: found no NSW"),
        (RELAX, "IBRION = 2; NSW = 0", "NSW: found 0"),
        (RELAX, "IBRION = 0; NSW = 5", "IBRION: found 0; a relaxation needs 1 or 2 or 3"),
        (RELAX, "NSW = 5", "IBRION: found no IBRION, which means 0; a relaxation"),
        (RELAX, "NSW = 5; IBRION = 6", "IBRION: found 6"),
        (AIMD, "IBRION = 0", "NSW: found no NSW; molecular dynamics"),
        (AIMD, "IBRION = 2; NSW = 5", "IBRION: found 2; molecular dynamics needs 0"),
        (AIMD, "IBRION = -1; NSW = 5", "IBRION: found -1"),
        (SCF, "NSW = 5", "NSW: found 5; a single point moves no atoms"),
        (SCF, "NSW = five", "NSW: found 'five'; expected an integer"),
        (SCF, "NSW = 1.5", "NSW: found '1.5'; expected an integer"),
        (SCF, "ICHARG = 11", "ICHARG: found 11; from 10 on the charge density is kept"),
        (AIMD, "NSW = 5; ICHARG = 10", "ICHARG: found 10"),
        (AIMD, "NSW = 5; IBRION = zero", "IBRION: found 'zero'; expected an integer"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, purpose: Purpose, text: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(f"INCAR: {message}")):
        check_purpose(incar(tmp_path, text), purpose)


@pytest.mark.parametrize(
    ("purpose", "text", "message"),
    [
        (SCF, "NSW = 0\nNSW = 5", "NSW is given twice; VASP takes the first"),
        (SCF, 'A = "b\nc"\nstray\n', "line 3 sets nothing"),
        (SCF, "a title\n\nNELM = 5", "line 1 sets nothing; VASP passes over it"),
        (SCF, "EDIF = 1E-5", "EDIF is not a common key; did you mean EDIFF?"),
        (SCF, "EDFIF = 1E-5", "EDFIF is not a common key; did you mean EDIFF?"),
        (SCF, "KSPACNG = 0.2", "KSPACNG is not a common key; did you mean KSPACING?"),
        (SCF, "ISIF = 0", "ISIF = 0: VASP writes no full stress"),
        (SCF, "ISIF = 1", "ISIF = 1: VASP writes no full stress"),
        (SCF, "LHFCALC = T", "no ISIF, which means 0 here"),
        (AIMD, "NSW = 5; POTIM = 1", "no ISIF, which means 0 here"),
        (AIMD, "NSW = 5; ISIF = 2", "POTIM, the time step of molecular dynamics, is missing"),
        (AIMD, MD + "NWRITE = 1", "NWRITE below 2"),
        (SCF, "I_CONSTRAINED_M = 2", "I_CONSTRAINED_M adds a penalty to the energy"),
        (AIMD, MD + "ML_LMLFF = .TRUE.", "machine-learned force field are no labels"),
    ],
)
def test_warnings(tmp_path: Path, purpose: Purpose, text: str, message: str) -> None:
    (said,) = warnings(incar(tmp_path, text), purpose)
    assert message in said


@pytest.mark.parametrize(
    ("purpose", "text"),
    [
        (SCF, "LHFCALC = T; ISIF = 2"),
        (RELAX, "IBRION = 2; NSW = 5; ISIF = 0"),
        (SCF, "LMYOWNSWITCH = T\nVDW_C6AU = 1\nML_LMLFF = F"),
        (SCF, "ENCUT = 300\nENCUT = 300"),
        (AIMD, MD),
    ],
)
def test_no_warnings(tmp_path: Path, purpose: Purpose, text: str) -> None:
    assert warnings(incar(tmp_path, text), purpose) == []


def test_a_flag_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape("LDAU: found 'yes'; expected .TRUE. or")):
        incar(tmp_path, "LDAU = yes").flag("LDAU")


def test_lists_by_element_and_by_atom(tmp_path: Path) -> None:
    text = "LDAUL = 2 -1\nLDAUU = 5.3 0.0\nMAGMOM = 8*4.0 8*0.6"
    found = order_warnings(incar(tmp_path, text), {"Fe", "O"})
    assert found[0].startswith("LDAUL means O 2, Fe -1: atoms are written by ascending atomic")
    assert found[1].startswith("LDAUU means O 5.3, Fe 0.0")
    assert found[2].startswith("MAGMOM = 8*4.0 8*0.6 counts atom by atom in the order O Fe")
    assert order_warnings(incar(tmp_path, "LDAUU = 5.3"), {"Fe"}) == []
    (wrong,) = order_warnings(incar(tmp_path, "LDAUU = 5.3"), {"Fe", "O"})
    assert wrong == "LDAUU has 1 values for 2 elements (O Fe)"
    assert order_warnings(incar(tmp_path, "NSW = 0"), {"Fe", "O"}) == []
