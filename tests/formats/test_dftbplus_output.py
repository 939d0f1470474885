"""The screen and detailed.out of DFTB+: whole outputs, then damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import TaskError
from pwact.formats.dftbplus_output import read_details, read_screen
from tests.damage import cuts, put

FAILED = "SCC is NOT converged, maximal SCC iterations exceeded"


SCREENS = [
    ("sp_cluster", 1, -0.2344387478, True, True, ""),
    ("sp_alloy", 1, -0.4989146111, True, True, ""),
    ("relax", 16, -0.5155248526, True, True, ""),
    ("relax_maxsteps", 4, -0.5155125090, True, False, ""),
    ("md_npt", 13, -0.5109768296, True, True, ""),
    ("md_nvt", 13, -0.5098485913, True, True, ""),
    ("scc_fail", 1, None, False, True, FAILED),
    ("scc_fail_md", 1, None, False, True, FAILED),
    ("scc_fail_goes_on", 1, -0.4989146111, True, True, ""),
    ("err_syntax", 0, None, False, True, "HSD parser error: File"),
    ("err_missing_skf", 0, None, False, True, "SK file with generated name"),
    ("err_keyword", 0, None, False, True, "Code halting due to the presence of errors"),
]


@pytest.mark.parametrize(("name", "steps", "energy", "ended", "relaxed", "error"), SCREENS)
def test_whole_screens(
    samples: Path, name: str, steps: int, energy: float, ended: bool, relaxed: bool, error: str
) -> None:
    check_screen(samples / "dftbplus" / name / "dftb.out", steps, energy, ended, relaxed, error)


def check_screen(
    path: Path, steps: int, energy: float, ended: bool, relaxed: bool, error: str
) -> None:
    screen = read_screen(path)
    assert screen.release == "25.1"
    assert [step.number for step in screen.steps] == list(range(steps))
    assert (screen.steps[-1].energy if steps else None) == energy
    assert (screen.ended, screen.relaxed) == (ended, relaxed)
    assert bool(screen.error) == bool(error)
    assert screen.error.startswith(error)
    assert all(step.converged for step in screen.steps) == ("scc_fail" not in path.parent.name)


def test_the_unknown_keyword_is_named(samples: Path) -> None:
    screen = read_screen(samples / "dftbplus" / "err_keyword" / "dftb.out")
    assert screen.end.endswith("dftb_in file. (Hamiltonian/DFTB/SCCTollerance)")


@pytest.mark.parametrize(
    ("name", "energy", "scc"),
    [
        ("sp_cluster", -0.2344387478, True),
        ("sp_alloy", -0.4989146111, True),
        ("md_nvt", -0.5098485913, True),
        ("scc_fail", -0.4989146111, None),
        ("scc_fail_goes_on", -0.4989146111, False),
    ],
)
def test_whole_details(samples: Path, name: str, energy: float, scc: bool) -> None:
    details = read_details(samples / "dftbplus" / name / "detailed.out")
    assert (details.energy, details.scc) == (energy, scc)


def test_a_charge_of_its_own(tmp_path: Path) -> None:
    text = b"Total Mermin free energy:  -1.5 H  -40.8 eV\n\nNon-SCC calculation\n"
    details = read_details(put(tmp_path / "detailed.out", text))
    assert (details.energy, details.scc) == (-1.5, True)


@pytest.mark.parametrize("name", ["relax", "md_nvt"])
def test_cuts_of_a_screen(samples: Path, tmp_path: Path, name: str) -> None:
    """What is read of a part is the beginning of what is read of the whole."""
    content = (samples / "dftbplus" / name / "dftb.out").read_bytes()
    whole = read_screen(put(tmp_path / "dft.log", content)).steps
    for place in cuts(content):
        found = read_screen(put(tmp_path / "dft.log", content[:place]))
        energies = [step.energy for step in found.steps]
        assert energies[:-1] == [step.energy for step in whole][: max(len(energies) - 1, 0)]
        assert not energies or energies[-1] in {None, whole[len(energies) - 1].energy}
        assert not found.ended or place > content.rindex(b"Total  ")


def test_two_runs_in_one_file(samples: Path, tmp_path: Path) -> None:
    folder = samples / "dftbplus" / "sp_copper"
    for name, read in (("dftb.out", read_screen), ("detailed.out", read_details)):
        content = (folder / name).read_bytes()
        with pytest.raises(TaskError, match=r"line \d+: this is the output of more than one run"):
            read(put(tmp_path / name, content + content))
        with pytest.raises(TaskError, match="more than one run"):
            read(put(tmp_path / name, content[: len(content) - 100] + content))


@pytest.mark.parametrize("word", [b"NaN          ", b"*************", b"-2.80141e    "])
def test_energies_that_are_none(samples: Path, tmp_path: Path, word: bytes) -> None:
    folder = samples / "dftbplus" / "sp_alloy"
    energy = f"{read_details(folder / 'detailed.out').energy}".encode()
    for name, read in (("dftb.out", read_screen), ("detailed.out", read_details)):
        content = (folder / name).read_bytes()
        assert content.count(energy) == 2
        with pytest.raises(TaskError, match=rf"{name}, line \d+"):
            read(put(tmp_path / name, content.replace(energy, word)))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_screen(tmp_path / "dft.log")
