"""What the section ``train`` of a training program holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from pwact.config.document import JsonObject
from pwact.config.schema import Key


@dataclass(frozen=True)
class EngineKeys:
    """What a training program reads.

    Attributes
    ----------
    model_types
        What it can train.
    default_type
        Taken where the user names none; None if it must be named.
    sections
        Section below ``train`` → its keys.
    passes_unknown
        Whether unknown keys reach the program.
    native_key
        A top-level key that marks a file in the program's own input format.
    read_native
        Reads the program's own input, where that is no JSON, as keys.
    whole_batches
        Whether the program leaves out a batch that the data do not fill.
    smaller_batches
        Else what it takes then, in words.
    batch
        Where the user says how many frames a batch has.
    cutoffs
        Model type → section and key of its cutoff in Å.
    begins_pretrained
        Whether a training can begin with a pretrained model, `train.foundation`.
    """

    model_types: tuple[str, ...]
    default_type: Optional[str]
    sections: Mapping[str, tuple[Key, ...]]
    passes_unknown: bool = True
    native_key: str = ""
    read_native: Optional[Callable[[Path], JsonObject]] = None
    whole_batches: bool = False
    smaller_batches: str = "all of them"
    batch: str = "optimizer.batch_size"
    cutoffs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    begins_pretrained: bool = False
