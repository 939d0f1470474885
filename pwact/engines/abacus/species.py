"""Pseudopotentials and orbitals of a task of ABACUS: by a STRU beside INPUT, or by ``pseudo``.

The order of the species is that of the STRU beside the INPUT; keys of INPUT with a value a species
(``hubbard_u`` …) count by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Optional

from pwact.config.elements import NUMBERS
from pwact.errors import InputError
from pwact.formats.abacus_input import AbacusInput
from pwact.formats.abacus_stru import Species, species_of
from pwact.formats.upf import header

ORBITAL_BASES = frozenset({"lcao", "lcao_in_pw"})
# keys of INPUT with one value a species
BY_SPECIES = ("orbital_corr", "hubbard_u", "hund_j", "alpha_mix_corr", "uramping_u")
_PLAIN_NAME = re.compile(r"[\w.+=@~-]+")


def stru_beside(root: AbacusInput) -> Optional[Path]:
    """The STRU of the user, if there is one."""
    path = root.path.parent / root.text("stru_file", "STRU")
    if path.is_file():
        return path
    if root.words("stru_file"):
        raise root.error("stru_file", f"{path} is not there")
    return None


def needs_orbitals(root: AbacusInput) -> bool:
    """Whether the basis is one of atomic orbitals."""
    return root.word("basis_type", "pw") in ORBITAL_BASES


def species_for(
    root: AbacusInput, given: Sequence[Path], elements: Iterable[str]
) -> tuple[list[Species], dict[str, Path]]:
    """The species in their order, and name in the task directory → file.

    Parameters
    ----------
    given
        Pseudopotentials, and orbitals (``.orb``), of the JSON file.

    Raises
    ------
    InputError
        An element has no pseudopotential, no orbital where one is needed, or a file is not there.
    """
    stru = stru_beside(root)
    listed = species_of(stru) if stru else _of_files(root, given)
    known = {one.label for one in listed}
    missing = [element for element in elements if element not in known]
    if missing:
        place = f"{stru}" if stru else "pseudo of the JSON file"
        raise InputError(f"{place} has no pseudopotential of {' '.join(missing)}", root.path)
    files: dict[str, Path] = {}
    made = []
    for one in listed:
        if one.label not in elements:
            made.append(one)
            continue
        pseudo = _file(root, one.pseudo, "pseudo_dir", given)
        found = header(pseudo).element
        if found and found != one.label:
            raise InputError(f"{pseudo} is of {found}, and stands for {one.label}", root.path)
        files[pseudo.name] = pseudo
        orbital = _orbital(root, one, given)
        if orbital:
            files[orbital.name] = orbital
        name = orbital.name if orbital else ""
        made.append(Species(one.label, one.mass, pseudo.name, one.kind, name))
    return made, files


def by_species(root: AbacusInput, species: Sequence[Species], there: set[str]) -> dict[str, str]:
    """Keys of INPUT with a value a species, for those that a structure has.

    Raises
    ------
    InputError
        There are more or fewer values than species, or it is not known whose they are.
    """
    made = {}
    for key in BY_SPECIES:
        words = root.words(key)
        if not words:
            continue
        if stru_beside(root) is None:
            message = "of which species? A STRU with ATOMIC_SPECIES beside INPUT says their order"
            raise root.error(key, message)
        if len(words) != len(species):
            message = f"{len(words)} values for the {len(species)} species of STRU"
            raise root.error(key, message)
        kept = [word for word, one in zip(words, species) if one.label in there]
        made[key] = " ".join(kept)
    return made


def _of_files(root: AbacusInput, given: Sequence[Path]) -> list[Species]:
    """Species by the heads of pseudopotentials, and by the names of orbitals (``Si_gga.orb``)."""
    from ase.data import atomic_masses  # noqa: PLC0415

    orbitals = {_element_of(path): path.name for path in given if path.suffix == ".orb"}
    made: dict[str, Species] = {}
    for path in given:
        if path.suffix == ".orb":
            continue
        element = header(path).element
        if not element:
            raise InputError(f"{path} does not say its element; list it in a STRU", root.path)
        if element in made:
            names = f"{made[element].pseudo} and {path.name}"
            raise InputError(f"two pseudopotentials of {element}: {names}", root.path)
        mass = f"{atomic_masses[NUMBERS[element]]:.6f}"
        made[element] = Species(element, mass, path.name, "", orbitals.get(element, ""))
    return list(made.values())


def _element_of(path: Path) -> str:
    word = re.match(r"[A-Z][a-z]?(?![a-z])", path.name)
    if word is None or word[0] not in NUMBERS:
        raise InputError("its name does not begin with its element, as Si_gga_8au_60Ry.orb", path)
    return word[0]


def _orbital(root: AbacusInput, one: Species, given: Sequence[Path]) -> Optional[Path]:
    if not needs_orbitals(root):
        return None
    if not one.orbital:
        message = f"basis_type {root.word('basis_type')} needs an orbital of {one.label}"
        raise root.error("basis_type", f"{message}: a .orb file in pseudo, or NUMERICAL_ORBITAL")
    return _file(root, one.orbital, "orbital_dir", given)


def _file(root: AbacusInput, written: str, key: str, given: Sequence[Path]) -> Path:
    """A file by its name: of the JSON file, else in the directory that INPUT names."""
    name = Path(written).name
    if not _PLAIN_NAME.fullmatch(name):
        raise InputError(f"the name {written!r} has strange letters", root.path)
    by_name = {path.name: path for path in given}
    if name in by_name:
        return by_name[name]
    folder = root.path.parent / Path(root.text(key, "./")).expanduser()
    path = folder / Path(written).expanduser()
    if not path.is_file():
        raise root.error(key, f"{path} is not there, and not in pseudo of the JSON file")
    return path
