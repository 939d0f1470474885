"""Sites of crystal structures, as files say them: one atom each, of an element that is certain.

ASE reads these files. What it passes over, or would have to guess, is refused here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from ase.io.cif import CIFBlock, parse_cif
from ase.spacegroup import Spacegroup
from ase.spacegroup.spacegroup import SpacegroupNotFoundError

from pwact.errors import InputError
from pwact.io.texts import read_text

_WHOLE = 1e-3  # how far an occupancy may be from 1
_SAME_METRIC = 0.02  # of the longest vector, squared
_SAME_SITE = 1e-3  # of a lattice vector
_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_SYMBOLS = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m")
_NOT_SAID = frozenset({"", "?", "."})
_LIST_THEM = f"list the operations in a loop of {_OPERATIONS[0]}"
_CHOICE = re.compile(r":([12hr])$")
_AGAIN = {  # written so before 1992, and since then
    39: {"abm2", "aem2"},
    41: {"aba2", "aea2"},
    64: {"cmca", "cmce"},
    67: {"cmma", "cmme"},
    68: {"ccca", "ccce"},
}
_MONOCLINIC = range(3, 16)
_CUBIC = range(195, 231)
_SETTINGS = (1, 2)  # that ASE knows: origins, or hexagonal and rhombohedral axes
_PDB_SHARE = slice(54, 60)
_NO_CELL = [1.0, 1.0, 1.0]
_SHELX_ATOM = re.compile(r"[A-Za-z]{1,2}\w*\s+\d+(?:\s+[-\d.]+){3}\s+([-\d.]+)")


def check_sites(atoms: Atoms, path: Path) -> None:
    """Refuse a structure whose sites are occupied in part, or by several elements.

    Raises
    ------
    InputError
        It has such a site.
    """
    for place, site in (atoms.info.get("occupancy") or {}).items():
        if len(site) != 1 or abs(sum(site.values()) - 1) > _WHOLE:
            found = ", ".join(f"{symbol} {share:g}" for symbol, share in site.items())
            raise _in_part(place, found, path)


def _in_part(place: object, found: str, path: Path) -> InputError:
    message = f"site {place} has a partial occupancy ({found}); make an ordered structure of it, "
    return InputError(f"{message}a supercell for instance", path)


def check_source(path: Path, name: str, found: Sequence[Atoms]) -> None:
    """Refuse what the text of a file leaves open, and ASE decides or passes over.

    Parameters
    ----------
    name
        Of the format, as ASE has it.
    found
        The structures of the file.

    Raises
    ------
    InputError
        An element, a symmetry or an occupancy is not certain.
    """
    if name == "cif":
        _check_cif(path, found)
    elif name == "proteindatabank":
        _check_pdb(path)
    elif name == "res":
        _check_res(path)


def remedy(error: Exception) -> str:
    """What helps where ASE cannot read a file: it knows one setting of most groups by its name."""
    return f"; {_LIST_THEM}" if isinstance(error, SpacegroupNotFoundError) else ""


def _check_cif(path: Path, found: Sequence[Atoms]) -> None:
    blocks = [one for one in parse_cif(io.StringIO(read_text(path))) if one.has_structure()]
    for block, atoms in zip(blocks, found):
        _check_symbols(block, path)
        group = atoms.info.get("spacegroup")
        if group is not None and atoms.cell.rank == 3:
            _check_symmetry(block, group, atoms, path)


def _check_symbols(block: CIFBlock, path: Path) -> None:
    """``FE1`` may be iron or fluorine, which ASE takes for the second."""
    types, labels = (block.get(f"_atom_site_{name}") for name in ("type_symbol", "label"))
    for text in types or labels or ():
        letters = re.match(r"[A-Z]{2}", str(text))
        if letters and atomic_numbers.get(letters[0].capitalize(), 0) > 0:
            raise InputError(
                f"{text} may be {letters[0].capitalize()} or {letters[0][0]}; write the symbols as "
                "Fe, O in a column _atom_site_type_symbol",
                path,
            )


def _check_symmetry(block: CIFBlock, group: Spacegroup, atoms: Atoms, path: Path) -> None:
    """The operations must fit the cell; where none are listed no other choice of axes may."""
    if not _keeps(group, atoms):
        raise InputError(
            f"the cell has not the symmetry of space group {group.no} ({group.symbol}, setting "
            f"{group.setting}); {_LIST_THEM}",
            path,
        )
    if any(name in block for name in _OPERATIONS) or "_symmetry_space_group_setting" in block:
        return
    symbol = _symbol(block)
    if symbol and not _is_called(group, symbol):
        raise InputError(
            f"the file says {symbol}, and of space group {group.no} the operations of "
            f"{group.symbol} alone are known; {_LIST_THEM}",
            path,
        )
    sites = block.get_unsymmetrized_structure().get_scaled_positions()
    for other in _others(group):
        if symbol and not _is_called(other, symbol):
            continue
        if _keeps(other, atoms) and not _same_sites(group, other, sites):
            raise InputError(
                f"space group {group.no} ({group.symbol}) has two choices of its origin or axes, "
                f"and the file does not say which; {_LIST_THEM}",
                path,
            )


def _symbol(block: CIFBlock) -> str:
    """The Hermann-Mauguin symbol of a block; "" where it has none."""
    found = (str(block[name]).strip() for name in _SYMBOLS if name in block)
    return next((text for text in found if text not in _NOT_SAID), "")


def _is_called(group: Spacegroup, symbol: str) -> bool:
    """Whether a symbol is that of a group in its setting: `P 21/n` is another one than `P 21/c`."""
    text, choice = _bare(symbol), ""
    if found := _CHOICE.search(text):
        text, choice = text[: found.start()], found[1]
    if choice and choice != _choice(group):
        return False
    return text in _names(group)


def _names(group: Spacegroup) -> set[str]:
    """The symbols of a group in its setting, without blanks."""
    short = _bare(group.symbol)
    names = {short, *_AGAIN.get(group.no, ())}
    if group.no in _MONOCLINIC:
        lattice, axis = short[0], short[1:]
        names.add(f"{lattice}1{axis}1" if _turned_about_b(group) else f"{lattice}11{axis}")
    if group.no in _CUBIC:
        names.add(short.replace("-", ""))  # as in Fm3m, before 1983
    return names


def _bare(symbol: str) -> str:
    return re.sub(r"[\s_]", "", symbol).lower()


def _choice(group: Spacegroup) -> str:
    """What stands behind a symbol for the setting: axes of rhombohedral groups, or an origin."""
    rhombohedral = group.symbol.startswith("R")
    return "hr"[group.setting - 1] if rhombohedral else str(group.setting)


def _turned_about_b(group: Spacegroup) -> bool:
    """Whether a monoclinic group has its axis along b."""
    return all(rotation[0, 0] == rotation[2, 2] for rotation, _ in group.get_symop())


def _others(group: Spacegroup) -> Iterable[Spacegroup]:
    """The group in the settings that are not its own."""
    for setting in _SETTINGS:
        if setting == group.setting:
            continue
        try:
            yield Spacegroup(group.no, setting)
        except Exception:  # noqa: BLE001, S112 - there is none: ASE has an error of its own for it
            continue


def _keeps(group: Spacegroup, atoms: Atoms) -> bool:
    """Whether the operations of a group keep all lengths in a cell."""
    metric = atoms.cell.array @ atoms.cell.array.T
    rotations = np.array([rotation for rotation, _ in group.get_symop()])
    turned = np.transpose(rotations, (0, 2, 1)) @ metric @ rotations
    return bool(np.abs(turned - metric).max() <= _SAME_METRIC * np.abs(metric).max())


def _same_sites(one: Spacegroup, other: Spacegroup, sites: np.ndarray) -> bool:
    """Whether both groups make the same crystal of some sites."""
    return all(_orbit(one, site) == _orbit(other, site) for site in sites)


def _orbit(group: Spacegroup, site: np.ndarray) -> set[tuple[Any, ...]]:
    """The images of a site, rounded."""
    images = [rotation @ site + shift for rotation, shift in group.get_symop()]
    steps = round(1 / _SAME_SITE)
    return {tuple((np.rint(image * steps).astype(int) % steps).tolist()) for image in images}


def _check_pdb(path: Path) -> None:
    for line in read_text(path).splitlines():
        if line.startswith("CRYST1") and list(map(float, line.split()[1:4])) == _NO_CELL:
            raise InputError("CRYST1 is 1 x 1 x 1 Å, which stands for no cell", path)
        share = line[_PDB_SHARE].strip() if line.startswith(("ATOM", "HETATM")) else ""
        if share and abs(float(share) - 1) > _WHOLE:
            raise _in_part(line[6:16].strip(), share, path)


def _check_res(path: Path) -> None:
    """SHELX: ASE takes the atoms alone. Behind x, y, z stands how full a site is, or 10 more."""
    for line in read_text(path).splitlines():
        words = line.split()
        if words[:1] == ["SYMM"] or (words[:1] == ["LATT"] and words[1:2] != ["-1"]):
            raise InputError(f"{' '.join(words)} makes more atoms, which are not read", path)
        share = _SHELX_ATOM.match(line)
        if share and abs(abs(float(share[1])) % 10 - 1) > _WHOLE:
            raise _in_part(words[0], share[1], path)
