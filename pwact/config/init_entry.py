"""Entries of ``sys_configs`` in init_bulk: a structure and what is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from pwact.config.document import WrittenFloat, WrittenInt
from pwact.config.exploration import check_indices
from pwact.config.kinds import Flag, Items, Real, Text, Whole, existing
from pwact.config.schema import Node, Usual, declare, keys_of, read
from pwact.config.shapes import Shape
from pwact.config.structure_file import SYSTEM_KEYS, StructureFile, structure_file

_LARGEST_CELL = 100_000  # copies of the cell; more is a slip of the pen
_INDEX = Whole(0)
CellNumbers = tuple[int, int, int, int, int, int, int, int, int]


@dataclass(frozen=True)
class ScaleFactor:
    """A factor of the cell lengths; `text` as written in the JSON, for names."""

    text: str
    value: float


@dataclass(frozen=True)
class Factor:
    """One scale factor."""

    words: str = "number > 0"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": "number", "exclusiveMinimum": 0, "maximum": 100}

    def convert(self, node: Node) -> ScaleFactor:
        """The factor with its text."""
        value = Real(high=100.0, positive=True).convert(node)
        written = isinstance(node.value, (WrittenInt, WrittenFloat))
        return ScaleFactor(node.value.text if written else repr(node.value), value)


@dataclass(frozen=True)
class SuperCell:
    """A super cell as 3 integers, 9 integers, a 3x3 matrix, or text that holds the numbers."""

    words: str = "3 integers, 9 integers or 3x3"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": ["string", "array"]}

    def convert(self, node: Node) -> CellNumbers:
        """The matrix row by row. Raises InputError unless its determinant is positive."""
        numbers = self._numbers(node)
        if len(numbers) == 3:
            i, j, k = numbers
            numbers = [i, 0, 0, 0, j, 0, 0, 0, k]
        a, b, c, d, e, f, g, h, i = numbers
        volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
        if volume < 0:
            raise node.error(
                f"its determinant is {volume}, which turns the cell left-handed; exchange two rows"
            )
        if not 0 < volume <= _LARGEST_CELL:
            raise node.error(f"it makes {volume} cells of one; expected 1 to {_LARGEST_CELL}")
        return (a, b, c, d, e, f, g, h, i)

    def _numbers(self, node: Node) -> list[int]:
        value = node.value
        if isinstance(value, str):
            words = [word for word in re.split(r"[\s,;\[\]]+", value) if word]
            if not all(re.fullmatch(r"-?\d{1,9}", word) for word in words):
                raise node.wrong(self.words)
            numbers = [int(word) for word in words]
        elif isinstance(value, list):
            rows = node.items()
            nested = [isinstance(row.value, list) for row in rows]
            shaped = not any(nested) or (
                len(rows) == 3 and all(nested) and all(len(row.value) == 3 for row in rows)
            )
            if not shaped:
                raise node.wrong(self.words)
            numbers = [Whole().convert(one) for row in rows for one in row.items()]
        else:
            raise node.wrong(self.words)
        if len(numbers) not in (3, 9):
            raise node.wrong(self.words)
        return numbers


@dataclass(frozen=True)
class Periodicity:
    """Three numbers, 1 for periodic and 0 for not."""

    words: str = "three of 0 and 1"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        allowed = {"enum": [0, 1, False, True]}
        return {"type": "array", "items": allowed, "minItems": 3, "maxItems": 3}

    def convert(self, node: Node) -> tuple[int, ...]:
        """The three numbers."""
        if not isinstance(node.value, list) or len(node.value) != 3:
            raise node.wrong(self.words)
        if any(value not in (0, 1) for value in node.value):
            raise node.wrong(self.words)
        return tuple(int(value) for value in node.value)


@dataclass(frozen=True)
class SystemEntry:
    """One structure and what is made of it: relax, super_cell, scale, perturb, then MD.

    Attributes
    ----------
    index
        Place in ``sys_configs``.
    super_cell
        Matrix row by row.
    """

    index: int = 0
    structure: StructureFile = field(
        default_factory=lambda: StructureFile(Path("POSCAR"), "vasp/poscar")
    )
    pbc: tuple[int, int, int] = declare(
        (1, 1, 1), Periodicity(), "Periodic axes, for wrapping into the super cell."
    )
    relax: bool = declare(False, Flag(), "Relax the structure first.")
    relax_input_idx: int = declare(0, _INDEX, "Which entry of relax_input is used.")
    super_cell: Optional[CellNumbers] = declare(None, SuperCell(), "The super cell.")
    scale: tuple[ScaleFactor, ...] = declare(
        (),
        Items(Factor()),
        "Factors of the cell lengths, a structure each.",
        usual=Usual(0.7, 1.5, "0.95 shortens all lengths by 5 %"),
    )
    perturb: int = declare(0, Whole(0, 1_000_000), "Random structures made of each; 0: none.")
    cell_pert_fraction: float = declare(
        0.03,
        Real(0.0, 1.0),
        "Largest relative strain of a perturbed cell.",
        usual=Usual(0, 0.2, "0.03 is 3 %"),
    )
    atom_pert_distance: float = declare(
        0.01,
        Real(0.0, 10.0),
        "Size of the displacement of perturbed atoms.",
        unit="Å",
        usual=Usual(0, 0.6),
    )
    aimd: bool = declare(False, Flag(), "Run AIMD of every structure.")
    aimd_input_idx: int = declare(0, _INDEX, "Which entry of aimd_input is used.")
    bigmodel: bool = declare(False, Flag(), "MD by a script of the user instead of AIMD.")
    bigmodel_input_idx: int = declare(0, _INDEX, "Which entry of bigmodel_input is used.")
    direct: bool = declare(False, Flag(), "Filter the frames of bigmodel by the DIRECT script.")
    direct_input_idx: int = declare(0, _INDEX, "Which entry of direct_input is used.")
    scf: bool = declare(
        False,
        Flag(),
        "Label by scf_input: the frames of the MD again, or without any MD the structures.",
    )
    scf_input_idx: int = declare(0, _INDEX, "Which entry of scf_input is used.")

    @property
    def has_md(self) -> bool:
        """Whether an MD starts from what is made of the structure."""
        return self.aimd or self.bigmodel


STEPS = ("relax", "aimd", "bigmodel", "direct", "scf")
KEYS = (*SYSTEM_KEYS, *keys_of(SystemEntry))


def load_entry(node: Node, index: int, prefix: Path, counts: Mapping[str, int]) -> SystemEntry:
    """Read one entry.

    Parameters
    ----------
    prefix
        Put before the path of the structure.
    counts
        Step → number of its inputs at the top level.

    Raises
    ------
    InputError
        A key is wrong, or a step has no input.
    """
    if isinstance(node.value, str):
        path = existing(node, prefix / Text(one_line=True).convert(node))
        return SystemEntry(index, structure_file(node, path, None))
    values = read(node, KEYS)
    place = node.child("config", values["config"])
    path = existing(place, prefix / values.pop("config"))
    structure = structure_file(place, path, values.pop("format"), values.pop("fix_atoms"))
    _check_steps(node, values, counts)
    texts = [factor.text for factor in values["scale"]]
    if len(set(texts)) < len(texts):
        raise node.child("scale", None).error(f"a factor is given twice: {', '.join(texts)}")
    return SystemEntry(index=index, structure=structure, **values)


def _check_steps(node: Node, values: Mapping[str, Any], counts: Mapping[str, int]) -> None:
    if values["aimd"] and values["bigmodel"]:
        raise node.child("bigmodel", None).error("aimd and bigmodel exclude each other")
    for step in STEPS:
        if not values[step]:
            continue
        if not counts[step]:
            raise node.child(step, None).error(f"{step}_input is required for this and missing")
        place = node.child(f"{step}_input_idx", None)
        check_indices(place, [values[f"{step}_input_idx"]], counts[step], f"{step}_input")


def check_together(root: Node, systems: Sequence[SystemEntry], counts: Mapping[str, int]) -> None:
    """Check what entries ask for together; note what has no effect.

    Raises
    ------
    InputError
        They want different DIRECT scripts, or frames would be labelled with an input that is not
        there.
    """
    direct = {entry.direct_input_idx for entry in systems if entry.bigmodel and entry.direct}
    relabelled = any(entry.scf for entry in systems if entry.bigmodel)
    for entry in systems:
        node = root.child("sys_configs", None)
        node = Node(None, f"{node.key}[{entry.index}]", root.context)
        if entry.direct and len(direct) > 1:
            raise node.child("direct_input_idx", None).error(
                "all frames go through one DIRECT script, so all entries must name the same one"
            )
        if entry.direct and not entry.bigmodel:
            node.child("direct", None).warn("it has no effect without bigmodel")
        if relabelled and entry.bigmodel and not entry.scf:
            node.child("scf", None).warn(
                "these frames are labelled as well: scf of one entry with bigmodel holds for all"
            )
            place = node.child("scf_input_idx", None)
            check_indices(place, [entry.scf_input_idx], counts["scf"], "scf_input")
