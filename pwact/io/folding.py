"""The events of a journal up to a moment, and what was made of them, read on as it grows."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, Union, cast, overload

Event = Mapping[str, Any]


class Fold(Protocol):
    """What is made of events that are read one after the other; it begins without arguments."""

    def read(self, position: int, event: Event) -> None:
        """Take in the event of this number."""


F = TypeVar("F", bound=Fold)


class Folds:
    """What was made of the events of one journal so far, each event read once."""

    def __init__(self) -> None:
        self._guard = threading.RLock()
        self._kept: dict[type[Fold], tuple[int, Fold]] = {}

    def of(self, kind: type[F], events: Sequence[Event], length: int) -> F:
        """What `kind` makes of the first `length` events; it must not be changed by the caller."""
        with self._guard:
            seen, fold = self._kept.get(kind, (0, None))
            if fold is None or seen > length:  # a look at the past: nothing is kept of it
                seen, fold = 0, kind()
            for position in range(seen, length):
                fold.read(position, events[position])
            if length >= self._kept.get(kind, (0, None))[0]:
                self._kept[kind] = (length, fold)
            return cast(F, fold)


class Events(Sequence[Event]):
    """The first events of a journal, which goes on without changing them.

    Parameters
    ----------
    whole
        All events of the journal; it only grows.
    length
        How many of them are seen here.
    """

    def __init__(self, whole: Sequence[Event], length: int, folds: Folds) -> None:
        self._whole = whole
        self._length = length
        self._folds = folds

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Event]:
        return (self._whole[position] for position in range(self._length))

    @overload
    def __getitem__(self, index: int) -> Event: ...

    @overload
    def __getitem__(self, index: slice) -> list[Event]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Event, list[Event]]:
        if isinstance(index, slice):
            return [self._whole[one] for one in range(*index.indices(self._length))]
        return self._whole[range(self._length)[index]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def folded(self, kind: type[F]) -> F:
        """What `kind` makes of these events; it must not be changed by the caller."""
        return self._folds.of(kind, self._whole, self._length)


def folded(events: Sequence[Event], kind: type[F]) -> F:
    """What `kind` makes of events; of those of a journal, only what is new is read."""
    if isinstance(events, Events):
        return events.folded(kind)
    fold = kind()
    for position, event in enumerate(events):
        fold.read(position, event)
    return fold
