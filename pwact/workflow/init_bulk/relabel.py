"""Labels frames of the MD of a chain again, by another program, or structures without any MD."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional, Union

from pwact import layout
from pwact.atom_properties import digest, drop
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler
from pwact.engines.ladder import fingerprint_of
from pwact.engines.scripts.direct import selected_frames
from pwact.fingerprint import Settings
from pwact.fixed_atoms import free
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered
from pwact.io import files
from pwact.workflow.init_bulk.direct import Run
from pwact.workflow.init_bulk.structures import Places
from pwact.workflow.labels.given import GivenFrame, Way
from pwact.workflow.labels.labelling import Labelling
from pwact.workflow.labels.sources import Sources
from pwact.workflow.labels.store import LabelStore
from pwact.workflow.labels.tries import retried
from pwact.workflow.reports import RelabelReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.origin import onto, unperturbed
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

_HINT = "look at these frames, and at the MD or the distortions that they come from"
SUBSET_SEED = 2024  # of scf_max_num: PWact picks the same frames


@dataclass(frozen=True)
class Chosen:
    """The frames that DIRECT chose.

    Attributes
    ----------
    path
        The extxyz file.
    entries
        For each frame the place of its entry in sys_configs.
    product
        Hash of the file, as the journal holds it.
    """

    path: Path
    entries: Sequence[int]
    product: str


def subset(count: int, wanted: Optional[int]) -> list[int]:
    """Numbers below `count`, ascending: all, or a fixed random choice of `wanted` of them."""
    if wanted is None or wanted >= count:
        return list(range(count))
    dice = random.Random(SUBSET_SEED)  # noqa: S311 - no secret
    found: set[int] = set()
    while len(found) < wanted:
        found.add(dice.randint(0, count - 1))
    return sorted(found)


@dataclass(frozen=True)
class RelabelStage:
    """Single points of the frames that DIRECT chose, of those of other MD, then of structures.

    Attributes
    ----------
    labelers
        Place of an entry in sys_configs → the engine that labels its frames.
    chosen
        What DIRECT chose; None without it.
    runs
        MD whose frames are labelled without DIRECT.
    distinct
        Whether a structure counts once; see `pwact.workflow.stages.label.LabelStage`.
    """

    config: InitConfig
    places: Places
    labelers: Mapping[int, Labeler]
    block: ResourceBlock
    chosen: Optional[Chosen]
    runs: Sequence[Run]
    distinct: bool = True

    name = layout.SCF

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/scf``."""
        return self.places.temp / layout.SCF

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        made = [
            f"structures.{layout.init_config(entry.index)}"
            for entry in self._alone
            if entry.relax or entry.super_cell is not None or entry.scale or entry.perturb
        ]
        return ("chosen", "runs", *made)

    @property
    def _alone(self) -> list[SystemEntry]:
        """The entries without MD."""
        return [
            entry
            for entry in self.config.systems
            if entry.index in self.labelers and not entry.has_md
        ]

    def inputs(self) -> Mapping[str, Any]:
        """Frames and labelers."""
        atoms = {
            layout.init_config(entry): found
            for entry in sorted(self.labelers)
            if (found := digest(self._start(entry)))
        }
        values: dict[str, Any] = {
            "labelers": {
                layout.init_config(entry): fingerprint_of(labeler, self.config.scf)
                for entry, labeler in self.labelers.items()
            },
            "chosen": self.chosen and [self.chosen.product, *self.chosen.entries],
            "runs": [[run.entry, run.product, run.interval] for run in self.runs],
            "scf_max_num": self.config.scf_max_num,
            "min_distance": self.config.scf.min_distance,
            **({"atoms": atoms} if atoms else {}),
        }
        if structures := self._structures():
            values["structures"] = structures
        return Settings(values, {"atoms": None, "structures": None})

    def _structures(self) -> dict[str, list[str]]:
        """Hashes of the structures of each entry without MD."""
        return {
            layout.init_config(entry.index): [
                files.tree_hash(source.file.path) for source in self.places.final(entry)
            ]
            for entry in self._alone
        }

    def work(self, services: Services) -> StageOutput:
        """Label what can be labelled; frames that do not converge are left out and listed."""
        gate = Gate(self.config.scf.min_distance)
        frames = self._frames(services.work_dir)
        picked = [frames[number] for number in subset(len(frames), self.config.scf_max_num)]
        labelling = self._labelling(services)
        owners = {one.directory: self.labelers[entry] for entry, one in picked}

        def answers(asked: Sequence[GivenFrame]) -> Sequence[Union[Atoms, str]]:
            made = [one.calculation(owners[one.directory]) for one in asked]
            return labelling.answers(services, made)

        way = Way(self.name, self.directory, answers, self.distinct, _HINT, self.places.temp)
        labelled, spoilt = way.labelled([one for _, one in picked], gate)
        data = self.directory / layout.TRAIN_XYZ
        files.remove(data)
        if labelled:
            write_extxyz(data, labelled)
        else:
            logger.warning("%s: no frame was labelled", self.name)
        report = RelabelReport(tuple(gate.rows()), retried(self.directory / layout.RETRIES))
        return StageOutput([data] if labelled else [], (), report.to_json(), lost=spoilt)

    def _frames(self, work_dir: Path) -> list[tuple[int, GivenFrame]]:
        """All frames that may be labelled, in the order of the data set, each with its entry."""
        starts = {entry: ordered(self._start(entry)) for entry in self.labelers}
        found = [*self._of_direct(work_dir), *self._of_md(work_dir), *self._of_chain(work_dir)]
        for entry, one in found:
            onto(starts[entry], one.atoms, f"{one.file_path}, frame {one.number}")
        return found

    def _of_direct(self, work_dir: Path) -> Iterator[tuple[int, GivenFrame]]:
        if self.chosen is None:
            return
        name = relative(self.chosen.path, work_dir)
        pairs = zip(self.chosen.entries, selected_frames(self.chosen.path))
        for number, (entry, atoms) in enumerate(pairs):
            place = self.directory / str(number)
            yield entry, GivenFrame(atoms, place, name, number, layout.init_config(entry))

    def _of_md(self, work_dir: Path) -> Iterator[tuple[int, GivenFrame]]:
        for run in self.runs:
            name = relative(run.directory, work_dir)
            # the task directory is below that of its stage, which is below temp_init_bulk_work
            place = self.directory.joinpath(*run.directory.relative_to(self.places.temp).parts[1:])
            group = layout.init_config(run.entry)
            for number, atoms in enumerate(run.frames()):
                index = number * run.interval
                task = place / layout.scf_name(index)
                yield run.entry, GivenFrame(atoms, task, name, index, group)

    def _of_chain(self, work_dir: Path) -> Iterator[tuple[int, GivenFrame]]:
        """The structures of entries without MD, from which an MD would start."""
        for entry in self._alone:
            group = layout.init_config(entry.index)
            for number, source in enumerate(self.places.final(entry)):
                task = self.directory / group / source.base / layout.scf_name(number)
                name = relative(source.file.path, work_dir)
                atoms = ordered(source.read())
                drop(atoms)  # what belongs to its atoms comes from the file of the user
                free(atoms)
                yield entry.index, GivenFrame(atoms, task, name, 0, group)

    def _start(self, entry: int) -> Atoms:
        """The atoms of the structures of an entry, with what the labeler is given of them."""
        systems = {one.index: one for one in self.config.systems}
        return unperturbed(self.labelers[entry], self.config.scf, systems[entry], moving=False)

    def _labelling(self, services: Services) -> Labelling:
        store = LabelStore(layout.label_store(services.work_dir))
        return Labelling(
            self.name,
            self.directory,
            self.block,
            Sources(self.directory / layout.SOURCES, store),
            self.config.scf,
            "it gives no data",
            own_first=not self.distinct,
        )
