"""POTCAR files: which element each is for, and those of a structure put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pwact.config.elements import NUMBERS
from pwact.errors import InputError
from pwact.io.files import replacing

_END = b"End of Dataset"
_ZVAL = re.compile(rb"ZVAL\s*=\s*([\d.]+)")
_HEAD = 20_000  # bytes in which it stands


def element_of(path: Path) -> str:
    """The element of a POTCAR: the second word of its first line, up to ``_``.

    Raises
    ------
    InputError
        The file is no POTCAR of one element.
    """
    title = _title(path).split()
    element = title[1].partition("_")[0] if len(title) > 1 else ""
    if element not in NUMBERS:
        message = f"its first line must read like 'PAW_PBE Si 05Jan2001', not {' '.join(title)!r}"
        raise InputError(f"is no POTCAR: {message}", path)
    return element


def potcars_of(
    paths: Sequence[Path], elements: Iterable[str], file: Path, key: str
) -> dict[str, Path]:
    """The POTCAR of each element.

    Parameters
    ----------
    file, key
        Where `paths` were given, for messages.

    Raises
    ------
    InputError
        An element has none or more than one, or a file is no POTCAR of one element.
    """
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(element_of(path), []).append(path)
    chosen = {}
    for element in sorted(elements):
        matches = found.get(element, [])
        if not matches:
            have = f"those given are for {' '.join(sorted(found))}" if found else "none is given"
            raise InputError(f"no POTCAR for {element}; {have}", file, key)
        if len(matches) > 1:
            names = " and ".join(str(path) for path in matches)
            raise InputError(f"more than one POTCAR for {element}: {names}", file, key)
        if _kinds(matches[0]) > 1:
            message = "holds several elements; give one file for each"
            raise InputError(message, matches[0])
        chosen[element] = matches[0]
    return chosen


def families(chosen: Mapping[str, Path]) -> set[str]:
    """First words of the titles, such as ``PAW_PBE``: all should be of one functional."""
    return {_title(path).split()[0] for path in chosen.values()}


def write_potcar(target: Path, parts: Sequence[Path]) -> None:
    """Write the POTCAR of a task: the files one after the other, byte by byte."""
    with replacing(target) as aside, aside.open("wb") as stream:
        for part in parts:
            content = part.read_bytes()
            stream.write(content if content.endswith(b"\n") else content + b"\n")


def valence(path: Path) -> float:
    """Number of valence electrons, ``ZVAL``; nan where it is not there."""
    found = _ZVAL.search(path.read_bytes()[:_HEAD])
    return float(found[1]) if found else float("nan")


def _title(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.readline(500).decode("ascii", "replace").strip()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


def _kinds(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(_END in line for line in stream)
