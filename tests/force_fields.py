"""A folder ``final``, tried as whoever gets it would: elsewhere, with nothing of the campaign."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ase.io import read

SAME = 1e-6  # eV, eV/Å
_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import json
from ase.io import read
from calculator import calculator
atoms = read(sys.argv[1] + "/check.extxyz")
atoms.calc = calculator()
print(json.dumps([atoms.get_potential_energy(), atoms.get_forces().tolist()]))
"""


def facts(folder: Path) -> dict[str, Any]:
    """What ``model.json`` says."""
    found: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return found


def try_elsewhere(folder: Path, elsewhere: Path, lammps: str = "lmp") -> None:
    """Copy the folder; LAMMPS, if it has a part in it, and ASE give what was reported."""
    copy = Path(shutil.copytree(folder, elsewhere / "mailed to a friend"))
    reported = read(copy / "check.extxyz")
    energy, forces = reported.get_potential_energy(), reported.get_forces()
    assert abs(forces).max() > 100 * SAME
    assert abs(facts(copy)["check"]["energy"] - energy) < SAME
    assert f"{energy:.8f} eV" in (copy / "README.txt").read_text(encoding="utf-8")
    script = [sys.executable, "-c", _SCRIPT, str(copy)]
    found = json.loads(_run(script, elsewhere).splitlines()[-1])
    assert abs(found[0] - energy) < SAME
    assert abs(np.array(found[1]) - forces).max() < SAME
    _run([sys.executable, str(copy / "calculator.py")], elsewhere)
    if (copy / "in.lammps").exists():
        said = _run([lammps, "-in", "in.lammps"], copy)
        (printed,) = re.findall(r"^energy of check.data in eV: (\S+)$", said, re.MULTILINE)
        assert abs(float(printed) - energy) < SAME
        table = np.loadtxt(copy / "check.lammpstrj", skiprows=9, ndmin=2)
        assert abs(table[:, 5:8] - forces).max() < SAME


def _run(words: list[str], place: Path) -> str:
    done = subprocess.run(
        words,
        cwd=place,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout
