"""Data that would spoil a fit are named before anything is trained on them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.cli.main import main
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.frames import write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.structures import write_structure
from pwact.workflow.checks.frozen import must_feel
from pwact.workflow.checks.preflight import preflight
from tests.workflow.pairs import (
    alloy,
    deep_update,
    labelled,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys
from tests.workflow.toys import ToyLabeler


def relabelled(atoms: Atoms, energy: float = 0.0, force: float = 0.0, virial: Any = None) -> Atoms:
    """The same structure with labels that differ by so much."""
    copy, labels = atoms.copy(), labels_of(atoms)
    forces = labels.forces.copy()
    forces[0, 0] += force
    set_labels(copy, labels.energy + energy, forces, virial)
    return copy


def other_frames(count: int) -> list[Atoms]:
    return labelled(count + 3)[3:]


def preflight_of(work_dir: Path, changes: dict[str, Any], strict: bool = False) -> list[str]:
    return preflight(load(work_dir, deep_update(run_param(), changes), resources()), strict)


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    write_files(tmp_path, {"calculator": "emt"})
    return tmp_path


SPOILT: list[tuple[str, dict[str, Any], str]] = [
    ("energy", {"energy": 1e6}, "frame 2 has an energy of 1000"),
    ("force", {"force": 1e6}, "frame 2 has a force of 1e+06 eV/Å"),
    ("virial", {"virial": np.eye(3) * 1e6}, "frame 2 has a virial of 1e+06 eV"),
]


@pytest.mark.parametrize("data_format", ["extxyz", "pwmlff/npy"])
@pytest.mark.parametrize("key", ["init_data", "valid_data"])
@pytest.mark.parametrize(("kind", "change", "said"), SPOILT, ids=[one[0] for one in SPOILT])
def test_a_spoilt_label(
    work_dir: Path, kind: str, change: dict[str, Any], said: str, key: str, data_format: str
) -> None:
    names = {"extxyz": ("init.xyz", "off.xyz"), "pwmlff/npy": ("init", "off")}[data_format]
    write_frames(work_dir / names[0], labelled(3), data_format)
    frames = [relabelled(one, virial=np.eye(3)) for one in other_frames(8)]
    frames[2] = relabelled(frames[2], **change)
    write_frames(work_dir / names[1], frames, data_format)
    changes = {"data_format": data_format, "init_data": [names[0]], key: [names[1]]}
    if key == "init_data":
        changes[key] = [*names]
    (warning,) = preflight_of(work_dir, changes)
    assert warning.startswith(f"{work_dir / 'param.json'}: {key}: {work_dir / names[1]}")
    assert said in warning
    with pytest.raises(InputError, match="frame 2 has"):
        preflight_of(work_dir, changes, strict=True)


def test_two_labels_of_one_structure(work_dir: Path) -> None:
    first = labelled(3)[1]
    for number, (change, count) in enumerate(
        [({"energy": 0.1}, 1), ({"force": 0.5}, 1), ({"energy": 1e-4}, 0), ({}, 0)]
    ):
        frames = [*other_frames(6), relabelled(first, **change)]
        write_frames(work_dir / f"more{number}.xyz", frames, "extxyz")
        warnings = preflight_of(work_dir, {"init_data": ["init.xyz", f"more{number}.xyz"]})
        assert len(warnings) == count
        for warning in warnings:
            assert f"more{number}.xyz: frame 6 holds the same structure as " in warning
            assert "init.xyz: frame 1 with other labels" in warning


def test_labels_of_validation_data_that_contradict_those_of_training(work_dir: Path) -> None:
    frames = [*other_frames(2), relabelled(labelled(3)[1], energy=5.0)]
    write_frames(work_dir / "valid.xyz", frames, "extxyz")
    (warning,) = preflight_of(work_dir, {"valid_data": ["valid.xyz"]})
    assert warning.startswith(f"{work_dir / 'param.json'}: valid_data: {work_dir / 'valid.xyz'}")
    assert "frame 2 holds the same structure as " in warning


def test_validation_data_that_are_trained_on(work_dir: Path) -> None:
    """The same file, a copy, or some frames of it."""
    write_frames(work_dir / "valid.xyz", [*other_frames(2), *labelled(2)], "extxyz")
    for name, count, total, place in (("valid.xyz", 2, 4, 2), ("init.xyz", 3, 3, 0)):
        (warning,) = preflight_of(work_dir, {"valid_data": [name]})
        assert warning.startswith(f"{work_dir / 'param.json'}: valid_data: {count} of {total} ")
        file = work_dir / name
        assert f"({file}: frame {place} that of {work_dir / 'init.xyz'}: frame 0)" in warning
        with pytest.raises(InputError, match="have the structure of a frame of init_data"):
            preflight_of(work_dir, {"valid_data": [name]}, strict=True)
    write_frames(work_dir / "valid.xyz", [*other_frames(2), *other_frames(2)], "extxyz")
    assert preflight_of(work_dir, {"valid_data": ["valid.xyz"]}) == []


def test_frames_that_are_not_periodic(work_dir: Path) -> None:
    frames = labelled(14)
    for atoms in frames[1:13]:
        labels = labels_of(atoms)
        atoms.pbc = (True, True, False)
        set_labels(atoms, labels.energy, labels.forces)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    (warning,) = preflight_of(work_dir, {})
    assert "init.xyz: frame 1 is not periodic in all directions" in warning
    assert warning.endswith("; the same of 11 more: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, …")


def test_forces_that_are_zero_on_the_same_atoms(work_dir: Path) -> None:
    frames = labelled(9)
    for atoms in frames:
        labels = labels_of(atoms)
        labels.forces[[0, 2]] = 0.0
        set_labels(atoms, labels.energy, labels.forces)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    (warning,) = preflight_of(work_dir, {})
    assert "init.xyz: the forces on 2 of 4 atoms are exactly 0 in all 9 frames (atoms" in warning
    write_frames(work_dir / "init.xyz", [*frames, *labelled(12)[9:]], "extxyz")
    assert preflight_of(work_dir, {}) == []


def test_forces_of_zero_where_neighbours_pull_to_one_side(work_dir: Path) -> None:
    """But not in a perfect crystal at any volume, nor of atoms alone."""
    frames = labelled(9)
    perfect = [bulk("Au", "fcc", a=length, cubic=True) for length in (3.9, 4.1, 5.6, 5.7)]
    for atoms in (*frames[3:5], *perfect):
        set_labels(atoms, -7.0, np.zeros((len(atoms), 3)))
    write_frames(work_dir / "init.xyz", [*frames, *perfect], "extxyz")
    (warning,) = [one for one in preflight_of(work_dir, {}) if "exactly 0" in one]
    assert "init.xyz: frame 3 has forces of exactly 0 on all atoms, whose" in warning
    assert warning.endswith("; the same of 1 more: 4")
    assert not must_feel(bulk("Si"))
    assert not must_feel(bulk("Si", a=16 / 3**0.5))  # neighbours at 4 Å, to the last digit
    assert not must_feel(Atoms("Au", [[1.0, 2.0, 3.0]], cell=[20.0] * 3, pbc=True))
    assert must_feel(bulk("Si", cubic=True)[:7])


@pytest.mark.parametrize(
    ("same", "forces_differ", "count"), [(5, True, 1), (5, False, 0), (4, True, 0), (2, True, 0)]
)
def test_one_energy_of_many_structures(
    work_dir: Path, same: int, forces_differ: bool, count: int
) -> None:
    frames = labelled(9) if same > 2 else labelled(2)
    for number, atoms in enumerate(frames[:same]):
        forces = np.full((len(atoms), 3), 0.01)
        forces[0, 0] += 0.1 * number * forces_differ
        set_labels(atoms, -1.5, forces)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    found = [one for one in preflight_of(work_dir, {}) if "very same energy" in one]
    assert len(found) == count
    for warning in found:
        words = "init.xyz: frame 0 and 4 more, of 9 of these atoms, have the very same energy of"
        assert f"{words} -1.5 eV beside different forces" in warning


def with_copper(work_dir: Path, symbol: str = "Cu") -> dict[str, Any]:
    atoms = alloy()
    atoms.symbols[1] = symbol
    write_structure(work_dir / "structures/c.poscar", atoms, "vasp/poscar")
    return {"train.atom_type": ["Ag", "Au", "Cu"]}


def test_an_element_that_is_explored_without_data(work_dir: Path) -> None:
    changes = with_copper(work_dir)
    write_frames(work_dir / "valid.xyz", copper_data(), "extxyz")
    changes["valid_data"] = ["valid.xyz"]  # nothing is trained on it
    with pytest.raises(InputError) as caught:
        preflight_of(work_dir, changes)
    said = str(caught.value)
    for part in ("explore.sys_configs[0]", "structures/c.poscar holds Cu", f"{work_dir}/init.xyz"):
        assert part in said
    assert "\n" not in said


def copper_data() -> list[Atoms]:
    frames = labelled(2)
    for atoms in frames:
        labels = labels_of(atoms)
        atoms.symbols[0] = "Cu"
        set_labels(atoms, labels.energy, labels.forces)
    return frames


def test_an_element_that_is_known_otherwise(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)  # whose models can start from others
    assert preflight_of(work_dir, {"train.atom_type": ["Ag", "Au", "Cu"]}) == []  # not explored
    changes = with_copper(work_dir)
    models = {**changes, "init_model_list": ["init.xyz"] * 3, "train.rcut": 2.0}
    (warning,) = preflight_of(work_dir, models)
    assert "holds Cu" in warning
    assert "init_model_list" in warning
    assert preflight_of(work_dir, models, strict=True) == [warning]  # it may well be right
    write_frames(work_dir / "more.xyz", copper_data(), "extxyz")
    assert preflight_of(work_dir, {**changes, "init_data": ["init.xyz", "more.xyz"]}) == []
    result = work_dir / "iter.0000/02.label/result/train.xyz"
    write_frames(result, copper_data(), "extxyz")  # a campaign that has labelled it meanwhile
    assert preflight_of(work_dir, changes) == []


def test_new_labels_are_looked_at_before_they_are_learned(
    work_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_toys(monkeypatch)
    read = ToyLabeler.read_result
    spoilt_ones: list[Path] = []

    def spoilt(self: ToyLabeler, directory: Path, purpose: Purpose) -> list[Atoms]:
        frames = read(self, directory, purpose)
        if "iter.0000" in directory.parts and not spoilt_ones:
            spoilt_ones.append(directory)
            frames = [relabelled(frames[0], energy=1e6)]
        return frames

    monkeypatch.setattr(ToyLabeler, "read_result", spoilt)
    with caplog.at_level(logging.INFO, "pwact"):
        run_loop(work_dir, run_param(), ToyExecutor())
    said = [record.getMessage() for record in caplog.records]
    (warning,) = [words for words in said if "has an energy" in words]
    assert warning.startswith("iter.0001/train: new labels: ")
    assert "iter.0000/02.label/result/train.xyz: frame " in warning
    assert said.index("iter.0001/train") < said.index(warning) < said.index("iter.0001/explore")


def test_a_check_says_so_and_refuses_if_it_is_strict(
    work_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = labelled(9)
    frames[4] = relabelled(frames[4], energy=1e6)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    changes = {"work_dir": str(work_dir)}
    load(work_dir, deep_update(run_param(), changes), resources())
    pair = [str(work_dir / name) for name in ("param.json", "resource.json")]
    assert main(["check", *pair]) == 0
    assert "init.xyz: frame 4 has an energy" in capsys.readouterr().err
    assert not (work_dir / "pwact.log").exists()
    assert main(["check", "--strict", *pair]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "init.xyz: frame 4 has an energy" in said.err


def test_a_run_keeps_what_was_said_in_its_log(work_dir: Path) -> None:
    frames = labelled(9)
    frames[4] = relabelled(frames[4], energy=1e6)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    changes = {"work_dir": str(work_dir)}
    no_program = {"train": {**resources()["train"], "command": "false"}}
    load(work_dir, deep_update(run_param(), changes), {**resources(), **no_program})
    assert main(["run", *(str(work_dir / name) for name in ("param.json", "resource.json"))]) == 1
    text = (work_dir / "pwact.log").read_text(encoding="utf-8")
    assert "WARNING: " in text
    assert "init.xyz: frame 4 has an energy" in text
    assert text.index("frame 4 has an energy") < text.index("iter.0000/train")
