"""Logs of CP2K: numbers read by eye, every wording, how a run ended, damaged files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pwact.errors import CutOffError, NotConvergedError, TaskError
from pwact.formats.cp2k_log import Log
from pwact.formats.cp2k_output import GPA, HARTREE, HARTREE_PER_BOHR, read_log
from tests import damage

STARTED = "  **** **** ******  **  PROGRAM STARTED AT               2020-08-14 06:09:53.115\n"
ENDED = "  **** **** ******  **  PROGRAM ENDED AT                 2026-11-24 10:00:00.000\n"
CONVERGED = "  *** SCF run converged in     9 steps ***\n"
ENERGY = " ENERGY| Total FORCE_EVAL ( QS ) energy [a.u.]:              -30.5\n"
FORCES = """\
 ATOMIC FORCES in [a.u.]

 # Atom   Kind   Element          X              Y              Z
      1      1      Si         -0.01000000     0.02000000     0.03000000
      2      2      C           0.01000000    -0.02000000    -0.03000000
 SUM OF ATOMIC FORCES           0.00000000     0.00000000     0.00000000     0.00000000
"""
STRESS = """\
 STRESS| Analytical stress tensor [GPa]
 STRESS|                        x                   y                   z
 STRESS|      x        1.00000000000E+00   2.00000000000E+00   3.00000000000E+00
 STRESS|      y        2.00000000000E+00   4.00000000000E+00   5.00000000000E+00
 STRESS|      z        3.00000000000E+00   5.00000000000E+00   6.00000000000E+00
 STRESS| 1/3 Trace                                             3.66666666667E+00

 STRESS| Eigenvectors and eigenvalues of the analytical stress tensor [GPa]
 STRESS|                        1                   2                   3
"""
FORCES_2025 = """\
 FORCES| Atomic forces [hartree/bohr]
 FORCES| Atom     x               y               z              |f|
 FORCES|    1  -1.00000000E-02  2.00000000E-02  3.00000000E-02  3.74165739E-02
 FORCES|    2   1.00000000E-02 -2.00000000E-02 -3.00000000E-02  3.74165739E-02
 FORCES| Sum    0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00
"""
STRESS_OLD = """\
 STRESS TENSOR [GPa]

            X               Y               Z
  X       1.00000000      2.00000000      3.00000000
  Y       2.00000000      4.00000000      5.00000000
  Z       3.00000000      5.00000000      6.00000000
"""
RUN = STARTED + CONVERGED + ENERGY + FORCES + STRESS + ENDED
ABORT = """\
 *******************************************************************************
 *   ___                                                                       *
 *  /   \\                                                                      *
 * [ABORT]                                                                     *
 *  \\___/   found an unknown keyword IGNORE in section SCF                     *
 *    |                                                                        *
 *******************************************************************************
"""
UNCONVERGED = " *** WARNING in qs_scf.F:542 :: SCF run NOT converged ***\n"
UNCONVERGED_ABORT = """\
 *   ___                                                                       *
 * [ABORT]   SCF run NOT converged. To continue the calculation regardless,    *
 *  \\___/    please set the keyword IGNORE_CONVERGENCE_FAILURE.                *
"""


def log_of(tmp_path: Path, text: str) -> Log:
    return read_log(damage.put(tmp_path / "dft.log", text.encode()))


def check_numbers(log: Log) -> None:
    found = log.single_point(2)
    assert found.energy == pytest.approx(-30.5 * HARTREE, rel=1e-15)
    rows = np.array([[-0.01, 0.02, 0.03], [0.01, -0.02, -0.03]])
    np.testing.assert_allclose(found.forces, HARTREE_PER_BOHR * rows, rtol=1e-14)
    assert found.stress is not None
    stress = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]]) * GPA
    np.testing.assert_allclose(found.stress, stress, rtol=1e-14)


def test_constants_are_those_of_the_code() -> None:
    assert (HARTREE, HARTREE_PER_BOHR) == (27.2113838565563, 51.42206318571696)
    assert pytest.approx(160.21766208, rel=1e-15) == 1 / GPA


@pytest.mark.parametrize("energy", ["[a.u.]:", "(a.u.):", "[hartree]"])
@pytest.mark.parametrize("forces", [FORCES, FORCES_2025])
@pytest.mark.parametrize("stress", [STRESS, STRESS_OLD, STRESS.replace("Analytical", "Numerical")])
def test_every_wording(energy: str, forces: str, stress: str, tmp_path: Path) -> None:
    text = STARTED + CONVERGED + ENERGY.replace("[a.u.]:", energy) + forces + stress + ENDED
    check_numbers(log_of(tmp_path, text))


@pytest.mark.parametrize(
    ("before", "after", "factor"),
    [
        ("stress tensor [GPa]\n", "stress tensor [bar]\n", 1e-4),
        ("stress tensor [GPa]\n", "stress tensor [kbar]\n", 0.1),
    ],
)
def test_units_of_stress(before: str, after: str, factor: float, tmp_path: Path) -> None:
    found = log_of(tmp_path, RUN.replace(before, after, 1)).single_point(2)
    assert found.stress is not None
    assert found.stress[0, 0] == pytest.approx(factor * GPA)


def test_other_units_of_energy_and_forces(tmp_path: Path) -> None:
    text = RUN.replace(FORCES, FORCES_2025.replace("hartree/bohr", "eV/angstrom"))
    found = log_of(tmp_path, text.replace("energy [a.u.]", "energy [eV]")).single_point(2)
    assert found.energy == -30.5
    assert found.forces == [[-0.01, 0.02, 0.03], [0.01, -0.02, -0.03]]
    for word in ("energy [a.u.]", "FORCES in [a.u.]", "stress tensor [GPa]"):
        with pytest.raises(TaskError, match="line [0-9]+: the unit 'cal' is none of "):
            log_of(tmp_path, RUN.replace(word, f"{word.split('[')[0]}[cal]", 1))


@pytest.mark.parametrize("more", ["", ENERGY + FORCES + ENDED, ABORT])
@pytest.mark.parametrize("message", [UNCONVERGED, UNCONVERGED_ABORT])
def test_unconverged(message: str, more: str, tmp_path: Path) -> None:
    log = log_of(tmp_path, STARTED + message + more)
    with pytest.raises(NotConvergedError, match="SCF run NOT converged"):
        log.single_point(2)
    assert [one.converged for one in log.evaluations] == ([False] if ENERGY in more else [])


def test_what_cp2k_says_when_it_gives_up(tmp_path: Path) -> None:
    log = log_of(tmp_path, STARTED + ABORT)
    with pytest.raises(CutOffError, match="dft.log: CP2K gave up: found an unknown keyword IGNORE"):
        log.demand_end()
    log = log_of(tmp_path, STARTED + UNCONVERGED_ABORT)
    assert "To continue the calculation regardless" in log.abort
    assert log.abort.endswith("please set the keyword IGNORE_CONVERGENCE_FAILURE.")


def test_limits_of_the_input(tmp_path: Path) -> None:
    assert not log_of(tmp_path, RUN).out_of_steps
    steps = " *** MAXIMUM NUMBER OF OPTIMIZATION STEPS REACHED ***\n"
    assert log_of(tmp_path, RUN + steps).out_of_steps
    time = " *** exceeded requested execution time:     60.000 seconds. ***\n"
    with pytest.raises(TaskError, match="exceeded requested execution time"):
        log_of(tmp_path, RUN + time).single_point(2)


def test_two_evaluations_are_no_single_point(tmp_path: Path) -> None:
    head, tail = RUN.index(ENERGY), RUN.index(ENDED)
    twice = RUN[:head] + RUN[head:tail].replace("-30.5", "-31.5") + RUN[head:]
    log = log_of(tmp_path, twice)
    assert len(log.evaluations) == 2
    with pytest.raises(TaskError, match="holds 2 energies of a run in which atoms move"):
        log.single_point(2)


def test_another_energy_before_the_one_with_forces(tmp_path: Path) -> None:
    alone = RUN[RUN.index(ENERGY) :].splitlines(keepends=True)[0]
    head = RUN.index(ENERGY)
    check_numbers(log_of(tmp_path, RUN[:head] + alone + RUN[head:]))
    other = RUN[:head] + alone.replace("-30.5", "-31.5") + RUN[head:]
    with pytest.raises(TaskError, match="holds 2 energies of a run in which atoms move"):
        log_of(tmp_path, other).single_point(2)


@pytest.mark.parametrize("kind", ["VIBRATIONAL_ANALYSIS", "DEBUG", "BAND"])
def test_other_runs_are_no_single_points(kind: str, tmp_path: Path) -> None:
    head = RUN.index(ENERGY)
    with pytest.raises(TaskError, match=rf"a run in which atoms move \({kind}\); a single point"):
        log_of(tmp_path, f"{RUN[:head]} GLOBAL| Run type  {kind}\n{RUN[head:]}").single_point(2)


def test_the_last_of_two_runs_counts(tmp_path: Path) -> None:
    other = RUN.replace("-30.5", "-31.5")
    check_numbers(log_of(tmp_path, other + RUN))
    with pytest.raises(CutOffError):
        log_of(tmp_path, RUN + other.replace(ENDED, "")).single_point(2)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (ENERGY, "", "line 3: this stands before any energy"),
        (FORCES, "", "line 3: forces on 0 atoms follow the energy; expected 2"),
        ("      2      2      C ", "      3      2      C ", "line 8: no forces on atom 2"),
        ("     2      2      C           0.01000000    -0.02", "", "no forces on atom 2"),
        ("-0.02000000    -0.03", "********** -0.03", "line 8: '[*]+' is not a number"),
        ("-30.5", "NaN", "line 3: NaN is not finite"),
        ("4.00000000000E+00", "NaN", "line 13: NaN is not finite"),
        ("STRESS|      y        2.0", "STRESS|      y  1.0   2.0", "no row of a stress tensor"),
        (" STRESS|      z", " STRESS|      x", "no row of a stress tensor"),
    ],
)
def test_damage_is_named(before: str, after: str, message: str, tmp_path: Path) -> None:
    assert before in RUN
    with pytest.raises(TaskError, match=message):
        log_of(tmp_path, RUN.replace(before, after, 1)).single_point(2)


def test_damaged_tables_of_2025(tmp_path: Path) -> None:
    text = RUN.replace(FORCES, FORCES_2025)
    for before, after in (
        (" FORCES|    2 ", " FORCES|    3 "),
        ("-02  3.74165739E-02\n F", "-02\n F"),
    ):
        assert before in text
        with pytest.raises(TaskError, match="line [0-9]+: no forces on atom [12]"):
            log_of(tmp_path, text.replace(before, after, 1)).single_point(2)
    lines = FORCES_2025.splitlines(keepends=True)
    with pytest.raises(TaskError, match="forces on 1 atoms follow the energy; expected 2"):
        log_of(tmp_path, RUN.replace(FORCES, "".join(lines[:3]))).single_point(2)


def test_cut_anywhere(tmp_path: Path) -> None:
    for place in range(len(RUN)):
        log = log_of(tmp_path, RUN[:place])
        with pytest.raises(CutOffError, match="dft.log"):
            log.single_point(2)


# whole logs


@pytest.mark.parametrize("name", ["scf/dft.log", "scf_6.log", "scf_2025.log"])
def test_numbers_read_by_eye(samples: Path, name: str) -> None:
    log = read_log(samples / "cp2k" / name)
    found = log.single_point(8)
    assert found.energy == pytest.approx(-31.941818435373236 * 27.2113838565563, abs=1e-9)
    forces = np.array(found.forces)
    first = np.array([0.01359404, 0.00865923, 0.01876154]) * 51.42206318571696
    np.testing.assert_allclose(forces[0], first, atol=1e-12)
    last = np.array([-0.02343810, -0.00913610, -0.01454871]) * 51.42206318571696
    np.testing.assert_allclose(forces[7], last, atol=1e-12)
    assert found.stress is not None
    second = np.array([-3.54043057981, 25.2359833164, -0.443243844197]) / 160.21766208
    np.testing.assert_allclose(found.stress[1], second, atol=1e-10 if "/" not in name else 1e-14)
    assert log.cell == {"a": [4.1, 0.02, 0.0], "b": [0.1, 4.02, -0.05], "c": [0.0, 0.07, 4.15]}
    assert [symbol for symbol, _ in log.atoms] == ["Li", "H"] * 4
    assert log.atoms[7] == ("H", [-0.040863, 2.033699, -0.065234])


def test_an_scf_that_did_not_converge(samples: Path) -> None:
    """CP2K 2023 goes on and ends as if all were well."""
    log = read_log(samples / "cp2k" / "unconverged" / "dft.log")
    assert log.ended
    count = len(log.atoms)
    assert count in {8, 302}
    assert len(log.evaluations) == 1
    assert log.evaluations[0].converged is False
    with pytest.raises(NotConvergedError):
        log.single_point(count)


def test_an_md(samples: Path) -> None:
    log = read_log(samples / "cp2k" / "md" / "dft.log")
    assert [one.step for one in log.evaluations] == [1, *range(1, 13)]
    assert all(one.converged for one in log.evaluations)
    found = log.evaluations[1]
    assert found.energy == pytest.approx(-31.941710805921552 * 27.2113838565563, abs=1e-9)
    assert found.stress is not None
    assert found.stress[0, 2] == pytest.approx(2.66222158696e-01 / 160.21766208, abs=1e-14)


@pytest.mark.parametrize("name", ["scf_6.log", "scf_2025.log"])
def test_a_cut_log(samples: Path, tmp_path: Path, name: str) -> None:
    content = (samples / "cp2k" / name).read_bytes()
    end = content.index(b"PROGRAM ENDED AT")
    count = 0
    for place in damage.cuts(content):
        log = read_log(damage.put(tmp_path / "dft.log", content[:place]))
        if place > content.index(b"\n", end):
            assert log.ended
            continue
        count += 1
        with pytest.raises(CutOffError):
            log.single_point(30)
    assert count > 100


@pytest.mark.parametrize("word", [b"NaN", b"********"])
def test_a_spoiled_log(word: bytes, samples: Path, tmp_path: Path) -> None:
    content = (samples / "cp2k" / "scf_2025.log").read_bytes()
    log = read_log(samples / "cp2k" / "scf_2025.log")
    whole = log.single_point(len(log.atoms))
    refused = []
    for spoiled in damage.spoiled(content, word, count=80):
        path = damage.put(tmp_path / "dft.log", spoiled)
        try:
            forces = read_log(path).single_point(len(log.atoms)).forces
        except TaskError as error:
            refused.append(re.search(r"dft.log, line \d+: ", str(error)))
        else:  # a number that is not read
            assert forces == whole.forces
    assert len(refused) >= 8
    assert all(refused)
