"""Labelers of VASP for the tests, with the stand-in as the program."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.build import bulk

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.labelers import Purpose
from pwact.engines.vasp.labeler import VaspLabeler
from tests.stubs.potcars import write_dummy_potcar

STUB = Path(__file__).parents[1] / "stubs" / "vasp.py"
COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(str(STUB))}"
INCARS = {
    Purpose.RELAX: "EDIFF = 1E-6\nIBRION = 2; NSW = 60; ISIF = 3\nEDIFFG = -0.01\n",
    Purpose.AIMD: "EDIFF = 1E-6\nIBRION = 0\nNSW = 4\nPOTIM = 2.0\nTEBEG = 300\nISIF = 2\n",
    Purpose.SCF: "EDIFF = 1E-6\n",
}


def vasp(
    folder: Path,
    incar: str,
    names: Sequence[str] = ("Au", "Ag_pv", "Cu"),
    kspacing: Optional[float] = 0.4,
) -> VaspLabeler:
    """A labeler whose files are written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "my INCAR"
    file.write_bytes(incar.encode("latin1"))
    potcars = tuple(write_dummy_potcar(folder / f"POTCAR.{name}", name) for name in names)
    config = LabelConfig(
        file=folder / "param.json",
        style="vasp",
        inputs=(DftInput(file, kspacing=kspacing),),
        pseudo=potcars,
    )
    made = labeler_for(config, 0, ResourceBlock(name="DFT", command=COMMAND))
    assert isinstance(made, VaspLabeler)
    return made


def alloy() -> Atoms:
    """Gold before silver, skewed, with atoms outside of the cell."""
    atoms = bulk("Au", "fcc", a=4.05, cubic=True)
    atoms.set_chemical_symbols(["Au", "Ag", "Au", "Ag"])
    rng = np.random.default_rng(3)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.1, (3, 3)), scale_atoms=True)
    atoms.positions += rng.normal(0, 0.1, (4, 3))
    atoms.positions[2] += [2, -1, 3] @ atoms.cell.array
    return atoms


def prepared(
    folder: Path, purpose: Purpose, incar: str = "", atoms: Optional[Atoms] = None
) -> tuple[VaspLabeler, Path]:
    """A labeler and the directory of a task that it has written."""
    labeler = vasp(folder, INCARS[purpose] + incar)
    task = folder / f"a task's $HOME {purpose.value}"
    task.mkdir()
    labeler.write_input(task, atoms if atoms is not None else alloy(), purpose, seed=1)
    return labeler, task


def run(labeler: VaspLabeler, task: Path, purpose: Purpose) -> int:
    """Run the task by bash, as a job does."""
    words = ["bash", "-c", labeler.command(purpose)]
    return subprocess.run(words, cwd=task, check=False, timeout=60).returncode
