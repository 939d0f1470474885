"""Toy engines of which everything is known: the error of each model on each frame, and its u.

A model that saw n frames errs by ``size(n)`` times the hardness of the frame, in every force
component. Alone it says u = hardness / RATIO. So e = RATIO · size(n) · u: only the number σ that a
model errs by on its own training data makes the pairs of several models comparable. Its committee
says σ times this, a force.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact import engines
from pwact.engines.explorers import Given, Motion
from pwact.engines.potential import Potential
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.model_devi import write_model_devi
from pwact.io.files import write_json
from pwact.verdict import DONE, Verdict, incomplete
from tests.workflow.pairs import deep_update, run_param
from tests.workflow.toy_campaign import use_toys
from tests.workflow.toys import (
    RUN,
    ToyExplorer,
    ToyTrajectory,
    filled,
    from_json,
    to_json,
    true_forces,
)

RATIO = 0.25  # hardness over u
TRAINED = 0.3  # hardness of all training frames
TARGET = 0.02
FRAMES = 41  # of an explored trajectory
STRANGE = {3: 0.0, 4: float("nan")}  # u of these frames, whatever their hardness


def size(frames: int) -> float:
    """Error of a model that saw so many frames, eV/Å."""
    return 0.1 / np.sqrt(frames)


def sigma_of(frames: int) -> float:
    """Its error on these frames, eV/Å."""
    return size(frames) * TRAINED


def hardness(seed: int, count: int) -> np.ndarray:
    """Of the frames of a trajectory."""
    return np.exp(np.random.default_rng(seed).normal(-0.5, 0.7, count))


def pattern(atoms: Atoms) -> np.ndarray:
    """Plus and minus one."""
    return np.where(np.arange(3 * len(atoms)).reshape(-1, 3) % 2, 1.0, -1.0)


class TruthTrajectory(ToyTrajectory):
    """Frames with forces that are wrong by a known amount."""

    def frame(self, step: int) -> Atoms:
        """The frame of a step."""
        stored = self._input
        if "given" in stored:
            atoms, error = from_json(stored["given"][step]), size(stored["model"]) * TRAINED
        else:
            atoms = super().frame(step)
            apart = np.random.default_rng([stored["seed"], step, 1])
            atoms.positions += apart.uniform(-0.25, 0.25, (len(atoms), 3))  # no near-duplicates
            number = stored["steps"].index(step)
            if stored.get("broken") is not None and number >= stored["broken"]:
                atoms.positions[0] = atoms.positions[1] + 0.1
            error = (
                size(stored.get("model", 1))
                * hardness(stored["seed"], len(stored["steps"]))[number]
            )
        atoms.arrays["forces"] = true_forces(atoms) + error * pattern(atoms)
        return atoms


class TruthExplorer(ToyExplorer):
    """See the head of the module.

    Attributes
    ----------
    broken
        From which frame on a trajectory is unphysical; None for none.
    strange
        Whether some frames have no u, or zero.
    """

    broken: Any = None
    strange = False

    def write_input(
        self, directory: Path, atoms: Atoms, potential: Potential, motion: Motion, seed: int
    ) -> None:
        model = json.loads(potential.links["0_model"].read_text())
        ends = isinstance(motion, Given) or not self.early
        common = {"model": sum(model["frames"]), "seed": seed, "normal": ends, "collisions": []}
        if isinstance(motion, Given):
            stored: dict[str, Any] = {"given": [to_json(one) for one in motion.frames]}
        else:
            stored = {
                "atoms": to_json(atoms),
                "steps": list(range(0, motion.nsteps + 1, motion.trj_freq)),
                "broken": self.broken,
                "strange": self.strange,
            }
        write_json(directory / "md.json", {**common, **stored})

    def command(self, potential: Potential) -> str:
        return "truth-md"

    def check(
        self, directory: Path, tolerance: bool, motion: Motion, potential: Potential
    ) -> Verdict:
        done = filled(directory / "model_devi.out") and filled(directory / "traj")
        return DONE if done else incomplete("no model_devi.out")

    def read_result(self, directory: Path) -> TruthTrajectory:
        return TruthTrajectory(directory)


def _hardness(stored: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Steps of all frames, and how hard they are."""
    if "given" in stored:
        return np.arange(len(stored["given"])), np.full(len(stored["given"]), TRAINED)
    return np.array(stored["steps"]), hardness(stored["seed"], len(stored["steps"]))


def _kpu(directory: Path) -> None:
    """A variance: the square of what a committee says, but for σ."""
    steps, hard = _hardness(json.loads((directory / "md.json").read_text()))
    rows = np.repeat(((hard / RATIO) ** 2)[:, None], 4, axis=1)
    write_kpu_devi(directory / "kpu_model_devi.out", steps, rows)


def _md(directory: Path) -> None:
    stored = json.loads((directory / "md.json").read_text())
    steps, hard = _hardness(stored)
    rows = np.zeros((len(steps), 7))
    rows[:, 2] = sigma_of(stored.get("model", 1)) * hard / RATIO
    for place, value in (STRANGE if stored.get("strange") else {}).items():
        rows[place, 2] = value
    rows[:, -1] = rows[:, 2]
    rows[:, 2] *= 1 + np.arange(len(steps)) % 3  # the largest deviation says less
    write_model_devi(directory / "model_devi.out", steps, rows)
    (directory / "traj").write_text("frames of " + repr(stored["seed"]))
    (directory / "md.log").write_text(f"{stored['seed']}\n")


def use_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put these engines in place of those that ``pod`` and ``ase`` name."""
    use_toys(monkeypatch)
    name = "tests.workflow.known_truth:TruthExplorer"
    monkeypatch.setitem(engines.EXPLORERS, "lammps", name)
    monkeypatch.setitem(RUN, "truth-md", _md)
    monkeypatch.setitem(RUN, "toy-kpu", _kpu)
    monkeypatch.setattr(TruthExplorer, "broken", None)
    monkeypatch.setattr(TruthExplorer, "strange", False)


def truth_param(changes: Mapping[str, Any] = {}) -> dict[str, Any]:
    """A run of two iterations with a target, four systems, eight labels of each."""
    job = {**run_param()["explore"]["md_jobs"][0], "nsteps": 10 * (FRAMES - 1), "select_sys": [8]}
    param = run_param()
    param["strategy"] = {"model_num": 3, "target_force_error": TARGET, "pick": "random"}
    param["strategy"]["max_iterations"] = 1
    param["explore"]["md_jobs"] = [job, {**job, "temps": [150]}]
    return deep_update(param, changes)
