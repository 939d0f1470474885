"""Trajectories of CASTEP, read by pwdata.

pwdata stands in where pwact has no reader of its own and the file leaves no doubt about units and
meaning. What pwdata is lenient about is refused before it reads. Its virials are left out: their
sign could not be checked with the program itself.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.data_format import LabelledFormat, ReadWarnings
from pwact.formats.labels import set_labels

if TYPE_CHECKING:
    from pwact.formats.extxyz_labels import LabelNames

_NUMBER = r"[-+]?\d+\.\d+(?:[eE][-+]?\d+)?"
_ROW = re.compile(rf"\s*[A-Z][a-z]?(?::\S+)?\s+\d+(?:\s+{_NUMBER}){{3}}\s+<--\s*[RF]\s*")
_VECTOR = re.compile(rf"(?:\s+{_NUMBER})+\s+<--\s*[Eh]\s*")
_TAG = re.compile(r"<--\s*([A-Za-z]+)")  # as pwdata looks for it


def frames(path: Path, data_format: str) -> tuple[list[Atoms], list[str]]:
    """All labelled frames of a file, and what there is to say about them.

    Raises
    ------
    InputError
        pwdata cannot read it, or a frame lacks energy or forces, or holds what is no number.
    """
    begun = _check_lines(path)
    said = io.StringIO()
    try:
        from pwdata import Config  # noqa: PLC0415  it imports much

        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            images = Config(data_format, str(path)).images
    except ModuleNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001  whatever it stumbles over, the file is to blame
        reason = str(error) or type(error).__name__
        raise InputError(f"pwdata cannot read it as {data_format}: {reason}", path) from error
    read = [_frame(image, number, path) for number, image in enumerate(images)]
    words = [f"{path}: read by pwdata, without the virial, which nobody could check"]
    if len(read) < begun:
        words.append(f"{path}: {begun - len(read)} of {begun} frames have no forces, left out")
    return read, words


def _check_lines(path: Path) -> int:
    """The number of frames; refuse numbers that pwdata would pass over."""
    begun = 0
    for number, line in enumerate(_lines(path), 1):
        found = _TAG.search(line)
        tag = found[1] if found else ""
        begun += tag == "E"
        wanted = _ROW if tag in ("R", "F") else _VECTOR
        if tag in ("R", "F", "E", "h") and not wanted.fullmatch(line):
            raise InputError(f"line {number}: not the numbers of CASTEP: {line.strip()!r}", path)
    return begun


def _lines(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise InputError("is not a file", path)
    with path.open(encoding="utf-8", errors="replace") as stream:
        yield from stream


def _frame(image: Any, number: int, path: Path) -> Atoms:
    """An image of pwdata with Cartesian positions, as pwact knows frames."""
    if image.Ep is None or image.force is None or not image.cartesian:
        raise InputError(f"frame {number} has no energy and forces", path)
    atoms = Atoms(
        np.asarray(image.atom_types_image, dtype=int),
        np.asarray(image.position, dtype=float),
        cell=np.asarray(image.lattice, dtype=float),
        pbc=True,
    )
    forces = np.asarray(image.force, dtype=float)
    values = (atoms.positions, atoms.cell.array, forces, np.asarray(image.Ep, dtype=float))
    if forces.shape != (len(atoms), 3) or not all(np.isfinite(one).all() for one in values):
        raise InputError(f"frame {number} is incomplete or holds what is no number", path)
    if atoms.cell.rank < 3:
        raise InputError(f"the cell of frame {number} has no volume", path)
    set_labels(atoms, float(image.Ep), forces)
    return atoms


class CastepMd(LabelledFormat):
    """Trajectories ``*.md`` of CASTEP."""

    pwdata_name = "castep/md"

    def read(self, path: Path, warnings: ReadWarnings, names: LabelNames) -> Iterator[Atoms]:
        """Yield all frames that have forces."""
        del names
        found, words = frames(path, self.pwdata_name)
        warnings.words += words
        yield from found


class CastepGeom(CastepMd):
    """Trajectories ``*.geom`` of CASTEP."""

    pwdata_name = "castep/geom"
