"""The force field beside labels that it was not trained on; here it is EMT, and labels are off."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.executors.base import Task, TaskResult
from pwact.formats.labels import set_labels
from pwact.workflow import validation
from pwact.workflow.validation import Validation
from tests.engines.test_ase_md import COMMITTEE, tilted

BLOCK = ResourceBlock("explore", "python")
OFF_E, OFF_F = 0.002, 0.03  # eV per atom; eV/Å of each component


def labelled(atoms: Atoms, seed: int, off: float = 0.0) -> Atoms:
    frame = atoms.copy()
    frame.rattle(0.05, seed=seed)
    one = frame.copy()
    one.calc = EMT()
    energy = one.get_potential_energy() + OFF_E * len(frame)
    set_labels(frame, energy, one.get_forces() + off)
    return frame


@pytest.fixture
def judge(tmp_path: Path) -> Validation:
    return Validation("iter.0001/final", tmp_path / "v a", AseExplorer(BLOCK), COMMITTEE, BLOCK)


def run(task: Task) -> TaskResult:
    subprocess.run(["bash", "-c", task.command], cwd=task.directory, check=False)
    return TaskResult(task, task.check(task.directory))


def lots() -> np.random.Generator:
    return np.random.default_rng(0)


def test_errors_in_all_by_structure_and_by_element(
    judge: Validation, caplog: pytest.LogCaptureFixture
) -> None:
    """A constant along x, y and z has the same norm however a frame is turned."""
    caplog.set_level(logging.INFO)
    copper = bulk("Cu", cubic=True, a=3.7).repeat(2)
    copper.set_cell(copper.cell.array[[1, 0, 2]])  # left-handed
    frames = [labelled(tilted(), seed, OFF_F) for seed in range(3)] + [labelled(copper, 9)]
    made = judge.tasks(frames, lots())
    assert [len(given.frames) for _, given in made] == [3, 1]
    compared = judge.compared(made, [run(task) for task, _ in made])
    whole, alloy, pure, gold, cu = judge.errors(compared)
    assert [one.kind for one in (whole, alloy, pure, gold, cu)] == [
        *("all", "structure", "structure", "element", "element")
    ]
    assert (alloy.name, pure.name, gold.name, cu.name) == ("Cu29Au3", "Cu32", "Au", "Cu")
    assert (whole.frames, whole.energies) == (4, 4)
    assert whole.rmse_e == pytest.approx(OFF_E, abs=1e-6)
    assert gold.rmse_f == pytest.approx(OFF_F, abs=1e-6)
    assert gold.worst_f == pytest.approx(OFF_F * np.sqrt(3), abs=1e-6)
    assert pure.worst_f < 1e-6
    assert whole.rmse_f == pytest.approx(OFF_F * np.sqrt(3 / 4), abs=1e-6)
    said = "iter.0001/final: the force field on 4 frames of valid_data: energy 2 meV/atom, forces"
    assert said in caplog.text
    assert "largest force errors: Au 0.03, Cu29Au3 0.03" in caplog.text


def test_what_cannot_be_evaluated_is_left_out_and_said(
    judge: Validation, caplog: pytest.LogCaptureFixture
) -> None:
    """Open frames, those of other elements, and a task that failed."""
    caplog.set_level(logging.INFO)
    slab, strange = tilted(), tilted()
    slab.pbc = (True, True, False)
    strange.symbols[0] = "Ag"
    frames = [labelled(one, seed) for seed, one in enumerate((tilted(), slab, strange))]
    made = judge.tasks(frames, lots())
    assert [len(given.frames) for _, given in made] == [1]
    assert "on 1 of 3 frames of valid_data: the others cannot be explored" in caplog.text
    (task, _) = made[0]
    never = TaskResult(task, task.check(task.directory), 3, "it was out of memory")
    assert not never.verdict.done
    assert judge.compared(made, [never]) == []
    assert "1 frames of valid_data could not be evaluated: it was out of memory" in caplog.text
    assert judge.errors([]) == []


def test_of_many_frames_a_part_is_drawn_by_lot(
    judge: Validation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(validation, "MOST_FRAMES", 2)
    frames = [labelled(tilted(), seed) for seed in range(5)]
    (made,) = judge.tasks(frames, lots())
    assert len(made[1].frames) == 2
    assert "on 2 of 5 frames of valid_data: drawn by lot" in caplog.text
