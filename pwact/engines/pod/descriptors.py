"""Descriptors of ML-POD for the frames of an MD, computed by fitpod.

Energy and forces of POD are linear in its coefficients: row 0 of a frame's matrix times the
coefficients is the energy (eV), row 1 + 3i + k the component k of the force on atom i (eV/Å).
fitpod writes these matrices as binary files, a batch of frames at a time, which is quicker by far
than LAMMPS's ``compute pod/global``, whose numbers can only be printed. Frames are turned and
repeated for fitpod (see `pwact.engines.pod.files`); here they are turned back.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pwact.engines.pod import files as pod_files
from pwact.errors import TaskError
from pwact.io.files import log_tail, remove

if TYPE_CHECKING:
    from ase import Atoms

INPUT = "in.descriptors"
LOG = "descriptors.log"
FOLDER = "described"  # the frames of a batch, and their descriptors until they are read
BATCH_ATOMS = 5_000  # their descriptors with 500 coefficients take 60 MB of the disk


def described(
    directory: Path, command: str, frames: Iterable[Atoms], batch_atoms: int = BATCH_ATOMS
) -> Iterator[np.ndarray]:
    """The matrix (1 + 3N, coefficients) of each frame, up to the first that fitpod cannot describe.

    Parameters
    ----------
    directory
        Holds the parameter file of the model.
    command
        Shell text that starts LAMMPS.
    """
    rcut = pod_files.read_parameters(directory / pod_files.PARAMETERS)[1]
    pod_files.write_description(directory / pod_files.DATA, FOLDER)
    pod_files.write_script(directory, pod_files.DATA, INPUT)
    try:
        ready = (pod_files.unlabelled(atoms, rcut) for atoms in frames)
        for batch in _batches(ready, batch_atoms):
            done = 0
            for matrix in _of_batch(directory, command, batch):
                done += 1
                yield matrix
            if done < len(batch):
                return
    finally:
        remove(directory / FOLDER)


def last_error(directory: Path) -> str:
    """What LAMMPS said last."""
    lines = log_tail(directory / LOG, 30).splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it did not start"])[-1]


def _batches(
    frames: Iterable[pod_files.Unlabelled], atoms: int
) -> Iterator[list[pod_files.Unlabelled]]:
    """Frames together until they have that many atoms."""
    batch: list[pod_files.Unlabelled] = []
    for frame in frames:
        batch.append(frame)
        if sum(one.atoms * one.copies for one in batch) >= atoms:
            yield batch
            batch = []
    if batch:
        yield batch


def _of_batch(
    directory: Path, command: str, batch: Sequence[pod_files.Unlabelled]
) -> Iterator[np.ndarray]:
    """The matrices of a batch, up to the first frame that fitpod cannot describe.

    fitpod reads all frames before it begins, so that one of them may leave nothing of any: then
    the batch is halved.
    """
    if _describe(directory, command, batch) or len(batch) == 1:
        for number, frame in enumerate(batch, 1):
            path = directory / FOLDER / pod_files.DESCRIPTORS.format(number)
            try:
                matrix = pod_files.read_descriptors(path)
            except TaskError:  # LAMMPS stopped
                return
            yield frame.turned_back(matrix)
        return
    middle = len(batch) // 2
    done = 0
    for matrix in _of_batch(directory, command, batch[:middle]):
        done += 1
        yield matrix
    if done == middle:
        yield from _of_batch(directory, command, batch[middle:])


def _describe(directory: Path, command: str, batch: Sequence[pod_files.Unlabelled]) -> bool:
    """Run fitpod. Whether it described any frame."""
    folder = directory / FOLDER
    remove(folder)  # an earlier batch, or an earlier try that was cut off
    pod_files.write_frames(folder, [frame.text for frame in batch])
    shell = f"{command} -screen none -log {LOG} -in {INPUT}"
    subprocess.run(["bash", "-c", shell], cwd=directory, check=False)
    return (folder / pod_files.DESCRIPTORS.format(1)).is_file()
