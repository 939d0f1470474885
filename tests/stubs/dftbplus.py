#!/usr/bin/env python3
"""A stand-in for DFTB+: its files, its demands, and the energies of a simple potential.

It reads dftb_in.hsd with code of its own, stops at what DFTB+ stops at (in its words, with its exit
codes), and writes results.tag, detailed.out, md.out, geo_end.gen, geo_end.xyz and the screen as
DFTB+ 25.1 does. Energies are EMT's, or Lennard-Jones where EMT does not know an element.
Comments in the input steer it:

    # stub: hard 1        the SCC does not converge in the first directory that asks
                          $STUB_DFTB_MARKS, a directory, remembers them (else each its own)
    # stub: stubborn 300  no SCC converges with fewer MaxSCCIterations
    # stub: hard-step 2   the SCC of MD step 2 does not converge
    # stub: cut 2         it dies in the middle of what comes after two steps
    # stub: cut-once 2    … but only in a directory where it has not died before
    # stub: release 241   it is DFTB+ 24.1 (or 231: 23.1), as far as input and forces of MD go
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
from ase import units
from ase.calculators.emt import EMT, parameters
from ase.calculators.lj import LennardJones

from tests.stubs.dftbplus_input import Block, Input, die

BOHR, HARTREE = 0.529177249, 27.2113845
LINE = "-" * 80


def fortran(number: float, width: int, digits: int, exponent: int = 2) -> str:
    """A number as Fortran's E format writes it: 0.1234E-05."""
    mantissa, power = f"{abs(number):.{digits - 1}E}".split("E")
    shifted = int(power) + 1 if number else 0
    body = f"0.{mantissa.replace('.', '')}E{'-' if shifted < 0 else '+'}{abs(shifted):0{exponent}d}"
    return f"{'-' if number < 0 else ''}{body}".rjust(width)


def energy_line(label: str, hartree: float) -> str:
    """Energy in both units."""
    return f"{label:<29}{hartree:20.10f} H {hartree * HARTREE:17.4f} eV"


class DiedError(Exception):
    """The moment in which the program dies."""


class Run:
    """A calculation, geometry by geometry."""

    def __init__(self, control: Input) -> None:
        self.control, self.atoms = control, control.atoms
        known = set(self.atoms.get_chemical_symbols()) <= set(parameters)
        self.atoms.calc = (
            EMT() if known else LennardJones(sigma=2.1, epsilon=0.8, rc=5, smooth=True)
        )
        self.hard = any(marked(number) for number in range(control.orders.get("hard", 0)))
        self.step, self.scc = 0, True
        self.results = Path("results.tag")
        self.results.write_text("")

    @property
    def energy(self) -> float:
        """Hartree; wrong where the SCC did not converge."""
        return float(self.atoms.get_potential_energy()) / HARTREE + (0.0 if self.scc else 0.01)

    def forces(self) -> np.ndarray:
        """Hartree/bohr."""
        found = np.array(self.atoms.get_forces(apply_constraint=False))  # on held atoms too
        return found * BOHR / HARTREE + (0.0 if self.scc else 0.01)

    def hold(self, words: Block) -> None:
        """Hold the atoms that are not among the moved ones: numbers, and ranges as 2:5."""
        moved: set[int] = set()
        for word in words.get("movedatoms", Block()).words:
            first, _, last = word.partition(":")
            moved |= set(range(int(first), int(last or first) + 1))
        if moved:
            still = [n for n in range(len(self.atoms)) if n + 1 not in moved]
            from ase.constraints import FixAtoms  # noqa: PLC0415 (which takes long)

            self.atoms.set_constraint(FixAtoms(still))

    def stress(self, kinetic: bool) -> np.ndarray:
        """In hartree/bohr³, positive where the cell wants to expand."""
        found = -np.array(self.atoms.get_stress(voigt=False))
        if kinetic:
            momenta, masses = self.atoms.get_momenta(), self.atoms.get_masses()
            found += (momenta / masses[:, None]).T @ momenta / self.atoms.get_volume()
        return found * BOHR**3 / HARTREE

    def electrons(self) -> None:
        """The SCC of a geometry, on the screen."""
        self._die_here()
        most = int(self.control.root.word("hamiltonian", "dftb", "maxscciterations") or 100)
        few = most < self.control.orders.get("stubborn", 0)
        self.scc = not (self.hard or few) and self.step != self.control.orders.get("hard-step", -1)
        print(f"{LINE}\n\n***  Geometry step: {self.step}\n")
        print(" iSCC Total electronic   Diff electronic      SCC error    ")
        for number in (1, 2):
            error = 1e-9 if self.scc and number == 2 else 0.1
            columns = "".join(fortran(value, 18, 8) for value in (self.energy, 0.0, error))
            print(f"{number:5d}{columns}")
        if not self.scc:
            only = self.control.yes("hamiltonian", "dftb", "convergentscconly", default="yes")
            message = "SCC is NOT converged, maximal SCC iterations exceeded"
            if only:
                self._details(None)
                die(message)
            print(f"WARNING!\n-> {message}")
        print(f"\n{energy_line('Total Energy:', self.energy + 1e-3)}")
        print(energy_line("Extrapolated to 0K:", self.energy + 5e-4))
        print(energy_line("Total Mermin free energy:", self.energy))
        print(energy_line("Force related energy:", self.energy), flush=True)

    def _die_here(self) -> None:
        limit, once = self.control.orders.get("cut"), self.control.orders.get("cut-once")
        if once is not None and self.step >= once and not Path("stub.died").exists():
            Path("stub.died").touch()
            limit = once
        if limit is not None and self.step >= limit:
            print("\n***  Geometry st", end="")
            raise DiedError

    def _details(self, end: Optional[str], kinetic: bool = False) -> None:
        if not self.control.yes("options", "writedetailedout", default="yes"):
            return
        lines = [
            " Fermi distribution function",
            "",
            energy_line("Total energy:", self.energy + 1e-3),
        ]
        lines += [energy_line("Total Mermin free energy:", self.energy), ""]
        if end is not None:
            message = "SCC is NOT converged, maximal SCC iterations exceeded"
            lines += ["SCC converged" if self.scc else message, "", "Total Forces"]
            for number, force in enumerate(self.forces(), 1):
                lines.append(f"{number:5d}" + "".join(f"{value:20.12f}" for value in force))
            lines += ["", "Total stress tensor"]
            rows = self.stress(kinetic)
            lines += ["".join(f"{value:20.12f}" for value in row) for row in rows] + ["", end]
        Path("detailed.out").write_text("\n".join(lines) + "\n")

    def finish(self, end: str = "", kinetic: float = 0.0) -> None:
        """Write the results of the last geometry, and the table of times."""
        self._details(end, kinetic > 0)
        if self.control.yes("options", "writeresultstag"):
            volume = abs(self.atoms.get_volume()) / BOHR**3
            tags: list[tuple[str, Any]] = [
                ("fermi_level", np.array([0.1])),
                ("mermin_energy", np.array(self.energy + kinetic)),
                ("forcerelated_energy", np.array(self.energy + kinetic)),
            ]
            if self.control.yes("analysis", self.control.forces):
                tags += [("forces", self.forces()), ("stress", self.stress(kinetic > 0))]
            tags += [("cell_volume", np.array(volume))]
            tags += [("gross_atomic_charges", np.zeros(len(self.atoms)))]
            self.results.write_text("".join(tag(*one) for one in tags))
        print(f"\n{LINE}\nTotal                                  =       0.06 (100.0%)", end="")
        print(f"       0.31 (100.0%)\n{LINE}")


def tag(name: str, values: np.ndarray) -> str:
    """An entry of results.tag."""
    flat, sizes = values.ravel(), ",".join(map(str, values.shape[::-1]))
    lines = [f"{name:<20}:real:{values.ndim}:{sizes}"]
    for start in range(0, len(flat), 3):
        lines.append("".join(fortran(value, 24, 15, 3) for value in flat[start : start + 3]))
    return "\n".join(lines) + "\n"


def marked(number: int) -> bool:
    """Whether the mark of this number is of this directory, or can be had by it."""
    mark = Path(os.environ.get("STUB_DFTB_MARKS", ".")) / f"stub.mark.{number}"
    try:
        with mark.open("x") as stream:
            stream.write(str(Path.cwd()))
    except FileExistsError:
        return mark.read_text() == str(Path.cwd())
    return True


def write_geometry(run: Run, prefix: str) -> None:
    """Write the structure with eleven digits."""
    symbols = run.atoms.get_chemical_symbols()
    lines = [f"{len(symbols):5d}  S", " " + " ".join(run.control.species)]
    for number, (symbol, place) in enumerate(zip(symbols, run.atoms.positions), 1):
        kind = run.control.species.index(symbol) + 1
        lines.append(f"{number:5d}{kind:3d}" + "".join(fortran(value, 20, 10) for value in place))
    for row in (np.zeros(3), *run.atoms.cell.array):
        lines.append("".join(fortran(value, 20, 10) for value in row))
    Path(f"{prefix}.gen").write_text("\n".join(lines) + "\n")


def relax(run: Run, method: str) -> None:
    """Move atoms, with LatticeOpt the cell too."""
    path = ("driver", method)
    lattice = run.control.yes(*path, "latticeopt")
    from ase.filters import FrechetCellFilter  # noqa: PLC0415
    from ase.optimize import BFGS  # noqa: PLC0415 (which takes long)

    target: Any = FrechetCellFilter(run.atoms) if lattice else run.atoms
    words = run.control.root["driver"][method]
    run.hold(words)
    limit = float(words.word("convergence", "gradelem") or words.word("maxforcecomponent") or 1e-4)
    optimizer = BFGS(target, logfile=None)
    end = "!!! Geometry did NOT converge!"
    for step in range(int(words.word("maxsteps") or 200) + 1):
        run.step = step
        run.electrons()
        if np.abs(target.get_forces()).max() * BOHR / HARTREE <= limit:
            end = "Geometry converged"
            break
        last = (run.atoms.positions.copy(), run.atoms.cell.array.copy())
        optimizer.step()
    else:
        run.atoms.set_cell(last[1])
        run.atoms.positions = last[0]
        print(f"WARNING!\n-> {end}")
    write_geometry(run, words.word("outputprefix") or "geo_end")
    run.finish(end)


def dynamics(run: Run) -> None:
    """Verlet steps; a barostat here is a cell that grows by a thousandth."""
    words = run.control.root["driver"]["velocityverlet"]
    run.hold(words)
    prefix, steps = words.word("outputprefix") or "geo_end", int(words.word("steps"))
    seed = int(run.control.root.word("options", "randomseed") or 0) or None
    width = np.sqrt(run.atoms.get_masses() * units.kB * 300)
    normal = np.random.default_rng(seed).normal(size=(len(run.atoms), 3))
    run.atoms.set_momenta(normal * width[:, None])
    from ase.md.verlet import VelocityVerlet  # noqa: PLC0415 (which takes long)

    md = VelocityVerlet(run.atoms, timestep=float(words.word("timestep")) * units.fs)
    asked = run.control.yes("options", "mdoutput", "derivatives")
    printed = asked or (
        run.control.release == "241" and run.control.yes("analysis", run.control.forces)
    )
    with Path("md.out").open("w") as out, Path(f"{prefix}.xyz").open("w") as xyz:
        for step in range(steps + 1):
            run.step = step
            print(f"MD step: {step}", file=out, flush=True)
            run.electrons()
            kinetic = float(run.atoms.get_kinetic_energy()) / HARTREE
            rows = [("Forces (au)", run.forces()), ("Total stress (au)", run.stress(True))]
            for title, table in rows if printed else ():
                print(title, file=out)
                for row in table:
                    print("".join(fortran(value, 24, 8) for value in row), file=out)
            grown = run.atoms.cell.array * 1.001
            if "barostat" in words:
                print("Lattice vectors (A)", file=out)
                for row in grown:
                    print("".join(fortran(value, 24, 8) for value in row), file=out)
            print(energy_line("Potential Energy:", run.energy), file=out)
            print(energy_line("MD Kinetic Energy:", kinetic), file=out)
            print(energy_line("Total MD Energy:", run.energy + kinetic), file=out)
            print(f"MD Temperature:{0.0016:30.10f} au {500.0:18.4f} K", file=out, flush=True)
            print(f"{len(run.atoms):5d}\nMD iter: {step}", file=xyz)
            for atom, velocity in zip(run.atoms, run.atoms.get_velocities() * units.fs * 1000):
                columns = (*atom.position, 4.0, *velocity)
                print(
                    f"{atom.symbol:>5}" + "".join(f"{value:16.8f}" for value in columns), file=xyz
                )
            xyz.flush()
            if step < steps:
                if "barostat" in words:
                    run.atoms.set_cell(grown, scale_atoms=True)
                md.run(1)
    print("\nMolecular dynamics completed\nMD information accumulated in md.out")
    write_geometry(run, prefix)
    run.finish("Molecular dynamics completed", kinetic)


def main() -> int:
    """Run in the present directory."""
    release = "25.1"
    if not Path("dftb_in.hsd").is_file():
        die("No input file 'dftb_in.hsd' not found.")
    text = Path("dftb_in.hsd").read_text(errors="surrogateescape")
    if found := re.search(r"#\s*stub:\s*release\s+(\d\d)(\d)", text):
        release = ".".join(found.groups())
    print(f"|{'=' * 79}\n|\n|  DFTB+ release {release}\n|\n|{'=' * 79}\n")
    print("Reading input file 'dftb_in.hsd'", flush=True)
    control = Input(text)
    print("WARNING!\n-> Dipole printed for extended system : value printed is not well defined")
    run = Run(control)
    driver = control.root.get("driver", Block())
    method = next(iter(driver), "none")
    try:
        if method == "none":
            run.electrons()
            run.finish()
        elif method == "velocityverlet":
            dynamics(run)
        else:
            relax(run, method)
    except DiedError:
        return 137
    return 0


if __name__ == "__main__":
    sys.exit(main())
