#!/usr/bin/env python3
"""A stand-in for PWmat: its files, its demands, and the energies of a simple potential.

It reads etot.input and what that names with code of its own, refuses what PWmat refuses, and writes
REPORT, MOVEMENT, OUT.MLMD, RELAXSTEPS and final.config in PWmat's form. The energies are those of
`potential`: EMT, or Lennard-Jones where EMT does not know an element. Comments in etot.input
steer it:

    # stub: hard 3        of three structures one does not converge
    # stub: stubborn 200  no SCF converges with fewer steps in SCF_ITER0_2
    # stub: loose 1       SCF stops at the number of iterations, with its accuracy reached
    # stub: cut 2         it dies in the middle of the frame after two
    # stub: cut-once 2    … but only in a directory where it has not died before
    # stub: no-mlmd 1     it writes MOVEMENT in place of OUT.MLMD
    # stub: mute 1        all its forces are zeros
"""

from __future__ import annotations

import re
import sys
import zlib
from pathlib import Path
from typing import Any, Optional

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT, parameters
from ase.calculators.lj import LennardJones
from ase.data import chemical_symbols

KNOWN = re.compile(
    r"JOB|ECUT2?L?|XCFUNCTIONAL|(E|RHO|WG)_ERROR|MP_N123|FLAG_SYMM|SCF_ITER[01]_[12]|ENERGY_DECOMP|"
    r"MD_DETAIL|RELAX_DETAIL|ACCURACY|CONVERGENCE|SPIN|USE_DFTB|DFTB_DETAIL|USE_GAUSSIAN|"
    r"OUT\.(WG|RHO|VR|FORCE|STRESS|MLMD)|IN\.(ATOM|SKF|PSP\d+|BASIS\d+|WG|RHO|VR)"
)
LOGICAL = re.compile(r"OUT\..*|IN\.(WG|RHO|VR)|USE_.*")
DASHES = " " + "-" * 49
SCF_STEPS = 9


def die(message: str) -> None:
    """End as PWmat does: a line on the screen, nothing else, and an exit status."""
    print(f" ERROR: {message}, stop")
    sys.exit(1)


def potential(symbols: set[str]) -> Any:
    """The calculator behind the stub."""
    if symbols <= set(parameters):
        return EMT()
    return LennardJones(sigma=2.1, epsilon=0.8, rc=5.0, smooth=True)


class Control:
    """etot.input: values by key, and the comments that steer this program."""

    def __init__(self, path: Path) -> None:
        self.folder = path.parent
        first, *others = path.read_text(errors="surrogateescape").split("\n")
        if not re.fullmatch(r"\s*\d+\s+\d+\s*", first):
            die(f"the first line must hold node1 and node2, not {first!r}")
        self.values: dict[str, str] = {}
        self.orders: dict[str, int] = {}
        for line in others:
            order = re.search(r"#\s*stub:\s*([\w-]+)\s+(\d+)", line)
            if order:
                self.orders[order.group(1)] = int(order.group(2))
            plain = re.split(r"[#!]", line)[0].strip()
            if plain:
                self._take(plain)

    def _take(self, line: str) -> None:
        key, equals, value = (part.strip() for part in line.partition("="))
        key = key.upper()
        if not equals or not value:
            die(f"cannot read the line {line!r}")
        if not KNOWN.fullmatch(key):
            die(f"unknown key {key}")
        if key in self.values:
            die(f"{key} is given twice")
        if LOGICAL.fullmatch(key) and value.upper() not in ("T", "F"):
            die(f"{key} must be T or F")
        self.values[key] = value.upper() if key == "JOB" or LOGICAL.fullmatch(key) else value

    def true(self, key: str, default: str = "F") -> bool:
        """A logical value."""
        return self.values.get(key, default) == "T"

    def numbers(self, key: str, default: str) -> list[float]:
        """The numbers of a value."""
        words = [word for word in re.split(r"[,\s]+", self.values.get(key, default)) if word]
        try:
            return [float(word) for word in words]
        except ValueError:
            die(f"{key} holds what is no number")
            raise

    def file(self, key: str) -> Path:
        """A file that must be there."""
        if key not in self.values:
            die(f"{key} is missing")
        name = self.values[key]
        if len(name.split()) != 1 or not (self.folder / name).exists():
            die(f"{key}: there is no file {name}")
        return self.folder / name


def read_structure(path: Path) -> Atoms:
    """atom.config, read strictly."""
    lines = path.read_text().splitlines()
    count = int(lines[0].split()[0])
    if "lattice" not in lines[1].lower() or "position" not in lines[5].lower():
        die(f"{path}: Lattice and Position are expected")
    cell = [[float(word) for word in line.split()] for line in lines[2:5]]
    rows = [line.split() for line in lines[6 : 6 + count]]
    if len(rows) != count or any(len(row) != 7 or row[4:] != ["1", "1", "1"] for row in rows):
        die(f"{path}: {count} lines of Z x y z and three move flags are expected")
    numbers = [int(row[0]) for row in rows]
    places = [[float(word) for word in row[1:4]] for row in rows]
    return Atoms(numbers, cell=cell, scaled_positions=places, pbc=True)


def check_elements(control: Control, atoms: Atoms) -> None:
    """Refuse anything but the right files for the elements, in the right order."""
    symbols = atoms.get_chemical_symbols()
    order = list(dict.fromkeys(symbols))
    if sorted(symbols, key=order.index) != symbols:
        die("atoms of one element must stand together")
    psp = [key for key in control.values if key.startswith("IN.PSP")]
    basis = [key for key in control.values if key.startswith("IN.BASIS")]
    if control.true("USE_DFTB"):
        if psp or basis:
            die("DFTB reads no pseudopotentials")
        check_skf(control, order)
    elif control.true("USE_GAUSSIAN"):
        check_gaussian(control, psp, basis, order)
    else:
        if basis or "IN.SKF" in control.values:
            die("plane waves need neither IN.BASIS nor IN.SKF")
        check_pseudo(control, psp, order)


def check_pseudo(control: Control, keys: list[str], order: list[str]) -> None:
    """Each pseudopotential is of the element in its place."""
    if sorted(keys) != sorted(f"IN.PSP{number}" for number in range(1, len(order) + 1)):
        die(f"{len(order)} pseudopotentials are needed, given: {' '.join(keys)}")
    for number, symbol in enumerate(order, 1):
        text = control.file(f"IN.PSP{number}").read_text()
        found = re.search(r'element="\s*(\w+)\s*"', text)
        if found is None or found.group(1) != symbol:
            die(f"IN.PSP{number} is not for {symbol}")


def check_skf(control: Control, order: list[str]) -> None:
    """Slater-Koster files of all pairs, unless the mode needs none."""
    if control.numbers("DFTB_DETAIL", "1")[0] == 3:
        if "IN.SKF" in control.values:
            die("IN.SKF is not used")
        return
    folder = control.file("IN.SKF")
    if not control.values["IN.SKF"].endswith("/"):
        die("IN.SKF must end with /")
    for one in order:
        for other in order:
            if not (folder / f"{one}-{other}.skf").is_file():
                die(f"there is no {one}-{other}.skf")


def check_gaussian(control: Control, psp: list[str], basis: list[str], order: list[str]) -> None:
    """Basis set and potential of each element, by name."""
    seen = []
    for number in range(1, len(order) + 1):
        elements = []
        for kind in ("PSP", "BASIS"):
            words = control.values.get(f"IN.{kind}{number}", "").split()
            if len(words) != 3 or not (control.folder / words[2]).is_file():
                die(f"IN.{kind}{number} must hold element, name and file")
            if f"{words[0]} {words[1]}" not in (control.folder / words[2]).read_text():
                die(f"{words[2]} has no {words[0]} {words[1]}")
            elements.append(words[0])
        if len(set(elements)) > 1:
            die(f"IN.PSP{number} and IN.BASIS{number} are of different elements")
        seen.append(elements[0])
    if sorted(seen) != sorted(order) or len(psp) != len(order) or len(basis) != len(order):
        die("basis sets do not fit the elements")


class Run:
    """One run: what it has written so far, and when it is to die."""

    def __init__(self, control: Control, atoms: Atoms) -> None:
        self.control, self.atoms = control, atoms
        self.stress = control.true("OUT.STRESS", "F" if control.values["JOB"] == "SCF" else "T")
        self.frames = 0
        self.report: list[str] = []
        self.cut = control.orders.get("cut", 10**9)
        if "cut-once" in control.orders and not Path("died").exists():
            self.cut = control.orders["cut-once"]

    def frame(self, path: Path, time: float, md: bool = False) -> None:
        """Append a frame; the first one's headings are shorter."""
        text = self._text(time, md)
        if self.frames >= self.cut:
            with path.open("a") as stream:
                stream.write(text[: int(len(text) * 0.6)])
            Path("died").touch()
            print(" killed")
            sys.exit(137)
        with path.open("a") as stream:
            stream.write(text)
        self.frames += 1

    def _text(self, time: float, md: bool) -> str:
        atoms, first = self.atoms, self.frames == 0
        potential_energy = atoms.get_potential_energy()
        kinetic = atoms.get_kinetic_energy() if md else 0.0
        energies = (potential_energy + kinetic, potential_energy, kinetic)
        lines = [
            f"  {len(atoms)} atoms,Iteration (fs) = {time:19.10E}, Etot,Ep,Ek (eV) ="
            + "".join(f"{value:20.10E}" for value in energies)
            + f", SCF = {SCF_STEPS:5d}"
        ]
        if md and not first:
            lines += [
                "     MD_INFO: METHOD(1-VV,2-NH,3-LV,4-LVPR,5-NHRP) TIME(fs) TEMP(K)",
                f"              1 {time:19.10E} {atoms.get_temperature():13.5E}",
            ]
        lines += [" Lattice vector (Angstrom)", *self._lattice()]
        places = atoms.cell.scaled_positions(atoms.positions)
        wrapped = places - np.floor(places) if md and not first else places
        lines += [
            " Position (normalized), move_x, move_y, move_z",
            *self._rows(wrapped, "  1  1  1"),
        ]
        if md and not first:
            lines.append(" nonperiodic_Position (normalized), move_x, move_y, move_z")
            lines += self._rows(places, "  1  1  1")
        minus = -atoms.get_forces() * ("mute" not in self.control.orders)
        title = "eV/Angstrom" if first else "-force, eV/Angstrom"
        lines += [f" Force ({title})", *self._rows(minus)]
        if md and not first:
            speed = atoms.get_velocities() * units.fs / units.Bohr
            lines += [" Velocity (bohr/fs)", *self._rows(speed)]
        if self.control.values.get("ENERGY_DECOMP", "F")[0] == "T":
            share = np.full((len(atoms), 3), potential_energy / len(atoms))
            lines += [
                "Atomic-Energy, Etot(eV),E_nonloc(eV),Q_atom:dE(eV)=  0.0",
                *self._rows(share),
            ]
        lines.append(DASHES[:-3] + "END" if first else DASHES)
        return "\n".join(lines) + "\n"

    def _lattice(self) -> list[str]:
        rows = ["".join(f"{value:20.10E}" for value in row) for row in self.atoms.cell.array]
        if not self.stress:
            return rows
        under_tension = self.atoms.get_stress(voigt=False) * self.atoms.get_volume()
        return [
            f"{row}     stress (eV):" + "".join(f"{value:14.6E}" for value in numbers)
            for row, numbers in zip(rows, under_tension)
        ]

    def _rows(self, table: np.ndarray, behind: str = "") -> list[str]:
        return [
            f"{number:4d}" + "".join(f"{value:26.15f}" for value in row) + behind
            for number, row in zip(self.atoms.numbers, table)
        ]

    def scf(self, hard: bool) -> None:
        """REPORT of one SCF: its iterations, and how it ended."""
        energy, change = self.atoms.get_potential_energy(), 0.5
        for step in range(1, SCF_STEPS + 1):
            self.report += [
                f" iter={step:4d}   ave_lin=  1.1  iCGmth=   3",
                " Ef(eV)               = 0.1500045E+02",
                f" dv_ave, drho_tot     = 0.9140E-04 {change:.4E}",
                f" E_tot(eV)            = {energy:.14E}    {change:.4E}",
                " -------------------------------------------",
            ]
            change *= 0.9 if hard else 0.1
        if hard or "loose" in self.control.orders:
            self.report.append(" ending_scf_reason = niter reached")
        else:
            self.report.append(" ending_scf_reason = tol Etot_err  1.000000000000000E-006")
        self.report.append(f" E_tot(eV)    = {energy:.14E}    {change * 10:.4E}")


def echo(control: Control) -> list[str]:
    """The head of REPORT."""
    return [
        " ********* the input parameters *********",
        f" JOB       = {control.values['JOB']}",
        f" E_ERROR   = {control.values.get('E_ERROR', '1.0E-06')}",
        f" RHO_ERROR = {control.values.get('RHO_ERROR', '1.0E-05')}",
        " *********** end of etot.input report ********",
    ]


def compute(control: Control, atoms: Atoms, run: Run) -> None:
    """The calculation itself."""
    job, movement = control.values["JOB"], Path("MOVEMENT")
    if job == "SCF":
        dice = zlib.crc32(np.round(atoms.positions, 6).tobytes())
        hard = control.orders.get("hard")
        few = control.numbers("SCF_ITER0_2", "94 4 3 1.0 0.025 1")[0] < control.orders.get(
            "stubborn", 0
        )
        run.scf(few or (hard is not None and dice % hard == 0))
        if control.true("OUT.MLMD"):
            name = movement if "no-mlmd" in control.orders else Path("OUT.MLMD")
            run.frame(name, -1.0)
    elif job == "MD":
        _, steps, step_fs, temperature, *_ = control.numbers("MD_DETAIL", "")
        rng = np.random.default_rng(zlib.crc32(atoms.positions.tobytes()))
        spread = np.sqrt(atoms.get_masses() * units.kB * temperature)[:, None]
        atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * spread)
        run.frame(movement, -1.0, md=True)
        from ase.md.verlet import VelocityVerlet  # noqa: PLC0415 (which takes long)

        md = VelocityVerlet(atoms, step_fs * units.fs)
        for step in range(1, int(steps)):
            md.run(1)
            run.frame(movement, step * step_fs, md=True)
    else:
        relax(control, atoms, run)


def relax(control: Control, atoms: Atoms, run: Run) -> None:
    """A relaxation of the atoms, and of the cell if RELAX_DETAIL says so."""
    _, steps, tolerance, *more = control.numbers("RELAX_DETAIL", "1 100 0.01")
    from ase.filters import FrechetCellFilter  # noqa: PLC0415
    from ase.optimize import BFGS  # noqa: PLC0415 (which takes long)

    target = FrechetCellFilter(atoms) if more and more[0] == 1 else atoms
    rows = []
    run.frame(Path("MOVEMENT"), 0.0)
    optimizer = BFGS(target, logfile=None)
    for number, _ in enumerate(optimizer.irun(fmax=tolerance, steps=int(steps))):
        if number:
            run.frame(Path("MOVEMENT"), float(number))
        largest = np.abs(atoms.get_forces()).max()
        rows.append(
            f"It={number:5d} CORR E={atoms.get_potential_energy():22.13E}  Av_F={largest / 2:10.2E}"
            f" M_F={largest:10.2E} dE=  0.26E-04 dRho=  0.50E-05 SCF=     3\n"
        )
    Path("RELAXSTEPS").write_text("".join(rows))
    lines = [f"  {len(atoms)} atoms", " Lattice vector (Angstrom)"]
    lines += ["".join(f"{value:20.10f}" for value in row) for row in atoms.cell.array]
    lines.append(" Position, move_x, move_y, move_z")
    for number, place in zip(atoms.numbers, atoms.cell.scaled_positions(atoms.positions)):
        lines.append(f"{number:4d}" + "".join(f"{value:20.12f}" for value in place) + "  1  1  1")
    Path("final.config").write_text("\n".join(lines) + "\n")


def main() -> None:
    """Do what etot.input says."""
    if len(sys.argv) > 1:
        die("PWmat takes no arguments")
    control = Control(Path("etot.input"))
    if control.values.get("JOB") not in ("SCF", "MD", "RELAX"):
        die("JOB must be SCF, MD or RELAX")
    mesh = control.numbers("MP_N123", "")
    if len(mesh) != 7 or min(mesh[:3]) < 1 or any(value != int(value) for value in mesh):
        die("MP_N123 needs seven integers")
    if control.values["JOB"] == "MD" and len(control.numbers("MD_DETAIL", "")) != 5:
        die("MD_DETAIL needs five numbers")
    for key in ("E_ERROR", "RHO_ERROR", "ECUT"):
        if min(control.numbers(key, "1")) < 0:
            die(f"{key} must not be negative")
    atoms = read_structure(control.file("IN.ATOM"))
    check_elements(control, atoms)
    for name in ("MOVEMENT", "OUT.MLMD"):
        if Path(name).exists():
            die(f"{name} is there already")
    atoms.calc = potential({chemical_symbols[number] for number in atoms.numbers})
    run = Run(control, atoms)
    compute(control, atoms, run)
    seconds = " total computation time (s) =  12.5"
    Path("REPORT").write_text("\n".join([*echo(control), *run.report, seconds]) + "\n")


def write_pseudo(folder: Path, symbol: str, name: Optional[str] = None) -> Path:
    """A dummy pseudopotential that this program accepts for `symbol`."""
    path = folder / (name or f"{symbol}.SG15.PBE.UPF")
    path.write_text(f'<UPF version="2.0.1">\n<PP_HEADER element="{symbol:2s}"/>\n</UPF>\n')
    return path


def write_skf(folder: Path, symbols: list[str]) -> None:
    """A directory of Slater-Koster files that this program accepts for `symbols`."""
    folder.mkdir()
    for one in symbols:
        for other in symbols:
            (folder / f"{one}-{other}.skf").touch()


if __name__ == "__main__":
    main()
