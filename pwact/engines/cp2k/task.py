"""Puts a structure, its kinds and what the reader needs into a CP2K input of the user.

Physics stays the user's: nothing but geometry, basis sets, k-points where there are
none, and print keys is touched, and untouched lines keep every byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.config.labeling import GaussianConfig
from pwact.engines.cp2k.kinds import kind_text, kinds_of
from pwact.engines.kpoints import DEFAULT_KSPACING, mesh
from pwact.engines.labelers import Purpose
from pwact.engines.md_steps import MdProgress
from pwact.fixed_atoms import AXES, along_axes, any_fixed, ranges
from pwact.formats.cp2k_input import Item, Line, Section, read_input
from pwact.formats.thermo import last_number

if TYPE_CHECKING:
    from ase import Atoms

INPUT = "cp2k.inp"
COORDINATES = "coord.xyz"
LOG = "dft.log"
MD_TYPES = ("MD", "MOLECULAR_DYNAMICS")
DEFAULT_MD_STEPS = 3  # of CP2K
WITHOUT_BASIS = frozenset(
    {"DFTB", "XTB", "MNDO", "MNDOD", "AM1", "PM3", "PM6", "PM6-FM", "PDG", "RM1", "PNNL"}
)
PRINT_LEVEL = ("PRINT_LEVEL", "IOLEVEL")
ENOUGH = frozenset({"MEDIUM", "HIGH", "DEBUG"})
BASIS_FILES = ("BASIS_SET_FILE_NAME", "POTENTIAL_FILE_NAME")
GEOMETRY = frozenset(
    {
        *("A", "B", "C", "ABC", "ALPHA_BETA_GAMMA", "ANGLES"),
        *("CELL_FILE_NAME", "CELL_FILE_FORMAT", "MULTIPLE_UNIT_CELL"),
        *("CANONICALIZE", "CANONICALIZE_INITIAL_CELL"),
    }
)
TOPOLOGY_GEOMETRY = frozenset(
    {
        *("COORD_FILE_NAME", "COORDINATE_FILE_NAME", "COORD_FILE", "COORDINATE"),
        *("COORD_FILE_FORMAT", "COORDINATE_FORMAT", "COORDINATES_FORMAT"),
        *("NUMBER_OF_ATOMS", "NATOMS", "NATOM", "MULTIPLE_UNIT_CELL"),
    }
)
OF_OTHER_ATOMS = frozenset({"COORD", "CELL", "VELOCITY"})
OUTPUT_FORM = frozenset({"FILENAME", "FORMAT", "UNIT", "FORCE_UNIT", "STRESS_UNIT"})
_XYZ = frozenset({"XYZ", "XMOL"})


def basis_is_needed(dft: Section) -> bool:
    """Whether the method uses basis sets and potentials from files."""
    section = dft.section("QS")
    return section is None or section.value("METHOD") not in WITHOUT_BASIS


def uses_orbital_transformation(dft: Section) -> bool:
    """Whether the SCF is done by OT, which knows no k-points."""
    found = dft.section("SCF", "OT")
    return found is not None and found.parameter.upper() not in {"F", ".FALSE.", "OFF", "FALSE"}


def put_in(
    root: Section,
    atoms: Atoms,
    coordinates: str,
    gaussian: Optional[GaussianConfig],
    purpose: Purpose,
    seed: int,
) -> None:
    """Change a checked input (`pwact.engines.cp2k.checks`) into that of one task.

    Parameters
    ----------
    coordinates
        Name of the file of coordinates.
    gaussian
        Basis sets and potentials; None, or without lists, where the input has full kinds.
    seed
        Of the velocities of an AIMD, where the user gives none.
    """
    control = there(root, "GLOBAL")
    evaluation = there(root, "FORCE_EVAL")
    dft = there(evaluation, "DFT")
    _print_level(control)
    if purpose is Purpose.AIMD and control.keyword("SEED") is None:
        control.append(f"  SEED {seed}\n")
    needs_basis = basis_is_needed(dft)
    subsys = there(evaluation, "SUBSYS")
    cell = subsys.section("CELL")
    periodic = cell.value("PERIODIC") if cell else ""
    if needs_basis:
        _basis_files(dft, gaussian)
        _kpoints(dft, atoms.cell.array, gaussian, periodic or "XYZ")
    kinds = gaussian if needs_basis and gaussian and gaussian.atom_list else None
    _subsystem(subsys, atoms, coordinates, kinds)
    if purpose is not Purpose.SCF and any_fixed(atoms):
        _hold(root, along_axes(atoms))
    _printing(root, evaluation, purpose)


def _hold(root: Section, fixed: np.ndarray) -> None:
    """Hold atoms, one section for each set of directions; `fixed` along x, y, z, shape (N, 3)."""
    constraint = there(there(root, "MOTION"), "CONSTRAINT")
    for row in sorted(set(map(tuple, fixed.tolist())) - {(0, 0, 0)}):
        numbers = (np.flatnonzero((fixed == row).all(axis=1)) + 1).tolist()
        axes = "".join(axis.upper() for axis, held in zip(AXES, row) if held)
        lines = ["&FIXED_ATOMS", f"  COMPONENTS_TO_FIX {axes}"]
        lines += [f"  LIST {words}" for words in ranges(numbers)]
        text = "".join(f"      {line}\n" for line in [*lines, "&END FIXED_ATOMS"])
        constraint.append(text)


def there(parent: Section, name: str) -> Section:
    """The section with that name in another one, which is made if there is none."""
    found = parent.section(name)
    if found is None:
        indent = parent.inner_indent()
        parent.append(f"{indent}&{name}\n{indent}&END {name}\n")
        return there(parent, name)
    return found


def _print_level(control: Section) -> None:
    found = control.keyword(*PRINT_LEVEL)
    if found is not None and found.value.upper() in ENOUGH:
        return
    control.remove(lambda item: isinstance(item, Line) and item.name in PRINT_LEVEL)
    control.append("  PRINT_LEVEL MEDIUM\n")


def _basis_files(dft: Section, gaussian: Optional[GaussianConfig]) -> None:
    if gaussian is None:
        return
    dft.remove(lambda item: isinstance(item, Line) and item.name in BASIS_FILES)
    names = (gaussian.basis_set_file.name, gaussian.potential_file.name)
    lines = [f"    {keyword} {name}\n" for keyword, name in zip(BASIS_FILES, names)]
    dft.insert(0, "".join(lines))


def _kpoints(
    dft: Section, cell: np.ndarray, gaussian: Optional[GaussianConfig], periodic: str
) -> None:
    """A mesh where the user has none: by kspacing, and along periodic axes only."""
    if dft.sections("KPOINTS") or uses_orbital_transformation(dft) or periodic == "NONE":
        return
    kspacing = (gaussian.kspacing if gaussian else None) or DEFAULT_KSPACING
    numbers = [count if axis in periodic else 1 for axis, count in zip("XYZ", mesh(cell, kspacing))]
    scheme = f"SCHEME MONKHORST-PACK {' '.join(map(str, numbers))}"
    dft.append(f"    &KPOINTS\n      {scheme}\n    &END KPOINTS\n")


def _subsystem(
    subsys: Section, atoms: Atoms, coordinates: str, gaussian: Optional[GaussianConfig]
) -> None:
    own = subsys.section("CELL")
    kept = [item.render() for item in own.items if _stays_in_cell(item, atoms)] if own else []
    vectors = [
        f"      {name} {' '.join(repr(float(value)) for value in row)}\n"
        for name, row in zip("ABC", atoms.cell.array)
    ]
    text = ["    &CELL\n", *vectors, *map(_whole, kept), "    &END CELL\n"]
    text += ["    &COORD\n", f"      @INCLUDE {coordinates}\n", "    &END COORD\n"]
    kinds, wanted = subsys.sections("KIND"), list(dict.fromkeys(kinds_of(atoms)))
    if gaussian is not None:
        subsys.remove(lambda item: isinstance(item, Section) and item.name == "KIND")
        rows = zip(gaussian.atom_list, gaussian.basis_set_list, gaussian.potential_list)
        text += [
            kind_text(kinds, one, basis, potential)
            for symbol, basis, potential in rows
            for one in wanted
            if one.symbol == symbol
        ]
    else:
        text += [kind_text(kinds, one) for one in wanted if one.moment is not None]
    subsys.remove(lambda item: isinstance(item, Section) and item.name in OF_OTHER_ATOMS)
    for topology in subsys.sections("TOPOLOGY"):
        topology.remove(lambda item: isinstance(item, Line) and item.name in TOPOLOGY_GEOMETRY)
    subsys.insert(0, "".join(text))


def _whole(text: str) -> str:
    return text if text.endswith("\n") else f"{text}\n"


def _stays_in_cell(item: Item, atoms: Atoms) -> bool:
    if isinstance(item, Section) or not item.active or item.name.startswith("@"):
        return isinstance(item, Section) and item.active
    if item.name == "SYMMETRY":
        return symmetry_fits(item.value.upper(), atoms.cell.array)
    return item.name not in GEOMETRY


def symmetry_fits(word: str, cell: np.ndarray) -> bool:
    """Whether CP2K would leave a cell as it is when it imposes this symmetry.

    Only cells along the axes are sure to stay; CP2K turns or stretches others.
    """
    lengths = np.diag(cell)
    if word in {"NONE", "TRICLINIC"}:
        return True
    if np.abs(cell - np.diag(lengths)).max() > 1e-8 or lengths.min() <= 0:
        return False
    a, b, c = lengths
    same = {"CUBIC": (b, c), "TETRAGONAL": (b,), "TETRAGONAL_AB": (b,), "ORTHORHOMBIC": ()}
    return word in same and all(abs(a - length) < 1e-8 for length in same[word])


def _printing(root: Section, evaluation: Section, purpose: Purpose) -> None:
    printed = there(evaluation, "PRINT")
    if purpose is not Purpose.AIMD:  # which has its forces in a file
        _switch_on(printed, "FORCES", purpose)
    if evaluation.value("STRESS_TENSOR") not in {"", "NONE"}:
        _switch_on(printed, "STRESS_TENSOR", purpose)
    if purpose is not Purpose.SCF:
        moved = there(there(root, "MOTION"), "PRINT")
        _switch_on(moved, "TRAJECTORY", purpose)
        _switch_on(moved, "CELL", purpose)
        if purpose is Purpose.AIMD or moved.sections("FORCES"):
            _switch_on(moved, "FORCES", purpose)


def _switch_on(parent: Section, name: str, purpose: Purpose) -> None:
    """Print this, in the form that our reader knows; of an optimization every step."""
    found = there(parent, name)
    if found.parameter.upper() != "ON":
        found.head = f"{parent.inner_indent()}&{name} ON\n"
    found.remove(lambda item: isinstance(item, Line) and is_other_form(item))
    if purpose is Purpose.RELAX:
        found.remove(lambda item: isinstance(item, Section) and item.name == "EACH")


def is_other_form(line: Line) -> bool:
    """Whether a line of a print key makes its output another than we read."""
    return line.name in OUTPUT_FORM and line.value.upper() not in _XYZ


def write_coordinates(path: Path, atoms: Atoms) -> None:
    """Write kind (mostly the element) and position (Å) of each atom, to be read back bit by bit."""
    rows = zip(kinds_of(atoms), atoms.positions.tolist())
    path.write_text("".join(f"{kind.label} {x!r} {y!r} {z!r}\n" for kind, (x, y, z) in rows))


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    root = read_input(directory / INPUT)
    control, md = root.section("GLOBAL"), root.section("MOTION", "MD")
    if md is None or control is None or control.value("RUN_TYPE") not in MD_TYPES:
        return None
    energies = sorted(directory.glob("*.ener"), key=lambda path: path.stat().st_mtime)
    made = last_number(energies[-1], r"^\s*(\d+)\s") if energies else None
    return MdProgress(made, int(md.value("STEPS") or DEFAULT_MD_STEPS))
