"""What a trainer hands to an explorer: its models, and by its type how a committee of them judges.

A trainer names its models and nothing else. Who computes how much they differ follows from the
type: the LAMMPS pair style itself (`Potential`), LAMMPS once more with each set of pair commands
(`PairSets`), or the ASE calculators beside the one that drives (`Calculators`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Potential:
    """Models that one LAMMPS pair style runs together; it leaves ``model_devi.out`` itself.

    Attributes
    ----------
    types
        Element symbols in the order of the LAMMPS types.
    links
        Name in the task directory → file that it links to.
    pair_lines
        pair_style and pair_coeff commands; ``{out_freq}`` stands for the deviation interval.
    head_lines
        Commands that must stand first in the input.
    deviates
        Whether a run leaves ``model_devi.out``; one model alone does not.
    own_types
        Element → its word in pair_coeff, if types without atoms spoil energies. See
        `pwact.engines.lammps.own_types`.
    by_atom
        What is added to pair_style so that ``model_devi.out`` has the deviation of each atom.
    rms
        Whether the root mean square over the atoms is wanted too, of those that can tell it.
    in_ase
        How ASE runs the first model without LAMMPS, as in `Calculators`; empty where it cannot.
    beside
        What is handed on with the first model and no MD loads: name → file, and what it is for.
    """

    types: tuple[str, ...]
    links: Mapping[str, Path]
    pair_lines: tuple[str, ...]
    head_lines: tuple[str, ...] = ()
    deviates: bool = True
    own_types: Mapping[str, str] = field(default_factory=dict)
    by_atom: str = ""
    rms: bool = False
    in_ase: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, tuple[Path, str]] = field(default_factory=dict)

    @property
    def calculator(self) -> Mapping[str, Any]:
        """The first model in ASE, as in `Calculators`; empty where it needs LAMMPS."""
        return self.in_ase

    def renamed(self, names: Mapping[str, str]) -> Potential:
        """The same with other names of the links, in all that names them."""
        links = {names.get(name, name): path for name, path in self.links.items()}
        lines = [
            " ".join(names.get(word, word) for word in line.split()) for line in self.pair_lines
        ]
        in_ase = _renamed(self.in_ase, names)
        return replace(self, links=links, pair_lines=tuple(lines), in_ase=in_ase)

    def with_rms(self) -> Potential:
        """The same, that tells the root mean square over the atoms where it can."""
        if not (self.deviates and self.by_atom):
            return self
        style, *more = self.pair_lines
        return replace(self, pair_lines=(f"{style} {self.by_atom}", *more))


@dataclass(frozen=True)
class PairSets(Potential):
    """Models of a pair style that runs one at a time.

    The first set drives the MD; when that has ended, every frame is evaluated with each set
    (`pwact.engines.lammps.deviation`).

    Attributes
    ----------
    sets
        The pair commands of each model.
    """

    sets: tuple[tuple[str, ...], ...] = ()

    def with_rms(self) -> Potential:
        """The same, whose evaluation leaves a column for it."""
        return replace(self, rms=self.deviates)


def pair_sets(
    types: tuple[str, ...],
    links: Mapping[str, Path],
    sets: Sequence[tuple[str, ...]],
    head_lines: tuple[str, ...] = (),
) -> PairSets:
    """One set of pair commands a model; the first drives."""
    several = len(sets) > 1
    return PairSets(types, links, sets[0], head_lines, several, sets=tuple(sets))


@dataclass(frozen=True)
class Calculators(Potential):
    """Models that run in ASE in place of LAMMPS.

    The first one drives the MD; all of them judge each frame that is kept.

    Attributes
    ----------
    calculators
        Of each model ``calculator``, ``module:Class``, and its keyword ``arguments``, in which a
        path is one of `links`.
    """

    calculators: tuple[Mapping[str, Any], ...] = ()

    @property
    def calculator(self) -> Mapping[str, Any]:
        """The one that drives."""
        return self.calculators[0]

    def renamed(self, names: Mapping[str, str]) -> Potential:
        """The same with other names of the links, in the arguments as well."""
        same = super().renamed(names)
        made = tuple(_renamed(one, names) for one in self.calculators)
        return replace(self, links=same.links, calculators=made)

    def with_rms(self) -> Potential:
        """The same, whose judges leave a column for it."""
        return replace(self, rms=self.deviates)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """What a calculator is made of, with other names of the files in it."""
    if isinstance(value, Mapping):
        return {key: _renamed(member, names) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_renamed(member, names) for member in value]
    return names.get(value, value) if isinstance(value, str) else value


def calculators(
    types: tuple[str, ...], links: Mapping[str, Path], models: Sequence[Mapping[str, Any]]
) -> Calculators:
    """One calculator a model; the first drives."""
    return Calculators(types, links, (), deviates=len(models) > 1, calculators=tuple(models))
