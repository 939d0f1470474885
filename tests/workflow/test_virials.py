"""Virials whose sign is doubtful are named before they are trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact.errors import InputError
from pwact.formats.frames import write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.registry.engines import LABELERS
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.checks.virials import grows_with_volume
from tests.workflow.pairs import (
    alloy,
    deep_update,
    labelled,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.toy_campaign import use_toys

HEAD = (
    'Lattice="4.08000 0.00000 0.00000 0.00000 4.08000 0.00000 0.00000 0.00000 4.08000" '
    'Properties=species:S:1:pos:R:3:force:R:3 pbc="T T T" energy=-4.5 '
)
VIRIAL = 'virial="-368.6830 -2.8508 -9.3687 -2.8508 -324.3680 19.5327 -9.3687 19.5327 -308.8810"'
ROWS = "Ag 0.0 0.0 0.0 0.1 0.0 0.0\nAu 2.0 2.0 2.0 -0.1 0.0 0.0\n"


def said(work_dir: Path, data: str = "init.xyz", strict: bool = False) -> list[str]:
    changes = {"init_data": [data], "train.rcut": 2.0}
    return preflight(load(work_dir, deep_update(run_param(), changes), resources()), strict)


@pytest.fixture
def work_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    return tmp_path


def by_pwmat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the labeler of the tests be one whose virials PWact left turned, as PWmat is."""
    monkeypatch.setitem(LABELERS, "ase", replace(LABELERS["ase"], turned_by_pwact=True))


@pytest.mark.parametrize(
    ("virial", "turned", "warned"),
    [
        (VIRIAL, True, True),
        (VIRIAL, False, False),
        ("", True, False),
        (VIRIAL.replace("2.8508", "2.85080001"), True, False),
    ],
    ids=["of PWmat", "of another program", "without virials", "with our digits"],
)
def test_data_that_pwact_collected(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, virial: str, turned: bool, warned: bool
) -> None:
    if turned:
        by_pwmat(monkeypatch)
    (work_dir / "old.xyz").write_text(f"2\n{HEAD}{virial}\n{ROWS}")
    found = [line for line in said(work_dir, "old.xyz") if "is written as PWact does it" in line]
    assert len(found) == warned
    assert all("pwact to_pwdata --virial-sign opposite" in line for line in found)


def test_only_the_labelers_of_pwmat_are_turned() -> None:
    assert [name for name, one in LABELERS.items() if one.turned_by_pwact] == ["pwmat", "dftb"]


def scaled(sign: float) -> list[Any]:
    """Frames of several volumes, with the pressure of a bulk modulus of 1 eV/Å³ or its opposite."""
    frames = []
    for factor in np.linspace(0.98, 1.02, 7):
        atoms = alloy()
        atoms.set_cell(atoms.cell * factor, scale_atoms=True)
        pressure = -np.log(factor**3)
        set_labels(
            atoms,
            labels_of(labelled(1)[0]).energy,
            np.zeros((len(atoms), 3)),
            sign * pressure * atoms.get_volume() * np.eye(3),
        )
        frames.append(atoms)
    return frames


@pytest.mark.parametrize(("sign", "warned"), [(1.0, False), (-1.0, True)])
def test_a_pressure_that_grows_with_the_volume(work_dir: Path, sign: float, warned: bool) -> None:
    write_frames(work_dir / "scaled.xyz", scaled(sign), "extxyz")
    found = [line for line in said(work_dir, "scaled.xyz") if "grows with the volume" in line]
    assert len(found) == warned
    assert all("--virial-sign opposite" in line for line in found)
    if warned:
        with pytest.raises(InputError, match="grows with the volume"):
            said(work_dir, "scaled.xyz", strict=True)


def test_where_nothing_can_be_said_of_the_sign() -> None:
    volumes = np.linspace(9.5, 10.5, 8)
    kinds = np.zeros(8, dtype=int)
    assert grows_with_volume(kinds, volumes, volumes**2) == [0]
    assert grows_with_volume(kinds, volumes, -(volumes**2)) == []
    assert grows_with_volume(kinds, np.full(8, 10.0), volumes) == []
    assert grows_with_volume(kinds[:5], volumes[:5], volumes[:5] ** 2) == []
    assert grows_with_volume(kinds, volumes, np.full(8, np.nan)) == []
    assert grows_with_volume(kinds, volumes, 3 * volumes * (1 + 1e-4 * volumes)) == []  # no range
    vacuum = np.array([10.0, 10.2, 10.4, 10.6, 30.0, 31.0, 32.0, 33.0])
    assert grows_with_volume(kinds, vacuum, vacuum * np.where(vacuum > 20, 0.0, 11 - vacuum)) == []
    assert grows_with_volume(np.repeat([0, 1], 8), np.tile(volumes, 2), np.tile(volumes**2, 2)) == [
        0,
        1,
    ]
