"""What each program's input may be changed to for another try of an SCF, and what never."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.engines.cp2k.labeler import Cp2kLabeler
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import Changeable, able
from pwact.engines.qe.labeler import QeLabeler
from pwact.engines.vasp.labeler import VaspLabeler
from pwact.errors import InputError
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests.engines import cp2k_inputs, qe_inputs, vasp_helpers
from tests.engines.qe_inputs import pw_input, silicon, upf
from tests.engines.test_cp2k_real import gpw

STRUCTURE = {"vasp": vasp_helpers.alloy, "qe": silicon, "cp2k": silicon}
INPUT = {"vasp": "INCAR", "qe": "pw.in", "cp2k": "cp2k.inp"}
INCAR = "ENCUT = 400\nAMIX = 0.4 ; NELM = 60\nISMEAR = 0; SIGMA = 0.05\n"


def labeler(name: str, folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    if name == "vasp":
        return vasp_helpers.vasp(folder, INCAR)
    if name == "cp2k":
        return cp2k_inputs.labeler(folder, cp2k_inputs.cp2k_input("ENERGY_FORCE", cp2k_inputs.GPW))
    (folder / "Si.UPF").write_text(upf("Si", 4))
    control = f"pseudo_dir='{folder}'"
    text = pw_input(control=control, electrons="mixing_beta = 0.7")
    return qe_inputs.labeler(folder, text)


def written(made: Labeler, folder: Path, name: str) -> list[str]:
    folder.mkdir()
    made.write_input(folder, made.assign(STRUCTURE[name]()), Purpose.SCF, 1)
    return (folder / INPUT[name]).read_text().splitlines()


def test_who_can() -> None:
    assert able() == ["vasp", "cp2k", "qe"]


@pytest.mark.parametrize(
    ("name", "changes", "lines"),
    [
        ("qe", {"Mixing_Beta": 0.2, "electron_maxstep": 300}, ["mixing_beta = 0.2"]),
        ("qe", {"mixing_mode": "local-tf"}, ["mixing_mode = 'local-TF'"]),
        ("qe", {"diago_full_acc": True}, ["diago_full_acc = .true."]),
        ("vasp", {"amix": 0.1, "ALGO": "all", "NELM": 200}, ["AMIX = 0.1", "ALGO = All"]),
        ("cp2k", {"MIXING/ALPHA": 0.1, "max_scf": 200}, ["ALPHA 0.1", "MAX_SCF 200"]),
    ],
)
def test_the_changes_and_nothing_else(
    tmp_path: Path, name: str, changes: dict[str, Any], lines: list[str]
) -> None:
    made = labeler(name, tmp_path / "in")
    assert isinstance(made, Changeable)
    before = written(made, tmp_path / "first", name)
    changed = made.changed(changes)
    after = written(changed, tmp_path / "second", name)
    assert set(lines) <= {line.strip() for line in after}
    keys = {key.rpartition("/")[2].lower() for key in changes}
    for line in set(before) ^ set(after):
        words = {word.lower() for word in line.replace("=", " ").split()}
        assert words & keys, line
    assert written(made, tmp_path / "third", name) == before
    assert made.fingerprint(Purpose.SCF)["changed"] == {}
    assert changed.fingerprint(Purpose.SCF)["changed"] == changes


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("qe", "degauss smearing occupations ecutwfc ecutrho conv_thr nspin nbnd input_dft nosym"),
        ("qe", "scf_must_converge K_POINTS starting_magnetization exx_maxstep efield"),
        (
            "vasp",
            "SIGMA ISMEAR ENCUT EDIFF GGA METAGGA LREAL PREC KSPACING ICHARG IALGO ISPIN",
        ),
        ("vasp", "NUPDOWN MAGMOM LDAUU ISYM NELECT LHFCALC IVDW NBANDS ADDGRID LASPH"),
        ("cp2k", "EPS_SCF SMEAR/ELECTRONIC_TEMPERATURE ADDED_MOS OUTER_SCF/EPS_SCF SCF_GUESS"),
        (
            "cp2k",
            "IGNORE_CONVERGENCE_FAILURE MGRID/CUTOFF XC/XC_FUNCTIONAL SMEAR/METHOD",
        ),
    ],
)
def test_other_physics_is_refused(tmp_path: Path, name: str, keys: str) -> None:
    made = labeler(name, tmp_path)
    for key in keys.split():
        with pytest.raises(InputError, match="how the SCF is solved, not what it solves") as caught:
            made.changed({key: 1})
        assert caught.value.key == key


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("qe", {"mixing_beta": 1.5}, "found 1.5; expected a number > 0"),
        ("qe", {"diagonalization": "davidd"}, 'found "davidd"; expected "david" or "cg"'),
        ("vasp", {"ALGO": "None"}, 'found "None"; expected "Normal" or'),
        ("vasp", {"ALGO": "Exact"}, 'found "Exact"'),
        ("cp2k", {"OT/STEPSIZE": 0.1}, "has no &OT in &SCF; expected a key of a section that is"),
        ("cp2k", {"OUTER_SCF/MAX_SCF": 5}, "has no &OUTER_SCF in &SCF"),
    ],
)
def test_values_are_checked(tmp_path: Path, name: str, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        labeler(name, tmp_path).changed(changes)


def test_their_types(tmp_path: Path) -> None:
    names = {"vasp": VaspLabeler, "qe": QeLabeler, "cp2k": Cp2kLabeler}
    for name, kind in names.items():
        made: Labeler = labeler(name, tmp_path / name)
        assert isinstance(made, kind)


def computed(made: Labeler, task: Path, atoms: Atoms) -> Path:
    task.mkdir(parents=True)
    made.write_input(task, made.assign(atoms), Purpose.SCF, 1)
    words = ["bash", "-c", made.command(Purpose.SCF)]
    subprocess.run(words, cwd=task, check=False, capture_output=True)
    return task


@pytest.mark.slow
def test_real_cp2k_converges_at_another_try(tmp_path: Path) -> None:
    text = cp2k_inputs.cp2k_input("ENERGY_FORCE", cp2k_inputs.GPW)
    short = gpw(tmp_path, text.replace("MAX_SCF 50", "MAX_SCF 3"))
    atoms = silicon()
    first = computed(short, tmp_path / "first", atoms)
    assert short.check(first, Purpose.SCF).outcome is Outcome.UNUSABLE
    again = short.changed({"MAX_SCF": 50})
    second = computed(again, tmp_path / "second", atoms)
    assert again.check(second, Purpose.SCF).done
    whole = gpw(tmp_path / "direct", text)
    direct = computed(whole, tmp_path / "third", atoms)
    one, other = (
        labels_of(each.read_result(task, Purpose.SCF)[-1])
        for each, task in ((again, second), (whole, direct))
    )
    assert one.energy == pytest.approx(other.energy, abs=1e-8)
    np.testing.assert_allclose(one.forces, other.forces, atol=1e-6)
