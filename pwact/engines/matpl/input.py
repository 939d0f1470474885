"""``train.json`` of MatPL: the user's keys, with what the loop must set."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Optional

from pwact.config.elements import NUMBERS
from pwact.config.train_keys import OPTIMIZERS
from pwact.config.training import TrainConfig
from pwact.engines.links import link_files, relative_paths
from pwact.engines.matpl.models import LAID, LOAD, MODELS, RECORD, START, TEXT
from pwact.engines.trainers import TrainingData

OPTIMIZER = "LKF"  # where the user names none: MatPL's own default differs between its versions
_SET_BY_US = ("train_data", "valid_data", "test_data", "format")
_TOGETHER = ("t_0", "t_mult")


def document(
    train: TrainConfig,
    data: TrainingData,
    seed: int,
    directory: Path,
    start_from: Optional[Path],
) -> dict[str, Any]:
    """The whole of ``train.json``; paths are relative to the task directory.

    Parameters
    ----------
    start_from
        Directory of the member's earlier training, or a model file of the user.
    """
    made: dict[str, Any] = {
        "model_type": train.model_type,
        "atom_type": [NUMBERS[symbol] for symbol in train.atom_type],
        **copy.deepcopy(dict(train.settings)),
    }
    for key in (*_SET_BY_US, LOAD, TEXT):
        made.pop(key, None)
    optimizer = made.setdefault("optimizer", {})
    word = str(optimizer.setdefault("optimizer", OPTIMIZER)).strip().upper()
    if word in OPTIMIZERS:
        optimizer["optimizer"] = word
    made |= {
        "seed": seed,
        "format": data.data_format,
        "train_data": relative_paths(data.train, directory),
        "valid_data": relative_paths(data.valid, directory),
    }
    if start_from is not None:
        made |= _start(start_from, train.model_type, directory)
        if TEXT not in made:
            optimizer["reset_epoch"] = True
    return made


def _start(start_from: Path, model_type: str, directory: Path) -> dict[str, Any]:
    model = MODELS[model_type]
    if start_from.is_dir():
        start_from = start_from / RECORD / model.start
    key = model.key_for(start_from)
    if key == LAID:
        link_files(directory, {START: start_from})
        return {"recover_train": True}
    (name,) = relative_paths([start_from], directory)
    return {key: name} if key == TEXT else {"recover_train": True, key: name}


def own_start(train: TrainConfig, work_dir: Path) -> Optional[tuple[str, Path]]:
    """Key and file of the start model that the user names among the keys of MatPL.

    A path counts from the work directory. ``recover_train: false`` says that there is none.
    """
    if train.settings.get("recover_train") is False:
        return None
    for key in MODELS[train.model_type].own_keys:
        if train.settings.get(key):
            return key, work_dir / str(train.settings[key])
    return None


def errors(train: TrainConfig) -> Iterator[tuple[str, str]]:
    """Key below ``train`` and what is wrong with it: what MatPL would refuse, or take amiss."""
    optimizer = _section(train.settings, "optimizer")
    given = [name for name in _TOGETHER if name in optimizer]
    if len(given) == 1:
        yield f"optimizer.{given[0]}", f"{' and '.join(_TOGETHER)} go together"
    if "max_norm" in optimizer and "clip_value" in optimizer:
        yield "optimizer.clip_value", "max_norm and clip_value exclude each other"
    if "norm_type" in optimizer and "max_norm" not in optimizer:
        yield "optimizer.norm_type", "it needs max_norm"
    sizes = _section(_section(train.settings, "model"), "fitting_net").get("network_size")
    if MODELS[train.model_type].ends_with_one and isinstance(sizes, list) and sizes[-1] != 1:
        yield "model.fitting_net.network_size", f"found {sizes}; the last layer must be 1"


def warnings(train: TrainConfig, gpus: int) -> Iterator[str]:
    """What is not used, or may surprise."""
    for key in _SET_BY_US:
        if key in train.settings:
            yield f"train.{key} is set by the loop; what stands here is not used"
    if _section(train.settings, "model").get("type_embedding"):
        yield (
            "train.model.type_embedding has no effect: MatPL looks for it in train.type_embedding "
            "and in train.model.descriptor"
        )
    word = optimizer_of(train)
    if MODELS[train.model_type].filter_on_one_gpu and word in ("LKF", "GKF") and gpus > 1:
        kind = train.model_type
        yield f"train.optimizer.optimizer: {word} of {kind} does not run on {gpus} GPUs; ADAM does"


def optimizer_of(train: TrainConfig) -> str:
    """Name of the optimizer, in capitals."""
    return str(_section(train.settings, "optimizer").get("optimizer", OPTIMIZER)).strip().upper()


def _section(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name)
    return found if isinstance(found, dict) else {}
