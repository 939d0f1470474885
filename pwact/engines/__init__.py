"""The engines by name. A module is imported when its engine is used, not before.

`None` marks a name of the input format whose engine is not available yet.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from pwact.errors import InputError

if TYPE_CHECKING:
    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig
    from pwact.engines.base import Explorer, Labeler, Trainer
    from pwact.engines.batch import BatchLabeler

LABELERS: dict[str, Optional[str]] = {
    "ase": "pwact.engines.ase_calculator:AseLabeler",
    "pwmat": "pwact.engines.pwmat:PwmatLabeler",
    "vasp": "pwact.engines.vasp:VaspLabeler",
    "cp2k": "pwact.engines.cp2k:Cp2kLabeler",
    "dftb": "pwact.engines.pwmat:PwmatDftbLabeler",
    "dftb+": "pwact.engines.dftbplus:DftbPlusLabeler",
}
BATCH_LABELERS: dict[str, Optional[str]] = {
    "bigmodel": "pwact.engines.label_script:LabelScript",
}
TRAINERS: dict[str, Optional[str]] = {
    "pod": "pwact.engines.pod:PodTrainer",
    "deepmd": "pwact.engines.deepmd:DeepmdTrainer",
    "deepmd-pytorch": "pwact.engines.deepmd_pytorch:DeepmdPytorchTrainer",
    "matpl": "pwact.engines.matpl:MatplTrainer",
}
EXPLORERS: dict[str, Optional[str]] = {
    "lammps": "pwact.engines.lammps:LammpsExplorer",
    "ase": "pwact.engines.ase_md:AseExplorer",
}
# trainers whose models do not run in LAMMPS
EXPLORED_BY = {"deepmd-pytorch": "ase"}


def _load(registry: dict[str, Optional[str]], name: str, file: Path, key: str) -> Any:
    place = registry[name]
    if place is None:
        ready = ", ".join(word for word, where in registry.items() if where)
        raise InputError(f"{name} is not available yet; available: {ready}", file, key)
    module, attribute = place.split(":")
    return getattr(import_module(module), attribute)


def labeler_for(config: LabelConfig, input_idx: int, block: ResourceBlock) -> Labeler:
    """The labeler of a label configuration with its `input_idx`-th input file."""
    key = f"{config.key}.dft_style".lstrip(".")
    if config.style in BATCH_LABELERS:
        message = f"{config.style} labels the frames of a run, and does nothing else"
        raise InputError(message, config.file, key)
    labeler: Labeler = _load(LABELERS, config.style, config.file, key)(config, input_idx, block)
    return labeler


def run_labeler_for(config: LabelConfig, block: ResourceBlock) -> Union[Labeler, BatchLabeler]:
    """What labels the frames of a run, one by one or all at once."""
    if config.style not in BATCH_LABELERS:
        return labeler_for(config, 0, block)
    made = _load(BATCH_LABELERS, config.style, config.file, f"{config.key}.dft_style")
    labeler: BatchLabeler = made(config, block)
    return labeler


def intermediate_files(config: LabelConfig) -> tuple[str, str]:
    """Format name and postfix of the structure files between two steps of a chain."""
    key = f"{config.key}.dft_style".lstrip(".")
    made = _load({**LABELERS, **BATCH_LABELERS}, config.style, config.file, key)
    return str(made.structure_format), str(made.structure_postfix)


def trainer_for(config: RunConfig, train: ResourceBlock, explore: ResourceBlock) -> Trainer:
    """The trainer that `train.engine` names."""
    made = _load(TRAINERS, config.train.engine, config.file, "train.engine")
    trainer: Trainer = made(config, train, explore)
    return trainer


def explorer_for(config: RunConfig, block: ResourceBlock) -> Explorer:
    """What runs MD with the models of `train.engine`."""
    name = EXPLORED_BY.get(config.train.engine, "lammps")
    made = _load(EXPLORERS, name, config.file, "explore")
    explorer: Explorer = made(block)
    return explorer
