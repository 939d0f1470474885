"""The contracts of the user's scripts: MD in place of AIMD, and DIRECT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.config.resources import ResourceBlock
from pwact.engines.base import Purpose
from pwact.engines.user_scripts import DirectScript, MdScript
from pwact.errors import InputError, TaskError
from pwact.io.extxyz import read_extxyz, write_extxyz
from pwact.io.labels import labels_of, set_labels
from pwact.verdict import Outcome

COMMAND = "cd . && python md.py --steps 5"


def frames(count: int, first: int = 0, labels: bool = True) -> list[Atoms]:
    made = []
    for number in range(first, first + count):
        atoms = bulk("Cu", cubic=True, a=3.6)
        atoms.positions += np.random.default_rng(number).normal(0, 0.1, (4, 3))
        if labels:
            set_labels(atoms, -float(number), np.full((4, 3), number), np.eye(3))
        made.append(atoms)
    return made


def script(folder: Path, name: str = "md.py") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("print()\n")
    return folder / name


@pytest.fixture
def md(tmp_path: Path) -> MdScript:
    return MdScript(script(tmp_path), ResourceBlock(name="explore", command=COMMAND))


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "task").mkdir()
    return tmp_path / "task"


def test_the_md_script_finds_a_poscar_and_itself(md: MdScript, task: Path) -> None:
    atoms = frames(1)[0]
    md.write_input(task, atoms, Purpose.AIMD, 7)
    assert {path.name for path in task.iterdir()} == {"POSCAR", "md.py"}
    found = ase.io.read(task / "POSCAR", format="vasp")
    np.testing.assert_allclose(found.positions, atoms.positions, atol=1e-12)
    assert md.command(Purpose.AIMD) == COMMAND
    assert md.kept_files("traj.xyz")


def test_a_trajectory_counts_when_the_script_ended_well(md: MdScript, task: Path) -> None:
    write_extxyz(task / "traj.xyz", frames(3))
    assert md.check(task, Purpose.AIMD).outcome is Outcome.INCOMPLETE
    with pytest.raises(TaskError, match="exit status 0"):
        md.read_result(task, Purpose.AIMD)
    (task / "tag.bigmodel.success").touch()
    assert md.check(task, Purpose.AIMD).done
    energies = [labels_of(one).energy for one in md.read_result(task, Purpose.AIMD)]
    assert energies == [0, -1, -2]


@pytest.mark.parametrize(
    ("spoil", "outcome", "reason"),
    [
        (lambda path: path.unlink(), Outcome.INCOMPLETE, "No such file"),
        (lambda path: path.write_text(""), Outcome.INCOMPLETE, "holds no frame"),
        (lambda path: path.write_text(path.read_text()[:-200]), Outcome.INCOMPLETE, "frame 2"),
        (
            lambda path: write_extxyz(path, [*frames(1), *frames(1, labels=False)]),
            Outcome.UNUSABLE,
            "frame 1 has no energy and forces",
        ),
    ],
)
def test_a_bad_trajectory(
    md: MdScript, task: Path, spoil: Callable[[Path], Any], outcome: Outcome, reason: str
) -> None:
    write_extxyz(task / "traj.xyz", frames(3))
    (task / "tag.bigmodel.success").touch()
    spoil(task / "traj.xyz")
    verdict = md.check(task, Purpose.AIMD)
    assert verdict.outcome is outcome
    assert reason in verdict.reason
    assert "traj.xyz" in verdict.reason


def test_the_script_and_its_arguments_matter_the_launcher_does_not(tmp_path: Path) -> None:
    path = script(tmp_path)

    def identity(command: str) -> Any:
        return MdScript(path, ResourceBlock(command=command)).fingerprint(Purpose.AIMD)

    first = identity("python md.py --steps 5")
    assert identity("srun -n 4 /opt/python md.py --steps 5") == first
    assert identity("python md.py --steps 6") != first
    path.write_text("print(1)\n")
    assert identity("python md.py --steps 5") != first


@pytest.mark.parametrize("name", ["POSCAR", "traj.xyz", "select.xyz"])
def test_a_script_must_not_have_the_name_of_a_data_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot have this name"):
        MdScript(script(tmp_path, name), ResourceBlock()).validate(Purpose.AIMD, frozenset())
    with pytest.raises(InputError, match="cannot have this name"):
        DirectScript(script(tmp_path, name), ResourceBlock(), labels_needed=True).validate()


# ---- DIRECT


class Rig:
    """A DIRECT directory with candidates of two trajectories: entry 0 has four, entry 2 three."""

    def __init__(self, task: Path, labels_needed: bool = True) -> None:
        self.task = task
        self.script = DirectScript(
            script(task.parent, "direct.py"), ResourceBlock(command="x"), labels_needed
        )
        paths = []
        for number, (count, first) in enumerate(((4, 0), (3, 4))):
            paths.append(task.parent / f"{number}.xyz")
            write_extxyz(paths[-1], frames(count, first))
        self.script.write_input(task, [(0, paths[0]), (2, paths[1])])
        self.candidates = frames(7)

    def choose(self, chosen: list[Atoms], listed: list[int]) -> None:
        write_extxyz(self.task / "select.xyz", chosen)
        (self.task / "select_idx.dat").write_text("".join(f"{number}\n" for number in listed))
        (self.task / "tag.direct.success").touch()

    def pick(self, numbers: list[int]) -> list[Atoms]:
        return [self.candidates[number] for number in numbers]


def test_the_candidates_are_all_frames_and_whose_they_are(task: Path) -> None:
    rig = Rig(task)
    found = read_extxyz(task / "candidate.xyz")
    assert [labels_of(one).energy for one in found] == [0, -1, -2, -3, -4, -5, -6]
    text = b"".join((task.parent / f"{number}.xyz").read_bytes() for number in (0, 1))
    assert (task / "candidate.xyz").read_bytes() == text
    owners = json.loads((task / "candidate.json").read_text())
    assert owners == {"0": {"idx": 0, "num": 4}, "1": {"idx": 2, "num": 3}}
    assert (task / "direct.py").exists()
    (task / "candidate.xyz").write_text("in use")
    rig.script.write_input(task, [])  # a job may be reading these files
    assert (task / "candidate.xyz").read_text() == "in use"


def test_numbers_say_which_frames_were_chosen(task: Path) -> None:
    rig = Rig(task)
    rig.choose(rig.pick([5, 1, 3]), [5, 1, 3])
    assert rig.script.check(task).done
    found = rig.script.read_result(task)
    assert (found.indices, found.entries) == ([5, 1, 3], [2, 0, 0])
    assert [labels_of(one).energy for one in found.frames] == [-5, -1, -3]


@pytest.mark.parametrize("listed", [[6, 1, 4, 5, 2], [0], []])
def test_positions_say_it_where_the_numbers_are_too_many_or_too_few(
    task: Path, listed: list[int]
) -> None:
    rig = Rig(task)
    chosen = [one.copy() for one in rig.pick([6, 4, 2])]
    for number, atoms in enumerate(chosen):
        atoms.wrap()
        atoms.positions = np.round(atoms.positions, 4)
        set_labels(atoms, 10.0 + number, np.zeros((4, 3)))
    rig.choose(chosen, listed)
    found = rig.script.read_result(task)
    assert (found.indices, found.entries) == ([6, 4, 2], [2, 2, 0])
    assert [labels_of(one).energy for one in found.frames] == [10, 11, 12]  # of select.xyz


def strange(rig: Rig) -> None:
    rig.choose(rig.pick([1]) + frames(1, 50), [1])


def other_atoms(rig: Rig) -> None:
    rig.choose([bulk("Cu", cubic=True)[:2]], [1])


def unlabelled(rig: Rig) -> None:
    rig.choose(frames(2, labels=False), [0, 1])


@pytest.mark.parametrize(
    ("spoil", "outcome", "reason"),
    [
        (lambda rig: (rig.task / "tag.direct.success").unlink(), "INCOMPLETE", "exit status 0"),
        (lambda rig: (rig.task / "select.xyz").unlink(), "INCOMPLETE", "select.xyz"),
        (lambda rig: (rig.task / "select_idx.dat").unlink(), "INCOMPLETE", "select_idx.dat"),
        (lambda rig: (rig.task / "select_idx.dat").write_text("x"), "INCOMPLETE", "numbers"),
        (lambda rig: rig.choose(rig.pick([1]), [7]), "INCOMPLETE", "7 is no frame of 7"),
        (lambda rig: rig.choose(rig.pick([1]), [-1]), "INCOMPLETE", "no frame"),
        (strange, "UNUSABLE", "frame 1 is none of the candidates"),
        (unlabelled, "UNUSABLE", "frame 0 has no energy and forces"),
    ],
)
def test_a_bad_choice(task: Path, spoil: Callable[[Rig], Any], outcome: str, reason: str) -> None:
    rig = Rig(task)
    rig.choose(rig.pick([2, 3]), [2, 3])
    spoil(rig)
    verdict = rig.script.check(task)
    assert verdict.outcome is Outcome[outcome]
    assert reason in verdict.reason


def test_other_atoms_than_the_number_says(task: Path) -> None:
    rig = Rig(task, labels_needed=False)
    other_atoms(rig)
    assert "other atoms than candidate 1" in rig.script.check(task).reason


def test_labels_are_not_asked_for_where_frames_are_labelled_later(task: Path) -> None:
    rig = Rig(task, labels_needed=False)
    unlabelled(rig)
    assert rig.script.check(task).done
