"""Labels by ASE calculators: settings, tasks through bash, verdicts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.ase import worker as ase_worker
from pwact.engines.ase.labeler import LOG, RESULT, SETTINGS, STATUS, AseLabeler
from pwact.engines.ase.settings import AimdSettings, RelaxSettings, read_settings
from pwact.engines.labelers import Purpose
from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.fingerprint import differences
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from pwact.workflow.labels.store import label_key

EMT_SETTINGS = {
    "calculator": "emt",
    "relax": {"fmax": 0.01, "cell": True},
    "aimd": {"temperature_k": 300, "timestep_fs": 2, "steps": 6, "interval": 2},
}
SPRINGS = "tests.engines.calculators:Springs"
FAILING = "tests.engines.calculators:Failing"


def labeler(folder: Path, settings: Any, command: str = "", **block: Any) -> AseLabeler:
    """A labeler whose input file is written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "ase input.json"
    file.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    config = LabelConfig(style="ase", inputs=(DftInput(file),))
    made = labeler_for(config, 0, ResourceBlock(name="DFT", command=command, **block))
    assert isinstance(made, AseLabeler)
    return made


def copper() -> Atoms:
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.rattle(0.05, seed=1)
    return atoms


def prepared(
    folder: Path, settings: Any, purpose: Purpose, atoms: Optional[Atoms] = None, seed: int = 3
) -> tuple[AseLabeler, Path]:
    """A labeler and the directory of a task that it has written."""
    made = labeler(folder, settings)
    task = folder / f"{purpose.value} {seed}"
    task.mkdir()
    made.write_input(task, atoms if atoms is not None else copper(), purpose, seed)
    return made, task


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[AseLabeler, dict[Purpose, Path]]:
    """One task of each purpose, run by bash as in a job, in directories with odd names."""
    folder = tmp_path_factory.mktemp("labels") / 'it\'s a $HOME of "labels"'
    tasks, running = {}, []
    for purpose in Purpose:
        made, task = prepared(folder, EMT_SETTINGS, purpose)
        assert made.check(task, purpose).outcome is Outcome.INCOMPLETE
        words = ["bash", "-c", made.command(purpose)]
        running.append(subprocess.Popen(words, cwd=task))
        tasks[purpose] = task
    assert [process.wait(60) for process in running] == [0, 0, 0]
    return made, tasks


# settings


def test_settings_and_their_defaults(tmp_path: Path) -> None:
    file = labeler(tmp_path, {"Calculator": "emt", "_remark": 1}).input_file
    plain = read_settings(file)
    assert (plain.calculator, plain.arguments) == ("emt", {})
    assert (plain.relax, plain.aimd) == (RelaxSettings(), AimdSettings())
    given = {
        "calculator": "a.b:C",
        "arguments": {"Path": "x", "n": [1, {"m": None}]},
        "relax": {"fmax": 0.1, "steps": 7, "optimizer": "fire", "cell": True},
        "aimd": {
            "ensemble": "NVE",
            "temperature_k": 20,
            "timestep_fs": 0.5,
            "steps": 9,
            "interval": 3,
            "friction_per_fs": 0.2,
        },
    }
    found = read_settings(labeler(tmp_path, given).input_file)
    assert found.arguments == given["arguments"]
    assert found.relax == RelaxSettings(0.1, 7, "FIRE", True)
    assert found.aimd == AimdSettings("nve", 20.0, 0.5, 9, 3, 0.2)


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({}, "calculator", "required"),
        ({"calculator": 5}, "calculator", "text"),
        ({"calculator": " "}, "calculator", "empty"),
        ({"calculator": "emt", "arguments": [1]}, "arguments", "object"),
        ({"calculator": "emt", "relax": True}, "relax", "object"),
        ({"calculator": "emt", "relax": {"fmax": 0}}, "relax.fmax", "> 0"),
        ({"calculator": "emt", "relax": {"steps": 0}}, "relax.steps", ">= 1"),
        ({"calculator": "emt", "relax": {"optimizer": "SGD"}}, "relax.optimizer", "BFGS"),
        ({"calculator": "emt", "relax": {"cell": 1}}, "relax.cell", "true or false"),
        ({"calculator": "emt", "aimd": {"ensemble": "npt"}}, "aimd.ensemble", "nve"),
        ({"calculator": "emt", "aimd": {"temperature_k": -1}}, "aimd.temperature_k", "0"),
        ({"calculator": "emt", "aimd": {"timestep_fs": 1e3}}, "aimd.timestep_fs", "100"),
        ({"calculator": "emt", "aimd": {"interval": 2.5}}, "aimd.interval", "integer"),
        ({"calculator": "emt", "aimd": {"steps": 4, "interval": 5}}, "aimd.interval", "at most"),
        ({"calculator": "emt", "aimd": {"step": 5}}, "aimd.step", "did you mean steps?"),
        ({"calculator": "emt", "calc": 1}, "calc", "unknown key"),
        ("{'calculator'}", "", "double quotes"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, settings: Any, key: str, words: str) -> None:
    made = labeler(tmp_path, settings)
    with pytest.raises(InputError) as caught:
        made.validate(Purpose.SCF, frozenset({"Cu"}))
    assert (caught.value.file, caught.value.key) == (made.input_file, key)
    assert words in str(caught.value)
    assert "ignored" not in str(caught.value)


# validation


@pytest.mark.parametrize(
    ("settings", "key", "words"),
    [
        ({"calculator": "emtt"}, "calculator", "did you mean emt?"),
        ({"calculator": "nothing-like-it"}, "calculator", "module:Class"),
        ({"calculator": "ase.calculators.emt:EMTT"}, "calculator", "EMTT"),
        ({"calculator": ":EMT"}, "calculator", "there is no calculator"),
        ({"calculator": ".relative:EMT"}, "calculator", "there is no calculator"),
        ({"calculator": "emt"}, "calculator", "no parameters for Na, Si"),
        ({"calculator": SPRINGS}, "arguments", "stiffness"),
        ({"calculator": SPRINGS, "arguments": {"k": 1}}, "arguments", "k"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    tmp_path: Path, settings: Any, key: str, words: str
) -> None:
    made = labeler(tmp_path, settings)
    with pytest.raises(InputError) as caught:
        made.validate(Purpose.SCF, frozenset({"Cu", "Si", "Na"}))
    assert (caught.value.file, caught.value.key) == (made.input_file, key)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"calculator": "EMT"},
        {"calculator": "ase.calculators.emt:EMT", "arguments": {"asap_cutoff": True}},
        {"calculator": SPRINGS, "arguments": {"stiffness": 1}},
        {"calculator": "lj"},
    ],
)
def test_what_can_be_computed_is_accepted(tmp_path: Path, settings: Any) -> None:
    labeler(tmp_path, settings).validate(Purpose.AIMD, frozenset({"Cu", "Ag", "Au"}))


def test_packages_of_another_python_are_left_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"calculator": "no_such_package_here:Calculator"}
    away = labeler(tmp_path, settings, "python", module_list=("anaconda",))
    away.validate(Purpose.SCF, frozenset({"Cu"}))
    assert "no_such_package_here" in caplog.text
    here = labeler(tmp_path, settings, sys.executable)
    with pytest.raises(InputError, match="no_such_package_here"):
        here.validate(Purpose.SCF, frozenset({"Cu"}))


# what the tasks give


def test_scf_labels_the_frame_as_it_is(finished: Any) -> None:
    made, tasks = finished
    (frame,) = made.read_result(tasks[Purpose.SCF], Purpose.SCF)
    start = copper()
    np.testing.assert_array_equal(frame.positions, start.positions)
    np.testing.assert_array_equal(frame.cell.array, start.cell.array)
    start.calc = EMT()
    labels = labels_of(frame)
    assert labels.energy == pytest.approx(start.get_potential_energy(), abs=1e-12)
    np.testing.assert_allclose(labels.forces, start.get_forces(), atol=1e-12)
    virial = -start.get_volume() * start.get_stress(voigt=False)
    np.testing.assert_allclose(labels.virial, virial, atol=1e-12)


def test_relax_ends_in_a_minimum_with_its_cell(finished: Any) -> None:
    made, tasks = finished
    (frame,) = made.read_result(tasks[Purpose.RELAX], Purpose.RELAX)
    assert frame.cell.lengths() == pytest.approx([3.59] * 3, abs=0.02)
    assert abs(labels_of(frame).forces).max() < 0.011
    frame.calc = EMT()
    assert np.linalg.norm(FrechetCellFilter(frame).get_forces(), axis=1).max() <= 0.0101


def test_aimd_gives_every_interval_from_the_first_frame_on(finished: Any) -> None:
    made, tasks = finished
    frames = made.read_result(tasks[Purpose.AIMD], Purpose.AIMD)
    assert len(frames) == 4  # steps 0, 2, 4, 6
    np.testing.assert_array_equal(frames[0].positions, copper().positions)
    for before, after in zip(frames, frames[1:]):
        assert 0.001 < abs(after.positions - before.positions).max() < 0.5
    for frame in frames:
        energy = labels_of(frame).energy
        frame.calc = EMT()
        assert frame.get_potential_energy() == pytest.approx(energy, abs=1e-12)
        assert not frame.has("momenta")


def test_only_small_files_stay(finished: Any) -> None:
    made, tasks = finished
    names = {path.name for path in tasks[Purpose.SCF].iterdir()}
    assert {RESULT, STATUS, SETTINGS, LOG} <= names
    assert {name for name in names if made.kept_files(name)} == {RESULT, STATUS, SETTINGS, LOG}


def test_aimd_depends_on_the_seed_only(tmp_path: Path) -> None:
    texts = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _, task = prepared(tmp_path / name, EMT_SETTINGS, Purpose.AIMD, seed=seed)
        ase_worker.work(task, "aimd")
        texts.append((task / RESULT).read_bytes())
    assert texts[0] == texts[1] != texts[2]


def test_start_velocities_and_the_time_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Atoms] = []
    label = ase_worker.labelled
    monkeypatch.setattr(
        ase_worker, "labelled", lambda at, word: seen.append(at.copy()) or label(at, word)
    )
    aimd = {"ensemble": "nve", "temperature_k": 700, "timestep_fs": 2, "steps": 1}
    crystal = bulk("Cu", cubic=True) * (5, 5, 5)
    _, task = prepared(tmp_path, {"calculator": "emt", "aimd": aimd}, Purpose.AIMD, crystal)
    ase_worker.work(task, "aimd")
    first, second = seen
    assert first.get_temperature() == pytest.approx(700, rel=0.1)
    assert abs(first.get_momenta().sum(axis=0)).max() < 1e-9
    # no forces yet, so that the atoms go straight on
    way = first.get_velocities() * 2 * units.fs
    np.testing.assert_allclose(second.positions - first.positions, way, atol=1e-9)


def test_the_thermostat_holds_and_nve_keeps_the_energy(tmp_path: Path) -> None:
    atoms = bulk("Cu", cubic=True, a=3.6)
    cold = {"calculator": "emt", "aimd": {"temperature_k": 0, "steps": 3}}
    made, task = prepared(tmp_path / "cold", cold, Purpose.AIMD, atoms)
    ase_worker.work(task, "aimd")
    last = made.read_result(task, Purpose.AIMD)[-1]
    np.testing.assert_allclose(last.positions, atoms.positions, atol=1e-9)
    free = {"ensemble": "nve", "temperature_k": 600, "timestep_fs": 1, "steps": 30}
    made, task = prepared(tmp_path / "nve", {"calculator": "emt", "aimd": free}, Purpose.AIMD)
    ase_worker.work(task, "aimd")
    energies = [labels_of(frame).energy for frame in made.read_result(task, Purpose.AIMD)]
    # all that leaves the potential energy is kinetic: 4 atoms at 600 K began with 0.2 eV or so
    assert 0.01 < np.ptp(energies) < 0.6


def test_no_stress_gives_no_virial(tmp_path: Path) -> None:
    settings = {"calculator": SPRINGS, "arguments": {"stiffness": 2}}
    made, task = prepared(tmp_path, settings, Purpose.SCF)
    ase_worker.work(task, "scf")
    labels = labels_of(made.read_result(task, Purpose.SCF)[0])
    assert labels.virial is None
    np.testing.assert_allclose(labels.forces, -2 * copper().positions)


# what is not fine


@pytest.mark.parametrize("what", ["energy", "forces", "stress"])
def test_labels_that_are_no_numbers_are_unusable(tmp_path: Path, what: str) -> None:
    settings = {"calculator": FAILING, "arguments": {"what": what}}
    made, task = prepared(tmp_path, settings, Purpose.SCF)
    ase_worker.work(task, "scf")
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "frame 0" in verdict.reason
    with pytest.raises(NotConvergedError, match="not finite"):
        made.read_result(task, Purpose.SCF)


def test_an_aimd_that_breaks_off_is_unusable(tmp_path: Path) -> None:
    settings = {**EMT_SETTINGS, "calculator": FAILING, "arguments": {"after": 4}}
    made, task = prepared(tmp_path, settings, Purpose.AIMD)
    ase_worker.work(task, "aimd")
    assert made.check(task, Purpose.AIMD).outcome is Outcome.UNUSABLE


def test_a_calculator_of_another_python_is_left_to_check(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"calculator": "nowhere_at_all:Calculator"}
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.symlink_to("/bin/sh")
    labeler(tmp_path, settings, str(other)).validate(Purpose.SCF, frozenset({"Cu"}))
    assert caplog.text == ""
    with pytest.raises(InputError, match="there is no calculator 'nowhere_at_all:Calculator'"):
        labeler(tmp_path, settings).validate(Purpose.SCF, frozenset({"Cu"}))


def test_a_relaxation_without_an_end_is_unusable(tmp_path: Path) -> None:
    settings = {"calculator": "emt", "relax": {"fmax": 1e-9, "steps": 2}}
    made, task = prepared(tmp_path, settings, Purpose.RELAX)
    ase_worker.work(task, "relax")
    verdict = made.check(task, Purpose.RELAX)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "2 steps" in verdict.reason


def test_a_crash_is_incomplete_and_stands_in_the_log(tmp_path: Path) -> None:
    made, task = prepared(tmp_path, EMT_SETTINGS, Purpose.SCF)
    ase_worker.work(task, "scf")  # leaves a good result, which must not pass for the next one
    made.write_input(task, bulk("Si", cubic=True), Purpose.SCF, 1)
    code = subprocess.run(["bash", "-c", made.command(Purpose.SCF)], cwd=task, check=False)
    assert code.returncode != 0
    assert "No EMT-potential for Si" in (task / LOG).read_text()
    assert made.check(task, Purpose.SCF).outcome is Outcome.INCOMPLETE
    with pytest.raises(TaskError) as caught:
        made.read_result(task, Purpose.SCF)
    assert not isinstance(caught.value, NotConvergedError)


@pytest.mark.parametrize(
    "damage", ["a number cut", "a frame cut", "empty", "gone", "status torn", "status gone"]
)
def test_a_damaged_result_is_incomplete(finished: Any, tmp_path: Path, damage: str) -> None:
    made, tasks = finished
    task = tmp_path / "copy"
    shutil.copytree(tasks[Purpose.AIMD], task)
    assert made.check(task, Purpose.AIMD).done
    file = task / (STATUS if damage.startswith("status") else RESULT)
    if damage.endswith("gone"):
        file.unlink()
    else:
        text = file.read_text()
        ends = {"empty": 0, "a number cut": -2, "a frame cut": text.rfind("\n4\n") + 1}
        file.write_text(text[: ends.get(damage, len(text) // 2)])
    assert made.check(task, Purpose.AIMD).outcome is Outcome.INCOMPLETE


# fingerprint and command


def test_the_fingerprint_holds_what_matters(tmp_path: Path) -> None:
    def print_of(purpose: Purpose, **settings: Any) -> str:
        made = labeler(tmp_path, {**EMT_SETTINGS, **settings})
        return json.dumps(made.fingerprint(purpose), sort_keys=True)

    before = {purpose: print_of(purpose) for purpose in Purpose}
    for change, touched in (
        ({"relax": {"fmax": 0.5}}, {Purpose.RELAX}),
        ({"aimd": {"steps": 5}}, {Purpose.AIMD}),
        ({"arguments": {"asap_cutoff": True}}, set(Purpose)),
        ({"calculator": "lj"}, set(Purpose)),
    ):
        after = {purpose: print_of(purpose, **change) for purpose in Purpose}
        assert {purpose for purpose in Purpose if after[purpose] != before[purpose]} == touched


def test_files_in_the_arguments_count_by_content_and_are_found(tmp_path: Path) -> None:
    settings = {"calculator": SPRINGS, "arguments": {"stiffness": 1, "table": "my table.txt"}}
    prints = []
    for place, text in (("a", "one"), ("b", "one"), ("c", "two")):
        made, task = prepared(tmp_path / place, settings, Purpose.SCF)
        (tmp_path / place / "my table.txt").write_text(text)
        made.write_input(task, copper(), Purpose.SCF, 1)
        prints.append(made.fingerprint(Purpose.SCF))
        told = json.loads((task / SETTINGS).read_text())["arguments"]["table"]
        assert Path(told) == (tmp_path / place / "my table.txt").resolve()
    assert prints[0] == prints[1] != prints[2]


def test_files_deep_in_the_arguments_count_by_content(tmp_path: Path) -> None:
    """A campaign of a version that did not look goes on; from then on they count."""
    (tmp_path / "pseudo").mkdir()
    for name in ("pseudo/Cu.upf", "one.pt", "other.pt"):
        (tmp_path / name).write_text("1")
    arguments = {
        "stiffness": 1,
        "table": {"Cu": "Cu.upf", "none": "no file", "long": "x" * 5000, "n": [1, None]},
        "models": ["one.pt", {"deep": "other.pt"}],
        "pseudo_dir": "pseudo",
    }

    def fingerprint() -> Any:
        made = labeler(tmp_path, {"calculator": SPRINGS, "arguments": arguments})
        return made.fingerprint(Purpose.SCF)

    before = fingerprint()
    assert sorted(before["files"]) == ["models.0", "models.1.deep", "table.Cu"]
    earlier = {**before, "files": {}}
    assert not list(differences(earlier, before))
    for name, key in (("pseudo/Cu.upf", "table.Cu"), ("other.pt", "models.1.deep")):
        (tmp_path / name).write_text("2")
        after = fingerprint()
        assert f"files.{key}" in [path for path, _, _ in differences(before, after)]
        assert label_key("s", before) != label_key("s", after)


def test_what_is_read_gets_its_whole_path_and_what_is_written_does_not(tmp_path: Path) -> None:
    (tmp_path / "pots").mkdir()
    for name in ("one.pt", "gpaw.txt", "Si.upf"):
        (tmp_path / name).write_text("1")
    arguments = {
        "slako_dir": "pots/",
        "input_data": {"control": {"pseudo_dir": "pots", "outdir": "pots"}},
        "model_paths": ["one.pt", "models/*.pt"],
        "pseudopotentials": {"Si": "Si.upf"},
        "txt": "gpaw.txt",
        "xc": "PBE",
    }
    made, task = prepared(tmp_path, {"calculator": SPRINGS, "arguments": arguments}, Purpose.SCF)
    made.write_input(task, copper(), Purpose.SCF, 1)
    whole = str((tmp_path / "pots").resolve())
    assert json.loads((task / SETTINGS).read_text())["arguments"] == {
        **arguments,
        "slako_dir": f"{whole}/",
        "input_data": {"control": {"pseudo_dir": whole, "outdir": "pots"}},
        "model_paths": [str((tmp_path / "one.pt").resolve()), "models/*.pt"],
    }


def test_the_command_uses_the_python_of_the_block(tmp_path: Path) -> None:
    python = tmp_path / "my python"
    python.write_text('#!/bin/bash\necho "$@" "$TWO" > called\necho noise >&2\n')
    python.chmod(0o755)
    made = labeler(tmp_path, EMT_SETTINGS, f'TWO=2 "{python}" -X utf8')
    words = ["bash", "-c", made.command(Purpose.AIMD)]
    subprocess.run(words, cwd=tmp_path, check=True)
    assert (tmp_path / "called").read_text() == "-X utf8 -m pwact.engines.ase.worker aimd 2\n"
    assert (tmp_path / LOG).read_text() == "noise\n"


def test_an_aimd_that_was_cut_off_keeps_its_whole_frames(finished: Any, tmp_path: Path) -> None:
    made, tasks = finished
    shutil.copytree(tasks[Purpose.AIMD], tmp_path / "task")
    whole = made.read_result(tmp_path / "task", Purpose.AIMD)
    (tmp_path / "task" / STATUS).unlink()
    text = (tmp_path / "task" / RESULT).read_bytes()
    size = len(text) // len(whole)
    for cut in (len(text) - 1, len(text) - 5, len(text) - size // 2, len(text) - size - size // 2):
        (tmp_path / "task" / RESULT).write_bytes(text[:cut])
        assert not made.check(tmp_path / "task", Purpose.AIMD).done
        frames = made.read_result(tmp_path / "task", Purpose.AIMD)
        assert len(frames) == len(whole) - (1 if cut > len(text) - size else 2)
        for frame, one in zip(frames, whole):
            np.testing.assert_array_equal(labels_of(frame).forces, labels_of(one).forces)
    (tmp_path / "task" / RESULT).write_bytes(text[:50])
    with pytest.raises(TaskError):
        made.read_result(tmp_path / "task", Purpose.AIMD)


def test_an_aimd_writes_each_frame_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, task = prepared(tmp_path, EMT_SETTINGS, Purpose.AIMD)
    count, label = [0], ase_worker.labelled

    def dies(atoms: Atoms, word: str) -> Atoms:
        count[0] += 1
        if count[0] == 3:
            raise RuntimeError
        return label(atoms, word)

    monkeypatch.setattr(ase_worker, "labelled", dies)
    with pytest.raises(RuntimeError):
        ase_worker.work(task, "aimd")
    assert len(made.read_result(task, Purpose.AIMD)) == 2


# which energy, and who writes

SMEARED = "tests.engines.calculators:Smeared"


def old_labeler(folder: Path, settings: Any) -> AseLabeler:
    """A labeler of a campaign that version 0.5.0 began."""
    labeler(folder, settings)
    inputs = (DftInput(folder / "ase input.json"),)
    config = LabelConfig(style="ase", inputs=inputs, energy_as_given=True)
    made = labeler_for(config, 0, ResourceBlock(name="DFT"))
    assert isinstance(made, AseLabeler)
    return made


@pytest.mark.parametrize("purpose", list(Purpose))
@pytest.mark.parametrize(("old", "shift"), [(False, 0.0), (True, 0.04)])
def test_labels_hold_the_energy_of_the_forces(
    tmp_path: Path, old: bool, shift: float, purpose: Purpose, caplog: pytest.LogCaptureFixture
) -> None:
    """`Smeared` adds 10 meV an atom to what is not the free energy; forces are those of EMT."""
    settings = {**EMT_SETTINGS, "calculator": SMEARED}
    made = old_labeler(tmp_path, settings) if old else labeler(tmp_path, settings)
    for name in ("one", "two"):
        task = tmp_path / name
        task.mkdir()
        made.write_input(task, copper(), purpose, 1)
        ase_worker.work(task, purpose.value)
        for frame in made.read_result(task, purpose):
            bare = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=True)
            bare.calc = EMT()
            expected = bare.get_potential_energy() + shift
            assert labels_of(frame).energy == pytest.approx(expected, abs=1e-9)
    said = [one.getMessage() for one in caplog.records if "eV per atom away" in one.getMessage()]
    assert len(said) == 1
    assert "-0.01 eV" in said[0] if old else "0.01 eV" in said[0]


def test_nothing_is_said_where_the_energies_are_one(
    finished: Any, caplog: pytest.LogCaptureFixture
) -> None:
    made, tasks = finished
    assert made.read_result(tasks[Purpose.SCF], Purpose.SCF)
    assert not caplog.records


def test_a_calculator_that_knows_one_energy(tmp_path: Path) -> None:
    made, task = prepared(
        tmp_path, {"calculator": SPRINGS, "arguments": {"stiffness": 1}}, Purpose.SCF
    )
    ase_worker.work(task, "scf")
    assert len(made.read_result(task, Purpose.SCF)) == 1


def test_a_task_that_an_earlier_version_wrote_keeps_its_energy(tmp_path: Path) -> None:
    made, task = prepared(tmp_path, {"calculator": SMEARED}, Purpose.SCF)
    settings = json.loads((task / SETTINGS).read_text())
    del settings["energy"]
    (task / SETTINGS).write_text(json.dumps(settings))
    ase_worker.work(task, "scf")
    bare = copper()
    bare.calc = EMT()
    energy = labels_of(made.read_result(task, Purpose.SCF)[0]).energy
    assert energy == pytest.approx(bare.get_potential_energy() + 0.04, abs=1e-9)


def test_which_energy_is_in_the_fingerprint(tmp_path: Path) -> None:
    """A campaign of 0.5.0, whose journal does not tell, goes on with what it has."""
    new = labeler(tmp_path, EMT_SETTINGS).fingerprint(Purpose.SCF)
    old = old_labeler(tmp_path, EMT_SETTINGS).fingerprint(Purpose.SCF)
    journal = {key: value for key, value in old.items() if key != "energy"}
    assert not list(differences(journal, old))
    assert [path for path, _, _ in differences(journal, new)] == ["energy"]


def test_only_the_first_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, task = prepared(tmp_path, EMT_SETTINGS, Purpose.AIMD)
    monkeypatch.setenv("PMI_RANK", "1")
    ase_worker.work(task, "aimd")
    assert not (task / RESULT).exists()
    assert not (task / STATUS).exists()
    monkeypatch.setenv("PMI_RANK", "0")
    ase_worker.work(task, "aimd")
    monkeypatch.setenv("PMI_RANK", "1")
    ase_worker.work(task, "aimd")  # one that comes late
    monkeypatch.delenv("PMI_RANK")
    assert len(made.read_result(task, Purpose.AIMD)) == 4
    assert "started 2 times" in caplog.text
