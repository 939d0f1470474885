"""What the uncertainty of a trajectory costs: KPU of one ML-POD model against a committee of four.

    PYTHONPATH=. python tests/benchmarks/kpu_price.py

Trains both on the same eight frames of examples/quickstart_kpu's alloy (Ag16Au16, EMT), and
evaluates one trajectory of 51 and of 501 frames, as jobs do: KPU without and with features, and
energies and forces of four models. Turn by turn, seven times; CPU times of all processes, medians
and quartiles, and the quartiles of the ratios of each turn.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from pwact.engines.lammps.deviation import shell_text
from pwact.engines.lammps.program import lammps_program
from pwact.engines.pod.trainer import PodTrainer
from pwact.engines.trainers import TrainingData
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.formats.lammps_data import write_lammps_data
from pwact.formats.lammps_dump import frame_text

TYPES = ("Ag", "Au")
FRAMES, TURNS, MEMBERS = (51, 501), 7, 4
BLOCK: Any = SimpleNamespace(command="lmp")


def motion(temp_k: float, count: int) -> list[Atoms]:
    """Labelled frames of an MD by EMT, 10 steps of 2 fs apart."""
    rng = np.random.default_rng(1)
    atoms = bulk("Ag", "fcc", a=4.08, cubic=True).repeat(2)
    atoms.symbols[rng.permutation(32)[:16]] = "Au"
    atoms.calc = EMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temp_k, rng=rng)
    run = Langevin(atoms, 2 * units.fs, temperature_K=temp_k, friction=0.02 / units.fs, rng=rng)
    made = []
    for _ in range(count):
        run.run(10)
        frame = atoms.copy()
        set_labels(frame, atoms.get_potential_energy(), atoms.get_forces())
        made.append(frame)
    return made


def trainer(uncertainty: str) -> PodTrainer:
    """One that trains for it, with the cutoff of the quickstart."""
    config: Any = SimpleNamespace(
        file=Path("run_param.json"),
        train=SimpleNamespace(atom_type=TYPES, settings={"rcut": 5.0}),
        strategy=SimpleNamespace(uncertainty=uncertainty, compress=False),
        init_model_list=(),
    )
    return PodTrainer(config, BLOCK, BLOCK)


def trained(engine: PodTrainer, folder: Path, frames: list[Atoms], count: int) -> list[Any]:
    """Models of these frames."""
    write_frames(folder / "train.xyz", frames, "extxyz")
    data = TrainingData((folder / "train.xyz",), (), "extxyz")
    models = []
    for seed in range(count):
        place = folder / f"{engine.fingerprint()['engine']}.{count}.{seed}"
        place.mkdir()
        engine.write_input(place, data, seed, None)
        subprocess.run(["bash", "-c", engine.command()], cwd=place, check=True)
        models.append(engine.read_result(place))
    return models


def cpu_s(command: str, place: Path) -> float:
    """CPU time of a command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["bash", "-c", command], cwd=place, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def written(place: Path, frames: list[Atoms]) -> Path:
    """A directory as an MD leaves it."""
    place.mkdir()
    write_lammps_data(place / "lmp.config", frames[0], TYPES)
    still = np.zeros((len(frames[0]), 3))
    text = "".join(frame_text(step, frame, still, TYPES) for step, frame in enumerate(frames))
    (place / "traj.lammpstrj").write_text(text)
    return place


def quartiles(values: np.ndarray, factor: float = 1.0) -> str:
    """Median, and in brackets the quartiles."""
    low, middle, high = np.percentile(values * factor, [25, 50, 75])
    return f"{middle:.2f} ({low:.2f}–{high:.2f})"


def main() -> None:
    """Measure and print."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        top = Path(temporary)
        start = motion(600.0, 8)
        alone, together = trainer("kpu"), trainer("committee")
        (model,) = trained(alone, top, start, 1)
        committee = together.potential(trained(together, top, start, MEMBERS))
        for count in FRAMES:
            run = written(top / f"md.{count}", motion(900.0, count))
            for name, target in committee.links.items():
                (run / name).symlink_to(target)
            commands = {"committee": (run, shell_text(lammps_program("lmp"), committee))}
            for name, task in (("KPU", alone.kpu()), ("features", alone.kpu().with_features())):
                place = top / f"{name}.{count}"
                place.mkdir()
                task.write_input(place, model, run)
                commands[name] = (place, task.command())
            turns = [
                {name: cpu_s(command, place) for name, (place, command) in commands.items()}
                for _ in range(TURNS)
            ]
            for name in commands:
                times = np.array([turn[name] for turn in turns])
                ratios = np.array([turn[name] / turn["committee"] for turn in turns])
                milliseconds = quartiles(times, 1e3 / count)
                print(f"{count} frames  {name:9}  {milliseconds} ms a frame, {quartiles(ratios)}")


if __name__ == "__main__":
    main()
