"""`pwact to_pwdata --type-names`: which elements types are whose names are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.cli.main import main
from pwact.errors import UsageError
from pwact.formats.deepmd_npy import write_deepmd
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered, read_frames
from pwact.formats.type_names import read_type_names
from tests.formats.conftest import assert_same
from tests.workflow.trajectories import labelled

Said = pytest.CaptureFixture[str]


@pytest.fixture
def data(here: Path) -> Path:
    """Data of DeePMD-kit whose types are called A and B."""
    write_deepmd(here / "data", [labelled("Si3C2", number) for number in (1, 2)], ["Si", "C"])
    (type_map,) = (here / "data").rglob("type_map.raw")
    type_map.write_text("A\nB\n")
    return type_map


def convert(*words: str, data_format: str = "deepmd/npy") -> int:
    return main(["to_pwdata", "-f", data_format, "-i", "data", "--output_format", "xyz", *words])


def assert_converted(here: Path) -> None:
    found = read_frames(here / "PWdata", "extxyz")
    assert len(found) == 2
    for one, number in zip(found, (1, 2)):
        assert_same(ordered(one), ordered(labelled("Si3C2", number)), 1e-12)


def test_of_deepmd(data: Path, here: Path, capsys: Said) -> None:
    assert convert() == 2
    said = capsys.readouterr().err
    assert "type_map.raw: names the type 'A', which is no element; say which one it is, " in said
    assert "--type-names A=Cu for instance" in said
    assert not (here / "PWdata").exists()
    assert convert("--type-names", "A=Si, B=C") == 0
    assert capsys.readouterr().err == ""
    assert_converted(here)


def test_what_is_not_named_counts_as_an_element_and_that_is_said(data: Path, capsys: Said) -> None:
    assert convert("--type-names", "A=Si", "-s", "boron") == 0
    assert "type_map.raw: --type-names names no B, so they count" in capsys.readouterr().err


def test_without_a_type_map(data: Path, here: Path, capsys: Said) -> None:
    data.unlink()
    assert convert() == 2
    said = capsys.readouterr().err
    assert "there is no type_map.raw; say the element of each type, --type-names 0=Cu,1=O" in said
    assert convert("--type-names", "A=Si,B=C") == 2
    assert "there is no type_map.raw" in capsys.readouterr().err
    assert convert("--type-names", "0=Si") == 2
    assert "holds types that are not 0 to 0" in capsys.readouterr().err
    assert convert("--type-names", "1=C,0=Si") == 0
    assert_converted(here)


def test_of_extxyz(here: Path, capsys: Said) -> None:
    write_extxyz(here / "data", [labelled("Si3C2", number) for number in (1, 2)])
    text = (here / "data").read_text().replace("\nSi ", "\nSi1 ").replace("\nC ", "\nCA ")
    (here / "data").write_text(text)
    assert convert(data_format="extxyz") == 2
    said = capsys.readouterr().err
    assert "no element is called 'Si1'; which one is it? (--type-names of to_pwdata)" in said
    assert convert("--type-names", "Si1=Si,CA=C", data_format="extxyz") == 0
    assert capsys.readouterr().err == ""
    assert_converted(here)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("A", "'A' is no NAME=ELEMENT, such as Fe1=Fe"),
        ("=Cu", "'=Cu' is no NAME=ELEMENT"),
        ("A=Cx", "'Cx' is no element"),
        ("A=cu", "'cu' is no element; did you mean Cu"),
        ("A=29", "'29' is no element"),
        ("A=Cu,A=O", "A is Cu and O"),
    ],
)
def test_what_is_no_mapping(words: str, said: str, data: Path, capsys: Said) -> None:
    with pytest.raises(UsageError, match=said):
        read_type_names(words)
    assert convert("--type-names", words) == 2
    assert capsys.readouterr().err.startswith(f"pwact: --type-names {words!r}: ")


def test_pairs() -> None:
    assert read_type_names("") == ()
    assert read_type_names(" A = Cu , B=O, A=Cu,") == (("A", "Cu"), ("B", "O"))


def test_formats_without_names_of_types(here: Path, capsys: Said) -> None:
    (here / "data").write_text("")
    assert convert("--type-names", "A=Cu", data_format="vasp/outcar") == 2
    said = capsys.readouterr().err
    assert "--type-names is for -f extxyz or deepmd/npy or deepmd/npy/mixed" in said
