"""A committee of four against the Kalman prediction uncertainty (KPU) of one ML-POD model.

    PYTHONPATH=. python tests/benchmarks/kpu.py

Cu and Ag–Au with EMT labels, 32 atoms, five seeds. All start from the same 8 rattled crystals. In
each of four rounds (400 to 1600 K) frames of an EMT trajectory are offered, and five are labelled:
drawn from the upper half by deviation, by KPU, or, for comparison, from all. The models are the
least squares that fitpod solves, from LAMMPS's descriptors. They are judged on trajectories that
nobody chose from.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from pwact.config.train_keys import defaults
from pwact.engines import pod_files
from pwact.engines.pod_descriptors import Model, descriptors_of
from pwact.engines.pod_kpu import factor_of, measurements_of, row_of
from pwact.io.labels import set_labels

SYSTEMS = {"Cu": ("Cu",), "Ag-Au": ("Ag", "Au")}
TEMPERATURES_K = (400, 800, 1200, 1600)
SEEDS, START, PICKS, MEMBERS, FRAMES = 5, 8, 5, 4, 30
WAYS = ("committee", "KPU", "random")


@dataclass(frozen=True)
class Frame:
    """Descriptors (1 + 3N, coefficients); energy (eV) and forces (eV/Å) in one column."""

    matrix: np.ndarray
    truth: np.ndarray


def crystal(types: tuple[str, ...], rng: np.random.Generator) -> Atoms:
    """32 atoms, in random order."""
    atoms = bulk(types[0], "fcc", a=3.61 if types[0] == "Cu" else 4.08, cubic=True).repeat(2)
    if len(types) > 1:
        atoms.symbols[rng.permutation(32)[:16]] = types[1]
    atoms.calc = EMT()
    return atoms


def trajectory(types: tuple[str, ...], temp_k: float, rng: np.random.Generator) -> list[Atoms]:
    """Frames of an EMT trajectory, 10 steps of 3 fs apart."""
    atoms = crystal(types, rng)
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temp_k, rng=rng)
    motion = Langevin(atoms, 3 * units.fs, temperature_K=temp_k, friction=0.02 / units.fs, rng=rng)
    made = []
    for _ in range(FRAMES):
        motion.run(10)
        made.append(atoms.copy())
    return made


def described(folder: Path, model: Model, frames: list[Atoms]) -> list[Frame]:
    """The frames with descriptors and EMT labels, their cells as LAMMPS takes them."""
    order = sorted(range(len(frames)), key=lambda k: frames[k].numbers.tolist())
    made: dict[int, Frame] = {}
    ordered = [frames[k] for k in order]
    for place, matrix in zip(order, descriptors_of(folder, "lmp", model, ordered)):
        atoms = frames[place]
        atoms.calc = EMT()
        truth = np.concatenate([[atoms.get_potential_energy()], atoms.get_forces().ravel()])
        made[place] = Frame(matrix, truth)
    return [made[place] for place in range(len(frames))]


def fitted_once(folder: Path, types: tuple[str, ...], frames: list[Atoms]) -> Model:
    """The files of a model: descriptors do not depend on its coefficients, only on their number."""
    settings = defaults("pod")
    (folder / pod_files.TRAIN_FOLDER).mkdir()
    for atoms in frames:
        set_labels(atoms, atoms.get_potential_energy(), atoms.get_forces())
    place = folder / pod_files.TRAIN_FOLDER / pod_files.FRAMES
    pod_files.write_frames(place, frames, settings["rcut"])
    pod_files.write_parameters(folder / pod_files.PARAMETERS, types, settings)
    pod_files.write_data_file(folder / pod_files.DATA, settings, with_valid=False)
    text = f"units metal\nfitpod {pod_files.PARAMETERS} {pod_files.DATA}\n"
    (folder / pod_files.INPUT).write_text(text)
    words = ["lmp", "-log", "none", "-in", pod_files.INPUT]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    return Model(pod_files.PARAMETERS, pod_files.COEFFICIENTS, types, settings["rcut"])


def solved(frames: list[Frame]) -> np.ndarray:
    """Coefficients by fitpod's weighted least squares."""
    settings = defaults("pod")
    weights = settings["fitting_weight_energy"], settings["fitting_weight_force"]
    rows = np.concatenate([measurements_of(frame.matrix, *weights) for frame in frames])
    wanted = np.concatenate(
        [measurements_of(frame.truth[:, None], *weights)[:, 0] for frame in frames]
    )
    normal = rows.T @ rows
    normal += np.diag(np.diag(normal)) * 1e-10 + np.eye(len(normal)) * 1e-10
    return np.linalg.solve(normal, rows.T @ wanted)


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
    members = np.array([solved([data[pick] for pick in draw]) for draw in draws])
    values = []
    for frame in frames:
        forces = (members @ frame.matrix[1:].T).reshape(MEMBERS, -1, 3)
        values.append(np.sqrt(forces.var(axis=0).sum(axis=1)).max())
    return np.array(values), members[0]


def kpu_of(frames: list[Frame], data: list[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Mean KPU of the forces of each frame, and the coefficients of the model."""
    settings = defaults("pod")
    weights = settings["fitting_weight_energy"], settings["fitting_weight_force"]
    rows = (measurements_of(frame.matrix, *weights) for frame in data)
    factor = factor_of(rows, settings["p0_weight"], settings["kalman_lambda"])
    return np.array([row_of(frame.matrix, factor)[1] for frame in frames]), solved(data)


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


def one_seed(types: tuple[str, ...], seed: int, folder: Path) -> dict[str, np.ndarray]:
    """Way → one row a training: labels, rmse_f, Spearman, Spearman within 1200 K, recall."""
    rng = np.random.default_rng(seed)
    start = [crystal(types, rng) for _ in range(START)]
    for atoms in start:
        atoms.positions += rng.normal(0, 0.04, (32, 3))
    model = fitted_once(folder, types, start)
    pools = [trajectory(types, temp_k, rng) for temp_k in TEMPERATURES_K]
    fresh = [trajectory(types, temp_k, rng) for temp_k in TEMPERATURES_K]
    everything = [*start, *sum(pools, []), *sum(fresh, [])]
    frames = described(folder, model, everything)
    test = frames[-FRAMES * len(fresh) :]
    result = {}
    for way in WAYS:
        dice, data, rows = np.random.default_rng(seed), list(frames[:START]), []
        for number in range(len(pools) + 1):
            values, coefficients = measured(way, test, data, dice)
            error = errors(test, coefficients)
            warm = slice(2 * FRAMES, 3 * FRAMES)
            scores = [
                rank_correlation(values, error),
                rank_correlation(values[warm], error[warm]),
                recall(values, error),
            ]
            rows.append([len(data), np.sqrt(np.mean(error**2)), *scores])
            if number < len(pools):
                pool = frames[START + FRAMES * number : START + FRAMES * (number + 1)]
                choice = np.arange(FRAMES)
                if way != "random":
                    choice = np.argsort(-measured(way, pool, data, dice)[0])[: FRAMES // 2]
                data += [pool[pick] for pick in dice.choice(choice, PICKS, replace=False)]
        result[way] = np.array(rows)
    return result


def main() -> None:
    """Print one table a system: mean over the seeds, and the spread of the error."""
    for name, types in SYSTEMS.items():
        results = []
        for seed in range(SEEDS):
            with tempfile.TemporaryDirectory() as temporary:
                results.append(one_seed(types, seed, Path(temporary)))
        print(f"{name}\nlabels  way        rmse_f (spread)  Spearman  at 1200 K  recall")
        for row in range(len(TEMPERATURES_K) + 1):
            for way in WAYS:
                table = np.array([result[way][row] for result in results])
                mean, spread = table.mean(axis=0), table[:, 1].std()
                print(
                    f"{mean[0]:6.0f}  {way:<9}  {mean[1]:.4f} ({spread:.4f})  {mean[2]:8.2f}"
                    f"  {mean[3]:9.2f}  {mean[4]:6.2f}"
                )


if __name__ == "__main__":
    main()
