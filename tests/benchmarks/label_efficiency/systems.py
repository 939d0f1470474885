"""The systems of the benchmark: what moves, at which conditions, and how POD describes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import add_adsorbate, bulk, fcc100, molecule

from tests.benchmarks.label_efficiency.teachers import (
    LammpsTeacher,
    Teacher,
    emt,
    sevennet,
    xtb,
)


@dataclass(frozen=True)
class Kind:
    """Frames of one sort.

    Attributes
    ----------
    temp_k
        Temperature of the MD.
    scale
        Of the cell's vectors and the atoms in it.
    before
        Temperatures and steps that come first: a melt, a quench.
    """

    name: str
    temp_k: float
    scale: float = 1.0
    before: tuple[tuple[float, int], ...] = ()


@dataclass(frozen=True)
class System:
    """What a pool is made of.

    Attributes
    ----------
    types
        Elements.
    teacher
        Gives the labels.
    start
        A structure without displacements, from a random generator.
    kinds
        Of frames: the first two are the common ones of an imbalanced pool, the others are rare.
    step_fs, every
        Of the MD, and steps between two frames.
    settings
        Of ML-POD, where they are not the defaults.
    """

    types: tuple[str, ...]
    teacher: Callable[[], Teacher]
    start: Callable[[np.random.Generator], Atoms]
    kinds: tuple[Kind, ...]
    step_fs: float = 2.0
    every: int = 10
    settings: Mapping[str, Any] = field(default_factory=dict)


TWO_ELEMENTS = {"fourbody_number_radial_basis_functions": 0, "fourbody_angular_degree": 0}
THREE_ELEMENTS = {
    **TWO_ELEMENTS,
    "threebody_number_radial_basis_functions": 4,
    "threebody_angular_degree": 3,
    "rcut": 4.0,
    "rin": 0.7,
}


def _mixed(atoms: Atoms, other: str, count: int, rng: np.random.Generator) -> Atoms:
    atoms.symbols[rng.permutation(len(atoms))[:count]] = other
    return atoms


def _copper(rng: np.random.Generator) -> Atoms:
    return bulk("Cu", "fcc", a=3.61, cubic=True).repeat(2)


def _aluminium_copper(rng: np.random.Generator) -> Atoms:
    return _mixed(bulk("Al", "fcc", a=4.03, cubic=True).repeat(2), "Cu", 8, rng)


def _silver_gold(rng: np.random.Generator) -> Atoms:
    return _mixed(bulk("Ag", "fcc", a=4.15, cubic=True).repeat((2, 1, 1)), "Au", 4, rng)


def _silicon(rng: np.random.Generator) -> Atoms:
    return bulk("Si", cubic=True, a=5.43).repeat(2)


def _silicon_carbide(rng: np.random.Generator) -> Atoms:
    return bulk("SiC", "zincblende", a=4.36, cubic=True).repeat(2)


def _slab(rng: np.random.Generator) -> Atoms:
    slab = fcc100("Cu", (3, 3, 4), a=3.61, vacuum=6.0)
    add_adsorbate(slab, "Cu", 1.8, "hollow")
    slab.pbc = True
    slab.center(axis=2)
    return Atoms(slab.symbols, slab.positions, cell=slab.cell, pbc=True)


def _glass(rng: np.random.Generator) -> Atoms:
    return _mixed(bulk("Cu", "bcc", a=3.27, cubic=True).repeat(3), "Zr", 27, rng)


def _ethanol(rng: np.random.Generator) -> Atoms:
    atoms = molecule("CH3CH2OH", vacuum=5.0)
    atoms.pbc = True
    return atoms


SYSTEMS: dict[str, System] = {
    "cu": System(
        ("Cu",),
        emt,
        _copper,
        (
            Kind("crystal 300 K", 300),
            Kind("crystal 800 K", 800),
            Kind("melt 1800 K", 1800, before=((4000, 300),)),
            Kind("compressed 1200 K", 1200, scale=0.95),
            Kind("stretched 1200 K", 1200, scale=1.05),
        ),
    ),
    "alcu": System(
        ("Al", "Cu"),
        lambda: LammpsTeacher(("Al", "Cu"), "eam/alloy", "AlCu.eam.alloy"),
        _aluminium_copper,
        (
            Kind("crystal 300 K", 300),
            Kind("crystal 600 K", 600),
            Kind("melt 1500 K", 1500, before=((4000, 1000),)),
            Kind("compressed 900 K", 900, scale=0.95),
            Kind("stretched 900 K", 900, scale=1.05),
        ),
        settings=TWO_ELEMENTS,
    ),
    "agau": System(
        ("Ag", "Au"),
        sevennet,
        _silver_gold,
        (
            Kind("crystal 300 K", 300),
            Kind("crystal 700 K", 700),
            Kind("melt 1600 K", 1600, before=((4000, 300),)),
            Kind("compressed 1000 K", 1000, scale=0.95),
            Kind("stretched 1000 K", 1000, scale=1.05),
        ),
        settings=TWO_ELEMENTS,
    ),
    "si": System(
        ("Si",),
        lambda: LammpsTeacher(("Si",), "sw", "Si.sw"),
        _silicon,
        (
            Kind("crystal 300 K", 300),
            Kind("crystal 1000 K", 1000),
            Kind("amorphous 600 K", 600, before=((5000, 2000), (2000, 4000), (1200, 4000))),
            Kind("liquid 2500 K", 2500, before=((5000, 2000),)),
            Kind("compressed 1000 K", 1000, scale=0.93),
        ),
        step_fs=1.0,
        every=20,
    ),
    "sic": System(
        ("Si", "C"),
        lambda: LammpsTeacher(("Si", "C"), "tersoff", "SiC.tersoff"),
        _silicon_carbide,
        (
            Kind("crystal 300 K", 300),
            Kind("crystal 1200 K", 1200),
            Kind("melt 4000 K", 4000, before=((9000, 3000),)),
            Kind("compressed 2000 K", 2000, scale=0.94),
            Kind("stretched 2000 K", 2000, scale=1.04),
        ),
        step_fs=1.0,
        every=20,
        settings=TWO_ELEMENTS,
    ),
    "surface": System(
        ("Cu",),
        emt,
        _slab,
        (
            Kind("slab 300 K", 300),
            Kind("slab 600 K", 600),
            Kind("slab 1100 K", 1100),
            Kind("molten slab 1800 K", 1800, before=((3000, 300),)),
            Kind("compressed slab 900 K", 900, scale=0.96),
        ),
    ),
    "cuzr": System(
        ("Cu", "Zr"),
        lambda: LammpsTeacher(("Cu", "Zr"), "eam/fs", "CuZr_mm.eam.fs"),
        _glass,
        (
            Kind("glass 300 K", 300, before=((3000, 2000), (1500, 2000), (800, 2000))),
            Kind("glass 700 K", 700, before=((3000, 2000), (1500, 2000))),
            Kind("melt 2000 K", 2000, before=((3000, 1000),)),
            Kind("compressed 1500 K", 1500, scale=0.95, before=((3000, 1000),)),
            Kind("crystal 1000 K", 1000),
        ),
        settings=TWO_ELEMENTS,
    ),
    "ethanol": System(
        ("C", "H", "O"),
        xtb,
        _ethanol,
        (
            Kind("300 K", 300),
            Kind("500 K", 500),
            Kind("900 K", 900),
            Kind("1300 K", 1300),
            Kind("1600 K", 1600),
        ),
        step_fs=0.5,
        every=10,
        settings=THREE_ELEMENTS,
    ),
}
TUNING = ("cu", "alcu")  # constants were tried on these; all others are for the verdict
