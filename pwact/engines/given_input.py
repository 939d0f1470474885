"""What labelers have in common whose settings stand in an input file of the user."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock

L = TypeVar("L", bound="WithChanges")


class WithChanges:
    """A labeler whose input may be changed for another try; see `pwact.engines.ladder`."""

    _changes: Mapping[str, Any] = MappingProxyType({})

    def demand_changes(self, changes: Mapping[str, Any]) -> None:
        """Raise InputError unless the table of the program allows each of them."""
        raise NotImplementedError

    def changed(self: L, changes: Mapping[str, Any]) -> L:
        """A labeler with these changes to the input of this one. Raises InputError."""
        self.demand_changes(changes)
        made = copy(self)
        made._changes = changes
        return made


class GivenInput(WithChanges):
    """A labeler that begins with the file `config.inputs[input_idx]` of the user."""

    def __init__(self, config: LabelConfig, input_idx: int, block: ResourceBlock) -> None:
        self.config = config
        self.input = config.inputs[input_idx]
        self.block = block
        self._said: set[str] = set()
