"""The contract of the user's scripts, and MD by one in place of AIMD."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, Callable

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.config.resources import ResourceBlock
from pwact.engines.labelers import Purpose
from pwact.engines.scripts.md import MdScript
from pwact.errors import InputError, TaskError
from pwact.formats.extxyz import write_extxyz
from pwact.formats.labels import labels_of, set_labels
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


@pytest.mark.parametrize("name", ["POSCAR", "traj.xyz", "select.xyz", "train.xyz"])
def test_a_script_must_not_have_the_name_of_a_data_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot have this name"):
        MdScript(script(tmp_path, name), ResourceBlock()).validate(Purpose.AIMD, frozenset())


def test_a_command_that_does_not_name_the_script_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = script(tmp_path)
    MdScript(path, ResourceBlock(command="sh run md.py")).validate(Purpose.AIMD, frozenset())
    assert caplog.text == ""
    block = ResourceBlock(name="explore", command="python other.py")
    MdScript(path, block).validate(Purpose.AIMD, frozenset())
    assert "explore.command is 'python other.py', which does not name md.py" in caplog.text


def test_a_script_that_may_only_be_read_is_copied_and_can_be_replaced(
    md: MdScript, task: Path
) -> None:
    md.path.chmod(0o555)
    md.copy_into(task)
    assert stat.S_IMODE((task / "md.py").stat().st_mode) == 0o755
    assert (task / "md.py").read_bytes() == md.path.read_bytes()
