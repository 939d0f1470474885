"""What a training and its worker tell each other: names, settings, frames, and the result.

The trainer writes ``settings.json`` and the frames; the worker, run by the Python of the library,
leaves the model and ``result.json``, which tells how many epochs it was trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from pwact.engines.trainers import ValidError
from pwact.engines.training_task import plausible
from pwact.errors import TaskError, UnfitModelError
from pwact.io.files import write_json

if TYPE_CHECKING:
    from ase import Atoms

SETTINGS = "settings.json"
TRAIN, VALID = "train.xyz", "valid.xyz"  # with the names by which ASE reads labels
START = "start.model"  # link to the model to begin with
BEGUN = "begin.json"  # what was made of the model to begin with, and its errors
RESULT = "result.json"
NATIVE = "native.yaml"  # an input of the program, by the user
LOG = "train.log"


@dataclass(frozen=True)
class Settings:
    """What a worker trains.

    Attributes
    ----------
    begin
        The model to begin with: `START`, or a name that the library knows; None from nothing.
    for_lammps
        Whether the model is left in the form that LAMMPS loads, too.
    """

    seed: int
    elements: tuple[str, ...]
    begin: Optional[str]
    keys: Mapping[str, Any]
    for_lammps: bool = False


def read_settings(directory: Path) -> Settings:
    """What the trainer wrote."""
    return settings_from(json.loads((directory / SETTINGS).read_text(encoding="utf-8")))


def settings_from(found: Mapping[str, Any]) -> Settings:
    """Of what stands in `SETTINGS`."""
    lammps = found.get("for_lammps", False)
    return Settings(found["seed"], tuple(found["elements"]), found["begin"], found["keys"], lammps)


def native_of(directory: Path) -> dict[str, Any]:
    """The user's input of the program; empty without one. Raises TaskError unless it has keys."""
    import yaml  # noqa: PLC0415

    path = directory / NATIVE
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise TaskError(f"train_input_file is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise TaskError(f"train_input_file: found {type(found).__name__}; expected keys")
    return found


def frames_of(directory: Path, name: str) -> list[Atoms]:
    """Labelled frames, or none without the file."""
    from ase.io import read  # noqa: PLC0415

    path = directory / name
    return list(read(path, ":")) if path.exists() else []


def demand_elements(known: Sequence[str], settings: Settings) -> None:
    """Raise UnfitModelError unless the model to begin with knows all elements."""
    missing = [symbol for symbol in settings.elements if symbol not in known]
    if missing:
        raise UnfitModelError(
            f"the model to begin with ({settings.begin}) does not know {', '.join(missing)}; "
            f"it knows {' '.join(known)}"
        )


def energy_shifts(frames: Sequence[Atoms], energies: Sequence[float]) -> dict[str, float]:
    """By how much the reference energy of each element must change, in eV.

    Least squares of E(label) − E(model) = Σ n(element) · shift(element); the smallest solution
    where there are several, since all frames have one composition.

    Parameters
    ----------
    energies
        Of the model, for each frame.
    """
    symbols = sorted({symbol for frame in frames for symbol in frame.symbols})
    counts = np.array([[list(frame.symbols).count(one) for one in symbols] for frame in frames])
    labels = np.array([frame.get_potential_energy() for frame in frames])
    shifts = np.linalg.lstsq(counts.astype(float), labels - np.array(energies), rcond=1e-6)[0]
    return dict(zip(symbols, shifts.tolist()))


def energies_of(frames: Sequence[Atoms], calculator: Any) -> list[float]:
    """Energies by a calculator of ASE, in eV."""
    return [float(calculator.get_potential_energy(frame.copy())) for frame in frames]


def valid_error(frames: Sequence[Atoms], calculator: Any) -> ValidError:
    """Root-mean-square errors of a calculator of ASE: energies per atom, components of forces."""
    energies, forces = [], []
    for frame in frames:
        bare = frame.copy()
        bare.calc = calculator
        forces.append((bare.get_forces() - frame.get_forces(apply_constraint=False)).ravel())
        energies.append((bare.get_potential_energy() - frame.get_potential_energy()) / len(frame))
    return ValidError(_rms(np.array(energies)), _rms(np.concatenate(forces)))


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def write_begun(directory: Path, shifts: Mapping[str, float], valid: Optional[ValidError]) -> None:
    """Tell what was added to the reference energies, and the errors before the training."""
    errors = None if valid is None else {"rmse_e": valid.rmse_e, "rmse_f": valid.rmse_f}
    written = {"added_to_reference_energies": dict(shifts), "valid_error": errors}
    write_json(directory / BEGUN, written)


def write_result(directory: Path, epochs: int, valid: Optional[ValidError]) -> None:
    """Leave what the training came to. Raises TaskError for errors that are no numbers."""
    errors = None if valid is None else [valid.rmse_e, valid.rmse_f]
    if errors and not plausible(errors):
        raise TaskError(f"the training came to nothing: its errors are {errors}")
    write_json(directory / RESULT, {"epochs": epochs, "valid": errors})


def read_result(directory: Path) -> Optional[ValidError]:
    """Errors on the validation data.

    Raises
    ------
    TaskError
        The training was cut off.
    """
    path = directory / RESULT
    try:
        asked = read_settings(directory).keys["epochs"]
        found = json.loads(path.read_text(encoding="utf-8"))
        epochs, errors = int(found["epochs"]), found["valid"]
        valid = None if errors is None else ValidError(*map(float, errors))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{path} does not tell how the training ended: {error}") from error
    if asked is not None and epochs != asked:
        raise TaskError(f"{path}: trained for {epochs} of {asked} epochs")
    return valid
