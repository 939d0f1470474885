"""What each program's input may be changed to for another try of an SCF, and what never."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.ase.retry import TABLES, arguments_with
from pwact.engines.labelers import Labeler, Purpose
from pwact.engines.ladder import Changeable, able
from pwact.errors import InputError
from pwact.formats.labels import labels_of
from pwact.registry.engines import LABELERS
from pwact.verdict import Outcome
from tests.engines import (
    abacus_helpers,
    cp2k_inputs,
    dftbplus_helpers,
    pwmat_helpers,
    qe_inputs,
    vasp_helpers,
)
from tests.engines.qe_inputs import pw_input, silicon, upf
from tests.engines.test_cp2k_real import gpw

STRUCTURE = {
    "vasp": vasp_helpers.alloy,
    "qe": silicon,
    "cp2k": silicon,
    "abacus": vasp_helpers.alloy,
    "pwmat": pwmat_helpers.alloy,
    "dftb+": dftbplus_helpers.alloy,
    "ase": vasp_helpers.alloy,
}
INPUT = {
    "vasp": "INCAR",
    "qe": "pw.in",
    "cp2k": "cp2k.inp",
    "abacus": "INPUT",
    "pwmat": "etot.input",
    "dftb+": "dftb_in.hsd",
    "ase": "ase.json",
}
INCAR = "ENCUT = 400\nAMIX = 0.4 ; NELM = 60\nISMEAR = 0; SIGMA = 0.05\n"
ETOT = pwmat_helpers.CONTROLS[Purpose.SCF] + (
    "# stub: stubborn 200\nscf_iter0_1 = 6 4 3 0.0 0.025 2\nSCF_ITER0_2 = 94 4 3 1.0 0.025 2\n"
)
CALCULATOR = "tests.engines.calculators:TBLite"


def labeler(name: str, folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    return MAKERS[name](folder)


def by_qe(folder: Path) -> Any:
    (folder / "Si.UPF").write_text(upf("Si", 4))
    place = str(folder).replace("'", "''")  # as in Fortran
    control = f"pseudo_dir='{place}'"
    return qe_inputs.labeler(folder, pw_input(control=control, electrons="mixing_beta = 0.7"))


def by_abacus(folder: Path) -> Any:
    more = "mixing_beta 0.7\n# stub: stubborn 0.2\n"
    return abacus_helpers.abacus(folder, abacus_helpers.abacus_input(more=more))


def by_dftbplus(folder: Path) -> Any:
    text = dftbplus_helpers.hsd(Purpose.SCF, "# stub: stubborn 300\n")
    return dftbplus_helpers.labeler(folder, text)


def by_ase(folder: Path) -> Any:
    path = folder / "calculator.json"
    path.write_text(json.dumps({"calculator": CALCULATOR, "arguments": {"max_iterations": 300}}))
    config = LabelConfig(file=folder / "param.json", style="ase", inputs=(DftInput(path),))
    return labeler_for(config, 0, ResourceBlock(name="DFT"))


MAKERS: dict[str, Callable[[Path], Any]] = {
    "vasp": lambda folder: vasp_helpers.vasp(folder, INCAR),
    "qe": by_qe,
    "cp2k": lambda folder: cp2k_inputs.labeler(
        folder, cp2k_inputs.cp2k_input("ENERGY_FORCE", cp2k_inputs.GPW)
    ),
    "abacus": by_abacus,
    "pwmat": lambda folder: pwmat_helpers.labeler(folder, ETOT),
    "dftb+": by_dftbplus,
    "ase": by_ase,
}


def written(made: Labeler, folder: Path, name: str) -> list[str]:
    folder.mkdir()
    made.write_input(folder, made.assign(STRUCTURE[name]()), Purpose.SCF, 1)
    return (folder / INPUT[name]).read_text().splitlines()


def test_who_can() -> None:
    assert set(able()) == set(LABELERS) - {"script", "bigmodel"}


@pytest.mark.parametrize(
    ("name", "changes", "lines"),
    [
        ("qe", {"Mixing_Beta": 0.2, "electron_maxstep": 300}, ["mixing_beta = 0.2"]),
        ("qe", {"mixing_mode": "local-tf"}, ["mixing_mode = 'local-TF'"]),
        ("qe", {"diago_full_acc": True}, ["diago_full_acc = .true."]),
        ("vasp", {"amix": 0.1, "ALGO": "all", "NELM": 200}, ["AMIX = 0.1", "ALGO = All"]),
        ("cp2k", {"MIXING/ALPHA": 0.1, "max_scf": 200}, ["ALPHA 0.1", "MAX_SCF 200"]),
        ("abacus", {"Mixing_Beta": 0.1, "scf_nmax": 300}, ["mixing_beta 0.1", "scf_nmax 300"]),
        ("abacus", {"mixing_dmr": True, "ks_solver": "DAV"}, ["mixing_dmr 1", "ks_solver dav"]),
        ("pwmat", {"kerk_amix": 0.2}, ["KERK_AMIX = 0.2"]),
        (
            "pwmat",
            {"SCF_ITER0_2": "300 4 3 1.05 0.025 2"},
            ["SCF_ITER0_2 = 300 4 3 1.05 0.025 2"],
        ),
        ("ase", {"max_iterations": 900}, ['"max_iterations": 900']),
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
        words = {word.lower() for word in re.split(r'[\s="]+', line)}
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
        (
            "abacus",
            "smearing_sigma smearing_method ecutwfc scf_thr scf_ene_thr nspin kspacing nbands",
        ),
        (
            "abacus",
            "dft_functional scf_os_stop mixing_tau mixing_dftu pw_diag_thr init_chg symmetry",
        ),
        ("pwmat", "E_ERROR RHO_ERROR WG_ERROR ECUT MP_N123 XCFUNCTIONAL SPIN NUM_BAND CONVERGENCE"),
        ("dftb+", "SCCTolerance Filling KPointsAndWeights ConvergentSCCOnly Charge SCC"),
        ("ase", "electronic_temperature accuracy method"),
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
        ("abacus", {"mixing_type": "kerker"}, 'found "kerker"; expected "plain"'),
        ("pwmat", {"SCF_ITER0_2": "300 4 3 1.0 0.05 2"}, "found 0.05 as smearing width; .* 0.025"),
        ("pwmat", {"SCF_ITER0_2": "300, 4, 3, 1.0, 0.025, 1"}, "found 1 as kind of smearing"),
        ("pwmat", {"SCF_ITER0_2": "300 4 3 0.0 0.025 2"}, "found 0.0; mixing is 0"),
        ("pwmat", {"SCF_ITER0_2": "300 4"}, "found 300 4; expected six numbers"),
        ("pwmat", {"SCF_ITER1_1": "300 4 3 1.0 0.025 2"}, "has no such line"),
        ("dftb+", {"Mixer": "Simple", "Mixer/Generations": 4}, "the mixer is Simple, which knows"),
        ("dftb+", {"Mixer/MixingParameter": 2}, "found 2; expected a number > 0"),
    ],
)
def test_values_are_checked(tmp_path: Path, name: str, changes: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        labeler(name, tmp_path).changed(changes)


@pytest.mark.parametrize(
    ("own", "changes", "lines"),
    [
        ("", {"MaxSCCIterations": 400}, ["!MaxSCCIterations = 400"]),
        (
            "",
            {"Mixer/MixingParameter": 0.05},
            ["!Mixer = Broyden {", "MixingParameter = 0.05", "}"],
        ),
        ("", {"mixer": "anderson"}, ["!Mixer = Anderson {", "}"]),
        (
            "Mixer = Anderson { Generations = 8 }\n",
            {"Mixer/MixingParameter": 0.02},
            ["+Mixer = {", "+Anderson = {", "!MixingParameter = 0.02;", "}", "}"],
        ),
        (
            "Mixer = Anderson { Generations = 8 }\n",
            {"Mixer": "Broyden", "Mixer/MixingParameter": 0.02},
            ["!Mixer = Broyden {", "MixingParameter = 0.02", "}"],
        ),
    ],
)
def test_mixers_of_dftb(tmp_path: Path, own: str, changes: Any, lines: list[str]) -> None:
    text = dftbplus_helpers.hsd(Purpose.SCF).replace("  SCC = Yes", f"  {own}  SCC = Yes")
    made = dftbplus_helpers.labeler(tmp_path, text)
    before = written(made, tmp_path / "first", "dftb+")
    after = written(made.changed(changes), tmp_path / "second", "dftb+")
    assert len(after) > len(before)
    start = next(number for number, line in enumerate(after) if line == "+Hamiltonian = {")
    own_lines = after[start : start + 4 + len(lines)]
    assert [line.strip() for line in own_lines] == [
        "+Hamiltonian = {",
        "+DFTB = {",
        *lines,
        "}",
        "}",
    ]
    assert [*after[:start], *after[start + 4 + len(lines) :]] == before
    dftbplus_helpers.run(made, tmp_path / "second", Purpose.SCF)
    assert made.check(tmp_path / "second", Purpose.SCF).done  # the program understands it


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("abacus", {"mixing_beta": 0.1}),
        ("pwmat", {"SCF_ITER0_2": "200 4 3 1.0 0.025 2"}),
        ("dftb+", {"MaxSCCIterations": 300}),
        ("ase", {"max_iterations": 900}),
    ],
)
def test_a_stand_in_that_converges_with_the_change_alone(
    tmp_path: Path, name: str, changes: Any
) -> None:
    made = labeler(name, tmp_path / "in")
    first = computed(made, tmp_path / "first", STRUCTURE[name]())
    assert made.check(first, Purpose.SCF).outcome is Outcome.UNUSABLE
    again = made.changed(changes)
    second = computed(again, tmp_path / "second", STRUCTURE[name]())
    verdict = again.check(second, Purpose.SCF)
    assert verdict.done, verdict.reason


@pytest.mark.parametrize(
    ("calculator", "before", "changes", "after"),
    [
        (
            "espresso",
            {"input_data": {"ecutwfc": 30, "mixing_beta": 0.7, "ELECTRONS": {"conv_thr": 1e-8}}},
            {"input_data/electrons/mixing_beta": 0.2},
            {"input_data": {"ecutwfc": 30, "ELECTRONS": {"conv_thr": 1e-8, "mixing_beta": 0.2}}},
        ),
        (
            "gpaw:GPAW",
            {"xc": "PBE", "mixer": {"beta": 0.25, "nmaxold": 3}},
            {"mixer/beta": 0.05, "MAXITER": 500},
            {"xc": "PBE", "mixer": {"beta": 0.05, "nmaxold": 3}, "maxiter": 500},
        ),
        ("vasp", {"encut": 300, "algo": "fast"}, {"algo": "all"}, {"encut": 300, "algo": "All"}),
    ],
)
def test_arguments_of_calculators(
    calculator: str, before: Any, changes: Any, after: dict[str, Any]
) -> None:
    whole = json.dumps(before)
    assert arguments_with(changes, calculator, before) == after
    assert json.dumps(before) == whole
    assert arguments_with({}, "emt", before) == before


@pytest.mark.parametrize(
    ("calculator", "arguments", "changes", "words"),
    [
        ("emt", {}, {"maxiter": 3}, "the calculator emt is not known; of abinit, aims"),
        ("gpaw", {"mixer": None}, {"mixer/beta": 0.1}, "mixer is None in the input; expected an"),
        ("gpaw", {}, {"occupations/width": 0.1}, "not what it solves"),
        ("gpaw", {}, {"maxiterr": 3}, "did you mean maxiter"),
        ("espresso", {}, {"input_data/system/degauss": 0.1}, "not what it solves"),
        ("vasp", {}, {"sigma": 0.1}, "not what it solves"),
    ],
)
def test_arguments_that_are_refused(
    calculator: str, arguments: Any, changes: Any, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        arguments_with(changes, calculator, arguments)
    assert caught.value.key == next(iter(changes))


def test_no_table_names_the_physics() -> None:
    physics = (
        "smear occ width temp xc ecut cutoff kpts kspacing conv_thr tol accuracy nspin functional"
    )
    for name, table in TABLES.items():
        for key in table:
            assert not any(word in key.lower() for word in physics.split()), (name, key)


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
    assert np.abs(labels_of(again.read_result(second, Purpose.SCF)[-1]).forces).max() > 0.1
    whole = gpw(tmp_path / "direct", text)  # it computes what an input with this would
    third = tmp_path / "third"
    third.mkdir()
    whole.write_input(third, whole.assign(atoms), Purpose.SCF, 1)
    for path in third.iterdir():  # in its section the key may stand in another place
        texts = ((place / path.name).read_text() for place in (second, third))
        one, other = (sorted(text.split("\n")) for text in texts)
        assert one == other, path.name
    assert "MAX_SCF 50" in (third / "cp2k.inp").read_text()
