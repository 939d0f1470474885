"""Checks of structures that are open along an axis: molecules, clusters, slabs with pbc F."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import numpy as np

from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.assignment import Holder
from pwact.errors import InputError
from pwact.formats.starts import read_start
from pwact.registry.formats import ALL_AXES_OR_NONE, EACH_AXIS, FORMATS
from pwact.workflow.init_bulk.chain import Chain

if TYPE_CHECKING:
    from ase import Atoms

_ADVICE = (
    "leave room along {axes} (more than the cutoff of the models, and what the program needs) and "
    'say pbc="T T T" in the file'
)


def check_chain_open(config: InitConfig, chain: Chain) -> list[str]:
    """Warnings of open axes of the structures of a chain.

    Raises
    ------
    InputError
        A program, the super cell or the data format cannot keep them.
    """
    said = []
    steps: tuple[tuple[str, Mapping[int, Holder]], ...] = (
        ("relax", chain.relax),
        ("aimd", chain.aimd),
        ("bigmodel", chain.bigmodel),
        ("scf", chain.scf),
    )
    for entry in config.systems:
        axes = _open(entry.structure)
        if not axes:
            continue
        if config.relax.bare_atoms:
            said.append(_as_begun(entry.structure.path, axes))
            continue
        where = (config.file, f"sys_configs[{entry.index}].config")
        for word, labelers in steps:
            labeler = labelers.get(entry.index)
            if labeler is not None and not labeler.open_axes:
                what = f"the program of {word} computes it as periodic"
                raise _refused(entry.structure.path, axes, what, where)
        _check_repeats(entry, axes, where)
        if not _kept(config.data_format, axes):
            what = f"data of the format {config.data_format} cannot say so (extxyz can)"
            raise _refused(entry.structure.path, axes, what, where)
        said.append(
            f"{entry.structure.path}: it is open along {_named(axes)}, and so are its labels and "
            "data; run explores periodic structures alone"
        )
    return said


def check_run_open(config: RunConfig, structures: Iterable[tuple[str, StructureFile]]) -> list[str]:
    """Refuse to explore structures with open axes: MD and models are periodic.

    Raises
    ------
    InputError
        There is one, in a campaign that version 0.5.0 did not begin.
    """
    said = []
    for key, structure in structures:
        axes = _open(structure)
        if axes and config.dft.bare_atoms:
            said.append(_as_begun(structure.path, axes))
        elif axes:
            what = "explored MD and models are periodic"
            raise _refused(structure.path, axes, what, (config.file, key))
    return list(dict.fromkeys(said))


def check_frame_open(atoms: Atoms, path: Path, computed: bool, data_format: str) -> None:
    """Refuse a frame with open axes where its label would not be that of this frame.

    Parameters
    ----------
    computed
        Whether the program computes open axes as such.

    Raises
    ------
    InputError
        The program or the data format cannot keep them.
    """
    axes = _open_axes(atoms)
    if axes and not computed:
        raise _refused(path, axes, "the program computes it as periodic", (None, ""))
    if not _kept(data_format, axes) and axes:
        what = f"data of the format {data_format} cannot say so (extxyz can)"
        raise _refused(path, axes, what, (None, ""))


def _open(structure: StructureFile) -> list[int]:
    """Numbers of the axes along which a structure is open."""
    return _open_axes(read_start(structure.path, structure.format, structure.fix_atoms))


def _open_axes(atoms: Atoms) -> list[int]:
    return list(map(int, np.flatnonzero(~np.asarray(atoms.pbc, dtype=bool))))


def _kept(data_format: str, axes: list[int]) -> bool:
    """Whether data of a format can say along which axes they are open."""
    known = FORMATS[data_format].pbc
    return known == EACH_AXIS or (known == ALL_AXES_OR_NONE and len(axes) == len("abc"))


def _named(axes: list[int]) -> str:
    return ", ".join("abc"[axis] for axis in axes)


def _refused(
    path: Path, axes: list[int], what: str, where: tuple[Optional[Path], str]
) -> InputError:
    pbc = " ".join("F" if axis in axes else "T" for axis in range(3))
    advice = _ADVICE.format(axes=_named(axes))
    message = f"{path}: it is open along {_named(axes)} (pbc {pbc}), but {what}; {advice}"
    return InputError(message, *where)


def _as_begun(path: Path, axes: list[int]) -> str:
    return (
        f"{path}: it is open along {_named(axes)}, but taken as periodic, as version 0.5.0 did, "
        "which began this campaign: leave room around it"
    )


def _check_repeats(entry: SystemEntry, axes: list[int], where: tuple[Path, str]) -> None:
    """Refuse to repeat a structure along an axis that does not repeat."""
    if entry.super_cell is None:
        return
    matrix = np.array(entry.super_cell).reshape(3, 3)
    for axis in axes:
        one = np.eye(3)[axis]
        if not (np.array_equal(matrix[axis], one) and np.array_equal(matrix[:, axis], one)):
            file, key = where
            raise InputError(
                f"{entry.structure.path} is open along {_named([axis])}; expected a super cell "
                "that leaves this axis as it is",
                file,
                key.replace(".config", ".super_cell"),
            )
