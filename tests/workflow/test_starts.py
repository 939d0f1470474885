"""Programs that start several times at once, or with fewer processes than asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.config.resources import ResourceBlock
from pwact.engines.cp2k.labeler import Cp2kLabeler
from pwact.engines.dftbplus.labeler import DftbPlusLabeler
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.vasp.labeler import VaspLabeler
from pwact.verdict import DONE, Outcome, incomplete
from pwact.workflow.tasks.starts import asked_processes, started_once, starts_in

CP2K = (
    " **** **** ******  **  PROGRAM STARTED AT               2026-01-01 16:40:46.997\n"
    " ***** ** ***  *** **   PROGRAM STARTED ON                                   c2\n"
    " GLOBAL| Total number of message passing processes                             {n}\n"
)
CP2K_END = " **** **** ******  **  PROGRAM ENDED AT                 2026-01-01 16:42:01.302\n"
VASP5 = " running on    {n} total cores\n distrk:  each k-point on    {n} cores,    1 groups\n"
VASP6 = " running    {n} mpi-ranks, with    1 threads/rank, on    1 nodes\n"
DFTBPLUS = "|\n|  DFTB+ release 25.1\n|\nMPI processes:               {n}\n"
LAMMPS = "LAMMPS (22 Jul 2025 - Update 4)\nLoop time of 0.1 on {n} procs for 10 steps\n"
PROGRAMS = [
    (Cp2kLabeler, CP2K),
    (VaspLabeler, VASP5),
    (VaspLabeler, VASP6),
    (DftbPlusLabeler, DFTBPLUS),
    (LammpsExplorer, LAMMPS),
]
BLOCK = ResourceBlock(name="DFT", command="mpirun -np 4 program", cpu_per_node=4)


def judged(directory: Path, engine, text, verdict=DONE):
    (directory / engine.heading.log).write_text(text)
    return started_once(lambda path: verdict, engine.heading, BLOCK)(directory)


@pytest.mark.parametrize(("engine", "heading"), PROGRAMS)
def test_two_starts_at_once_are_refused(tmp_path, engine, heading):
    one, four = heading.format(n=1), heading.format(n=4)
    assert judged(tmp_path, engine, four) is DONE
    for verdict in (DONE, incomplete("cut off")):
        found = judged(tmp_path, engine, one + "x\n" + one, verdict)
        assert found.outcome is Outcome.UNUSABLE
        assert "the program started 2 times at once" in found.reason
        assert "each with 1 process(es); is the mpirun of resource.json: DFT" in found.reason


@pytest.mark.parametrize(("engine", "heading"), PROGRAMS)
def test_fewer_processes_than_asked_for_are_named(tmp_path, caplog, engine, heading):
    assert judged(tmp_path, engine, heading.format(n=4)) is DONE
    assert caplog.text == ""
    assert judged(tmp_path, engine, heading.format(n=2)) is DONE
    assert "with 2 processes instead of the 4 that were asked for" in caplog.text


def test_a_program_that_starts_again_after_its_end_is_one_at_a_time(tmp_path):
    """A wrapper may calculate twice; so does DFTB+ where it does not know a keyword."""
    text = CP2K.format(n=4) + CP2K_END + CP2K.format(n=4)
    assert judged(tmp_path, Cp2kLabeler, text) is DONE
    assert starts_in(text, Cp2kLabeler.heading).number == 1


def test_without_a_heading_or_a_log_the_check_stands(tmp_path):
    def check(path):
        return DONE

    assert started_once(check, None, BLOCK) is check
    assert started_once(check, Cp2kLabeler.heading, BLOCK)(tmp_path) is DONE


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("mpirun -np 4 vasp_std", 4),
        ("mpirun --bind-to none -n 16 cp2k.psmp", 16),
        ("mpiexec -n 8 lmp", 8),
        ("srun --exact --ntasks=3 vasp", 3),
        ("mpirun -np $N vasp", None),
        ("lmp -n 4", None),
        ("mpirun vasp", None),
    ],
)
def test_processes_that_a_command_asks_for(command, asked):
    assert asked_processes(command) == asked
