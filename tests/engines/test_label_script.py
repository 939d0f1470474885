"""The contract of a script that labels: same frames, same order, numbers that are numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT
from ase.stress import voigt_6_to_full_3x3_stress

from pwact.config.labeling import LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import intermediate_files, labeler_for, run_labeler_for
from pwact.engines.batch import BatchLabeler
from pwact.engines.scripts.label import MISSING, UNLABELLED, LabelScript
from pwact.errors import InputError, TaskError
from pwact.formats.extxyz import frame_text, read_extxyz, write_extxyz
from pwact.formats.labels import labels_of, set_labels
from pwact.verdict import Outcome

BLOCK = ResourceBlock(name="DFT", command="python label.py --model 7net-0")


def frames(count: int) -> list[Atoms]:
    """Frames as a trajectory gives them: gold before silver, with forces of a model."""
    made = []
    for number in range(count):
        atoms = Atoms("AuAgAuAg", cell=[4.1, 4.2, 4.3], pbc=True)
        atoms.set_scaled_positions([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
        atoms.positions += np.random.default_rng(number).normal(0, 0.2, (4, 3))
        atoms.arrays["forces"] = np.full((4, 3), 99.0)
        made.append(atoms)
    return made


def labelled(directory: Path, change: Callable[[Atoms], None] = lambda _: None) -> list[Atoms]:
    """What a good script would make of ``select.xyz``."""
    made = read_extxyz(directory / "select.xyz")
    for number, atoms in enumerate(made):
        change(atoms)
        forces = np.arange(12.0).reshape(4, 3) + number
        set_labels(atoms, -float(number), forces, np.eye(3) * number)
    return made


@pytest.fixture
def engine(tmp_path: Path) -> LabelScript:
    script = tmp_path / "label.py"
    script.write_text("print()\n")
    config = LabelConfig(style="bigmodel", bigmodel_script=script)
    made = run_labeler_for(config, BLOCK)
    assert isinstance(made, LabelScript)
    return made


@pytest.fixture
def task(tmp_path: Path, engine: LabelScript) -> Path:
    place = tmp_path / "task"
    place.mkdir()
    engine.write_batch(place, frames(3))
    (place / "tag.bigmodel.success").touch()
    return place


def test_it_labels_a_run_at_once_and_does_nothing_else(tmp_path: Path, engine: Any) -> None:
    assert isinstance(engine, BatchLabeler)
    config = LabelConfig(style="bigmodel", bigmodel_script=tmp_path / "label.py", key="")
    with pytest.raises(InputError, match="dft_style: bigmodel labels the frames of a run, and"):
        labeler_for(config, 0, BLOCK)
    assert intermediate_files(config) == ("vasp/poscar", ".poscar")


def test_the_script_finds_bare_frames_with_all_their_digits(task: Path) -> None:
    assert {path.name for path in task.iterdir()} >= {"select.xyz", "label.py"}
    text = (task / "select.xyz").read_text()
    assert "force" not in text
    assert "energy" not in text
    for found, given in zip(ase.io.read(task / "select.xyz", ":"), frames(3)):
        assert found.get_chemical_symbols() == ["Ag", "Ag", "Au", "Au"]
        assert np.array_equal(found.positions, given.positions[[1, 3, 0, 2]])
        assert np.array_equal(found.cell.array, given.cell.array)


def test_the_frames_are_ours_the_labels_are_those_of_the_script(
    engine: LabelScript, task: Path
) -> None:
    def round_off(atoms: Atoms) -> None:
        atoms.positions = np.round(atoms.positions, 4)
        atoms.wrap()

    write_extxyz(task / "train.xyz", labelled(task, round_off))
    assert engine.check(task).done
    answers = engine.read_batch(task)
    for number, (answer, asked) in enumerate(zip(answers, read_extxyz(task / "select.xyz"))):
        assert isinstance(answer, Atoms)
        assert np.array_equal(answer.positions, asked.positions)
        labels = labels_of(answer)
        assert labels.energy == -number
        assert np.array_equal(labels.forces, np.arange(12.0).reshape(4, 3) + number)
        assert np.array_equal(labels.virial, np.eye(3) * number)


def test_frames_as_ase_writes_them(engine: LabelScript, task: Path) -> None:
    """Stress and forces of a calculator, written by ASE: signs and units."""
    made = ase.io.read(task / "select.xyz", ":")
    for atoms in made:
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_stress()
    ase.io.write(task / "train.xyz", made, format="extxyz")
    for answer, asked in zip(engine.read_batch(task), made):
        labels = labels_of(answer)
        assert labels.energy == pytest.approx(asked.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(labels.forces, asked.get_forces(), atol=1e-6)
        stress = voigt_6_to_full_3x3_stress(asked.get_stress())
        np.testing.assert_allclose(labels.virial, -asked.get_volume() * stress, atol=1e-5)


def test_atoms_in_another_order_of_elements_take_their_forces_along(
    engine: LabelScript, task: Path
) -> None:
    made = [one[[2, 0, 3, 1]] for one in labelled(task)]
    for one, whole in zip(made, labelled(task)):
        labels = labels_of(whole)
        set_labels(one, labels.energy, labels.forces[[2, 0, 3, 1]], labels.virial)
    write_extxyz(task / "train.xyz", made)
    for answer in engine.read_batch(task):
        shift = -labels_of(answer).energy
        assert np.array_equal(labels_of(answer).forces, np.arange(12.0).reshape(4, 3) + shift)


def write(task: Path, made: Sequence[Atoms]) -> None:
    write_extxyz(task / "train.xyz", made)


def spoil(task: Path, number: int, old: str, new: str) -> None:
    texts = [frame_text(one) for one in labelled(task)]
    assert old in texts[number]
    texts[number] = texts[number].replace(old, new)
    (task / "train.xyz").write_text("".join(texts))


GOOD = "good"
PARTS: list[tuple[str, Callable[[Path], None], list[str]]] = [
    ("another order", lambda task: write(task, labelled(task)[::-1]), [GOOD] * 3),
    ("one is left out", lambda task: write(task, labelled(task)[1:]), [MISSING, GOOD, GOOD]),
    (
        "two are left out",
        lambda task: write(task, labelled(task)[1:2]),
        [MISSING, GOOD, MISSING],
    ),
    (
        "an energy that is no number",
        lambda task: spoil(task, 1, "energy=-1.0", "energy=nan"),
        [GOOD, UNLABELLED, GOOD],
    ),
    (
        "an infinite energy",
        lambda task: spoil(task, 2, "energy=-2.0", "energy=-inf"),
        [GOOD, GOOD, UNLABELLED],
    ),
    (
        "no energy",
        lambda task: spoil(task, 0, "energy=-0.0", "e=0"),
        [UNLABELLED, GOOD, GOOD],
    ),
    (
        "a force that is no number",
        lambda task: spoil(task, 2, " 2.0 3.0 4.0\n", " 2.0 NaN 4.0\n"),
        [GOOD, GOOD, UNLABELLED],
    ),
    (
        "no forces at all",
        lambda task: write(task, [*labelled(task)[:2], read_extxyz(task / "select.xyz")[2]]),
        [GOOD, GOOD, UNLABELLED],
    ),
    (
        "a virial that is no number",
        lambda task: spoil(task, 1, 'virial="1.0', 'virial="inf'),
        [GOOD, UNLABELLED, GOOD],
    ),
]


@pytest.mark.parametrize(
    ("make", "expected"), [row[1:] for row in PARTS], ids=[row[0] for row in PARTS]
)
def test_what_has_no_label_is_told_and_shifts_no_other(
    engine: LabelScript, task: Path, make: Callable[[Path], None], expected: list[str]
) -> None:
    make(task)
    assert engine.check(task).done
    answers = engine.read_batch(task)
    assert [GOOD if isinstance(one, Atoms) else one for one in answers] == expected
    for number, one in enumerate(answers):
        assert isinstance(one, str) or labels_of(one).energy == -number


def moved(atoms: Atoms) -> None:
    atoms.positions[0] += 0.01


def strained(atoms: Atoms) -> None:
    atoms.set_cell(atoms.cell.array * 1.001, scale_atoms=True)


def exchanged(atoms: Atoms) -> None:
    atoms.positions[[0, 1]] = atoms.positions[[1, 0]]


def other_element(atoms: Atoms) -> None:
    atoms.numbers[0] = 29


FAULTS: list[tuple[str, Callable[[Path], Any], Outcome, str]] = [
    (
        "it failed",
        lambda task: (task / "tag.bigmodel.success").unlink(),
        Outcome.INCOMPLETE,
        "did not end with exit status 0",
    ),
    (
        "it wrote nothing",
        lambda task: (task / "train.xyz").unlink(),
        Outcome.INCOMPLETE,
        "train.xyz: cannot be read: No such file",
    ),
    (
        "an empty file",
        lambda task: (task / "train.xyz").write_text(""),
        Outcome.INCOMPLETE,
        "holds no frame",
    ),
    (
        "cut off",
        lambda task: (task / "train.xyz").write_bytes((task / "train.xyz").read_bytes()[:-90]),
        Outcome.INCOMPLETE,
        "frame 2 cannot be read",
    ),
    (
        "appended to",
        lambda task: write(task, labelled(task) * 2),
        Outcome.UNUSABLE,
        "holds 6 frames, but 3 were asked for: does the script append",
    ),
    (
        "one twice in place of another",
        lambda task: write(task, [*labelled(task)[:2], labelled(task)[1]]),
        Outcome.UNUSABLE,
        "frame 2 is frame 1 of those given, which is there already",
    ),
    *(
        (
            change.__name__,
            lambda task, change=change: write(task, labelled(task, change)),
            Outcome.UNUSABLE,
            "frame 0 is none of the frames given",
        )
        for change in (moved, strained, exchanged, other_element)
    ),
    (
        "fewer atoms",
        lambda task: write(task, [frames(1)[0][:2]]),
        Outcome.UNUSABLE,
        "frame 0 is none of the frames given",
    ),
]


@pytest.mark.parametrize(
    ("break_it", "outcome", "reason"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_a_bad_answer(
    engine: LabelScript,
    task: Path,
    break_it: Callable[[Path], Any],
    outcome: Outcome,
    reason: str,
) -> None:
    write(task, labelled(task))
    break_it(task)
    verdict = engine.check(task)
    assert verdict.outcome is outcome
    assert reason in verdict.reason
    with pytest.raises((TaskError, InputError)):
        engine.read_batch(task)


def test_two_sets_of_forces_are_refused(engine: LabelScript, task: Path) -> None:
    """Those of the exploring model, dragged along, beside those of the script."""
    made = ase.io.read(task / "select.xyz", ":")
    for atoms in made:
        atoms.arrays["force"] = np.zeros((4, 3))
        atoms.calc = EMT()
        atoms.get_potential_energy()
    ase.io.write(task / "train.xyz", made, format="extxyz")
    assert "the properties force and forces differ" in engine.check(task).reason


def test_script_and_arguments_matter(engine: LabelScript) -> None:
    before = engine.fingerprint()
    assert before["arguments"] == "--model 7net-0"
    engine.path.write_text("print(1)\n")
    assert engine.fingerprint() != before


def test_the_script_must_not_have_the_name_of_a_data_file(tmp_path: Path) -> None:
    script = tmp_path / "train.xyz"
    script.write_text("")
    config = LabelConfig(style="bigmodel", bigmodel_script=script)
    with pytest.raises(InputError, match="cannot have this name"):
        LabelScript(config, BLOCK).validate(frozenset())
