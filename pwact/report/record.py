"""Small facts as types: how they become JSON and are read from it.

A missing key takes its default, so that an older journal can still be read; keys that a type does
not know are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, Optional, TypeVar

Self = TypeVar("Self", bound="Record")

_OF = "of"  # which record stands in a field, alone or in a list
_SPARSE = "sparse"  # the field is not written while it has its default


@dataclass(frozen=True)
class Record:
    """Base of all records: conversion to and from JSON.

    Attributes
    ----------
    by_step
        The last word of the stages that leave it; "" for a part of a report.
    """

    by_step: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """All fields as plain JSON values, but sparse ones that have their defaults."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {
            one.name: _stored(values[one.name])
            for one in fields(self)
            if not is_sparse(one) or values[one.name] != _default(one)
        }

    @classmethod
    def from_json(cls: type[Self], stored: Mapping[str, Any]) -> Self:
        """The record in `stored`."""
        known = [one for one in fields(cls) if one.name in stored]
        return cls(**{one.name: _read(stored[one.name], one.metadata.get(_OF)) for one in known})


def sparse(default: Any, of: Optional[type[Record]] = None) -> Any:
    """A field that is not written while it has its default; holds records of type `of`, if any."""
    return field(default=default, metadata={_OF: of, _SPARSE: True})


def table() -> Any:
    """A field with any number of values by names, not written without any."""
    return field(default_factory=dict, metadata={_SPARSE: True})


def records(of: type[Record]) -> Any:
    """A field with any number of records of one type."""
    return field(default=(), metadata={_OF: of})


def is_sparse(one: Field[Any]) -> bool:
    """Whether a field is left out while it has its default."""
    return bool(one.metadata.get(_SPARSE))


def _default(one: Any) -> Any:
    return one.default if one.default is not MISSING else one.default_factory()


def _stored(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if is_dataclass(value):
        return {one.name: _stored(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: _stored(one) for key, one in value.items()}
    return type(value)(map(_stored, value)) if isinstance(value, (list, tuple)) else value


def _read(value: Any, of: Optional[type[Record]]) -> Any:
    if isinstance(value, list):
        value = tuple(value)
    if of is None or value is None:
        return value
    return tuple(map(of.from_json, value)) if isinstance(value, tuple) else of.from_json(value)
