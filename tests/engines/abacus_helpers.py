"""Labelers of ABACUS for the tests, with the stand-in as the program."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from ase import Atoms

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.abacus.labeler import AbacusLabeler
from pwact.engines.labelers import Purpose
from tests.engines.qe_inputs import upf
from tests.engines.vasp_helpers import alloy

STUB = Path(__file__).parents[1] / "stubs" / "abacus.py"
COMMAND = f"{shlex.quote(sys.executable)} {shlex.quote(str(STUB))}"
# as people write it: a title, comments of both kinds, keys that pwact sets itself
TEXT = """made for a test
INPUT_PARAMETERS
#Parameters (1.General)
suffix          my_run   # of mine
calculation     {calculation}
ecutwfc         60       // Ry
smearing_method gauss
/ a line that is a comment
pseudo_dir      ./
{more}
"""
MORE = {
    Purpose.SCF: "",
    Purpose.AIMD: "md_nstep 4\nmd_tfirst 300\nmd_dt 2.0\n",
    Purpose.RELAX: "force_thr_ev 0.01\n",
}
CALCULATIONS = {Purpose.SCF: "scf", Purpose.AIMD: "md", Purpose.RELAX: "cell-relax"}


def abacus_input(purpose: Purpose = Purpose.SCF, more: str = "", calculation: str = "") -> str:
    kind = calculation or CALCULATIONS[purpose]
    return TEXT.format(calculation=kind, more=MORE[purpose] + more)


def abacus(
    folder: Path,
    text: str,
    elements: Sequence[str] = ("Au", "Ag", "Cu"),
    kspacing: Optional[float] = 0.4,
    orbitals: bool = False,
) -> AbacusLabeler:
    """A labeler whose files are written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "my INPUT"
    path.write_text(text)
    files = []
    for element in elements:
        files.append(folder / f"{element}.upf")
        files[-1].write_text(upf(element, 11.0))
        if orbitals:
            files.append(folder / f"{element}_gga_8au_60Ry.orb")
            files[-1].write_text("an orbital")
    config = LabelConfig(
        file=folder / "param.json",
        style="abacus",
        inputs=(DftInput(path, kspacing=kspacing),),
        pseudo=tuple(files),
    )
    made = labeler_for(config, 0, ResourceBlock(name="DFT", command=COMMAND))
    assert isinstance(made, AbacusLabeler)
    return made


def prepared(
    folder: Path, purpose: Purpose, more: str = "", atoms: Optional[Atoms] = None
) -> tuple[AbacusLabeler, Path]:
    """A labeler and the directory of a task that it has written."""
    labeler = abacus(folder, abacus_input(purpose, more))
    task = folder / f"a task's $HOME {purpose.value}"
    task.mkdir()
    given = alloy() if atoms is None else atoms
    labeler.validate(purpose, frozenset(given.get_chemical_symbols()))
    labeler.write_input(task, labeler.assign(given), purpose, seed=11)
    return labeler, task


def run(labeler: AbacusLabeler, task: Path, purpose: Purpose) -> int:
    """Run the task by bash, as a job does."""
    words = ["bash", "-c", labeler.command(purpose)]
    return subprocess.run(words, cwd=task, check=False, timeout=60).returncode
