"""Files that an input of DFTB+ refers to: Slater-Koster sets, and whatever else it names.

DFTB+ takes names from the directory where it runs, which for the user was that of the input. In a
task they are links: ``link.<name>``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from pwact.errors import InputError
from pwact.formats.hsd import Node, Part, is_yes, unquoted

_TYPE2 = "type2filenames"
_WORD = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s\"']+")
SK_KEY = "Hamiltonian/DFTB/SlaterKosterFiles"


@dataclass
class Links:
    """What a task directory links to.

    Attributes
    ----------
    targets
        Name in the task directory → file or directory.
    used
        The files that DFTB+ may read: name for people → file.
    """

    targets: dict[str, Path] = field(default_factory=dict)
    used: dict[str, Path] = field(default_factory=dict)

    def name_of(self, target: Path) -> str:
        """The name of the link to a target."""
        plain = "link." + (re.sub(r"[^A-Za-z0-9_.+-]", "_", target.resolve().name) or "root")
        name, number = plain, 1
        while self.targets.setdefault(name, target) != target:
            number += 1
            name = f"{plain}.{number}"
        return name


def link_names(root: Node, folder: Path) -> Links:
    """Find the files by relative names, put names of links in their place.

    Parameters
    ----------
    root
        The tree of the input, whose text is changed.
    folder
        The directory of the input.

    Raises
    ------
    InputError
        An included file is not there.
    """
    links = Links()
    method = _files(root)
    if method is not None and method.name.lower() == _TYPE2:
        _link_prefix(method, folder, links)
    for part, must_exist in _names(root):
        name = unquoted(part.text)
        path = folder / name
        if not path.is_file():
            if must_exist:
                raise part.error(f"the file {name} is not there")
            continue
        links.used[name] = path
        if not Path(name).is_absolute():
            part.replace(f'"{links.name_of(path)}"')
    return links


def _files(root: Node) -> Optional[Node]:
    """The method or list of Slater-Koster files."""
    found = root.at("Hamiltonian", "DFTB", "SlaterKosterFiles")
    if found is not None and found.child(_TYPE2) is not None:
        return found.child(_TYPE2)
    return found


def _link_prefix(method: Node, folder: Path, links: Links) -> None:
    prefix = method.child("Prefix")
    head = prefix.text if prefix is not None else ""
    place, start = os.path.split(head)  # what ends with a slash has no start of names
    directory, suffix = folder / place, _said(method, "Suffix")
    if directory.is_dir():
        for path in sorted(directory.iterdir()):
            if path.is_file() and path.name.startswith(start) and path.name.endswith(suffix):
                links.used[f"{place}/{path.name}"] = path
    if Path(place).is_absolute():
        return
    if prefix is None or not prefix.words:
        raise InputError(
            "this key is required, with the directory of the .skf files",
            _path_of(method, folder),
            f"{SK_KEY}/Type2FileNames/Prefix",
        )
    prefix.words[0].replace(f'"{links.name_of(directory)}/{start}"')


def _path_of(node: Node, folder: Path) -> Path:
    for one in node.children:
        for part in one.words:
            return part.source.path or folder
    return folder


def _said(node: Node, name: str) -> str:
    found = node.child(name)
    return found.text if found is not None else ""


def _names(root: Node) -> Iterator[tuple[Part, bool]]:
    """Words that may name a file, and whether they must; not of the geometry, which is ours."""
    pairs = _files(root)
    for node in _all(root):
        for part in node.included:
            yield part, True
        if node.name.lower() in {"prefix", "outputprefix"}:
            continue
        listed = pairs is not None and node in pairs.children and pairs.name.lower() != _TYPE2
        for part in node.words:
            for found in _WORD.finditer(part.text):
                word = found.group()
                if listed or "/" in word or (word[0] in "\"'" and "." in word):
                    start = part.start + found.start()
                    yield Part(part.source, start, start + len(word)), False


def _all(node: Node) -> Iterator[Node]:
    for child in node.children:
        if node.name or child.name.lower() != "geometry":
            yield child
            yield from _all(child)


def check_slater_koster(root: Node, path: Path, elements: frozenset[str]) -> None:
    """Check that there is a file for every pair of elements, in both orders.

    Raises
    ------
    InputError
        One is missing; names it.
    """
    method = _files(root)
    if method is None:
        raise InputError("this block is required", path, SK_KEY)
    pairs = [(one, other) for one in sorted(elements) for other in sorted(elements)]
    for one, other in pairs:
        if method.name.lower() != _TYPE2:
            _check_listed(method, path, f"{one}-{other}")
            continue
        lower = is_yes(_said(method, "LowerCaseTypeName"))
        names = (one.lower(), other.lower()) if lower else (one, other)
        made = _said(method, "Prefix") + _said(method, "Separator").join(names)
        name = made + _said(method, "Suffix")
        if not (path.parent / name).is_file():
            message = f"there is no file {name} for {one} and {other}"
            if not Path(name).is_absolute():
                message += f" in {path.parent}; names count from the directory of this input"
            raise InputError(message, path, SK_KEY)


def _check_listed(method: Node, path: Path, pair: str) -> None:
    found = method.child(pair)
    if found is None:
        raise InputError(f"there is no entry for {pair}", path, SK_KEY)
    for word in [word for part in found.words for word in _WORD.findall(part.text)] or [""]:
        name = unquoted(word)
        if not name or not (path.parent / name).is_file():
            raise InputError(f"the file {name!r} is not there", path, f"{SK_KEY}/{pair}")
