"""The Kalman filter: each step of a training halves its P."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor  # type: ignore[attr-defined]


class LKFOptimizer:
    """As in DeePMD-kit 3.2.0, it begins with P = 1 whatever a checkpoint holds."""

    def __init__(self, weights: list[str], block_size: int) -> None:
        self.param_groups = [{"params": weights}]
        blocks = [Tensor(np.eye(size)) for size in (block_size, 2)]
        self.state = {weights[0]: {"P": blocks, "kalman_lambda": 0.98}}

    def step(self) -> None:
        own = self.state["weight"]
        own["P"] = [Tensor(block.values / 2) for block in own["P"]]
        own["kalman_lambda"] = 0.9987 * own["kalman_lambda"] + 1 - 0.9987

    def state_dict(self) -> dict[str, Any]:
        return {"state": {0: self.state["weight"]}, "param_groups": [{"params": [0]}]}


class KFOptimizerWrapper:
    """Draws the atoms."""

    def __sample(self, selected: int, per_group: int, atoms: int) -> np.ndarray:
        return np.arange(selected).reshape(-1, per_group) % atoms

    def draw(self) -> list[int]:
        made: list[int] = self.__sample(24, 6, 40).ravel().tolist()
        return made
