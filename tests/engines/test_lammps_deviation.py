from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pwact.engines.lammps import deviation as lammps_deviation
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.md_task import MdTrajectory
from pwact.engines.pod.files import pair_lines
from pwact.engines.pod.trainer import PodTrainer
from pwact.engines.potential import pair_sets
from pwact.errors import TaskError
from pwact.formats.model_devi import read_model_devi
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.verdict import Outcome
from tests.engines.pod_helpers import (
    BLOCK,
    SHORT,
    STILL,
    alloy,
    config,
    driven_alone,
    explore,
    shell,
)

LINES = [[], *(list(pair_lines(member, ("Ag", "Au"))) for member in range(3))]


@pytest.fixture(scope="module")
def run(committee: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pod, _, models = committee
    directory: Path = tmp_path_factory.mktemp("md") / "it's a $run"
    assert explore(directory, alloy(70), pod.potential(models), SHORT) == 0
    return directory


def test_equals_numpy_on_the_forces_of_each_member(
    run: Path, committee: Any, tmp_path: Path
) -> None:
    pod, _, models = committee
    trajectory = MdTrajectory(run)
    rows = np.loadtxt(run / "model_devi.out")
    assert rows[:, 0].tolist() == [0, 10, 20, 30, 40]
    for row in rows[[1, 4]]:
        frame = trajectory.frame(int(row[0]))
        forces = []
        for member in range(3):
            directory = tmp_path / f"{row[0]:.0f}.{member}"
            potential = driven_alone(pod.potential(models), member)
            assert explore(directory, frame, potential, STILL) == 0
            forces.append(MdTrajectory(directory).frame(0).arrays["forces"])
        np.testing.assert_allclose(forces[0], frame.arrays["forces"], atol=1e-8)
        spread = np.array(forces) - np.mean(forces, axis=0)
        sigma = np.sqrt(np.mean(np.sum(spread**2, axis=2), axis=0))
        expected = [sigma.mean(), sigma.min(), sigma.max()]
        np.testing.assert_allclose(row[1:4], expected, atol=1e-6)
        assert 0 < row[5] < row[4] < row[6]  # energies: min < avg < max


def test_the_root_mean_square_follows_where_it_is_wanted(
    run: Path, committee: Any, tmp_path: Path
) -> None:
    pod, _, models = committee
    potential = pod.potential(models).with_rms()
    place = tmp_path / "it's a run"
    assert explore(place, alloy(70), potential, SHORT) == 0
    plain, rows = (np.loadtxt(folder / "model_devi.out") for folder in (run, place))
    assert rows[:, :-1].tolist() == plain.tolist()
    frame = MdTrajectory(place).frame(20)
    forces = []
    for member in range(3):
        directory = tmp_path / f"{member}"
        alone = driven_alone(pod.potential(models), member)
        assert explore(directory, frame, alone, STILL) == 0
        forces.append(MdTrajectory(directory).frame(0).arrays["forces"])
    variance = np.var(forces, axis=0).sum(axis=1)
    told = CommitteeDeviation().measured(place)
    assert told.steps.tolist() == [0, 10, 20, 30, 40]
    assert told.values[2] == rows[2, -1] == pytest.approx(np.sqrt(variance.mean()), abs=1e-6)
    assert told.values[2] < 0.95 * rows[2, 3]
    assert CommitteeDeviation().scores(place).values.tolist() == rows[:, 3].tolist()
    assert pod.potential(models[:1]).with_rms().rms is False
    # what tells the average and the largest alone gives the least that they allow
    least = CommitteeDeviation().measured(run).values
    assert (least <= told.values + 1e-9).all()
    np.testing.assert_allclose(least, told.values, rtol=0.15)


def test_layout_is_that_of_matpl(run: Path) -> None:
    header, first = (run / "model_devi.out").read_text().splitlines()[:2]
    assert header.split() == (
        [
            "#",
            "step",
            "avg_devi_f",
            "min_devi_f",
            "max_devi_f",
            "avg_devi_e",
            "min_devi_e",
            "max_devi_e",
        ]
    )
    assert len(first.split()) == 7
    assert not list(run.glob("deviation.*.lammpstrj"))


def copy_of(run: Path, tmp_path: Path) -> Path:
    directory = tmp_path / "copy"
    shutil.copytree(run, directory, symlinks=True)
    for path in directory.iterdir():
        if path.is_symlink():
            path.unlink()
            path.symlink_to((run / path.name).resolve())
    (directory / "model_devi.out").unlink()
    return directory


def moved(text: str, step: int, value: str) -> str:
    """The dump with the first atom of a frame moved far away."""
    place = text.index(f"TIMESTEP\n{step}\n")
    start = text.index("fz\n", place) + 3
    end = text.index("\n", start)
    words = text[start:end].split()
    return text[:start] + " ".join([*words[:2], value, *words[3:]]) + text[end:]


def squeezed(text: str, step: int, factor: float, lines: int = 3) -> str:
    """The dump with the box of a frame made smaller along its last axes."""
    place = text.index("BOX BOUNDS", text.index(f"TIMESTEP\n{step}\n"))
    rows = text[place:].split("\n", 4)
    for number in range(4 - lines, 4):
        low, high, *tilt = map(float, rows[number].split())
        rows[number] = " ".join(map(str, [low, low + factor * (high - low), *tilt]))
    return text[:place] + "\n".join(rows)


@pytest.mark.parametrize(
    ("damage", "failed"),
    [
        (lambda text: moved(text, 20, "nan"), [0, 0, 1, 1, 1]),
        (lambda text: moved(text, 30, "-1e300"), [0, 0, 0, 1, 1]),
        (lambda text: moved(text, 0, "inf"), [1, 1, 1, 1, 1]),
        (lambda text: text[:-50], [0, 0, 0, 0]),
        (lambda text: text + text[: text.index("ITEM: TIMESTEP\n20")], [0, 0, 0, 0, 0]),
    ],
)
def test_broken_frames_are_failed_rows(
    run: Path, tmp_path: Path, damage: Any, failed: list[int]
) -> None:
    directory = copy_of(run, tmp_path)
    dump = directory / "traj.lammpstrj"
    dump.write_text(damage(dump.read_text()))
    lammps_deviation.evaluate(directory, LINES, "lmp")
    before, after = (read_model_devi(place / "model_devi.out") for place in (run, directory))
    assert after.failed.tolist() == [bool(row) for row in failed]
    good = ~after.failed
    np.testing.assert_array_equal(after.max_f[good], before.max_f[: len(good)][good])


STOPS = """\
#!/bin/bash
# like LAMMPS, but the second member cannot take frames after step 20; without a log it stops as
# the pair style e3gnn does, which writes in one unasked
[[ " $* " = *" -log none "* ]] && kill -SEGV $$
last=$(sed -n 's/^rerun .* last \\([0-9]*\\) .*/\\1/p' in.deviation | head -n 1)
echo "$last" >> asked
if [ "$last" -gt 20 ]; then
    awk '/^clear/ {n++} n == 2 && /^rerun/ {sub("last [0-9]*", "last 20")} n < 3' \\
        in.deviation > in.part
    lmp -log none -in in.part
    exit 1
fi
exec lmp "$@"
"""


def test_lammps_that_stops_loses_later_frames_only(run: Path, tmp_path: Path) -> None:
    directory = copy_of(run, tmp_path)
    (directory / "stops").write_text(STOPS)
    lammps_deviation.evaluate(directory, LINES, "bash stops")
    rows = read_model_devi(directory / "model_devi.out")
    assert rows.failed.tolist() == [False, False, False, True, True]
    assert (directory / "asked").read_text() == "40\n20\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("exit 1", "exit status 1"),
        ("echo 'lmp: no licence'; exit 3", "exit status 3"),
        (
            "echo 'ERROR: Unknown pair style pod (src/force.cpp:1)'; exit 1",
            "Unknown pair style pod",
        ),
        ("kill -9 $$", "SIGKILL"),
        ("exit 0", "does not end with the wall time"),
    ],
)
def test_an_evaluation_that_fails_leaves_no_rows(
    run: Path, committee: Any, tmp_path: Path, script: str, why: str
) -> None:
    """They would look like frames that no model can describe."""
    directory = copy_of(run, tmp_path)
    (directory / "broken").write_text(script)
    with pytest.raises(TaskError, match=f"LAMMPS evaluated 0 of 5 frames: .*{why}"):
        lammps_deviation.evaluate(directory, LINES, "bash broken")
    assert not (directory / "model_devi.out").exists()
    pod, _, models = committee
    verdict = LammpsExplorer(BLOCK).check(directory, True, SHORT, pod.potential(models))
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "the deviations of the committee were not computed: " in verdict.reason
    assert str(directory / "deviation.log") in verdict.reason


def test_a_wrapper_that_returns_1_is_believed_by_its_frames(run: Path, tmp_path: Path) -> None:
    directory = copy_of(run, tmp_path)
    (directory / "wrapper").write_text('lmp "$@"\nexit 1\n')
    lammps_deviation.evaluate(directory, LINES, "bash wrapper")
    assert (directory / "model_devi.out").read_bytes() == (run / "model_devi.out").read_bytes()


def test_a_whole_task_under_a_wrapper_that_returns_1(committee: Any, tmp_path: Path) -> None:
    _, _, models = committee
    directory, wrapper = tmp_path / "md", tmp_path / "wrapper"
    wrapper.write_text('lmp "$@"\nexit 1\n')
    directory.mkdir()
    block: Any = SimpleNamespace(command=f"bash {shlex.quote(str(wrapper))}")
    explorer = LammpsExplorer(block)
    potential = PodTrainer(config(), block, block).potential(models)
    explorer.write_input(directory, alloy(70), potential, SHORT, 7)
    shell(directory, explorer.command(potential))
    verdict = explorer.check(directory, False, SHORT, potential)
    assert verdict.done
    rows = MdTrajectory(directory).deviations()
    assert len(rows.steps) == 5
    assert not rows.failed.any()


def test_no_dump_no_rows(tmp_path: Path) -> None:
    lammps_deviation.evaluate(tmp_path, LINES, "false")
    assert not (tmp_path / "model_devi.out").exists()


def test_explosion(committee: Any, tmp_path: Path) -> None:
    """An MD that blows up ends by itself and leaves failed rows, not a stuck job."""
    pod, _, models = committee
    wild = replace(SHORT, nsteps=2000, trj_freq=5, temp_k=20000.0, dt_ps=0.02, neigh_delay=1)
    explore(tmp_path / "md", alloy(71), pod.potential(models), wild)
    trajectory = MdTrajectory(tmp_path / "md")
    assert not trajectory.ended_normally
    rows = trajectory.deviations()
    assert len(rows.steps) >= 2
    assert rows.steps.tolist() == trajectory.dump.steps().tolist()
    assert (rows.failed | (rows.max_f > 1.0))[1:].all()
    assert shell(tmp_path / "md", "ls deviation.*.lammpstrj 2> /dev/null") != 0


def test_any_pair_style_that_runs_one_model_at_a_time(tmp_path: Path) -> None:
    """Lennard-Jones with three depths: forces in the ratio of the depths."""
    depths = (0.1, 0.12, 0.17)
    sets = [
        ("pair_style lj/cut 5.0", f"pair_coeff * * {depth} 2.3", "mass * 100.0") for depth in depths
    ]
    potential = pair_sets(("Ag", "Au"), {}, sets, head_lines=("newton on",))
    assert explore(tmp_path / "md", alloy(70, repeat=3), potential, SHORT) == 0
    assert LammpsExplorer(BLOCK).check(tmp_path / "md", False, SHORT, potential).done
    trajectory = MdTrajectory(tmp_path / "md")
    rows = trajectory.deviations()
    assert rows.steps.tolist() == [0, 10, 20, 30, 40]
    for step, largest in zip(rows.steps.tolist(), rows.max_f.tolist()):
        forces = trajectory.frame(step).arrays["forces"] / depths[0]
        sizes = np.linalg.norm(forces, axis=1)
        assert largest == pytest.approx(np.std(depths) * sizes.max(), rel=1e-4, abs=1e-6)
    alone = pair_sets(("Ag", "Au"), {}, sets[:1])
    assert not alone.deviates
    assert "deviation" not in LammpsExplorer(BLOCK).command(alone)


@pytest.mark.parametrize(
    ("step", "factor", "lines", "usable"),
    [(20, 0.03, 1, 2), (30, 0.3, 3, 3), (30, float("nan"), 1, 3), (0, 0.0, 2, 0), (20, 0.7, 3, 5)],
)
def test_lammps_is_not_given_what_has_collapsed(
    run: Path, tmp_path: Path, step: int, factor: float, lines: int, usable: int
) -> None:
    dump = tmp_path / "traj.lammpstrj"
    dump.write_text(squeezed((run / dump.name).read_text(), step, factor, lines))
    assert lammps_deviation.dump_steps(dump) == ([0, 10, 20, 30, 40], usable)


def test_a_sheared_box_is_as_large_as_its_cell(tmp_path: Path) -> None:
    dump = tmp_path / "traj.lammpstrj"
    box = "ITEM: BOX BOUNDS xy xz yz pp pp pp\n0 3.9 2.0\n0 2.0 0.0\n0 2.0 0.0\n"
    head = "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\n"
    dump.write_text(f"{head}{box}ITEM: ATOMS id type x y z\n1 1 0 0 0\n")
    assert lammps_deviation.dump_steps(dump)[1] == 1
    dump.write_text(dump.read_text().replace("0 3.9 2.0", "0 2.4 2.0"))  # 0.4 Å along x
    assert lammps_deviation.dump_steps(dump)[1] == 0
