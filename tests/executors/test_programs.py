from __future__ import annotations

import pytest

from pwact.executors import programs
from pwact.executors.programs import Programs, fits, launched_by, linked_with, missing, programs_of


@pytest.fixture(autouse=True)
def path(monkeypatch, tmp_path):
    """A PATH of our own: mpirun of one MPI, a program, and ldd that tells of another."""
    for name, text in {
        "mpirun": "echo 'HYDRA build details:'",
        "vasp_std": "exit 1",
        "ldd": "echo ' libmpi.so.40 => /usr/lib/libmpi.so.40'",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("vasp_std", ("", "vasp_std")),
        ("OMP_NUM_THREADS=1 'my vasp' -v 3", ("", "my vasp")),
        ("mpirun -np 4 vasp_std", ("mpirun", "vasp_std")),
        ("mpirun --bind-to none -n 4 vasp_std", ("mpirun", "vasp_std")),
        ("srun -n 4 nothere", ("srun", "nothere")),
        ("mpirun -np 4", ("mpirun", "")),
    ],
)
def test_programs_of_a_command(command, found):
    assert programs_of(command) == Programs(*found)


@pytest.mark.parametrize(
    ("command", "alone"),
    [
        ("'my vasp' -v 3", "'my vasp' -v 3"),
        ("mpirun -np 4 vasp_std 'a b'", "vasp_std 'a b'"),
        ("A='1 2' mpirun --bind-to none -n 4 vasp_std", "env 'A=1 2' vasp_std"),
        ("srun nothere -u", "nothere -u"),
        ("mpirun -np 4", None),
        ("$VASP", None),
    ],
)
def test_a_command_without_its_launcher(command, alone):
    assert programs.serial(command) == alone


@pytest.mark.parametrize("command", ["$VASP", "a; b", "a | b", "'open", "A=1", "(a)", "`which a`"])
def test_only_a_shell_can_say(command):
    assert programs_of(command) is None
    assert missing(command) == []


def test_what_is_not_in_path():
    assert missing("mpirun -np 2 vasp_std") == []
    assert missing("mpirun -np 2 vasp_sdt") == ["vasp_sdt"]
    assert missing("srun vasp_std") == ["srun"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("mpirun (Open MPI) 4.1.4", "Open MPI"),
        ("HYDRA build details:\n    Version: 5.0.2", "MPICH"),
        ("Intel(R) MPI Library for Linux* OS, Version 2021.9 (Hydra)", "Intel MPI"),
        ("slurm 22.05.8", ""),
    ],
)
def test_launchers(said, name):
    assert launched_by(said) == name


def test_libraries():
    assert linked_with("libmpi_mpifh.so.40 => x\nlibmpi.so.40 => y") == "Open MPI"
    assert linked_with("libmpi.so.12 => /opt/intel/lib/libmpi.so.12") == "MPICH"
    assert linked_with("libc.so.6") == ""
    assert fits("Intel MPI", "MPICH")
    assert not fits("MPICH", "Open MPI")


def test_a_launcher_of_another_mpi_is_named(path):
    words = programs.mismatch("mpirun -np 2 vasp_std")
    assert f"{path}/mpirun is of MPICH, {path}/vasp_std of Open MPI" in words
    (path / "mpirun").write_text("#!/bin/sh\necho 'mpirun (Open MPI) 4.1.4'\n")
    assert programs.mismatch("mpirun -np 2 vasp_std") == ""
    assert programs.mismatch("vasp_std") == ""
