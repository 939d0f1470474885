"""Descriptors of ML-POD, computed by LAMMPS and read from it through a pipe, frame by frame.

Energy and forces of POD are linear in its coefficients: row 0 of a frame's matrix times the
coefficients is the energy (eV), row 1 + 3i + k the component k of the force on atom i (eV/Å).
LAMMPS's ``compute pod/global`` makes the matrix, for all frames of a dump in one run. It is printed
in hexadecimal: nothing is rounded, and that is quicker than decimals, to write and to read.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from pwact.io.files import log_tail, write_text

INPUT = "in.descriptors"
LOG = "descriptors.log"
Matrix = np.ndarray


@dataclass(frozen=True)
class Model:
    """A POD model by the names of its files.

    Attributes
    ----------
    types
        Element symbols in the order of the LAMMPS types.
    rcut
        Cutoff, Å.
    """

    parameters: str
    coefficients: str
    types: Sequence[str]
    rcut: float


def rerun(model: Model, data: str, dump: str, last: int) -> str:
    """LAMMPS commands that print the descriptors of a dump's frames up to step `last`.

    `data` is the name of a data file with the atoms of the dump.
    """
    files = f"{model.parameters} {model.coefficients} {' '.join(model.types)}"
    lines = [
        "clear",
        *["units metal", "boundary p p p", "atom_style atomic", "box tilt large"],
        *[f"read_data {data}", "change_box all triclinic"],
        *[f"pair_style zero {model.rcut:g}", "pair_coeff * *"],
        f"compute d all pod/global {files}",
        'fix d all ave/time 1 1 1 c_d[*] file /dev/stdout mode vector format " %a"',
        "thermo_modify lost ignore",
        f"rerun {dump} last {last} dump x y z",
    ]
    return "\n".join(lines) + "\n"


def printed(directory: Path, command: str, text: str) -> Iterator[tuple[int, Matrix]]:
    """Step and descriptors of every frame that LAMMPS prints when it is given `text`."""
    write_text(directory / INPUT, text, sync=False)
    shell = f"{command} -screen none -log {LOG} -in {INPUT}"
    with subprocess.Popen(["bash", "-c", shell], cwd=directory, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield from _matrices(process.stdout)


def complaint(directory: Path) -> str:
    """What LAMMPS said last."""
    lines = log_tail(directory / LOG, 30).splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it did not start"])[-1]


def _matrices(stream: IO[bytes]) -> Iterator[tuple[int, Matrix]]:
    for line in stream:
        if line.startswith(b"#"):
            continue
        step, rows = (int(word) for word in line.split())
        table = [_numbers(stream.readline()) for _ in range(rows)]
        if not table[-1]:  # LAMMPS stopped
            return
        yield step, np.array(table)


def _numbers(line: bytes) -> list[float]:
    """The numbers of a row, after its own."""
    return [float.fromhex(word) for word in line.decode("ascii").split()[1:]]
