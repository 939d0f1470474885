"""What is said of a force field that is handed on: ``model.json``, and ``README.txt`` in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

from pwact.report.errors import digits, error_table, error_words
from pwact.report.records import ErrorRecord
from pwact.report.target import TargetFacts, status_words, verdict

UNITS = {"length": "Å", "energy": "eV", "forces": "eV/Å", "lammps": "metal"}
_WIDTH = 22


@dataclass(frozen=True)
class DataFacts:
    """One data set.

    Attributes
    ----------
    path
        Relative to the work directory of the campaign, where it lies below.
    sha256
        Of the file, or of the tree.
    frames
        None where they were not counted.
    """

    path: str
    sha256: str
    frames: Optional[int] = None

    def to_json(self) -> dict[str, Any]:
        """As JSON."""
        return {"path": self.path, "sha256": self.sha256, "frames": self.frames}


@dataclass(frozen=True)
class ForceField:
    """The facts.

    Attributes
    ----------
    elements
        In the order of the LAMMPS types.
    cutoff
        In Å; None where the program does not say.
    files
        Name → sha256 of the files of the model.
    usage
        Name → what the file is for, of those beside them.
    trained_in
        Where, relative to the work directory.
    errors
        RMSE on `valid_frames` frames: ``energy_per_atom`` (eV) and ``forces`` (eV/Å); None without.
    on_valid
        Errors of the model as it is handed on, in all and by kind; empty where it was not evaluated
        on ``valid_data``.
    on_new
        Errors on the labels that came last, of the model that explored and had not seen them;
        and the name of their iteration.
    target
        How the conditions of a run with a target stand; None without.
    check
        The frame that everybody can try: ``data`` and ``frame`` where it comes from, ``energy``.
    seeds
        ``campaign``, and ``training``, None where another program trained.
    versions
        Program → version.
    inputs
        Input file → sha256.
    by_structure
        Whether a calculator is to be made for the elements of a structure.
    """

    elements: Sequence[str]
    cutoff: Optional[float]
    engine: str
    model_type: str
    files: Mapping[str, str]
    usage: Mapping[str, str]
    trained_in: str
    errors: Optional[Mapping[str, float]]
    valid_frames: int
    data: Sequence[DataFacts]
    valid_data: Sequence[DataFacts]
    check: Mapping[str, Any]
    seeds: Mapping[str, Optional[int]]
    versions: Mapping[str, str]
    inputs: Mapping[str, str] = field(default_factory=dict)
    by_structure: bool = False
    on_valid: Sequence[ErrorRecord] = ()
    on_new: tuple[str, Sequence[ErrorRecord]] = ("", ())
    target: Optional[TargetFacts] = None

    @property
    def frames(self) -> int:
        """How many it was trained on."""
        return sum(one.frames or 0 for one in self.data)

    def to_json(self) -> dict[str, Any]:
        """All facts, as ``model.json`` holds them."""
        errors = None
        if self.errors is not None:
            errors = {"on": "valid_data", "frames": self.valid_frames, **self.errors}
        return {
            "elements": list(self.elements),
            "cutoff": self.cutoff,
            "units": UNITS,
            "engine": self.engine,
            "model_type": self.model_type,
            "files": dict(self.files),
            "rmse": errors,
            "errors_on_valid_data": [one.to_json() for one in self.on_valid],
            "errors_on_new_labels": {
                "iteration": self.on_new[0] or None,
                "errors": [one.to_json() for one in self.on_new[1]],
            },
            "target": None if self.target is None else self.target.to_json(),
            "check": dict(self.check),
            "trained_in": self.trained_in,
            "training_frames": self.frames,
            "data": [one.to_json() for one in self.data],
            "valid_data": [one.to_json() for one in self.valid_data],
            "seeds": dict(self.seeds),
            "versions": dict(self.versions),
            "inputs": dict(self.inputs),
        }

    @property
    def quality(self) -> str:
        """How good it is, in one sentence."""
        if self.errors is None:
            return "not known: the campaign had no validation data (key valid_data)"
        energy, forces = 1000 * self.errors["energy_per_atom"], self.errors["forces"]
        return (
            f"{digits(energy)} meV per atom in the energy and {forces:.3g} eV/Å in the forces, "
            f"root mean square over the {self.valid_frames} frames of valid_data"
        )


def readme(found: ForceField) -> str:
    """``README.txt``: which file is what, how to load it, how good it is, and from which data."""
    cutoff = f", cutoff {found.cutoff:g} Å" if found.cutoff is not None else ""
    lines = [
        f"Force field for {' '.join(found.elements)}: {found.model_type}, trained by "
        f"{found.engine}{cutoff}.",
        "",
        "FILES",
        *(_row(name, "of the model") for name in found.files),
        *(_row(name, words) for name, words in found.usage.items()),
        _row("model.json", "elements, cutoff, units, errors, seeds, versions, check sums"),
        "",
        *_loading(found),
        "HOW GOOD IT IS",
        *_wrapped(f"Error: {found.quality}."),
        *_errors(found.on_valid),
        *_before(*found.on_new),
        *_proof(found.target),
        "  It knows what is like its training data. Other phases, compositions, temperatures or",
        "  pressures are to be tried first.",
        "",
        "WHAT IT WAS TRAINED ON",
        f"  {found.frames} frames with energies and forces:",
        *(f"  {one.frames:>7}  {one.path}" for one in found.data),
        f"  Trained in {found.trained_in} of the campaign; seeds, versions and check sums are in",
        "  model.json.",
    ]
    return "\n".join(lines) + "\n"


def _errors(records: Sequence[ErrorRecord]) -> list[str]:
    """What the model as it is handed on says of ``valid_data``, by structure and element."""
    if not records:
        return []
    words = f"As it lies here, on {records[0].frames} of them: {error_words(records[0])}."
    table = error_table(records[1:], "frames").splitlines() if len(records) > 2 else []
    return [*_wrapped(words), *(f"    {line}" for line in table)]


def _before(iteration: str, records: Sequence[ErrorRecord]) -> list[str]:
    """What an earlier model said of the newest labels."""
    if not records:
        return []
    words = (
        f"On the {records[0].frames} labels of {iteration}, the last ones, before it was trained "
        f"on them: {error_words(records[0])}."
    )
    return _wrapped(words)


def _proof(target: Optional[TargetFacts]) -> list[str]:
    """Whether the target was reached, and what the controls of each condition prove."""
    if target is None:
        return []
    lines = [line for words in status_words(target) for line in _wrapped(words, "    ")]
    explained = (
        "A condition is an element of md_jobs. Controls are frames drawn by lot from all that were "
        "explored, wrong those with an error above the target."
    )
    return [*_wrapped(f"{_capital(verdict(target))}."), *lines, *_wrapped(explained)]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _loading(found: ForceField) -> list[str]:
    lines = []
    if "in.lammps" in found.usage:
        lines += [
            "IN LAMMPS",
            "  lmp -in in.lammps       gives energy and forces of the check frame.",
            "  Copy its lines pair_style and pair_coeff into an input of yours, and number the",
            f"  types of your atoms as {' '.join(found.elements)}. LAMMPS must know that style.",
            "",
        ]
    return [
        *lines,
        "IN ASE",
        "  python calculator.py    evaluates the check frame, and compares.",
        "  In a script beside it:  from calculator import calculator",
        "                          atoms.calc = calculator()",
        *(
            ["  For this kind of model: calculator(atoms.get_chemical_symbols())."]
            if found.by_structure
            else []
        ),
        "",
        "CHECK",
        f"  Energy of check.extxyz: {found.check['energy']:.8f} eV. Its forces stand in it, too.",
        "  Another machine or version should give the same to many digits.",
        "",
    ]


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, 88, initial_indent=indent, subsequent_indent=indent)


def _row(name: str, words: str) -> str:
    return f"  {name:<{_WIDTH}} {words}"
