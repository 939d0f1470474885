"""How far an MD is that may still run, in steps, whichever program runs it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Optional

from pwact import layout
from pwact.registry import Entry
from pwact.registry.engines import EXPLORERS, LABELERS

MD_KINDS = frozenset({"md", layout.AIMD})  # of jobs


class MdProgress(NamedTuple):
    """Steps of an MD.

    Attributes
    ----------
    made
        The last one that its output has; None before the first.
    asked
        How many it shall make.
    """

    made: Optional[float]
    asked: int


def steps_made(directory: Path) -> Optional[tuple[int, int]]:
    """Steps that the MD of a task has made, and those asked for; None where it is no MD.

    The program is known by the input in the directory. Outputs are read while they are written:
    what cannot be read yet counts as not there.
    """
    known = [explorer.md for explorer in EXPLORERS.values()]
    known += [labeler.md for labeler in LABELERS.values()]
    for md in dict.fromkeys(known):
        if md is not None and (directory / md.asked).is_file():
            try:
                found = Entry(md.place).load()(directory)
            except Exception:  # noqa: BLE001  nothing depends on it, whatever is half written
                found = None
            if found is not None and found.asked:
                return min(int(found.made or 0), found.asked), found.asked
    return None
