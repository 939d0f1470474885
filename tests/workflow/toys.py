"""Engines that finish in microseconds inside the test's own process.

They follow the protocols of `pwact.engines`; their "programs" are the functions of `RUN`,
called by whoever plays the scheduler. The true energy is harmonic about the origin.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
from ase import Atoms

from pwact.engines.delivery import Delivery, read_result
from pwact.engines.explorers import Condition
from pwact.engines.labelers import Purpose
from pwact.engines.potential import Potential
from pwact.engines.trainers import TrainedModel, TrainingData, ValidError
from pwact.errors import InputError, TaskError
from pwact.executors.base import Task, TaskResult
from pwact.formats.features import writing_features
from pwact.formats.frames import read_frames
from pwact.formats.kpu_devi import write_kpu_devi
from pwact.formats.labels import set_labels
from pwact.formats.model_devi import Deviations, read_model_devi, write_model_devi
from pwact.io.files import tree_hash, write_json
from pwact.verdict import DONE, Verdict, incomplete, unusable
from pwact.workflow.seeds import Seeds
from pwact.workflow.stage import Services, Stage, StageOutput

STIFFNESS = 2.0  # eV/Å^2
MODEL_ERROR = 0.25  # eV/Å: what the toy model adds to each force component
UNCONVERGED = "unconverged"
BROKEN = "broken"


def to_json(atoms: Atoms) -> dict[str, Any]:
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": atoms.cell.array.tolist(),
    }


def from_json(stored: Mapping[str, Any]) -> Atoms:
    return Atoms(stored["numbers"], stored["positions"], cell=stored["cell"], pbc=True)


def true_forces(atoms: Atoms) -> np.ndarray:
    return -STIFFNESS * atoms.positions


def filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


class ToyTrainer:
    """Its model is the number of frames that it saw."""

    log = "train.log"
    shell_check = "true"
    heading = None
    begins_with_models = True

    def __init__(self, config: Any, train: Any, explore: Any) -> None:
        self.types = config.train.atom_type

    def validate(self) -> None:
        return None

    def fingerprint(self) -> dict[str, Any]:
        return {"engine": "toy"}

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        frames = [len(read_frames(path, data.data_format)) for path in data.train]
        start = None if start_from is None else start_from.name
        valid = bool(data.valid)
        stored = {"frames": frames, "seed": seed, "start": start, "valid": valid}
        write_json(directory / "train.json", stored)

    def command(self) -> str:
        return "toy-train"

    def check(self, directory: Path) -> Verdict:
        return DONE if filled(directory / "model") else incomplete("no model")

    def reached(self, directory: Path) -> float:
        return 0.0

    def read_result(self, directory: Path) -> TrainedModel:
        model = json.loads((directory / "model").read_text())
        frames = sum(model["frames"])
        valid = ValidError(0.01 / frames, 1.0 / frames) if model["valid"] else None
        return TrainedModel(directory, {"model": directory / "model"}, valid)

    def potential(self, models: Sequence[TrainedModel]) -> Potential:
        links = {f"{number}_model": model.files["model"] for number, model in enumerate(models)}
        return Potential(tuple(self.types), links, ("pair_style toy",), deviates=len(models) > 1)

    def whole(self) -> None:
        return None

    def reading(self) -> None:
        return None

    def kpu(self) -> ToyKpu:
        return ToyKpu()


class DrawingTrainer(ToyTrainer):
    """Says whether its members were to see a draw of the frames."""

    draws = True

    def write_input(
        self, directory: Path, data: TrainingData, seed: int, start_from: Optional[Path]
    ) -> None:
        super().write_input(directory, data, seed, start_from)
        write_json(directory / "draws.json", self.draws)

    def whole(self) -> Any:
        made = copy(self)
        made.draws = False
        return made


class ToyKpu:
    """Uncertainty of row n is ``temperature * (1 + n)``; its features are a row of two numbers."""

    log = "kpu.log"
    shell_check = "true"
    heading = None
    features = False

    def with_features(self) -> ToyKpu:
        made = type(self)()
        made.features = True
        return made

    def fingerprint(self) -> dict[str, Any]:
        return {"engine": "toy"}

    def write_input(self, directory: Path, model: TrainedModel, trajectory: Path) -> None:
        (directory / "model").symlink_to(model.files["model"])
        (directory / "md.json").write_bytes((trajectory / "md.json").read_bytes())

    def command(self) -> str:
        return "toy-kpu-features" if self.features else "toy-kpu"

    def check(self, directory: Path) -> Verdict:
        done = filled(directory / "kpu_model_devi.out")
        return DONE if done else incomplete("no kpu_model_devi.out")

    def transient_files(self, directory: Path) -> list[Path]:
        features = [directory / "features.npy"] if self.features else []
        return [directory / "md.json", *features]


class ToyTrajectory:
    """Frames are the start structure, displaced by a generator seeded with seed and step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._input = json.loads((directory / "md.json").read_text())
        self.ended_normally = bool(self._input["normal"])

    def deviations(self) -> Deviations:
        return read_model_devi(self.directory / "model_devi.out")

    def content(self) -> str:
        dump = self.directory / "traj"
        return tree_hash(dump) if dump.exists() else ""

    def energy(self, step: int) -> Optional[float]:
        return None

    def frame(self, step: int) -> Atoms:
        if not filled(self.directory / "traj"):
            raise TaskError(f"{self.directory}: the dump is gone")
        atoms = from_json(self._input["atoms"])
        rng = np.random.default_rng([self._input["seed"], step])
        atoms.positions += rng.uniform(-0.05, 0.05, (len(atoms), 3))
        if step in self._input["collisions"]:
            atoms.positions[0] = atoms.positions[1] + 0.1
        atoms.arrays["forces"] = true_forces(atoms) + MODEL_ERROR
        return atoms


class ToyExplorer:
    """Deviation of row n is ``temperature / 1000 * n``, so that windows are easy to reckon."""

    log = "md.log"
    shell_check = "true"
    heading = None
    collisions: tuple[int, ...] = ()
    early = ""  # why trajectories die early

    def __init__(self, block: Any) -> None:
        self.block = block

    def check_held(self, atoms: Any, motion: Any) -> str:
        return ""

    def validate(self, motion: Condition) -> None:
        pass

    def fingerprint(self, motion: Condition) -> dict[str, Any]:
        return asdict(motion)

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        potential: Potential,
        motion: Condition,
        seed: int,
    ) -> None:
        stored = {
            "atoms": to_json(atoms),
            "seed": seed,
            "temp": motion.temp_k,
            "press": motion.press_bar,
            "steps": list(range(0, motion.nsteps + 1, motion.trj_freq)),
            "normal": not self.early,
            "collisions": list(self.collisions),
            "deviates": potential.deviates,
        }
        write_json(directory / "md.json", stored)

    def command(self, potential: Potential) -> str:
        return "toy-md"

    def check(
        self, directory: Path, tolerance: bool, motion: Condition, potential: Potential
    ) -> Verdict:
        name = "model_devi.out" if potential.deviates else "md.log"
        done = filled(directory / name) and filled(directory / "traj")
        return Verdict(DONE.outcome, self.early) if done else incomplete(f"no {name}")

    def reached(self, directory: Path) -> float:
        return 0.0

    def read_result(self, directory: Path) -> ToyTrajectory:
        return ToyTrajectory(directory)

    def deliver(self, potential: Potential, elements: Any) -> Delivery:
        return Delivery({"calculator.py": "# toy\n"}, "toy-check", "check.log", read_result)

    def transient_files(self, directory: Path) -> list[Path]:
        return [path for path in [directory / "traj"] if path.exists()]


class StartTrajectory(ToyTrajectory):
    """Step 0 is the start structure, as in any MD."""

    def frame(self, step: int) -> Atoms:
        """As that of the parent, but for step 0."""
        atoms = super().frame(step)
        if step == 0:
            atoms.positions = from_json(self._input["atoms"]).positions
        return atoms


class StartExplorer(ToyExplorer):
    """Its trajectories begin with the structure that they were given, so that labels are shared."""

    def read_result(self, directory: Path) -> StartTrajectory:
        """The trajectory."""
        return StartTrajectory(directory)


class ToyLabeler:
    """The true energy, after one step for scf, three for AIMD; a relaxation shrinks the cell."""

    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    log = "dft.log"
    shell_check = "true"
    heading = None
    forces_on_held = True
    open_axes = False

    def __init__(self, config: Any, input_idx: int, block: Any) -> None:
        self.input_idx = input_idx

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:
        if "Xe" in elements:
            raise InputError("toy knows no Xe")

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        return atoms

    def check_held(self, atoms: Atoms) -> str:
        return ""

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:
        return {"engine": "toy", "input": self.input_idx}

    def write_input(
        self, directory: Path, atoms: Atoms, purpose: Purpose, seed: int, step: Optional[int] = None
    ) -> None:
        write_json(directory / "in.json", {**to_json(atoms), "seed": seed, "step": step})

    def command(self, purpose: Purpose) -> str:
        return f"toy-{purpose.value}"

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        if (directory / UNCONVERGED).exists():
            return unusable("the SCF is not converged")
        return DONE if filled(directory / "out.json") else incomplete("no out.json")

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:
        frames = []
        for stored in json.loads((directory / "out.json").read_text()):
            atoms = from_json(stored)
            energy = 0.5 * STIFFNESS * float(np.sum(atoms.positions**2))
            set_labels(atoms, energy, true_forces(atoms))
            frames.append(atoms)
        return frames

    def kept_files(self, name: str) -> bool:
        return name == "out.json"


def _train(directory: Path) -> None:
    (directory / "model").write_bytes((directory / "train.json").read_bytes())


def _md(directory: Path) -> None:
    stored = json.loads((directory / "md.json").read_text())
    steps = np.array(stored["steps"])
    deviations = stored["temp"] / 1000 * np.arange(len(steps))
    rows = np.zeros((len(steps), 6))
    rows[:, 2] = deviations
    if stored["deviates"]:
        write_model_devi(directory / "model_devi.out", steps, rows)
    (directory / "traj").write_text("frames")
    (directory / "md.log").write_text(f"{stored['seed']}\n")


def _kpu(directory: Path) -> None:
    stored = json.loads((directory / "md.json").read_text())
    steps = np.array(stored["steps"])
    rows = np.zeros((len(steps), 4))
    rows[:, 1] = stored["temp"] * (1 + np.arange(len(steps)))
    write_kpu_devi(directory / "kpu_model_devi.out", steps, rows)


def _kpu_with_features(directory: Path) -> None:
    """Row n points to another direction than its neighbours: 0, 90, 0, 90 … degrees."""
    _kpu(directory)
    steps = np.array(json.loads((directory / "md.json").read_text())["steps"])
    with writing_features(directory / "features.npy", steps, 2) as put:
        for place in range(len(steps)):
            put(place, np.eye(2)[[place % 2]] * (1 + place))


def _labels(frames: int, scale: float = 1.0) -> Callable[[Path], None]:
    def run(directory: Path) -> None:
        atoms = from_json(json.loads((directory / "in.json").read_text()))
        atoms.set_cell(atoms.cell * scale, scale_atoms=True)
        made = []
        for number in range(frames):
            moved = atoms.copy()
            moved.positions += 0.01 * number
            made.append(to_json(moved))
        write_json(directory / "out.json", made)

    return run


def _check(directory: Path) -> None:
    """The energy is the number of frames that the model saw."""
    model = json.loads((directory / "model").read_text())
    atoms = int((directory / "check.extxyz").read_text().split()[0])
    found = {"energy": sum(model["frames"]), "forces": [[1.0, 0.0, 0.0]] * atoms}
    write_json(directory / "check.json", {**found, "programs": {}})


RUN: dict[str, Callable[[Path], None]] = {
    "toy-train": _train,
    "toy-md": _md,
    "toy-kpu": _kpu,
    "toy-check": _check,
    "toy-kpu-features": _kpu_with_features,
    "toy-scf": _labels(1),
    "toy-aimd": _labels(3),
    "toy-relax": _labels(1, 0.98),
}


class ToyServices:
    """Plays campaign and scheduler for one stage.

    Attributes
    ----------
    ran
        Directory of every program that was run, relative to the work directory.
    spoil
        Part of a directory's name → file that is put there instead of running the program.
    """

    def __init__(self, work_dir: Path, seed: int = 1) -> None:
        self.work_dir = work_dir
        self.seeds = Seeds(seed)
        self.seed = self.seeds.seed
        self.rng = self.seeds.rng
        self.ran: list[str] = []
        self.spoil: dict[str, str] = {}

    def begin_ahead(self, *_: Any) -> None:
        """Nothing is begun before it is asked for."""

    def later(self, work: Callable[[], object]) -> None:
        work()

    def dispatch(
        self, kind: str, directory: Path, tasks: Sequence[Task], block: Any
    ) -> Iterator[TaskResult]:
        for task in reversed(tasks):  # results come in any order
            verdict = task.check(task.directory)
            if not verdict.done:
                self._run(task)
                verdict = task.check(task.directory)
            yield TaskResult(task, verdict, 1, verdict.reason)

    def _run(self, task: Task) -> None:
        name = task.directory.relative_to(self.work_dir).as_posix()
        self.ran.append(name)
        for part, file in self.spoil.items():
            if part in name:
                (task.directory / file).touch()
                return
        RUN[task.command](task.directory)

    def run(self, stage: Stage) -> StageOutput:
        stage.directory.mkdir(parents=True, exist_ok=True)
        services: Services = self
        stage.inputs()
        return stage.work(services)
