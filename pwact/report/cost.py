"""What a run has cost, and what it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from pwact.report.record import Record


@dataclass(frozen=True)
class CostFacts(Record):
    """Labels, and CPUs times hours of jobs; what is allowed of them (None: any)."""

    labels: int = 0
    core_hours: float = 0.0
    most_labels: Optional[int] = None
    most_core_hours: Optional[float] = None

    @property
    def words(self) -> str:
        """``40 of 50 labels, 1.2 core-hours``."""
        labels = "" if self.most_labels is None else f" of {self.most_labels}"
        hours = "" if self.most_core_hours is None else f" of {self.most_core_hours:g}"
        return f"{self.labels}{labels} labels, {self.core_hours:.3g}{hours} core-hours"
