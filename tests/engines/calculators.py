"""Calculators that misbehave, named in tests as ``tests.engines.calculators:Class``."""

from __future__ import annotations

from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT


class Springs(Calculator):  # type: ignore[misc]
    """Springs to the origin; no stress, by Python's own error. Needs one argument."""

    implemented_properties = ("energy", "forces")

    def __init__(self, stiffness: float, table: str = "") -> None:
        super().__init__()
        self.stiffness = stiffness
        self.table = table

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        places = self.atoms.positions
        self.results["energy"] = 0.5 * self.stiffness * float((places**2).sum())
        self.results["forces"] = -self.stiffness * places

    def get_stress(self, atoms: Any = None) -> Any:
        raise NotImplementedError("no stress here")


class Failing(EMT):  # type: ignore[misc]
    """EMT whose `what` is not a number from the calculation number `after` on."""

    def __init__(self, what: str = "energy", after: int = 1) -> None:
        super().__init__()
        self.what = what
        self.left = after

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        self.left -= 1
        if self.left <= 0:
            self.results[self.what] = np.asarray(self.results[self.what]) * np.nan


class Smeared(EMT):
    """EMT whose ``energy`` is 10 meV an atom above the free energy, as with a smearing."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        """Compute both energies."""
        super().calculate(*args, **kwargs)
        self.results["free_energy"] = self.results["energy"]
        self.results["energy"] += 0.010 * len(self.atoms)
