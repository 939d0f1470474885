"""Tasks of DFTB+, run by the stand-in of `tests.stubs.dftbplus` as a job would run DFTB+."""

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
from pwact.engines.dftbplus.labeler import DftbPlusLabeler
from pwact.engines.labelers import Purpose

ROOT = Path(__file__).parents[2]
COMMAND = (
    f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)} -m tests.stubs.dftbplus"
)
HAMILTONIAN = """
Hamiltonian = DFTB {
  SCC = Yes; SCCTolerance = 1e-8  # tight
  SlaterKosterFiles = Type2FileNames { Prefix = "../my skf/"; Separator = "-"; Suffix = ".skf" }
  MaxAngularMomentum {
    Ag = "d"; Au = "d"
    Cu = "d"
  }
  KPointsAndWeights = SupercellFolding { 2 0 0 0 2 0
    0 0 2
    0.5 0.5 0.5 }
  Filling = Fermi { Temperature [Kelvin] = 300 }
}
"""
DRIVERS = {
    Purpose.RELAX: """Driver = GeometryOptimization {
  Optimizer = Rational {}
  LatticeOpt = Yes
  MaxSteps = 80
  OutputPrefix = "mine"
  Convergence { GradElem = 2e-4 }
}
""",
    Purpose.AIMD: """Driver = VelocityVerlet {
  Steps = 4
  TimeStep [fs] = 2.0
  Thermostat = None {}
}
""",
    Purpose.SCF: "Driver = {}\n",
}
GEOMETRY = 'Geometry = GenFormat {\n  <<< "my geometry.gen"\n}\n'


def hsd(purpose: Purpose, more: str = "") -> str:
    """An input as users have it."""
    return GEOMETRY + DRIVERS[purpose] + HAMILTONIAN + more


def write_skf(folder: Path, elements: Sequence[str] = ("Ag", "Au", "Cu")) -> Path:
    """Files of the right names, with nothing in them that matters."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in elements:
        for other in elements:
            (folder / f"{one}-{other}.skf").write_text(f"{one} {other}\n")
    return folder


def labeler(folder: Path, text: str, kspacing: Optional[float] = None) -> DftbPlusLabeler:
    """A labeler whose input lies in `folder`, and its Slater-Koster files beside that."""
    path = folder / "in put" / "my.hsd"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    write_skf(folder / "my skf")
    config = LabelConfig(
        file=folder / "param.json", style="dftb+", inputs=(DftInput(path, kspacing=kspacing),)
    )
    made = labeler_for(config, 0, ResourceBlock(name="DFT", command=COMMAND))
    assert isinstance(made, DftbPlusLabeler)
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
    folder: Path, purpose: Purpose, more: str = "", text: Optional[str] = None
) -> tuple[DftbPlusLabeler, Path]:
    """A labeler and the directory of a task that it has written; `more` is added to the input."""
    made = labeler(folder, (hsd(purpose) if text is None else text) + more)
    made.validate(purpose, frozenset({"Ag", "Au"}))
    task = folder / f"a task's $HOME {purpose.value}"
    task.mkdir()
    made.write_input(task, alloy(), purpose, seed=11)
    return made, task


def run(made: DftbPlusLabeler, task: Path, purpose: Purpose) -> int:
    """Run the task by bash, as a job does."""
    words = ["bash", "-c", made.command(purpose)]
    done = subprocess.run(words, cwd=task, check=False, timeout=60, capture_output=True)
    return done.returncode


def ran(folder: Path, purpose: Purpose, more: str = "") -> tuple[DftbPlusLabeler, Path]:
    """A labeler and a task that was run."""
    made, task = prepared(folder, purpose, more)
    run(made, task, purpose)
    return made, task
