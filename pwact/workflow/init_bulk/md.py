"""Runs the MD of a chain: from first principles, or by a script of the user."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Labeler, Purpose
from pwact.errors import PwactError
from pwact.executors.base import TaskResult
from pwact.fingerprint import Settings
from pwact.io import files
from pwact.verdict import DONE, Outcome
from pwact.workflow.init_bulk.structures import Places, Source
from pwact.workflow.quorum import check_quorum, name_lost_groups
from pwact.workflow.reports import MdRecord, MdReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.tasks.first_principles import Calculation, calculate
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.held_forces import demand_forces
from pwact.workflow.tasks.origin import mark, onto, unperturbed
from pwact.workflow.tasks.prepare import relative

if TYPE_CHECKING:
    from ase import Atoms

logger = logging.getLogger(__name__)

_GATE_HINT = (
    "look at these structures; scale, cell_pert_fraction or atom_pert_distance may be too far off, "
    "or min_distance too large; then start with --redo of the step that reads what you changed"
)


@dataclass(frozen=True)
class MdStage:
    """One MD for each structure of the entries that ask for it.

    Attributes
    ----------
    word
        ``aimd`` or ``bigmodel``: the name of the stage, of its directory and of its tasks.
    labelers
        Place of an entry in sys_configs → the engine of its MD.
    """

    config: InitConfig
    places: Places
    labelers: Mapping[int, Labeler]
    block: ResourceBlock
    word: str

    @property
    def name(self) -> str:
        """``aimd`` or ``bigmodel``."""
        return self.word

    @property
    def directory(self) -> Path:
        """``temp_init_bulk_work/aimd`` or ``…/bigmodel``."""
        return self.places.temp / self.word

    @property
    def _entries(self) -> list[SystemEntry]:
        return [entry for entry in self.config.systems if entry.index in self.labelers]

    @property
    def reads(self) -> Collection[str]:
        """Structures that earlier stages made; others are the user's own."""
        return [
            f"{layout.init_config(entry.index)}.structures"
            for entry in self._entries
            if entry.relax or entry.super_cell is not None or entry.scale or entry.perturb
        ]

    def inputs(self) -> Mapping[str, Any]:
        """Structures and labelers."""
        return {
            "min_distance": self.config.aimd.min_distance,
            **{layout.init_config(entry.index): self._inputs(entry) for entry in self._entries},
        }

    def _inputs(self, entry: SystemEntry) -> dict[str, Any]:
        sources = self.places.final(entry)
        values = {
            "structures": [files.tree_hash(source.file.path) for source in sources],
            "labeler": self.labelers[entry.index].fingerprint(Purpose.AIMD),
            **mark(self._start(entry)),
        }
        return Settings(values, {"atoms": None})

    def _start(self, entry: SystemEntry) -> Atoms:
        """The atoms of the structures of an entry, with what the engine is given of them."""
        label = self.config.aimd if self.word == layout.AIMD else None
        return unperturbed(self.labelers[entry.index], label, entry)

    def work(self, services: Services) -> StageOutput:
        """Run the MD of all structures; a tenth of them, or one, may come to nothing."""
        gate = Gate(self.config.aimd.min_distance)
        owners = {
            one.directory: (entry, one)
            for entry in self._entries
            for one in self._calculations(services, entry, gate)
        }
        left_out = self.directory / layout.LEFT_OUT
        gate.write(left_out, self.name)
        gate.demand_some(len(owners), left_out, self.name, _GATE_HINT)
        calculations = [one for _, one in owners.values()]
        running = calculate(
            services, Purpose.AIMD, self.directory, calculations, self.block, self.word
        )
        results = list(running)
        cut_off = self._cut_off(results, owners)
        results = [
            replace(result, verdict=DONE) if result.task.directory in cut_off else result
            for result in results
        ]
        rate = self.config.aimd.max_failed_rate
        good = check_quorum(results, rate, self.name, services.work_dir)
        self._demand_forces([owners[result.task.directory] for result in good])
        entries = {place: layout.init_config(entry.index) for place, (entry, _) in owners.items()}
        name_lost_groups(results, entries, self.name, "it gives no data")
        usable = {result.task.directory for result in good}
        trajectories = tuple(
            MdRecord(entry.index, relative(directory, services.work_dir))
            for directory, (entry, _) in owners.items()
            if directory in usable
        )
        report = MdReport(tuple(gate.rows()), trajectories)
        products = [directory for directory in owners if directory in usable]
        return StageOutput(products, (), report.to_json())

    def _demand_forces(self, good: Sequence[tuple[SystemEntry, Calculation]]) -> None:
        """Refuse frames as labels whose forces on held atoms are zeros: the first of each entry."""
        first = {entry.index: (entry, one) for entry, one in reversed(good)}
        for entry, one in first.values():
            if not self.config.relabelled(entry):
                frames = one.labeler.read_result(one.directory, Purpose.AIMD)
                demand_forces(one.structure(), frames, one.directory)

    def _cut_off(
        self,
        results: Sequence[TaskResult],
        owners: Mapping[Path, tuple[SystemEntry, Calculation]],
    ) -> set[Path]:
        """The tasks that never came to their end and still have whole steps, which are data."""
        found = set()
        for result in results:
            if result.verdict.outcome is not Outcome.INCOMPLETE:
                continue
            directory = result.task.directory
            try:
                steps = len(owners[directory][1].labeler.read_result(directory, Purpose.AIMD))
            except (PwactError, OSError):
                continue
            logger.warning(
                "%s: %s did not come to its end (%s); its %d complete steps are kept",
                self.name,
                directory,
                result.verdict.reason,
                steps,
            )
            found.add(directory)
        return found

    def _calculations(
        self, services: Services, entry: SystemEntry, gate: Gate
    ) -> list[Calculation]:
        folder = self.directory / layout.init_config(entry.index)
        start = self._start(entry)
        return [
            Calculation(
                self.labelers[entry.index],
                folder / source.base / layout.md_name(k, self.word),
                partial(_with_properties, start, source),
                services.seed(self.word, entry.index, k),
            )
            for k, source in enumerate(self.places.final(entry))
            if gate.passes(source.read(), relative(source.file.path, services.work_dir))
        ]


def _with_properties(start: Atoms, source: Source) -> Atoms:
    return onto(start, source.read(), source.file.path)
