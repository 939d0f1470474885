"""Molecular dynamics with LAMMPS."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from pwact.engines.delivery import CALCULATOR, CHECK_LOG, Delivery
from pwact.engines.explorers import Condition, Given, Motion, UserInput
from pwact.engines.heading import Heading
from pwact.engines.lammps import delivered
from pwact.engines.lammps.deviation import shell_text
from pwact.engines.lammps.input import (
    DEVIATION,
    DUMP,
    EARLIER_DEVIATION,
    INPUT,
    RESTART,
    render,
    render_given,
)
from pwact.engines.lammps.own_types import for_structure, number_warnings
from pwact.engines.lammps.program import lammps_heading, lammps_program
from pwact.engines.lammps.unlikely import unlikely
from pwact.engines.lammps.user_input import included, rewrite, warnings
from pwact.engines.md_task import EXIT, GIVEN, LOG, MdTask
from pwact.engines.potential import PairSets, Potential
from pwact.engines.worker import python_module
from pwact.errors import InputError
from pwact.fingerprint import settings_of
from pwact.fixed_atoms import held
from pwact.io.files import tree_hash, write_text

if TYPE_CHECKING:
    from ase import Atoms

    from pwact.config.resources import ResourceBlock

logger = logging.getLogger(__name__)

ENDED = "md.ended"  # holds the size of the dump from the end of the MD to that of its deviations


class LammpsExplorer(MdTask):
    """Writes and reads LAMMPS tasks. See `pwact.engines.explorers.Explorer`."""

    heading: Optional[Heading] = lammps_heading(LOG)

    def __init__(self, block: ResourceBlock) -> None:
        self._program = lammps_program(block.command)

    def validate(self, motion: Motion) -> None:
        """Raise InputError unless an input of the user can be used."""
        _text(Potential((), {}, ()), motion, 1, [])
        if isinstance(motion, UserInput):
            for warning in (*warnings(motion.path), *number_warnings(motion.path)):
                logger.warning("%s", warning)

    def unlikely_in(self, motion: UserInput) -> list[InputError]:
        """Time steps and temperatures of a user's input. Raises InputError."""
        return unlikely(motion.path)

    def fingerprint(self, motion: Motion) -> dict[str, Any]:
        """The condition, or the files of the user's input by their contents."""
        if isinstance(motion, Condition):
            return settings_of(motion)
        if isinstance(motion, Given):
            return {"given": len(motion.frames)}
        contents = [tree_hash(path) for path in included(motion.path)]
        return {"trj_freq": motion.trj_freq, "input": contents}

    def write_input(
        self,
        directory: Path,
        atoms: Atoms,
        potential: Potential,
        motion: Motion,
        seed: int,
    ) -> None:
        """Write ``in.lammps``, ``lmp.config``, ``atom_type.txt`` and the links."""
        potential = for_structure(potential, frozenset(atoms.get_chemical_symbols()))
        self.write_start(directory, atoms, potential)
        if isinstance(motion, Given):
            self.write_given(directory, motion, potential.types)
        write_text(directory / INPUT, _text(potential, motion, seed, held(atoms)))

    def command(self, potential: Potential) -> str:
        """Shell text that runs the MD, or goes on from its last restart file, and the deviations.

        An MD that has ended is not run again when the job was cut off in what comes after it.
        """
        # LAMMPS and the pair styles overwrite their files, so an old one never passes for theirs
        run = "; ".join(
            [
                "restart=0",
                f"if ls {RESTART}.* > /dev/null 2>&1; then "
                f"{python_module('pwact.engines.lammps.restart')} && restart=1; fi",
                f'if [ "$restart" -eq 0 ]; then rm -f {DEVIATION} {EARLIER_DEVIATION}; fi',
                f'{self._program} -var restart "$restart" -in {INPUT} > {LOG}; md_rc=$?',
            ]
        )
        end = f'echo "$md_rc" > {EXIT}; [ "$md_rc" -eq 0 ]'
        if not (isinstance(potential, PairSets) and potential.deviates):
            return f"rm -f {EXIT}; {run}; {end}"
        size = f"wc -c < {DUMP}"
        ended = f'[ -s {ENDED} ] && [ "$(cat {ENDED})" = "$({size})" ]'
        run = f'rm -f {ENDED}; {run}; if [ "$md_rc" -eq 0 ]; then {size} > {ENDED}; fi'
        judge = shell_text(self._program, potential)
        return (
            f"rm -f {EXIT}; if {ended}; then md_rc=0; else {run}; fi; "
            f'{judge}; after_rc=$?; {end} && rm -f {ENDED} && [ "$after_rc" -eq 0 ]'
        )

    def reached(self, directory: Path) -> float:
        """The step of the newest restart file."""
        numbers = [path.suffix[1:] for path in directory.glob(f"{RESTART}.*")]
        return max((float(number) for number in numbers if number.isdigit()), default=0.0)

    def deliver(self, potential: Potential, elements: Collection[str]) -> Delivery:
        """``in.lammps``, evaluated by LAMMPS, and ``calculator.py``."""
        own = for_structure(potential, elements)
        texts = {INPUT: delivered.input_text(own), CALCULATOR: delivered.calculator_of(potential)}
        clear = f"rm -f {delivered.DUMP} {CHECK_LOG}"
        run = f"{self._program} -log /dev/null -in {INPUT} > {CHECK_LOG} 2>&1"
        read = partial(delivered.read_result, types=own.types)
        return Delivery(texts, f"{clear}; {run}", CHECK_LOG, read, own.types)

    def transient_files(self, directory: Path) -> list[Path]:
        """Dump, restart files and LAMMPS's own log."""
        restarts = sorted(directory.glob(f"{RESTART}.*"))
        candidates = [directory / DUMP, *restarts, directory / "log.lammps"]
        return [path for path in candidates if path.exists()]


def _text(potential: Potential, motion: Motion, seed: int, still: Sequence[int]) -> str:
    if isinstance(motion, Condition):
        return render(potential, motion, seed, [number + 1 for number in still])
    if isinstance(motion, Given):
        return render_given(potential, GIVEN)
    return rewrite(motion.path, potential, motion.trj_freq, seed)
