"""Scripts of the user. Here: what they have in common, and MD by a foundation model.

They are copied into the directory of their task and run by a command of the resource file, as it is
written there. Exit status 0 says that a script is through with its work.
"""

from __future__ import annotations

import logging
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from pwact import layout
from pwact.atom_properties import drop
from pwact.engines.heading import Heading
from pwact.engines.labelers import Purpose
from pwact.errors import CutOffError, InputError, TaskError
from pwact.fixed_atoms import held, held_in_part
from pwact.formats.extxyz import read_extxyz
from pwact.formats.structures import write_structure
from pwact.io import files
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock

logger = logging.getLogger(__name__)

POSCAR = "POSCAR"
TRAJECTORY = "traj.xyz"
CANDIDATES = "candidate.xyz"
OWNERS = "candidate.json"
SELECTED = "select.xyz"
SELECTED_INDEX = "select_idx.dat"
LABELLED = "train.xyz"
_RESERVED = (POSCAR, TRAJECTORY, CANDIDATES, OWNERS, SELECTED, SELECTED_INDEX, LABELLED)


class Script:
    """What all kinds of script have in common.

    Attributes
    ----------
    kind
        Word for jobs and tags.
    """

    kind = ""
    log = ""  # its words are among those of the job
    shell_check = '[ "$rc" -eq 0 ]'
    heading: Optional[Heading] = None

    def __init__(self, path: Path, block: ResourceBlock) -> None:
        self.path = path
        self.block = block

    def check_names(self) -> None:
        """Raise InputError if the script is called like a data file.

        A command that does not name the script may still run it; that gets a warning.
        """
        if self.path.name in _RESERVED:
            raise InputError("a script cannot have this name, which a data file has", self.path)
        if self.path.name not in self.block.command:
            logger.warning(
                "%s: %s.command is %r, which does not name %s; the script lies under this name in "
                "the directory of its task",
                self.block.file,
                self.block.name,
                self.block.command,
                self.path.name,
            )

    def identity(self) -> dict[str, Any]:
        """The script and the arguments that the command gives it."""
        arguments = self.block.command.partition(self.path.name)[2].strip()
        return {"script": files.tree_hash(self.path), "arguments": arguments}

    def copy_into(self, directory: Path) -> None:
        """Put the script where it runs, unless it is there."""
        copy = directory / self.path.name
        if not copy.exists():
            with files.replacing(copy) as aside:
                shutil.copyfile(self.path, aside)
                aside.chmod(self.path.stat().st_mode | stat.S_IWUSR)

    def demand_end(self, directory: Path) -> None:
        """Raise CutOffError unless the script is through with its work there."""
        if not (directory / layout.success_tag(self.kind)).exists():
            raise CutOffError(f"{directory}: the script did not end with exit status 0")

    def verdict(self, directory: Path, read: Callable[[Path], Any]) -> Verdict:
        """Done when the script ended well and `read` can read its result."""
        try:
            self.demand_end(directory)
            read(directory)
        except (CutOffError, InputError) as error:
            return incomplete(str(error))
        except TaskError as error:
            return unusable(str(error))
        return DONE


class MdScript(Script):
    """MD by a script: ``POSCAR`` in, ``traj.xyz`` out. See `pwact.engines.labelers.Labeler`."""

    kind = layout.BIGMODEL
    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"
    forces_on_held = True
    open_axes = False

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:  # noqa: ARG002
        """Raise InputError when the script has the name of a data file."""
        self.check_names()

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:  # noqa: ARG002
        """The structure alone: its POSCAR says nothing else."""
        made = atoms.copy()
        drop(made)
        return made

    def check_held(self, atoms: Atoms) -> str:
        """A script says itself what moves."""
        number = len(held(atoms)) + len(held_in_part(atoms))
        return f"{number} atoms are held, but {self.path.name} says itself what moves"

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The script and its arguments."""
        return self.identity()

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        purpose: Purpose,  # noqa: ARG002
        seed: int,  # noqa: ARG002
        step: Optional[int] = None,  # noqa: ARG002
    ) -> None:
        """Write the structure and copy the script."""
        write_structure(directory / POSCAR, atoms, self.structure_format)
        self.copy_into(directory)

    def command(self, purpose: Purpose) -> str:  # noqa: ARG002
        """The command of the resource file."""
        return self.block.command

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Complete when the script ended well and each frame has energy and forces."""

        def read(place: Path) -> None:
            self.read_result(place, purpose)

        return self.verdict(directory, read)

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:  # noqa: ARG002
        """All frames of the trajectory. Raises TaskError, InputError."""
        self.demand_end(directory)
        frames = read_extxyz(directory / TRAJECTORY)
        demand_labels(frames, directory / TRAJECTORY)
        return frames

    def kept_files(self, name: str) -> bool:
        """Keep the trajectory."""
        return name == TRAJECTORY


def demand_labels(frames: Sequence[Atoms], path: Path) -> None:
    """Raise TaskError unless each frame has energy and forces."""
    for number, atoms in enumerate(frames):
        if atoms.calc is None:
            raise TaskError(f"{path}: frame {number} has no energy and forces")
