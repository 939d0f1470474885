"""Numbers in control files that programs take and that are hardly meant: named, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from pwact.engines.labelers import Purpose
from pwact.engines.lammps.unlikely import unlikely
from pwact.engines.unlikely import NamesUnlikely, as_warnings, unlikely_words
from pwact.errors import InputError
from tests.engines import (
    abacus_helpers,
    cp2k_inputs,
    dftbplus_helpers,
    pwmat_helpers,
    qe_inputs,
    test_ase,
)
from tests.engines.vasp_helpers import vasp

Making = Callable[[Path, str, str], NamesUnlikely]


def of_ase(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    aimd = {"timestep_fs": float(step), "temperature_k": float(temperature)}
    return test_ase.labeler(folder, {"calculator": "emt", "aimd": aimd})


def of_vasp(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    return vasp(folder, f"IBRION = 0; NSW = 4; POTIM = {step}; TEBEG = {temperature}\n")


def of_cp2k(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    motion = cp2k_inputs.MD.replace("TIMESTEP 2.0", f"TIMESTEP [fs] {step}")
    motion = motion.replace("TEMPERATURE 300", f"TEMPERATURE {temperature}")
    return cp2k_inputs.labeler(folder, cp2k_inputs.cp2k_input("MD", motion=motion))


def of_qe(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    text = qe_inputs.pw_input("md").replace("dt=40", f"dt={20.67 * float(step):.6f}d0")
    return qe_inputs.labeler(folder, text.replace("tempw=600", f"tempw={temperature}"))


def of_pwmat(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    text = f"4 1\nJOB = MD\nMD_DETAIL = 2, 100, {step}, {temperature}, 300  # as it should be\n"
    return pwmat_helpers.labeler(folder, text)


def of_abacus(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    text = abacus_helpers.abacus_input(Purpose.AIMD).replace("md_dt 2.0", f"md_dt {step} # fs")
    text = text.replace("md_tfirst 300", f"md_tfirst {temperature}")
    return abacus_helpers.abacus(folder, text)


def of_dftbplus(folder: Path, step: str, temperature: str) -> NamesUnlikely:
    bath = f"NoseHoover {{\n Temperature [Kelvin] = {temperature}\n CouplingStrength = 0.02 }}"
    text = dftbplus_helpers.hsd(Purpose.AIMD).replace("None {}", bath)
    return dftbplus_helpers.labeler(folder, text.replace("[fs] = 2.0", f"[fs] = {step}"))


ENGINES = [of_ase, of_vasp, of_cp2k, of_qe, of_pwmat, of_abacus, of_dftbplus]


@pytest.mark.parametrize("making", ENGINES)
@pytest.mark.parametrize(
    ("step", "temperature", "found"),
    [
        ("1.0", "300", ""),
        ("0.001", "300", "which is hardly meant; usual is"),
        ("50", "300", "which is hardly meant; usual is"),
        ("1", "0", "found 0 K, which is hardly meant; usual is 1 to 10000 K"),
        ("1", "2e4", "found 20000 K, which is hardly meant; usual is 1 to 10000 K"),
    ],
)
def test_time_steps_and_temperatures(
    making: Making, step: str, temperature: str, found: str, tmp_path: Path
) -> None:
    labeler = making(tmp_path, step, temperature)
    for purpose in (Purpose.RELAX, Purpose.SCF):
        assert unlikely_words([labeler], purpose, strict=True) == []
    said = unlikely_words([labeler, labeler], Purpose.AIMD, strict=False)
    assert len(said) == bool(found)
    assert all(found in words for words in said)
    if found:
        with pytest.raises(InputError, match="hardly meant") as caught:
            unlikely_words([labeler], Purpose.AIMD, strict=True)
        assert caught.value.file is not None
        assert caught.value.key


def test_an_aimd_of_vasp_without_a_temperature_is_one_at_0_k(tmp_path: Path) -> None:
    labeler = vasp(tmp_path, "IBRION = 0; NSW = 4; POTIM = 1\n")
    (words,) = unlikely_words([labeler], Purpose.AIMD, strict=False)
    assert "TEBEG: found 0 K" in words


def test_dftbplus_takes_a_temperature_without_unit_for_one_in_hartree(tmp_path: Path) -> None:
    text = dftbplus_helpers.hsd(Purpose.AIMD).replace(
        "None {}", "None { InitialTemperature = 300 }"
    )
    labeler = dftbplus_helpers.labeler(tmp_path, text.replace("[fs] = 2.0", "= 40"))
    (words,) = unlikely_words([labeler], Purpose.AIMD, strict=False)
    assert "InitialTemperature: found 9.47325e+07 K" in words


def test_a_labeler_that_knows_no_ranges_says_nothing() -> None:
    assert unlikely_words([object()], Purpose.AIMD, strict=True) == []


INPUT = """units metal
timestep {0}
variable TEMP {2} {1}
fix 1 all nvt temp ${{TEMP}} 300 0.1
run 9
"""


@pytest.mark.parametrize(
    ("step", "temperature", "kind", "found"),
    [
        ("0.001", "300", "equal", []),
        ("1.0", "300", "index", ["line 2, timestep: found 1 ps, which is hardly meant; usual is"]),
        (
            "${STEP}",
            "0",
            "index",
            ["line 3, TEMP: found 0 K, which is hardly meant; usual is 1 to"],
        ),
        ("2e-3", "1e6", "equal", ["line 3, TEMP: found 1e+06 K"]),
        ("2e-3", "0", "getenv", []),
    ],
)
def test_inputs_of_lammps(
    step: str, temperature: str, kind: str, found: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "in.lammps"
    path.write_text(INPUT.format(step, temperature, kind))
    said = as_warnings(unlikely(path), strict=False)
    assert len(said) == len(found)
    assert all(words in line for words, line in zip(found, said))
    path.write_text(INPUT.format("0.001", "300", "equal").replace("${TEMP}", "2e5"))
    with pytest.raises(InputError, match="line 4, temperature: found 200000 K"):
        as_warnings(unlikely(path), strict=True)
