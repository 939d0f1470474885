"""What an input of pw.x of the user must have before anything is written."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from pwact.config.schema import nearest
from pwact.engines.labelers import Purpose
from pwact.engines.qe.species import SPECIES, Species
from pwact.engines.qe.task import CALCULATIONS, CELL, K_POINTS, POSITIONS, VELOCITIES, calculation
from pwact.errors import InputError
from pwact.formats.qe_input import CARDS, PwInput
from pwact.formats.upf import header

_OF_OTHER_ATOMS = ("CONSTRAINTS", "ATOMIC_FORCES", VELOCITIES)
_PLAIN_NAME = re.compile(r"[\w.+=@~-]+")
_BY_NUMBER = "names atoms by number, which differ from structure to structure"
_MESHES = ("automatic", "gamma", "crystal")
_BANDS = ("tpiba_b", "crystal_b", "tpiba_c", "crystal_c")
_REPLACED = (SPECIES, CELL, POSITIONS)
_OF_WORDS = ("HUBBARD", "SOLVENTS")
_LIKE_A_CARD = re.compile(r"\s*([A-Za-z_]{5,})")  # labels of species have three letters at most


def check_input(root: PwInput, purpose: Purpose) -> None:
    """Raise InputError unless the input fits the purpose."""
    for name in ("CONTROL", "SYSTEM", "ELECTRONS"):
        if name not in root.namelists:
            raise InputError("this namelist is required", root.path, f"&{name}")
    found, allowed = calculation(root), CALCULATIONS[purpose]
    if found not in allowed:
        message = f"found {found}; expected {' or '.join(allowed)} for {purpose.value}"
        raise root.error("CONTROL", "calculation", message)
    _check_motion(root, purpose, found)
    if root.word("CONTROL", "disk_io") == "none":
        message = "found none, which leaves no results; expected low, medium, high or nowf"
        raise root.error("CONTROL", "disk_io", message)
    if root.entries("SYSTEM", "space_group"):
        message = "the atoms come from pwact, all of them; take this key out"
        raise root.error("SYSTEM", "space_group", message)
    if root.entries("ELECTRONS", "scf_must_converge") and not root.switch(
        "ELECTRONS", "scf_must_converge"
    ):
        # pw.x then prints "convergence has been achieved" behind electron_maxstep, and goes on
        message = "pw.x then calls converged what is not; take this key out"
        raise root.error("ELECTRONS", "scf_must_converge", message)
    if root.word("SYSTEM", "constrained_magnetization").startswith("atomic"):
        # H2, 2.4 Å apart, lambda 1: a force of -0.479 eV/Å where the energy has a slope of -0.570
        message = "pw.x adds a penalty to the energy which its forces do not know; take it out"
        raise root.error("SYSTEM", "constrained_magnetization", message)
    _check_cards(root)
    for name in _OF_OTHER_ATOMS:
        if name in root.cards:
            message = "this card is about certain atoms, which pwact puts in; take it out"
            raise root.card_error(name, message)
    _check_kpoints(root)
    _check_hubbard(root)


def _check_motion(root: PwInput, purpose: Purpose, found: str) -> None:
    needed = ["IONS"] if purpose is not Purpose.SCF else []
    needed += ["CELL"] if found.startswith("vc-") else []
    for name in needed:
        if name not in root.namelists:
            message = f"this namelist is required for {found}"
            raise InputError(message, root.path, f"&{name}")
    if purpose is Purpose.AIMD and not root.switch("SYSTEM", "nosym"):
        message = "an MD needs nosym = .true.: pw.x keeps the symmetry of the first structure"
        raise root.error("SYSTEM", "nosym", message)


def _check_cards(root: PwInput) -> None:
    """What pw.x would ignore, with one line in its output: other labels than were meant."""
    for name, card in root.cards.items():
        if card.written != name and name not in _REPLACED:
            message = f"found {card.written}; expected {name}: pw.x ignores cards in small letters"
            raise root.card_error(name, message)
        for number, line in card.lines if name not in _OF_WORDS else ():
            found = _LIKE_A_CARD.match(line)
            if found is not None:
                near = nearest(found[1].upper(), CARDS)
                hint = f"; did you mean {near}, and a blank?" if near else ""
                message = f"found {line.split()[0]!r}, which is no card of pw.x{hint}"
                raise root.card_error(name, message, number)


def _check_kpoints(root: PwInput) -> None:
    card = root.cards.get(K_POINTS)
    if card is not None and card.option not in _MESHES:
        why = "2π/a of another cell is another unit"
        if card.option in _BANDS:
            why = "these are for bands, not for energies"
        message = f"found {card.option or 'tpiba'}; expected {', '.join(_MESHES)}: {why}"
        raise root.card_error(K_POINTS, message)


def _check_hubbard(root: PwInput) -> None:
    """Hubbard V names atoms by number."""
    for entry in root.entries("SYSTEM", "hubbard_v"):
        message = f"line {entry.line}: {_BY_NUMBER}"
        raise InputError(message, root.path, "&SYSTEM hubbard_v")
    card = root.cards.get("HUBBARD")
    for number, line in card.lines if card else ():
        if line.split()[0].upper() == "V":
            raise root.card_error("HUBBARD", f"V {_BY_NUMBER}", number)


def pseudopotentials(
    root: PwInput, species: Sequence[Species], given: Sequence[Path]
) -> dict[str, Path]:
    """Name in the task directory → pseudopotential, of all species.

    It is looked for among those of the JSON file by its name, else in pseudo_dir, which is relative
    to the directory of the input, else in $ESPRESSO_PSEUDO.

    Raises
    ------
    InputError
        One is not there, or is of another element.
    """
    by_name = {path.name: path for path in given}
    lines = _lines(root)
    found: dict[str, Path] = {}
    for one in species:
        number = lines.get(one.label, 0)
        if not _PLAIN_NAME.fullmatch(one.file):
            raise root.card_error(SPECIES, f"the name {one.file!r} has strange letters", number)
        path = by_name.get(one.file) or _in_directory(root, one, number)
        element = header(path).element
        if element and element != one.element:
            message = f"{path} is of {element}, and {one.label} is {one.element}"
            raise root.card_error(SPECIES, message, number)
        found[one.file] = path
    return found


def _in_directory(root: PwInput, one: Species, number: int) -> Path:
    text = root.text("CONTROL", "pseudo_dir") or os.environ.get("ESPRESSO_PSEUDO", "")
    if not text:
        message = f"{one.file} is not in pseudo of the JSON file, and there is no pseudo_dir"
        raise root.card_error(SPECIES, message, number)
    folder = root.path.parent / Path(text).expanduser()
    path = folder / one.file
    if path.is_file():
        return path
    message = f"pseudopotential {path} of {one.label} is not there"
    raise root.card_error(SPECIES, message, number)


def _lines(root: PwInput) -> dict[str, int]:
    """Label → line of its species."""
    card = root.cards.get(SPECIES)
    return {line.split()[0]: number for number, line in (card.lines if card else ())}
