"""What every engine offers, and the engines by name. An engine writes files and reads files.

It never runs a program, submits a job, waits, or chooses a directory. Units are Å, eV, eV/Å, ps
for MD times, K and bar. A frame is an `ase.Atoms`; its labels are set and read with
`pwact.formats.labels`. What each kind can do: `labelers`, `batch`, `explorers`, `trainers`,
`evaluator`. They are listed in `pwact.registry.engines` and imported when they are used.

What `check` promises, for every engine (tests/engines/test_contract.py tries each of them):

1. Output that can be read is not work that was done. A task is done when its output shows the end
   that was asked for: the last step, epoch, frame. Programs write final names early and often, so a
   name proves nothing.
2. Where the output of a program does not tell its end, only its exit status does. Then `check`
   wants the file that the command writes behind the program, or the tag of success.
3. A file that is missing, empty, cut short anywhere, full of zeros, or of another task is never the
   output of a done task, whichever file it is.
4. Unusable is not incomplete. What ended as asked and came to nothing (not converged) is
   unusable: another try would end the same way. All else is incomplete.
5. `command` may be run again in a directory where an earlier try was cut off at any point. It goes
   on from there, or removes what could pass for its own output. It does no finished step again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from pwact.errors import InputError
from pwact.registry.engines import EXPLORERS, LABELERS, TRAINERS

if TYPE_CHECKING:
    from pwact.config.labeling import LabelConfig
    from pwact.config.resources import ResourceBlock
    from pwact.config.run import RunConfig
    from pwact.engines.batch import BatchLabeler
    from pwact.engines.explorers import Explorer
    from pwact.engines.labelers import Labeler
    from pwact.engines.trainers import Trainer


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
    entry, style = TRAINERS[config.train.engine], config.explore.pair_style
    if style is not None and style.partition(" ")[0] not in entry.pair_styles:
        known = ", ".join(entry.pair_styles) or "none, for there is nothing to choose"
        message = f"found {style}; allowed with the engine {config.train.engine}: {known}"
        raise InputError(message, config.file, "explore.pair_style")
    name = entry.explored_by if style is None else "lammps"
    explorer: Explorer = EXPLORERS[name].load()(block)
    return explorer
