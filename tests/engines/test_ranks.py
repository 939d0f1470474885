"""Of several processes that one command starts for a task, the first one writes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import ase.parallel
import pytest

from pwact.engines.ranks import FORGET, RANKS, leave_mark, rank, take_marks


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANKS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("name", RANKS)
def test_the_launcher_tells_the_number(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert rank() == 0
    monkeypatch.setenv(name, "3")
    assert rank() == 3


def test_mpi_comes_before_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first process of MPI on the second node of a job."""
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("PMI_RANK", "0")
    assert rank() == 0


def test_a_parallel_library_knows_best(monkeypatch: pytest.MonkeyPatch) -> None:
    class World:
        size, rank = 4, 2

    monkeypatch.setattr(ase.parallel, "world", World())
    monkeypatch.setenv("PMI_RANK", "0")
    assert rank() == 2


def test_a_number_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_RANK", "")
    assert rank() == 0


def test_what_was_set_before_the_command_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a master that runs in the second process of something would get no result at all."""
    monkeypatch.setenv("SLURM_PROCID", "1")
    python = shlex.quote(sys.executable)
    program = f"{python} -c 'from pwact.engines.ranks import rank; print(rank())'"
    for text, told in ((program, b"1"), (FORGET + program, b"0")):
        done = subprocess.run(["bash", "-c", text], stdout=subprocess.PIPE, check=True)
        assert done.stdout.strip() == told


def test_marks_are_counted_once(tmp_path: Path) -> None:
    leave_mark(tmp_path, 1)
    leave_mark(tmp_path, 2)
    assert take_marks(tmp_path) == 2
    assert take_marks(tmp_path) == 0
    assert not list(tmp_path.iterdir())
