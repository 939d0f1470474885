"""What the tests of several engines share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.requirements import need_program


@pytest.fixture(scope="session")
def committee(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Three POD models, trained by real fitpod on EMT frames; with their trainer and data."""
    need_program("lmp")
    from tests.engines.pod_helpers import alloy, data_set, fit, labelled, trainer  # noqa: PLC0415

    folder: Path = tmp_path_factory.mktemp("a committee's $HOME")
    frames = [labelled(alloy(seed)) for seed in range(12)]
    # one atom of each element in a very skewed cell, and atoms outside of their cell
    tiny = alloy(50, repeat=1) * (2, 1, 1)
    tiny.symbols[:] = ["Ag", "Au"]
    tiny.rattle(0.05, seed=3)
    tiny.set_cell([[1, 0, 0], [2, 1, 0], [-1, 2, 1]] @ tiny.cell.array)
    far = alloy(51)
    far.positions += 30.0
    data = data_set(folder, frames, [labelled(tiny), labelled(far), labelled(alloy(52))])
    pod = trainer()
    models = [fit(pod, folder / f"train.{seed:03d}", data, seed) for seed in range(3)]
    return pod, data, models
