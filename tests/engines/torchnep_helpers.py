"""A tiny training of TorchNEP: its settings, and a pretended Python that leaves what it left."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.config.strategy import StrategyConfig
from pwact.config.training import TrainConfig
from pwact.engines import trainer_for
from pwact.engines.trainers import Trainer

FILE = Path("run_param.json")
RECORDED = Path(__file__).parents[1] / "data" / "torchnep"
TINY: dict[str, Any] = {
    "cutoff": [4.0, 3.5],
    "n_max": [1, 1],
    "basis_size": [2, 2],
    "l_max": [2, 0],
    "neuron": 3,
    "epoch": 5,
}
# what the worker leaves of the recorded training, if it is asked for that one
PRETENDED = f"""\
#!/bin/bash
echo "$PYTHONUTF8 $@" >> calls
recorded={shlex.quote(str(RECORDED))}
if [ "$*" = "-m pwact.engines.torchnep.grades build cpu" ]; then
    cmp nep.txt "$recorded/nep.txt" && cp "$recorded/active_set.pt" . &&
        echo Cu > active_set.asi && exit
fi
[ "$*" = "-m pwact.engines.torchnep.worker" ] || exit 2
[ -e fail ] && exit 1
cmp nep.in "$recorded/nep.in" || exit 3
grep -q '^[0-9]' train.xyz || exit 4
cp "$recorded"/{{loss.out,result.json,nep.txt}} .
"""


def config(settings: Any = None, **changes: Any) -> RunConfig:
    """The input of a run; `changes` are fields of RunConfig or, as `train`, of TrainConfig."""
    train = {
        "engine": "torchnep",
        "model_type": "NEP",
        "atom_type": ("Cu",),
        "settings": TINY if settings is None else settings,
        **changes.pop("train", {}),
    }
    return RunConfig(file=FILE, train=TrainConfig(**train), **changes)


GRADED = StrategyConfig(uncertainty="extrapolation", model_num=1)


def trainer(
    settings: Any = None, command: str = "python", gpu_per_node: int = 0, **changes: Any
) -> Trainer:
    """The trainer of such a run."""
    block = ResourceBlock(command=command, gpu_per_node=gpu_per_node)
    return trainer_for(config(settings, **changes), block, block)


def pretended(folder: Path) -> str:
    """Shell text that starts the pretended Python."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "my python"
    program.write_text(PRETENDED)
    program.chmod(0o755)
    return shlex.quote(str(program))
