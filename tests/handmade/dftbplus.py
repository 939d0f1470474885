"""Files of DFTB+ 25.1: screen, detailed.out, results.tag, md.out and geometries.

A run is a list of geometries, one after the other; energies in hartree, lengths in bohr, stresses
positive where the cell wants to expand. Of the energies three differ: the free energy is the one
that forces belong to.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms, units

from tests.handmade import matter
from tests.handmade.outcar import columns, fortran

BOHR, HARTREE = 0.529177249, 27.2113845
RULE = "-" * 80
STARS = "*" * 80
ENTROPY = 0.0004111049  # hartree
NOT_CONVERGED = "SCC is NOT converged, maximal SCC iterations exceeded"
TITLE = """\
|===============================================================================
|
|  DFTB+ release 25.1
|
|  (written by hand)
|
|===============================================================================

Reading input file 'dftb_in.hsd'
"""
SETTINGS = """\
Parser version: 14

--------------------------------------------------------------------------------
Reading SK-files:
skf/Cu-Cu.skf
Done.


Processed input in HSD format written to 'dftb_pin.hsd'

Starting initialization...
--------------------------------------------------------------------------------
WARNING!
-> Dipole printed for extended system : value printed is not well defined
OpenMP threads:              1
Chosen random seed:          6133384
WARNING!
-> Current stacksize not set to unlimited or hard limit, which might cause
   random crashes (e.g. segmentation faults).
Mode:                        {mode}
Self consistent charges:     Yes
SCC-tolerance:                 0.100000E-07
Max. scc iterations:                    100
K-points and weights:           1:  0.125000  0.125000  0.125000     1.000000

Extra options:
                             Mulliken analysis
                             Force calculation
Force type                   original

"""
TIMES = f"""
{RULE}
DFTB+ running times                          cpu [s]             wall clock [s]
{RULE}
SCC                                    +       0.04 ( 76.6%)       0.29 ( 93.5%)
{RULE}
Missing                                +       0.01 ( 23.4%)       0.02 (  6.5%)
Total                                  =       0.06 (100.0%)       0.31 (100.0%)
{RULE}
"""
CHAIN = """\
Nose-Hoover chain variables
x:
    0.1000000000E+01    0.1000000000E+01    0.1000000000E+01
v:
    0.0000000000E+00    0.0000000000E+00    0.0000000000E+00
g:
    0.0000000000E+00    0.0000000000E+00    0.0000000000E+00
"""


@dataclass
class Run:
    """Files of a run as they grow.

    Attributes
    ----------
    converged
        Whether the SCC of the present geometry does.
    """

    folder: Path
    mode: str = "Static calculation"
    converged: bool = True
    screen: str = ""
    md: str = ""
    xyz: str = ""
    detailed: str = ""
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.screen = TITLE + SETTINGS.format(mode=self.mode)

    def electrons(self, atoms: Atoms, step: int, dies: bool = False) -> None:
        """Print the SCC of a geometry and its energies; `dies` where it has to converge."""
        free = matter.energy(atoms) / HARTREE
        self.screen += f"{RULE}\n\n***  Geometry step: {step}\n\n"
        self.screen += " iSCC Total electronic   Diff electronic      SCC error    \n"
        errors = (0.6, 7e-3, 3e-10) if self.converged else (0.6, 7e-2, 7e-3)
        for number, error in enumerate(errors, 1):
            if number == 3:
                self.screen += ">> Charges saved for restart in charges.bin\n"
            numbers = (free - 0.02, -0.1 * error, error)
            self.screen += f"{number:5d}" + "".join(f"{fortran(n, 8):>18}" for n in numbers) + "\n"
        if dies:
            self.screen += f"ERROR!\n-> {NOT_CONVERGED}\n"
            return
        self.screen += "" if self.converged else f"WARNING!\n-> {NOT_CONVERGED}\n"
        self.screen += "\n" + "\n".join(energies(free, "Extrapolated to 0K:")) + "\n\n"
        if atoms.pbc.all():
            self.screen += "\n".join(volume_and_pressure(atoms)) + "\n"

    def details(self, atoms: Atoms, end: Optional[str], kinetic: bool = False) -> None:
        """detailed.out of the last geometry; without `end` the run died before its forces."""
        free = matter.energy(atoms) / HARTREE
        lines = [" Fermi distribution function\n", "Calculation with static geometry\n\n", STARS]
        lines += [" iSCC Total electronic   Diff electronic      SCC error    "]
        lines += ["    8   -0.28222077E+01    0.17319479E-12    0.13598012E-11", STARS, ""]
        lines += [" Total charge:    -0.00000000\n\n Atomic gross charges (e)"]
        lines += [
            " Atom           Charge",
            *(f"{k:5d}      -0.0" for k in range(1, len(atoms) + 1)),
        ]
        lines += ["", energy_line("Fermi level:", 0.0747), energy_line("Band energy:", -0.848)]
        lines += [energy_line("TS:", ENTROPY), ""]
        lines += [energy_line("Total Electronic energy:", free - 0.02), *energies(free), ""]
        if end is not None:
            lines += ["Non-constrained calculation\n"]
            lines += ["SCC converged" if self.converged else NOT_CONVERGED, "\nTotal Forces"]
            rows = columns(forces(atoms), 20, 12)
            lines += [f"{number:5d}{row}" for number, row in enumerate(rows, 1)]
            if atoms.pbc.all():
                lines += ["\nTotal stress tensor", *columns(stress(atoms, kinetic), 20, 12)]
                lines += ["\nTotal lattice derivs", *columns(np.eye(3) * 1e-3, 20, 12), ""]
                lines += volume_and_pressure(atoms)
            lines += ["\nMaximal derivative component:        0.776998E-02 au", "", end]
        self.files["detailed.out"] = "\n".join(lines) + "\n"

    def tags(self, atoms: Atoms, kinetic: float = 0.0) -> None:
        """results.tag; in MD its energies have the kinetic energy in them."""
        free = np.array(matter.energy(atoms) / HARTREE + kinetic)
        made = tag("fermi_level", np.array([0.0747])) + tag("mermin_energy", free)
        made += tag("extrapolated0_energy", free + ENTROPY / 2)
        made += tag("eigenvalues", np.linspace(-0.3, 0.3, 12).reshape(1, 3, 4))
        made += tag("forcerelated_energy", free) + tag("forces", forces(atoms))
        if atoms.pbc.all():
            made += tag("stress", stress(atoms, kinetic > 0))
            made += tag("cell_volume", np.array(atoms.get_volume() / BOHR**3))
        self.files["results.tag"] = made + tag("gross_atomic_charges", np.zeros(len(atoms)))

    def write(self, code: int = 0) -> None:
        """Write everything; files that were never written are not there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.files["dftb.out"] = self.screen + (TIMES if code == 0 else "")
        self.files["exit_code"] = f"{code}\n"
        for name, text in (("md.out", self.md), ("geo_end.xyz", self.xyz)):
            if text:
                self.files[name] = text
        for name, text in self.files.items():
            (self.folder / name).write_text(text)


def energy_line(label: str, hartree: float) -> str:
    """An energy in both units."""
    return f"{label:<29}{hartree:20.10f} H {hartree * HARTREE:17.4f} eV"


def energies(free: float, extrapolated: str = "Extrapolated to 0:") -> list[str]:
    """Four lines of energies, of which two are the free energy."""
    return [
        energy_line(
            "Total energy:" if extrapolated[-2] == "0" else "Total Energy:", free + ENTROPY
        ),
        energy_line(extrapolated, free + ENTROPY / 2),
        energy_line("Total Mermin free energy:", free),
        energy_line("Force related energy:", free),
    ]


def forces(atoms: Atoms) -> np.ndarray:
    """Hartree/bohr."""
    return np.asarray(atoms.get_forces()) * BOHR / HARTREE


def stress(atoms: Atoms, kinetic: bool) -> np.ndarray:
    """Hartree/bohr³, in MD with the motion of the atoms; not quite symmetric, as theirs is not."""
    found = -np.asarray(atoms.get_stress(voigt=False)) * BOHR**3 / HARTREE
    if kinetic:
        momenta, masses = atoms.get_momenta(), atoms.get_masses()
        motion = (momenta / masses[:, None]).T @ momenta / atoms.get_volume()
        found = found + motion * BOHR**3 / HARTREE
    return np.asarray(found + np.triu(np.full((3, 3), 2e-9), 1))


def volume_and_pressure(atoms: Atoms) -> list[str]:
    """In both units each."""
    volume = atoms.get_volume()
    pressure = float(np.trace(stress(atoms, False))) / 3
    pascal = pressure * HARTREE / BOHR**3 / units.GPa * 1e9
    return [
        f"Volume:                             {fortran(volume / BOHR**3, 6)} au^3"
        f"  {fortran(volume, 6)} A^3",
        f"Pressure:                           {fortran(pressure, 6)} au    {fortran(pascal, 6)} Pa",
    ]


def tag(name: str, values: np.ndarray) -> str:
    """An entry of results.tag: sizes in Fortran's order, three numbers a line."""
    flat, sizes = values.ravel(), ",".join(map(str, values.shape[::-1]))
    lines = [f"{name:<20}:real:{values.ndim}:{sizes}"]
    for start in range(0, len(flat), 3):
        row = [fortran(number, 15).replace("E+", "E+0").replace("E-", "E-0") for number in flat]
        lines.append("".join(f"{word:>24}" for word in row[start : start + 3]))
    return "\n".join(lines) + "\n"


def gen(atoms: Atoms, result: bool) -> str:
    """A geometry: as given, or as DFTB+ writes it at the end."""
    names = list(dict.fromkeys(atoms.get_chemical_symbols()))
    lines = [f"{len(atoms):5d}  {'S' if atoms.pbc.all() else 'C'}", " " + " ".join(names)]
    rows = [*atoms.positions, *([np.zeros(3), *atoms.cell.array] if atoms.pbc.all() else [])]
    for number, row in enumerate(rows, 1):
        words = [f"{fortran(x, 10):>20}" if result else f"{x:20.12f}" for x in row]
        kind = ""
        if number <= len(atoms):
            kind = f"{number:5d}{names.index(atoms.symbols[number - 1]) + 1:3d}"
        lines.append(kind + "".join(words))
    return "\n".join(lines) + "\n"


def xyz(atoms: Atoms, title: str) -> str:
    """A frame of geo_end.xyz; in MD with velocities in Å/ps."""
    lines = [f"{len(atoms):5d}", title]
    velocities = atoms.get_velocities() * units.fs * 1000
    for name, place, velocity in zip(atoms.symbols, atoms.positions, velocities):
        numbers = [*place, 4.0, *(velocity if title.startswith("MD") else ())]
        lines.append(f"{name:>5}" + "".join(f"{number:16.8f}" for number in numbers))
    return "\n".join(lines) + "\n"


def block(title: str, rows: np.ndarray) -> str:
    """A table of md.out."""
    return "\n".join([title, *("".join(f"{fortran(x, 8):>24}" for x in row) for row in rows), ""])


def md_step(run: Run, atoms: Atoms, step: int, later: Optional[np.ndarray]) -> None:
    """Print a step of MD; `later` is the lattice of the next one, if it may change."""
    free, kinetic = matter.energy(atoms) / HARTREE, float(atoms.get_kinetic_energy()) / HARTREE
    run.electrons(atoms, step)
    run.md += f"MD step: {step}\n{CHAIN}" + block("Forces (au)", forces(atoms))
    run.md += block("Total stress (au)", stress(atoms, True))
    if later is not None:
        run.md += block("Lattice vectors (A)", later)
    lines = [
        *volume_and_pressure(atoms),
        energy_line("Gibbs free energy:", free),
        energy_line("Gibbs free energy including KE:", free + kinetic),
        energy_line("Potential Energy:", free),
        energy_line("MD Kinetic Energy:", kinetic),
        energy_line("Total MD Energy:", free + kinetic),
        f"MD Temperature:{0.0015834077:30.10f} au {500.0:16.4f} K",
    ]
    run.md += "\n".join([*lines, "Dipole moment:    6.45717311    6.48519410    6.47749352 au", ""])
    run.screen += "\n".join([" TempProfile:           2   1.58340767E-003", lines[4], lines[5], ""])
    run.xyz += xyz(atoms, f"MD iter: {step}")
