"""Whether a LAMMPS has a pair style, by its own list: part of ``pwact check``.

The list is that of a run: ``lmp -h`` prints it before any plugin is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from pwact.config.resources import ResourceBlock
from pwact.engines.lammps.program import lammps_program
from pwact.errors import InputError
from pwact.io.files import write_text
from pwact.registry.engines import TRAINERS

if TYPE_CHECKING:
    from pwact.config.run import RunConfig

INPUT = "in.styles"
LIST = "info styles pair"
_PAIR_STYLES = re.compile(r"^Pair styles:\s*$(.*?)^Info-", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class PairStyleTrial:
    """See `pwact.engines.making.MakesCalculator`.

    Attributes
    ----------
    style
        The first word of pair_style.
    source
        What to build LAMMPS with, for the message.
    """

    input_file: Path
    block: ResourceBlock
    style: str
    source: str
    trial = ("explore.pair_style", "looked for", "--plan --try")

    def write_making(self, directory: Path) -> None:
        """Write the input of LAMMPS."""
        write_text(directory / INPUT, f"{LIST}\n")

    def making_command(self, python: str) -> str:
        """Have LAMMPS list its styles."""
        return f"{lammps_program(python)} -log none -in {INPUT}"

    def read_making(self, directory: Path, printed: str) -> None:
        """Raise InputError, with file and key, unless the style is in the list."""
        del directory
        styles = _PAIR_STYLES.search(printed)
        if styles is None:
            lines = printed.strip().splitlines() or ["it printed nothing"]
            message = f"LAMMPS does not list its pair styles by {LIST} ({lines[-1].strip()[:300]})"
            raise InputError(message, self.block.file, f"{self.block.name}.command")
        if self.style not in styles[1].split():
            raise InputError(
                f"the LAMMPS of {self.block.name}.command ({self.block.file}) has no pair style "
                f"{self.style}; build it with {self.source}, or leave this key out: the MD then "
                "runs in ASE",
                self.input_file,
                "explore.pair_style",
            )


def pair_style_trial(config: RunConfig, explore: ResourceBlock) -> Optional[PairStyleTrial]:
    """For a pair style that the input names; None without one."""
    given = config.explore.pair_style
    if given is None:
        return None
    style = given.partition(" ")[0]
    source = TRAINERS[config.train.engine].pair_styles[style]
    return PairStyleTrial(config.file, explore, style, source)
