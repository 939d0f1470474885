"""Labels frames of the MD of a chain again, by another program."""

from __future__ import annotations

import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.atom_properties import digest
from pwact.config.init_bulk import InitConfig
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.scripts.direct import selected_frames
from pwact.fingerprint import Settings
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered
from pwact.formats.same_frame import structure_key
from pwact.io import files
from pwact.workflow.init_bulk.direct import Run
from pwact.workflow.init_bulk.structures import Places
from pwact.workflow.labels.labelling import Labelling, Sources, Spoilt
from pwact.workflow.labels.store import LabelStore
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.first_principles import Calculation
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.origin import onto, unperturbed
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

log = logging.getLogger(__name__)

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


@dataclass(frozen=True)
class _Frame:
    """A frame to be labelled again: whose it is, where that is done, and where it comes from."""

    entry: int
    atoms: Atoms
    directory: Path
    file_path: str
    number: int


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
    """Single points of the frames that DIRECT chose, then of those of the other MD.

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
        return ("chosen", "runs")

    def inputs(self) -> Mapping[str, Any]:
        """Frames and labelers."""
        atoms = {
            layout.init_config(entry): found
            for entry in sorted(self.labelers)
            if (found := digest(self._start(entry)))
        }
        values = {
            "labelers": {
                layout.init_config(entry): labeler.fingerprint(Purpose.SCF)
                for entry, labeler in self.labelers.items()
            },
            "chosen": self.chosen and [self.chosen.product, *self.chosen.entries],
            "runs": [[run.entry, run.product, run.interval] for run in self.runs],
            "scf_max_num": self.config.scf_max_num,
            "min_distance": self.config.scf.min_distance,
            **({"atoms": atoms} if atoms else {}),
        }
        return Settings(values, {"atoms": None})

    def work(self, services: Services) -> StageOutput:
        """Label what can be labelled; frames that do not converge are left out and listed."""
        gate = Gate(self.config.scf.min_distance)
        frames = self._frames(services.work_dir)
        picked = [frames[number] for number in subset(len(frames), self.config.scf_max_num)]
        sane = [one for one in picked if gate.passes(one.atoms, one.file_path, one.number)]
        left_out = self.directory / layout.LEFT_OUT
        gate.write(left_out, self.name)
        gate.demand_some(len(sane), left_out, self.name, "look at these frames and their MD")
        asked = self._once(sane) if self.distinct else sane
        calculations = [
            Calculation(
                self.labelers[one.entry],
                one.directory,
                partial(_bare, one.atoms),
                group=layout.init_config(one.entry),
            )
            for one in asked
        ]
        answers = self._labelling(services).answers(services, calculations)
        labelled, spoilt = [], []
        for one, answer in zip(asked, answers):
            if isinstance(answer, str):
                gate.refuse(answer, one.file_path, one.number)
                spoilt += [one.directory] if isinstance(answer, Spoilt) else []
            else:
                labelled.append(answer)
        gate.write(left_out, self.name)
        data = self.directory / layout.TRAIN_XYZ
        files.remove(data)
        if labelled:
            write_extxyz(data, labelled)
        else:
            log.warning("%s: no frame was labelled", self.name)
        report = {"left_out": gate.rows()}
        return StageOutput([data] if labelled else [], (), report, lost=spoilt)

    def _frames(self, work_dir: Path) -> list[_Frame]:
        """All frames that may be labelled, in the order of the data set."""
        frames = []
        starts = {entry: ordered(self._start(entry)) for entry in self.labelers}
        if self.chosen is not None:
            name = relative(self.chosen.path, work_dir)
            pairs = zip(self.chosen.entries, selected_frames(self.chosen.path))
            for number, (entry, atoms) in enumerate(pairs):
                place = self.directory / str(number)
                onto(starts[entry], atoms, f"{name}, frame {number}")
                frames.append(_Frame(entry, atoms, place, name, number))
        for run in self.runs:
            name = relative(run.directory, work_dir)
            # the task directory is below that of its stage, which is below temp_init_bulk_work
            place = self.directory.joinpath(*run.directory.relative_to(self.places.temp).parts[1:])
            for number, atoms in enumerate(run.frames()):
                index = number * run.interval
                task = place / layout.scf_name(index)
                onto(starts[run.entry], atoms, f"{name}, frame {number}")
                frames.append(_Frame(run.entry, atoms, task, name, index))
        return frames

    def _start(self, entry: int) -> Atoms:
        """The atoms of the structures of an entry, with what the labeler is given of them."""
        systems = {one.index: one for one in self.config.systems}
        return unperturbed(self.labelers[entry], self.config.scf, systems[entry], moving=False)

    def _once(self, frames: Sequence[_Frame]) -> list[_Frame]:
        """The first of the frames with one structure."""
        found: dict[str, _Frame] = {}
        for one in frames:
            found.setdefault(structure_key(one.atoms), one)
        if len(found) < len(frames):
            log.info("%s: %d frames: %d distinct", self.name, len(frames), len(found))
        return list(found.values())

    def _labelling(self, services: Services) -> Labelling:
        store = LabelStore(layout.label_store(services.work_dir))
        return Labelling(
            self.name,
            self.directory,
            self.block,
            Sources(self.directory / layout.SOURCES, store),
            self.config.scf.max_failed_rate,
            "it gives no data",
            own_first=not self.distinct,
        )


def _bare(atoms: Atoms) -> Atoms:
    """The frame without the labels of the program before."""
    copy = atoms.copy()
    copy.arrays.pop("forces", None)
    return copy
