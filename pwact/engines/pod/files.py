"""Files of ``fitpod``, the ML-POD trainer inside LAMMPS.

What fitpod does without a word, and what is done about it here:

- it looks for periodic images along the diagonal of the cell matrix, and assumes that all atoms
  lie inside the cell: cells are reduced, turned to lower-triangular form and wrapped;
- it always looks one image far, but in skewed cells no further than the diagonal suggests: cells
  lower than the cutoff are repeated until they are not;
- it does not read stresses, whatever the weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pwact.engines.trainers import ValidError
from pwact.engines.training_task import plausible
from pwact.errors import TaskError
from pwact.formats.labels import labels_of
from pwact.io.files import write_text

if TYPE_CHECKING:
    from ase import Atoms

    Array = np.ndarray[Any, Any]  # which numpy 1.21 does not know on Python 3.9

INPUT = "in.fitpod"
PARAMETERS = "param.pod"
DATA = "data.pod"
DESCRIPTORS = "globaldescriptors_config{}.bin"
LOG = "train.log"
NAME = "pod"
COEFFICIENTS = f"{NAME}_coefficients.pod"
ERRORS = f"{NAME}_test_errors.pod"
TRAIN_FOLDER = "train"
VALID_FOLDER = "valid"
FRAMES = "frames.xyz"

FITTING = ("fitting_weight_energy", "fitting_weight_force", "fitting_regularization_parameter")
KALMAN = ("p0_weight", "kalman_lambda")


def write_parameters(path: Path, species: Sequence[str], settings: Mapping[str, Any]) -> None:
    """Write the descriptor; the order of `species` is the order of the LAMMPS types."""
    lines = [f"species {' '.join(species)}", "pbc 1 1 1"]
    lines += [f"{key} {value}" for key, value in settings.items() if key not in (*FITTING, *KALMAN)]
    write_text(path, "\n".join(lines) + "\n")


def read_parameters(path: Path) -> tuple[list[str], float]:
    """Species, and cutoff in Å, of a descriptor. Raises TaskError."""
    try:
        words = dict(line.partition(" ")[::2] for line in path.read_text().splitlines())
        return words["species"].split(), float(words["rcut"])
    except (OSError, ValueError, KeyError) as error:
        raise TaskError(f"{path}: {error}") from error


def pair_lines(member: int, types: Sequence[str]) -> tuple[str, str]:
    """Pair commands for one member, whose files are linked by its number.

    ``pair_style pod`` does not look at the element names: LAMMPS type t is species t of the
    parameter file, so both follow ``train.atom_type``.
    """
    files = f"{member}_{PARAMETERS} {member}_{COEFFICIENTS}"
    return ("pair_style pod", f"pair_coeff * * {files} {' '.join(types)}")


def write_fit(
    directory: Path, settings: Mapping[str, Any], train: Sequence[str], valid: Sequence[str]
) -> None:
    """Write the frames, as `frame_text` makes them, and the input of a fit."""
    write_frames(directory / TRAIN_FOLDER, train)
    if valid:
        write_frames(directory / VALID_FOLDER, valid)
    lines = [
        *_folders(TRAIN_FOLDER, VALID_FOLDER if valid else ""),
        *[f"{key} {settings[key]}" for key in FITTING],
        "error_analysis_for_training_data_set 0",
        f"error_analysis_for_test_data_set {int(bool(valid))}",
        "precision_for_pod_coefficients 16",
        "group_weights global",
    ]
    write_text(directory / DATA, "\n".join(lines) + "\n")
    write_script(directory, DATA)


def write_description(path: Path, train: str, valid: str = "") -> None:
    """Write of which folders the descriptors are wanted, energies' and forces', and no fit."""
    write_text(path, "\n".join([*_folders(train, valid), "compute_pod_descriptors 2"]) + "\n")


def write_script(directory: Path, data: str, name: str = INPUT) -> None:
    """Write the commands of LAMMPS; `data` names a file of `write_fit` or `write_description`."""
    write_text(directory / name, f"units metal\nfitpod {PARAMETERS} {data}\n")


def write_frames(folder: Path, texts: Sequence[str]) -> None:
    """Make a folder of frames for fitpod."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FRAMES, "".join(texts))


def _folders(train: str, valid: str) -> list[str]:
    return [
        *["file_format extxyz", "file_extension xyz"],
        f'path_to_training_data_set "{train}"',
        *([f'path_to_test_data_set "{valid}"'] if valid else []),
        f"basename_for_output_files {NAME}",
        *["fraction_training_data_set 1", "randomize_training_data_set 0"],
        *["fraction_test_data_set 1", "randomize_test_data_set 0"],
    ]


def in_batches(texts: Iterable[str], atoms: int) -> Iterator[list[str]]:
    """Frames of `frame_text` together until they have that many atoms."""
    batch: list[str] = []
    count = 0
    for text in texts:
        batch.append(text)
        count += int(text.partition("\n")[0])
        if count >= atoms:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def frame_text(atoms: Atoms, rcut: float) -> str:
    """One frame, prepared so that fitpod finds all neighbours."""
    labels = labels_of(atoms)
    if not np.isfinite(labels.energy) or not np.isfinite(labels.forces).all():
        raise TaskError(f"a frame of {atoms.get_chemical_formula()} has labels that are no numbers")
    cell, positions, rotation = _fit_for_search(atoms)
    frame = cell, positions, labels.forces @ rotation.T
    return _text(atoms.get_chemical_symbols(), frame, labels.energy, _copies(cell, rcut))


@dataclass(frozen=True)
class Unlabelled:
    """A frame of which descriptors are wanted, prepared as `frame_text` does.

    Attributes
    ----------
    text
        What fitpod reads.
    atoms
        How many the frame has, before it is repeated.
    copies
        How often it is repeated.
    rotation
        What turned it, shape (3, 3).
    """

    text: str
    atoms: int
    copies: int
    rotation: Array

    def turned_back(self, matrix: Array) -> Array:
        """The descriptors (1 + 3N, coefficients) of the frame itself.

        A repeated frame has so many times the energy, and its first N atoms are those of the frame.

        Raises
        ------
        TaskError
            They are not of this frame.
        """
        if len(matrix) != 1 + 3 * self.atoms * self.copies:
            raise TaskError(f"descriptors with {len(matrix)} rows belong to another frame")
        forces = matrix[1 : 1 + 3 * self.atoms].reshape(self.atoms, 3, -1)
        back = np.einsum("kl,nkm->nlm", self.rotation, forces).reshape(3 * self.atoms, -1)
        return np.vstack([matrix[:1] / self.copies, back])


def unlabelled(atoms: Atoms, rcut: float) -> Unlabelled:
    """Prepare a frame whose descriptors are wanted."""
    cell, positions, rotation = _fit_for_search(atoms)
    copies = _copies(cell, rcut)
    frame = cell, positions, np.zeros_like(positions)
    text = _text(atoms.get_chemical_symbols(), frame, 0.0, copies)
    return Unlabelled(text, len(atoms), int(np.prod(copies)), rotation)


def _text(
    symbols: Sequence[str],
    frame: tuple[Array, Array, Array],
    energy: float,
    copies: tuple[int, int, int],
) -> str:
    """A frame (cell, positions, forces) that is repeated, in the format of fitpod."""
    cell, positions, forces = frame
    shifts = np.indices(copies).reshape(3, -1).T @ cell
    number = len(shifts)
    cell = cell * np.array(copies)[:, None]
    positions = (positions[None] + shifts[:, None]).reshape(-1, 3)
    table = np.hstack([positions, np.tile(forces, (number, 1))])
    lattice = " ".join(f"{value:.12f}" for value in cell.ravel())
    lines = [
        f"{len(table)}",
        f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3'
        f' energy={energy * number:.12f} pbc="T T T"',
    ]
    row = "%s" + " %.12f" * 6
    lines += [row % (one, *values) for one, values in zip([*symbols] * number, table.tolist())]
    return "\n".join(lines) + "\n"


def _fit_for_search(atoms: Atoms) -> tuple[Array, Array, Array]:
    """Cell (3, 3; lower-triangular), wrapped positions (N, 3), and the rotation of both (3, 3)."""
    reduced, _ = atoms.cell.minkowski_reduce()
    turned, rotation = reduced.standard_form()
    cell = np.asarray(turned)
    inside = np.linalg.solve(reduced.T, atoms.positions.T).T % 1.0
    inside[inside >= 1.0] = 0.0  # a tiny negative number modulo 1
    return cell, inside @ cell, np.asarray(rotation)


def _copies(cell: np.ndarray[Any, Any], rcut: float) -> tuple[int, int, int]:
    """How often to repeat the cell along each vector so that it is `rcut` high."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    first, second, third = (int(count) for count in np.ceil(rcut / heights))
    return first, second, third


def read_labels(path: Path) -> Iterator[np.ndarray[Any, Any]]:
    """Energy (eV) and the components of the forces (eV/Å) of the frames of `frame_text`."""
    with path.open(encoding="ascii") as stream:
        for count in stream:
            energy = stream.readline().partition(" energy=")[2].split()[0]
            rows = [stream.readline().split()[4:] for _ in range(int(count))]
            yield np.array([energy, *(word for row in rows for word in row)], dtype=float)


def read_descriptors(path: Path) -> np.ndarray[Any, Any]:
    """Descriptors (1 + 3N, coefficients) of a frame as fitpod writes them.

    Row 0 belongs to the energy, row 1 + 3i + k to the component k of the force on atom i.

    Raises
    ------
    TaskError
        The file is not there, or is cut off.
    """
    try:
        numbers = np.fromfile(path)
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from error
    atoms, size = (int(number) for number in numbers[:2]) if len(numbers) > 1 else (0, 0)
    if size < 1 or len(numbers) != 2 + (1 + 3 * atoms) * size:
        raise TaskError(f"{path}: {len(numbers)} numbers are no descriptors of {atoms} atoms")
    return np.vstack([numbers[2 : 2 + size], numbers[2 + size :].reshape(size, 3 * atoms).T])


def write_coefficients(path: Path, values: np.ndarray[Any, Any]) -> None:
    """Write the coefficients of a fit."""
    lines = [f"model_coefficients: {len(values)} 0 0", *(f"{value:.17g}" for value in values)]
    write_text(path, "\n".join(lines) + "\n")


def read_coefficients(path: Path) -> np.ndarray[Any, Any]:
    """Coefficients of a fit.

    Raises
    ------
    TaskError
        The file is not there or cut off, or holds something that is not a number of a model.
    """
    try:
        header, *rows = path.read_text().split("\n")
        count = int(header.split()[1])
        values = np.array([float(row) for row in rows if row.strip()])
    except (OSError, ValueError, IndexError) as error:
        raise TaskError(f"{path}: {error}") from error
    if len(values) != count:
        raise TaskError(f"{path}: {len(values)} of {count} coefficients")
    if not count:
        raise TaskError(f"{path}: no coefficients")
    strange = [number for number, value in enumerate(values.tolist()) if not plausible([value])]
    if strange:
        first = strange[0]
        raise TaskError(
            f"{path}: {len(strange)} of {count} coefficients are absurd, number {first} is "
            f"{values[first]:g}; a fit as this is no model"
        )
    return values


def read_errors(path: Path) -> ValidError:
    """Errors over all validation frames. Raises TaskError."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise TaskError(f"{path}: {error.strerror}") from error
    for line in lines:
        if line.startswith("All files"):
            numbers = [float(word) for word in line.split()[4:]]  # after 2 words and 2 counts
            if not plausible((numbers[1], numbers[3])):
                raise TaskError(f"{path}: the errors on the validation data are absurd")
            return ValidError(rmse_e=numbers[1], rmse_f=numbers[3])
    raise TaskError(f"{path}: no line 'All files'")


def write_errors(path: Path, frames: int, atoms: int, errors: Sequence[float]) -> None:
    """Write what `read_errors` reads: MAE and RMSE of energy (eV/atom), then of forces (eV/Å)."""
    numbers = " ".join(f"{error:.9g}" for error in errors)
    head = "# File, configs, atoms, MAE energy, RMSE energy, MAE force, RMSE force"
    write_text(path, f"{head}\nAll files {frames} {atoms} {numbers}\n")
