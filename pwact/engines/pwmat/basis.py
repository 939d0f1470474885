"""What stands for the elements in PWmat: pseudopotentials, Gaussian basis sets, or DFTB's files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Protocol

from pwact.config.elements import NUMBERS
from pwact.config.labeling import GaussianConfig, LabelConfig
from pwact.engines.pwmat.input import EtotInput
from pwact.errors import InputError
from pwact.io.files import tree_hash

SKF = "in_skf"
CHARGE_DB = 3  # DFTB_DETAIL that reads no Slater-Koster files
_BAD_NAME = re.compile(r"[\s#!=,]")  # what ends a word in etot.input


class Basis(Protocol):
    """The files behind the elements of a calculation."""

    def check(self, elements: frozenset[str]) -> None:
        """Raise InputError unless every element is provided for."""

    def lines(self, elements: Sequence[str]) -> list[str]:
        """Lines of etot.input for the elements in the order of the structure file."""

    def links(self, elements: Sequence[str]) -> dict[str, Path]:
        """Name in the task directory → file."""

    def fingerprint(self) -> dict[str, Any]:
        """What the result depends on, as JSON (files by hash)."""


def basis_of(config: LabelConfig, control: EtotInput) -> Basis:
    """What a control file asks for.

    Raises
    ------
    InputError
        It asks for two things at once, or a key holds no proper value.
    """
    dftb, gaussian = control.flag("USE_DFTB", False), control.flag("USE_GAUSSIAN", False)
    if dftb and gaussian:
        raise control.error("USE_GAUSSIAN", "USE_DFTB and USE_GAUSSIAN are both T; expected one")
    if dftb:
        needs_files = control.whole("DFTB_DETAIL") != CHARGE_DB
        return SlaterKoster(config, needs_files)
    if gaussian:
        return GaussianBasis(config, config.gaussian)
    return PlaneWaves(config)


def _key(config: LabelConfig, name: str) -> str:
    return f"{config.key}.{name}".lstrip(".")


def _check_names(config: LabelConfig, key: str, paths: Iterable[Path]) -> None:
    for path in paths:
        if _BAD_NAME.search(path.name):
            message = f"{path.name!r}: PWmat reads no file names with blanks or any of # ! = ,"
            raise InputError(message, config.file, _key(config, key))


@dataclass(frozen=True)
class PlaneWaves:
    """One pseudopotential for each element: the element is its name up to the first dot."""

    config: LabelConfig

    def _found(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path in self.config.pseudo:
            found.setdefault(path.name.partition(".")[0].capitalize(), []).append(path)
        return found

    def check(self, elements: frozenset[str]) -> None:
        """Raise InputError unless there is exactly one pseudopotential for every element."""
        found, key = self._found(), _key(self.config, "pseudo")
        for element in sorted(elements, key=NUMBERS.__getitem__):
            paths = found.get(element, [])
            if not paths:
                given = ", ".join(path.name for path in self.config.pseudo) or "none"
                message = (
                    f"no pseudopotential for {element}; given: {given} "
                    "(the element is the file's name up to its first dot)"
                )
                raise InputError(message, self.config.file, key)
            if len(paths) > 1:
                names = " and ".join(str(path) for path in paths)
                message = f"several pseudopotentials for {element}: {names}"
                raise InputError(message, self.config.file, key)
            _check_names(self.config, "pseudo", paths)

    def lines(self, elements: Sequence[str]) -> list[str]:
        """``IN.PSP1`` and so on."""
        names = self.links(elements)
        return [f"IN.PSP{number} = {name}" for number, name in enumerate(names, 1)]

    def links(self, elements: Sequence[str]) -> dict[str, Path]:
        """The pseudopotentials of these elements, in their order."""
        self.check(frozenset(elements))
        found = self._found()
        return {found[element][0].name: found[element][0] for element in elements}

    def fingerprint(self) -> dict[str, Any]:
        """The pseudopotentials."""
        return {"pseudo": {path.name: tree_hash(path) for path in self.config.pseudo}}


@dataclass(frozen=True)
class GaussianBasis:
    """Basis sets and potentials by name, out of two files."""

    config: LabelConfig
    gaussian: Optional[GaussianConfig]

    def _given(self) -> GaussianConfig:
        if self.gaussian is None:
            message = "this key is required: the control file has USE_GAUSSIAN = T"
            raise InputError(message, self.config.file, _key(self.config, "gaussian_param"))
        return self.gaussian

    def check(self, elements: frozenset[str]) -> None:
        """Raise InputError unless every element is listed."""
        given, key = self._given(), "gaussian_param.atom_list"
        missing = sorted(elements - set(given.atom_list), key=NUMBERS.__getitem__)
        if missing:
            message = f"no basis set for {', '.join(missing)}"
            raise InputError(message, self.config.file, _key(self.config, key))
        basis, potential = given.basis_set_file, given.potential_file
        _check_names(self.config, "gaussian_param", (basis, potential))
        if basis.name == potential.name and basis.resolve() != potential.resolve():
            message = f"{basis} and {potential} have the same name: both are linked by it"
            raise InputError(message, self.config.file, _key(self.config, "gaussian_param"))

    def lines(self, elements: Sequence[str]) -> list[str]:
        """``IN.PSP1``, ``IN.BASIS1`` and so on, in the order of atom_list."""
        given, made = self._given(), []
        every = zip(given.atom_list, given.basis_set_list, given.potential_list)
        present = [one for one in every if one[0] in elements]
        for number, (element, basis, potential) in enumerate(present, 1):
            made.append(f"IN.PSP{number} = {element} {potential} {given.potential_file.name}")
            made.append(f"IN.BASIS{number} = {element} {basis} {given.basis_set_file.name}")
        return made

    def links(self, elements: Sequence[str]) -> dict[str, Path]:
        """The two files."""
        self.check(frozenset(elements))
        given = self._given()
        return {path.name: path for path in (given.basis_set_file, given.potential_file)}

    def fingerprint(self) -> dict[str, Any]:
        """The two files and the names."""
        given = self._given()
        return {
            "basis": tree_hash(given.basis_set_file),
            "potential": tree_hash(given.potential_file),
            "names": [list(one) for one in self._names(given)],
        }

    def _names(self, given: GaussianConfig) -> list[tuple[str, str, str]]:
        return list(zip(given.atom_list, given.basis_set_list, given.potential_list))


@dataclass(frozen=True)
class SlaterKoster:
    """The directory of ``X-Y.skf`` files, for the DFTB inside PWmat.

    Attributes
    ----------
    needed
        Whether the calculation reads them at all.
    """

    config: LabelConfig
    needed: bool

    def check(self, elements: frozenset[str]) -> None:
        """Raise InputError unless the directory is there and knows every element."""
        if not self.needed:
            return
        folder, key = self.config.in_skf, _key(self.config, SKF)
        if folder is None:
            message = (
                "this key is required: the control file has USE_DFTB = T, and DFTB_DETAIL does "
                f"not begin with {CHARGE_DB}"
            )
            raise InputError(message, self.config.file, key)
        if not folder.is_dir():
            problem = "is a file; a directory is expected" if folder.exists() else "does not exist"
            raise InputError(f"{folder} {problem}", self.config.file, key)
        for element in sorted(elements, key=NUMBERS.__getitem__):
            name = f"{element}-{element}.skf"
            if not (folder / name).is_file():
                raise InputError(f"{folder} holds no {name}", self.config.file, key)

    def lines(self, elements: Sequence[str]) -> list[str]:  # noqa: ARG002
        """``IN.SKF``, if it is read."""
        return [f"IN.SKF = ./{SKF}/"] if self.needed else []

    def links(self, elements: Sequence[str]) -> dict[str, Path]:
        """The directory, if it is read."""
        self.check(frozenset(elements))
        return {SKF: self.config.in_skf} if self.needed and self.config.in_skf else {}

    def fingerprint(self) -> dict[str, Any]:
        """The files, if they are read."""
        if not self.needed or self.config.in_skf is None:
            return {}
        return {SKF: tree_hash(self.config.in_skf)}
