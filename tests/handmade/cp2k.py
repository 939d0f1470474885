"""A single point of CP2K in the words of an older and of a newer version.

CP2K 2023.1 has computed it (``tests/data/cp2k/scf``); what only this version prints is left out.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

HEAD = """\
  **** **** ******  **  PROGRAM STARTED AT               {date}
 ***** ** ***  *** **   PROGRAM STARTED ON                              by-hand
 **    ****   ******    PROGRAM STARTED BY                              by-hand

 CP2K| version string:                                          CP2K version {version}

 GLOBAL| Force Environment number                                              1
 GLOBAL| Run type                                                   ENERGY_FORCE
 GLOBAL| Global print level                                               MEDIUM

"""
TAIL = """
 -------------------------------------------------------------------------------
 -                                                                             -
 -                                T I M I N G                                  -
 -------------------------------------------------------------------------------

  **** **** ******  **  PROGRAM ENDED AT                 {date}
"""


def rows_after(text: str, mark: str, count: int) -> list[list[str]]:
    """Words of the `count` lines of numbers after a heading."""
    lines = text[text.index(mark) :].splitlines()[1:]
    rows = [line.replace("STRESS|", "").split() for line in lines]
    return [words for words in rows if len(words) > 3 and words[0] in set("12345678xyz")][:count]


def rewrite(log: Path, version: str) -> str:
    """The run in the words of version 6.1 or 2025.1."""
    text, new = log.read_text(), version.startswith("2025")
    atoms = rows_after(text, "ATOMIC COORDINATES", 8)
    forces = rows_after(text, "ATOMIC FORCES in", 8)
    stress = rows_after(text, "Analytical stress tensor", 3)
    energy = re.findall(r"ENERGY\| Total.*:\s+(\S+)", text)[0]
    date = "2026-11-29 12:00:00.000"
    cell = re.findall(r" CELL\| Vector .*", text)[:3]
    made = HEAD.format(version=version, date=date) + "\n".join(cell)
    made += "\n\n MODULE QUICKSTEP:  ATOMIC COORDINATES IN angstrom\n\n"
    made += "  Atom  Kind  Element       X           Y           Z          Z(eff)       Mass\n\n"
    for number, kind, name, charge, *rest in atoms:
        numbers = "".join(f"{float(word):12.6f}" for word in rest[:3])
        made += f"{number:>8}{kind:>6} {name:2}{charge:>4}{numbers}  {rest[3]}  {rest[4]}\n"
    made += "\n\n SCF WAVEFUNCTION OPTIMIZATION\n\n  *** SCF run converged in    14 steps ***\n\n"
    unit = "[hartree] " if new else "(a.u.):"
    made += f"\n ENERGY| Total FORCE_EVAL ( QS ) energy {unit}{energy:>34}\n\n"
    made += table_2025(forces) if new else table_6(forces)
    made += "\n STRESS TENSOR [GPa]\n\n            X               Y               Z\n"
    for axis, *words in stress:
        made += f"  {axis.upper()}" + "".join(f"{float(word):16.8f}" for word in words) + "\n"
    return made + TAIL.format(date=date)


def table_6(forces: list[list[str]]) -> str:
    """Forces as up to 2024."""
    made = " ATOMIC FORCES in [a.u.]\n\n # Atom   Kind   Element          X              Y      \n"
    for number, kind, name, *words in forces:
        made += f"{number:>7}{kind:>7}      {name:2}    "
        made += "".join(f"{float(word):15.8f}" for word in words) + "\n"
    return made + " SUM OF ATOMIC FORCES           0.00000000     0.00000000    -0.00000000\n"


def table_2025(forces: list[list[str]]) -> str:
    """Forces as from 2025 on, with the length of each."""
    made = " FORCES| Atomic forces [hartree/bohr]\n\n FORCES| Atom x y z |f|\n\n"
    for number, _, _, *words in forces:
        numbers = [float(word) for word in words]
        shown = " ".join(f"{value:15.8E}" for value in [*numbers, math.hypot(*numbers)])
        made += f" FORCES| {number:>6} {shown}\n"
    return made


def write_logs(folder: Path) -> None:
    """Write both."""
    for version, name in (("6.1", "scf_6.log"), ("2025.1", "scf_2025.log")):
        (folder / name).write_text(rewrite(folder / "scf" / "dft.log", version))
