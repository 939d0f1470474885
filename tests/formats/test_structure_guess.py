"""The format of a structure file where nobody says it."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from pwact.errors import InputError
from pwact.formats.structure_guess import NAMES, by_content, guess
from pwact.formats.structures import check_format_name, read_structure, write_structure

WRITTEN = [
    ("POSCAR", "vasp/poscar"),
    ("POSCAR_slab.1", "vasp/poscar"),
    ("CONTCAR", "vasp/poscar"),
    ("Si.vasp", "vasp/poscar"),
    ("Si.poscar", "vasp/poscar"),
    ("atom.config", "pwmat/config"),
    ("Si.cif", "cif"),
    ("Si.xyz", "extxyz"),
    ("Si.extxyz", "extxyz"),
    ("Si.lmp", "lammps/lmp"),
    ("lammps.data", "lammps/lmp"),
    ("data.si", "lammps/lmp"),
    ("Si.traj", "traj"),
    ("Si.gen", "gen"),
    ("Si.xsf", "xsf"),
    ("Si.json", "json"),
]


@pytest.mark.parametrize(("name", "wanted"), WRITTEN)
def test_by_name_and_content(tmp_path: Path, name: str, wanted: str) -> None:
    path = tmp_path / name
    write_structure(path, bulk("Si", cubic=True), wanted)
    found = guess(path)
    assert (found.format, found.warning) == (wanted, "")
    assert len(read_structure(path, found.format)) == 8


@pytest.mark.parametrize(
    "wanted", ["vasp/poscar", "pwmat/config", "cif", "extxyz", "lammps/lmp", "traj"]
)
def test_by_content_alone(tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "start"
    write_structure(path, bulk("NaCl", "rocksalt", a=5.6), wanted)
    assert guess(path).format == wanted


def test_compressed(tmp_path: Path) -> None:
    write_structure(tmp_path / "POSCAR", bulk("Si"), "vasp/poscar")
    with gzip.open(tmp_path / "POSCAR.gz", "wb") as packed:
        shutil.copyfileobj((tmp_path / "POSCAR").open("rb"), packed)
    assert guess(tmp_path / "POSCAR.gz").format == "vasp/poscar"
    (tmp_path / "bad.cif.gz").write_bytes((tmp_path / "POSCAR.gz").read_bytes()[:60])
    with pytest.raises(InputError, match="compressed, and damaged"):
        guess(tmp_path / "bad.cif.gz")


def test_outputs(samples: Path, tmp_path: Path) -> None:
    assert guess(samples / "vasp" / "OUTCAR.md").format == "vasp/outcar"
    plain = "2\n\nH 0 0 0\nH 0 0 0.7\n"
    (tmp_path / "start").write_text(plain)
    assert guess(tmp_path / "start").format == "extxyz"
    (tmp_path / "md.lammpstrj").write_text("ITEM: TIMESTEP\n0\n")
    assert guess(tmp_path / "md.lammpstrj").format == "lammps-dump-text"


def test_an_atom_config_is_one_whatever_its_name(tmp_path: Path) -> None:
    """Files that were read before anything was guessed are read in the same way."""
    for name in ("POSCAR", "Si.cif", "start", "Si.xyz"):
        write_structure(tmp_path / name, bulk("Si"), "pwmat/config")
        assert guess(tmp_path / name).format == "pwmat/config"


def test_of_several_structures_of_pwmat_the_first_and_it_is_said(
    samples: Path, tmp_path: Path
) -> None:
    shutil.copy(samples / "pwmat" / "MOVEMENT", tmp_path / "MOVEMENT")
    found = guess(tmp_path / "MOVEMENT")
    assert found.format == "pwmat/config"
    assert '"format": "pwmat/movement"' in found.warning
    one = (tmp_path / "MOVEMENT").read_text().split("----")[0]
    (tmp_path / "MOVEMENT").write_text(one)
    assert guess(tmp_path / "MOVEMENT").warning == ""


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("POSCAR", "cif", "its name is that of vasp/poscar, but it begins like cif"),
        ("Si.cif", "vasp/poscar", 'but it begins like vasp/poscar: give "format": "vasp/poscar"'),
        ("Si.xyz", "lammps/lmp", "begins like lammps/lmp"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, name: str, content: str, words: str) -> None:
    write_structure(tmp_path / name, bulk("Si"), content)
    with pytest.raises(InputError, match=words) as caught:
        guess(tmp_path / name)
    assert caught.value.file == tmp_path / name


@pytest.mark.parametrize("text", ["", "nonsense\n" * 9, "\x00\x01", " SCF\n CP2K| version 2024\n"])
def test_what_nobody_knows(tmp_path: Path, text: str) -> None:
    (tmp_path / "start").write_text(text)
    with pytest.raises(InputError, match="tell no format") as caught:
        guess(tmp_path / "start")
    assert ("cp2k/scf" in str(caught.value)) == ("CP2K" in text)
    (tmp_path / "POSCAR").write_text(text)  # its reader will say what is wrong
    assert guess(tmp_path / "POSCAR").format == "vasp/poscar"


def test_a_name_with_two_meanings_is_settled_by_content(tmp_path: Path) -> None:
    path = tmp_path / "POSCAR.cif"
    write_structure(path, bulk("Si"), "vasp/poscar")
    assert guess(path).format == "vasp/poscar"
    path.write_text("#\n")
    assert guess(path).format == "cif"


def test_all_names_are_formats() -> None:
    for name, _ in NAMES:
        assert check_format_name(name) == name


def test_a_stated_format_that_fails_tells_the_likely_one(tmp_path: Path) -> None:
    path = tmp_path / "Si.cif"
    ase.io.write(path, bulk("Si"), format="cif")
    for wrong in ("pwmat/config", "vasp/poscar", "gen"):
        with pytest.raises(InputError, match="it begins like cif: is that its format") as caught:
            read_structure(path, wrong)
        assert str(caught.value).count(str(path)) == 1
    path.write_text("nonsense\n")
    with pytest.raises(InputError) as caught:
        read_structure(path, "vasp/poscar")
    assert "begins like" not in str(caught.value)


def test_a_link_is_followed(tmp_path: Path) -> None:
    write_structure(tmp_path / "Si.cif", bulk("Si"), "cif")
    (tmp_path / "start").symlink_to("Si.cif")
    assert by_content(tmp_path / "start") == "cif"
    found = read_structure(tmp_path / "start", guess(tmp_path / "start").format)
    np.testing.assert_allclose(found.cell.volume, bulk("Si").cell.volume, rtol=1e-5)
