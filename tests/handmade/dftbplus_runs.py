"""The runs of DFTB+ that `tests.handmade.dftbplus` writes, each with its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms

from tests.handmade import matter
from tests.handmade.dftbplus import (
    HARTREE,
    RULE,
    TITLE,
    Run,
    gen,
    md_step,
    xyz,
)

INPUT = """\
Geometry = GenFormat {{
  <<< "geo.gen"
}}

{driver}

Hamiltonian = DFTB {{
  SCC = Yes
  {tolerance} = 1e-8
  MaxSCCIterations = {most}{more}
  SlaterKosterFiles = Type2FileNames {{
    Prefix = "{prefix}"
    Separator = "-"
    Suffix = ".skf"
  }}
  MaxAngularMomentum {{
{shells}  }}
{kpoints}  Filling = Fermi {{
    Temperature [Kelvin] = 300
  }}
}}

Options {{
  WriteResultsTag = Yes{output}
}}

Analysis {{
  PrintForces = Yes
}}

ParserOptions {{
  ParserVersion = 14
}}
"""
PROCESSED = """\
Geometry = GenFormat {{
{geometry}}}
Driver = {{}}
Hamiltonian = DFTB {{
  SCC = Yes
  SlaterKosterFiles = Type2FileNames {{
    Prefix = "skf/"
    LowerCaseTypeName = No
  }}
  MaxAngularMomentum = {first} {{
"d"
  }}
  Filling = Fermi {{
    Temperature [Kelvin] = 300
    IndependentKFilling = No
  }}
  Charge = 0.0000000000000000E+000
}}
Options = {{
  BinaryAccessTypes = {{
 "stream"
  }}
}}
ParserOptions = {{
  ParserVersion = 14
}}
Reks = None {{}}
"""
KPOINTS = """\
  KPointsAndWeights = SupercellFolding {
    2 0 0
    0 2 0
    0 0 2
    0.5 0.5 0.5
  }
"""
RELAX = """\
Driver = GeometryOptimization {{
  Optimizer = Rational {{}}
  LatticeOpt = Yes
  MovedAtoms = 1:-1
  MaxSteps = {steps}
  OutputPrefix = "geo_end"{append}
  Convergence {{ GradElem = 1e-4 }}
}}"""
DYNAMICS = """\
Driver = VelocityVerlet {{
  Steps = {steps}
  TimeStep [Femtosecond] = 1.0
  MovedAtoms = 1:-1
  OutputPrefix = "geo_end"
  Thermostat = NoseHoover {{
    Temperature [Kelvin] = 500
    CouplingStrength [cm^-1] = 1000
  }}{barostat}
}}"""
BAROSTAT = """
  Barostat { Pressure [Pa] = 1e5
    Timescale [fs] = 100
    Isotropic = No }"""


def written(atoms: Atoms, driver: str = "Driver = {}", **words: str) -> str:
    """The text of an input."""
    names = dict.fromkeys(atoms.get_chemical_symbols())
    usual = {
        "tolerance": "SCCTolerance",
        "most": "100",
        "more": "",
        "prefix": "skf/",
        "output": "\n  MDOutput { Derivatives = Yes }" if "Velocity" in driver else "",
        "kpoints": KPOINTS if atoms.pbc.all() else "",
        "shells": "".join(f'    {name} = "d"\n' for name in names),
    }
    return INPUT.format(**{**usual, **words}, driver=driver)


def begun(folder: Path, atoms: Atoms, text: str, mode: str = "Static calculation") -> Run:
    """A run with its inputs."""
    run = Run(folder, mode)
    run.files["dftb_in.hsd"], run.files["geo.gen"] = text, gen(atoms, result=False)
    geometry = "\n".join(" ".join(line.split()) for line in gen(atoms, False).splitlines())
    run.files["dftb_pin.hsd"] = PROCESSED.format(geometry=f"{geometry}\n", first=atoms.symbols[0])
    return run


def single_point(folder: Path, atoms: Atoms) -> None:
    """One geometry that ended well."""
    run = begun(folder, atoms, written(atoms))
    run.electrons(atoms, 0)
    run.details(atoms, end="")
    run.tags(atoms)
    run.write()


def not_converged(folder: Path, atoms: Atoms, goes_on: bool, moves: bool = False) -> None:
    """The SCC of the first geometry does not converge; without `goes_on` this is the end."""
    driver = DYNAMICS.format(steps=20, barostat="") if moves else "Driver = {}"
    more = "\n  ConvergentSCCOnly = No" if goes_on else ""
    run = begun(folder, atoms, written(atoms, driver, most="3", more=more))
    run.converged = False
    run.electrons(atoms, 0, dies=not goes_on)
    run.details(atoms, end="" if goes_on else None)
    if goes_on:
        run.tags(atoms)
    else:
        run.files.update({"results.tag": "", "dftb.err": "ERROR STOP \n"})
    if moves:
        run.md = "MD step: 0\n"
        run.files.update({"geo_end.gen": "", "geo_end.xyz": ""})
    run.write(0 if goes_on else 1)


def relaxation(folder: Path, atoms: Atoms, steps: int, append: bool = False) -> None:
    """Atoms and cell move until the forces are small, or the steps have run out."""
    more = "\n  AppendGeometries = Yes" if append else ""
    driver = RELAX.format(steps=steps, append=more)
    run = begun(folder, atoms, written(atoms, driver), "Geometry optimization")
    end = ""
    for number, (geometry, there) in enumerate(matter.relaxation(atoms, steps, 4e-3)):
        run.electrons(geometry, number)
        run.screen += ">> Charges saved for restart in charges.bin\n\n"
        run.screen += f"total energy  {matter.energy(geometry) / HARTREE:.7E} H\n"
        run.xyz = (run.xyz if append else "") + xyz(geometry, f"Geometry Step: {number}")
        end = "Geometry converged" if there else "!!! Geometry did NOT converge!"
    run.screen += f"\n{end}\n" if "NOT" not in end else f"WARNING!\n-> {end}\n"
    run.details(atoms, end)
    run.tags(atoms)
    run.files["geo_end.gen"] = gen(atoms, result=True)
    run.write()


def dynamics(folder: Path, atoms: Atoms, steps: int, grows: bool) -> None:
    """MD, at will in a cell that changes a little with every step."""
    driver = DYNAMICS.format(steps=steps, barostat=BAROSTAT if grows else "")
    run = begun(folder, atoms, written(atoms, driver), "MD with scaling of velocities")
    strain = np.array([[2e-4, 3e-5, 0.0], [-2e-5, 1e-4, 5e-5], [0.0, 4e-5, -1e-4]])
    later: Optional[np.ndarray] = None
    for number, geometry in enumerate(matter.dynamics(atoms, steps, 500.0, 1.0)):
        if later is not None:
            geometry.set_cell(later, scale_atoms=True)
        later = geometry.cell.array @ (np.eye(3) + strain) if grows else None
        md_step(run, geometry, number, later)
    run.screen += "\nMolecular dynamics completed\nMD information accumulated in md.out\n"
    kinetic = float(atoms.get_kinetic_energy()) / HARTREE
    run.details(atoms, "Molecular dynamics completed", kinetic=True)
    run.tags(atoms, kinetic)
    run.files["geo_end.gen"] = gen(atoms, result=True)
    run.write()


def mistakes(folder: Path, atoms: Atoms) -> None:
    """Three inputs that DFTB+ refuses, in its words."""
    said = {
        "keyword": f"Parser version: 14\n\n{RULE}\nReading SK-files:\nskf/Cu-Cu.skf\nDone.\n"
        "WARNING!\n-> The following 1 node(s) have been ignored by the parser:\n(1)\n"
        "Path: dftbplusinput/Hamiltonian/DFTB/SCCTollerance\nLine: 9-9 (File: dftb_in.hsd)\n\n"
        "ERROR!\n-> Code halting due to the presence of errors in dftb_in file.\n",
        "missing_skf": f"Parser version: 14\n\n{RULE}\nERROR!\n"
        "-> SK file with generated name 'nowhere/Cu-Cu.skf' not found.\n"
        "   (search path(s): '.').\n"
        "Path: dftbplusinput/Hamiltonian/DFTB/SlaterKosterFiles/Type2FileNames\n"
        "Line: 11-15 (File: dftb_in.hsd)\n\n",
        "syntax": "ERROR!\n-> HSD parser error: File 'dftb_in.hsd', Line 39.\n"
        "-> Unexpected end of input (probably open node at line 37 or after).\n",
    }
    inputs = {
        "keyword": written(atoms, tolerance="SCCTollerance"),
        "missing_skf": written(atoms, prefix="nowhere/"),
        "syntax": written(atoms).rstrip().rstrip("}"),
    }
    for name, text in inputs.items():
        run = begun(folder / f"err_{name}", atoms, text)
        del run.files["dftb_pin.hsd"]
        run.screen = TITLE + said[name]
        run.files["dftb.err"] = "ERROR STOP \n"
        run.write(1)


def close(atoms: Atoms) -> Atoms:
    """The last two atoms 0.02 Å apart, which no program minds."""
    made = atoms.copy()
    made.positions[-1] = made.positions[-2] + [0.02, 0.0, 0.0]
    made.calc = matter.EMT()
    return made


def nearly_relaxed() -> Atoms:
    """Copper that is relaxed in some ten steps."""
    atoms = matter.crystal("Cu4", 3.6, 43, 0.005)
    atoms.set_cell(atoms.cell.array * 0.2 + np.eye(3) * 3.6 * 0.8, scale_atoms=True)
    return atoms


def write_runs(folder: Path) -> None:
    """Write all of them."""
    cluster = Atoms("CuAuCu", [[0, 0, 0], [2.4, 0.1, 0], [2.6, 2.5, 0.2]], calculator=matter.EMT())
    single_point(folder / "sp_cluster", cluster)
    alloy, eight = matter.crystal("AuCu2Au", 3.85, 41), matter.crystal("Cu8", 3.62, 42)
    single_point(folder / "sp_alloy", alloy)
    single_point(folder / "sp_copper", eight)
    single_point(folder / "sp_close", close(eight))
    for name, goes_on, moves in (
        ("", False, False),
        ("_goes_on", True, False),
        ("_md", False, True),
    ):
        not_converged(folder / f"scc_fail{name}", alloy, goes_on, moves)
    mistakes(folder, eight)
    for name, steps, append in (("", 60, False), ("_append", 60, True), ("_maxsteps", 3, False)):
        relaxation(folder / f"relax{name}", nearly_relaxed(), steps, append)
    dynamics(folder / "md_nvt", matter.crystal("AuCu2Au", 3.85, 44), 12, grows=False)
    dynamics(folder / "md_npt", matter.crystal("Cu4", 3.62, 45), 12, grows=True)
