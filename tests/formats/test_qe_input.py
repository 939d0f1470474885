"""Inputs of pw.x: read as Fortran reads them, changed where asked for, the rest byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import InputError
from pwact.formats.qe_input import PwInput, quoted, unquoted

HERE = Path("my.in")
TEXT = """! a comment with / and &SYSTEM
&control calculation = 'md' , nstep=100, title='it''s / a, = title' ! a / comment
   pseudo_dir = "./a 'quoted' dir/"
/
 &System
  ibrav=2, celldm(1)=10.2 nat=2
  starting_magnetization( 1 ) = 0.5, Hubbard_J(2, 1)=1.0d0
  ecutwfc = 12 &end

&ELECTRONS
/
ATOMIC_SPECIES
 Si 28.0855 Si.UPF ! the element
! not a line
ATOMIC_POSITIONS { crystal }
Si 0 0 0
k_points (automatic)
 2 2 2  0 0 0
"""


def test_values_are_read_as_fortran_reads_them() -> None:
    root = PwInput(HERE, TEXT)
    assert list(root.namelists) == ["CONTROL", "SYSTEM", "ELECTRONS"]
    assert root.word("CONTROL", "calculation") == "md"
    assert root.text("CONTROL", "title") == "it's / a, = title"
    assert root.text("CONTROL", "pseudo_dir") == "./a 'quoted' dir/"
    assert root.whole("SYSTEM", "nat", 0) == 2
    assert root.word("SYSTEM", "ecutwfc") == "12"
    assert [(one.key, one.value) for one in root.entries("SYSTEM", "hubbard_j")] == [
        ("hubbard_j(2,1)", "1.0d0")
    ]
    assert root.entries("SYSTEM", "starting_magnetization")[0].indices == ("1",)


def test_cards_are_read_without_comments() -> None:
    root = PwInput(HERE, TEXT)
    assert {name: card.option for name, card in root.cards.items()} == {
        "ATOMIC_SPECIES": "",
        "ATOMIC_POSITIONS": "crystal",
        "K_POINTS": "automatic",
    }
    assert root.cards["ATOMIC_SPECIES"].lines == ((13, " Si 28.0855 Si.UPF ! the element"),)


def test_an_unchanged_input_keeps_every_byte() -> None:
    assert PwInput(HERE, TEXT).render() == TEXT


def test_a_change_leaves_the_rest() -> None:
    root = PwInput(HERE, TEXT)
    root.remove("SYSTEM", "celldm")
    root.remove("CONTROL", "nstep")
    root.put("SYSTEM", [("ibrav", "0"), ("nat", "4")])
    root.put_card("ATOMIC_POSITIONS", ["ATOMIC_POSITIONS angstrom", "Si 1 2 3"])
    text = root.render()
    again = PwInput(HERE, text)
    assert again.word("SYSTEM", "ibrav") == "0"
    assert again.whole("SYSTEM", "nat", 0) == 4
    assert again.entries("SYSTEM", "celldm") == again.entries("CONTROL", "nstep") == []
    assert [one.key for one in again.entries("SYSTEM")].count("ibrav") == 1
    assert again.cards["ATOMIC_POSITIONS"].option == "angstrom"
    assert [line for _, line in again.cards["ATOMIC_POSITIONS"].lines] == ["Si 1 2 3"]
    for line in ("title='it''s / a, = title' ! a / comment", " Si 28.0855 Si.UPF ! the element"):
        assert line in text


def test_a_key_behind_the_head_of_its_namelist_stays() -> None:
    root = PwInput(HERE, "&control calculation='scf'/\n&system nat=1 /\n")
    root.put("CONTROL", [("prefix", quoted("a'b"))])
    again = PwInput(HERE, root.render())
    assert again.word("CONTROL", "calculation") == "scf"
    assert again.text("CONTROL", "prefix") == "a'b"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("&control nstep=1\n", "line 1: has no / at its end"),
        ("&control 5 /\n", "line 1: 5 belongs to no key"),
        ("&control nstep=1 /\n&CONTROL /\n", "line 2: this namelist stands twice"),
        ("&control /\nSi 1 2\n", "line 2: found 'Si'; expected a card"),
        ("&control /\nK_POINTS gamma\nK_POINTS gamma\n", "line 3: this card stands twice"),
        ("nonsense\n&control /\n", "found 'nonsense' outside of namelists"),
        ("&control title='open\n/\n", 'line 1: found "\'"'),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(InputError, match=r"my\.in") as caught:
        PwInput(HERE, text)
    assert words in str(caught.value)


def test_a_number_that_is_none_is_refused() -> None:
    root = PwInput(HERE, "&control\n nstep = many /\n")
    with pytest.raises(InputError, match=r"&CONTROL nstep: line 2: found many"):
        root.whole("CONTROL", "nstep", 1)


def test_quotes() -> None:
    assert unquoted(quoted("it's")) == "it's"
    assert unquoted('"a"') == "a"
    assert unquoted("1.0") == "1.0"
