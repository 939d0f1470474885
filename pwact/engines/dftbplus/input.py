"""An input of DFTB+ of the user: is it fit for a stage, and what is put into it.

The user's text stays. The geometry is exchanged, files get names of links, entries of elements that
a structure does not have are taken out, and what pwact needs is appended with the prefixes by which
HSD changes what stands before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import numpy as np

from pwact.config.elements import NUMBERS
from pwact.config.schema import Usual
from pwact.engines.kpoints import mesh
from pwact.engines.labelers import Purpose
from pwact.engines.md_steps import MdProgress
from pwact.engines.unlikely import STEP_FS, TEMPERATURE_K, is_plain
from pwact.errors import InputError
from pwact.fixed_atoms import ranges
from pwact.formats.hsd import Node, Part, is_yes, read_hsd
from pwact.formats.thermo import last_number

GEOMETRY = "geo.gen"
PREFIX = "geo_end"
PORTABLE = 10  # understood by 21.2 to 25.1, with the same results
OLDEST = 7  # of 19.1; lower ones switch to other models
RENAMED = 14  # from here on it is PrintForces, before CalculateForces
VERSIONS = {"24.1": 14, "23.1": 13, "22.2": 12, "22.1": 11, "21.2": 10, "21.1": 9, "20.2": 9}
VERSIONS.update({"25.1": 14, "20.1": 8, "19.1": 7})
DRIVERS = {
    Purpose.RELAX: (
        *("GeometryOptimization", "GeometryOptimisation", "ConjugateGradient"),
        *("SteepestDescent", "gDIIS", "LBFGS", "FIRE"),
    ),
    Purpose.AIMD: ("VelocityVerlet",),
    Purpose.SCF: (),
}
_PERIODIC = ("DFTB", "xTB")
# fs and K in the unit that stands in brackets; without one DFTB+ takes atomic units
_TIMES = {"": 0.02418884, "fs": 1.0, "femtosecond": 1.0, "ps": 1e3, "picosecond": 1e3, "s": 1e15}
_TEMPERATURES = {"": 315_775.02, "kelvin": 1.0, "k": 1.0}


def check_driver(root: Node, path: Path, purpose: Purpose) -> None:
    """Check that the driver does what the stage is about.

    Raises
    ------
    InputError
        It does not, or it would bring what belongs to another structure.
    """
    driver = root.child("Driver")
    method = driver.method if driver is not None else None
    found = method.name if method is not None else (driver.text if driver is not None else "")
    found = "" if found.lower() in {"", "none"} else found
    allowed = DRIVERS[purpose]
    if found.lower() not in {name.lower() for name in allowed or ("",)}:
        wanted = " or ".join(allowed[::2] if len(allowed) > 1 else allowed) or "no driver, or {}"
        message = f"found {found or 'none'}; expected {wanted} for {purpose.value}"
        raise InputError(message, path, "Driver")
    if method is None:
        return
    key = f"Driver/{method.name}"
    if method.child("Velocities") is not None:
        message = "velocities of other atoms; take them out, pwact seeds those of the start"
        raise InputError(message, path, f"{key}/Velocities")
    steps = method.child("Steps")
    if purpose is Purpose.AIMD and (steps is None or not steps.text.isdigit()):
        raise InputError("expected a number of steps", path, f"{key}/Steps")


def check_moved(root: Node, path: Path) -> None:
    """Refuse a choice of atoms that move, beside that of a structure.

    Raises
    ------
    InputError
        There is one.
    """
    driver = root.child("Driver")
    method = driver.method if driver is not None else None
    for name in ("MovedAtoms", "Constraints"):
        if method is not None and method.child(name) is not None:
            raise InputError(
                "found atoms that are chosen by their numbers here, and others by the structure; "
                "take them out of one of the two (fix_atoms: false frees those of the structure)",
                path,
                f"Driver/{method.name}/{name}",
            )


def check_options(root: Node, path: Path) -> None:
    """Check switches with which DFTB+ would not compute, or not what is read.

    Raises
    ------
    InputError
        One is set.
    """
    for key, message in (
        ("ParserOptions/StopAfterParsing", "DFTB+ would stop before it computes"),
        ("Options/WriteHS", "DFTB+ would stop before it has forces"),
        ("Options/WriteRealHS", "DFTB+ would stop before it has forces"),
    ):
        if is_yes(root.value(*key.split("/"))):
            raise InputError(f"{message}; take it out", path, key)
    for method in _methods(root):
        if is_yes(method.value("ReadInitialCharges")):
            message = "charges of another structure; take it out"
            raise InputError(message, path, f"Hamiltonian/{method.name}/ReadInitialCharges")


def _methods(root: Node) -> list[Node]:
    hamiltonian = root.child("Hamiltonian")
    return hamiltonian.children if hamiltonian is not None else []


def parser_version(root: Node, path: Path) -> int:
    """The version of the input's language; what the task says if the user does not.

    Raises
    ------
    InputError
        It is no version that can be used.
    """
    analysis = root.child("Analysis")
    new_word = analysis is not None and analysis.child("PrintForces") is not None
    old_word = analysis is not None and analysis.child("CalculateForces") is not None
    given, key = _given_version(root, path)
    if given is None:
        return RENAMED if new_word else PORTABLE
    if given < OLDEST:
        message = f"found {given}; below {OLDEST} DFTB+ computes another model. Expected {PORTABLE}"
        raise InputError(f"{message} (any DFTB+ since 21.2) or more", path, key)
    for wrong, word, other in (
        (new_word and given < RENAMED, "PrintForces", "CalculateForces"),
        (old_word and given >= RENAMED, "CalculateForces", "PrintForces"),
    ):
        if wrong:
            message = f"with {key.rpartition('/')[2]} {given} this is {other}"
            raise InputError(message, path, f"Analysis/{word}")
    return given


def _given_version(root: Node, path: Path) -> tuple[Optional[int], str]:
    release = root.child("InputVersion")
    if release is not None:
        if release.text not in VERSIONS:
            message = f"found {release.text}; expected one of {', '.join(sorted(VERSIONS))}"
            raise InputError(message, path, "InputVersion")
        return VERSIONS[release.text], "InputVersion"
    key = "ParserOptions/ParserVersion"
    found = root.at("ParserOptions", "ParserVersion")
    if found is None:
        return None, key
    if not found.text.isdigit():
        raise InputError(f"found {found.text!r}; expected a number", path, key)
    return int(found.text), key


def check_hamiltonian(
    root: Node, path: Path, elements: frozenset[str], kspacing: Optional[float]
) -> None:
    """Check k-points and the angular momenta of the elements.

    Raises
    ------
    InputError
        They are not there.
    """
    hamiltonian = root.child("Hamiltonian")
    method = hamiltonian.method if hamiltonian is not None else None
    if method is None or method.name.lower() not in {name.lower() for name in _PERIODIC}:
        found = method.name if method is not None else "none"
        raise InputError(f"found {found}; expected DFTB or xTB", path, "Hamiltonian")
    key = f"Hamiltonian/{method.name}"
    if method.child("KPointsAndWeights") is None and kspacing is None:
        message = "this key is required, or kspacing beside the input in the JSON file"
        raise InputError(message, path, f"{key}/KPointsAndWeights")
    if method.name.lower() != "dftb":
        return
    momenta = method.child("MaxAngularMomentum")
    known = {child.name.lower() for child in momenta.children} if momenta is not None else set()
    if lacking := sorted(element for element in elements if element.lower() not in known):
        message = f"there is no entry for {' '.join(lacking)}"
        raise InputError(message, path, f"{key}/MaxAngularMomentum")


def warnings(root: Node, kspacing: Optional[float]) -> list[str]:
    """What may be meant otherwise."""
    said = []
    for method in _methods(root):
        if method.child("KPointsAndWeights") is not None and kspacing is not None:
            said.append("KPointsAndWeights is there, so kspacing of the JSON file has no effect")
        if method.child("ConvergentSCCOnly") is not None and not is_yes(
            method.value("ConvergentSCCOnly")
        ):
            said.append("ConvergentSCCOnly is off; what did not converge is left out all the same")
    if is_yes(root.value("ParserOptions", "IgnoreUnprocessedNodes")):
        said.append("IgnoreUnprocessedNodes is on, so misspelt keywords have no effect")
    return said


def put_in(root: Node, elements: frozenset[str]) -> None:
    """Exchange the geometry, take out what belongs to elements that are not there."""
    geometries = [part for name, part in root.constructs if name == "geometry"]
    for number, part in enumerate(geometries):
        part.replace("" if number else _GEOMETRY)
    for method in _methods(root):
        for part in _foreign(method, {element.lower() for element in elements}):
            part.replace("")


_GEOMETRY = f'Geometry = GenFormat {{\n  <<< "{GEOMETRY}"\n}}'
_SYMBOLS = frozenset(symbol.lower() for symbol in NUMBERS)


def _foreign(node: Node, present: set[str]) -> list[Part]:
    """Entries by element, or pair of elements, of which one is not present.

    DFTB+ refuses entries that it does not use. A list is one by elements if it has an entry that
    is present.
    """
    found = [part for child in node.children for part in _foreign(child, present)]
    named = [(set(name.split("-")), part) for name, part in node.constructs]
    if any(names <= present for names, _ in named):
        found += [part for names, part in named if names <= _SYMBOLS and not names <= present]
    return found


def appended(
    root: Node,
    purpose: Purpose,
    version: int,
    seed: int,
    md_output: bool = True,
    moved: Sequence[int] = (),
) -> str:
    """Lines that make DFTB+ write what is read.

    Parameters
    ----------
    version
        Of the parser.
    seed
        Of the velocities of an AIMD, unless the user gives one.
    md_output
        Whether forces of MD steps are asked for in the words of 25.1.
    moved
        Atoms that move, from 1 on, where not all do.
    """
    options = ["!WriteResultsTag = Yes", "!WriteDetailedOut = Yes"]
    if root.at("Options", "TimingVerbosity") is not None:
        options.append("!TimingVerbosity = 1")
    forces = "PrintForces" if version >= RENAMED else "CalculateForces"
    lines = []
    if not any(name == "geometry" for name, _ in root.constructs):
        lines += _GEOMETRY.split("\n")
    if purpose is not Purpose.SCF:
        driver = root.child("Driver")
        method = driver.method.name if driver is not None and driver.method is not None else ""
        lines += ["+Driver = {", f"  +{method} = {{", f'    !OutputPrefix = "{PREFIX}"']
        lines += ["    !MDRestartFrequency = 1"] if purpose is Purpose.AIMD else []
        words = " ".join(one.replace("..", ":") for one in ranges(moved))
        lines += [f"    !MovedAtoms = {words}"] if moved else []
        lines += ["  }", "}"]
    if purpose is Purpose.AIMD:
        own = root.value("Options", "RandomSeed")
        options += [f"!RandomSeed = {seed}"] if not own.isdigit() or int(own) == 0 else []
        options += ["*MDOutput = {", "  !Derivatives = Yes", "}"] if md_output else []
    for block, inner in (("Options", options), ("Analysis", [f"!{forces} = Yes"])):
        lines += [f"*{block} = {{", *(f"  {line}" for line in inner), "}"]
    if root.child("InputVersion") is None:
        lines += ["*ParserOptions = {", f"  !ParserVersion = {version}", "}"]
    return "\n".join(lines) + "\n"


def kpoints(root: Node, cell: np.ndarray, kspacing: Optional[float]) -> str:
    """A mesh of Monkhorst and Pack where the user has none: Γ is left out where n is even."""
    lines = []
    for method in _methods(root)[:1]:
        if method.child("KPointsAndWeights") is None and kspacing is not None:
            numbers = mesh(cell, kspacing)
            rows = [
                " ".join(str(number if row == column else 0) for column in range(3))
                for row, number in enumerate(numbers)
            ]
            rows.append(" ".join("0.0" if number % 2 else "0.5" for number in numbers))
            lines = ["+Hamiltonian = {", f"  +{method.name} = {{"]
            lines += ["    !KPointsAndWeights = SupercellFolding {"]
            lines += [*(f"      {row}" for row in rows), "    }", "  }", "}", ""]
    return "\n".join(lines)


def steps_of(root: Node) -> int:
    """Number of MD steps of a checked input."""
    found = root.at("Driver", "VelocityVerlet", "Steps")
    return int(found.text) if found is not None and re.fullmatch(r"\d+", found.text) else 0


def md_steps(directory: Path) -> Optional[MdProgress]:
    """Steps that an AIMD has made, and those asked for; None where there is no AIMD."""
    root, _ = read_hsd(directory / "dftb_in.hsd")
    asked = steps_of(root)
    made = last_number(directory / "md.out", r"^MD step:\s*(\d+)")
    return MdProgress(made, asked) if asked else None


def numbers_of(root: Node) -> list[tuple[str, str, Usual, str]]:
    """Time step and temperature of an MD, with what is usual, for `unlikely.unlikely_numbers`."""
    drive = root.at("Driver", "VelocityVerlet") or Node()
    thermostat = (drive.child("Thermostat") or Node()).method or Node()
    nodes = (
        (drive.child("TimeStep"), _TIMES, STEP_FS, "fs"),
        *(
            (thermostat.child(name), _TEMPERATURES, TEMPERATURE_K, "K")
            for name in ("Temperature", "InitialTemperature")
        ),
    )
    found = []
    for node, units, usual, unit in nodes:
        factor = units.get(node.modifier.lower()) if node is not None else None
        if node is not None and factor is not None and is_plain(node.text):
            number = f"{factor * float(node.text):.6g}"
            found.append((f"Driver/VelocityVerlet/…/{node.name}", number, usual, unit))
    return found
