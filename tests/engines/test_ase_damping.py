"""The constants of both MDs of ASE, measured on a gas without forces, where theory is exact.

A gas hides nothing behind forces: what its temperature, its volume and its atoms do comes from the
thermostat and the barostat alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.calculator import Calculator, all_changes
from ase.constraints import FixAtoms

from pwact.engines.ase.labeler import SETTINGS, STRUCTURE
from pwact.engines.ase.md_worker import dynamics_of
from pwact.engines.ase.worker import aimd

TEMP_K = 300.0
FS_PER_PS = 1000.0


class NoForces(Calculator):  # type: ignore[misc]
    """Atoms that do not see each other."""

    implemented_properties = ("energy", "forces", "stress")  # noqa: RUF012

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        forces = np.zeros((len(atoms), 3))
        self.results = {"energy": 0.0, "forces": forces, "stress": np.zeros(6)}


def gas(atoms: int, edge: float = 40.0) -> Atoms:
    rng = np.random.default_rng(3)
    made = Atoms(f"Ar{atoms}", rng.random((atoms, 3)) * edge, cell=[edge] * 3, pbc=True)
    momenta = rng.standard_normal((atoms, 3))
    momenta -= momenta.mean(axis=0)
    made.set_momenta(momenta)
    made.calc = NoForces()
    return made


def heated(made: Atoms, temp_k: float) -> Atoms:
    """Give the gas exactly this temperature."""
    made.set_momenta(made.get_momenta() * np.sqrt(temp_k / made.get_temperature()))
    return made


def first_crossing_ps(
    atoms: Atoms, condition: dict[str, Any], excess: Callable[[], float]
) -> float:
    """Time at which `excess`, positive at the start, becomes negative."""
    dynamics = dynamics_of(atoms, {"nsteps": 0, "trj_freq": 1, **condition}, seed=0)
    assert excess() > 0
    for step in range(1, 4000):
        dynamics.run(1)
        if excess() < 0:
            return step * float(condition["dt_ps"])
    raise AssertionError("it never comes to its target")


@pytest.mark.parametrize("taut_ps", [0.05, 0.2])
def test_the_thermostat_of_an_exploration_swings_with_its_damping_time(taut_ps: float) -> None:
    """Nosé-Hoover: δT'' = −2 δT / τ², so that T is at its target after (π/2) τ / √2."""
    atoms = heated(gas(200), 1.1 * TEMP_K)
    condition = {"ensemble": "nvt", "dt_ps": 0.002, "temp_k": TEMP_K, "taut_ps": taut_ps}
    found = first_crossing_ps(atoms, condition, lambda: atoms.get_temperature() - TEMP_K)
    assert found == pytest.approx(np.pi / 2 * taut_ps / np.sqrt(2), rel=0.1)


@pytest.mark.parametrize("ensemble", ["npt-iso", "npt-tri"])
@pytest.mark.parametrize("taup_ps", [0.3, 1.0])
def test_the_barostat_of_an_exploration_swings_with_its_damping_time(
    ensemble: str, taup_ps: float
) -> None:
    """Ideal gas at constant temperature: δV'' = −3 δV / τ², at constant entropy −5 δV / τ²."""
    atoms = heated(gas(200), TEMP_K)
    target = atoms.get_volume() / 1.1
    press_bar = len(atoms) * units.kB * TEMP_K / target / units.bar
    condition = {
        "ensemble": ensemble,
        "dt_ps": 0.004,
        "temp_k": TEMP_K,
        "taut_ps": 0.05,
        "press_bar": press_bar,
        "taup_ps": taup_ps,
    }
    found = first_crossing_ps(atoms, condition, lambda: atoms.get_volume() - target)
    slow, fast = (np.pi / 2 * taup_ps / np.sqrt(number) for number in (3, 5))
    assert 0.9 * fast < found < 1.1 * slow


def expected_square(atoms: Atoms, friction_per_fs: float, time_fs: float) -> float:
    """Langevin: ⟨Δr²⟩ = (6 kT / m γ²) (γt − 1 + e^(−γt)), of particles that begin at T."""
    gamma, time = friction_per_fs / units.fs, time_fs * units.fs
    slowed = gamma * time - 1 + np.exp(-gamma * time)
    return float(6 * units.kB * TEMP_K / (atoms.get_masses()[0] * gamma**2) * slowed)


@pytest.mark.parametrize("taut_ps", [0.05, 0.5])
def test_the_thermostat_of_an_exploration_with_held_atoms_has_its_friction(taut_ps: float) -> None:
    """It is Langevin's there; the friction is 1 / τ."""
    atoms = heated(gas(1500), TEMP_K)
    atoms.set_constraint(FixAtoms([0]))
    began = atoms.get_positions()
    condition = {"ensemble": "nvt", "dt_ps": 0.002, "temp_k": TEMP_K, "taut_ps": taut_ps}
    dynamics_of(atoms, {"nsteps": 200, "trj_freq": 200, **condition}, seed=7).run(200)
    moved = np.sum((atoms.get_positions() - began) ** 2, axis=1)
    assert moved[0] == 0
    expected = expected_square(atoms, 1 / (FS_PER_PS * taut_ps), 400.0)
    assert np.mean(moved[1:]) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("friction_per_fs", [0.002, 0.02])
def test_the_thermostat_of_aimd_has_its_friction(tmp_path: Path, friction_per_fs: float) -> None:
    atoms = gas(1500)
    for name in (STRUCTURE, SETTINGS):  # by which an earlier start of the same task is known
        (tmp_path / name).write_text("")
    settings = {
        "seed": 7,
        "energy": "energy",
        "calculator": "ideal gas",
        "writes": True,
        "began": 0.0,
        "aimd": {
            "ensemble": "nvt",
            "temperature_k": TEMP_K,
            "timestep_fs": 2.0,
            "steps": 200,
            "interval": 200,
            "friction_per_fs": friction_per_fs,
        },
    }
    frames, _ = aimd(atoms, settings, tmp_path)
    moved = np.mean(np.sum((frames[-1].positions - frames[0].positions) ** 2, axis=1))
    expected = expected_square(atoms, friction_per_fs, 400.0)
    assert moved == pytest.approx(expected, rel=0.1)
