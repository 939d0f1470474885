"""Puts a structure into an input of pw.x, with what the reader needs; physics stays the user's.

Ours are the structure (cell, positions, species of the atoms), where files lie, that forces and
stress are printed, a mesh of k-points where there is none, and the velocities of an AIMD, which
pw.x would draw by the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.engines.kpoints import DEFAULT_KSPACING, mesh
from pwact.engines.labelers import Purpose
from pwact.engines.qe.species import SPECIES, Assigned, element_of
from pwact.errors import InputError, TaskError
from pwact.fixed_atoms import along_axes, any_fixed
from pwact.formats.qe_input import PwInput, quoted

if TYPE_CHECKING:
    from ase import Atoms

INPUT = "pw.in"
NEXT_INPUT = "pw.next.in"  # of an AIMD: what the next start reads
LOG = "dft.log"
RESULTS = "pwact.xml"
OUT, PREFIX = "out", "pwact"
SCHEMA = f"{OUT}/{PREFIX}.save/data-file-schema.xml"
CELL, POSITIONS, VELOCITIES = "CELL_PARAMETERS", "ATOMIC_POSITIONS", "ATOMIC_VELOCITIES"
K_POINTS = "K_POINTS"
CALCULATIONS = {
    Purpose.SCF: ("scf",),
    Purpose.AIMD: ("md", "vc-md"),
    Purpose.RELAX: ("relax", "vc-relax"),
}
LATTICE = ("celldm", "a", "b", "c", "cosab", "cosac", "cosbc")
FILES = ("prefix", "outdir", "wfcdir", "pseudo_dir", "restart_mode")
_NO_WAVES = "nowf"  # of disk_io; release 6.7 does not know it, and then writes nothing at all
_NO_THERMOSTAT = ("", "not_controlled")
# those that look at the temperature every nraise steps alone
_NOT_AT_FIRST = ("rescale-v", "rescale_v", "reduce-t", "reduce_t")
_AMU_RY = 1822.888486209 / 2  # electron masses in a u, halved for Rydberg units; CODATA 2018
_KELVIN_RY = 157887.512404  # K in a Rydberg
DEFAULT_STEPS = 50


def calculation(root: PwInput) -> str:
    """What the input computes."""
    return root.word("CONTROL", "calculation") or "scf"


def steps_of(root: PwInput) -> int:
    """How many evaluations an AIMD has."""
    return root.whole("CONTROL", "nstep", DEFAULT_STEPS)


def put_in(root: PwInput, atoms: Atoms, assigned: Assigned, purpose: Purpose, seed: int) -> None:
    """Change a checked input (`pwact.engines.qe.checks`) into that of one task.

    Parameters
    ----------
    seed
        Of the velocities of an AIMD.
    """
    for name in FILES:
        root.remove("CONTROL", name)
    for name in ("tprnfor", "tstress"):
        root.remove("CONTROL", name)
    for name in (*LATTICE, "ibrav", "nat", "ntyp"):
        root.remove("SYSTEM", name)
    if root.word("CONTROL", "disk_io") == _NO_WAVES:
        root.put("CONTROL", [("disk_io", "'low'")])
    root.put("CONTROL", _control())
    root.put("SYSTEM", _system(atoms, assigned))
    _hubbard(root, assigned)
    root.put_card(SPECIES, _species(assigned))
    root.put_card(CELL, [f"{CELL} angstrom", *map(_row, atoms.cell.array)])
    root.put_card(POSITIONS, _positions(atoms, assigned, held=purpose is not Purpose.SCF))
    # pw.x wants the species before the velocities
    if purpose is Purpose.AIMD and velocities_are_ours(root):
        root.put_card(VELOCITIES, _velocities(root, atoms, assigned, seed))


def velocities_are_ours(root: PwInput) -> bool:
    """Whether the velocities of an AIMD are drawn here.

    With velocities of the input pw.x (6.7) takes 0 K for the temperature of the first step, by
    which a thermostat that looks at it there divides.
    """
    thermostat = root.word("IONS", "ion_temperature")
    if thermostat in _NOT_AT_FIRST:
        return root.whole("IONS", "nraise", 1) > 1
    return thermostat == "initial"


def draws_by_the_clock(root: PwInput) -> bool:
    """Whether pw.x draws velocities of an AIMD, by the clock."""
    thermostat = root.word("IONS", "ion_temperature")
    return thermostat not in _NO_THERMOSTAT and not velocities_are_ours(root)


def kpoints(root: PwInput, cell: np.ndarray, kspacing: Optional[float]) -> None:
    """A mesh where the user has none."""
    if K_POINTS not in root.cards:
        numbers = " ".join(map(str, mesh(cell, kspacing or DEFAULT_KSPACING)))
        root.put_card(K_POINTS, [f"{K_POINTS} automatic", f"{numbers} 0 0 0"])


def _control() -> list[tuple[str, str]]:
    values = [("prefix", PREFIX), ("outdir", f"./{OUT}"), ("pseudo_dir", "./")]
    switches = [("tprnfor", ".true."), ("tstress", ".true.")]
    return [*((key, quoted(value)) for key, value in values), *switches]


def _system(atoms: Atoms, assigned: Assigned) -> list[tuple[str, str]]:
    counts = [("ibrav", "0"), ("nat", str(len(atoms))), ("ntyp", str(len(assigned.species)))]
    return [*counts, *assigned.values]


def _hubbard(root: PwInput, assigned: Assigned) -> None:
    """Species that were split by moment have the same U."""
    card = root.cards.get("HUBBARD")
    if card is None or not assigned.copies:
        return
    lines = [line.strip() for _, line in card.lines]
    for label, of in assigned.copies:
        for line in list(lines):
            kind, orbital, *values = line.split()
            species, _, shell = orbital.partition("-")
            if species == of:
                lines.append(" ".join([kind, f"{label}-{shell}", *values]))
    root.put_card("HUBBARD", [f"HUBBARD ({card.option})", *lines])


def _row(values: Sequence[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _species(assigned: Assigned) -> list[str]:
    rows = [f"{one.label} {one.mass} {one.file}" for one in assigned.species]
    return [SPECIES, *rows]


def _positions(atoms: Atoms, assigned: Assigned, held: bool) -> list[str]:
    lines = [f"{POSITIONS} angstrom"]
    # behind each position: 0 where it is held along x, y, z
    free = 1 - along_axes(atoms) if held and any_fixed(atoms) else None
    for number, label in enumerate(assigned.labels):
        line = f"{label} {_row(atoms.positions[number])}"
        if free is not None:
            line += " " + " ".join(map(str, free[number].tolist()))
        lines.append(line)
    return lines


def _velocities(root: PwInput, atoms: Atoms, assigned: Assigned, seed: int) -> list[str]:
    """Velocities at tempw in Rydberg atomic units, without momentum of the whole.

    Each component is normal with variance k T / m (Maxwell and Boltzmann); then all are scaled to
    the temperature, which counts the degrees of freedom as pw.x does: 3 (N - 1), or those of the
    atoms that move where some are held.
    """
    root.remove("IONS", "ion_velocities")
    values = [("ion_velocities", "'from_input'")]
    if root.word("IONS", "ion_temperature") == "initial":  # done herewith
        root.remove("IONS", "ion_temperature")
        values.append(("ion_temperature", "'not_controlled'"))
    root.put("IONS", values)
    kelvin = _temperature(root)
    masses = {one.label: float(one.mass.lower().replace("d", "e")) for one in assigned.species}
    mass = np.array([masses[label] for label in assigned.labels])[:, None] * _AMU_RY
    moves = 1.0 - along_axes(atoms)
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((len(atoms), 3)) * np.sqrt(kelvin / _KELVIN_RY / mass) * moves
    free = moves.all()
    if free:
        made -= (mass * made).sum(axis=0) / mass.sum()
    freedom = max(1.0, moves.sum() - (3 if free else 0))
    energy = float((mass * made**2).sum()) / 2
    made *= np.sqrt(freedom * kelvin / _KELVIN_RY / 2 / energy) if energy > 0 else 0.0
    rows = [f"{label} {_row(row)}" for label, row in zip(assigned.labels, made)]
    return [f"{VELOCITIES} a.u", *rows]


def _temperature(root: PwInput) -> float:
    word = root.word("IONS", "tempw") or "300"
    try:
        return float(word.replace("d", "e"))
    except ValueError:
        raise root.error("IONS", "tempw", f"found {word}; expected a temperature in K") from None


def read_start(path: Path) -> Atoms:
    """The structure of a task, as `put_in` wrote it. Raises TaskError."""
    from ase import Atoms as Structure  # noqa: PLC0415

    try:
        root = PwInput(path)
        cell = [_numbers(line.split()) for _, line in root.cards[CELL].lines]
        rows = [line.split() for _, line in root.cards[POSITIONS].lines]
        symbols = [element_of(row[0]) for row in rows]
        positions = [_numbers(row[1:4]) for row in rows]
        if root.whole("SYSTEM", "nat", 0) != len(rows):
            raise TaskError(f"{path}: cut off")
        return Structure(symbols, np.array(positions), cell=np.array(cell), pbc=True)
    except (InputError, KeyError, ValueError, IndexError) as error:
        raise TaskError(f"{path}: holds no structure of pwact: {error}") from error


def _numbers(words: Sequence[str]) -> list[float]:
    return [float(word) for word in words]
