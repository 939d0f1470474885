"""MD by ASE: the physics, the files, and what a broken task looks like."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Condition, UserInput
from pwact.engines.potential import Potential, calculators
from pwact.errors import InputError, TaskError
from pwact.fixed_atoms import fix
from pwact.geometry import lower_triangular
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.verdict import Outcome

EXPLORER = AseExplorer(ResourceBlock("explore", "python"))
EMT_CALCULATOR = {"calculator": "emt", "arguments": {}}
POTENTIAL = calculators(("Au", "Cu"), {}, [EMT_CALCULATOR])
SCALED = "tests.engines.calculators:Scaled"
FACTORS = (0.9, 1.3)
COMMITTEE = calculators(
    ("Au", "Cu"),
    {},
    [EMT_CALCULATOR, *({"calculator": SCALED, "arguments": {"factor": one}} for one in FACTORS)],
)
NVE = Condition("nve", nsteps=100, trj_freq=20, temp_k=300.0, dt_ps=0.003)


def tilted() -> Atoms:
    """Copper with some gold, whose cell neither is lower triangular nor has right angles."""
    atoms = bulk("Cu", cubic=True, a=3.7).repeat(2)
    atoms.symbols[[3, 8, 20]] = "Au"
    atoms.set_cell(atoms.cell.array @ [[0.9, 0.3, 0.1], [-0.2, 1.0, 0.0], [0.0, 0.1, 1.0]], True)
    return atoms


def run(
    directory: Path,
    condition: Condition,
    atoms: Any = None,
    seed: int = 5,
    potential: Potential = POTENTIAL,
) -> int:
    directory.mkdir(exist_ok=True)
    EXPLORER.write_input(directory, atoms or tilted(), potential, condition, seed)
    command = EXPLORER.command(potential)
    return subprocess.run(["bash", "-c", command], cwd=directory, check=False).returncode


def table(directory: Path) -> dict[str, np.ndarray]:
    lines = (directory / "md.log").read_text().splitlines()
    assert lines[-1].startswith("Total wall time: 0:")
    head = next(line for line in lines if line.startswith("step "))
    rows = [line for line in lines if line[0].isdigit()]
    return dict(zip(head.split(), np.array([row.split() for row in rows]).astype(float).T))


@pytest.fixture(scope="module")
def nve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory: Path = tmp_path_factory.mktemp("md") / "a 0"
    assert run(directory, NVE) == 0
    return directory


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, judged by a committee."""
    directory: Path = tmp_path_factory.mktemp("md") / "a 1"
    assert run(directory, NVE, potential=COMMITTEE) == 0
    return directory


def test_a_finished_run(nve: Path) -> None:
    assert EXPLORER.check(nve, False, NVE, POTENTIAL).done
    trajectory = EXPLORER.read_result(nve)
    assert trajectory.ended_normally
    assert trajectory.dump.steps().tolist() == [0, 20, 40, 60, 80, 100]
    start, first = tilted(), trajectory.frame(0)
    assert first.get_chemical_symbols() == start.get_chemical_symbols()
    np.testing.assert_allclose(first.cell.array, lower_triangular(start.cell.array)[0], atol=1e-9)
    np.testing.assert_allclose(
        first.get_all_distances(mic=True), start.get_all_distances(mic=True), atol=1e-9
    )
    for step in (0, 60):
        frame = trajectory.frame(step)
        frame.calc = EMT()
        np.testing.assert_allclose(frame.arrays["forces"], frame.get_forces(), atol=1e-9)
        inside = frame.get_scaled_positions(wrap=False)
        assert ((inside > -1e-9) & (inside < 1 + 1e-9)).all()
    assert [path.name for path in EXPLORER.transient_files(nve)] == ["traj.lammpstrj"]


def test_energy_is_conserved_and_the_start_has_its_temperature(nve: Path) -> None:
    rows = table(nve)
    assert rows["temp"][0] == pytest.approx(300.0)
    assert np.ptp(rows["etotal"]) < 0.02 * rows["ke"].max()
    assert np.ptp(rows["pe"]) > 5 * np.ptp(rows["etotal"])
    np.testing.assert_allclose(rows["ke"], 1.5 * 32 * units.kB * rows["temp"], rtol=1e-6)


def test_a_thermostat_holds_the_temperature(tmp_path: Path) -> None:
    condition = replace(NVE, ensemble="nvt", nsteps=600, trj_freq=5, temp_k=500.0, taut_ps=0.05)
    assert run(tmp_path, condition) == 0
    # without it, half the kinetic energy would become potential energy
    assert table(tmp_path)["temp"][40:].mean() == pytest.approx(500.0, rel=0.1)


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_held_atoms_stay_and_have_the_forces_of_the_model(tmp_path: Path, ensemble: str) -> None:
    atoms = tilted()
    fixed = np.zeros(len(atoms))
    fixed[[0, 5, 31]] = 1
    fix(atoms, fixed)
    condition = replace(NVE, ensemble=ensemble, nsteps=60, dt_ps=0.001)
    for name in ("one", "two"):
        assert run(tmp_path / name, condition, atoms) == 0
    trajectory = EXPLORER.read_result(tmp_path / "one")
    first, last = trajectory.frame(0), trajectory.frame(60)
    moved = np.linalg.norm(last.get_scaled_positions() - first.get_scaled_positions(), axis=1)
    assert moved[[0, 5, 31]].max() < 1e-9
    assert np.delete(moved, [0, 5, 31]).min() > 1e-4
    assert table(tmp_path / "one")["temp"][0] == pytest.approx(300.0)
    last.calc = EMT()
    np.testing.assert_allclose(last.arrays["forces"], last.get_forces(), atol=1e-9)
    assert np.abs(last.arrays["forces"][[0, 5, 31]]).min() > 1e-3
    dumps = [(tmp_path / name / "traj.lammpstrj").read_bytes() for name in ("one", "two")]
    assert dumps[0] == dumps[1]


@pytest.mark.slow
def test_pressure_has_its_sign_and_unit(tmp_path: Path) -> None:
    volumes = []
    for ensemble, press_bar in (("npt-iso", 0.0), ("npt-iso", 100e3), ("npt-tri", 100e3)):
        condition = replace(
            NVE, ensemble=ensemble, nsteps=300, trj_freq=10, temp_k=100.0, press_bar=press_bar
        )
        directory = tmp_path / f"{ensemble} {press_bar}"
        start = bulk("Cu", cubic=True).repeat(2)
        assert run(directory, replace(condition, taup_ps=0.1), start) == 0
        volumes.append(table(directory)["vol"][15:].mean())
        cell = EXPLORER.read_result(directory).frame(300).cell
        assert cell.volume == pytest.approx(table(directory)["vol"][-1])
    # EMT's copper has a bulk modulus of about 134 GPa, which grows under pressure
    for volume in volumes[1:]:
        assert volume / volumes[0] == pytest.approx(1 - 10 / 134, abs=0.02)


def test_a_tilted_cell_may_change_its_shape(tmp_path: Path) -> None:
    condition = replace(NVE, ensemble="npt-tri", press_bar=0.0, taup_ps=0.2)
    assert run(tmp_path, condition) == 0
    trajectory = EXPLORER.read_result(tmp_path)
    first, last = trajectory.frame(0), trajectory.frame(100)
    assert np.abs(last.cell.angles() - first.cell.angles()).max() > 0.5
    last.calc = EMT()
    np.testing.assert_allclose(last.arrays["forces"], last.get_forces(), atol=1e-9)


def test_the_seed_alone_makes_the_trajectory(nve: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 5), ("other", 6)):
        assert run(tmp_path / name, NVE, seed=seed) == 0
    same, other = ((tmp_path / name / "traj.lammpstrj").read_bytes() for name in ("same", "other"))
    assert (nve / "traj.lammpstrj").read_bytes() == same != other


def test_a_task_that_was_cut_off_begins_anew(nve: Path, tmp_path: Path) -> None:
    shutil.copytree(nve, tmp_path, dirs_exist_ok=True)
    (tmp_path / "md.exit").write_text("143\n")
    dump = tmp_path / "traj.lammpstrj"
    dump.write_bytes(dump.read_bytes()[:5000])
    assert EXPLORER.check(tmp_path, True, NVE, POTENTIAL).outcome is Outcome.INCOMPLETE
    assert run(tmp_path, NVE) == 0
    assert EXPLORER.check(tmp_path, False, NVE, POTENTIAL).done
    assert dump.read_bytes() == (nve / "traj.lammpstrj").read_bytes()


@pytest.mark.parametrize("what", ["energy", "forces"])
def test_an_md_that_gets_lost_leaves_its_frames(tmp_path: Path, what: str) -> None:
    lost = {
        "calculator": "tests.engines.calculators:Failing",
        "arguments": {"what": what, "after": 50},
    }
    potential = replace(POTENTIAL, calculators=(lost,))
    assert run(tmp_path, NVE, potential=potential) == 1
    assert "ERROR: energy, forces or positions of step" in (tmp_path / "md.log").read_text()
    verdict = EXPLORER.check(tmp_path, False, NVE, potential)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "ended early" in verdict.reason
    assert EXPLORER.check(tmp_path, True, NVE, potential).done
    trajectory = EXPLORER.read_result(tmp_path)
    assert not trajectory.ended_normally
    assert trajectory.dump.steps().tolist() == [0, 20, 40]


def test_a_calculator_that_cannot_be_had(tmp_path: Path) -> None:
    potential = replace(POTENTIAL, calculators=({"calculator": "no.where:At", "arguments": {}},))
    assert run(tmp_path, NVE, potential=potential) == 1
    assert "No module named 'no'" in (tmp_path / "md.log").read_text()
    assert EXPLORER.check(tmp_path, True, NVE, potential).outcome is Outcome.INCOMPLETE


def test_what_ase_cannot_do_is_refused(tmp_path: Path) -> None:
    for ensemble in ("nve", "nvt", "npt-iso", "npt-tri"):
        EXPLORER.validate(replace(NVE, ensemble=ensemble, press_bar=0.0))
    with pytest.raises(InputError, match="npt-aniso.*nve, nvt, npt-iso, npt-tri"):
        EXPLORER.validate(replace(NVE, ensemble="npt-aniso"))
    with pytest.raises(InputError, match="reads no LAMMPS input"):
        EXPLORER.validate(UserInput(tmp_path / "in.lmp", 10))
    with pytest.raises(TaskError, match="do not know Ag"):
        EXPLORER.write_input(tmp_path, bulk("Ag"), POTENTIAL, NVE, 1)


def test_a_committee_judges_what_its_first_model_explores(nve: Path, judged: Path) -> None:
    alone, together = nve, judged
    dumps = [(place / "traj.lammpstrj").read_bytes() for place in (alone, together)]
    assert dumps[0] == dumps[1]
    assert not (alone / "model_devi.out").exists()
    assert EXPLORER.check(together, False, NVE, COMMITTEE).done
    trajectory = EXPLORER.read_result(together)
    rows = trajectory.deviations()
    assert rows.steps.tolist() == [0, 20, 40, 60, 80, 100]
    assert not rows.failed.any()
    energies = table(together)["pe"]
    printed = np.loadtxt(together / "model_devi.out")
    for row, energy in zip(printed, energies):
        frame = trajectory.frame(int(row[0]))
        sizes = np.linalg.norm(frame.arrays["forces"], axis=1)
        spread = np.std([1.0, *FACTORS])
        assert row[1:4] == pytest.approx(
            [spread * sizes.mean(), spread * sizes.min(), spread * sizes.max()], abs=1e-6
        )
        assert row[4:] == pytest.approx([spread * abs(energy) / len(frame)] * 3, rel=1e-5)


def test_the_root_mean_square_is_told_where_it_is_wanted(judged: Path, tmp_path: Path) -> None:
    plain, more = judged, tmp_path / "more"
    assert run(more, NVE, potential=COMMITTEE.with_rms()) == 0
    assert not POTENTIAL.with_rms().rms  # one model alone judges nothing
    first, second = (place / "model_devi.out" for place in (plain, more))
    assert second.read_text().splitlines()[0].split()[-1] == "rms_devi_f"
    assert "rms" not in first.read_text()
    rows = np.loadtxt(second)
    assert rows[:, :-1].tolist() == np.loadtxt(first).tolist()
    trajectory = EXPLORER.read_result(more)
    told = CommitteeDeviation().measured(more)
    for row, value in zip(rows, told.values):
        forces = trajectory.frame(int(row[0])).arrays["forces"]
        rms = np.std([1.0, *FACTORS]) * np.sqrt(np.mean(np.sum(forces**2, axis=1)))
        assert row[-1] == value == pytest.approx(rms, abs=1e-6)
        assert value < row[3] / 1.05  # not the largest


def test_a_committee_that_was_cut_off_begins_again(judged: Path, tmp_path: Path) -> None:
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    whole = (tmp_path / "model_devi.out").read_bytes()
    (tmp_path / "model_devi.out").write_bytes(whole[:-40])
    assert not EXPLORER.check(tmp_path, True, NVE, COMMITTEE).done
    (tmp_path / "model_devi.out").unlink()
    assert not EXPLORER.check(tmp_path, True, NVE, COMMITTEE).done
    assert run(tmp_path, NVE, potential=COMMITTEE) == 0
    assert (tmp_path / "model_devi.out").read_bytes() == whole


def test_a_member_that_cannot_describe_a_frame_makes_it_fail(tmp_path: Path) -> None:
    arguments = {"what": "forces", "after": 3}
    failing = {"calculator": "tests.engines.calculators:Failing", "arguments": arguments}
    other = COMMITTEE.calculators[1]
    potential = calculators(("Au", "Cu"), {}, [EMT_CALCULATOR, other, failing])
    assert run(tmp_path, NVE, potential=potential) == 0
    assert EXPLORER.check(tmp_path, True, NVE, potential).done
    rows = EXPLORER.read_result(tmp_path).deviations()
    assert rows.failed.tolist() == [False, False, True, True, True, True]


def test_a_committee_judges_held_atoms_too(tmp_path: Path) -> None:
    """As LAMMPS does: by what the models say of their forces."""
    atoms = tilted()
    atoms.rattle(0.1, seed=3)
    fix(atoms, np.arange(len(atoms)) < 4)
    assert run(tmp_path, replace(NVE, nsteps=20), atoms, potential=COMMITTEE) == 0
    rows = np.loadtxt(tmp_path / "model_devi.out")
    frame = EXPLORER.read_result(tmp_path).frame(20)
    sizes = np.linalg.norm(frame.arrays["forces"], axis=1)
    assert rows[1, 2] == pytest.approx(np.std([1.0, *FACTORS]) * sizes.min(), abs=1e-6)
    assert rows[1, 2] > 0
