"""Where the label of each structure of a stage comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Optional, Union

from pwact.io.appended import Appended
from pwact.workflow.labels.store import LabelStore

if TYPE_CHECKING:
    from ase import Atoms

_STORE = ""  # in place of a directory: the label was in the store when it was asked for
Source = Union[Path, "Atoms"]


class Sources:
    """Where the label of each structure of a stage comes from: a task, or the store.

    It is written down before anything is done, so that a stage that is taken up again decides as
    it did before.

    Parameters
    ----------
    path
        The file; directories in it are relative to its own.
    """

    def __init__(self, path: Path, store: LabelStore) -> None:
        self.store = store
        self.path = path
        self._kept = Appended(path)
        self._places = {key: str(place) for key, place in self._kept.values.items()}
        self._new: dict[str, str] = {}

    def of(
        self,
        key: str,
        frame: Atoms,
        own: Path,
        own_first: bool = False,
        others: Sequence[str] = (),
    ) -> Source:
        """The label itself, or the directory of the task that computes it.

        Parameters
        ----------
        own
            Directory of a task for this very frame, if there must be one.
        own_first
            Whether such a directory counts when it exists, whatever was written down.
        others
            Names under which a label of a later try is kept.
        """
        if own_first and own.is_dir():
            return own
        place = self._places.get(key)
        if place:
            return self.path.parent / place
        kept = self._kept_label((key, *others), frame)
        new = _STORE if kept is not None else own.relative_to(self.path.parent).as_posix()
        self._put(key, new)
        return own if kept is None else kept

    def from_store(self, keys: Sequence[str], frame: Atoms) -> Optional[Atoms]:
        """The label itself, whatever was decided before; None if the store has none."""
        kept = self._kept_label(keys, frame)
        if kept is not None:
            self._put(keys[0], _STORE)
        return kept

    def note(self, key: str, place: Path) -> None:
        """Take note of the task that has computed a label of a later try."""
        self._put(key, place.relative_to(self.path.parent).as_posix())

    def _kept_label(self, keys: Sequence[str], frame: Atoms) -> Optional[Atoms]:
        labels = (self.store.get(key, frame) for key in keys)
        return next((label for label in labels if label is not None), None)

    def _put(self, key: str, place: str) -> None:
        if self._places.get(key) != place:
            self._places[key] = self._new[key] = place

    def write(self) -> None:
        """Put on record what was decided."""
        self._kept.add(self._new)
        self._new = {}
