"""Does the uncertainty by sketched gradients tell the true force error, and what does it cost?

    PYTHONPATH=. python tests/benchmarks/gradient_uncertainty.py LIBRARY WORK_DIR SEED…

LIBRARY is torchnep or sevennet, and the Python the one that has it. For each seed: frames of Ag and
Au in EMT at three temperatures; four models trained on those of the two lower ones, TorchNEP from
nothing, SevenNet-0 fine-tuned, each on frames drawn with replacement but the first, which has all
and is judged; frames of all three temperatures to judge it on. Times are CPU seconds of one thread.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from pwact.engines.gradients.covariance import covariance_of
from pwact.engines.gradients.draws import Draws
from pwact.engines.gradients.evaluator import Judge
from pwact.engines.gradients.rows import GradientRows
from pwact.formats.frames import write_frames
from pwact.formats.labels import labels_of, set_labels

TEMPS_K = (300, 800, 1600)
TRAINED, JUDGED, MEMBERS = 8, 12, 4  # frames a temperature; models
DRAWS = {"torchnep": (4, 8, 16), "sevennet": (1, 2)}
TOGETHER = {"torchnep": 16, "sevennet": 1}  # frames
PROBES = {"torchnep": (1, 2, 4, 16), "sevennet": (1, 2, 4)}
REPEAT = {"torchnep": (2, 2, 2), "sevennet": (2, 1, 1)}
NEP_IN = """\
type 2 Ag Au
cutoff 5 4
n_max 4 4
basis_size 6 6
l_max 4 2 0
neuron 10
epoch 60
batch 4
"""
EPOCHS, RATE = 5, 5e-4  # of SevenNet
Trained = tuple[Any, list[Any], Any]


def trajectory(temp_k: float, repeat: Sequence[int], count: int, seed: int) -> list[Atoms]:
    """Labelled frames of an MD in EMT, 60 fs from each other."""
    rng = np.random.default_rng(seed)
    atoms = bulk("Ag", "fcc", a=4.08, cubic=True).repeat(repeat)
    atoms.symbols[rng.permutation(len(atoms))[: len(atoms) // 2]] = "Au"
    atoms.calc = EMT()
    MaxwellBoltzmannDistribution(atoms, temperature_K=2 * temp_k, rng=rng)
    motion = Langevin(atoms, 3 * units.fs, temperature_K=temp_k, friction=0.02, rng=rng)
    frames = []
    motion.run(100)
    for _ in range(count):
        motion.run(20)
        frame = atoms.copy()
        set_labels(frame, atoms.get_potential_energy(), atoms.get_forces())
        frames.append(frame)
    return frames


class OnlyLast:
    """A model of which the weights of the last layer alone count."""

    def __init__(self, model: Any, weights: list[Any]) -> None:
        self.evaluate = model.evaluate
        self.parameters = lambda: weights


def torchnep(frames: list[Atoms], place: Path, seed: int) -> Trained:
    """A model, its last layer, and its calculator."""
    import torchnep as library  # noqa: PLC0415
    from torchnep.ase_calculator import NEP  # noqa: PLC0415

    from pwact.engines.torchnep.gradients import load  # noqa: PLC0415

    place.mkdir(parents=True)
    write_frames(place / "train.xyz", frames, "extxyz")
    (place / "nep.in").write_text(NEP_IN)
    seeded = {"run_seed": seed, "output_dir": str(place), "device": "cpu", "use_compile": False}
    library.train_nep(str(place / "nep.in"), str(place / "train.xyz"), **seeded)
    made = load(place / "nep_best.txt")
    return made, list(made._model.w1), NEP(str(place / "nep_best.txt"))


def sevennet(frames: list[Atoms], place: Path, seed: int) -> Trained:
    """SevenNet-0 after a few epochs on forces alone, its last layer, and its calculator."""
    import torch  # noqa: PLC0415
    from sevenn.calculator import SevenNetCalculator  # noqa: PLC0415

    from pwact.engines.sevennet.gradients import load  # noqa: PLC0415

    del place
    made = load(Path("7net-0"))
    optimizer = torch.optim.Adam(made.parameters(), lr=RATE)
    rng = np.random.default_rng(seed)
    for _ in range(EPOCHS):
        for part in np.array_split(rng.permutation(len(frames)), len(frames) // 4):
            batch = [frames[number] for number in part]
            _, forces = made.evaluate(batch)
            true = np.concatenate([labels_of(frame).forces for frame in batch])
            optimizer.zero_grad()
            torch.mean((forces - forces.new_tensor(true)) ** 2).backward()
            optimizer.step()
    last = [one for name, one in made._network.named_parameters() if "hidden_to_energy" in name]
    return made, last, SevenNetCalculator("7net-0", device="cpu")  # as fast as the fine-tuned one


def forces_of(model: Any, frames: list[Atoms]) -> list[np.ndarray]:
    """Of every frame, (N, 3) in eV/Å."""
    return [model.evaluate([atoms])[1].detach().cpu().numpy().astype(float) for atoms in frames]


def rms(values: Any) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def cost(work: Callable[[Atoms], object], frames: list[Atoms]) -> float:
    """CPU seconds a frame."""
    work(frames[0])  # what is compiled on first use
    began = time.process_time()
    for atoms in frames:
        work(atoms)
    return (time.process_time() - began) / len(frames)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman's."""
    from scipy.stats import spearmanr  # noqa: PLC0415

    return float(spearmanr(one, other).statistic)


def by_draws(
    rows: GradientRows, factor: Any, library: str, judged: list[Atoms], once: float
) -> Iterator[tuple[str, Any]]:
    """Name and values of each number of drawn weights."""
    size = TOGETHER[library]
    for count in DRAWS[library]:
        draws, began, values = Draws(rows, factor, count), time.process_time(), []
        for start in range(0, len(judged), size):
            values += draws.variances(judged[start : start + size])
        price = (time.process_time() - began) / len(judged) / once
        print(f"  {count} draws: {price:.2f} evaluations a frame")
        yield f"{count} draws", np.sqrt(values)


def measures(
    models: list[Trained], trained: list[Atoms], judged: list[Atoms], library: str
) -> dict[str, np.ndarray]:
    """Of each kind of uncertainty, its value for every frame; and what it costs."""
    model, last, calculator = models[0]
    counts = PROBES[library]
    committee = [forces_of(one, judged) for one, _, _ in models]
    once = cost(calculator.calculate, judged[:5])
    found = {
        f"committee of {MEMBERS}": [
            rms(np.std(parts, axis=0) * 3**0.5) for parts in zip(*committee)
        ],
        "RMS force": [rms(forces) for forces in committee[0]],
    }
    print(f"energy and forces: {1000 * once:.1f} ms")
    for name, one in (("all weights", model), ("last layer", OnlyLast(model, last))):
        rows = GradientRows(one)
        began = time.process_time()
        covariance = covariance_of(rows, trained)
        took = time.process_time() - began
        print(
            f"{name}: {rows.columns} columns; P takes {took / once / len(trained):.1f} evaluations "
            "a training frame"
        )
        judge = Judge(rows, covariance, counts[-1])
        features = [judge.features(atoms) for atoms in judged]
        for probes in counts:  # of which each has the vectors of the one before
            found[f"{name}, {probes}"] = [rms(made[:probes]) for made in features]
            price = cost(Judge(rows, covariance, probes).features, judged[:5]) / once
            print(f"  {probes} vectors: {price:.2f} evaluations a frame")
        if one is model:
            found.update(by_draws(rows, covariance.factor, library, judged, once))
    return {name: np.array(values) for name, values in found.items()}


def one_seed(library: str, work: Path, seed: int) -> None:
    """Print one table."""
    train = {"torchnep": torchnep, "sevennet": sevennet}[library]
    repeat, rng = REPEAT[library], np.random.default_rng(seed)
    known = [trajectory(temp, repeat, TRAINED, 10 * seed + n) for n, temp in enumerate(TEMPS_K[:2])]
    fresh = [trajectory(temp, repeat, JUDGED, 10 * seed + 5 + n) for n, temp in enumerate(TEMPS_K)]
    trained, judged = sum(known, []), sum(fresh, [])
    models = []
    for member in range(MEMBERS):
        drawn = rng.integers(0, len(trained), len(trained)) if member else np.arange(len(trained))
        frames = [trained[number] for number in drawn]
        models.append(train(frames, work / f"{library}.{seed}.{member}", 100 * seed + member))
    guessed = forces_of(models[0][0], judged)
    error = np.array([rms(made - labels_of(one).forces) for made, one in zip(guessed, judged)])
    by_temp = error.reshape(len(TEMPS_K), -1)
    print(f"{library} {seed}: force error {np.sqrt(np.mean(by_temp**2, axis=1)).round(3)} eV/Å")
    for name, values in measures(models, trained, judged, library).items():
        within = np.mean(
            [rank_correlation(u, e) for u, e in zip(values.reshape(len(TEMPS_K), -1), by_temp)]
        )
        scatter = np.std(np.log(error / values))
        print(
            f"{library} {seed}  {name:16} {rank_correlation(values, error):5.2f} {within:5.2f}"
            f" {scatter:5.2f}",
            flush=True,
        )


if __name__ == "__main__":
    for number in sys.argv[3:]:
        one_seed(sys.argv[1], Path(sys.argv[2]), int(number))
