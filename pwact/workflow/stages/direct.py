"""Lets a script of the user choose which candidates of an iteration are labelled (DIRECT)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact import layout
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.explorers import Explorer
from pwact.engines.scripts.direct import DirectScript
from pwact.engines.scripts.md import SELECTED, SELECTED_INDEX
from pwact.fingerprint import extended
from pwact.formats.extxyz import frame_text
from pwact.io import files
from pwact.report import selection as tables
from pwact.workflow.explored import Candidate, Explored, contents_of, read_candidates
from pwact.workflow.reports import DirectReport
from pwact.workflow.stage import Services, StageOutput
from pwact.workflow.stages.label import GATE_HINT
from pwact.workflow.tasks.gate import Gate
from pwact.workflow.tasks.script import run_script

if TYPE_CHECKING:
    from pwact.workflow.turn import Turn

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DirectStage:
    """One run of the DIRECT script for the candidates of one iteration.

    Attributes
    ----------
    contents
        Trajectory → hash of its frames when its MD had ended.
    table
        What it chooses from; by default all picked candidates.
    """

    config: RunConfig
    script: DirectScript
    explorer: Explorer
    block: ResourceBlock
    iteration: int
    contents: Mapping[str, str] = field(default_factory=dict)
    table: Optional[Path] = None

    @property
    def name(self) -> str:
        """``iter.0000/direct``."""
        return f"{layout.iteration_name(self.iteration)}/{layout.DIRECT}"

    @property
    def directory(self) -> Path:
        """``01.explore/direct``."""
        return layout.direct_dir(self.config.work_dir, self.iteration)

    @property
    def candidates(self) -> Path:
        """``candidate.csv``, unless another step has chosen before."""
        return self.table or layout.candidate_table(self.config.work_dir, self.iteration)

    @property
    def reads(self) -> Collection[str]:
        """Results of earlier stages in `inputs`."""
        return ("candidates",)

    def inputs(self) -> Mapping[str, Any]:
        """The script, and what it chooses from."""
        return extended(
            self.script.fingerprint(),
            candidates=files.tree_hash(self.candidates),
            min_distance=self.config.dft.min_distance,
        )

    def work(self, services: Services) -> StageOutput:
        """Run the script, unless there are no candidates, and list what it chose.

        The script gets the candidates in the order of their table, but for those that no code
        should get; what it chose is listed in that order too.
        """
        explored = Explored(self.explorer, services.work_dir, self.contents)
        gate = Gate(self.config.dft.min_distance)
        listed = read_candidates(self.candidates, services.work_dir)
        sane = [one for one in listed if gate.passes(explored.frame(one), one.trajectory, one.step)]
        left_out = self.directory / layout.LEFT_OUT
        gate.write(left_out, self.name)
        gate.demand_some(len(sane), left_out, self.name, GATE_HINT)
        chosen = self._chosen(services, sane, explored) if sane else []
        table = self.directory / tables.CHOSEN
        tables.write_rows(table, [(one.uncertainty, one.step, one.trajectory) for one in chosen])
        self._tell(len(sane), len(chosen))
        products = [table]
        if sane:
            products += [self.directory / name for name in (SELECTED, SELECTED_INDEX)]
        entry = tables.direct_entry(len(listed), len(chosen))
        report = DirectReport(len(listed), len(chosen), tuple(gate.rows()), entry)
        return StageOutput(products, report=report.to_json())

    def _chosen(
        self, services: Services, candidates: Sequence[Candidate], explored: Explored
    ) -> list[Candidate]:
        texts = (frame_text(explored.frame(one)).encode() for one in candidates)
        self.script.write_input(self.directory, texts)
        run_script(services, self.name, self.script, self.directory, self.block)
        indices = self.script.read_result(self.directory).indices
        return [candidates[index] for index in sorted(indices)]

    def _tell(self, given: int, chosen: int) -> None:
        logger.info("%s: %d of %d candidates are chosen", self.name, chosen, given)
        if given and not chosen:
            logger.warning(
                "%s: the script chose no frame, so this iteration labels nothing and the next one "
                "keeps the models",
                self.name,
            )
        elif given > 1 and chosen == given:
            logger.warning("%s: the script chose all %d candidates", self.name, given)


class DirectStep:
    """Lets the user's script choose."""

    def asked(self, turn: Turn) -> bool:
        """Whether there is a script."""
        return turn.engines.direct is not None

    def stage(self, turn: Turn) -> DirectStage:
        """One run of it."""
        script = turn.engines.direct
        assert script is not None
        return DirectStage(
            turn.config,
            script,
            turn.engines.explorer,
            script.block,
            turn.iteration,
            contents_of(turn.explored),
            turn.table,
        )

    def done(self, turn: Turn, report: Mapping[str, Any]) -> None:
        """The table of what it chose."""
        del report
        turn.table = layout.direct_dir(turn.config.work_dir, turn.iteration) / tables.CHOSEN
