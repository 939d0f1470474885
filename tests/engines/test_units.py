"""Signs and units, proved by differences through our own files and the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact.engines.md_task import MdTrajectory
from tests.engines.pod_helpers import STILL, alloy, driven_alone, explore, shell, thermo

BAR = 6.2415091e-7  # eV/Å³


def energy(directory: Path, atoms: Any, potential: Any) -> float:
    assert explore(directory, atoms, potential, STILL) == 0
    return thermo(directory)["PotEng"]


@pytest.mark.parametrize(("atom", "axis"), [(0, 2), (5, 0)])
def test_forces_are_minus_the_slope_of_the_energy(
    committee: Any, tmp_path: Path, atom: int, axis: int
) -> None:
    pod, _, models = committee
    potential = driven_alone(pod.potential(models))
    start = alloy(90, rattle=0.15)
    energy(tmp_path / "0", start, potential)
    frame = MdTrajectory(tmp_path / "0").frame(0)  # turned to LAMMPS's axes, as forces are
    slope = []
    for step in (-0.01, 0.01):
        frame.positions[atom, axis] += step
        slope.append(energy(tmp_path / f"{step}", frame, potential))
        frame.positions[atom, axis] -= step
    force = frame.arrays["forces"][atom, axis]
    assert abs(force) > 0.05
    assert -(slope[1] - slope[0]) / 0.02 == pytest.approx(force, abs=2e-4)


def test_pressure_is_minus_the_slope_over_the_volume(committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    potential = driven_alone(pod.potential(models))
    start = alloy(91)
    energy(tmp_path / "0", start, potential)
    ends = []
    for stretch in (0.999, 1.001):
        atoms = start.copy()
        atoms.set_cell(start.cell * stretch, scale_atoms=True)
        ends.append((atoms.get_volume(), energy(tmp_path / f"{stretch}", atoms, potential)))
    slope = np.diff(ends, axis=0)[0]
    pressure = thermo(tmp_path / "0")["Press"] * BAR
    assert abs(pressure) > 0.005
    assert -slope[1] / slope[0] == pytest.approx(pressure, rel=2e-3)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (2, 2), (0, 1), (1, 2)])
def test_the_pressure_tensor_is_minus_the_slope_over_the_strain(
    committee: Any, tmp_path: Path, row: int, column: int
) -> None:
    """Virial = -dE/d(strain) = pressure x volume, for each component, in skewed cells."""
    pod, _, models = committee
    potential = driven_alone(pod.potential(models))
    start = alloy(92)
    energy(tmp_path / "0", start, potential)
    frame = MdTrajectory(tmp_path / "0").frame(0)  # in LAMMPS's axes, as its pressure is
    word = f"P{'xyz'[row]}{'xyz'[column]}"
    text = (tmp_path / "0" / "in.lammps").read_text()
    (tmp_path / "0" / "in.lammps").write_text(text.replace(" press ", f" press {word.lower()} "))
    assert shell(tmp_path / "0", "lmp -var restart 0 -in in.lammps > md.log") == 0
    virial = thermo(tmp_path / "0")[word] * BAR * frame.get_volume()
    ends = []
    for step in (-1e-3, 1e-3):
        strain = np.zeros((3, 3))
        strain[row, column] += step / 2  # symmetric, so that the cell is not turned
        strain[column, row] += step / 2
        atoms = frame.copy()
        atoms.set_cell(frame.cell @ (np.eye(3) + strain), scale_atoms=True)
        ends.append(energy(tmp_path / f"{step}", atoms, potential))
    assert abs(virial) > 0.1
    assert -(ends[1] - ends[0]) / 2e-3 == pytest.approx(virial, rel=5e-3)
