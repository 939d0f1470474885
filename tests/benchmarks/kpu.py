"""A committee of four against the Kalman prediction uncertainty (KPU) of one ML-POD model.

    PYTHONPATH=. python tests/benchmarks/kpu.py [Cu] [Ag-Au] [Si]

Cu and Ag–Au with EMT labels (32 atoms), Si with labels by CP2K (64 atoms, DFTB as in
examples/si_cp2k); five seeds. All start from the same 8 rattled crystals. In each of four rounds
frames of a trajectory by the labelling method are offered (400 to 1600 K; silicon 300 to 1200 K),
and five are labelled: drawn from the upper half by deviation, by KPU, or, for comparison, from all.
The models are the least squares that fitpod solves, from LAMMPS's descriptors. They are judged on
trajectories that nobody chose from.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from pwact.config.train_keys import defaults
from pwact.engines.labelers import Purpose
from pwact.engines.pod import files as pod_files
from pwact.engines.pod import fit as pod_fit
from pwact.engines.pod.kpu import row_of
from pwact.formats.labels import set_labels
from tests.commands import ROOT
from tests.engines.cp2k_inputs import labeler as cp2k_labeler

SEEDS, START, PICKS, MEMBERS, ROUNDS = 5, 8, 5, 4, 4
WAYS = ("committee", "KPU", "random")


@dataclass(frozen=True)
class Frame:
    """Descriptors (1 + 3N, coefficients); energy (eV) and forces (eV/Å) in one column."""

    matrix: np.ndarray
    truth: np.ndarray


class EmtSystem:
    """32 atoms of fcc metals in random order; labels by ASE's EMT."""

    temps_k = (400, 800, 1200, 1600)
    frames = 30  # of a trajectory, 10 steps of 3 fs apart

    def __init__(self, *types: str) -> None:
        self.types = types

    def crystal(self, rng: np.random.Generator) -> Atoms:
        """Without displacements."""
        a = 3.61 if self.types[0] == "Cu" else 4.08
        atoms = bulk(self.types[0], "fcc", a=a, cubic=True).repeat(2)
        if len(self.types) > 1:
            atoms.symbols[rng.permutation(32)[:16]] = self.types[1]
        return atoms

    def label(self, atoms: Atoms, _: Path) -> Atoms:
        """The frame with energy and forces."""
        made = atoms.copy()
        made.calc = EMT()
        set_labels(made, made.get_potential_energy(), made.get_forces())
        return made

    def trajectory(self, temp_k: float, rng: np.random.Generator, folder: Path) -> list[Atoms]:
        """Labelled frames."""
        atoms = self.crystal(rng)
        atoms.calc = EMT()
        MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temp_k, rng=rng)
        motion = Langevin(
            atoms, 3 * units.fs, temperature_K=temp_k, friction=0.02 / units.fs, rng=rng
        )
        made = []
        for _ in range(self.frames):
            motion.run(10)
            made.append(self.label(atoms, folder))
        return made


class Cp2kSilicon:
    """64 atoms of silicon; labels and MD by CP2K with the input of examples/si_cp2k."""

    temps_k = (300, 600, 900, 1200)
    frames = 20  # of a trajectory, 5 steps of 2 fs apart
    types = ("Si",)

    def crystal(self, _: np.random.Generator) -> Atoms:
        """Without displacements."""
        return bulk("Si", cubic=True, a=5.43).repeat(2)

    def label(self, atoms: Atoms, folder: Path) -> Atoms:
        """The frame with energy and forces."""
        (made,) = self._computed(folder, atoms, Purpose.SCF, {}, 0)
        return made

    def trajectory(self, temp_k: float, rng: np.random.Generator, folder: Path) -> list[Atoms]:
        """Labelled frames."""
        atoms = self.crystal(rng)
        atoms.positions += rng.normal(0, 0.02, (len(atoms), 3))
        changes = {
            "TEMPERATURE 50": f"TEMPERATURE {temp_k}",
            "STEPS 10": f"STEPS {5 * self.frames}",
        }
        seed = int(rng.integers(1, 2**31))
        return self._computed(folder, atoms, Purpose.AIMD, changes, seed)[1:]

    def _computed(
        self, folder: Path, atoms: Atoms, purpose: Purpose, changes: dict[str, str], seed: int
    ) -> list[Atoms]:
        name = {Purpose.SCF: "scf.inp", Purpose.AIMD: "aimd.inp"}[purpose]
        text = (ROOT / "examples" / "si_cp2k" / name).read_text(encoding="utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        task = folder / f"cp2k.{sum(1 for _ in folder.glob('cp2k.*'))}"
        task.mkdir()
        labeler = cp2k_labeler(task / "input", text)
        work = task / "work"
        work.mkdir()
        labeler.write_input(work, atoms, purpose, seed, None)
        command = ["bash", "-c", labeler.command(purpose)]
        subprocess.run(command, cwd=work, check=False, capture_output=True)
        verdict = labeler.check(work, purpose)
        assert verdict.done, verdict.reason
        return list(labeler.read_result(work, purpose))


System = Union[EmtSystem, Cp2kSilicon]
SYSTEMS: dict[str, System] = {
    "Cu": EmtSystem("Cu"),
    "Ag-Au": EmtSystem("Ag", "Au"),
    "Si": Cp2kSilicon(),
}


def described(folder: Path, types: tuple[str, ...], frames: list[Atoms]) -> list[Frame]:
    """The labelled frames with descriptors, turned as fitpod wants them."""
    settings = defaults("pod")
    pod_files.write_parameters(folder / pod_files.PARAMETERS, types, settings)
    texts = [pod_files.frame_text(frame, settings["rcut"]) for frame in frames]
    pod_files.write_frames(folder / "frames", texts)
    pod_files.write_description(folder / pod_files.DATA, "frames")
    pod_files.write_script(folder, pod_files.DATA)
    words = ["lmp", "-log", "none", "-in", pod_files.INPUT]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return [Frame(*pair) for pair in pod_fit.described(folder / "frames")]


def sums_of(data: list[Frame]) -> pod_fit.LeastSquares:
    """What the fit adds up over the data."""
    settings = defaults("pod")
    weights = pod_fit.Weights(settings["fitting_weight_energy"], settings["fitting_weight_force"])
    size = data[0].matrix.shape[1]
    sums = pod_fit.LeastSquares(size, settings["p0_weight"], settings["kalman_lambda"])
    for frame in data:
        factors = weights.of(len(frame.matrix))
        sums.add(frame.matrix * factors, frame.truth * factors[:, 0])
    return sums


def solved(sums: pod_fit.LeastSquares) -> np.ndarray:
    """Coefficients of the fit."""
    return sums.coefficients(defaults("pod")["fitting_regularization_parameter"])


def errors(frames: list[Frame], coefficients: np.ndarray) -> np.ndarray:
    """Root-mean-square force error of each frame, eV/Å."""
    return np.array(
        [np.sqrt(np.mean((f.matrix @ coefficients - f.truth)[1:] ** 2)) for f in frames]
    )


def committee_of(
    frames: list[Frame], data: list[Frame], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Largest deviation of each frame, and the coefficients of the first member."""
    draws = [rng.integers(0, len(data), len(data)) for _ in range(MEMBERS)]
    members = np.array([solved(sums_of([data[pick] for pick in draw])) for draw in draws])
    values = []
    for frame in frames:
        forces = (members @ frame.matrix[1:].T).reshape(MEMBERS, -1, 3)
        values.append(np.sqrt(forces.var(axis=0).sum(axis=1)).max())
    return np.array(values), members[0]


def kpu_of(frames: list[Frame], data: list[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Mean KPU of the forces of each frame, and the coefficients of the model."""
    sums = sums_of(data)
    factor = sums.factor()
    return np.array([row_of(frame.matrix, factor)[1] for frame in frames]), solved(sums)


def measured(
    way: str, frames: list[Frame], data: list[Frame], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Values by which frames are judged, and coefficients."""
    if way == "committee":
        return committee_of(frames, data, rng)
    return kpu_of(frames, data)


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def recall(values: np.ndarray, error: np.ndarray) -> float:
    """Part of the worst tenth of the frames that is in the highest tenth of the values."""
    count = len(error) // 10
    return len(set(np.argsort(-values)[:count]) & set(np.argsort(-error)[:count])) / count


def one_seed(system: System, seed: int, folder: Path) -> dict[str, np.ndarray]:
    """Way → one row a training: labels, rmse_f, Spearman, that at the third temperature, recall."""
    rng = np.random.default_rng(seed)
    start = []
    for _ in range(START):
        atoms = system.crystal(rng)
        atoms.positions += rng.normal(0, 0.04, (len(atoms), 3))
        start.append(system.label(atoms, folder))
    pools = [system.trajectory(temp_k, rng, folder) for temp_k in system.temps_k]
    fresh = [system.trajectory(temp_k, rng, folder) for temp_k in system.temps_k]
    everything = [*start, *sum(pools, []), *sum(fresh, [])]
    count = system.frames
    frames = described(folder, system.types, everything)
    test = frames[-count * len(fresh) :]
    result = {}
    for way in WAYS:
        dice, data, rows = np.random.default_rng(seed), list(frames[:START]), []
        for number in range(len(pools) + 1):
            values, coefficients = measured(way, test, data, dice)
            error = errors(test, coefficients)
            warm = slice(2 * count, 3 * count)
            scores = [
                rank_correlation(values, error),
                rank_correlation(values[warm], error[warm]),
                recall(values, error),
            ]
            rows.append([len(data), np.sqrt(np.mean(error**2)), *scores])
            if number < len(pools):
                pool = frames[START + count * number : START + count * (number + 1)]
                choice = np.arange(count)
                if way != "random":
                    choice = np.argsort(-measured(way, pool, data, dice)[0])[: count // 2]
                data += [pool[pick] for pick in dice.choice(choice, PICKS, replace=False)]
        result[way] = np.array(rows)
    return result


def main(names: list[str]) -> None:
    """Print one table a system: means over the seeds, with their standard errors."""
    for name in names or list(SYSTEMS):
        results = []
        for seed in range(SEEDS):
            with tempfile.TemporaryDirectory() as temporary:
                results.append(one_seed(SYSTEMS[name], seed, Path(temporary)))
        third = SYSTEMS[name].temps_k[2]
        print(
            f"{name}\nlabels  way        rmse_f            Spearman     at {third:4d} K    recall"
        )
        for row in range(ROUNDS + 1):
            for way in WAYS:
                table = np.array([result[way][row] for result in results])
                mean, sure = table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(SEEDS)
                print(
                    f"{mean[0]:6.0f}  {way:<9}  {mean[1]:.4f} ± {sure[1]:.4f}"
                    + "".join(f"  {mean[k]:5.2f} ± {sure[k]:.2f}" for k in (2, 3, 4)),
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
