"""Tables of what there is: engines, schedulers, data formats, all in one form.

Nothing is imported here but what Python brings, so that input keys, help and manual can take their
names from these tables. What a name stands for is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Optional, TypeVar, Union


@dataclass(frozen=True)
class Entry:
    """One line of a table.

    Attributes
    ----------
    place
        ``module:attribute`` of what does the work.
    aliases
        Other spellings of the name, in lower case.
    """

    place: str
    aliases: tuple[str, ...] = ()

    def load(self) -> Any:
        """What does the work, imported now."""
        module, _, attribute = self.place.partition(":")
        return getattr(import_module(module), attribute)


E = TypeVar("E", bound=Entry)


class Registry(dict[str, E]):
    """Entries by name, in the order in which they are shown."""

    def __setitem__(self, name: str, entry: Union[E, str]) -> None:
        """Put an entry; a place alone takes the place of the one that the name has."""
        made = replace(self[name], place=entry) if isinstance(entry, str) else entry
        super().__setitem__(name, made)

    def canonical(self, name: str) -> Optional[str]:
        """The name for a spelling in any case; None if there is none."""
        lower = name.lower()
        if lower in self:
            return lower
        return next((known for known, one in self.items() if lower in one.aliases), None)

    def nearest(self, name: str, among: Optional[Iterable[str]] = None) -> str:
        """The spelling that comes next to a wrong one, or ""."""
        import difflib  # noqa: PLC0415  only wrong names need it

        names = list(self if among is None else among)
        spellings = [*names, *(alias for one in names for alias in self[one].aliases)]
        return next(iter(difflib.get_close_matches(name.lower(), spellings, 1)), "")
