"""OUTCAR and CONTCAR in the layout of VASP 5.4.4."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms, units

from tests.handmade import matter
from tests.handmade.outcar_text import BANDS, ELECTRONS, END, HEAD, RULE, SET, THERMOSTAT


@dataclass(frozen=True)
class Settings:
    """What the head says; `used` has the electronic steps of each ionic step."""

    used: Sequence[int]
    nelm: int
    nsw: int
    ibrion: int
    isif: int = 2


def fortran(number: float, digits: int) -> str:
    """A number as Fortran's format E writes it: 0.1E-05."""
    mantissa, power = f"{abs(number):.{digits - 1}E}".split("E")
    sign = "-" if number < 0 else " "
    return f"{sign}0.{mantissa.replace('.', '')}E{int(power) + 1 if number else 0:+03d}"


def columns(rows: np.ndarray, width: int, decimals: int) -> list[str]:
    """Numbers in fields of `width`."""
    return ["".join(f"{number:{width}.{decimals}f}" for number in row) for row in rows]


def kinds(atoms: Atoms) -> dict[str, int]:
    """How many of each element, in the order in which they stand."""
    names = atoms.get_chemical_symbols()
    return {name: names.count(name) for name in dict.fromkeys(names)}


def lattice(atoms: Atoms) -> str:
    """Both lattices side by side."""
    reciprocal = np.linalg.inv(atoms.cell.array).T
    pairs = zip(columns(atoms.cell.array, 13, 9), columns(reciprocal, 13, 9))
    return "\n".join(f"  {one}   {other}" for one, other in pairs)


def head(atoms: Atoms, settings: Settings) -> str:
    """Everything before the first electronic step."""
    counts = kinds(atoms)
    masses = {name: Atoms(name).get_masses()[0] for name in counts}
    return HEAD.format(
        rule=RULE,
        potcars="\n".join(f" POTCAR:    PAW_PBE {name} 29Nov2026" for name in counts),
        sets="".join(SET.format(name=name, mass=masses[name]) for name in counts),
        neighbours="\n".join(
            f"{number:4d}{row}-" for number, row in enumerate(columns(fractions(atoms), 7, 3), 1)
        ),
        bands="number of bands    NBANDS=     24",
        count=len(atoms),
        counts="".join(f"{count:4d}" for count in counts.values()),
        nelm=settings.nelm,
        ediffg="-.1E+00" if settings.ibrion == 2 else "0.1E-04",
        nsw=settings.nsw,
        ibrion=settings.ibrion,
        isif=settings.isif,
        masses=" ".join(f"{mass:6.2f}" for mass in masses.values()),
        volume=atoms.get_volume(),
        lattice=lattice(atoms),
        fractions="\n".join(columns(fractions(atoms), 13, 8)),
        places="\n".join(columns(atoms.positions, 13, 8)),
    )


def fractions(atoms: Atoms) -> np.ndarray:
    """Fractional coordinates within the cell."""
    return np.asarray(atoms.get_scaled_positions(wrap=True))


def electrons(ion: int, used: int, nelm: int, energy: float) -> str:
    """The electronic steps; where they ran out, the last change is as large as the others."""
    parts = []
    for number in range(1, used + 1):
        done = number == used < nelm
        change = -3.9e-7 if done else -(10.0 ** (2 - number % 6))
        parts.append(
            ELECTRONS.format(
                rule=RULE,
                mark=f"{'-' * 41} Iteration{ion:5d}({number:4d})  {'-' * 39}",
                change=fortran(change, 7),
                other=fortran(change / 3, 7),
                energy=energy - (0.0 if number == used else change),
            )
        )
    return "".join(parts) + BANDS.format(rule=RULE, dashes="-" * 24)


def stress(atoms: Atoms) -> str:
    """The table of contributions: Total in eV, the row below in kB."""
    virial = matter.virial(atoms)
    row = np.array([*np.diag(virial), virial[0, 1], virial[1, 2], virial[2, 0]])
    shift = np.array([[37.5, 36.25, 38.75, -2.5, 1.25, 0.5]])
    pressure = row / atoms.get_volume() / units.GPa * 10

    def line(name: str, numbers: np.ndarray, decimals: int = 5) -> str:
        return f"  {name:8}{columns(numbers[None, :], 12, decimals)[0]}"

    return "\n".join(
        [
            "  FORCE on cell =-STRESS in cart. coord.  units (eV):",
            "  Direction    XX          YY          ZZ          XY          YZ          ZX",
            f"  {'-' * 86}",
            line("Alpha Z", np.full(3, 0.89701)),
            line("Ewald", shift[0]),
            line("Kinetic", row - shift[0]),
            line("Fock", np.zeros(6)),
            f"  {'-' * 85}",
            line("Total", row),
            line("in kB", pressure),
            f"  external pressure ={pressure[:3].mean():12.2f} kB  Pullay stress =        0.00 kB",
            "",
            "  kinetic pressure (ideal gas correction) =      7.00 kB",
            f"  total pressure  ={pressure[:3].mean() + 7:10.2f} kB",
            line("Total+kin.", pressure + [7, 7, 7, 0, 0, 0], 3),
            "",
            "",
        ]
    )


def ions(atoms: Atoms) -> str:
    """Cell, forces and the energy of an ionic step."""
    energy = matter.energy(atoms)
    pairs = zip(columns(atoms.positions, 13, 5), columns(atoms.get_forces(), 14, 6))
    return "\n".join(
        [
            " VOLUME and BASIS-vectors are now :",
            f" {'-' * 77}",
            "  energy-cutoff  :      400.00",
            f"  volume of cell :{atoms.get_volume():12.2f}",
            "      direct lattice vectors                 reciprocal lattice vectors",
            lattice(atoms),
            "\n  length of vectors",
            "     4.000000000  4.000000000  4.000000000     0.250000000  0.250000000  0.250000000",
            "\n\n FORCES acting on ions",
            f"    electron-ion (+dipol)            ewald-force\n {'-' * 95}",
            *["   -.133E+02 -.440E+02 0.707E+00   0.164E+02 0.891E+02 -.876E+01"] * len(atoms),
            f" {'-' * 95}\n\n",
            " POSITION                                       TOTAL-FORCE (eV/Angst)",
            f" {'-' * 83}",
            *(f"{place}   {force}" for place, force in pairs),
            f" {'-' * 83}",
            "    total drift:                               -0.005850     -0.002026      0.008629",
            f"\n\n{RULE}\n\n\n",
            "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)",
            "  ---------------------------------------------------",
            f"  free  energy   TOTEN  ={energy:20.8f} eV",
            "",
            f"  energy  without entropy={energy + 0.013:18.8f}"
            f"  energy(sigma->0) ={energy + 0.0065:18.8f}",
            "",
        ]
    )


def write_outcar(path: Path, frames: Iterable[Atoms], settings: Settings, end: str = "") -> None:
    """Write one ionic step for each of `frames`, which may be one object that changes."""
    text = ""
    for number, (atoms, used) in enumerate(zip(frames, settings.used), 1):
        energy = matter.energy(atoms)
        text = text or head(atoms, settings)
        text += electrons(number, used, settings.nelm, energy)
        text += (stress(atoms) if settings.isif else "") + ions(atoms)
        if settings.ibrion == 0:
            kinetic = float(atoms.get_kinetic_energy())
            text += THERMOSTAT.format(
                rule=RULE, energy=energy, kinetic=kinetic, total=energy + kinetic
            )
    path.write_text(text + end + END)


def write_contcar(path: Path, atoms: Atoms) -> None:
    """Write the structure and the velocities behind it, in direct coordinates."""
    counts = kinds(atoms)
    velocities = atoms.get_velocities() * units.fs
    lines = ["made by hand", "   1.00000000000000"]
    lines += [f" {row}" for row in columns(atoms.cell.array, 22, 16)]
    lines.append("".join(f"{name:>5}" for name in counts))
    lines.append("".join(f"{count:6d}" for count in counts.values()))
    lines += ["Direct", *columns(fractions(atoms), 20, 16), ""]
    lines += ["".join(f"{fortran(number, 8):>16}" for number in row) for row in velocities]
    path.write_text("\n".join([*lines, "", "    1", "   2.000000000000000", ""]))
