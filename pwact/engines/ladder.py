"""Further tries of an SCF that did not converge: how it is solved may change, never what.

Each engine that can do so has a table of what may be changed in its input: mixing, algorithm,
number of steps. Cutoffs, k-points, functionals, smearing, pseudopotentials and the accuracy that
counts as converged are in none of them, so that labels of a later try are those of the first input.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Union, runtime_checkable

from pwact.config.schema import Context, Kind, Node, nearest
from pwact.engines.batch import BatchLabeler
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.fingerprint import Settings, extended
from pwact.registry.engines import LABELERS

if TYPE_CHECKING:
    from pwact.config.labeling import LabelConfig
    from pwact.engines.labelers import Labeler


@runtime_checkable
class Changeable(Protocol):
    """A labeler whose input may be changed for another try."""

    def changed(self, changes: Mapping[str, Any]) -> Labeler:
        """A labeler with these changes to the input of this one.

        Raises
        ------
        InputError
            One of them is none that its table allows; `key` is its name.
        """


def ladder_of(labeler: Union[Labeler, BatchLabeler], config: LabelConfig) -> list[Labeler]:
    """The labelers of the tries after the first, in their order.

    Raises
    ------
    InputError
        The program knows no changes, or one is not allowed; names the key.
    """
    made = []
    for number, changes in enumerate(config.retry):
        key = f"{config.key}.retry[{number}]".lstrip(".")
        if not isinstance(labeler, Changeable):
            message = f"{config.style} does not know this key; {', '.join(able())} know it"
            raise InputError(message, config.file, key)
        try:
            made.append(labeler.changed(changes))
        except InputError as error:
            raise InputError(error.message, config.file, f"{key}.{error.key}") from error
    return made


def able() -> list[str]:
    """Names of the programs whose input may be changed for another try."""
    return [name for name, entry in LABELERS.items() if hasattr(entry.load(), "changed")]


def fingerprint_of(labeler: Union[Labeler, BatchLabeler], config: LabelConfig) -> Settings:
    """What labels depend on: the labeler, and what is tried where the first try fails."""
    if isinstance(labeler, BatchLabeler):
        given = labeler.fingerprint()
    else:
        given = labeler.fingerprint(Purpose.SCF)
    whole = extended(given, retry=[dict(changes) for changes in config.retry])
    whole.defaults["retry"] = []
    return whole


def with_changes(fingerprint: Mapping[str, Any], changes: Mapping[str, Any]) -> Settings:
    """What a label of a try depends on; without changes it is that of the first try."""
    whole = extended(fingerprint, changed=dict(changes))
    whole.defaults["changed"] = {}
    return whole


def allowed(changes: Mapping[str, Any], table: Mapping[str, Kind]) -> dict[str, Any]:
    """The changes with their names as the table spells them, and checked values.

    Raises
    ------
    InputError
        One is not in the table, or has another value than the table says.
    """
    names = {name.lower(): name for name in table}
    made = {}
    for given, value in changes.items():
        name = names.get(given.lower())
        if name is None:
            raise InputError(_refused(given, table), key=given)
        made[name] = table[name].convert(Node(value, given, Context(Path(), Path())))
    return made


def _refused(given: str, table: Mapping[str, Kind]) -> str:
    near = nearest(given, table)
    hint = f"; did you mean {near}? Allowed" if near else "; allowed"
    return (
        "another try may change how the SCF is solved, not what it solves (no smearing, cutoff, "
        f"k-points, functional, accuracy){hint}: {', '.join(sorted(table))}"
    )
