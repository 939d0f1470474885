"""Labels by a script of the user, a foundation model for instance: all frames in one task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from pwact import layout
from pwact.atom_properties import PROPERTIES, hand_on
from pwact.engines.assignment import taken
from pwact.engines.scripts.md import LABELLED, SELECTED, Script
from pwact.errors import InputError, TaskError
from pwact.formats.extxyz import read_extxyz, read_spoilt_labels, write_extxyz
from pwact.formats.frames import ordered
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.same_frame import match_frames

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock
    from pwact.verdict import Verdict

MISSING = f"the script left it out of {LABELLED}"
UNLABELLED = f"{LABELLED} has no finite energy and forces of it"


class LabelScript(Script):
    """Writes ``select.xyz``, reads ``train.xyz``. See `pwact.engines.batch.BatchLabeler`."""

    kind = layout.BIGMODEL
    given: Sequence[str] = (SELECTED,)
    # of a chain that has scripts only
    structure_format = "vasp/poscar"
    structure_postfix = ".poscar"

    def __init__(self, config: LabelConfig, block: ResourceBlock) -> None:
        if config.bigmodel_script is None:
            key = f"{config.key}.bigmodel_script".lstrip(".")
            raise InputError("this key is required for bigmodel", config.file, key)
        super().__init__(config.bigmodel_script, block)

    def validate(self, elements: frozenset[str]) -> None:  # noqa: ARG002
        """Raise InputError when the script has the name of a data file."""
        self.check_names()

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:  # noqa: ARG002
        """The structure with its moments, charges and tags, which ``select.xyz`` has as columns."""
        return taken(atoms, self.path.name, PROPERTIES)

    def fingerprint(self) -> dict[str, Any]:
        """The script and its arguments."""
        return self.identity()

    def write_batch(self, directory: Path, frames: Sequence[Atoms]) -> None:
        """Write the frames, without forces of the exploring model, and copy the script."""
        from ase import Atoms as Frame  # noqa: PLC0415

        bare = [
            hand_on(one, Frame(one.numbers, one.positions, cell=one.cell, pbc=one.pbc))
            for one in frames
        ]
        write_extxyz(directory / SELECTED, [ordered(one) for one in bare])
        self.copy_into(directory)

    def command(self) -> str:
        """The command of the resource file."""
        return self.block.command

    def check(self, directory: Path) -> Verdict:
        """Complete when the script ended well and its frames are those that were asked for."""
        return self.verdict(directory, self.read_batch)

    def read_batch(self, directory: Path) -> list[Union[Atoms, str]]:
        """Our frames with the labels of the script; see `pwact.engines.batch.BatchLabeler`.

        A script should keep the order; frames are recognised by their positions all the same, so
        that one that it leaves out shifts no label.
        """
        self.demand_end(directory)
        path = directory / LABELLED
        asked, made = read_extxyz(directory / SELECTED), read_spoilt_labels(path)
        if len(made) > len(asked):
            raise TaskError(
                f"{path}: holds {len(made)} frames, but {len(asked)} were asked for: does the "
                "script append to what an earlier try has left?"
            )
        answers: list[Union[Atoms, str]] = [MISSING] * len(asked)
        for index, frame in zip(match_frames(made, asked, range(len(asked)), path), made):
            answers[index] = _labelled(asked[index], frame)
        return answers


def _labelled(asked: Atoms, answer: Atoms) -> Union[Atoms, str]:
    """The frame that was asked for, its digits unchanged, with the labels of the answer."""
    if answer.calc is None:
        return UNLABELLED
    labels = labels_of(ordered(answer))
    set_labels(asked, labels.energy, labels.forces, labels.virial)
    return asked
