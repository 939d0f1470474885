"""What a run may cost: the section ``budget`` of its param.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pwact.config.kinds import Real, Whole
from pwact.config.schema import Node, declare, keys_of, read


@dataclass(frozen=True)
class BudgetConfig:
    """Where a run ends though it has work left; None for no end."""

    labels: Optional[int] = declare(
        None,
        Whole(0),
        "At most this many labels in all: a labelling that could need more is not begun.",
    )
    core_hours: Optional[float] = declare(
        None,
        Real(positive=True),
        "No step begins once the jobs of the run have used so much: CPUs times hours.",
        unit="h",
    )


KEYS = keys_of(BudgetConfig)


def load_budget(node: Optional[Node]) -> BudgetConfig:
    """Read the section, if it is there. Raises InputError."""
    return BudgetConfig() if node is None else BudgetConfig(**read(node, KEYS))
