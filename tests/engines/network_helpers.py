"""Trainers of pretrained networks, with a stand-in for the Python of their libraries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.training import TrainConfig
from pwact.engines import trainer_for
from pwact.engines.trainers import Trainer

FILE = Path("run_param.json")
RECORDED_EPOCHS = {"sevennet": 4, "mace": 3}


def stand_in(folder: Path, recorded: Path) -> Path:
    """A Python that leaves what the worker left when the files of `recorded` were made."""
    folder.mkdir(exist_ok=True)
    program = folder / "python"
    program.write_text(f'#!/bin/bash\necho "$@" >> calls\ncp "{recorded}"/* .\n')
    program.chmod(0o755)
    return program


def config(
    engine: str,
    settings: Optional[dict[str, Any]] = None,
    strategy: Optional[dict[str, Any]] = None,
    **changes: Any,
) -> RunConfig:
    train = {"engine": engine, "atom_type": ("Cu",), "settings": settings or {}}
    models = [name for name in changes if name in ("init_model_list", "use_pre_model")]
    more = {name: changes.pop(name) for name in models}
    return RunConfig(
        file=FILE,
        train=TrainConfig(**{**train, **changes}),
        strategy=replace(StrategyConfig(), **{"model_num": 4, **(strategy or {})}),
        **more,
    )


def trainer(engine: str, command: str = "python", **changes: Any) -> Trainer:
    settings = {"epochs": RECORDED_EPOCHS[engine], **changes.pop("settings", {})}
    block = ResourceBlock(command=command)
    return trainer_for(config(engine, settings, **changes), block, block)
