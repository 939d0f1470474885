"""Inputs of pw.x for the tests, and labelers that use them."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import numpy as np
from ase import Atoms
from ase.build import bulk

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines.qe.labeler import QeLabeler

PSEUDO = Path("/usr/share/espresso/pseudo")  # of Debian
# as people write them: comments with slashes, several keys in a line, what pwact puts in itself
TEXT = """! silicon / for pwact
&CONTROL calculation='{calculation}', nstep={nstep}, dt=40 ! 1.9 fs / step
  outdir = "/tmp", prefix='my'
  {control}
/
&SYSTEM
  ibrav=2, celldm(1)=10.2, nat=2, ntyp=1, ecutwfc=8, nosym=.true.
  {system}
/
&ELECTRONS
  conv_thr = 1d-9
  {electrons}
/
&IONS
  ion_temperature='initial', tempw=600
/
&CELL
/
ATOMIC_SPECIES
  {species}
ATOMIC_POSITIONS alat
 Si 0 0 0
 Si .25 .25 .25
{cards}
"""
MESH = "K_POINTS (automatic)\n  2 2 2 0 0 0"


def pw_input(
    calculation: str = "scf",
    nstep: int = 4,
    control: str = "",
    system: str = "",
    electrons: str = "",
    species: str = "Si 28.0855 Si.UPF",
    cards: str = MESH,
) -> str:
    return TEXT.format(**locals())


def upf(element: str, valence: float) -> str:
    """The head of a pseudopotential; enough for pwact, not for pw.x."""
    return (
        f'<UPF version="2.0.1">\n<PP_HEADER\nelement="{element}"\nz_valence="{valence:.6e}"\n/>\n'
    )


def labeler(
    folder: Path,
    text: str,
    pseudo: tuple[Path, ...] = (),
    kspacing: Optional[float] = None,
    command: str = "pw.x",
) -> QeLabeler:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "my.in"
    path.write_text(text)
    config = LabelConfig(
        file=folder / "param.json",
        style="qe",
        inputs=(DftInput(path, kspacing=kspacing),),
        pseudo=pseudo,
    )
    return QeLabeler(config, 0, ResourceBlock(name="DFT", command=command))


def head_only(folder: Path, element: str = "Si", valence: float = 4.0) -> Path:
    """A file with the head of a pseudopotential."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{element}.UPF"
    path.write_text(upf(element, valence))
    return path


def silicon() -> Atoms:
    """Two atoms in a strained cell, not where symmetry would have them."""
    atoms = bulk("Si")
    rng = np.random.default_rng(0)
    atoms.positions += rng.normal(0, 0.05, (2, 3)).round(6)
    atoms.set_cell(atoms.cell.array + rng.normal(0, 0.03, (3, 3)).round(6), scale_atoms=True)
    return atoms
