"""The screen and detailed.out of DFTB+: real outputs, then damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import TaskError
from pwact.io.dftbplus_output import read_details, read_screen
from tests.damage import cuts, put

FAILED = "SCC is NOT converged, maximal SCC iterations exceeded"


@pytest.mark.parametrize(
    ("name", "steps", "energy", "ended", "relaxed", "error"),
    [
        ("01_sp_cluster", 1, -1.4486185888, True, True, ""),
        ("01_sp_lisi", 1, -2.8014107212, True, True, ""),
        ("02_relax_si8", 29, -10.0692081480, True, True, ""),
        ("02_relax_si8_maxsteps", 4, -10.0654591822, True, False, ""),
        ("03_md_npt_si8", 21, -10.0525532586, True, True, ""),
        ("03_md_nvt_lisi_mdoutput", 21, -2.8052588487, True, True, ""),
        ("04_scc_fail", 1, None, False, True, FAILED),
        ("04_scc_fail_md", 1, None, False, True, FAILED),
        ("04_scc_fail_ConvergentSCCOnly_No", 1, -2.8014103416, True, True, ""),
        ("05_err_syntax", 0, None, False, True, "HSD parser error: File"),
        ("05_err_missing_skf", 0, None, False, True, "SK file with generated name"),
        ("05_err_keyword", 0, None, False, True, "Code halting due to the presence of errors"),
    ],
)
def test_real_screens(
    outside: Path, name: str, steps: int, energy: float, ended: bool, relaxed: bool, error: str
) -> None:
    screen = read_screen(outside / "dftbplus" / name / "dftb.out")
    assert screen.release == "25.1"
    assert [step.number for step in screen.steps] == list(range(steps))
    assert (screen.steps[-1].energy if steps else None) == energy
    assert (screen.ended, screen.relaxed) == (ended, relaxed)
    assert bool(screen.error) == bool(error)
    assert screen.error.startswith(error)
    assert all(step.converged for step in screen.steps) == ("scc_fail" not in name)


def test_the_unknown_keyword_is_named(outside: Path) -> None:
    screen = read_screen(outside / "dftbplus" / "05_err_keyword" / "dftb.out")
    assert screen.end.endswith("dftb_in file. (Hamiltonian/DFTB/SCCTollerance)")


@pytest.mark.parametrize(
    ("name", "energy", "scc"),
    [
        ("01_sp_cluster", -1.4486185888, True),
        ("01_sp_lisi", -2.8014107212, True),
        ("03_md_nvt_lisi_mdoutput", -2.8052588487, True),
        ("04_scc_fail", -2.8014103416, None),
        ("04_scc_fail_ConvergentSCCOnly_No", -2.8014103416, False),
    ],
)
def test_real_details(outside: Path, name: str, energy: float, scc: bool) -> None:
    details = read_details(outside / "dftbplus" / name / "detailed.out")
    assert (details.energy, details.scc) == (energy, scc)


def test_a_charge_of_its_own(tmp_path: Path) -> None:
    text = b"Total Mermin free energy:  -1.5 H  -40.8 eV\n\nNon-SCC calculation\n"
    details = read_details(put(tmp_path / "detailed.out", text))
    assert (details.energy, details.scc) == (-1.5, True)


@pytest.mark.parametrize("name", ["02_relax_si8", "03_md_nvt_lisi_mdoutput"])
def test_cuts_of_a_screen(outside: Path, tmp_path: Path, name: str) -> None:
    """What is read of a part is the beginning of what is read of the whole."""
    content = (outside / "dftbplus" / name / "dftb.out").read_bytes()
    whole = read_screen(put(tmp_path / "dft.log", content)).steps
    for place in cuts(content):
        found = read_screen(put(tmp_path / "dft.log", content[:place]))
        energies = [step.energy for step in found.steps]
        assert energies[:-1] == [step.energy for step in whole][: max(len(energies) - 1, 0)]
        assert not energies or energies[-1] in {None, whole[len(energies) - 1].energy}
        assert not found.ended or place > content.rindex(b"Total  ")


def test_two_runs_in_one_file(outside: Path, tmp_path: Path) -> None:
    folder = outside / "dftbplus" / "01_sp_si8"
    for name, read in (("dftb.out", read_screen), ("detailed.out", read_details)):
        content = (folder / name).read_bytes()
        with pytest.raises(TaskError, match=r"line \d+: this is the output of more than one run"):
            read(put(tmp_path / name, content + content))
        with pytest.raises(TaskError, match="more than one run"):
            read(put(tmp_path / name, content[: len(content) - 100] + content))


@pytest.mark.parametrize("word", [b"NaN          ", b"*************", b"-2.80141e    "])
def test_energies_that_are_none(outside: Path, tmp_path: Path, word: bytes) -> None:
    folder = outside / "dftbplus" / "01_sp_lisi"
    for name, read in (("dftb.out", read_screen), ("detailed.out", read_details)):
        content = (folder / name).read_bytes()
        with pytest.raises(TaskError, match=rf"{name}, line \d+"):
            read(put(tmp_path / name, content.replace(b"-2.8014107212", word)))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_screen(tmp_path / "dft.log")
