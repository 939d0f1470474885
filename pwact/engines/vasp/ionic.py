"""What one pass over an OUTCAR finds of its ionic steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact.engines.md_steps import MdProgress
from pwact.engines.vasp.incar import read_incar
from pwact.formats.outcar import IonicStep, Outcar
from pwact.formats.thermo import last_number

if TYPE_CHECKING:
    from ase import Atoms


@dataclass
class OnePass:
    """What one pass over an OUTCAR found.

    Attributes
    ----------
    good
        How many frames are converged; `frames` holds them if they are kept.
    lost
        Numbers of the ionic steps that did not converge.
    """

    outcar: Outcar
    steps: int = 0
    good: int = 0
    last: Optional[IonicStep] = None
    frames: list[Atoms] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether VASP ended by itself, or made all the steps that it was asked for."""
        head = self.outcar.head
        return self.outcar.ended or (head is not None and 0 < head.nsw <= self.steps)


def read_once(path: Path, keep: bool) -> OnePass:
    """Read an OUTCAR; its frames are kept if asked for. Raises TaskError where it is damaged."""
    run = OnePass(Outcar(path))
    for step in run.outcar:
        run.steps += 1
        run.last = step
        if not step.converged or (run.outcar.head is not None and run.outcar.head.no_labels):
            run.lost.append(step.number)
        elif step.atoms is not None:
            run.good += 1
            if keep:
                run.frames.append(step.atoms)
    return run


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    incar = read_incar(directory / "INCAR")
    if incar.integer("IBRION", -1) != 0:
        return None
    return MdProgress(
        last_number(directory / "OSZICAR", r"^\s*(\d+)\s+T="), incar.integer("NSW", 0)
    )
