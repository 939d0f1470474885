"""What a CP2K input of the user must have before anything is written, and what is said about it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Optional

from pwact.config.labeling import GaussianConfig, LabelConfig
from pwact.config.schema import nearest
from pwact.engines.cp2k.kinds import further_kinds, is_orbital_basis, kind_of
from pwact.engines.cp2k.task import (
    BASIS_FILES,
    COORDINATES,
    GEOMETRY,
    INPUT,
    LOG,
    MD_TYPES,
    TOPOLOGY_GEOMETRY,
    basis_is_needed,
    is_other_form,
    uses_orbital_transformation,
)
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.cp2k_input import Line, Section

logger = logging.getLogger(__name__)

RUN_TYPES = {
    Purpose.SCF: ("ENERGY_FORCE",),
    Purpose.AIMD: MD_TYPES,
    Purpose.RELAX: ("GEO_OPT", "CELL_OPT", "GEOMETRY_OPTIMIZATION"),
}
_PLAIN_NAME = re.compile(r"[\w.+-]+")
_HIDDEN = re.compile(
    r"^\s*&(GLOBAL|FORCE_EVAL|DFT|SUBSYS|CELL|COORD|KIND|KPOINTS|TOPOLOGY|MOTION|EXT_RESTART)\b",
    re.IGNORECASE | re.MULTILINE,
)


def check_input(root: Section, path: Path, purpose: Purpose) -> Section:
    """Check the sections that do not depend on the structure; returns &DFT.

    Raises
    ------
    InputError
        One is missing, stands twice, or does not fit what is to be computed.
    """
    control = _needed(root, path, "GLOBAL")
    found = control.value("RUN_TYPE") or RUN_TYPES[Purpose.SCF][0]
    if found not in RUN_TYPES[purpose]:
        allowed = " or ".join(RUN_TYPES[purpose][:2])
        message = f"found {found}; expected {allowed} for {purpose.value}"
        raise InputError(message, path, "&GLOBAL RUN_TYPE")
    if root.sections("EXT_RESTART"):
        message = "a restart would bring its own structure; take this section out"
        raise InputError(message, path, "&EXT_RESTART")
    if len(root.sections("FORCE_EVAL")) > 1:
        message = "found several; pwact reads the energy and forces of one"
        raise InputError(message, path, "&FORCE_EVAL")
    evaluation = _needed(root, path, "FORCE_EVAL")
    method = evaluation.value("METHOD") or "QS"
    if method not in {"QS", "QUICKSTEP"}:
        raise InputError(f"found {method}; expected Quickstep", path, "&FORCE_EVAL METHOD")
    stress = evaluation.value("STRESS_TENSOR")
    if stress.startswith("DIAGONAL") and purpose is not Purpose.RELAX:
        message = f"{stress} leaves out most of the virial; expected ANALYTICAL or NUMERICAL"
        raise InputError(message, path, "&FORCE_EVAL STRESS_TENSOR")
    evaluation.section("SUBSYS", "CELL")
    return _needed(evaluation, path, "DFT")


def _needed(parent: Section, path: Path, name: str) -> Section:
    found = parent.section(name)
    if found is None:
        raise InputError("this section is required", path, f"&{name}")
    return found


def linked_files(root: Section, path: Path, gaussian: Optional[GaussianConfig]) -> dict[str, Path]:
    """Names in the task directory → files that the input refers to.

    Files of CP2K's own data directory and absolute paths are left to CP2K.

    Raises
    ------
    InputError
        A path cannot be kept in a task directory, or an included file holds what pwact writes.
    """
    links = {}
    ours = {*TOPOLOGY_GEOMETRY, *GEOMETRY, *(BASIS_FILES if gaussian else ())}
    for line in root.lines():
        words = line.value.replace('"', " ").replace("'", " ").split()
        named = line.name == "@INCLUDE" or "FILE" in line.name.split("_")
        if not named or not words or line.name in ours or Path(words[-1]).is_absolute():
            continue
        target = path.parent / words[-1]
        if not target.exists():
            continue
        top = Path(words[-1]).parts[0]
        if top in {"..", INPUT, COORDINATES, LOG}:
            message = f"line {line.number}: {words[-1]} cannot be kept in a task directory"
            raise InputError(f"{message}; use an absolute path", path, line.name)
        if line.name == "@INCLUDE":
            _check_included(target, path, line)
        links[top] = path.parent / top
    for file in (gaussian.basis_set_file, gaussian.potential_file) if gaussian else ():
        if not _PLAIN_NAME.fullmatch(file.name):
            raise InputError(f"the name {file.name!r} cannot stand in an input of CP2K", file)
        links[file.name] = file
    return links


def _check_included(target: Path, path: Path, line: Line) -> None:
    found = _HIDDEN.search(target.read_text(encoding="utf-8", errors="replace"))
    if found:
        message = f"line {line.number}: {target.name} holds &{found.group(1).upper()}"
        raise InputError(f"{message}; put its text into this file itself", path, "@INCLUDE")


def check_basis(dft: Section, root: Section, config: LabelConfig, elements: frozenset[str]) -> None:
    """Check that every element has a basis set and a potential, by gaussian_param or by its kind.

    Raises
    ------
    InputError
        One has none.
    """
    if not basis_is_needed(dft):
        return
    gaussian = config.gaussian
    path = root.path or Path()
    if gaussian is not None and gaussian.atom_list:
        _check_lists(gaussian, config, elements)
        return
    kinds = [kind for one in _subsystems(root) for kind in one.sections("KIND")]
    lacking = [element for element in sorted(elements) if not _is_full(kinds, element)]
    missing = [name for name in BASIS_FILES if dft.keyword(name) is None]
    if gaussian is None and (lacking or missing):
        key = ".".join(part for part in (config.key, "gaussian_param") if part)
        what = f"no full &KIND for {' '.join(lacking)}" if lacking else f"no {missing[0]}"
        message = f"this key is required for cp2k: {path.name} has {what}"
        raise InputError(message, config.file, key)
    if lacking:
        message = f"no BASIS_SET and POTENTIAL for {' '.join(lacking)}"
        raise InputError(message, path, "&KIND")


def _subsystems(root: Section) -> list[Section]:
    return [one for each in root.sections("FORCE_EVAL") for one in each.sections("SUBSYS")]


def _is_full(kinds: list[Section], element: str) -> bool:
    """Whether all kinds of an element have basis set and potential, and there is one."""
    named = kind_of(kinds, element)
    mine = [*([named] if named is not None else ()), *further_kinds(kinds, element)]
    return bool(mine) and all(map(_has_basis, mine))


def _has_basis(kind: Section) -> bool:
    basis = any(is_orbital_basis(item) for item in kind.items) or bool(kind.sections("BASIS"))
    potential = kind.keyword("POTENTIAL", "POT") is not None or bool(kind.sections("POTENTIAL"))
    return basis and potential


def _check_lists(gaussian: GaussianConfig, config: LabelConfig, elements: frozenset[str]) -> None:
    key = ".".join(part for part in (config.key, "gaussian_param") if part)
    missing = sorted(elements - set(gaussian.atom_list))
    if missing:
        message = f"{' '.join(missing)} is missing; found {' '.join(gaussian.atom_list)}"
        raise InputError(message, config.file, f"{key}.atom_list")
    for list_name, file in (
        ("basis_set_list", gaussian.basis_set_file),
        ("potential_list", gaussian.potential_file),
    ):
        known = names_in(file)
        for element, name in zip(gaussian.atom_list, getattr(gaussian, list_name)):
            there = known.get(element.upper(), {})
            if element in elements and name.upper() not in there:
                near = nearest(name.upper(), tuple(there))
                hint = f"; did you mean {there[near]}?" if near else ""
                message = f"{file.name} has no {name} for {element}{hint}"
                raise InputError(message, config.file, f"{key}.{list_name}")


def names_in(file: Path) -> dict[str, dict[str, str]]:
    """Element → names of its entries, by their spelling in upper case; both in one line."""
    known: dict[str, dict[str, str]] = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1 and re.fullmatch(r"[A-Za-z]{1,2}", words[0]):
            entries = known.setdefault(words[0].upper(), {})
            entries.update({word.upper(): word for word in words[1:]})
    return known


def check_kpoints(dft: Section, path: Path, config: LabelConfig, kspacing: Optional[float]) -> None:
    """Say which k-points count where several are given.

    Raises
    ------
    InputError
        The user asks for k-points of a method that has none.
    """
    asked = config.gaussian.kspacing if config.gaussian else None
    if kspacing is not None:
        logger.warning("%s: kspacing of the input is not used; CP2K takes gaussian_param", path)
    if dft.sections("KPOINTS"):
        if asked is not None:
            logger.warning("%s: its &KPOINTS count, not gaussian_param.kspacing", path)
    elif basis_is_needed(dft) and uses_orbital_transformation(dft):
        if asked is not None:
            message = "OT knows no k-points, but gaussian_param.kspacing asks for them"
            raise InputError(message, path, "&OT")
        logger.warning("%s: OT knows no k-points, so the Gamma point alone is used", path)


def tell_changes(root: Section, path: Path) -> None:
    """Warn of what pwact will leave out of the input."""
    for subsys in _subsystems(root):
        for topology in subsys.sections("TOPOLOGY"):
            for item in topology.items:
                if isinstance(item, Line) and item.active and item.name in TOPOLOGY_GEOMETRY:
                    logger.warning("%s: %s is left out: atoms come from pwact", path, item.name)
        for cell in subsys.sections("CELL"):
            _tell_open(cell.value("PERIODIC"), path)
            if cell.value("SYMMETRY") not in {"", "NONE", "TRICLINIC"}:
                logger.warning("%s: SYMMETRY is left out of cells that do not have it", path)
        if subsys.sections("VELOCITY"):
            logger.warning("%s: &VELOCITY is left out", path)
    for parent in (("FORCE_EVAL", "PRINT"), ("MOTION", "PRINT")):
        printed = root.section(*parent)
        for name in ("FORCES", "STRESS_TENSOR", "TRAJECTORY", "CELL"):
            for key in printed.sections(name) if printed else ():
                for item in key.items:
                    if isinstance(item, Line) and item.active and is_other_form(item):
                        words = f"{item.name} {item.value}"
                        logger.warning("%s: %s of &%s is left out", path, words, name)


def _tell_open(periodic: str, path: Path) -> None:
    """Warn of a cell that is not periodic along all axes."""
    if periodic and sorted(periodic) != ["X", "Y", "Z"]:
        text = (
            "%s: with PERIODIC %s labels are those of an open cell, but data, models and MD are "
            "periodic: leave room, more than the cutoff of the models"
        )
        logger.warning(text, path, periodic)
