#!/usr/bin/env python3
"""A stand-in for VASP: its files, its demands, and EMT's energies.

It reads POSCAR, POTCAR, INCAR (and KPOINTS) with code of its own, refuses what VASP refuses, and
writes OUTCAR, OSZICAR and CONTCAR as VASP 5.4 does. Comments in the INCAR steer it:

    # stub: hard 3        the SCF does not converge in the first three directories that ask
                          $STUB_VASP_MARKS, a directory, remembers them (else each its own)
    # stub: cut 2         it dies in the middle of what comes after two ionic steps
    # stub: cut-once 2    … but only in a directory where it has not died before
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Optional, TextIO

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT, parameters

TAGS = """
SYSTEM PREC ENCUT EDIFF EDIFFG NELM NELMIN NSW IBRION ISIF ISMEAR SIGMA KSPACING KGAMMA POTIM TEBEG
TEEND SMASS MDALGO LWAVE LCHARG LREAL ALGO ISYM NWRITE ISPIN MAGMOM NCORE ISTART ICHARG GGA IVDW
LASPH
"""
KNOWN = frozenset(TAGS.split())
LINE = "-" * 104
DEFAULTS = (("EDIFF", 1e-4), ("EDIFFG", 1e-3))
USUAL = 9  # electronic steps of a first ionic step


def die(message: str) -> None:
    """End as VASP does: a box on the screen, and an exit status."""
    print(f" -----------------------------\n|     ERROR: {message}\n -----------------------------")
    sys.exit(1)


class Incar:
    """The INCAR: values by key, and the comments that steer this program."""

    def __init__(self, text: str) -> None:
        self.values: dict[str, str] = {}
        self.orders = dict(re.findall(r"#\s*stub:\s*([\w-]+)\s+(\d+)", text))
        text = re.sub(r"[#!].*", "", text).replace("\\\n", " ")
        for part in re.split(r"[;\n]", text):
            key, equals, value = part.partition("=")
            if equals and key.strip().upper() not in self.values:
                self.values[key.strip().upper()] = value.strip()
        strange = sorted(set(self.values) - KNOWN)
        if strange:
            die(f"unknown INCAR tags: {' '.join(strange)}")

    def number(self, key: str, default: float) -> float:
        """A value; Fortran's exponents are understood."""
        words = self.values.get(key, str(default)).split()
        try:
            return float(words[0].lower().replace("d", "e"))
        except (IndexError, ValueError):
            die(f"error reading item {key} from file INCAR")
            raise

    def order(self, word: str) -> Optional[int]:
        """The number of a steering comment."""
        return int(self.orders[word]) if word in self.orders else None


def read_poscar(text: str) -> Atoms:
    """A POSCAR with scale 1 and without frills: what VASP is given here."""
    lines = text.splitlines()
    if float(lines[1]) != 1.0:
        die("this program wants the scale factor 1.0")
    cell = np.array([line.split()[:3] for line in lines[2:5]], dtype=float)
    if np.linalg.det(cell) < 0:
        die("the triple product of the basis vectors is negative exchange two basis vectors")
    symbols, counts = lines[5].split(), [int(word) for word in lines[6].split()]
    if len(symbols) != len(counts) or not lines[7].strip().upper().startswith("D"):
        die("POSCAR has no element line of its own, or is not in direct coordinates")
    rows = np.array([line.split()[:3] for line in lines[8 : 8 + sum(counts)]], dtype=float)
    names = [symbol for symbol, count in zip(symbols, counts) for _ in range(count)]
    if len(rows) != len(names):
        die("ERROR reading POSCAR: positions are missing")
    atoms = Atoms(names, cell=cell, pbc=True, scaled_positions=rows)
    atoms.info["species"] = symbols
    atoms.info["counts"] = counts
    return atoms


def read_potcar(text: str) -> list[str]:
    """Title lines of the data sets, each of which must be whole."""
    sets = text.split("End of Dataset")
    if sets.pop().strip():
        die("POTCAR ends in the middle of a data set")
    titles = [part.strip().splitlines()[0].strip() for part in sets]
    for title, part in zip(titles, sets):
        if f"TITEL  = {title}" not in part:
            die(f"a data set of POTCAR begins with {title!r}, which is not its title")
    return titles


def check_order(atoms: Atoms, titles: list[str]) -> None:
    """POTCAR must hold the elements of POSCAR, one data set each, in the same order."""
    found = [title.split()[1].partition("_")[0] for title in titles]
    if len(set(atoms.info["species"])) != len(atoms.info["species"]):
        die("an element stands twice in POSCAR")
    if len(found) != len(atoms.info["species"]):
        die("number of potentials on File POTCAR incompatible with number of species")
    if found != atoms.info["species"]:
        die(f"POSCAR and POTCAR are incompatible: {atoms.info['species']} and {found}")
    foreign = [element for element in found if element not in parameters]
    if foreign:
        die(f"EMT knows no {' '.join(foreign)}")


def marked(number: int) -> bool:
    """Whether the mark of this number is of this directory, or can be had by it."""
    mark = Path(os.environ.get("STUB_VASP_MARKS", ".")) / f"stub.mark.{number}"
    try:
        with mark.open("x") as stream:
            stream.write(str(Path.cwd()))
    except FileExistsError:
        return mark.read_text() == str(Path.cwd())
    return True


class CutError(Exception):
    """The moment in which the program dies."""


class Writer:
    """OUTCAR and OSZICAR, as ionic steps come."""

    def __init__(self, incar: Incar, atoms: Atoms, titles: list[str]) -> None:
        self.out: TextIO = Path("OUTCAR").open("w")  # noqa: SIM115
        self.osz: TextIO = Path("OSZICAR").open("w")  # noqa: SIM115
        self.incar, self.atoms, self.count = incar, atoms, 0
        self.nelm = int(incar.number("NELM", 60))
        self.steps = int(incar.number("NSW", 0))
        self.motion = int(incar.number("IBRION", 0 if self.steps > 0 else -1))
        quiet = self.motion == 0 and self.steps > 0
        self.isif = int(incar.number("ISIF", 0 if quiet else 2))
        self.hard = any(marked(number) for number in range(incar.order("hard") or 0))
        self._head(titles)

    def _head(self, titles: list[str]) -> None:
        numbers = self.atoms.info["counts"]
        counts = "".join(f"{count:4d}" for count in numbers)
        ediff, ediffg = (fortran(self.incar.number(*given)) for given in DEFAULTS)
        self.say(
            " vasp.5.4.4.18Apr17-6-g9f103f2a35 (build Jul 12 2018 13:43:46) complex",
            " executed on             LinuxGNU date 2019.06.30  23:01:56",
            "",
            f"{LINE}\n\n\n INCAR:",
            *(f" POTCAR:    {title}" for title in titles),
        )
        for title in titles:
            element = title.split()[1].partition("_")[0]
            self.say(
                f" POTCAR:    {title}",
                f"   VRHFIN ={element}: of the stand-in",
                "   LEXCH  = PE",
                f"   TITEL  = {title}",
            )
        self.say(
            "",
            " Dimension of arrays:",
            f"   number of dos      NEDOS =    301   number of ions     NIONS ={sum(numbers):7d}",
            f"   ions per type =            {counts}",
            "",
            f"   NWRITE = {int(self.incar.number('NWRITE', 2)):6d}    write-flag & timer",
            f"   NELM   = {self.nelm:6d};   NELMIN=  2; NELMDL= -5     # of ELM steps ",
            f"   EDIFF  = {ediff}   stopping-criterion for ELM",
            " Ionic relaxation",
            f"   EDIFFG = {ediffg}   stopping-criterion for IOM",
            f"   NSW    = {self.steps:6d}    number of steps for IOM",
            f"   IBRION = {self.motion:6d}    ionic relax: 0-MD 1-quasi-New 2-CG",
            f"   ISIF   = {self.isif:6d}    stress and relaxation",
            f"\n\n{LINE}\n",
        )

    def say(self, *lines: str) -> None:
        """Write lines into OUTCAR."""
        self.out.write("\n".join(lines) + "\n")

    def step(self) -> None:
        """One ionic step: the electronic steps, then everything about the atoms."""
        self.count += 1
        needed = 10**6 if self.hard else (USUAL if self.count == 1 else 4)
        self._electrons(min(needed, self.nelm), needed)
        self._stress()
        self._die_here()
        self._cell()
        self._forces()
        energy = self.atoms.get_potential_energy() + (1.0 if needed > self.nelm else 0.0)
        self.say(
            f"\n\n{LINE}\n\n\n",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"  free  energy   TOTEN  ={energy:20.8f} eV",
            "",
            f"  energy  without entropy={energy + 0.5:17.8f}"
            f"  energy(sigma->0) ={energy + 0.25:18.8f}",
            f"\n\n\n{LINE}\n",
        )
        self.osz.write(f"{self.count:4d} F= {energy:.8E} E0= {energy:.8E}  d E ={0:.6E}\n")

    def _die_here(self) -> None:
        limit, once = self.incar.order("cut"), self.incar.order("cut-once")
        if once is not None and self.count > once and not Path("stub.died").exists():
            Path("stub.died").touch()
            limit = once
        if limit is not None and self.count > limit:
            self.say(" VOLUME and BASIS-vectors are now :")
            self.out.write("   volume of ce")
            raise CutError

    def _electrons(self, used: int, needed: int) -> None:
        ediff = self.incar.number("EDIFF", 1e-4)
        for number in range(1, used + 1):
            change = 0.5 * ediff if number == needed else -(10.0 ** (2 - number % 7))
            energy = self.atoms.get_potential_energy() + (0.0 if number == needed else change)
            self.say(
                f"\n{'-' * 39} Iteration {self.count:6d}({number:4d})  {'-' * 39}\n\n",
                f" total energy-change (2. order) :{fortran(change, 7)}"
                f"  ({fortran(change / 2, 7)})",
                "",
                "  free energy    TOTEN  =" + f"{energy:20.8f} eV",
                "",
                LINE,
            )
            self.osz.write(
                f"DAV:{number:4d}   {fortran(energy, 12)}  {fortran(change, 5)}  "
                f"{fortran(change / 2, 5)}   288   0.131E-03\n"
            )
        # version 5 says so whether it is true or not
        self.say("\n" + "-" * 24 + " aborting loop because EDIFF is reached " + "-" * 40 + "\n\n")

    def _stress(self) -> None:
        if self.isif == 0:
            return
        volume = self.atoms.get_volume()
        virial = -volume * self.atoms.get_stress(voigt=False)
        xx, yy, zz = np.diag(virial)
        row = np.array([xx, yy, zz, virial[0, 1], virial[1, 2], virial[2, 0]])
        shift = np.array([12.5, 12.5, 12.5, 0.25, 0.25, 0.25])
        self.say(
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Direction    XX          YY          ZZ          XY          YZ          ZX",
            "  " + "-" * 86,
            "  Alpha Z " + "".join(f"{number:12.5f}" for number in shift[:3]),
            "  Kinetic " + "".join(f"{number:12.5f}" for number in row - shift),
            "  " + "-" * 85,
            "  Total   " + "".join(f"{number:12.5f}" for number in row),
            "  in kB   " + "".join(f"{n:12.5f}" for n in row / volume / units.GPa * 10),
            "  external pressure =        0.00 kB  Pullay stress =        0.00 kB",
            "",
            "  Total+kin. " + "".join(f"{n:12.3f}" for n in row / volume / units.GPa * 10 + 7.0),
            "",
        )

    def _cell(self) -> None:
        reciprocal = np.linalg.inv(self.atoms.cell.array).T
        self.say(
            " VOLUME and BASIS-vectors are now :",
            " " + "-" * 77,
            "  energy-cutoff  :      400.00",
            f"  volume of cell :{self.atoms.get_volume():12.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
        )
        for direct, other in zip(self.atoms.cell.array, reciprocal):
            first, second = (
                "".join(f"{number:13.9f}" for number in row) for row in (direct, other)
            )
            self.say(f"  {first}   {second}")
        self.say("\n  length of vectors\n")

    def _forces(self) -> None:
        self.say(
            "",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            " " + "-" * 83,
        )
        for place, force in zip(self.atoms.positions, self.atoms.get_forces()):
            first = "".join(f"{number:13.5f}" for number in place)
            self.say(first + "   " + "".join(f"{number:14.6f}" for number in force))
        self.say(
            " " + "-" * 83, f"    total drift:{'':24}      0.000000      0.000000      0.000000"
        )

    def end(self) -> None:
        """The timing, which VASP writes when all is done."""
        self.say(
            " General timing and accounting informations for this job:",
            " ========================================================",
            "",
            "                  Total CPU time used (sec):        1.979",
        )
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.out.close()
        self.osz.close()


def fortran(number: float, digits: int = 1) -> str:
    """A number as Fortran's format E writes it: 0.1E-05."""
    mantissa, exponent = f"{number:.{max(digits - 1, 0)}E}".split("E")
    body = mantissa.replace(".", "").replace("-", "")
    power = int(exponent) + 1 if float(mantissa) else 0
    sign = "-" if number < 0 else ("" if digits == 1 else " ")
    return f"{sign}0.{body}E{power:+03d}"


def move(incar: Incar, atoms: Atoms, writer: Writer) -> None:
    """All ionic steps."""
    if writer.motion == -1 or writer.steps <= 0:
        writer.step()
    elif writer.motion == 0:
        width = np.sqrt(atoms.get_masses() * units.kB * incar.number("TEBEG", 0))
        atoms.set_momenta(np.random.default_rng(7).normal(size=(len(atoms), 3)) * width[:, None])
        if "POTIM" not in incar.values:
            die("for IBRION=0 you must set POTIM")
        from ase.md.verlet import VelocityVerlet  # noqa: PLC0415 (which takes long)

        md = VelocityVerlet(atoms, timestep=incar.number("POTIM", 1) * units.fs)
        for number in range(writer.steps):
            if number:
                md.run(1)
            writer.step()
        md.run(1)
    elif writer.motion in (1, 2, 3):
        relax(incar, atoms, writer)
    else:
        die(f"IBRION = {writer.motion} is not computed here")


def relax(incar: Incar, atoms: Atoms, writer: Writer) -> None:
    """Move atoms, with ISIF 3 the cell too, until EDIFFG is met or NSW is used up."""
    from ase.filters import FrechetCellFilter  # noqa: PLC0415
    from ase.optimize import BFGS  # noqa: PLC0415 (which takes long)

    target: Any = FrechetCellFilter(atoms) if writer.isif == 3 else atoms
    limit = abs(incar.number("EDIFFG", -0.02))
    optimizer = BFGS(target, logfile=None)
    for _ in range(writer.steps):
        writer.step()
        if np.linalg.norm(target.get_forces(), axis=1).max() <= limit:
            writer.say(" reached required accuracy - stopping structural energy minimisation")
            return
        optimizer.step()


def write_contcar(atoms: Atoms) -> None:
    """The last structure, with velocities, as VASP leaves it."""
    lines = [" ".join(atoms.info["species"]), "   1.00000000000000"]
    lines += ["  " + "".join(f"{number:22.16f}" for number in row) for row in atoms.cell.array]
    lines.append("".join(f"{symbol:>5}" for symbol in atoms.info["species"]))
    lines.append("".join(f"{count:6d}" for count in atoms.info["counts"]))
    lines.append("Direct")
    inside = atoms.get_scaled_positions(wrap=True)
    lines += ["".join(f"{number:20.16f}" for number in row) for row in inside]
    lines.append("")
    lines += ["  0.00000000E+00  0.00000000E+00  0.00000000E+00"] * len(atoms)
    Path("CONTCAR").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Run in the present directory."""
    for name in ("INCAR", "POSCAR", "POTCAR"):
        if not Path(name).is_file():
            die(f"there is no {name}")
    incar = Incar(Path("INCAR").read_text(errors="replace"))
    if "KSPACING" not in incar.values and not Path("KPOINTS").is_file():
        die("no KPOINTS file, and no KSPACING in INCAR")
    atoms = read_poscar(Path("POSCAR").read_text())
    titles = read_potcar(Path("POTCAR").read_text())
    check_order(atoms, titles)
    atoms.calc = EMT()
    writer = Writer(incar, atoms, titles)
    try:
        move(incar, atoms, writer)
    except CutError:
        writer.close()
        print("forrtl: error (78): process killed (SIGTERM)")
        return 1
    write_contcar(atoms)
    writer.end()
    print(" writing wavefunctions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
