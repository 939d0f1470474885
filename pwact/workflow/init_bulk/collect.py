"""Puts the results of a chain where they stay."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.engines.scripts.direct import selected_frames
from pwact.engines.scripts.md import SELECTED
from pwact.formats.extxyz import read_extxyz
from pwact.formats.frames import write_frames
from pwact.formats.same_frame import structure_mark
from pwact.io import files
from pwact.workflow.init_bulk.direct import Run
from pwact.workflow.init_bulk.structures import Places
from pwact.workflow.labels.origins import Origin, read_origins, write_origins
from pwact.workflow.reports import CollectReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.gate import write_table
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

# what jobs leave beside the task directories: scripts, records, outputs
_OF_JOBS = re.compile(r"\..*|slurm-.*|\d+-(bigmodel|direct)\..*")


@dataclass(frozen=True)
class CollectStage:
    """Writes ``collection/`` aside and puts it in place of an older one.

    Attributes
    ----------
    settings
        What the user asks of each entry.
    made
        Stage → product → hash: what the steps before left, also when it is deleted by now.
    runs
        The MD of the entries.
    left_out
        What is unphysical, or did not converge: rows for `gate.write_table`.
    shared
        Whether other parts are in the collection as well.
    prefix
        Of the folders that do not belong to one entry.
    """

    config: InitConfig
    places: Places
    settings: Mapping[str, Any]
    made: Mapping[str, Mapping[str, str]]
    runs: Sequence[Run]
    left_out: Sequence[Sequence[Any]]
    shared: bool = False
    prefix: str = ""

    name = layout.COLLECTION

    @property
    def directory(self) -> Path:
        """``collection``; with other parts in it the folder of the first entry."""
        collection = self.config.work_dir / layout.COLLECTION
        first = min(entry.index for entry in self.config.systems)
        return collection / layout.init_config(first) if self.shared else collection

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("made",)

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
        written = []
        for entry in self.config.systems:
            folder = staging / layout.init_config(entry.index)
            folder.mkdir()
            self._copy_structures(entry, folder)
            frames, origins = self._frames_of(entry)
            written += self._write(services, folder, frames, entry.index, origins)
        written += self._relabelled(services, staging)
        written += self._bigmodel(services, staging)
        final = self.config.work_dir / layout.COLLECTION
        sets = [final / data.relative_to(staging) for data in written]
        self._put_in_place(staging, final)
        names = tuple(relative(path, services.work_dir) for path in sets)
        report = CollectReport(names, len(self.left_out))
        return StageOutput(sets, report=report.to_json(), lasting=[final])

    def _put_in_place(self, staging: Path, final: Path) -> None:
        """Replace the collection; where others have a part in it, what is our own of it."""
        if not self.shared:
            files.remove(final)
            staging.rename(final)
            return
        for place in sorted(staging.iterdir()):
            target = final / place.name
            files.remove(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            place.rename(target)
        staging.rmdir()

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

    def _frames_of(self, entry: SystemEntry) -> tuple[list[Atoms], list[Origin]]:
        """The MD frames of an entry whose labels count: nobody chose among them or labels them."""
        runs = [run for run in self.runs if run.entry == entry.index]
        if not runs and entry.has_md:
            logger.warning("%s has no result of its MD", layout.init_config(entry.index))
        if self.config.relabelled(entry) or self.config.filtered(entry):
            return [], []
        frames, origins = [], []
        for run in runs:
            made = run.frames()
            place = relative(run.directory, self.places.temp)
            frames += made
            origins += [Origin(place, number * run.interval) for number in range(len(made))]
        return frames, origins

    def _relabelled(self, services: Services, staging: Path) -> list[Path]:
        data = self.places.temp / layout.SCF / layout.TRAIN_XYZ
        if layout.SCF not in self.made or not data.exists():
            return []
        folder = staging / self.prefix / layout.SCF
        frames, known = read_extxyz(data), read_origins(data.parent / layout.ORIGIN)
        origins = [known.get(structure_mark(frame)) for frame in frames]
        given = [one for one in origins if one is not None]
        own = given if len(given) == len(frames) else ()
        return self._write(services, folder, frames, layout.SCF, own)

    def _bigmodel(self, services: Services, staging: Path) -> list[Path]:
        """Copy the script MD; where DIRECT chose among its frames and nobody labels them: data."""
        if layout.BIGMODEL not in self.made:
            return []
        folder = staging / self.prefix / layout.BIGMODEL
        shutil.copytree(self.places.temp / layout.BIGMODEL, folder, symlinks=True, ignore=_ignored)
        filtered = [entry for entry in self.config.systems if self.config.filtered(entry)]
        if layout.DIRECT not in self.made or any(map(self.config.relabelled, filtered)):
            return []
        place = folder / layout.DIRECT
        return self._write(services, place, selected_frames(place / SELECTED), layout.DIRECT)

    def _write(
        self,
        services: Services,
        folder: Path,
        frames: list[Atoms],
        key: int | str,
        origins: Sequence[Origin] = (),
    ) -> list[Path]:
        """Write a data set, unless it would be empty; its path."""
        if not frames:
            return []
        if self.config.data_shuffle:
            order = services.rng("shuffle", key).permutation(len(frames))
            frames = [frames[number] for number in order]
            origins = [origins[number] for number in order] if origins else ()
        if origins:
            folder.mkdir(parents=True, exist_ok=True)
            write_origins(folder / layout.ORIGIN, frames, origins)
        data = layout.labelled(folder, self.config.data_format)
        write_frames(data, frames, self.config.data_format)
        return [data]


def write_views(collection: Path, data_sets: Sequence[Path], left_out: Sequence[Any]) -> None:
    """Write ``datapath.txt`` and ``left_out.csv`` for all parts, unless they are there."""
    lines = "\n".join(f'"{path}",' for path in data_sets)
    path = collection / layout.DATAPATH
    if not path.is_file() or path.read_bytes() != lines.encode("utf-8", "surrogateescape"):
        files.write_text(path, lines)
    if left_out:
        write_table(collection / layout.LEFT_OUT, left_out)
    else:
        files.remove(collection / layout.LEFT_OUT)


def _ignored(_: str, names: list[str]) -> list[str]:
    return [name for name in names if _OF_JOBS.fullmatch(name)]
