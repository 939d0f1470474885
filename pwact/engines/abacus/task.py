"""What a task of ABACUS is given: INPUT with a few lines of ours, STRU, KPT.

Ours are where files lie, that forces and stress are printed, that an MD dumps every step, and its
seed. The rest of INPUT is the user's, line by line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.atom_properties import MOMENTS, properties_of
from pwact.engines.abacus.species import BY_SPECIES, by_species, needs_orbitals
from pwact.engines.kpoints import DEFAULT_KSPACING, mesh
from pwact.engines.labelers import Purpose
from pwact.engines.md_steps import MdProgress
from pwact.fixed_atoms import along_axes, any_fixed
from pwact.formats.abacus_input import AbacusInput
from pwact.formats.abacus_stru import Species, stru_text
from pwact.formats.thermo import last_number

if TYPE_CHECKING:
    from ase import Atoms

INPUT, STRU, KPT = "INPUT", "STRU", "KPT"
LOG = "dft.log"
SUFFIX = "pwact"
OUT = f"OUT.{SUFFIX}"
CALCULATIONS = {
    Purpose.SCF: ("scf",),
    Purpose.AIMD: ("md",),
    Purpose.RELAX: ("relax", "cell-relax"),
}
DEFAULT_MD_STEPS = 10
_SEEDS = 2**31 - 1
_GONE = frozenset({"ntype", "latname", "lattice_constant", "read_file_dir"})


def calculation(root: AbacusInput) -> str:
    """What the input computes."""
    return root.word("calculation", "scf")


def evaluations_of(root: AbacusInput) -> int:
    """How many evaluations an MD has: the first structure, and one after each step."""
    return root.whole("md_nstep", DEFAULT_MD_STEPS) + 1


def running_log(root: AbacusInput) -> str:
    """Name of the log that a calculation writes into `OUT`."""
    return f"running_{calculation(root)}.log"


def input_values(
    root: AbacusInput, species: Sequence[Species], atoms: Atoms, purpose: Purpose, seed: int
) -> dict[str, str]:
    """What is ours of the INPUT of a task."""
    values = {"suffix": SUFFIX, "stru_file": STRU, "kpoint_file": KPT, "pseudo_dir": "./"}
    if needs_orbitals(root):
        values["orbital_dir"] = "./"
    values.update(cal_force="1", cal_stress="1")
    if purpose is Purpose.AIMD:
        values.update(md_dumpfreq="1", md_seed=str(seed % _SEEDS), dump_force="1", dump_virial="1")
    values.update(by_species(root, species, set(atoms.get_chemical_symbols())))
    return values


def input_text(root: AbacusInput, values: Mapping[str, str]) -> str:
    """The INPUT of a task: the user's with these values."""
    return root.render(values, _GONE | frozenset(BY_SPECIES))


def stru_of(atoms: Atoms, species: Sequence[Species], purpose: Purpose) -> str:
    """The STRU of a task."""
    held = purpose is not Purpose.SCF and any_fixed(atoms)
    free = 1 - along_axes(atoms).astype(int) if held else None
    return stru_text(atoms, species, free, properties_of(atoms).get(MOMENTS))


def kpt_text(root: AbacusInput, cell: np.ndarray, kspacing: Optional[float]) -> Optional[str]:
    """The KPT of a task: the user's, else a mesh; None where INPUT has a kspacing of its own."""
    beside = kpt_beside(root)
    if beside is not None:
        return beside.read_text(encoding="utf-8")
    if has_kspacing(root) or root.switch("gamma_only"):
        return None
    numbers = " ".join(map(str, mesh(cell, kspacing or DEFAULT_KSPACING)))
    return f"K_POINTS\n0\nGamma\n{numbers} 0 0 0\n"


def kpt_beside(root: AbacusInput) -> Optional[Path]:
    """The KPT of the user, if there is one."""
    path = root.path.parent / root.text("kpoint_file", KPT)
    if path.is_file():
        return path
    if root.words("kpoint_file"):
        raise root.error("kpoint_file", f"{path} is not there")
    return None


def has_kspacing(root: AbacusInput) -> bool:
    """Whether INPUT has a kspacing (1/bohr) above 0, from which ABACUS makes the mesh itself."""
    words = root.words("kspacing")
    try:
        return any(float(word) > 0 for word in words)
    except ValueError:
        raise root.error("kspacing", f"found {' '.join(words)}; expected numbers") from None


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    root = AbacusInput(directory / INPUT)
    if calculation(root) not in CALCULATIONS[Purpose.AIMD]:
        return None
    log = directory / OUT / running_log(root)
    pattern = r"^\s*STEP OF MOLECULAR DYNAMICS\s*:\s*(\d+)"
    return MdProgress(last_number(log, pattern), evaluations_of(root) - 1)
