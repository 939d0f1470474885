"""First-principles calculations: the section ``DFT`` of a run, and the inputs of init_bulk."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from pwact.config.document import plain
from pwact.config.elements import Elements
from pwact.config.kinds import Choice, Items, Located, Nodes, Placed, Real, Section, Text, Whole
from pwact.config.schema import Key, Node, Usual, declare, keys_of, read
from pwact.config.shapes import Shape
from pwact.registry.engines import LABELERS

STYLES = tuple(LABELERS)


@dataclass(frozen=True)
class FlagSymm:
    """An integer, also as text."""

    words: str = "integer"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": ["integer", "string"]}

    def convert(self, node: Node) -> int:
        """The integer."""
        value = node.value
        if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,9}\s*", value):
            return int(value)
        return Whole().convert(node)


@dataclass(frozen=True)
class Changes:
    """Changes to an input, for one try after another."""

    words: str = "list of objects {key: value}"

    def convert(self, node: Node) -> tuple[Mapping[str, Any], ...]:
        """Of each object its keys, as they are written, and plain values."""
        made = []
        for one in node.items():
            members = one.members().values()
            if not members:
                raise one.wrong("an object with a key at least")
            made.append({member.key.rpartition(".")[2]: plain(member.value) for member in members})
        return tuple(made)


KSPACING = Usual(0.08, 1, "the reciprocal vectors hold 2π: 0.25 gives 6 points along 4 Å")


@dataclass(frozen=True)
class DftInput:
    """A control file with what stands beside it in the JSON."""

    path: Path = declare(Path(), Located(), "The control file.", name="input", required=True)
    kspacing: Optional[float] = declare(
        None,
        Real(positive=True),
        "Distance of k-points where the control file has none: no MP_N123 (PWmat), no KSPACING "
        "(VASP), no KPointsAndWeights (DFTB+), no K_POINTS (qe), no KPT and no kspacing (abacus).",
        unit="1/Å",
        default_words="0.5 for PWmat",
        usual=KSPACING,
    )
    flag_symm: Optional[int] = declare(
        None,
        FlagSymm(),
        "Symmetry flag of PWmat's MP_N123.",
        default_words="AIMD 3, else 0",
    )
    species: tuple[str, ...] = declare(
        (),
        Elements(),
        "Elements in whose order lists of an INCAR stand (LDAUL, LDAUU …), where that is not the "
        "order of each structure file; a structure may lack some of them.",
    )


@dataclass(frozen=True)
class GaussianConfig:
    """Basis sets and potentials by element; the lists are empty where the control file rules."""

    basis_set_file: Path = declare(Path(), Located(), "File of basis sets.", required=True)
    potential_file: Path = declare(Path(), Located(), "File of potentials.", required=True)
    atom_list: tuple[str, ...] = declare((), Elements(), "The elements.", required=True)
    basis_set_list: tuple[str, ...] = declare(
        (), Items(Text(one_line=True), low=1), "Basis set of each element.", required=True
    )
    potential_list: tuple[str, ...] = declare(
        (), Items(Text(one_line=True), low=1), "Potential of each element.", required=True
    )
    kspacing: Optional[float] = declare(
        None,
        Real(positive=True),
        "Distance of k-points (CP2K).",
        unit="1/Å",
        default_words="0.5",
        usual=KSPACING,
    )


@dataclass(frozen=True)
class LabelConfig:
    """How one program computes energies and forces.

    Attributes
    ----------
    key
        Prefix of the keys in messages: ``DFT`` in a run, empty in init_bulk.
    inputs
        Control files; calculations choose by index.
    energy_as_given
        Labels by ASE hold what the calculator calls ``energy`` also where it has a ``free_energy``:
        for campaigns that versions up to 0.5.0 began.
    bare_atoms
        Moments, charges and kinds of atoms are left out, and lists by atom or species stay as they
        are, whatever the order of the atoms: likewise.
    """

    file: Path = Path("param.json")
    key: str = "DFT"
    style: str = declare(
        "pwmat",
        Choice(STYLES),
        'The program; "dftb" is PWmat that insists on USE_DFTB, "dftb+" the program of that name, '
        '"qe" Quantum ESPRESSO, "abacus" ABACUS, "ase" any ASE calculator, "bigmodel" a script of '
        "the user.",
        name="dft_style",
    )
    inputs: tuple[DftInput, ...] = ()
    energy_as_given: bool = False
    bare_atoms: bool = False
    pseudo: tuple[Path, ...] = declare(
        (),
        Items(Located()),
        "Pseudopotentials, one per element; for abacus its orbitals (.orb) as well.",
    )
    in_skf: Optional[Path] = declare(
        None, Placed(), "Directory of the Slater-Koster files (DFTB in PWmat)."
    )
    gaussian: Optional[GaussianConfig] = declare(
        None, Section(), "Basis sets and potentials (CP2K, or PWmat).", name="gaussian_param"
    )
    max_failed_rate: float = declare(
        0.1,
        Real(0.0, 1.0),
        "Largest share of calculations that may fail; one failure is always tolerated, but not "
        "that all fail.",
    )
    bigmodel_script: Optional[Path] = declare(
        None, Located(), "Script that labels; required for bigmodel."
    )
    scf_max_num: Optional[int] = declare(
        None, Whole(1), "init_bulk: at most this many frames are relabelled, a fixed random choice."
    )
    retry: tuple[Mapping[str, Any], ...] = declare(
        (),
        Changes(),
        "Further tries of a label whose SCF did not converge: what is changed in the input for "
        "each of them. See [engines](engines.md#a-label-that-does-not-converge).",
    )
    min_distance: float = declare(
        0.5, Real(0.0, 10.0), "Structures with atoms closer than this are left out.", unit="Å"
    )


HISTORIC_FILES = (
    Key(
        "basis_set_file_name",
        Located(),
        help="As gaussian_param.basis_set_file, if the control file has full &KIND blocks (old).",
        aliases=("basis_set_file",),
    ),
    Key(
        "potential_file_name",
        Located(),
        help="As gaussian_param.potential_file, if the control file has full &KIND blocks (old).",
        aliases=("potential_file",),
    ),
)
LABEL_KEYS = keys_of(LabelConfig)
INPUT_KEYS = keys_of(DftInput)
GAUSSIAN_KEYS = keys_of(GaussianConfig)
DFT_KEYS = (
    *(replace(key, required=key.name == "dft_style") for key in LABEL_KEYS),
    Key(
        "input",
        Nodes("file, or {input, kspacing, flag_symm}"),
        help="The control file; required unless dft_style is bigmodel.",
    ),
    *(key for key in INPUT_KEYS if key.name != "input"),
    Key("scf_pseudo", Items(Located()), default=(), help="Accepted, not used in a run."),
    *HISTORIC_FILES,
)


def load_dft(node: Node) -> LabelConfig:
    """Read the section ``DFT`` of a run.

    Raises
    ------
    InputError
        A key is wrong, or one that the style needs is missing.
    """
    values = read(node, DFT_KEYS)
    given, kspacing, symmetry, species = (
        values.pop(name) for name in ("input", "kspacing", "flag_symm", "species")
    )
    values.pop("scf_pseudo")
    style = values["style"]
    if given is None and not LABELERS[style].all_at_once:
        raise node.child("input", None).error(f"this key is required for {style}")
    if LABELERS[style].all_at_once and values["bigmodel_script"] is None:
        raise node.child("bigmodel_script", None).error(f"this key is required for {style}")
    inputs = dft_inputs(given or (), flag_symm=0 if symmetry is None else symmetry)
    if len(inputs) > 1:
        raise node.child("input", None).error(f"found {len(inputs)} files; expected one")
    if kspacing is not None:
        inputs = tuple(replace(one, kspacing=one.kspacing or kspacing) for one in inputs)
    if species:
        inputs = tuple(replace(one, species=one.species or tuple(species)) for one in inputs)
    finish(node, values)
    return LabelConfig(file=node.context.file, key=node.key, inputs=inputs, **values)


def dft_inputs(nodes: Sequence[Node], flag_symm: int) -> tuple[DftInput, ...]:
    """Read control files in all their short forms.

    Parameters
    ----------
    flag_symm
        Where an entry does not give its own.
    """
    made = []
    for node in nodes:
        if isinstance(node.value, dict):
            values = read(node, INPUT_KEYS)
        else:
            values = {"path": Located().convert(node), "kspacing": None, "flag_symm": None}
        if values["flag_symm"] is None:
            values["flag_symm"] = flag_symm
        made.append(DftInput(**values))
    return tuple(made)


def finish(node: Node, values: dict[str, Any]) -> None:
    """Turn basis sets in `values` into what LabelConfig holds.

    Raises
    ------
    InputError
        They are wrong.
    """
    section: Optional[Node] = values.pop("gaussian")
    old_files = [values.pop(key.name) for key in HISTORIC_FILES]
    values["gaussian"] = None
    if section is not None:
        values["gaussian"] = _gaussian(section)
    elif all(old_files):
        values["gaussian"] = GaussianConfig(old_files[0], old_files[1])


def _gaussian(node: Node) -> GaussianConfig:
    config = GaussianConfig(**read(node, GAUSSIAN_KEYS))
    for name in ("basis_set_list", "potential_list"):
        found, wanted = len(getattr(config, name)), len(config.atom_list)
        if found != wanted:
            message = f"found {found} names; expected {wanted}, as many as atom_list"
            raise node.child(name, None).error(message)
    return config
