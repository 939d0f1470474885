"""The engines by name, as `pwact.registry.engines` lists them: imported when they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from pwact.errors import InputError
from pwact.registry.engines import EXPLORERS, LABELERS, TRAINERS

if TYPE_CHECKING:
    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig
    from pwact.engines.base import Explorer, Labeler, Trainer
    from pwact.engines.batch import BatchLabeler


def labeler_for(config: LabelConfig, input_idx: int, block: ResourceBlock) -> Labeler:
    """The labeler of a label configuration with its `input_idx`-th input file."""
    entry = LABELERS[config.style]
    if entry.all_at_once:
        message = f"{config.style} labels the frames of a run, and does nothing else"
        raise InputError(message, config.file, f"{config.key}.dft_style".lstrip("."))
    labeler: Labeler = entry.load()(config, input_idx, block)
    return labeler


def run_labeler_for(config: LabelConfig, block: ResourceBlock) -> Union[Labeler, BatchLabeler]:
    """What labels the frames of a run, one by one or all at once."""
    entry = LABELERS[config.style]
    if not entry.all_at_once:
        return labeler_for(config, 0, block)
    labeler: BatchLabeler = entry.load()(config, block)
    return labeler


def intermediate_files(config: LabelConfig) -> tuple[str, str]:
    """Format name and postfix of the structure files between two steps of a chain."""
    made = LABELERS[config.style].load()
    return str(made.structure_format), str(made.structure_postfix)


def trainer_for(config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> Trainer:
    """The trainer that `train.engine` names."""
    trainer: Trainer = TRAINERS[config.train.engine].load()(config, train, explore)
    return trainer


def explorer_for(config: RunConfig, block: ResourceBlock) -> Explorer:
    """What runs MD with the models of `train.engine`."""
    name = TRAINERS[config.train.engine].explored_by
    explorer: Explorer = EXPLORERS[name].load()(block)
    return explorer
