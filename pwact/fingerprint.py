"""What a result depends on, as JSON in which an absent key stands for its declared default.

A release may so add a key: campaigns that were begun before it, whose journals lack the key, go on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

_NONE: Mapping[str, Any] = {}


ANY = "<whatever it is>"  # a default: campaigns of versions that did not look go on


class Settings(dict[str, Any]):
    """A JSON object that knows the defaults of some of its keys.

    Parameters
    ----------
    values
        The object.
    defaults
        Key → what it stands for where it is absent. A key that is written no more stays here with
        its last default, so that older journals are understood.
    """

    def __init__(self, values: Mapping[str, Any], defaults: Mapping[str, Any] = _NONE) -> None:
        super().__init__(values)
        self.defaults = dict(defaults)


def settings_of(declared: Any, **more: Any) -> Settings:
    """The fields of a dataclass, of which those with a default may be absent; `more` are others.

    Fields that are dataclasses themselves are treated alike.
    """
    values: dict[str, Any] = dict(more)
    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(declared):
        value = getattr(declared, field.name)
        values[field.name] = _plain(value)
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = _plain(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = _plain(field.default_factory())
    return Settings(values, defaults)


def extended(given: Mapping[str, Any], **more: Any) -> Settings:
    """`given` with more keys; it keeps the defaults that it knows."""
    return Settings({**given, **more}, given.defaults if isinstance(given, Settings) else _NONE)


def _plain(value: Any) -> Any:
    inner = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return settings_of(value) if inner else value


def canonical(value: Any) -> Any:
    """`value` as it is read back from JSON (tuples become lists), defaults still known.

    Raises
    ------
    TypeError, ValueError
        It cannot be written as JSON, or holds a number that is not finite.
    """
    return _with_defaults(json.loads(text_of(value)), value)


def _with_defaults(plain: Any, value: Any) -> Any:
    """Put the defaults that `value` knows into its copy that was read back from JSON."""
    if isinstance(value, Mapping):
        members = {str(name): member for name, member in value.items()}
        made = {name: _with_defaults(plain[name], members.get(name)) for name in plain}
        return Settings(made, canonical(value.defaults)) if isinstance(value, Settings) else made
    if isinstance(value, (list, tuple)):
        return [_with_defaults(one, member) for one, member in zip(plain, value)]
    return plain


def text_of(value: Any) -> str:
    """One text for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def without_defaults(value: Any) -> Any:
    """`value` without what says no more than its absence: one text in every release."""
    if isinstance(value, Mapping):
        defaults = value.defaults if isinstance(value, Settings) else _NONE
        left = {}
        for name, member in value.items():
            said = without_defaults(member)
            default = name in defaults and text_of(member) == text_of(defaults[name])
            if not default and (said or not isinstance(member, Settings)):
                left[name] = said
        return left
    if isinstance(value, (list, tuple)):
        return [without_defaults(one) for one in value]
    return value


ABSENT = object()


def differences(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Path, former and present value of every field that differs.

    `old` is as it was read from the journal, `new` may know defaults. A list of another length is
    one difference.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        defaults = new.defaults if isinstance(new, Settings) else _NONE
        for key in sorted({*old, *new}):
            where = f"{path}.{key}" if path else str(key)
            default = defaults.get(key, ABSENT)
            if default == ANY and key not in old:
                continue
            yield from differences(old.get(key, default), new.get(key, default), where)
    elif old is ABSENT and isinstance(new, Settings) and not any(differences({}, new)):
        return  # a whole section of defaults
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new)):
            yield from differences(before, after, f"{path}[{index}]")
    elif old is not new and (type(old), old) != (type(new), new):
        yield path, old, new
