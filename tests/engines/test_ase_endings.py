"""ASE calculators: what does not converge, MD in several starts, real programs behind ASE."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.engines.ase import worker as ase_worker
from pwact.engines.ase.labeler import LOG, RESULT, SETTINGS, STATUS, STRUCTURE, AseLabeler
from pwact.engines.ase.model_elements import unknown_elements
from pwact.engines.ase.paths import missing
from pwact.engines.ase.relaxation import KNOWN
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests.engines import calculators as ase_calculators
from tests.engines.test_ase import EMT_SETTINGS, copper, labeler, prepared
from tests.requirements import need_program


def bash(made: AseLabeler, task: Path) -> int:
    words = ["bash", "-c", made.command(Purpose.SCF)]
    return subprocess.run(words, cwd=task, check=False).returncode


# ends that another try would not change


class TestSelfConsistency:
    """Calculators whose self-consistency comes to no end."""

    UNCONVERGED = "tests.engines.calculators:Unconverged"
    OF_XTB = "tests.engines.calculators:XtbUnconverged"

    @pytest.mark.parametrize("how", ["SCFError", "words", "cause", "file"])
    def test_it_is_unusable_and_not_tried_again(self, tmp_path: Path, how: str) -> None:
        settings = {"calculator": self.OF_XTB, "arguments": {"how": how}}
        made, task = prepared(tmp_path, settings, Purpose.SCF)
        assert bash(made, task) == 0
        verdict = made.check(task, Purpose.SCF)
        assert verdict.outcome is Outcome.UNUSABLE
        assert "the self-consistency did not converge" in verdict.reason

    def test_the_words_of_an_exception_are_known_of_every_calculator(self, tmp_path: Path) -> None:
        arguments = {"how": "words", "after": 4}
        settings = {**EMT_SETTINGS, "calculator": self.UNCONVERGED, "arguments": arguments}
        made, task = prepared(tmp_path, settings, Purpose.AIMD)
        ase_worker.work(task, "aimd")
        assert made.check(task, Purpose.AIMD).outcome is Outcome.DONE
        assert len(made.read_result(task, Purpose.AIMD)) == 2

    def test_another_error_is_a_crash(self, tmp_path: Path) -> None:
        settings = {"calculator": self.UNCONVERGED, "arguments": {"how": "other"}}
        made, task = prepared(tmp_path, settings, Purpose.SCF)
        assert bash(made, task) != 0
        assert made.check(task, Purpose.SCF).outcome is Outcome.INCOMPLETE

    def test_words_in_a_file_of_an_earlier_try_do_not_count(self, tmp_path: Path) -> None:
        settings = {"calculator": self.OF_XTB, "arguments": {"how": "fine"}}
        made, task = prepared(tmp_path, settings, Purpose.SCF)
        (task / "old.out").write_text("SCF not converged\n")
        os.utime(task / "old.out", (1, 1))
        ase_worker.work(task, "scf")
        assert made.check(task, Purpose.SCF).outcome is Outcome.DONE

    def test_steps_of_an_md_before_it_count(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        arguments = {"how": "SCFError", "after": 4}
        settings = {**EMT_SETTINGS, "calculator": self.UNCONVERGED, "arguments": arguments}
        made, task = prepared(tmp_path, settings, Purpose.AIMD)
        ase_worker.work(task, "aimd")
        assert made.check(task, Purpose.AIMD).outcome is Outcome.DONE
        assert len(made.read_result(task, Purpose.AIMD)) == 2
        assert "the MD ended early, and its steps count" in caplog.text

    def test_an_md_without_a_step_is_unusable(self, tmp_path: Path) -> None:
        settings = {**EMT_SETTINGS, "calculator": self.OF_XTB, "arguments": {"how": "words"}}
        made, task = prepared(tmp_path, settings, Purpose.AIMD)
        ase_worker.work(task, "aimd")
        assert made.check(task, Purpose.AIMD).outcome is Outcome.UNUSABLE


# an MD in several starts


def dying(steps: int, after: int) -> dict[str, Any]:
    arguments = {"how": "other", "after": after}
    return {
        "calculator": TestSelfConsistency.UNCONVERGED,
        "arguments": arguments,
        "aimd": {**EMT_SETTINGS["aimd"], "steps": steps},
    }


@pytest.mark.parametrize(
    ("ensemble", "after", "kept", "missing"),
    [("nvt", 8, 4, 6), ("nve", 8, 4, 6), ("nvt", 2, 1, 12), ("nve", 2, 1, 12)],
)
def test_an_md_goes_on_where_it_was_ended(
    tmp_path: Path, ensemble: str, after: int, kept: int, missing: int
) -> None:
    """Also where the first frame alone was kept, which is not kept twice."""
    settings = dying(12, after)
    settings["aimd"]["ensemble"] = ensemble
    made, task = prepared(tmp_path / "two", settings, Purpose.AIMD)
    with pytest.raises(RuntimeError, match="something else"):
        ase_worker.work(task, "aimd")
    assert len(made.read_result(task, Purpose.AIMD)) == kept  # of steps 0, 2, 4 and 6
    count = [0]

    class Counting(ase_calculators.Unconverged):
        def calculate(self, *arguments: Any, **more: Any) -> None:
            self.left = 100
            count[0] += 1
            super().calculate(*arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ase_calculators, "Unconverged", Counting)
        ase_worker.work(task, "aimd")
    assert count[0] == 1 + missing  # where it was, and the steps that were missing
    assert made.check(task, Purpose.AIMD).outcome is Outcome.DONE
    once = dying(12, 100)
    once["aimd"]["ensemble"] = ensemble
    _, whole = prepared(tmp_path / "one", once, Purpose.AIMD)
    ase_worker.work(whole, "aimd")
    assert (task / RESULT).read_bytes() == (whole / RESULT).read_bytes()


@pytest.mark.parametrize("damage", ["state", "frames", "structure", "settings"])
def test_an_md_begins_again_where_it_cannot_go_on(tmp_path: Path, damage: str) -> None:
    made, task = prepared(tmp_path, dying(12, 8), Purpose.AIMD)
    with pytest.raises(RuntimeError):
        ase_worker.work(task, "aimd")
    if damage == "state":
        (task / "md.npz").write_bytes((task / "md.npz").read_bytes()[:-50])
    elif damage == "frames":
        text = (task / RESULT).read_text()
        (task / RESULT).write_text(text[: len(text) // 2])
    elif damage == "structure":
        other = copper()
        other.rattle(0.02, seed=9)
        made.write_input(task, other, Purpose.AIMD, 3)
    else:
        made.write_input(task, copper(), Purpose.AIMD, 4)
    with pytest.raises(RuntimeError):  # in a fresh start it dies at the same calculation again
        ase_worker.work(task, "aimd")
    assert len(made.read_result(task, Purpose.AIMD)) == 4


# a relaxation in several starts


def relaxing(folder: Path, after: int = 10**6, **relax: Any) -> Path:
    """A task of a calculator that dies after so many calculations."""
    relax = {"fmax": 0.02, "cell": True, **relax}
    settings = {"calculator": "tests.engines.calculators:Tired", "relax": relax}
    settings["arguments"] = {"after": after}
    return prepared(folder, settings, Purpose.RELAX)[1]


def calculations(task: Path) -> int:
    """Start until it is done; how many calculations it took."""
    before, ended = ase_calculators.Tired.done, False
    while not ended:
        with contextlib.suppress(RuntimeError):
            ase_worker.work(task, "relax")
            ended = True
        assert ase_calculators.Tired.done - before < 100
    return ase_calculators.Tired.done - before


@pytest.mark.parametrize("optimizer", ["BFGS", "LBFGS", "FIRE", "BFGSLineSearch"])
@pytest.mark.parametrize("cell", [True, False])
def test_a_relaxation_goes_on_where_it_was_ended(
    tmp_path: Path, optimizer: str, cell: bool
) -> None:
    wanted = {"optimizer": optimizer, "cell": cell}
    whole = relaxing(tmp_path / "one", **wanted)
    needed = calculations(whole)
    assert needed > 3
    often = relaxing(tmp_path / "many", after=3, **wanted)
    assert calculations(often) == needed
    assert (often / RESULT).read_bytes() == (whole / RESULT).read_bytes()


def test_its_steps_count_over_all_starts(tmp_path: Path) -> None:
    task = relaxing(tmp_path, after=2, fmax=1e-9, steps=4)
    assert calculations(task) == 5
    assert not json.loads((task / STATUS).read_text())["converged"]


@pytest.mark.parametrize("damage", ["cut", "bytes", "structure", "settings"])
def test_a_relaxation_that_cannot_go_on_begins_again(tmp_path: Path, damage: str) -> None:
    task = relaxing(tmp_path, after=3)
    with pytest.raises(RuntimeError, match="killed"):
        ase_worker.work(task, "relax")
    known = task / KNOWN
    content = known.read_bytes()
    computed = 3
    if damage == "cut":  # in the middle of the last geometry
        known.write_bytes(content[: content.rindex(b"cell_and") + 40])
        computed = 2
    elif damage == "bytes":
        known.write_bytes(content[:200] + b"\xff" + content[200:])
        computed = 0
    elif damage == "structure":
        structure = task / STRUCTURE
        structure.write_text(structure.read_text().replace("3.7", "3.71"))
        computed = 0
    else:
        settings = task / SETTINGS
        settings.write_text(settings.read_text().replace('"fmax": 0.02', '"fmax": 0.021'))
        computed = 0
    with pytest.raises(RuntimeError, match="killed"):
        ase_worker.work(task, "relax")
    places = [line for line in known.read_text().splitlines() if "cell_and" in line]
    assert len(places) == computed + 3


def test_only_the_first_process_writes_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    task = relaxing(tmp_path)
    ase_worker.work(task, "relax")
    assert not (task / KNOWN).exists()


# how a program is started

SI = {"Si": "Si.pz-vbc.UPF"}


def espresso(**control: Any) -> dict[str, Any]:
    data = {"control": control, "system": {"ecutwfc": 8}, "electrons": {"conv_thr": 1e-8}}
    return {
        "calculator": "espresso",
        "profile": {"command": "pw.x", "pseudo_dir": "/usr/share/espresso/pseudo"},
        "arguments": {
            "input_data": data,
            "pseudopotentials": SI,
            "kpts": [2, 2, 2],
        },
    }


def silicon() -> Atoms:
    atoms = bulk("Si")
    atoms.rattle(0.05, seed=1)
    return atoms


def run_espresso(
    folder: Path, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[AseLabeler, Path]:
    need_program("pw.x")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("ASE_CONFIG_PATH", str(folder / "none.ini"))
    made, task = prepared(folder, settings, Purpose.SCF, silicon())
    made.validate(Purpose.SCF, frozenset({"Si"}))
    assert bash(made, task) == 0, (task / LOG).read_text()
    return made, task


def test_a_real_program_behind_ase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = espresso(tprnfor=True, tstress=True)
    made, task = run_espresso(tmp_path, settings, monkeypatch)
    (frame,) = made.read_result(task, Purpose.SCF)
    labels = labels_of(frame)
    assert labels.virial is not None
    np.testing.assert_allclose(labels.forces.sum(axis=0), 0, atol=1e-3)
    assert 0.05 < np.abs(labels.forces).max() < 5


def test_a_real_program_that_does_not_converge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = espresso(tprnfor=True, tstress=True)
    settings["arguments"]["input_data"]["electrons"] = {"electron_maxstep": 2, "conv_thr": 1e-12}
    made, task = run_espresso(tmp_path, settings, monkeypatch)
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "the self-consistency did not converge" in verdict.reason


def test_a_profile_decides_nothing_but_what_it_reads_does(tmp_path: Path) -> None:
    (tmp_path / "pseudo").mkdir()
    (tmp_path / "pseudo" / "Si.UPF").write_text("one")
    settings = espresso()
    settings["profile"] = {"command": "pw.x", "pseudo_dir": "pseudo"}
    settings["arguments"]["pseudopotentials"] = {"Si": "Si.UPF"}
    first = labeler(tmp_path, settings).fingerprint(Purpose.SCF)
    settings["profile"]["command"] = "mpirun -np 4 pw.x"
    assert labeler(tmp_path, settings).fingerprint(Purpose.SCF) == first
    (tmp_path / "pseudo" / "Si.UPF").write_text("another")
    assert labeler(tmp_path, settings).fingerprint(Purpose.SCF) != first


def test_a_profile_of_a_directory_that_is_not_there(tmp_path: Path) -> None:
    settings = espresso()
    settings["profile"]["pseudo_dir"] = "nowhere"
    with pytest.raises(InputError, match="nowhere is no directory") as caught:
        labeler(tmp_path, settings).validate(Purpose.SCF, frozenset({"Si"}))
    assert caught.value.key == "profile.pseudo_dir"


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"calculator": "emt", "arguments": {"model_file": "nep.txt"}}
    with pytest.raises(InputError, match="found nep.txt, but .*nep.txt is no file; all") as caught:
        labeler(tmp_path, settings).validate(Purpose.SCF, frozenset({"Cu"}))
    assert caught.value.key == "arguments.model_file"
    (tmp_path / "nep.txt").write_text("nep4 1 Cu")
    assert not missing(settings["arguments"], tmp_path)
    for text in ("7net-0", "https://a.org/mace.model", "small"):  # names and addresses
        assert not missing({"model": text}, tmp_path)


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("torchnep", {"nep": SimpleNamespace(type_names=["Ag", "Au"])}),
        ("sevennet", {"type_map": {47: 0, 79: 1}}),
        ("MACE", {"z_table": SimpleNamespace(zs=[47, 79])}),
    ],
)
def test_an_element_that_the_model_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, held: dict[str, Any]
) -> None:
    """Nothing is computed, and nothing is tried again."""
    made, task = prepared(tmp_path, {"calculator": name}, Purpose.SCF)
    calculator = SimpleNamespace(**held, set_atoms=None)  # which that of SevenNet raises in
    monkeypatch.setattr(ase_worker, "calculator_class", lambda _: lambda: calculator)
    ase_worker.work(task, "scf")
    verdict = made.check(task, Purpose.SCF)
    assert verdict.outcome is Outcome.UNUSABLE
    assert "the model knows Ag, Au, but not Cu" in verdict.reason
    assert not unknown_elements(name, calculator, {"Ag"})
    assert not unknown_elements(name, SimpleNamespace(), {"Cu"})  # of a version that tells nothing
