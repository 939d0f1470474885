"""Extended XYZ, in the form that MatPL, pwdata and ASE read.

Lengths in Å, energies and virials in eV, forces in eV/Å. Numbers are written so that they are read
back bit by bit. Forces without an energy (of a model, say) are no labels: they are the array
``forces`` of the frame.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Optional, TextIO

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from pwact.errors import InputError
from pwact.io import files
from pwact.io.labels import labels_of, set_labels

_PAIR = re.compile(r"""([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|\{([^}]*)\}|(\S+))""")
_ELEMENTS = {symbol: number for symbol, number in atomic_numbers.items() if number > 0}
_TRUE = frozenset({"t", "true", "1"})
MOST_ATOMS = 10**9  # what is more is a slip
_UNKNOWN = frozenset({"none", "nan", ""})


def write_extxyz(path: Path, frames: Iterable[Atoms]) -> None:
    """Write frames in one step, in place of what was there.

    Frames may lack energy, virial and forces.
    """
    with files.replacing(path) as aside, aside.open("w", encoding="utf-8") as stream:
        for atoms in frames:
            stream.write(frame_text(atoms))


def frame_text(atoms: Atoms) -> str:
    """One frame as text."""
    labels = labels_of(atoms) if atoms.calc is not None else None
    forces = labels.forces if labels else atoms.arrays.get("forces")
    columns = "species:S:1:pos:R:3" + ("" if forces is None else ":force:R:3")
    pbc = " ".join("T" if periodic else "F" for periodic in atoms.pbc)
    head = [f'Lattice="{_numbers(atoms.cell.array)}"', f"Properties={columns}", f'pbc="{pbc}"']
    if labels:
        head.append(f"energy={labels.energy!r}")
    if labels and labels.virial is not None:
        head.append(f'virial="{_numbers(labels.virial)}"')
    table = atoms.positions if forces is None else np.hstack([atoms.positions, forces])
    rows = [
        f"{symbol} {' '.join(map(repr, row))}\n"
        for symbol, row in zip(atoms.get_chemical_symbols(), table.tolist())
    ]
    return f"{len(atoms)}\n{' '.join(head)}\n{''.join(rows)}"


def _numbers(array: np.ndarray) -> str:
    return " ".join(repr(number) for number in np.asarray(array, dtype=float).ravel().tolist())


def read_extxyz(path: Path) -> list[Atoms]:
    """All frames of a file, with the labels that it holds.

    Raises
    ------
    InputError
        The file cannot be read, is empty, or breaks off inside a frame; names file and frame.
    """
    frames = list(iterate_extxyz(path))
    if not frames:
        raise InputError("holds no frame", path)
    return frames


def iterate_extxyz(path: Path, spoilt: bool = False) -> Iterator[Atoms]:
    """Yield the frames of a file one by one; see `read_extxyz`, or if `spoilt` the other one."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            yield from _frames(stream, path, spoilt)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error


def read_spoilt_labels(path: Path) -> list[Atoms]:
    """All frames of a file; one whose energy or forces are missing or not finite has no labels.

    Raises
    ------
    InputError
        As `read_extxyz`.
    """
    frames = list(iterate_extxyz(path, spoilt=True))
    if not frames:
        raise InputError("holds no frame", path)
    return frames


def complete_frames(path: Path) -> list[Atoms]:
    """The frames of a file up to where it was cut off or damaged; none if there is no file."""
    found: list[Atoms] = []
    with contextlib.suppress(InputError, OSError):
        text = path.read_text(encoding="utf-8", errors="replace")
        whole = text[: text.rfind("\n") + 1]  # a number in an unfinished line may lack digits
        for atoms in _frames(io.StringIO(whole), path):
            found.append(atoms)  # noqa: PERF402 - what came before an error stays
    return found


def _frames(stream: TextIO, path: Path, spoilt: bool = False) -> Iterator[Atoms]:
    number = 0
    while line := stream.readline():
        if not line.strip():
            continue
        try:
            count = int(line)
            if not 1 <= count <= MOST_ATOMS:
                raise ValueError(f"{count} atoms")
            head = stream.readline()
            rows = list(islice(stream, count))
            if len(rows) < count or not rows[-1].strip():
                raise ValueError(f"the file ends before the last of its {count} atoms")
            yield _frame(head, rows, spoilt)
        except (ValueError, KeyError, IndexError) as error:
            message = f"frame {number} cannot be read: {_reason(error)}"
            raise InputError(message, path) from error
        number += 1


def _reason(error: Exception) -> str:
    return f"no element is called {error}" if isinstance(error, KeyError) else str(error)


def _frame(head: str, rows: Sequence[str], spoilt: bool) -> Atoms:
    values = {
        match[1].lower(): next((text for text in match.groups()[1:] if text is not None), "")
        for match in _PAIR.finditer(head)
    }
    places, width = _places(values.get("properties", "species:S:1:pos:R:3"))
    words = [row.split() for row in rows]
    for index, row in enumerate(words):
        if len(row) != width:
            raise ValueError(f"atom {index + 1} has {len(row)} columns, not {width}")
    symbols = [row[places["species"]] for row in words]
    cell = _cell(values)
    atoms = Atoms(
        numbers=[_ELEMENTS[symbol.capitalize()] for symbol in symbols],
        positions=_columns(words, places["pos"], "positions"),
        cell=cell,
        pbc=_pbc(values.get("pbc"), cell is not None),
    )
    if "force" in places:
        with contextlib.suppress(*((ValueError,) if spoilt else ())):
            _label(atoms, values, _columns(words, places["force"], "forces"))
    return atoms


def _label(atoms: Atoms, values: dict[str, str], forces: np.ndarray) -> None:
    energy = _energy(values)
    if energy is None:
        atoms.set_array("forces", forces, float, (3,))
    else:
        set_labels(atoms, energy, forces, _virial(values, atoms))


def _places(properties: str) -> tuple[dict[str, int], int]:
    """First column of what we need, and the number of columns."""
    parts = properties.split(":")
    if len(parts) % 3:
        raise ValueError(f"Properties={properties} is not made of name:type:columns")
    found, width = {}, 0
    for name, size in zip(parts[::3], parts[2::3]):
        found[name.lower()] = width
        width += int(size)
    places = {}
    for wanted, spellings in {
        "species": ("species", "symbols", "element"),
        "pos": ("pos", "positions"),
        "force": ("force", "forces"),
    }.items():
        names = [name for name in spellings if name in found]
        if wanted == "force" and len(names) > 1:  # of two models: which is the label?
            raise ValueError(f"Properties={properties} names force and forces")
        if names:
            places[wanted] = found[names[0]]
    for wanted in ("species", "pos"):
        if wanted not in places:
            raise ValueError(f"Properties={properties} names no {wanted}")
    return places, width


def _columns(words: Sequence[Sequence[str]], first: int, what: str) -> np.ndarray:
    array = np.array([row[first : first + 3] for row in words]).astype(float)
    return _finite(array, what)


def _finite(array: np.ndarray, what: str) -> np.ndarray:
    if not np.isfinite(array).all():
        raise ValueError(f"{what} must be finite numbers")
    return array


def _array(
    values: dict[str, str], key: str, shape: tuple[int, ...] = (3, 3)
) -> Optional[np.ndarray]:
    text = values.get(key, "")
    if text.strip().lower() in _UNKNOWN:
        return None
    numbers = _finite(np.array(text.replace(",", " ").split()).astype(float), key)
    if numbers.size != 9:
        raise ValueError(f"{key} holds {numbers.size} numbers, not 9")
    return numbers.reshape(shape)


def _cell(values: dict[str, str]) -> Optional[np.ndarray]:
    cell = _array(values, "lattice")
    if cell is not None and cell.any(axis=1).all() and np.linalg.det(cell) == 0.0:
        raise ValueError("the three vectors of the lattice lie in one plane")
    return cell


def _energy(values: dict[str, str]) -> Optional[float]:
    text = values.get("energy", "").strip()
    if text.lower() in _UNKNOWN:
        return None
    return float(_finite(np.array(float(text)), "energy"))


def _virial(values: dict[str, str], atoms: Atoms) -> Optional[np.ndarray]:
    virial = _array(values, "virial")
    stress = _array(values, "stress")
    if virial is None and stress is not None:
        return -float(atoms.get_volume()) * stress
    return virial


def _pbc(text: Optional[str], default: bool) -> list[bool]:
    if text is None:
        return [default] * 3
    return [word.lower() in _TRUE for word in text.replace(",", " ").split()]
