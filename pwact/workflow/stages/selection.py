"""What the selections by a window and by a target share: where they stand and what they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pwact import layout
from pwact.config.run import RunConfig
from pwact.report import selection as tables
from pwact.uncertainties.base import Uncertainty
from pwact.workflow.reports import TrajectoryRecord

_TABLES = (tables.ACCURATE, tables.CANDIDATE, tables.DELETED, tables.FAILED, tables.SUMMARY)


@dataclass(frozen=True)
class SelectionStage:
    """The selection of one iteration.

    Attributes
    ----------
    explored
        The ``paths`` of the exploration's report: one entry a trajectory.
    """

    config: RunConfig
    uncertainty: Uncertainty
    iteration: int
    explored: Sequence[TrajectoryRecord]

    @property
    def name(self) -> str:
        """``iter.0000/select``."""
        return f"{layout.iteration_name(self.iteration)}/select"

    @property
    def directory(self) -> Path:
        """``01.explore/select``."""
        return layout.select_dir(self.config.work_dir, self.iteration)

    @property
    def ends(self) -> list[tables.MdEnd]:
        """How each trajectory ended."""
        return [tables.MdEnd(one.directory, one.normal, one.why) for one in self.explored]

    def written(self, *more: str) -> list[Path]:
        """The tables that were written, and more files of this directory."""
        products = [self.directory / name for name in (*_TABLES, *more)]
        return [path for path in products if path.exists()]
