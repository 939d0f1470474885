"""The input of DeePMD-kit's PyTorch backend for a training that begins with a pretrained model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.config.kinds import Text
from pwact.config.schema import Node
from pwact.engines.deepmd.keys import LOSS, RATE, Place, Translation
from pwact.engines.deepmd.pytorch_keys import OPTIMIZER, PytorchTranslation
from pwact.errors import InputError

MODEL = "model"
HEAD = "finetune_head"  # DeePMD-kit's word for the branch to begin with
BRANCH = "model_branch"
# rates at which a few frames change a pretrained model, and do not spoil it
_RATES = {"start_lr": 1e-3, "stop_lr": 1e-5}
# those of DeePMD-kit's own inputs for DPA; with those from nothing energies get worse at first, and
# a short training does not make up for it
_PREFACTORS = {
    "start_pref_e": 0.2,
    "limit_pref_e": 20.0,
    "start_pref_f": 100.0,
    "limit_pref_f": 60.0,
}
_OF_THE_MODEL = ("max_neigh_num", "precision", "type_embedding")


class FinetuneTranslation(PytorchTranslation):
    """MatPL's training keys, without those of the model. See `Translation`."""

    places = {
        **Translation.places,
        "": {**Translation.places[""], BRANCH: Place(MODEL, HEAD, Text(one_line=True))},
    }

    def _sections(self) -> dict[str, dict[str, Any]]:
        made = super()._sections()
        made[RATE].update(_RATES)
        made[LOSS].update(_PREFACTORS)
        return {**made, MODEL: {}}

    def _take(self, node: Node) -> None:
        section, _, name = node.key.lower().partition(".")[2].rpartition(".")
        if section not in ("", OPTIMIZER) or name in _OF_THE_MODEL:
            raise node.error("the model is that of train.foundation, which fixes this")
        super()._take(node)

    def _finish(self) -> dict[str, Any]:
        made = super()._finish()
        return {**made, MODEL: {"type_map": list(self.types), **self.sections[MODEL]}}


def check_native(document: Mapping[str, Any], file: Path, pretrained: bool) -> None:
    """Refuse a native input that is not trained by gradients, or names a branch of nothing.

    Raises
    ------
    InputError
        With file and key.
    """
    optimizer = document.get(OPTIMIZER)
    kind = optimizer.get("type") if isinstance(optimizer, dict) else None
    if kind == "LKF":
        message = "the engine dpa trains by gradients; deepmd-pytorch trains by LKF"
        raise InputError(message, file, f"{OPTIMIZER}.type")
    if document[MODEL].get(HEAD) and not pretrained:
        raise InputError("a branch needs train.foundation", file, f"{MODEL}.{HEAD}")
