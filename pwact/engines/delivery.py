"""A model for others: files beside each other that run as they are, from wherever they lie.

`Potential` says all that is needed: pair commands become an input of LAMMPS, a calculator of ASE
becomes ``calculator.py``. So an engine that can be explored with can be handed on as well. Before
it is, the folder is run once, on one frame, where the explorations run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np

from pwact.engines.potential import Potential
from pwact.errors import TaskError

CHECK = "check.extxyz"  # a frame; handed on with the energy and forces that were found
CHECK_DATA = "check.data"  # the same for LAMMPS
CHECK_LOG = "check.log"
CALCULATOR = "calculator.py"
RESULT = "check.json"
_MEMBER = "0_"  # what a trainer puts before the names of the first member's files

_TEXT = '''"""{title}

    from calculator import calculator
    atoms.calc = {usage}

Energies are in eV, forces in eV/Å. Run as a program, it evaluates {check}, beside it, and
compares with the energy and forces that stand there.
"""

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
{constants}


{function}

def main():
    from ase.io import read

    atoms = read(FOLDER / "{check}")
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    atoms.calc = {call}
    found, largest = atoms.get_potential_energy(), abs(atoms.get_forces() - forces).max()
    print(f"energy: {{found:.8f}} eV here, {{energy:.8f}} eV as reported")
    print(f"forces: the largest difference of a component is {{largest:.1e}} eV/Å")
    return 0 if max(abs(found - energy), largest) < 1e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
'''


@dataclass(frozen=True)
class Evaluated:
    """What the check frame gave.

    Attributes
    ----------
    energy, forces
        In eV and eV/Å, shape (N, 3).
    programs
        Name → version of those that computed it.
    """

    energy: float
    forces: np.ndarray
    programs: Mapping[str, str]


@dataclass(frozen=True)
class Delivery:
    """What stands beside the files of a model.

    Attributes
    ----------
    texts
        Name → text of each file that is written.
    command
        Shell text that evaluates `CHECK`, or `CHECK_DATA`, in the folder.
    log
        Name of the file whose tail explains a failure.
    result
        Reads from the folder what came of it; raises TaskError.
    data_types
        Elements of LAMMPS's types in `CHECK_DATA`; empty where LAMMPS has no part in it.
    """

    texts: Mapping[str, str]
    command: str
    log: str
    result: Callable[[Path], Evaluated]
    data_types: tuple[str, ...] = ()


def named_plainly(potential: Potential) -> Potential:
    """One model without its number in a committee: ``graph.pb`` for ``0_graph.pb``."""
    numbered = [name for name in potential.links if name.startswith(_MEMBER)]
    return potential.renamed({name: name[len(_MEMBER) :] for name in numbered})


def script(title: str, constants: str, function: str, elements: str = "") -> str:
    """The text of ``calculator.py``.

    Parameters
    ----------
    constants, function
        Python text; the function is called ``calculator``.
    elements
        What it takes for a structure ``atoms``, as Python text.
    """
    return _TEXT.format(
        title=title,
        usage=f"calculator({elements})",
        call=f"calculator({elements})",
        check=CHECK,
        constants=constants,
        function=function,
    )


def calculator_text(potential: Potential) -> str:
    """``calculator.py`` for a model that ASE runs without LAMMPS."""
    module, _, name = str(potential.calculator["calculator"]).partition(":")
    arguments = _literal(potential.calculator["arguments"], potential.links)
    function = [
        "def calculator(**changes):",
        f'    """A new calculator of {" ".join(potential.types)}; `changes` of its arguments."""',
        f"    from {module} import {name}",
        "",
        f"    return {name}(**{{**{arguments}, **changes}})",
        "",
    ]
    package = module.partition(".")[0]
    title = f"This force field as a calculator of ASE, by the Python package {package}."
    return script(title, f"ELEMENTS = {potential.types!r}", "\n".join(function))


def _literal(value: Any, names: Collection[str]) -> str:
    """A value as Python text; a file of the model is found beside the text."""
    if isinstance(value, Mapping):
        members = (f"{key!r}: {_literal(member, names)}" for key, member in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_literal(member, names) for member in value)}]"
    if isinstance(value, str) and value in names:
        return f"str(FOLDER / {value!r})"
    return repr(value)


def read_result(directory: Path) -> Evaluated:
    """What `pwact.engines.ase.delivered` left. Raises TaskError."""
    try:
        found = json.loads((directory / RESULT).read_text(encoding="utf-8"))
        forces = np.array(found["forces"], dtype=float)
        made = Evaluated(float(found["energy"]), forces, dict(found["programs"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{directory / RESULT}: {error}") from error
    return finite(made, directory)


def finite(found: Evaluated, directory: Path) -> Evaluated:
    """The same. Raises TaskError unless energy and forces are numbers, three an atom."""
    if found.forces.ndim != 2 or found.forces.shape[1] != 3:
        raise TaskError(f"{directory}: the force field gave no forces on the atoms")
    if not np.isfinite([found.energy, *found.forces.ravel()]).all():
        raise TaskError(f"{directory}: energy or forces of the force field are no numbers")
    return found
