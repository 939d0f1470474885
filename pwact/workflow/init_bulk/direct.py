"""Lets a script of the user choose among the frames of the script MD."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.scripts.direct import (
    DirectScript,
    read_owners,
    selected_frames,
    write_owners,
)
from pwact.engines.scripts.md import OWNERS, SELECTED, SELECTED_INDEX, TRAJECTORY
from pwact.fingerprint import extended
from pwact.formats.extxyz import read_extxyz
from pwact.workflow.init_bulk.structures import Places
from pwact.workflow.labels.origins import Origin, write_origins
from pwact.workflow.reports import ChosenReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.prepare import relative
from pwact.workflow.tasks.script import run_script

if TYPE_CHECKING:
    from ase import Atoms


@dataclass(frozen=True)
class Run:
    """A finished MD.

    Attributes
    ----------
    entry
        Place of its entry in sys_configs.
    product
        Hash of the task directory, as the journal holds it.
    interval
        One frame in so many is used.
    """

    entry: int
    directory: Path
    labeler: Labeler
    product: str = ""
    interval: int = 1

    def frames(self) -> list[Atoms]:
        """The frames that are used."""
        return self.labeler.read_result(self.directory, Purpose.AIMD)[:: self.interval]


@dataclass(frozen=True)
class DirectStage:
    """One run of the script for the trajectories of all entries that ask for it.

    Attributes
    ----------
    runs
        What is chosen from.
    """

    places: Places
    script: DirectScript
    block: ResourceBlock
    runs: Sequence[Run]

    name = layout.DIRECT

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/bigmodel/direct``."""
        return self.places.temp / layout.BIGMODEL / layout.DIRECT

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("trajectories",)

    def inputs(self) -> Mapping[str, Any]:
        """The script and the trajectories."""
        trajectories = [[run.entry, run.product] for run in self.runs]
        return extended(self.script.fingerprint(), trajectories=trajectories)

    def work(self, services: Services) -> StageOutput:
        """Run the script, and say whose frames it chose."""
        paths = [run.directory / TRAJECTORY for run in self.runs]
        if not (self.directory / OWNERS).exists():
            counts = [len(read_extxyz(path)) for path in paths]
            write_owners(self.directory, list(zip([run.entry for run in self.runs], counts)))
        texts = (path.read_bytes().rstrip() + b"\n" for path in paths)
        self.script.write_input(self.directory, texts)
        run_script(services, self.name, self.script, self.directory, self.block)
        owners = read_owners(self.directory)
        indices = self.script.read_result(self.directory).indices
        report = ChosenReport(tuple(owners[index] for index in indices))
        every = [origin for run in self.runs for origin in self._origins(run)]
        chosen = selected_frames(self.directory / SELECTED)
        write_origins(self.directory / layout.ORIGIN, chosen, [every[index] for index in indices])
        products = [self.directory / name for name in (SELECTED, SELECTED_INDEX)]
        return StageOutput(products, (), report.to_json())

    def _origins(self, run: Run) -> list[Origin]:
        """Where the frames of a trajectory come from."""
        place, entry = relative(run.directory, self.places.temp), layout.init_config(run.entry)
        count = len(read_extxyz(run.directory / TRAJECTORY))
        return [Origin(place, number, entry) for number in range(count)]
