"""Molecular dynamics of DFTB+: ``md.out`` and ``geo_end.xyz``, step by step.

Traps, all of them measured: ``results.tag`` adds the kinetic energy to the free energy, so energies
come from ``md.out``; the stress holds the kinetic part, so there are no virials; and the lattice
vectors that a block of ``md.out`` prints are those of the next step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.errors import CutOffError, TaskError
from pwact.formats.dftbplus_output import BOHR, HARTREE, Screen
from pwact.formats.labels import set_labels
from pwact.io.lines import Lines

if TYPE_CHECKING:
    from ase import Atoms

_SAME_ENERGY = 1.5e-10  # hartree; both files have ten decimals
_SAME_PLACE = 1e-6  # Å; geo_end.xyz has eight decimals


@dataclass
class Block:
    """A step of ``md.out``.

    Attributes
    ----------
    energy
        Potential energy (Mermin free energy), hartree.
    forces
        Shape (N, 3), hartree/bohr; None where they are not printed.
    next_cell
        Lattice vectors of the next step as rows, Å; None without barostat.
    """

    number: int
    energy: float = 0.0
    forces: Optional[np.ndarray] = None
    next_cell: Optional[np.ndarray] = None


@dataclass
class Trajectory:
    """The steps of an MD that can be used.

    Attributes
    ----------
    frames
        With energy and forces, and no virial.
    lost
        Numbers of the steps whose SCC did not converge.
    """

    frames: list[Atoms] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)


def read_md(folder: Path, screen: Screen, start: Atoms) -> Trajectory:
    """Read all steps that are complete in ``md.out``, ``geo_end.xyz`` and on the screen.

    Parameters
    ----------
    start
        The structure that the MD began with.

    Raises
    ------
    TaskError
        A file is damaged, of another run, or ``md.out`` holds no forces; names file and line.
    """
    made, cell = Trajectory(), start.cell.array
    steps = {step.number: step for step in screen.steps}
    places = _positions(folder / "geo_end.xyz", start)
    for block in _blocks(folder / "md.out", len(start)):
        positions, said = next(places, None), steps.get(block.number)
        if positions is None or said is None or said.energy is None:
            break
        _compare(folder, block, said.energy, positions, start)
        if block.forces is None:
            raise TaskError(_no_forces(folder, screen))
        if said.converged:
            frame = start.copy()
            frame.set_cell(cell)
            frame.positions = positions
            set_labels(frame, block.energy * HARTREE, block.forces * (HARTREE / BOHR))
            made.frames.append(frame)
        else:
            made.lost.append(block.number)
        cell = block.next_cell if block.next_cell is not None else cell
    return made


def _compare(
    folder: Path, block: Block, energy: float, positions: np.ndarray, start: Atoms
) -> None:
    if abs(block.energy - energy) > _SAME_ENERGY:
        what = f"the energy of step {block.number} is {block.energy}, on the screen {energy}"
        raise TaskError(f"{folder / 'md.out'}: {what}")
    if block.number == 0 and np.abs(positions - start.positions).max() > _SAME_PLACE:
        raise TaskError(f"{folder / 'geo_end.xyz'}: begins with another structure than the task's")


def _no_forces(folder: Path, screen: Screen) -> str:
    return (
        f"{folder / 'md.out'}: holds no forces, so its steps are no data. DFTB+ "
        f"{screen.release or 'of this version'} does not print them; 24.1 and later do. Run the "
        "AIMD with such a one, or by another engine and let DFTB+ label its frames (scf)"
    )


def _blocks(path: Path, count: int) -> Iterator[Block]:
    """The complete steps of ``md.out``; what is cut off at its end is left out."""
    with Lines(path) as lines:
        block: Optional[Block] = None
        try:
            for line in lines:
                words = line.split()
                if words[:2] == ["MD", "step:"]:
                    block = _begun(lines, words, block)
                elif block is None:
                    raise lines.error("no MD step has begun")
                elif words[:2] == ["Forces", "(au)"]:
                    block.forces = lines.table(count, slice(None), 3)
                elif words[:2] == ["Lattice", "vectors"]:
                    block.next_cell = lines.table(3, slice(None), 3)
                elif words[:2] == ["Potential", "Energy:"]:
                    block.energy = lines.number_in(words, 2)
                elif words[:2] == ["MD", "Temperature:"]:
                    yield block
        except CutOffError:
            return


def _begun(lines: Lines, words: list[str], before: Optional[Block]) -> Block:
    number = int(lines.number_in(words, 2))
    if number != (0 if before is None else before.number + 1):
        raise lines.error(f"step {number} where another is expected; are these two runs?")
    return Block(number)


def _positions(path: Path, start: Atoms) -> Iterator[np.ndarray]:
    """Positions of the steps of ``geo_end.xyz`` in order, shape (N, 3), Å."""
    symbols = start.get_chemical_symbols()
    expected = 0
    with Lines(path) as lines:
        try:
            for line in lines:
                if line.split() != [str(len(symbols))]:
                    raise lines.error(f"{len(symbols)} atoms are expected")
                if lines.take().split() != ["MD", "iter:", str(expected)]:
                    raise lines.error(f"step {expected} is expected")
                rows = []
                for symbol in symbols:
                    words = lines.take().split()
                    if words[:1] != [symbol] or len(words) < 5:
                        raise lines.error(f"{symbol} and its position are expected")
                    rows.append(lines.numbers(words[1:4]))
                yield np.array(rows)
                expected += 1
        except CutOffError:
            return
