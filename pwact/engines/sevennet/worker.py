"""Trains SevenNet in the current directory; run inside the job by the Python that has sevenn.

``python -m pwact.engines.sevennet.worker`` writes ``input.yaml`` for ``sevenn train`` and runs it
in this process. Three things are done that the program does not do. The reference energies of a
pretrained model are fitted to the labels. Every epoch draws its random numbers from a seed of its
own, so that what goes on from a checkpoint comes to the same model. And the model is left without
times and random names, so that equal models are equal files.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact.engines.network import task
from pwact.engines.sevennet.files import FOR_LAMMPS, MODEL, checkpoints, keep_curve
from pwact.engines.sevennet.frozen import freeze_in, recorded
from pwact.engines.sevennet.program import BEGIN, going_on, input_of, merged, native_keys
from pwact.engines.worker import exit_status
from pwact.errors import TaskError, UnfitModelError
from pwact.io.files import remove, replacing

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

INPUT = "input.yaml"
_CACHE = "sevenn_data"


def work(directory: Path) -> None:
    """Train by ``settings.json``, and leave the model and ``result.json``."""
    settings, native = task.read_settings(directory), task.native_of(directory)
    if native:
        settings = replace(settings, keys={**settings.keys, **native_keys(native)})
    for name in (MODEL, FOR_LAMMPS, task.RESULT):
        remove(directory / name)
    shutil.rmtree(directory / _CACHE, ignore_errors=True)
    train, valid = (task.frames_of(directory, name) for name in (task.TRAIN, task.VALID))
    begun = _prepared(directory, settings, train, valid) if settings.begin else None
    document = input_of(settings, train, bool(valid), begun)
    _train(directory, settings, merged(native, document) if native else document)
    _leave_model(directory, checkpoints(directory)[settings.keys["epochs"]], settings)
    error = task.valid_error(valid, calculator(directory / MODEL, settings)) if valid else None
    if settings.for_lammps:
        _leave_for_lammps(settings)
    task.write_result(directory, settings.keys["epochs"], error)
    for path in (*checkpoints(directory).values(), *directory.glob("checkpoint_best*")):
        remove(path)
    remove(directory / BEGIN)
    shutil.rmtree(directory / _CACHE, ignore_errors=True)


def _train(directory: Path, settings: task.Settings, document: dict[str, Any]) -> None:
    """Train to the last epoch, from the last checkpoint if there is one.

    Raises
    ------
    TaskError
        The program ended before.
    """
    last, epochs = _last_checkpoint(directory), settings.keys["epochs"]
    keep_curve(directory, last)
    if last < epochs:
        _write_input(directory, going_on(document, last))
        _run(settings)
    done = keep_curve(directory, epochs)
    if done != epochs:
        raise TaskError(f"sevenn ended after {done} of {epochs} epochs")


def calculator(model: Path, settings: task.Settings) -> Any:
    """SevenNet's calculator of ASE."""
    from sevenn.calculator import SevenNetCalculator  # noqa: PLC0415

    return SevenNetCalculator(str(model), modal=settings.keys["modal"])


def _prepared(
    directory: Path, settings: task.Settings, train: Sequence[Atoms], valid: Sequence[Atoms]
) -> dict[str, Any]:
    """Sections of the input of the checkpoint to begin with, which is put into `BEGIN`."""
    assert settings.begin is not None
    found = _opened(settings)
    config = found.config
    state, shifts = found.build_model().state_dict(), {}
    if settings.keys["refit_references"]:
        model = calculator(Path(settings.begin), settings)
        shifts = task.energy_shifts(train, task.energies_of(train, model))
        _shift(state, config, settings, shifts)
    _save(directory / BEGIN, config, state)
    error = task.valid_error(valid, calculator(directory / BEGIN, settings)) if valid else None
    task.write_begun(directory, shifts, error)
    sections: dict[str, Any] = found.yaml_dict("continue")
    return sections


def _opened(settings: task.Settings) -> Any:
    """The checkpoint to begin with. Raises UnfitModelError unless it knows what is asked for."""
    from sevenn.util import load_checkpoint  # noqa: PLC0415

    found = load_checkpoint(settings.begin)
    task.demand_elements(found.config["chemical_species"], settings)
    _demand_modal(found.config, settings)
    _demand_layers(found.config, settings)
    return found


def read_begin(asked: Mapping[str, Any]) -> None:
    """See `pwact.engines.model_reading`."""
    _opened(task.settings_from(asked))


def _demand_modal(config: dict[str, Any], settings: task.Settings) -> None:
    """Raise UnfitModelError unless a multi-task model gets its task, and no other model one."""
    known, modal = list(config.get("_modal_map") or ()), settings.keys["modal"]
    if known and modal not in known:
        words = ", ".join(known)
        message = f"{settings.begin} knows several tasks: train.modal must be one of {words}"
        raise UnfitModelError(message, "train.modal")
    if modal and not known:
        message = f"{settings.begin} knows one task alone, which has no name: no train.modal"
        raise UnfitModelError(message, "train.modal")


def _demand_layers(config: dict[str, Any], settings: task.Settings) -> None:
    """Raise UnfitModelError where more layers shall be kept than there are."""
    asked = settings.keys.get("freeze")
    if asked is not None and asked > (layers := config["num_convolution_layer"]):
        message = f"found {asked}; {settings.begin} has {layers} layers of messages"
        raise UnfitModelError(message, "train.freeze")


def _shift(
    state: dict[str, Any], config: dict[str, Any], settings: task.Settings, by: dict[str, float]
) -> None:
    """Add to the reference energies of a state, of one task where each has its own."""
    from ase.data import atomic_numbers  # noqa: PLC0415

    energies = state["rescale_atomic_energy.shift"]
    if energies.dim() == 2:
        energies = energies[config["_modal_map"][settings.keys["modal"]]]
    for symbol, value in by.items():
        energies[config["_type_map"][atomic_numbers[symbol]]] += value


def _save(path: Path, config: dict[str, Any], state: dict[str, Any]) -> None:
    """A checkpoint with a model alone, equal for equal models."""
    import sevenn  # noqa: PLC0415
    import torch  # noqa: PLC0415

    kept = {**config, "version": sevenn.__version__, "when": ""}
    empty: dict[str, Any] = {"optimizer_state_dict": {}, "scheduler_state_dict": {}}
    whole = {"config": kept, "model_state_dict": state, **empty, "epoch": 0, "time": "", "hash": ""}
    with replacing(path) as aside, aside.open("wb") as stream:
        torch.save(whole, stream)


def _leave_model(directory: Path, checkpoint: Path, settings: task.Settings) -> None:
    import torch  # noqa: PLC0415
    from sevenn.checkpoint import SevenNetCheckpoint  # noqa: PLC0415

    found = SevenNetCheckpoint(checkpoint)
    state = found.model_state_dict
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise TaskError("the training came to nothing: the model holds numbers that are not finite")
    ours = {**_statistics(state), "continue": {}, **recorded(settings.keys.get("freeze"))}
    _save(directory / MODEL, {**found.config, **ours}, state)


def _leave_for_lammps(settings: task.Settings) -> None:
    """What the pair style e3gnn loads."""
    from sevenn.scripts.deploy import deploy  # noqa: PLC0415

    deploy(MODEL, FOR_LAMMPS, settings.keys["modal"])


def _statistics(state: dict[str, Any]) -> dict[str, Any]:
    """What the input of a training calls by name, and that of one that goes on by numbers."""
    scaling = {name: state[f"rescale_atomic_energy.{name}"].tolist() for name in ("shift", "scale")}
    denominators = [name for name in state if name.endswith("_convolution.denominator")]
    ordered = sorted(denominators, key=lambda name: int(name.partition("_")[0]))
    return {**scaling, "conv_denominator": [state[name].item() for name in ordered]}


def _last_checkpoint(directory: Path) -> int:
    """Epoch of the last checkpoint that can be read; those that cannot are removed."""
    import torch  # noqa: PLC0415

    for epoch, path in reversed(checkpoints(directory).items()):
        try:
            torch.load(path, map_location="cpu", weights_only=False)
        except Exception as error:  # noqa: BLE001 - whatever a file that was cut off makes of it
            logger.warning("%s cannot be read, and is not gone on from: %s", path.name, error)
            remove(path)
        else:
            return epoch
    return 0


def _write_input(directory: Path, document: dict[str, Any]) -> None:
    import yaml  # noqa: PLC0415

    text = yaml.safe_dump(document, sort_keys=False)
    (directory / INPUT).write_text(text, encoding="utf-8")


def _run(settings: task.Settings) -> None:
    """``sevenn train`` in this process."""
    from sevenn.main import sevenn  # noqa: PLC0415
    from sevenn.train.trainer import Trainer  # noqa: PLC0415

    seed_epochs(Trainer, settings.seed)
    freeze_in(Trainer, settings.keys.get("freeze"))
    sys.argv = ["sevenn", "train", INPUT, "-s"]
    sevenn.main()


def seed_epochs(trainer: Any, seed: int) -> None:
    """Let every epoch draw its random numbers from a seed of its own."""
    import torch  # noqa: PLC0415

    run = trainer.run_one_epoch

    def seeded(self: Any, loader: Any, is_train: bool = False, *others: Any, **more: Any) -> None:
        if is_train:
            torch.manual_seed(seed + self.scheduler.last_epoch)
        run(self, loader, is_train, *others, **more)

    trainer.run_one_epoch = seeded


def main() -> int:
    """Do the work in the current directory."""
    return exit_status(work, logging.INFO)


if __name__ == "__main__":
    sys.exit(main())
