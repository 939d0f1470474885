"""Scripts of the user: MD by a foundation model, and the choice of frames (DIRECT).

Both are copied into the directory of their task and run by a command of the resource file, as it is
written there. Exit status 0 says that a script is through with its work.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.engines.base import Purpose
from pwact.errors import InputError, TaskError
from pwact.io import files
from pwact.io.extxyz import read_extxyz
from pwact.io.same_frame import match_frames
from pwact.io.structures import write_structure
from pwact.verdict import DONE, Verdict, incomplete, unusable

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock

POSCAR = "POSCAR"
TRAJECTORY = "traj.xyz"
CANDIDATES = "candidate.xyz"
OWNERS = "candidate.json"
SELECTED = "select.xyz"
SELECTED_INDEX = "select_idx.dat"
_RESERVED = (POSCAR, TRAJECTORY, CANDIDATES, OWNERS, SELECTED, SELECTED_INDEX)


class _Script:
    """What both kinds of script have in common.

    Attributes
    ----------
    kind
        Word for jobs and tags.
    """

    kind = ""
    log = ""  # its words are among those of the job
    shell_check = '[ "$rc" -eq 0 ]'

    def __init__(self, path: Path, block: ResourceBlock) -> None:
        self.path = path
        self.block = block

    def _check_name(self) -> None:
        if self.path.name in _RESERVED:
            raise InputError("a script cannot have this name, which a data file has", self.path)

    def _identity(self) -> dict[str, Any]:
        """The script and the arguments that the command gives it."""
        arguments = self.block.command.partition(self.path.name)[2].strip()
        return {"script": files.tree_hash(self.path), "arguments": arguments}

    def _ended(self, directory: Path) -> bool:
        return (directory / layout.success_tag(self.kind)).exists()


class MdScript(_Script):
    """MD by a script: ``POSCAR`` in, ``traj.xyz`` out. See `pwact.engines.base.Labeler`."""

    kind = layout.BIGMODEL
    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"

    def validate(self, purpose: Purpose, elements: frozenset[str]) -> None:  # noqa: ARG002
        """Raise InputError when the script has the name of a data file."""
        self._check_name()

    def fingerprint(self, purpose: Purpose) -> dict[str, Any]:  # noqa: ARG002
        """The script and its arguments."""
        return self._identity()

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
        shutil.copy(self.path, directory / self.path.name)

    def command(self, purpose: Purpose) -> str:  # noqa: ARG002
        """The command of the resource file."""
        return self.block.command

    def check(self, directory: Path, purpose: Purpose) -> Verdict:
        """Complete when the script ended well and each frame has energy and forces."""
        if not self._ended(directory):
            return incomplete("the script did not end with exit status 0")
        try:
            self.read_result(directory, purpose)
        except InputError as error:
            return incomplete(str(error))
        except TaskError as error:
            return unusable(str(error))
        return DONE

    def read_result(self, directory: Path, purpose: Purpose) -> list[Atoms]:  # noqa: ARG002
        """All frames of the trajectory. Raises TaskError, InputError."""
        if not self._ended(directory):
            raise TaskError(f"{directory}: the script did not end with exit status 0")
        frames = read_extxyz(directory / TRAJECTORY)
        demand_labels(frames, directory / TRAJECTORY)
        return frames

    def kept_files(self, name: str) -> bool:
        """Keep the trajectory."""
        return name == TRAJECTORY


@dataclass(frozen=True)
class Selection:
    """What a DIRECT script chose.

    Attributes
    ----------
    frames
        The frames of ``select.xyz``.
    indices
        For each of them its number in ``candidate.xyz``, from 0 on.
    entries
        For each of them the place of its entry in sys_configs.
    """

    frames: list[Atoms]
    indices: list[int]
    entries: list[int]


class DirectScript(_Script):
    """Choice of frames by a script.

    Parameters
    ----------
    labels_needed
        Whether the chosen frames must have energies and forces, since nobody labels them later.
    """

    kind = layout.DIRECT

    def __init__(self, path: Path, block: ResourceBlock, labels_needed: bool) -> None:
        super().__init__(path, block)
        self.labels_needed = labels_needed

    def validate(self) -> None:
        """Raise InputError when the script has the name of a data file."""
        self._check_name()

    def fingerprint(self) -> dict[str, Any]:
        """The script, its arguments, and what is asked of it."""
        return {**self._identity(), "labels_needed": self.labels_needed}

    def write_input(self, directory: Path, trajectories: Sequence[tuple[int, Path]]) -> None:
        """Write what is not there yet: the candidates, whose they are, and the script.

        Parameters
        ----------
        trajectories
            Place of an entry in sys_configs, and extxyz file of one of its trajectories.
        """
        script, owners = directory / self.path.name, directory / OWNERS
        if not script.exists():
            with files.replacing(script) as aside:
                shutil.copy(self.path, aside)
        if owners.exists():
            return
        listed = {}
        with files.replacing(directory / CANDIDATES) as aside, aside.open("wb") as stream:
            for number, (entry, path) in enumerate(trajectories):
                listed[str(number)] = {"idx": entry, "num": len(read_extxyz(path))}
                stream.write(path.read_bytes().rstrip() + b"\n")
        files.write_text(owners, json.dumps(listed, indent=1) + "\n")

    def command(self) -> str:
        """The command of the resource file."""
        return self.block.command

    def check(self, directory: Path) -> Verdict:
        """Complete when the script ended well and its choice can be read."""
        if not self._ended(directory):
            return incomplete("the script did not end with exit status 0")
        try:
            self.read_result(directory)
        except InputError as error:
            return incomplete(str(error))
        except TaskError as error:
            return unusable(str(error))
        return DONE

    def read_result(self, directory: Path) -> Selection:
        """What was chosen.

        The frames are those of ``select.xyz``. Where ``select_idx.dat`` has as many numbers, these
        say which candidates they are, else the positions do: some scripts drop a frame from the
        one file and not from the other.

        Raises
        ------
        InputError
            A file is missing or cannot be read.
        TaskError
            A frame is none of the candidates, or lacks labels that are needed.
        """
        frames = read_extxyz(directory / SELECTED)
        if self.labels_needed:
            demand_labels(frames, directory / SELECTED)
        candidates = read_extxyz(directory / CANDIDATES)
        listed = _indices(directory / SELECTED_INDEX, len(candidates))
        if len(listed) != len(frames):
            listed = match_frames(frames, candidates, listed, directory / SELECTED)
        for number, (frame, index) in enumerate(zip(frames, listed)):
            if sorted(frame.numbers) != sorted(candidates[index].numbers):
                raise TaskError(
                    f"{directory / SELECTED}: frame {number} has other atoms than candidate "
                    f"{index}, which {SELECTED_INDEX} says it is"
                )
        owners = json.loads((directory / OWNERS).read_text(encoding="utf-8")).values()
        entries = [one["idx"] for one in owners for _ in range(one["num"])]
        return Selection(frames, listed, [entries[index] for index in listed])


def demand_labels(frames: Sequence[Atoms], path: Path) -> None:
    """Raise TaskError unless each frame has energy and forces."""
    for number, atoms in enumerate(frames):
        if atoms.calc is None:
            raise TaskError(f"{path}: frame {number} has no energy and forces")


def _indices(path: Path, count: int) -> list[int]:
    """Numbers of a file, one a line, below `count`."""
    try:
        words = path.read_text(encoding="utf-8", errors="replace").split()
        numbers = [float(word) for word in words]
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    except ValueError as error:
        raise InputError(f"holds other things than numbers: {error}", path) from error
    for number in numbers:
        if not (0 <= number < count and number == int(number)):
            raise InputError(f"{number:g} is no frame of {count} candidates", path)
    return [int(number) for number in numbers]
