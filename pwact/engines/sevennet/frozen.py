"""Layers of a model that a training leaves as they are. Imported by the Python with SevenNet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

_LAYERS = "_frozen_layers"  # in the configuration of a checkpoint
_EMBEDDINGS = ("edge_embedding", "onehot_to_feature_x")


def freeze(network: Any, layers: int) -> None:
    """Train neither the embeddings of a network nor its first `layers` layers of messages."""
    kept = (*_EMBEDDINGS, *(f"{number}_" for number in range(layers)))
    for name, parameter in network.named_parameters():
        if name.startswith(kept):
            parameter.requires_grad_(False)


def freeze_in(trainer: Any, layers: Optional[int]) -> None:
    """Let a trainer of SevenNet freeze so many layers of its model; None changes nothing."""
    begin = trainer.__init__

    def begun(self: Any, model: Any, *others: Any, **more: Any) -> None:
        freeze(model, layers or 0)
        begin(self, model, *others, **more)

    if layers is not None:
        trainer.__init__ = begun


def recorded(layers: Optional[int]) -> dict[str, int]:
    """What a checkpoint records of it."""
    return {} if layers is None else {_LAYERS: layers}


def freeze_as_recorded(network: Any, config: Mapping[str, Any]) -> None:
    """Freeze what the training of a checkpoint did not train, by its configuration."""
    if _LAYERS in config:
        freeze(network, config[_LAYERS])
