#!/usr/bin/env python3
"""A stand-in for ABACUS: its files, its demands, and EMT's energies.

It reads INPUT, STRU and KPT with code of its own, refuses what ABACUS refuses, and writes the logs,
the dump and the structure of ABACUS 3.7 into OUT.*. Comments in INPUT steer it:

    # stub: words develop  the words of the development branch in its logs (or ``old``: ABACUS 2.2)
    # stub: hard 2         the SCF of the second evaluation does not converge; 0: of none
    # stub: stubborn 0.2   no SCF converges with a mixing_beta above this
    # stub: cut 2          it dies in the middle of what comes after two evaluations
    # stub: cut-once 2     … but only in a directory where it has not died before
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NoReturn, Optional

import numpy as np
from ase import Atoms, units
from ase.calculators.emt import EMT

TAGS = """
suffix calculation esolver_type ntype nbands nspin nelec nupdown symmetry basis_type ecutwfc
scf_thr scf_nmax smearing_method smearing_sigma mixing_type mixing_beta ks_solver gamma_only
kspacing stru_file kpoint_file pseudo_dir orbital_dir cal_force cal_stress relax_nmax
force_thr_ev stress_thr md_nstep md_type md_dt md_tfirst md_tlast md_dumpfreq md_seed
md_thermostat dump_force dump_vel dump_virial dft_functional dft_plus_u orbital_corr hubbard_u
device out_chg
"""
KNOWN = frozenset(TAGS.split())
BOHR = 0.5291770  # Å, as the program has it
RYDBERG = 13.605698  # eV
LINE = "-" * 90
WORDS = {
    "old": {
        "converged": "\n charge density convergence is achieved\n final etot is {energy:.12f} eV",
        "failed": " convergence has NOT been achieved!",
        "force": "\n ><><><><\n\n    TOTAL-FORCE (eV/Angstrom)\n\n ><><><><\n\n     atom  x  y  z",
        "stress": "\n ><><><><\n\n TOTAL-STRESS (KBAR)\n\n ><><><><\n",
        "end": "",
    },
    "3.7": {
        "converged": "\n charge density convergence is achieved\n final etot is {energy:.10f} eV\n",
        "failed": "!! convergence has not been achieved @_@",
        "force": f"\n{LINE}\n TOTAL-FORCE (eV/Angstrom)                    \n{LINE}",
        "stress": f"\n{LINE}\n TOTAL-STRESS (KBAR)                          \n{LINE}",
        "end": f"{LINE}\n",
    },
    "develop": {
        "converged": " #SCF IS CONVERGED#\n #TOTAL ENERGY# {energy:.10f} eV",
        "failed": " !!SCF IS NOT CONVERGED!!",
        "force": f" #TOTAL-FORCE (eV/Angstrom)#\n{LINE}\n Atoms  Force_x  Force_y  Force_z\n{LINE}",
        "stress": f" #TOTAL-STRESS (kbar)#\n{LINE}\n Stress_x  Stress_y  Stress_z\n{LINE}",
        "end": f"{LINE}\n",
    },
}


def die(message: str) -> NoReturn:
    """End as ABACUS does."""
    print(f"\n                         NOTICE\n {message}\n CHECK IN FILE : OUT/warning.log")
    sys.exit(1)


class CutError(Exception):
    """The moment in which the program dies."""


def read_input() -> tuple[dict[str, str], dict[str, str]]:
    """Values by key, and the comments that steer this program."""
    if not Path("INPUT").is_file():
        die("Can't find the INPUT file.")
    text = Path("INPUT").read_text()
    orders = dict(re.findall(r"#\s*stub:\s*([\w-]+)\s+([\w.]+)", text))
    _, head, body = text.partition("INPUT_PARAMETERS")
    if not head:
        die("Error during opening INPUT file: no INPUT_PARAMETERS")
    values: dict[str, str] = {}
    for line in body.splitlines():
        if line.strip().startswith("/"):
            continue
        words = re.split("#|//", line)[0].split()
        if not words:
            continue
        if words[0].lower() not in KNOWN:
            die(f"THE PARAMETER NAME '{words[0]}' IS NOT USED!")
        values[words[0].lower()] = " ".join(words[1:])
    return values, orders


def read_stru(values: dict[str, str]) -> Atoms:
    """The structure; files that it names must be there."""
    rows = blocks_of(values)
    check_species(values, rows)
    constant = float(rows["LATTICE_CONSTANT"][0][0]) * BOHR
    cell = np.array(rows["LATTICE_VECTORS"], dtype=float) * constant
    (style,), *body = rows["ATOMIC_POSITIONS"]
    if style != "Direct":
        die(f"this program wants Direct, not {style}")
    symbols: list[str] = []
    places, free, moments = [], [], []
    order = [row[0] for row in rows["ATOMIC_SPECIES"]]
    while body:
        (label,), (_magnetism,), (count,), *body = body
        if label != order[len(dict.fromkeys(symbols))]:
            die("Label orders in ATOMIC_POSITIONS and ATOMIC_SPECIES sections do not match!")
        for words in body[: int(count)]:
            symbols.append(label)
            places.append([float(word) for word in words[:3]])
            free.append([int(word) for word in words[4:7]])
            moments.append(float(words[8]) if "mag" in words else 0.0)
        body = body[int(count) :]
    atoms = Atoms(symbols, cell=cell, pbc=True, scaled_positions=places)
    atoms.info.update(constant=constant, free=np.array(free), moments=moments)
    return atoms


Rows = dict[str, list[list[str]]]


def blocks_of(values: dict[str, str]) -> Rows:
    """The words of each block of STRU."""
    text = Path(values.get("stru_file", "STRU")).read_text()
    names = "ATOMIC_SPECIES|NUMERICAL_ORBITAL|LATTICE_CONSTANT|LATTICE_VECTORS|ATOMIC_POSITIONS"
    parts = re.split(rf"^({names})$", text, flags=re.MULTILINE)
    blocks = {name: body.split("\n") for name, body in zip(parts[1::2], parts[2::2])}
    return {name: [line.split() for line in body if line.strip()] for name, body in blocks.items()}


def check_species(values: dict[str, str], rows: Rows) -> None:
    """End unless all files are there, and there are as many values as species."""
    for label, _, pseudo, *_ in rows["ATOMIC_SPECIES"]:
        path = Path(values.get("pseudo_dir", "./")) / pseudo
        if not path.is_file():
            die(f"Couldn't find pseudopotential file:: {path}")
        if f'element="{label}"' not in path.read_text():
            die(f"{path} is not of {label}")
    if values.get("basis_type", "pw") == "lcao":
        orbitals = rows.get("NUMERICAL_ORBITAL", [])
        if len(orbitals) != len(rows["ATOMIC_SPECIES"]):
            die("NUMERICAL_ORBITAL: one is needed for each species")
        for (name,) in orbitals:
            if not (Path(values.get("orbital_dir", "./")) / name).is_file():
                die(f"Couldn't find orbital file: {name}")
    for key in ("hubbard_u", "orbital_corr"):
        if key in values and len(values[key].split()) != len(rows["ATOMIC_SPECIES"]):
            die(f"the number of {key} must be ntype")
    if "ntype" in values and int(values["ntype"]) != len(rows["ATOMIC_SPECIES"]):
        die("ntype is not the number of species")


class Writer:
    """The log and the dump, as evaluations come."""

    def __init__(self, values: dict[str, str], orders: dict[str, str], atoms: Atoms) -> None:
        self.values, self.orders, self.atoms = values, orders, atoms
        self.words = WORDS[orders.get("words", "3.7")]
        self.kind = values.get("calculation", "scf")
        self.out = Path(f"OUT.{values.get('suffix', 'ABACUS')}")
        self.out.mkdir(exist_ok=True)
        self.log = (self.out / f"running_{self.kind}.log").open("w")
        self.dump = (self.out / "MD_dump").open("w") if self.kind == "md" else None
        self.count = 0
        self.failed = False
        self.say("                              ABACUS v3.7.1", "", " READING UNITCELL INFORMATION")
        self.say(f"                        TOTAL ATOM NUMBER = {len(atoms)}", "DIRECT COORDINATES")
        self.say(
            "    atom                   x                   y                   z     mag  vx vy vz"
        )
        for number, place in enumerate(atoms.get_scaled_positions(wrap=False), 1):
            columns = "".join(f"{value:20.10f}" for value in place)
            self.say(f"taud_{atoms.symbols[number - 1]}{number}{columns}  0.0000 0 0 0")

    def say(self, *lines: str) -> None:
        """Write lines into the log."""
        self.log.write("\n".join(lines) + "\n")

    def evaluate(self) -> None:
        """One self-consistent calculation with its forces."""
        self._die_here()
        self.count += 1
        beta, stubborn = float(self.values.get("mixing_beta", 0.8)), self.orders.get("stubborn", 1)
        self.failed = self.orders.get("hard") == str(self.count) or beta > float(stubborn)
        energy = self.atoms.get_potential_energy() + (0.7 if self.failed else 0.0)
        for number in (1, 2):
            rough = energy + (0.3 if number == 1 else 0.0)
            self.say(
                f" PW ALGORITHM --------------- ION=   {self.count}  ELEC=   {number}---------",
                " Density error is 0.00057214611471",
                f" E_KohnSham     {rough / RYDBERG:.10f}      {rough:.10f}     ",
                f" E_Harris       {rough / RYDBERG:.10f}      {rough + 0.1:.10f}     ",
            )
        self.say(f" E_KS(sigma->0) {energy / RYDBERG:.10f}      {energy + 0.05:.10f}     ")
        self.say(self.words["failed" if self.failed else "converged"].format(energy=energy))
        self.say(self.words["force"])
        for number, force in enumerate(self.atoms.get_forces(apply_constraint=False), 1):
            columns = "".join(f"{value:20.10f}" for value in force)
            self.say(f"       {self.atoms.symbols[number - 1]}{number}{columns}")
        self.say(self.words["end"], self.words["stress"])
        for row in self._stress():
            self.say("".join(f"{value:20.10f}" for value in row))
        self.say(f"{self.words['end']} TOTAL-PRESSURE: {np.trace(self._stress()) / 3:.6f} KBAR\n")
        if self.kind == "md":
            self._dump()

    def _stress(self) -> np.ndarray:
        stress: np.ndarray = -self.atoms.get_stress(voigt=False) / units.GPa * 10
        return stress

    def _dump(self) -> None:
        assert self.dump is not None
        write, constant = self.dump.write, self.atoms.info["constant"]
        write(f"MDSTEP:  {self.count - 1}\nLATTICE_CONSTANT: {constant:.12f} Angstrom\n")
        write("LATTICE_VECTORS\n" + rows_of(self.atoms.cell.array / constant))
        if self.values.get("dump_virial", "1") == "1":
            write("VIRIAL (kbar)\n" + rows_of(self._stress()))
        names = ["INDEX", "LABEL", "POSITION (Angstrom)", "FORCE (eV/Angstrom)"]
        write("    ".join([*names, "VELOCITY (Angstrom/fs)"]) + "\n")
        forces = self.atoms.get_forces(apply_constraint=False)
        inside = self.atoms.get_positions(wrap=True)
        for number, symbol in enumerate(self.atoms.symbols):
            values = [*inside[number], *forces[number], 0.0, 0.0, 0.0]
            write(f"  {number}  {symbol}  " + "  ".join(f"{one:.12f}" for one in values) + "\n")
        write("\n\n")

    def _die_here(self) -> None:
        limit: Optional[int] = int(self.orders["cut"]) if "cut" in self.orders else None
        once = self.orders.get("cut-once")
        if once is not None and self.count >= int(once) and not Path("stub.died").exists():
            Path("stub.died").touch()
            limit = int(once)
        if limit is not None and self.count >= limit:
            self.say(f" PW ALGORITHM --------------- ION=   {self.count + 1}  ELEC=   1---------")
            self.log.write(" E_KohnSham     -501.16388")
            if self.dump:
                self.dump.write(f"MDSTEP:  {self.count}\nLATTICE_CON")
            raise CutError

    def end(self) -> None:
        """What ABACUS writes when all is done."""
        self.say(
            "\n Start  Time  : Fri Aug 23 16:06:02 2024", " Finish Time  : Fri Aug 23 16:15:04 2024"
        )
        self.say(" Total  Time  : 0 h 9 mins 2 secs ")
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.log.close()
        if self.dump:
            self.dump.close()


def rows_of(table: np.ndarray) -> str:
    return "".join("  " + "  ".join(f"{one:.12f}" for one in row) + "\n" for row in table)


def move(values: dict[str, str], atoms: Atoms, writer: Writer) -> None:
    """All evaluations."""
    if writer.kind == "scf":
        writer.evaluate()
    elif writer.kind == "md":
        rng = np.random.default_rng(int(values.get("md_seed", "-1")) % 2**31)
        width = np.sqrt(atoms.get_masses() * units.kB * float(values["md_tfirst"]))
        moves = atoms.info["free"]
        atoms.set_momenta(rng.normal(size=(len(atoms), 3)) * width[:, None] * moves)
        from ase.md.verlet import VelocityVerlet  # noqa: PLC0415 (which takes long)

        md = VelocityVerlet(atoms, timestep=float(values.get("md_dt", 1)) * units.fs)
        for number in range(int(values.get("md_nstep", 10)) + 1):
            if number:
                md.run(1)
            writer.say(f" STEP OF MOLECULAR DYNAMICS : {number}")
            writer.evaluate()
    elif writer.kind in ("relax", "cell-relax"):
        relax(values, atoms, writer)
    else:
        die(f"calculation {writer.kind} is not computed here")


def relax(values: dict[str, str], atoms: Atoms, writer: Writer) -> None:
    """Move atoms, with cell-relax the cell too, until force_thr_ev is met."""
    from ase.filters import FrechetCellFilter  # noqa: PLC0415
    from ase.optimize import BFGS  # noqa: PLC0415 (which takes long)

    target: Any = FrechetCellFilter(atoms) if writer.kind == "cell-relax" else atoms
    optimizer = BFGS(target, logfile=None)
    for _ in range(int(values.get("relax_nmax", 50))):
        writer.evaluate()
        largest = np.linalg.norm(target.get_forces(), axis=1).max()
        if largest <= float(values.get("force_thr_ev", 0.0257)):
            writer.say(" Ion relaxation is converged!")
            break
        writer.say(" Ion relaxation is not converged yet (threshold is 0.0257)")
        optimizer.step()
    lines = ["ATOMIC_SPECIES", *(f"{one} 1.0 {one}.upf" for one in dict.fromkeys(atoms.symbols))]
    constant = atoms.info["constant"]
    lines += ["", "LATTICE_CONSTANT", f"{constant / BOHR:.10f}", "", "LATTICE_VECTORS"]
    lines += [" ".join(f"{one:.10f}" for one in row) for row in atoms.cell.array / constant]
    lines += ["", "ATOMIC_POSITIONS", "Direct"]
    places = atoms.get_scaled_positions()
    for label in dict.fromkeys(atoms.symbols):
        own = [number for number, one in enumerate(atoms.symbols) if one == label]
        lines += ["", f"{label} #label", "0 #magnetism", f"{len(own)} #number of atoms"]
        lines += [" ".join(f"{one:.10f}" for one in places[number]) + " m 1 1 1" for number in own]
    (writer.out / "STRU_ION_D").write_text("\n".join(lines) + "\n")


def main() -> int:
    """Run in the present directory."""
    print("                              ABACUS v3.7.1\n")
    values, orders = read_input()
    atoms = read_stru(values)
    own_mesh = "kspacing" in values or values.get("gamma_only", "0") == "1"
    if not own_mesh and not Path(values.get("kpoint_file", "KPT")).is_file():
        die("Can't find File : KPT")
    if not atoms.info["free"].all():
        from ase.constraints import FixCartesian  # noqa: PLC0415

        held = [FixCartesian([one], row == 0) for one, row in enumerate(atoms.info["free"])]
        atoms.set_constraint([one for one in held if one.mask.any()])
    if any(atoms.info["moments"]) and values.get("nspin", "1") != "2":
        die("magnetic moments need nspin 2")
    atoms.calc = EMT()
    writer = Writer(values, orders, atoms)
    try:
        move(values, atoms, writer)
    except CutError:
        writer.close()
        return 1
    writer.end()
    print(f" SEE INFORMATION IN : {writer.out}/")
    return 0


if __name__ == "__main__":
    sys.exit(main())
