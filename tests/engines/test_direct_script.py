"""The contract of a DIRECT script, and every way in which its choice may be wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.config.resources import ResourceBlock
from pwact.engines.scripts.direct import DirectScript, read_owners, write_owners
from pwact.errors import InputError
from pwact.formats.extxyz import frame_text, read_extxyz, write_extxyz
from pwact.formats.labels import labels_of, set_labels
from pwact.verdict import Outcome
from tests.engines.test_user_scripts import frames, script


def texts(atoms: Sequence[Atoms]) -> list[bytes]:
    return [frame_text(one).encode() for one in atoms]


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "task").mkdir()
    return tmp_path / "task"


class Rig:
    """A DIRECT directory with seven candidates."""

    def __init__(self, task: Path, labels_needed: bool = True) -> None:
        self.task = task
        self.script = DirectScript(
            script(task.parent, "direct.py"), ResourceBlock(command="x"), labels_needed
        )
        self.candidates = frames(7)
        self.script.write_input(task, texts(self.candidates))

    def choose(self, chosen: list[Atoms], listed: list[int]) -> None:
        write_extxyz(self.task / "select.xyz", chosen)
        (self.task / "select_idx.dat").write_text("".join(f"{number}\n" for number in listed))
        (self.task / "tag.direct.success").touch()

    def pick(self, numbers: list[int]) -> list[Atoms]:
        return [self.candidates[number] for number in numbers]


def test_candidates_and_script_are_written_once(task: Path) -> None:
    rig = Rig(task)
    found = read_extxyz(task / "candidate.xyz")
    assert [labels_of(one).energy for one in found] == [0, -1, -2, -3, -4, -5, -6]
    assert (task / "direct.py").exists()
    (task / "candidate.xyz").write_text("in use")
    rig.script.write_input(task, texts([]))  # a job may be reading these files
    assert (task / "candidate.xyz").read_text() == "in use"


def test_whose_the_candidates_are(task: Path) -> None:
    write_owners(task, [(0, 4), (2, 3)])
    stored = json.loads((task / "candidate.json").read_text())
    assert stored == {"0": {"idx": 0, "num": 4}, "1": {"idx": 2, "num": 3}}
    assert read_owners(task) == [0, 0, 0, 0, 2, 2, 2]


def test_numbers_say_which_frames_were_chosen(task: Path) -> None:
    rig = Rig(task)
    rig.choose(rig.pick([5, 1, 3]), [5, 1, 3])
    assert rig.script.check(task).done
    found = rig.script.read_result(task)
    assert found.indices == [5, 1, 3]
    assert [labels_of(one).energy for one in found.frames] == [-5, -1, -3]


@pytest.mark.parametrize("listed", [[6, 1, 4, 5, 2], [0], [], [5, 3, 1], [2, 4, 6], [6, 6, 6]])
def test_positions_say_it_where_the_numbers_are_wrong(task: Path, listed: list[int]) -> None:
    rig = Rig(task)
    chosen = [one.copy() for one in rig.pick([6, 4, 2])]
    for number, atoms in enumerate(chosen):
        atoms.wrap()
        atoms.positions = np.round(atoms.positions, 4)
        set_labels(atoms, 10.0 + number, np.zeros((4, 3)))
    rig.choose(chosen, listed)
    found = rig.script.read_result(task)
    assert found.indices == [6, 4, 2]
    assert [labels_of(one).energy for one in found.frames] == [10, 11, 12]  # of select.xyz


def strange(rig: Rig) -> None:
    rig.choose(rig.pick([1]) + frames(1, 50), [1])


def other_atoms(rig: Rig) -> None:
    atoms = bulk("Cu", cubic=True)[:2]
    set_labels(atoms, 0.0, np.zeros((2, 3)))
    rig.choose([atoms], [1])


def rotated(rig: Rig) -> None:
    atoms = rig.pick([1])[0].copy()
    atoms.rotate(30, "z", rotate_cell=True)
    set_labels(atoms, 0.0, np.zeros((4, 3)))
    rig.choose([atoms], [1])


def twice(rig: Rig) -> None:
    rig.choose(rig.pick([2, 2]), [2, 2])


def emptied(rig: Rig) -> None:
    (rig.task / "select.xyz").write_text("")


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
        (strange, "UNUSABLE", "frame 1 is none of the frames given"),
        (rotated, "UNUSABLE", "frame 0 is none of the frames given"),
        (other_atoms, "UNUSABLE", "frame 0 is none of the frames given"),
        (twice, "UNUSABLE", "frame 1 is frame 2 of those given, which is there already"),
        (emptied, "INCOMPLETE", "holds no frame, but select_idx.dat lists 2"),
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


def test_nothing_may_be_chosen(task: Path) -> None:
    rig = Rig(task)
    rig.choose([], [])
    assert rig.script.check(task).done
    assert rig.script.read_result(task).indices == []


def test_of_two_candidates_alike_the_number_says_which(task: Path) -> None:
    rig = Rig(task)
    (task / "candidate.xyz").unlink()
    alike = [*frames(2), *frames(2)]
    rig.script.write_input(task, texts(alike))
    rig.choose(frames(2), [2, 1])
    assert rig.script.read_result(task).indices == [2, 1]


@pytest.mark.parametrize("name", ["candidate.xyz", "select_idx.dat"])
def test_the_script_must_not_have_the_name_of_a_data_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot have this name"):
        DirectScript(script(tmp_path, name), ResourceBlock(), labels_needed=True).validate()


def test_labels_are_not_asked_for_where_frames_are_labelled_later(task: Path) -> None:
    rig = Rig(task, labels_needed=False)
    unlabelled(rig)
    assert rig.script.check(task).done
