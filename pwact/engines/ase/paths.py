"""Files and directories that the arguments of an ASE calculator name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_LONG = 255  # a text of that length is no name of a file
# arguments that calculators write to: a file of that name beside the input is none of theirs
_WRITTEN = frozenset(("txt", "log", "logfile", "output", "outfile", "trajectory", "label"))
# arguments that calculators only read from, at any depth: directories, and files or patterns
_FOLDERS = frozenset(("pseudo_dir", "pseudo_path", "slako_dir", "species_dir"))
_READ = _FOLDERS | {"model_path", "model_paths", "checkpoint_path"}
_MODELS = frozenset(("model", "model_file", "model_path", "checkpoint_path"))
# what files of models end with; without one of these a text may be a name that a package knows
_ENDINGS = (".txt", ".pt", ".pth", ".pb", ".model", ".ckpt")


def files(arguments: Mapping[str, Any], here: Path) -> dict[str, Path]:
    """Arguments that name an existing file, from the directory `here` of the input file on."""
    named = {
        name: here / value
        for name, value in arguments.items()
        if isinstance(value, str) and _path_like(value)
    }
    return {name: path for name, path in named.items() if path.is_file()}


def files_inside(arguments: Mapping[str, Any], here: Path) -> dict[str, Path]:
    """Files that arguments name in lists and sections, such as pseudopotentials, by place.

    A name counts from `here`, or from a directory that an argument names.
    """
    texts = dict(_texts(arguments))
    places = [here, *(here / text for text in texts.values() if (here / text).is_dir())]
    found = {}
    for name, text in texts.items():
        paths = [place / text for place in places if (place / text).is_file()]
        if paths and name not in arguments:
            found[name] = paths[0]
    return found


def absolute(arguments: Mapping[str, Any], here: Path) -> dict[str, Any]:
    """The arguments with whole paths of what is read, for a program that runs elsewhere.

    Those are arguments that name a file and, at any depth, what is known to be read from.
    """
    whole = {name: str(path) for name, path in files(arguments, here).items()}
    own = {name: path for name, path in whole.items() if name not in _WRITTEN}
    return {**{name: _read_from(name, value, here) for name, value in arguments.items()}, **own}


def missing(arguments: Mapping[str, Any], here: Path) -> dict[str, tuple[str, str]]:
    """Place → what the calculator would read from and is not there: as it is given, and its kind.

    Directories, and files of models.
    """
    found = {}
    for name, text in _texts(arguments):
        if _last(name) in _FOLDERS and not (here / text).is_dir():
            found[name] = (text, "directory")
        elif _names_a_model(name, text) and not (here / text).exists():
            found[name] = (text, "file")
    return found


def _names_a_model(name: str, text: str) -> bool:
    """Whether an argument can only be a file, that of a model."""
    return name in _MODELS and text.endswith(_ENDINGS) and "://" not in text


def _read_from(name: str, value: Any, here: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _read_from(str(key), member, here) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_read_from(name, member, here) for member in value]
    known = isinstance(value, str) and _path_like(value) and name in _READ
    if not known or not (here / value).exists():
        return value
    return f"{here / value}{'/' if value.endswith('/') else ''}"  # some put it before a name


def _last(place: str) -> str:
    """The last name of a place: of ``input_data.control.pseudo_dir`` that of the directory."""
    return place.rpartition(".")[2]


def _path_like(text: str) -> bool:
    return bool(text.strip()) and len(text) < _LONG and "\0" not in text


def _texts(arguments: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Place and value of each text that may be a path: ``pseudopotentials.Si``, ``models.0``."""
    if isinstance(arguments, Mapping):
        members = list(arguments.items())
    elif isinstance(arguments, (list, tuple)):
        members = list(enumerate(arguments))
    else:
        if isinstance(arguments, str) and _path_like(arguments):
            yield name, arguments
        return
    for key, member in members:
        yield from _texts(member, f"{name}.{key}" if name else str(key))
