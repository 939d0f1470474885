"""Pictures that cost nothing, for tests that do not look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.io import files
from pwact.report import plots

ONE_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c63"
    "6000000002000148afa4710000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def small_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Histograms of one pixel, but for tests marked `draws`: drawing takes longer than the rest."""
    if request.node.get_closest_marker("draws"):
        return

    def draw(path: Path, *_: Any) -> bool:
        with files.replacing(path) as aside:
            aside.write_bytes(ONE_PIXEL)
        return True

    monkeypatch.setattr(plots, "_draw", draw)
