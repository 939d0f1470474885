"""Results of a single point of pw.x with all digits: ``data-file-schema.xml``.

Hartree atomic units; stress is positive when the cell wants to expand. ``etot`` is the energy to
which the forces belong: with smearing the free energy F = E - TS. After qes.xsd of Quantum ESPRESSO
(www.quantum-espresso.org/ns/qes), which names these elements alike in 6.2 to 7.4.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from ase import Atoms

from pwact.errors import CutOffError, NotConvergedError, TaskError
from pwact.formats.labels import set_labels
from pwact.formats.qe_output import BOHR, NOT_CONVERGED, RYDBERG
from pwact.io.arrays import are_usable

HARTREE = 2 * RYDBERG  # eV
_SAME_PLACE = 1e-6  # Å; the Å of another release of CODATA in pw.x differs by less


def labelled_xml(path: Path, start: Atoms, has_stress: bool = True) -> Atoms:
    """The structure that was put in, with the labels of the file.

    Parameters
    ----------
    start
        That structure, in Å; atoms in the order of the input.
    has_stress
        Whether pw.x can compute one of this input.

    Raises
    ------
    NotConvergedError
        The self-consistent calculation did not converge.
    CutOffError
        The file is not whole.
    TaskError
        It is of another structure, or holds no forces or stress.
    """
    output = _output(path)
    converged = output.findtext("convergence_info/scf_conv/convergence_achieved", "").strip()
    if converged != "true":
        raise NotConvergedError(f"{path}: {NOT_CONVERGED}")
    _check_structure(path, output, start)
    energy = _numbers(path, output, "total_energy/etot", 1)[0]
    forces = _numbers(path, output, "forces", 3 * len(start)).reshape(-1, 3)
    atoms, virial = start.copy(), None
    if has_stress:
        # written as Fortran has it; a stress is symmetric, so its order does not matter
        stress = _numbers(path, output, "stress", 9).reshape(3, 3)
        virial = stress * (HARTREE / BOHR**3) * atoms.get_volume()
    set_labels(atoms, energy * HARTREE, forces * (HARTREE / BOHR), virial)
    return atoms


def structure_in(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Cell (rows) and positions of the last structure, Å. Raises as `labelled_xml`."""
    return _structure(path, _output(path))


def _output(path: Path) -> ElementTree.Element:
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314  pw.x wrote it
    except OSError as error:
        raise CutOffError(f"{path}: cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise CutOffError(f"{path}: cut off or damaged: {error}") from error
    output = root.find("output")
    if output is None:
        raise CutOffError(f"{path}: holds no results")
    return output


def _structure(path: Path, output: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    place = "atomic_structure"
    cell = [_numbers(path, output, f"{place}/cell/a{number}", 3) for number in (1, 2, 3)]
    atoms = output.findall(f"{place}/atomic_positions/atom")
    positions = [_values(path, "atom", atom.text or "", 3) for atom in atoms]
    if not positions:
        raise CutOffError(f"{path}: holds no atomic_positions")
    return np.array(cell) * BOHR, np.array(positions) * BOHR


def _check_structure(path: Path, output: ElementTree.Element, start: Atoms) -> None:
    cell, positions = _structure(path, output)
    same = positions.shape == start.positions.shape
    if same:
        off = max(np.abs(cell - start.cell.array).max(), np.abs(positions - start.positions).max())
        same = bool(off < _SAME_PLACE)
    if not same:
        raise TaskError(f"{path}: is of another structure than the input")


def _numbers(path: Path, output: ElementTree.Element, place: str, count: int) -> np.ndarray:
    found = output.findtext(place)
    if found is None:
        raise TaskError(f"{path}: holds no {place}; the input needs tprnfor and tstress")
    return _values(path, place, found, count)


def _values(path: Path, place: str, text: str, count: int) -> np.ndarray:
    words = text.split()
    try:
        values = np.array(words, dtype=float)
    except ValueError:
        values = np.full(count, np.nan)
    if values.shape != (count,) or not are_usable(values):
        raise TaskError(f"{path}: {place} holds no {count} finite numbers")
    return values
