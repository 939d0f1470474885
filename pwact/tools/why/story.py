"""Where a frame of a data set comes from: its whole story, from what a campaign has on record.

Nothing is guessed: what neither the journal nor a table says is None.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.errors import UsageError
from pwact.formats.frames import composition_name, format_found, iterate_frames
from pwact.formats.labels import labels_of
from pwact.formats.same_frame import structure_key, structure_mark
from pwact.report.why import Section
from pwact.tools.why.explored import explored_story
from pwact.tools.why.first import first_story
from pwact.tools.why.records import Records
from pwact.workflow.ledger import place_of

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Found:
    """A frame of a data set that a campaign made.

    Attributes
    ----------
    stage
        Name of the stage that wrote the data set.
    index
        Its number there, from 0.
    """

    stage: str
    data: Path
    index: int


def why(words: Sequence[str], here: Path, campaign: Optional[Path] = None) -> list[Section]:
    """The story of a frame.

    Parameters
    ----------
    words
        ``PATH:NUMBER`` or both by themselves; numbers count from 0.
    campaign
        The work directory; else that above the data set.

    Raises
    ------
    UsageError
        There is no such frame, or no campaign.
    InputError
        The data set cannot be read.
    """
    path, number = _named(words, here)
    frame = _frame(path, number)
    records = Records(_work_dir(path) if campaign is None else here / campaign)
    found = _found(records, path, number, frame)
    sections = [Section("frame", _looks(path, number, frame))]
    if found is None:
        return [*sections, Section("origin", _foreign(records, path))]
    sections.append(Section("data", _place(records, found)))
    iteration, _ = place_of(found.stage)
    if iteration is None:
        return [*sections, *first_story(records, found.data, structure_mark(frame))]
    return [*sections, *explored_story(records, iteration, found.data, found.index, frame)]


def _named(words: Sequence[str], here: Path) -> tuple[Path, int]:
    """The data set and the number of the frame."""
    text = ":".join(words)
    match = re.fullmatch(r"(.+):(\d+)", text, re.DOTALL)
    if match is None:
        raise UsageError(f"found {text!r}; expected DATA:NUMBER, as in train.xyz:12 (from 0)")
    path = here / match[1]
    if not path.exists():
        raise UsageError(f"there is no data set {path}")
    return path, int(match[2])


def _frames(path: Path) -> Iterator[Atoms]:
    data_format = format_found(path)
    if not data_format:
        raise UsageError(f"{path} is no data set of a format that pwact writes")
    return (atoms for _, _, atoms in iterate_frames(path, data_format, True))


def _frame(path: Path, number: int) -> Atoms:
    count = 0
    for count, atoms in enumerate(_frames(path), 1):
        if count > number:
            return atoms
    raise UsageError(f"{path} has {count} frames, numbered from 0; found {number}")


def _work_dir(path: Path) -> Path:
    """The directory above a data set that holds a campaign."""
    for place in path.absolute().parents:
        if (place / layout.STATE_DIR / layout.JOURNAL).is_file():
            return place
    raise UsageError(f"{path} lies in no campaign of pwact; name its directory by --campaign")


def _looks(path: Path, number: int, frame: Atoms) -> dict[str, Any]:
    labels = labels_of(frame)
    return {
        "data_set": str(path),
        "number": number,
        "atoms": len(frame),
        "composition": composition_name(frame),
        "energy_ev": labels.energy,
        "structure": structure_key(frame),
    }


def _found(records: Records, path: Path, number: int, frame: Atoms) -> Optional[Found]:
    """Where a campaign wrote this frame first: the place itself, else by the structure."""
    for stage, data in records.data_sets():
        if data.resolve() == path.resolve():
            return Found(stage, data, number)
    mark = structure_mark(frame)
    for stage, data in records.data_sets():
        for index, one in enumerate(_frames(data) if data.exists() else ()):
            if len(one) == len(frame) and structure_mark(one) == mark:
                return Found(stage, data, index)
    return None


def _place(records: Records, found: Found) -> dict[str, Any]:
    return {
        "made_by": found.stage,
        "in": records.relative(found.data),
        "number_there": found.index,
        "by_pwact_0.4_or_older": found.stage in records.taken,
        "trained_on_in": records.trained_on(found.data),
    }


def _foreign(records: Records, path: Path) -> dict[str, Any]:
    """What is known of a data set that the campaign did not make."""
    return {
        "made_here": False,
        "trained_on_in": records.trained_on(path),
        "validated_on_in": records.trained_on(path, "valid_data"),
    }
