"""Labels of a frame: energy, forces and virial, in one convention for the whole package."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError, PropertyNotImplementedError
from ase.calculators.singlepoint import SinglePointCalculator

from pwact.errors import TaskError

_COMPARED = ("numbers", "positions", "initial_charges", "initial_magmoms")
_VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class Labels:
    """What a labeler says about a frame.

    Attributes
    ----------
    energy
        Potential energy in eV.
    forces
        Shape (N, 3), eV/Å.
    virial
        Shape (3, 3), eV: −V times ASE's stress, so positive when the cell wants to expand.
    """

    energy: float
    forces: np.ndarray
    virial: Optional[np.ndarray] = None


class LabelCalculator(SinglePointCalculator):  # type: ignore[misc]
    """ASE's holder of fixed results, which also keeps the virial as it was given."""

    def __init__(self, atoms: Atoms, virial: Optional[np.ndarray], **results: Any) -> None:
        super().__init__(atoms, **results)
        self.virial = virial

    def check_state(self, atoms: Atoms, tol: float = 1e-15) -> list[str]:
        """What was changed, by ASE's words. Its comparison is slow, and mostly nothing was."""
        if _equal(self.atoms, atoms):
            return []
        changed: list[str] = super().check_state(atoms, tol)
        return changed


def _equal(one: Atoms, other: Atoms) -> bool:
    """Whether all that labels depend on is the same, bit by bit."""
    pairs = [(one.arrays.get(name), other.arrays.get(name)) for name in _COMPARED]
    if not all(a is b or (a is not None and np.array_equal(a, b)) for a, b in pairs):
        return False
    same_cell = np.array_equal(one.cell.array, other.cell.array)
    return same_cell and bool(np.array_equal(one.pbc, other.pbc))


def set_labels(
    atoms: Atoms, energy: float, forces: np.ndarray, virial: Optional[np.ndarray] = None
) -> None:
    """Attach labels to `atoms`, to be read by `labels_of` or by ASE's own getters.

    Parameters
    ----------
    atoms
        The frame; its cell and positions must not change afterwards.
    energy
        eV.
    forces
        Shape (N, 3), eV/Å.
    virial
        Shape (3, 3), eV, see `Labels`.
    """
    forces = np.array(forces, dtype=float).reshape(len(atoms), 3)
    results: dict[str, Any] = {"energy": float(energy), "forces": forces}
    if virial is not None:
        virial = np.array(virial, dtype=float).reshape(3, 3)
        if atoms.cell.rank == 3:
            stress = -(virial + virial.T) / (2 * atoms.get_volume())
            results["stress"] = np.array([stress[place] for place in _VOIGT])
    atoms.calc = LabelCalculator(atoms, virial, **results)


def turn_virial(atoms: Atoms) -> None:
    """Give a labelled frame minus its virial, if it has one."""
    labels = labels_of(atoms)
    if labels.virial is not None:
        set_labels(atoms, labels.energy, labels.forces, -labels.virial)


def labels_of(atoms: Atoms) -> Labels:
    """Labels of `atoms`, as set by `set_labels` or by an ASE calculator.

    Of a calculator's energies that which the forces are the derivatives of (``free_energy``).

    Raises
    ------
    TaskError
        Energy or forces are missing, or the atoms were moved after they were labelled.
    """
    if atoms.calc is None:
        raise TaskError(f"a frame of {atoms.get_chemical_formula()} has no labels")
    calc = atoms.calc
    if isinstance(calc, LabelCalculator) and not calc.check_state(atoms):  # slow: compare once
        forces = calc.results["forces"].copy()
        return Labels(calc.results["energy"], forces, _virial(atoms))
    try:
        energy = _energy(atoms)
        forces = np.array(atoms.get_forces(apply_constraint=False), dtype=float)
    except (CalculatorError, PropertyNotImplementedError) as error:
        formula = atoms.get_chemical_formula()
        raise TaskError(f"the labels of a frame of {formula} are incomplete: {error}") from error
    return Labels(energy, forces, _virial(atoms))


def _energy(atoms: Atoms) -> float:
    try:
        return float(atoms.get_potential_energy(force_consistent=True))
    except (NotImplementedError, TypeError):  # ASE's own error is one; there is only one energy
        return float(atoms.get_potential_energy())


def labels_as_read(atoms: Atoms) -> Labels:
    """Labels of a frame that was just read, so that its atoms need not be compared; much faster."""
    calc = atoms.calc
    if not isinstance(calc, LabelCalculator):
        return labels_of(atoms)
    return Labels(calc.results["energy"], calc.results["forces"], calc.virial)


def _virial(atoms: Atoms) -> Optional[np.ndarray]:
    if isinstance(atoms.calc, LabelCalculator):
        return None if atoms.calc.virial is None else atoms.calc.virial.copy()
    if atoms.cell.rank < 3:
        return None
    try:
        stress = atoms.get_stress(voigt=False, apply_constraint=False)
    except (CalculatorError, PropertyNotImplementedError):
        return None
    return -float(atoms.get_volume()) * np.asarray(stress, dtype=float)
