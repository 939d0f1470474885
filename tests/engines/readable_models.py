"""A library whose models are words: ``read_begin`` as the workers of trainers have it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.errors import UnfitModelError


def read_begin(asked: Mapping[str, Any]) -> None:
    """A model knows the elements that are its words; ``library`` needs one that is not here."""
    known = Path(asked["begin"]).read_text().split()
    if known == ["library"]:
        import no_such_library  # type: ignore[import-not-found] # noqa: F401, PLC0415
    missing = [symbol for symbol in asked["elements"] if symbol not in known]
    if missing:
        raise UnfitModelError(f"{asked['begin']} does not know {missing[0]}")
    if "head" in known:
        raise UnfitModelError("several heads", "train.head")
