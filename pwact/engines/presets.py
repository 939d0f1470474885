"""What fills in a label preset: the one function that each program of `registry.presets` has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any, Callable, Optional

from pwact.errors import InputError
from pwact.registry.presets import FOLDER, LABEL_PRESETS, LabelPreset


@dataclass(frozen=True)
class Wanted:
    """What the user said that a control file may need.

    Attributes
    ----------
    temperature_k, timestep_fs, steps, interval
        Of the AIMD.
    pseudo
        Pseudopotential files, as the user named them: relative paths start at `here`.
    data
        Directory of the program's data files.
    cutoff_ry
        Energy cutoff of the wave functions.
    cpus
        Processes of one task.
    """

    elements: tuple[str, ...]
    here: Path
    temperature_k: float = 300.0
    timestep_fs: float = 2.0
    steps: int = 20
    interval: int = 5
    pseudo: tuple[str, ...] = ()
    data: Optional[Path] = None
    cutoff_ry: Optional[float] = None
    cpus: int = 1


@dataclass(frozen=True)
class Filling:
    """What a program adds to its preset.

    Attributes
    ----------
    values
        Word of the templates → text, beside those of `common`.
    keys
        Keys of both param.json files, such as ``pseudo``.
    to_supply
        Files that the user must bring, each with a word on where it comes from.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)
    to_supply: Sequence[str] = ()


@dataclass(frozen=True)
class LabelFiles:
    """A preset that is filled in: texts by file name, and what `Filling` has."""

    preset: LabelPreset
    texts: Mapping[str, str]
    keys: Mapping[str, Any]
    to_supply: Sequence[str]


Fill = Callable[[Wanted], Filling]


def label_files(name: str, wanted: Wanted) -> LabelFiles:
    """Fill in the preset `name`.

    Raises
    ------
    InputError
        The program needs what is not there, does not know an element, or is given what it cannot
        use.
    """
    preset = LABEL_PRESETS[name]
    given = {"pseudo": wanted.pseudo, "data": wanted.data, "cutoff": wanted.cutoff_ry}
    for option, value in given.items():
        if value and option not in preset.takes:
            raise InputError(f"this option means nothing to the preset {name}", key=f"--{option}")
    fill: Fill = preset.load()
    filling = fill(wanted)
    values = {**common(preset, wanted), **filling.values}
    texts = {
        file: Template((FOLDER / name / file).read_text(encoding="utf-8")).substitute(values)
        for file in dict.fromkeys(preset.inputs.values())
    }
    return LabelFiles(preset, texts, filling.keys, filling.to_supply)


def common(preset: LabelPreset, wanted: Wanted) -> dict[str, str]:
    """The words that every template may use."""
    return {
        "title": preset.title,
        "date": preset.date,
        "source": preset.source,
        "temperature": f"{wanted.temperature_k:g}",
        "timestep": f"{wanted.timestep_fs:g}",
        "steps": str(wanted.steps),
        "interval": str(wanted.interval),
        "cpus": str(wanted.cpus),
    }


def pseudo_files(
    wanted: Wanted, element_of: Callable[[Path], str], by_name: Callable[[str], str]
) -> tuple[list[str], list[str]]:
    """Pseudopotentials of all elements: as they go into ``pseudo``, and which are not there yet.

    Parameters
    ----------
    element_of
        The element of a file. Raises InputError where it is none of these files.
    by_name
        How the file of an element is called where the user names none.

    Raises
    ------
    InputError
        The user names files, and an element has none or several.
    """
    if not wanted.pseudo:
        names = [by_name(element) for element in wanted.elements]
        return names, [name for name in names if not (wanted.here / name).is_file()]
    return list(named_by_element(wanted, element_of).values()), []


def named_by_element(wanted: Wanted, element_of: Callable[[Path], str]) -> dict[str, str]:
    """Element → the pseudopotential that the user names for it. Raises InputError."""
    found: dict[str, str] = {}
    for name in wanted.pseudo:
        if not (wanted.here / name).is_file():
            raise InputError(f"there is no file {name}", key="--pseudo")
        element = element_of(wanted.here / name)
        if element in found:
            message = f"{found[element]} and {name} are both for {element}; give one"
            raise InputError(message, key="--pseudo")
        found[element] = name
    lacking = [element for element in wanted.elements if element not in found]
    if lacking:
        message = f"no file for {' '.join(lacking)}; those given are for {' '.join(found)}"
        raise InputError(message, key="--pseudo")
    return {element: found[element] for element in wanted.elements}
