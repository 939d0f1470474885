"""Runs the AIMD of a chain, and puts its results where they stay."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.resources import ResourceBlock
from pwact.engines.base import Labeler, Purpose
from pwact.io import files
from pwact.io.frames import write_frames
from pwact.workflow.quorum import check_quorum
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.first_principles import Calculation, calculate
from pwact.workflow.stages.prepare import relative
from pwact.workflow.stages.structures import Places

if TYPE_CHECKING:
    from ase import Atoms

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AimdStage:
    """One ab-initio MD for each structure of the entries that ask for it.

    Attributes
    ----------
    labelers
        Index of an input file → its labeler.
    """

    config: InitConfig
    places: Places
    labelers: Mapping[int, Labeler]
    block: ResourceBlock

    name = layout.AIMD

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/aimd``."""
        return self.places.temp / layout.AIMD

    @property
    def _entries(self) -> list[SystemEntry]:
        return [entry for entry in self.config.systems if entry.aimd]

    def inputs(self) -> Mapping[str, Any]:
        """Structures and labelers."""
        return {
            layout.init_config(entry.index): {
                "structures": [
                    files.tree_hash(source.file.path) for source in self.places.final(entry)
                ],
                "labeler": self.labelers[entry.aimd_input_idx].fingerprint(Purpose.AIMD),
            }
            for entry in self._entries
        }

    def work(self, services: Services) -> StageOutput:
        """Run the MD of all structures; a tenth of them, or one, may come to nothing."""
        owned = [
            (entry, calculation)
            for entry in self._entries
            for calculation in self._calculations(services, entry)
        ]
        calculations = [calculation for _, calculation in owned]
        results = list(calculate(services, Purpose.AIMD, self.directory, calculations, self.block))
        rate = self.config.aimd.max_failed_rate
        good = check_quorum(results, rate, self.name, services.work_dir)
        done = {result.task.directory for result in good}
        trajectories = [
            {"entry": entry.index, "directory": relative(one.directory, services.work_dir)}
            for entry, one in owned
            if one.directory in done
        ]
        products = [one.directory for one in calculations if one.directory in done]
        return StageOutput(products, report={"trajectories": trajectories})

    def _calculations(self, services: Services, entry: SystemEntry) -> list[Calculation]:
        folder = self.directory / layout.init_config(entry.index)
        return [
            Calculation(
                self.labelers[entry.aimd_input_idx],
                folder / source.base / layout.aimd_name(k),
                source.read,
                services.seed("aimd", entry.index, k),
            )
            for k, source in enumerate(self.places.final(entry))
        ]


@dataclass(frozen=True)
class CollectStage:
    """Writes ``collection/`` aside and puts it in place of an older one.

    Attributes
    ----------
    labelers
        Those of AIMD.
    settings
        What the user asks of each entry.
    made
        Stage → product → hash: what the steps before left, also when it is deleted by now.
    trajectories
        The ``trajectories`` of the AIMD's report.
    """

    config: InitConfig
    places: Places
    labelers: Mapping[int, Labeler]
    settings: Mapping[str, Any]
    made: Mapping[str, Mapping[str, str]]
    trajectories: Sequence[Mapping[str, Any]]

    name = layout.COLLECTION

    @property
    def directory(self) -> Path:
        """``collection``."""
        return self.config.work_dir / layout.COLLECTION

    def inputs(self) -> Mapping[str, Any]:
        """What is collected, and how."""
        return {
            "made": self.made,
            "interval": self.config.interval,
            "data_shuffle": self.config.data_shuffle,
            "data_format": self.config.data_format,
            "settings": self.settings,
        }

    def work(self, services: Services) -> StageOutput:
        """Write everything into a fresh directory, then swap."""
        staging = self.places.temp / layout.COLLECTION
        files.remove(staging)
        staging.mkdir(parents=True)
        sets = []
        for entry in self.config.systems:
            folder = staging / layout.init_config(entry.index)
            folder.mkdir()
            self._copy_structures(entry, folder)
            if self._write_data(services, entry, folder):
                data = layout.labelled(folder, self.config.data_format)
                sets.append(self.directory / data.relative_to(staging))
        lines = [f'"{path}",' for path in sets]
        files.write_text(staging / layout.DATAPATH, "\n".join(lines))
        files.remove(self.directory)
        staging.rename(self.directory)
        names = [relative(path, services.work_dir) for path in sets]
        return StageOutput([self.directory / layout.DATAPATH, *sets], report={"data_sets": names})

    def _copy_structures(self, entry: SystemEntry, folder: Path) -> None:
        sources = []
        if entry.relax:
            sources.append(self.places.relaxed(entry))
        if entry.super_cell is not None:
            sources.append(self.places.super_cell(entry))
        if entry.scale:
            sources += self.places.scaled(entry)
        for source in sources:
            shutil.copyfile(source.file.path, folder / source.file.path.name)
        for source in self.places.scaled(entry) if entry.perturb else ():
            made = self.places.perturbed(entry, source)[0].file.path.parent
            shutil.copytree(made, folder / layout.perturbed_folder(source.base))

    def _write_data(self, services: Services, entry: SystemEntry, folder: Path) -> bool:
        """Write the AIMD frames of one entry; whether there were any."""
        frames: list[Atoms] = []
        for trajectory in self.trajectories:
            if trajectory["entry"] == entry.index:
                labeler = self.labelers[entry.aimd_input_idx]
                directory = self.config.work_dir / trajectory["directory"]
                found = labeler.read_result(directory, Purpose.AIMD)
                frames += found[:: self.config.interval]
        if entry.aimd and not frames:
            log.warning("%s has no AIMD result", layout.init_config(entry.index))
        if not frames:
            return False
        if self.config.data_shuffle:
            order = services.rng("shuffle", entry.index).permutation(len(frames))
            frames = [frames[number] for number in order]
        write_frames(
            layout.labelled(folder, self.config.data_format), frames, self.config.data_format
        )
        return True
