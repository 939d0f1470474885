"""Evaluates all members of a committee on the frames of an MD; run inside the MD job.

For pair styles that run one model at a time (`pwact.engines.potential.PairSets`). ``python -m
pwact.engines.lammps.deviation COMMAND LINES`` works in the current directory: COMMAND is the shell
text that starts LAMMPS, LINES a JSON list of commands: those that stand first for all, then the
pair commands of each member; ``--rms`` behind them adds a column. One LAMMPS process reruns the
dump once a member. A frame at which LAMMPS stops, and all later ones, become rows of NaN: no
member can describe them. An evaluation that failed for another reason, or that got nowhere at all,
leaves no rows. LAMMPS is judged by the frames that it wrote, whatever the exit status of its
command.
"""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pwact.engines.lammps.input import DATA, DEVIATION, DUMP
from pwact.engines.lammps.input import DEVIATION_LOG as LOG
from pwact.engines.md_end import cause, was_killed
from pwact.engines.potential import PairSets
from pwact.engines.worker import python_module
from pwact.errors import TaskError
from pwact.formats.model_devi import write_model_devi
from pwact.io.files import remove, write_text
from pwact.query.committee import score

logger = logging.getLogger(__name__)

INPUT = "in.deviation"
WITH_RMS = "--rms"

_FRAME = re.compile(rb"ITEM: TIMESTEP\n(\d+)\nITEM: NUMBER OF ATOMS\n(\d+)\n")
_FARTHEST_A = 1e6  # LAMMPS folds a position back into the box period by period, for ever if need be
_NARROWEST_A = 0.5  # … and lists neighbours in all periods within the cutoff: millions of them
_DENSEST_A3 = 0.5  # per atom: a quarter of what hydrogen takes at 500 GPa
Frame = tuple[int, "np.ndarray[Any, Any]"]


def main(arguments: Sequence[str]) -> int:
    """Write ``model_devi.out`` for the current directory."""
    logging.basicConfig(level=logging.INFO)
    try:
        command, lines, *more = arguments
        evaluate(Path.cwd(), json.loads(lines), command, WITH_RMS in more)
    except TaskError as error:
        logger.error("%s", error)  # noqa: TRY400
        return 1
    return 0


def shell_text(program: str, potential: PairSets) -> str:
    """Shell text that evaluates these models in a task directory, with LAMMPS as `program`."""
    lines = [[*potential.head_lines], *([*one] for one in potential.sets)]
    more = [WITH_RMS] if potential.rms else []
    return python_module("pwact.engines.lammps.deviation", program, json.dumps(lines), *more)


def evaluate(
    directory: Path, lines: Sequence[Sequence[str]], command: str, with_rms: bool = False
) -> None:
    """Write ``model_devi.out`` in `directory`.

    Parameters
    ----------
    lines
        LAMMPS commands that stand first for every member, then the pair commands of each.
    command
        Shell text that starts LAMMPS.
    with_rms
        Whether a column for the root mean square over the atoms is added.

    Raises
    ------
    TaskError
        Not a single frame was evaluated, or LAMMPS was killed.
    """
    steps, usable = dump_steps(directory / DUMP)
    if not steps:
        logger.error("%s holds no frame", DUMP)
        return
    members = len(lines) - 1
    while usable:
        write_text(directory / INPUT, render(lines, steps[usable - 1]))
        code = _rerun(directory, command)
        done = [sum(1 for _ in frames(directory / part(k))) for k in range(members)]
        if min(done) == usable:
            break
        # the member that stopped has fewest of those that began; LAMMPS names no frame
        begun = [count for count in done if count]
        usable = min(usable - 1, min(begun, default=0))
        if not usable or was_killed(code):
            why = cause(directory / LOG, code)
            raise TaskError(f"LAMMPS evaluated {usable} of {len(steps)} frames: {why}")
        logger.warning("LAMMPS stopped; the first %d frames are tried again", usable)
    _write(directory, members, steps, usable, with_rms)
    for member in range(members):
        remove(directory / part(member))


def part(member: int) -> str:
    """Name of a member's dump."""
    return f"deviation.{member}.lammpstrj"


def render(lines: Sequence[Sequence[str]], last: int) -> str:
    """One LAMMPS input that reruns the dump up to step `last` with every member in turn."""
    head, *sets = lines
    text = []
    for member, pair_lines in enumerate(sets):
        text += [
            "clear",
            *head,
            *["units metal", "boundary p p p", "atom_style atomic", "box tilt large"],
            *[f"read_data {DATA}", "change_box all triclinic"],
            *pair_lines,
            "compute e all pe/atom",
            f"dump 1 all custom 1 {part(member)} id fx fy fz c_e",
            "dump_modify 1 sort id format float %.16g",
            "thermo_modify lost ignore",
            f"rerun {DUMP} last {last} dump x y z",
        ]
    return "\n".join(text) + "\n"


def dump_steps(path: Path) -> tuple[list[int], int]:
    """Ascending steps of the complete frames, and how many come before the first broken one.

    A frame is broken when a position is not finite or absurdly far away, or its cell has collapsed.
    """
    steps: list[int] = []
    usable = 0
    broken = False
    if not path.exists():
        return steps, usable
    for step, atoms, box, text in _blocks(path):
        if text.count(b"\n") < atoms or (steps and step <= steps[-1]):
            continue
        positions = np.array(text.split()).reshape(atoms, -1)[:, 2:5].astype(float)
        near = bool((np.abs(positions) < _FARTHEST_A).all())
        broken = broken or not near or not _has_room(box, atoms)
        steps.append(step)
        usable += not broken
    return steps, usable


def frames(path: Path) -> Iterator[Frame]:
    """Step and table (N, 4: forces in eV/Å and energy in eV) of every complete frame."""
    if not path.exists():
        return
    for step, atoms, _, text in _blocks(path):
        if text.count(b"\n") >= atoms:
            table = np.array(text.split(), dtype=float).reshape(atoms, 5)
            yield step, table[:, 1:]


def _has_room(box: Sequence[bytes], atoms: int) -> bool:
    """Whether a box, as the three lines of a dump, can hold this many atoms.

    The bounds of a triclinic box are those of its hull, which its tilts widen: see LAMMPS's manual,
    "Triclinic simulation boxes".
    """
    rows = [[float(word) for word in line.split()] for line in box]
    xy, xz, yz = (row[2] if len(row) > 2 else 0.0 for row in rows)
    hull = np.array([row[1] - row[0] for row in rows])
    x_tilts, y_tilts = (0.0, xy, xz, xy + xz), (0.0, yz)
    lengths = hull - [max(x_tilts) - min(x_tilts), max(y_tilts) - min(y_tilts), 0.0]
    wide = bool((lengths > _NARROWEST_A).all())
    return wide and float(np.prod(lengths)) > _DENSEST_A3 * atoms


def _blocks(path: Path) -> Iterator[tuple[int, int, list[bytes], bytes]]:
    """Step, number of atoms, the lines of the box and those of the atoms, one frame at a time."""
    with path.open("rb") as stream:
        while True:
            head = [stream.readline() for _ in range(9)]
            match = _FRAME.match(b"".join(head[:4]))
            if match is None or not head[8].startswith(b"ITEM: ATOMS"):
                return
            atoms = int(match[2])
            yield int(match[1]), atoms, head[5:8], b"".join(stream.readline() for _ in range(atoms))


def _rerun(directory: Path, command: str) -> int:
    """Exit status of LAMMPS, as a shell tells it."""
    for path in directory.glob("deviation.*.lammpstrj"):
        path.unlink()
    with (directory / LOG).open("wb") as log:
        done = subprocess.run(
            ["bash", "-c", f"{command} -log /dev/null -in {INPUT}"],
            cwd=directory,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return 128 - done.returncode if done.returncode < 0 else done.returncode


def _write(directory: Path, members: int, steps: list[int], usable: int, with_rms: bool) -> None:
    """Write the rows, NaN for those that were not evaluated."""
    rows = np.full((len(steps), 7 if with_rms else 6), np.nan)
    row_of = {step: row for row, step in enumerate(steps)}
    if usable:
        for together in zip(*(frames(directory / part(k)) for k in range(members))):
            tables = np.stack([table for _, table in together])
            row = score(tables[..., :3], tables[..., 3], with_rms)
            rows[row_of[together[0][0]]] = row
    write_model_devi(directory / DEVIATION, np.array(steps), rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
