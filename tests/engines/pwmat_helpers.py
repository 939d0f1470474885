"""Tasks of PWmat, run by the stand-in of `tests.stubs.pwmat` as a job would run PWmat."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

from ase import Atoms
from ase.build import bulk

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.labelers import Purpose
from pwact.engines.pwmat.labeler import PwmatLabeler
from tests.stubs import pwmat as stub

COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(stub.__file__)}"
CONTROLS = {
    Purpose.RELAX: "4 1\nJOB = RELAX\nRELAX_DETAIL = 1 100 0.01 1 0.01\n",
    Purpose.AIMD: "4 1\njob = md  # the trajectory\nMD_DETAIL = 2 4 1 300 300\n",
    Purpose.SCF: "4 1\nJOB = SCF\nOUT.STRESS = T\nE_ERROR = 1E-6\n",
}


def alloy(seed: int = 1) -> Atoms:
    """Four atoms, gold before silver."""
    atoms = bulk("Au", "fcc", a=4.1, cubic=True)
    atoms.set_chemical_symbols(["Au", "Ag", "Au", "Ag"])
    atoms.rattle(0.05, seed=seed)
    return atoms


def labeler(
    folder: Path, control: str, style: str = "pwmat", given: Optional[DftInput] = None, **more: Any
) -> PwmatLabeler:
    """A labeler whose control file (and pseudopotentials of Ag and Au) lie in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "my etot.input"
    path.write_text(control)
    given = given or DftInput(path, None, 0)
    more.setdefault("pseudo", tuple(stub.write_pseudo(folder, one) for one in ("Au", "Ag")))
    config = LabelConfig(file=folder / "param.json", style=style, inputs=(given,), **more)
    made = labeler_for(config, 0, ResourceBlock(name="DFT", command=COMMAND))
    assert isinstance(made, PwmatLabeler)
    return made


def prepared(made: PwmatLabeler, task: Path, purpose: Purpose, atoms: Atoms, **more: Any) -> Path:
    """A task directory with its inputs."""
    made.validate(purpose, frozenset(atoms.get_chemical_symbols()))
    task.mkdir(parents=True)
    made.write_input(task, atoms, purpose, 1, **more)
    return task


def run(made: PwmatLabeler, task: Path, purpose: Purpose) -> subprocess.CompletedProcess[str]:
    """Run the command of a task by bash, inside its directory."""
    words = ["bash", "-c", made.command(purpose)]
    return subprocess.run(words, cwd=task, capture_output=True, text=True, check=False)


def done(
    folder: Path, purpose: Purpose, orders: str = "", atoms: Optional[Atoms] = None, **more: Any
) -> tuple[PwmatLabeler, Path]:
    """A labeler and a task that was run; `orders` steer the stand-in."""
    control = CONTROLS[purpose] + (f"# stub: {orders}\n" if orders else "")
    made = labeler(folder, control, **more)
    task = prepared(made, folder / "a task", purpose, atoms if atoms is not None else alloy())
    run(made, task, purpose)
    return made, task
