"""How far an MD is: from inputs and outputs that programs wrote, cut off as while they run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pwact.engines.md_steps import steps_made
from pwact.registry.engines import EXPLORERS, LABELERS

DATA = Path(__file__).parent.parent / "data"


def cut_behind(path: Path, words: str, count: int) -> None:
    """Leave what stands before the end of the line of the `count`-th occurrence, and a bit more."""
    parts = path.read_text().split(words)
    line = parts[count].partition("\n")[0]
    path.write_text(words.join(parts[:count]) + words + line + "\n" + words.lstrip()[:5])


def of(name: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(DATA / name, tmp_path / "an MD"))


def test_quantum_espresso(tmp_path: Path) -> None:
    place = of("qe/md", tmp_path)
    assert steps_made(place) == (3, 3)
    cut_behind(place / "dft.log", "     Entering Dynamics:    iteration =", 2)
    assert steps_made(place) == (2, 3)


def test_dftbplus(tmp_path: Path) -> None:
    place = of("dftbplus/md_nvt", tmp_path)
    made, asked = steps_made(place) or (0, 0)
    assert made == asked > 3
    cut_behind(place / "md.out", "MD step:", 3)
    assert steps_made(place) == (2, asked)


def test_cp2k(tmp_path: Path) -> None:
    place = of("cp2k/md", tmp_path)
    assert steps_made(place) == (0, 12)
    head = "#     Step Nr.          Time[fs]        Kin.[a.u.]          Temp[K]\n"
    rows = [f"{step:10d} {0.5 * step:20.6f}         0.005    300.0\n" for step in (0, 1)]
    (place / "LiH-1.ener").write_text(head + "".join(rows) + "         2")
    assert steps_made(place) == (1, 12)


def test_vasp(tmp_path: Path) -> None:
    (tmp_path / "INCAR").write_text("IBRION = 0\nNSW = 500\nPOTIM = 1\n")
    assert steps_made(tmp_path) == (0, 500)
    electronic = "DAV:   1    -0.1E+02   -0.1E+02   -0.5E+03  1000   0.5E+02\n"
    ionic = "{:7d} T=   600. E= -.110E+03 F= -.111E+03 E0= -.111E+03\n"
    text = "".join(electronic + ionic.format(step) for step in range(1, 13))
    (tmp_path / "OSZICAR").write_text(f"       N       E\n{text}{electronic}     13 T=   60")
    assert steps_made(tmp_path) == (12, 500)
    (tmp_path / "INCAR").write_text("IBRION = 2\nNSW = 500\n")
    assert steps_made(tmp_path) is None


def test_pwmat(tmp_path: Path) -> None:
    (tmp_path / "etot.input").write_text("4 1\nJOB = MD\nMD_DETAIL = 2 100 2 300 300\n")
    assert steps_made(tmp_path) == (0, 100)
    head = (DATA / "pwmat/MOVEMENT").read_text().partition("\n")[0]
    lines = [head.replace("-0.1000000000E+01", f"{time:.10E}") for time in (0, 2, 4, 6)]
    assert lines[1] != head
    (tmp_path / "MOVEMENT").write_text("\n".join(lines))  # the last line has no end yet
    assert steps_made(tmp_path) == (2, 100)


def test_abacus(tmp_path: Path) -> None:
    (tmp_path / "INPUT").write_text("INPUT_PARAMETERS\ncalculation md\nmd_nstep 40\n")
    assert steps_made(tmp_path) == (0, 40)
    (tmp_path / "OUT.pwact").mkdir()
    text = "".join(f" STEP OF MOLECULAR DYNAMICS : {step}\n" for step in range(8))
    (tmp_path / "OUT.pwact/running_md.log").write_text(text)
    assert steps_made(tmp_path) == (7, 40)


def test_ase(tmp_path: Path) -> None:
    (tmp_path / "md.json").write_text(json.dumps({"condition": {"nsteps": 20}}))
    (tmp_path / "md.log").write_text("Step PotEng\n0 -1.0\n10 -1.0\n")
    assert steps_made(tmp_path) == (10, 20)
    (tmp_path / "md.json").write_text(json.dumps({"condition": None}))
    assert steps_made(tmp_path) is None


@pytest.mark.parametrize("name", ["INCAR", "cp2k.inp", "pw.in", "etot.input", "md.json"])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\x00 &MOTION {\n")
    assert steps_made(tmp_path) is None


def test_whatever_goes_wrong_with_a_reader_nothing_depends_on_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "md.json").write_text("{}")

    def broken(directory: Path) -> None:
        raise IndexError(directory)

    monkeypatch.setattr("pwact.engines.ase.explorer.md_steps", broken)
    assert steps_made(tmp_path) is None


def test_every_program_that_runs_mds_has_its_reader() -> None:
    entries = {**EXPLORERS, **LABELERS}
    assert [name for name, entry in entries.items() if entry.md is None] == ["bigmodel"]
