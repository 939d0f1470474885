"""MD by an ASE calculator, which goes on where an earlier start of it was ended.

With each frame that is kept, positions, momenta and the state of the random numbers are kept as
well. A start in the same directory, with the same structure and settings, goes on from there: the
trajectory is the one that a run in one go would have made, as far as the calculator gives the same
forces again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import numpy as np

from pwact.engines.ase.labeler import RESULT, SETTINGS, STRUCTURE
from pwact.engines.md_steps import MdProgress
from pwact.formats.extxyz import complete_frames, frame_text, write_extxyz
from pwact.io.files import remove, replacing

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

STATE = "md.npz"
Label = Callable[["Atoms"], "Atoms"]


class Aimd:
    """One MD.

    Parameters
    ----------
    atoms
        With calculator and constraints.
    settings
        Those of the task; ``writes`` says whether this process writes.
    label
        Makes the labelled copy of a frame.
    """

    def __init__(
        self, atoms: Atoms, settings: dict[str, Any], directory: Path, label: Label
    ) -> None:
        self.frames: list[Atoms] = []
        self._atoms, self._directory, self._label = atoms, directory, label
        self._wanted, self._writes = settings["aimd"], bool(settings["writes"])
        self._rng = np.random.RandomState(settings["seed"])
        self._task = task_hash(directory)

    def run(self) -> None:
        """Make all steps that are not there yet; `frames` holds those that are kept."""
        begun = self._begun()
        if begun is None:
            if self._writes:
                remove(self._directory / RESULT)
                remove(self._directory / STATE)
            self._heat()
        dynamics = self._dynamics()
        dynamics.nsteps = begun or 0

        def keep() -> None:
            if dynamics.nsteps != begun:  # ASE calls for step 0 at each start from there
                self._keep(dynamics.nsteps)

        dynamics.attach(keep, interval=self._wanted["interval"])
        dynamics.run(self._wanted["steps"] - dynamics.nsteps)  # ASE keeps the first frame too

    def _heat(self) -> None:
        from ase import units  # noqa: PLC0415
        from ase.md.velocitydistribution import Stationary  # noqa: PLC0415

        atoms = self._atoms
        spread = np.sqrt(atoms.get_masses() * units.kB * self._wanted["temperature_k"])[:, None]
        atoms.set_momenta(self._rng.standard_normal((len(atoms), 3)) * spread)
        if len(atoms) > 1 and not atoms.constraints:  # held atoms keep the others from drifting
            Stationary(atoms)

    def _dynamics(self) -> Any:
        from ase import units  # noqa: PLC0415
        from ase.md.langevin import Langevin  # noqa: PLC0415
        from ase.md.verlet import VelocityVerlet  # noqa: PLC0415

        wanted, atoms = self._wanted, self._atoms
        step = wanted["timestep_fs"] * units.fs
        if wanted["ensemble"] != "nvt":
            return VelocityVerlet(atoms, step)
        return Langevin(
            atoms,
            step,
            temperature_K=wanted["temperature_k"],
            friction=wanted["friction_per_fs"] / units.fs,
            rng=self._rng,
            **({"fixcm": False} if atoms.constraints else {}),
        )

    def _keep(self, step: int) -> None:
        self.frames.append(self._label(self._atoms))
        if not self._writes:
            return
        with (self._directory / RESULT).open("a", encoding="utf-8") as stream:
            stream.write(frame_text(self.frames[-1]))  # at once, so that a cut-off MD is data
        kind, keys, *numbers = self._rng.get_state()
        with replacing(self._directory / STATE) as aside, aside.open("wb") as binary:
            np.savez(
                binary,
                task=self._task,
                step=step,
                frames=len(self.frames),
                positions=self._atoms.positions,
                momenta=self._atoms.get_momenta(),
                kind=kind,
                keys=keys,
                numbers=np.array(numbers, dtype=float),
            )

    def _begun(self) -> Optional[int]:
        """Take up what an earlier start left: the step that it had made; None without one."""
        state = _read(self._directory / STATE)
        if state is None or str(state["task"]) != self._task:
            return None
        count = int(state["frames"])
        frames = complete_frames(self._directory / RESULT)[:count]
        if len(frames) < count or not _same(frames[-1], state["positions"]):
            return None
        self.frames = frames
        self._atoms.positions = state["positions"]
        self._atoms.arrays["momenta"] = np.array(state["momenta"])
        place, has_gauss, cached = state["numbers"].tolist()
        kind, keys = str(state["kind"]), state["keys"]
        self._rng.set_state((kind, keys, int(place), int(has_gauss), cached))
        if self._writes:
            write_extxyz(self._directory / RESULT, frames)
        logger.warning("goes on behind step %d of an earlier start", int(state["step"]))
        return int(state["step"])


def _read(path: Path) -> Optional[dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = ("task", "step", "frames", "positions", "momenta", "kind", "keys", "numbers")
            return {name: archive[name] for name in names}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None


def _same(frame: Atoms, positions: np.ndarray) -> bool:
    return frame.positions.shape == positions.shape and bool(
        np.allclose(frame.positions, positions, rtol=0, atol=1e-6)
    )


def task_hash(directory: Path) -> str:
    """What a task is to compute, so that a start of another one is not gone on with."""
    digest = hashlib.sha256()
    for name in (STRUCTURE, SETTINGS):
        digest.update((directory / name).read_bytes())
    return digest.hexdigest()


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    wanted = json.loads((directory / SETTINGS).read_text(encoding="utf-8")).get("aimd")
    state = _read(directory / STATE)
    return MdProgress(None if state is None else int(state["step"]), wanted["steps"])
