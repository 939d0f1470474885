"""Calculators that misbehave, named in tests as ``tests.engines.calculators:Class``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress


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


class Scaled(EMT):  # type: ignore[misc]
    """EMT of which energy and forces are multiplied."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        for name in ("energy", "free_energy", "forces"):
            self.results[name] = self.factor * np.asarray(self.results[name])


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


class Tired(EMT):  # type: ignore[misc]
    """EMT that computes `after` times, and then dies; `done` counts what all of them computed."""

    done = 0

    def __init__(self, after: int = 10**6) -> None:
        super().__init__()
        self.left = after

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        del system_changes
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("killed")
        # from the first neighbour on: the last bits then depend on no geometry before
        super().calculate(atoms, properties, all_changes)
        Tired.done += 1


class Smeared(EMT):
    """EMT whose ``energy`` is 10 meV an atom above the free energy, as with a smearing."""

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        """Compute both energies."""
        super().calculate(*args, **kwargs)
        self.results["free_energy"] = self.results["energy"]
        self.results["energy"] += 0.010 * len(self.atoms)


class Spins(Calculator):  # type: ignore[misc]
    """Springs between neighbours, with an exchange of moments and a repulsion of charges.

    E = Σ w(r) [k + J m·m' + q q'] over pairs, w(r) = (1 - r²/R²)³ below R: smooth, so that forces
    are the derivatives of the energy. Without any moment it refuses to compute.
    """

    implemented_properties = ("energy", "forces", "stress")
    reach, stiffness, exchange = 3.5, 2.0, 0.5

    def calculate(
        self, atoms: Any = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Sum over all pairs."""
        super().calculate(atoms, properties, system_changes)
        moments = self.atoms.get_initial_magnetic_moments()
        if not moments.any():
            raise ValueError("no magnetic moments arrived")
        moments = moments.reshape(len(self.atoms), -1)
        charges = self.atoms.get_initial_charges()
        one, other, far, apart = neighbor_list("ijdD", self.atoms, self.reach)
        pairs = np.einsum("nk,nk->n", moments[one], moments[other])
        strength = self.stiffness + self.exchange * pairs + charges[one] * charges[other]
        inside = 1 - (far / self.reach) ** 2
        slope = (-6 * strength * inside**2 / self.reach**2)[:, None] * apart
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, one, slope)
        self.results["energy"] = 0.5 * float((strength * inside**3).sum())
        self.results["forces"] = forces
        virial = 0.5 * np.einsum("na,nb->ab", slope, apart)
        self.results["stress"] = full_3x3_to_voigt_6_stress(virial / self.atoms.get_volume())


class TBLite(Springs):
    """Springs that converge with enough iterations alone."""

    def __init__(self, method: str = "GFN2-xTB", max_iterations: int = 250) -> None:
        super().__init__(0.1)
        self.method, self.most = method, max_iterations

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        if self.most < 900:
            raise SCFError(f"after {self.most} iterations")


class SCFError(Exception):
    """As ASE's, which some calculators raise."""


class Unconverged(Springs):
    """Springs that end as `how` says in the calculation number `after`."""

    def __init__(self, how: str = "fine", after: int = 1) -> None:
        super().__init__(0.1)
        self.how = how
        self.left = after

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        self.left -= 1
        if self.left == 0 and self.how != "fine":
            self._end()

    def _end(self) -> None:
        if self.how == "SCFError":
            raise SCFError("after 100 cycles")
        if self.how == "cause":
            try:
                raise SCFError("after 100 cycles")
            except SCFError as error:
                raise RuntimeError("the calculation failed") from error
        if self.how == "words":
            raise RuntimeError("program stopped: SCF not converged, sorry")
        if self.how == "file":
            Path("program.out").write_text("a line\n  SCF not converged\n")
            raise RuntimeError("exit status 1")
        raise RuntimeError("something else")


class XtbUnconverged(Unconverged):
    """The same, by the words of xtb."""
