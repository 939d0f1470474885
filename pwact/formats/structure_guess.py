"""Which format a structure file has where nobody says it: by its name, and by how it begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Callable, NamedTuple

from pwact.errors import InputError
from pwact.io.texts import DAMAGED, open_text

XDATCAR = "vasp-xdatcar"
MOVEMENT = "pwmat/movement"
PWMAT = "pwmat/config"  # what was taken where nobody said it, before anything was guessed
NAMES: tuple[tuple[str, tuple[str, ...]], ...] = (  # the first that fits counts
    ("cif", ("*.cif",)),
    ("extxyz", ("*.xyz", "*.extxyz")),
    (XDATCAR, ("xdatcar*", "*.xdatcar")),
    ("vasp/poscar", ("*.vasp", "*.poscar", "*.contcar")),
    (PWMAT, ("*.config",)),
    ("lammps/lmp", ("*.lmp", "*.lammps", "*.lmpdat", "*.data")),
    ("lammps-dump-text", ("*.lammpstrj", "*.dump")),
    ("traj", ("*.traj",)),
    ("gen", ("*.gen",)),
    ("xsf", ("*.xsf",)),
    ("proteindatabank", ("*.pdb",)),
    ("castep-cell", ("*.cell",)),
    ("json", ("*.json",)),
    ("vasp-xml", ("vasprun*.xml",)),
    ("espresso-in", ("*.pwi",)),
    ("espresso-out", ("*.pwo",)),
    ("aims", ("geometry.in*",)),
    ("vasp/poscar", ("poscar*", "contcar*")),
    ("vasp/outcar", ("outcar*", "*.outcar")),
    ("pwmat/movement", ("movement*",)),
    ("lammps/lmp", ("data.*", "lammps.data*")),
    ("lammps-dump-text", ("dump.*",)),
)
_COMPRESSED = (".gz", ".bz2", ".xz")
_HEAD = 1 << 20  # characters that are looked at
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?"
_ROW = re.compile(rf"\s*{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}(?:\s|$)")
_FACTOR = re.compile(rf"\s*{_NUMBER}(?:\s|$)")
_SYMBOLS = re.compile(r"\s*[A-Z][a-z]?(?:[_/]\S*)?(?:\s+[A-Z][a-z]?(?:[_/]\S*)?)*\s*(?:[!#].*)?$")
_ATOM = re.compile(rf"\s*[A-Z][a-z]?\S*\s+{_NUMBER}\s+{_NUMBER}\s+{_NUMBER}(?:\s|$)")
_LAMMPS = re.compile(r"(?m)^\s*\d+\s+atoms\s*(?:#.*)?$")
_SIDE = re.compile(r"(?m)^.*\bxlo\s+xhi\b")
_CP2K = re.compile(r"(?m)^\s*(?:CP2K|GLOBAL)\|")
_FRAMES = re.compile(r"(?mi)^\s*direct configuration *=")
_STEPS = re.compile(r"(?m)^\s*\d+\s*atoms?\s*,.*iteration", re.IGNORECASE)


@dataclass(frozen=True)
class Guess:
    """A format, and what is to be said about it ("" if nothing).

    Attributes
    ----------
    of_all
        The format by which all structures of the file are read, where it is another one.
    """

    format: str
    warning: str = ""
    of_all: str = ""


class Giving(NamedTuple):
    """How the user gives a format: in short, and in full with an example."""

    short: str
    full: str


IN_JSON = Giving(
    '"format": "{format}"', 'the key format, as in {{"config": "{name}", "format": "{format}"}}'
)


def guess(path: Path, giving: Giving = IN_JSON) -> Guess:
    """The format of a structure file.

    What PWmat writes is taken as that, whatever its name: before anything was guessed, a file
    without a format was one of PWmat's.

    Raises
    ------
    InputError
        Name and content contradict each other, or neither tells; names the file and what would do.
    """
    names, head = by_name(path), _head(path)
    content = of_text(head)
    if content == PWMAT:
        several = _several(head)
        return Guess(PWMAT, several, MOVEMENT if several else "")
    if content == XDATCAR and len(_FRAMES.findall(head)) > 1:
        return Guess(XDATCAR, "it holds several structures, and the last is taken")
    if not content and not names:
        raise InputError(
            f"its name and how it begins tell no format{_cp2k(head)}; give one by "
            + giving.full.format(name=path.name, format="vasp/poscar"),
            path,
        )
    if content and names and content not in names:
        raise InputError(
            f"its name is that of {names[0]}, but it begins like {content}: "
            f"give {giving.short.format(format=content)}, or mend the file",
            path,
        )
    return Guess(content or names[0])


def by_name(path: Path) -> list[str]:
    """Formats that have files of such a name, the likeliest first."""
    name = path.name.lower()
    for ending in _COMPRESSED:
        name = name[: -len(ending)] if name.endswith(ending) else name
    found = [known for known, forms in NAMES if any(fnmatch(name, form) for form in forms)]
    return list(dict.fromkeys(found))


def by_content(path: Path) -> str:
    """The format whose files begin like this one; "" if nobody knows."""
    try:
        return of_text(_head(path))
    except InputError:
        return ""


def _head(path: Path) -> str:
    try:
        with open_text(path) as stream:
            return stream.read(_HEAD)
    except DAMAGED as error:
        raise InputError(f"is compressed, and damaged: {error}", path) from error
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


def of_text(text: str) -> str:
    """The format whose files begin like `text`; "" if nobody knows."""
    lines = text.splitlines()
    return next((name for name, looks in _LOOKS if looks(text, lines)), "")


def _is_extxyz(_: str, lines: Sequence[str]) -> bool:
    if len(lines) < 3 or not lines[0].strip().isdigit():
        return False
    headed = "Lattice=" in lines[1] or "Properties=" in lines[1]
    return headed or bool(_ATOM.match(lines[2]))


def _is_pwmat(_: str, lines: Sequence[str]) -> bool:
    words = lines[0].split() if lines else []
    if not words or not words[0].isdigit():
        return False
    lower = [line.lower() for line in lines[1:]]
    return any("lattice" in line for line in lower) and any("position" in line for line in lower)


def _is_poscar(_: str, lines: Sequence[str]) -> bool:
    if len(lines) < 8 or not _FACTOR.match(lines[1]):
        return False
    return all(map(_ROW.match, lines[2:5])) and bool(_SYMBOLS.match(lines[5]))


def _is_xdatcar(text: str, lines: Sequence[str]) -> bool:
    return _is_poscar(text, lines) and bool(_FRAMES.search(text))


def _is_dump(text: str, _: Sequence[str]) -> bool:
    return text.lstrip().startswith("ITEM: ")


def _is_data(text: str, _: Sequence[str]) -> bool:
    return bool(_LAMMPS.search(text) and _SIDE.search(text))


def _is_cif(text: str, _: Sequence[str]) -> bool:
    return "_cell_length_a" in text.lower() and bool(re.search(r"(?mi)^\s*data_", text))


def _is_outcar(text: str, _: Sequence[str]) -> bool:
    return text.lstrip().startswith("vasp.")


def _is_traj(text: str, _: Sequence[str]) -> bool:
    return text.startswith("- of Ulm")


def _is_vasprun(text: str, _: Sequence[str]) -> bool:
    return text.lstrip().startswith("<?xml") and "<modeling" in text


_LOOKS: tuple[tuple[str, Callable[[str, Sequence[str]], bool]], ...] = (
    ("traj", _is_traj),
    ("cif", _is_cif),
    ("lammps-dump-text", _is_dump),
    ("vasp/outcar", _is_outcar),
    ("vasp-xml", _is_vasprun),
    ("extxyz", _is_extxyz),
    (PWMAT, _is_pwmat),
    ("lammps/lmp", _is_data),
    (XDATCAR, _is_xdatcar),
    ("vasp/poscar", _is_poscar),
)


def _several(text: str) -> str:
    """What is said of a MOVEMENT: which of its structures is taken."""
    if len(_STEPS.findall(text)) < 2:
        return ""
    return (
        "it holds several structures, and the first is taken; for the last give "
        '"format": "pwmat/movement"'
    )


def _cp2k(text: str) -> str:
    if not _CP2K.search(text):
        return ""
    return " but that it is a log of CP2K (cp2k/scf: a single point; cp2k/md: the last step)"
