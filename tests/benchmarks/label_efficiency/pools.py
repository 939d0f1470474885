"""Frames of a system with their labels and descriptors, made once and kept in a file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Optional

import numpy as np
from ase import Atoms

from pwact.config.train_keys import defaults
from pwact.engines.pod import files as pod_files
from pwact.engines.pod import fit as pod_fit
from tests.benchmarks.label_efficiency.systems import SYSTEMS, System
from tests.benchmarks.label_efficiency.teachers import Motion

START = 8  # frames that are labelled before the first round
COMMON, RARE, EVEN, TEST = 106, 9, 48, 24  # frames of a kind: see `offered`


@dataclass(frozen=True)
class Frames:
    """Labelled frames of one composition.

    Attributes
    ----------
    matrices
        Descriptors, shape (n, 1 + 3N, m): row 0 of the energy, the others of the forces.
    truths
        Energy (eV) and force components (eV/Å), shape (n, 1 + 3N).
    kinds
        Place of each frame's kind in the system, int, shape (n,).
    atoms
        The structures.
    descriptors
        Those of the structures that were asked for, by the identity of the structure.
    """

    matrices: np.ndarray
    truths: np.ndarray
    kinds: np.ndarray
    atoms: list[Atoms]
    descriptors: dict[int, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.truths)

    def of(self, indices: np.ndarray) -> Frames:
        """Some of them."""
        chosen = [self.atoms[index] for index in indices]
        return Frames(self.matrices[indices], self.truths[indices], self.kinds[indices], chosen)

    def errors(self, forces: np.ndarray) -> np.ndarray:
        """RMSE of each frame's force components (n, 3N), eV/Å, shape (n,)."""
        wrong = forces - self.truths[:, 1:]
        return np.asarray(np.sqrt(np.mean(wrong**2, axis=1)))


@dataclass(frozen=True)
class Pool:
    """What a run begins with, what it is offered, and what it is judged by.

    Attributes
    ----------
    start, offered, test
        Labelled at first; may be labelled; never, and from trajectories of their own.
    shares
        Of each kind among the offered frames, shape (kinds,).
    """

    start: Frames
    offered: Frames
    test: Frames
    shares: np.ndarray

    def share_below(self, errors: np.ndarray, target: float) -> float:
        """Share of the test frames below `target`, mixed as the offered ones are."""
        return float(np.sum(self.weights * (errors < target)))

    def rmse(self, errors: np.ndarray) -> float:
        """Of the forces over the test frames, of which there are as many of each kind."""
        return float(np.sqrt(np.mean(errors**2)))

    def mixed_rmse(self, errors: np.ndarray) -> float:
        """The same, mixed as the offered frames are."""
        return float(np.sqrt(np.sum(self.weights * errors**2)))

    @property
    def weights(self) -> np.ndarray:
        """Of each test frame in the mix of the offered ones, sum 1."""
        counts = np.bincount(self.test.kinds, minlength=len(self.shares))
        weights = (self.shares / counts)[self.test.kinds]
        return np.asarray(weights / weights.sum())


def pool(name: str, balanced: bool, seed: int, cache: Optional[Path] = None, part: int = 1) -> Pool:
    """The pool of a system and a seed.

    A balanced pool has as many frames of each kind; an imbalanced one 212 of the first two kinds,
    and nine of each other. With `part` 2 they are half as many, and so are those of the test.
    """
    frames, parts = _made(name, seed, cache)
    kinds = len(SYSTEMS[name].kinds)
    offered = [
        _spread(np.flatnonzero((parts == 1) & (frames.kinds == kind)), _count(kind, balanced, part))
        for kind in range(kinds)
    ]
    shares = np.array([len(one) for one in offered], dtype=float)
    return Pool(
        frames.of(np.flatnonzero(parts == 0)),
        frames.of(np.concatenate(offered)),
        frames.of(np.flatnonzero(parts == 2)[::part]),
        shares / shares.sum(),
    )


def _count(kind: int, balanced: bool, part: int) -> int:
    """How many frames of a kind a pool has."""
    whole = EVEN if balanced else (COMMON if kind < 2 else RARE)
    return -(-whole // part)


def _spread(places: np.ndarray, count: int) -> np.ndarray:
    """Some of the frames of a kind, as far apart in time as can be."""
    return places[np.unique(np.linspace(0, len(places) - 1, min(count, len(places))).astype(int))]


@lru_cache(maxsize=1)
def _made(name: str, seed: int, cache: Optional[Path]) -> tuple[Frames, np.ndarray]:
    """All frames of a system and a seed; parts: 0 start, 1 offered, 2 test."""
    path = cache / f"{name}.{seed}.npz" if cache else None
    if path is None or not path.exists():
        with tempfile.TemporaryDirectory() as temporary:
            arrays = make(SYSTEMS[name], seed, Path(temporary))
        if path is None:
            return _unpacked(arrays)
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(".part.npz")
        np.savez(aside, **arrays)
        aside.replace(path)
        return _unpacked(arrays)
    with np.load(path) as kept:
        return _unpacked({key: kept[key] for key in kept.files})


def _unpacked(arrays: dict[str, np.ndarray]) -> tuple[Frames, np.ndarray]:
    atoms = [
        Atoms(numbers, positions, cell=cell, pbc=True)
        for numbers, positions, cell in zip(arrays["numbers"], arrays["positions"], arrays["cells"])
    ]
    frames = Frames(arrays["matrices"], arrays["truths"], arrays["kinds"], atoms)
    return frames, arrays["parts"]


def make(
    system: System, seed: int, folder: Path, counts: tuple[int, int, int] = (COMMON, EVEN, TEST)
) -> dict[str, np.ndarray]:
    """Arrays of all frames of a system; `counts` of a common kind, of another, of the test."""
    rng = np.random.default_rng([2025, seed])
    teacher = system.teacher()
    labelled, kinds, parts = [], [], []
    for number in range(START):
        atoms = system.start(rng)
        atoms.set_cell(atoms.cell * rng.uniform(0.98, 1.02), scale_atoms=True)
        atoms.positions += rng.normal(0, 0.04, (len(atoms), 3))
        labelled.append(teacher.label(atoms, folder / f"start.{number}"))
        kinds.append(0)
        parts.append(0)
    for part in (1, 2):
        for place, kind in enumerate(system.kinds):
            count = counts[2] if part == 2 else counts[0 if place < 2 else 1]
            atoms = system.start(rng)
            atoms.set_cell(atoms.cell * kind.scale, scale_atoms=True)
            motion = Motion(kind.temp_k, count, system.every, kind.before, system.step_fs)
            made = teacher.trajectory(atoms, motion, rng, folder / f"{part}.{place}")
            labelled += made
            kinds += [place] * len(made)
            parts += [part] * len(made)
    matrices, truths = described(folder / "pod", system, labelled)
    return {
        "matrices": matrices,
        "truths": truths,
        "kinds": np.array(kinds),
        "parts": np.array(parts),
        "numbers": np.array([one.numbers for one in labelled]),
        "positions": np.array([one.positions for one in labelled]),
        "cells": np.array([one.cell.array for one in labelled]),
    }


def settings_of(system: System) -> dict[str, Any]:
    """Of ML-POD, all."""
    return {**defaults("pod"), **system.settings}


def described(
    folder: Path, system: System, frames: Sequence[Atoms]
) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors and labels of frames, as fitpod gives them."""
    settings = settings_of(system)
    folder.mkdir()
    pod_files.write_parameters(folder / pod_files.PARAMETERS, system.types, settings)
    texts = [pod_files.frame_text(frame, settings["rcut"]) for frame in frames]
    pod_files.write_frames(folder / "frames", texts)
    pod_files.write_description(folder / pod_files.DATA, "frames")
    pod_files.write_script(folder, pod_files.DATA)
    words = ["lmp", "-log", "none", "-in", pod_files.INPUT]
    subprocess.run(words, cwd=folder, check=True, capture_output=True)
    pairs = list(pod_fit.described(folder / "frames"))
    return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])
