"""Parts of an init_bulk: entries that were given first, and those that were added later.

A part has its entries, its seed and its steps. What is done of one is kept when others come: from
the same input file, to which entries were appended, or from another one. Entries are known by what
is asked of them; the number of an entry, which its directory and its random numbers have, stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from pwact import layout
from pwact.fingerprint import differences
from pwact.workflow import ledger

GIVEN = "entries_given"


@dataclass(frozen=True)
class Part:
    """Some entries that are worked on together.

    Attributes
    ----------
    number
        0 for those that came first.
    seed
        Root of its random numbers.
    file
        Name of the input file; "" if the journal does not say.
    entries
        Number → what was asked of the entry.
    """

    number: int
    seed: int
    file: str
    entries: Mapping[int, Mapping[str, Any]]

    @property
    def prefix(self) -> str:
        """What stands before the names of its steps: "" or ``added-1/``."""
        return layout.part_prefix(self.number)

    def event(self) -> dict[str, Any]:
        """For the journal."""
        entries = {str(number): asked for number, asked in self.entries.items()}
        return {"part": self.number, "seed": self.seed, "file": self.file, "entries": entries}


@dataclass(frozen=True)
class Assignment:
    """Which entry of the present input is which.

    Attributes
    ----------
    numbers
        Part → place in the input → number of the entry.
    parts
        All parts, the new one (if there is one) last.
    new
        Whether there is a new one.
    """

    parts: Sequence[Part]
    numbers: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    new: bool = False


def known_parts(events: Sequence[Mapping[str, Any]]) -> list[Part]:
    """The parts that the journal tells of; of an older version the one that was collected."""
    found: dict[int, Part] = {}
    for event in events:
        if event["event"] == GIVEN:
            entries = {int(number): asked for number, asked in event["entries"].items()}
            found[event["part"]] = Part(event["part"], event["seed"], event["file"], entries)
    if not found:
        state = ledger.stages(events).get(layout.COLLECTION)
        if state is not None and state.done:
            names = {layout.init_config(number): number for number in range(10**4)}
            settings = state.inputs["settings"].items()
            entries = {names[name]: asked for name, asked in settings}
            found[0] = Part(0, state.inputs["seed"], "", entries)
    return [found[number] for number in sorted(found)]


def assign(
    known: Sequence[Part],
    asked: Sequence[Mapping[str, Any]],
    file: str,
    seed: Optional[int],
    root: int,
) -> Assignment:
    """Find out which entries are there already.

    An entry of which the same is asked is the same. Of what is left, an entry of the same file
    stands for one that this file asked for and does not any more: that was changed. All others are
    new, with the next free numbers.

    Parameters
    ----------
    asked
        What the present input asks of each of its entries, canonical.
    seed
        None if the input names none.
    root
        The root seed of new entries.
    """
    numbers: dict[int, dict[int, int]] = {part.number: {} for part in known}
    left = dict(enumerate(asked))
    free = {part.number: dict(part.entries) for part in known}
    for part in known:
        if seed in (None, part.seed):
            _pair(left, free[part.number], numbers[part.number], same=True)
    for part in known:
        if part.file in ("", file):
            _pair(left, free[part.number], numbers[part.number], same=False)
    if not left:
        return Assignment(known, numbers)
    first = 1 + max((number for part in known for number in part.entries), default=-1)
    number = 1 + max((part.number for part in known), default=-1)
    numbers[number] = {place: first + n for n, place in enumerate(left)}
    entries = {numbers[number][place]: one for place, one in left.items()}
    part = Part(number, root, file, entries)
    return Assignment([*known, part], numbers, new=True)


def _pair(
    left: dict[int, Mapping[str, Any]],
    free: dict[int, Mapping[str, Any]],
    numbers: dict[int, int],
    same: bool,
) -> None:
    """Give places in the input numbers of entries, and take both away from what is left."""
    for place, wanted in list(left.items()):
        for number in sorted(free, key=place.__ne__):
            if not same or not any(differences(dict(free[number]), wanted)):
                numbers[place] = number
                del left[place], free[number]
                break
