"""Inputs of the user: what is ours, what stays, and the same frames after a stop."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.lammps.input import DATA, DUMP, INPUT
from pwact.engines.lammps.own_types import number_warnings
from pwact.engines.lammps.restart import prepare
from pwact.engines.lammps.user_input import included, rewrite, warnings
from pwact.engines.potential import Potential
from pwact.errors import InputError
from pwact.formats.lammps_data import write_lammps_data
from pwact.formats.lammps_dump import DumpTrajectory
from tests.requirements import need_program

POTENTIAL = Potential(
    types=("Cu",), links={}, pair_lines=("pair_style lj/cut 4.5", "pair_coeff 1 1 0.4 2.3")
)
SAMPLE = """\
variable NSTEPS equal 1000
variable THERMO_FREQ equal 10
variable DUMP_FREQ equal 10
variable restart equal 0
variable TEMP equal 500.0
variable TAU_T equal 0.1
units metal
boundary p p p
atom_style atomic
neighbor 1.0 bin
neigh_modify delay 10
box tilt large
if "${restart} > 0" then "read_restart lmps.restart.*" else "read_data lmp.config"
change_box all triclinic
mass 1 63.5
pair_style matpl 0_torch_script_module.pt 1_torch_script_module.pt &
    out_freq ${DUMP_FREQ} out_file model_devi.out
pair_coeff * * 29
thermo_style custom step temp pe ke etotal press vol lx ly lz xy xz yz
thermo ${DUMP_FREQ}
dump 1 all custom ${DUMP_FREQ} traj/*.lammpstrj id type x y z fx fy fz
dump_modify 1 sort id
restart 10000 lmps.restart
if "${restart} == 0" then "velocity all create ${TEMP} 90127"
fix 1 all nvt temp ${TEMP} ${TEMP} ${TAU_T}
timestep 0.001
run ${NSTEPS} upto
"""
RESULT = """\
variable DUMP_FREQ index 5
variable restart index 0
units metal
boundary p p p
atom_style atomic
variable NSTEPS equal 1000
variable THERMO_FREQ equal 10
variable TEMP equal 500.0
variable TAU_T equal 0.1
neighbor 1.0 bin
neigh_modify delay 10
box tilt large
{read}
mass 1 63.546
pair_style lj/cut 4.5
pair_coeff 1 1 0.4 2.3
change_box all triclinic
thermo_style custom step temp pe ke etotal press vol lx ly lz xy xz yz
thermo ${{DUMP_FREQ}}
fix 1 all nvt temp ${{TEMP}} ${{TEMP}} ${{TAU_T}}
timestep 0.001
dump 1 all custom ${{DUMP_FREQ}} traj.lammpstrj id type x y z fx fy fz
dump_modify 1 sort id format float %.16g
if "${{restart}} > 0" then "dump_modify 1 append yes"
dump_modify 1 sort id
restart 10000 lmps.restart
if "${{restart}} == 0" then 'velocity all create ${{TEMP}} 77'
run ${{NSTEPS}} upto
"""
READ = 'if "${restart} > 0" then "read_restart lmps.restart.*" else "read_data lmp.config"'


def rewritten(tmp_path: Path, text: str) -> str:
    path = tmp_path / "in.user"
    path.write_text(text)
    return rewrite(path, POTENTIAL, 5, 77)


def test_a_whole_input(tmp_path: Path) -> None:
    assert rewritten(tmp_path, SAMPLE) == RESULT.format(read=READ)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("package kokkos neigh half comm device", "package kokkos neigh half comm device\n"),
        ("newton on", "newton on\n"),
    ],
)
def test_settings_of_kokkos_stand_first(tmp_path: Path, line: str, expected: str) -> None:
    assert rewritten(tmp_path, f"fix 1 all nvt temp 1 1 1\n{line}\nrun 5\n").startswith(expected)


@pytest.mark.parametrize(
    ("text", "velocities"),
    [
        ("variable TEMP equal 300\nrun 5", ["velocity all create ${TEMP} 77"]),
        ("fix 1 all npt temp 350 400 0.1 iso 0 0 1\nrun 5", ["velocity all create 350 77"]),
        ("fix temp all langevin 450 450 0.1 9\nrun 5", ["velocity all create 450 77"]),
        ("fix 1 all temp/rescale 10 320 1 1 1\nrun 5", ["velocity all create 320 77"]),
        (
            "velocity hot create 900 1 mom yes\nvelocity cold create 9 2\n"
            "velocity all zero linear\nfix 1 all nve\nrun 5",
            [
                "velocity hot create 900 77 mom yes",
                "velocity cold create 9 78",
                "velocity all zero linear",
            ],
        ),
        ("velocity all create $(v_T * 2) 1\nrun 5", ["velocity all create $(v_T * 2) 77"]),
        (
            "if '${restart} == 0' then 'velocity all create 7 1'\nrun 5",
            ["velocity all create 7 77"],
        ),
    ],
)
def test_velocities(tmp_path: Path, text: str, velocities: list[str]) -> None:
    lines = rewritten(tmp_path, text + "\n").splitlines()
    found = [line for line in lines if "velocity" in line]
    assert found == [f"if \"${{restart}} == 0\" then '{one}'" for one in velocities]
    assert lines.index(found[-1]) == len(lines) - 2


def test_velocities_of_a_loop_stay_there(tmp_path: Path) -> None:
    text = (
        "variable t index 300 600\nlabel again\nvelocity all create $t 5\n"
        "fix 1 all nvt temp $t $t 0.1\nrun 10\nunfix 1\nnext t\njump SELF again\n"
    )
    lines = rewritten(tmp_path, text).splitlines()
    assert lines[-7:] == text.splitlines()[1:]
    assert f"read_data {DATA}" in lines
    assert not any(line.startswith("restart ") for line in lines)


@pytest.mark.parametrize(
    "extra",
    ["minimize 1e-3 1e-3 10 10", "displace_atoms all random 0.1 0.1 0.1 5", "set type 1 charge 0"],
)
def test_what_may_happen_only_once_is_not_continued(tmp_path: Path, extra: str) -> None:
    lines = rewritten(tmp_path, f"variable TEMP equal 9\n{extra}\nfix 1 all nve\nrun 5\n")
    assert "lmps.restart" not in lines
    assert extra in lines


def test_the_dump_sees_a_minimization_too(tmp_path: Path) -> None:
    text = "variable TEMP equal 9\nminimize 1e-3 1e-3 10 10\nrun 5\n"
    lines = rewritten(tmp_path, text).splitlines()
    dump, minimize, velocity, run = (
        next(number for number, line in enumerate(lines) if word in line)
        for word in ("dump 1", "minimize", "velocity", "run 5")
    )
    assert dump < minimize < velocity < run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fix 1 all nve\n", "there is no run command"),
        ("# run 5\n", "there is no run command"),
        ("if '1' then 'run 5'\n", "line 1: a run inside of an if cannot be used"),
        ("fix 1 all nve\nrun 5\n", "line 2: no starting velocities"),
        ("units real\nrun 5\n", "line 1: found units real; the models need units metal"),
        ("run 5\nclear\n", "line 2: clear would remove structure and models"),
        ("run 5\nreset_timestep 0\nrun 5\n", "line 2: reset_timestep after a run"),
        (
            "if '1' then 'read_data x' 'replicate 2 2 2'\nrun 5\n",
            "line 1: replicate stands in one if with read_data",
        ),
    ],
)
def test_what_cannot_be_used(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rewritten(tmp_path, text)


def test_what_changes_the_frames_is_told(tmp_path: Path) -> None:
    text = (
        "boundary p p f\natom_style charge\nvariable TEMP equal 9\ndump a all atom 7 x\n"
        "dump_modify a flush yes every 3 thresh x > 5\nrun 5\n"
    )
    result = rewritten(tmp_path, text)
    assert "dump_modify 1 flush yes\n" in result
    assert "every" not in result
    assert [warning.partition("in.user: ")[2] for warning in warnings(tmp_path / "in.user")] == [
        "line 1: boundary p p p is used",
        "line 2: atom_style atomic is used",
        "line 5: left out, as it concerns frames: every 3 thresh x > 5",
    ]


def test_commands_that_must_come_before_the_box(tmp_path: Path) -> None:
    text = "atom_modify map yes\nread_data x\nvariable TEMP equal 9\nrun 5\n"
    lines = rewritten(tmp_path, text).splitlines()
    assert lines.index("atom_modify map yes") < lines.index(READ)
    assert lines.index("variable TEMP equal 9") > lines.index(READ)


def test_all_files_of_an_input(tmp_path: Path) -> None:
    (tmp_path / "in.user").write_text("include other\nrun 5\n")
    (tmp_path / "other").write_text("timestep 0.001\n")
    assert included(tmp_path / "in.user") == [tmp_path / "in.user", tmp_path / "other"]


# ---- executed by real LAMMPS


ENSEMBLES = {
    "nve": "velocity all create 300 1\nfix 1 all nve\nrun 60\n",
    "nvt": "fix 1 all nvt temp 300 300 0.1\ntimestep 0.002\nrun 60\n",
    "npt": "variable TEMP equal 300\nfix 1 all npt temp ${TEMP} ${TEMP} 0.1 tri 0 0 0.5\nrun 60\n",
    "two runs": (
        "variable N equal 20\nfix 1 all nvt temp 300 300 0.1\nrun $(v_N*1)\nunfix 1\n"
        "fix 2 all nvt temp 600 600 0.1\nrun 40\n"
    ),
    "run every": ("fix 1 all nvt temp 300 300 0.1\nrun 60 every 30 \"print 'at $(step)'\"\n"),
}


def lammps(folder: Path, text: str, restart: int = 0) -> subprocess.CompletedProcess[str]:
    (folder / INPUT).write_text(text)
    return subprocess.run(
        [need_program("lmp"), "-var", "restart", str(restart), "-in", INPUT],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True, a=3.7).repeat(2)
    atoms.set_cell(atoms.cell.array + [[0, 0, 0], [0.3, 0, 0], [0.1, -0.2, 0]], scale_atoms=True)
    return atoms


@pytest.mark.parametrize("name", ENSEMBLES)
def test_stopped_and_continued_it_gives_the_same_frames(tmp_path: Path, name: str) -> None:
    text = rewritten(tmp_path, ENSEMBLES[name])
    assert "\nrestart 10000 lmps.restart\n" in text
    text = text.replace("restart 10000", "restart 15")
    whole, torn = tmp_path / "whole run", tmp_path / "torn"
    whole.mkdir()
    write_lammps_data(whole / DATA, copper(), ("Cu",))
    done = lammps(whole, text)
    assert done.returncode == 0, done.stdout
    torn.mkdir()
    for path in (whole / DATA, whole / DUMP, whole / "lmps.restart.30"):
        shutil.copy(path, torn)  # as if it had been stopped between the steps 30 and 45
    assert prepare(torn)
    done = lammps(torn, text, restart=1)
    assert done.returncode == 0, done.stdout
    one, other = (DumpTrajectory(folder / DUMP, ["Cu"]) for folder in (whole, torn))
    assert one.steps().tolist() == other.steps().tolist() == list(range(0, 61, 5))
    for step in (30, 45, 60):
        np.testing.assert_allclose(
            one.frame(step).positions, other.frame(step).positions, atol=1e-9
        )
    assert not np.allclose(one.frame(45).positions, one.frame(60).positions)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (
            "variable t index 300 600\nlabel again\nvelocity all create $t 5\n"
            "fix 1 all nvt temp $t $t 0.1\nrun 10\nunfix 1\nnext t\njump SELF again\n",
            [0, 5, 10, 15, 20],
        ),
        (
            "fix 1 all nvt temp 300 300 0.1\nminimize 1e-3 1e-3 10 10\nreset_timestep 0\nrun 10\n",
            [0, 5, 10],
        ),
    ],
)
def test_loops_and_minimizations_run(tmp_path: Path, text: str, steps: list[int]) -> None:
    made = rewritten(tmp_path, text)
    write_lammps_data(tmp_path / DATA, copper(), ("Cu",))
    done = lammps(tmp_path, made)
    assert done.returncode == 0, done.stdout
    assert set(steps) <= set(DumpTrajectory(tmp_path / DUMP, ["Cu"]).steps().tolist())


@pytest.mark.parametrize(
    "command",
    [
        "group gold type 2",
        "group light type <= 2",
        "group most type 1:2",
        "set group all type 1",
        "set type *2 charge 0.5",
        "set group all type/subset ${new} 4 9",
        'variable gold atom "type == 2"',
        "fix swap all atom/swap 10 5 29 300 types 1 2",
        "fix more all gcmc 10 5 5 2 29 300 -1 0.1",
        "neigh_modify exclude type 1 2",
        'if "1 > 0" then "create_atoms 1 box"',
        'if "1 > 0" then "pair_coeff 1 1 0.4 2.3"',
        'if "1 > 0" then "mass 1 63.5"',
        "labelmap atom 1 Cu",
    ],
)
def test_type_numbers_are_named(tmp_path: Path, command: str) -> None:
    """Their order is not that of PWact; masses and pair lines are ours."""
    path, other = tmp_path / "in.user", tmp_path / "in.part"
    words = "names LAMMPS types by number"
    path.write_text(SAMPLE.replace("timestep", f"{command}\ntimestep"))
    (warning,) = number_warnings(path)
    assert warning.startswith(f"{path}: line 26: {words}")
    other.write_text(f"{command}\n")
    path.write_text(SAMPLE.replace("timestep", "include in.part\ntimestep"))
    assert f"line 1 of in.part: {words}" in number_warnings(path)[0]


@pytest.mark.parametrize(
    "command",
    ["group none type", 'print "type 1"', "dump_modify 1 sort id", "mass 1 63.5", "set atom 1 x 0"],
)
def test_other_commands_name_no_type(tmp_path: Path, command: str) -> None:
    path = tmp_path / "in.user"
    path.write_text(SAMPLE.replace("timestep", f"{command}\ntimestep"))
    assert number_warnings(path) == []


def test_a_pair_style_beside_that_of_the_models_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.user"
    path.write_text(SAMPLE.replace("pair_style matpl", "pair_style hybrid/overlay zbl 1 2 matpl"))
    (warning,) = warnings(path)
    assert "line 16: left out: pair_style hybrid/overlay zbl 1 2 matpl" in warning
