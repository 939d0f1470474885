"""Models evaluated on frames that are there: what it leaves is what an MD would leave."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Given
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.md_task import GIVEN, MdTrajectory
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.lammps_dump import DumpTrajectory
from pwact.formats.model_devi import read_model_devi
from pwact.geometry import lower_triangular
from pwact.query.committee import score
from tests.engines.pod_helpers import BLOCK, STILL, alloy, driven_alone, explore
from tests.engines.test_ase_md import COMMITTEE, FACTORS, tilted


def frames_of(start: Atoms, count: int = 4) -> Given:
    """Displaced copies in cells that differ, labelled, some atoms outside of their cell."""
    frames = []
    for number in range(count):
        atoms = start.copy()
        cell, rotation = lower_triangular(atoms.cell.array * (1 + 0.01 * number))
        atoms.positions = (atoms.positions * (1 + 0.01 * number)) @ rotation
        atoms.set_cell(cell)
        atoms.rattle(0.05, seed=number)
        atoms.positions[0] += number * cell[0]
        set_labels(atoms, 0.0, np.full((len(atoms), 3), 0.5 + number))
        frames.append(atoms)
    return Given(tuple(frames))


def evaluate(directory: Path, explorer: Any, given: Given, potential: Any) -> None:
    directory.mkdir()
    explorer.write_input(directory, given.frames[0], potential, given, 1)
    command = explorer.command(potential)
    assert subprocess.run(["bash", "-c", command], cwd=directory, check=False).returncode == 0
    verdict = explorer.check(directory, False, given, potential)
    assert verdict.done, verdict.reason


def same_frames(directory: Path, given: Given) -> None:
    """The labels stand beside, in the order of the frames."""
    types = (directory / "atom_type.txt").read_text().split()
    stored = DumpTrajectory(directory / GIVEN, types)
    for step, frame in enumerate(given.frames):
        again = MdTrajectory(directory).frame(step)
        np.testing.assert_allclose(
            again.get_all_distances(mic=True), frame.get_all_distances(mic=True), atol=1e-8
        )
        np.testing.assert_allclose(
            stored.frame(step).arrays["forces"], labels_of(frame).forces, atol=1e-12
        )


def test_by_lammps(committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    potential, given = pod.potential(models), frames_of(alloy(70))
    evaluate(tmp_path / "it's a $run", LammpsExplorer(BLOCK), given, potential)
    same_frames(tmp_path / "it's a $run", given)
    rows = np.loadtxt(tmp_path / "it's a $run/model_devi.out")
    assert rows[:, 0].tolist() == [0, 1, 2, 3]
    for step, frame in enumerate(given.frames):
        forces = []
        for member in range(3):
            directory = tmp_path / f"{step}.{member}"
            assert explore(directory, frame, driven_alone(potential, member), STILL) == 0
            forces.append(MdTrajectory(directory).frame(0).arrays["forces"])
        found = MdTrajectory(tmp_path / "it's a $run").frame(step).arrays["forces"]
        np.testing.assert_allclose(found, forces[0], atol=1e-8)
        spread = np.array(forces) - np.mean(forces, axis=0)
        expected = np.sqrt(np.mean(np.sum(spread**2, axis=2), axis=0)).max()
        assert rows[step, 3] == pytest.approx(expected, abs=1e-6)


def test_by_lammps_with_one_model(committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    potential, given = pod.potential(models[:1]), frames_of(alloy(71))
    evaluate(tmp_path / "run", LammpsExplorer(BLOCK), given, potential)
    same_frames(tmp_path / "run", given)
    assert not (tmp_path / "run/model_devi.out").exists()


def test_an_evaluation_that_was_cut_off_is_not_done(committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    explorer, potential, given = LammpsExplorer(BLOCK), pod.potential(models), frames_of(alloy(72))
    evaluate(tmp_path / "run", explorer, given, potential)
    more = Given((*given.frames, given.frames[0]))
    verdict = explorer.check(tmp_path / "run", True, more, potential)
    assert not verdict.done
    assert "4 of 5" in verdict.reason


def test_by_ase(tmp_path: Path) -> None:
    given = frames_of(tilted())
    explorer = AseExplorer(ResourceBlock("explore", "python"))
    explorer.validate(given)
    evaluate(tmp_path / "run", explorer, given, COMMITTEE)
    same_frames(tmp_path / "run", given)
    rows = read_model_devi(tmp_path / "run/model_devi.out")
    for step, frame in enumerate(given.frames):
        atoms = frame.copy()
        atoms.calc = EMT()
        forces = np.array([factor * atoms.get_forces() for factor in (1.0, *FACTORS)])
        found = MdTrajectory(tmp_path / "run").frame(step).arrays["forces"]
        np.testing.assert_allclose(found, forces[0], atol=1e-8)
        assert rows.max_f[step] == pytest.approx(
            score(forces, np.zeros((3, len(atoms))))[2], abs=1e-6
        )
