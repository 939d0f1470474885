"""The choice of frames by a script of the user (DIRECT)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.engines.scripts.md import (
    CANDIDATES,
    OWNERS,
    SELECTED,
    SELECTED_INDEX,
    Script,
    demand_labels,
)
from pwact.errors import InputError
from pwact.fingerprint import extended
from pwact.formats.extxyz import iterate_extxyz, read_extxyz
from pwact.formats.same_frame import match_frames
from pwact.io import files

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock
    from pwact.verdict import Verdict


@dataclass(frozen=True)
class Selection:
    """What a DIRECT script chose.

    Attributes
    ----------
    frames
        The frames of ``select.xyz``.
    indices
        For each of them its number in ``candidate.xyz``, from 0 on.
    """

    frames: list[Atoms]
    indices: list[int]


class DirectScript(Script):
    """Choice of frames by a script: ``candidate.xyz`` in, ``select.xyz`` and numbers out.

    Parameters
    ----------
    labels_needed
        Whether the chosen frames must have energies and forces, since nobody labels them later.
    """

    kind = layout.DIRECT
    given: Sequence[str] = (CANDIDATES, OWNERS)

    def __init__(self, path: Path, block: ResourceBlock, labels_needed: bool) -> None:
        super().__init__(path, block)
        self.labels_needed = labels_needed

    def validate(self) -> None:
        """Raise InputError when the script has the name of a data file."""
        self.check_names()

    def fingerprint(self) -> dict[str, Any]:
        """The script, its arguments, and what is asked of it."""
        return extended(self.identity(), labels_needed=self.labels_needed)

    def write_input(self, directory: Path, candidates: Iterable[bytes]) -> None:
        """Write the script and the candidates, unless they are there.

        Parameters
        ----------
        candidates
            Text of ``candidate.xyz`` in pieces; asked only when the file is not there.
        """
        self.copy_into(directory)
        path = directory / CANDIDATES
        if path.exists():
            return
        with files.replacing(path) as aside, aside.open("wb") as stream:
            stream.writelines(candidates)

    def command(self) -> str:
        """The command of the resource file."""
        return self.block.command

    def check(self, directory: Path) -> Verdict:
        """Complete when the script ended well and its choice can be read."""
        return self.verdict(directory, self.read_result)

    def read_result(self, directory: Path) -> Selection:
        """What was chosen; it may be nothing.

        The frames are those of ``select.xyz``. Their positions say which candidates they are:
        first of all the one that ``select_idx.dat`` names, since two may be alike, but some scripts
        drop a frame from the one file and not from the other, or count from 1.

        Raises
        ------
        InputError
            A file is missing or cannot be read.
        TaskError
            A frame is none of the candidates, is there twice, or lacks labels that are needed.
        """
        path = directory / SELECTED
        frames = selected_frames(path)
        if self.labels_needed:
            demand_labels(frames, path)
        candidates = read_extxyz(directory / CANDIDATES)
        listed = _indices(directory / SELECTED_INDEX, len(candidates))
        if listed and not frames:
            raise InputError(f"holds no frame, but {SELECTED_INDEX} lists {len(listed)}", path)
        return Selection(frames, match_frames(frames, candidates, listed, path))


def selected_frames(path: Path) -> list[Atoms]:
    """The frames of ``select.xyz``; none if a script chose none."""
    return list(iterate_extxyz(path))


def write_owners(directory: Path, owners: Sequence[tuple[int, int]]) -> None:
    """Write ``candidate.json``: whose the candidates are.

    Parameters
    ----------
    owners
        For each trajectory the place of its entry in sys_configs, and its number of frames.
    """
    listed = {str(k): {"idx": entry, "num": count} for k, (entry, count) in enumerate(owners)}
    files.write_text(directory / OWNERS, json.dumps(listed, indent=1) + "\n")


def read_owners(directory: Path) -> list[int]:
    """For each candidate the place of its entry in sys_configs."""
    owners = json.loads((directory / OWNERS).read_text(encoding="utf-8")).values()
    return [int(one["idx"]) for one in owners for _ in range(one["num"])]


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
            raise InputError(f"{number:g} is no frame of {count} candidates, from 0 on", path)
    return [int(number) for number in numbers]
