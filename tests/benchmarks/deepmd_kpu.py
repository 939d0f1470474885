"""How many random probes the KPU of a DeePMD-kit model needs, and whether it tells the error.

    PYTHONPATH=. python tests/benchmarks/deepmd_kpu.py WORK_DIR

WORK_DIR holds examples/cu_deepmd_kpu, finished; the environment has DeePMD-kit's PyTorch backend.
The first and the last model are judged on new frames of 32 atoms of copper at 300, 600 and 1000 K.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from deepmd.calculator import DP

from pwact.engines.deepmd.kpu import MODEL, load
from pwact.formats.labels import labels_of
from tests.benchmarks.kpu import EmtSystem, rank_correlation, recall

PROBES = (0, 64, 16, 4, 1)
TEMPS_K = (300, 600, 1000)


def new_frames() -> list[Atoms]:
    """Thirty frames of each temperature, labelled by EMT."""
    system, rng = EmtSystem("Cu"), np.random.default_rng(1)
    return [frame for temp_k in TEMPS_K for frame in system.trajectory(temp_k, rng, Path())]


def main(work_dir: Path) -> None:
    """Print one table a model."""
    frames = new_frames()
    models = sorted(work_dir.glob("iter.*/00.train/train.000"))
    for folder in (models[0], models[-1]):
        calculator = DP(model=str(folder / MODEL))
        error = []
        for frame in frames:
            atoms = frame.copy()
            atoms.calc = calculator
            error.append(np.sqrt(np.mean((atoms.get_forces() - labels_of(frame).forces) ** 2)))
        error = np.array(error)
        evaluator = load(folder)
        evaluator.row(frames[0], 1)  # what is compiled on first use
        print(f"{folder.parent.parent.name}: rmse_f {np.sqrt(np.mean(error**2)):.4f} eV/Å")
        exact = np.ones(len(frames))
        print("probes  ms/frame  off by  Spearman  at 1000 K  recall")
        for probes in PROBES:
            began = time.perf_counter()
            values = np.array([evaluator.row(frame, probes)[1] for frame in frames])
            took = (time.perf_counter() - began) / len(frames)
            exact = values if probes == 0 else exact
            off = np.std(np.log(values / exact))  # what differs from frame to frame
            hot = slice(-len(frames) // len(TEMPS_K), None)
            scores = (
                rank_correlation(values, error),
                rank_correlation(values[hot], error[hot]),
                recall(values, error),
            )
            print(
                f"{probes:6d}  {1000 * took:8.0f}  {off:6.0%}  "
                + "  ".join(f"{s:8.2f}" for s in scores)
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
