"""OUTCAR: files against numbers read by eye and against ASE, then every kind of damage."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.errors import CutOffError, InputError, TaskError
from pwact.formats.labels import labels_of
from pwact.formats.outcar import IonicStep, Outcar
from pwact.formats.structures import read_structure
from tests.damage import cuts, put, spoiled
from tests.formats.conftest import assert_same
from tests.stubs.potcars import write_dummy_potcar

STUB = Path(__file__).parents[1] / "stubs" / "vasp.py"
POSCAR = """Ag Au
1.0
 4.1 0.0 0.1
 0.2 8.0 0.0
 0.0 0.3 4.2
Ag Au
3 1
Direct
 0.01 0.0 0.0
 0.0 0.25 0.51
 0.5 0.27 0.0
 0.5 0.5 0.49
"""
INCAR = "IBRION = 0; NSW = 3; POTIM = 2.0; TEBEG = 400; ISIF = 2; KSPACING = 0.5; EDIFF = 1E-6\n"
NAMES = ["OUTCAR.single", "OUTCAR.unconverged", "OUTCAR.md"]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """An OUTCAR of three steps of MD, written by the stand-in for VASP."""
    folder = tmp_path_factory.mktemp("vasp")
    (folder / "POSCAR").write_text(POSCAR)
    (folder / "INCAR").write_text(INCAR)
    parts = [write_dummy_potcar(folder / name, name).read_bytes() for name in ("Ag_pv", "Au")]
    (folder / "POTCAR").write_bytes(b"".join(parts))
    subprocess.run([sys.executable, str(STUB)], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return (folder / "OUTCAR").read_bytes()


def read(tmp_path: Path, content: bytes) -> tuple[Outcar, list[IonicStep]]:
    outcar = Outcar(put(tmp_path / "OUTCAR", content))
    return outcar, list(outcar)


def frames_of(steps: list[IonicStep]) -> list[Atoms]:
    return [step.atoms for step in steps if step.atoms is not None]


# what files say


def test_numbers_read_by_eye(samples: Path) -> None:
    outcar = Outcar(samples / "vasp" / "OUTCAR.md")
    steps = list(outcar)
    assert outcar.head is not None
    assert outcar.head.symbols == ("Ni",) * 6 + ("Al",) * 2
    assert (outcar.head.nelm, outcar.head.ediff, outcar.head.nsw) == (60, 1e-6, 3)
    assert (outcar.head.isif, outcar.head.nwrite) == (2, 2)
    assert (outcar.ended, outcar.relaxed, outcar.learned) == (True, False, 0)
    assert [(step.number, step.iterations, step.converged) for step in steps] == [
        (1, 13, True),
        (2, 8, True),
        (3, 6, True),
    ]
    last = frames_of(steps)[-1]
    labels = labels_of(last)
    assert labels.energy == -25.06053510
    assert labels.virial is not None
    xx, yy, zz, xy, yz, zx = 6.35262, 6.28149, 5.76145, -3.17198, 1.63840, 0.96722
    np.testing.assert_array_equal(labels.virial, [[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
    np.testing.assert_array_equal(last.positions[0], [0.04615, 0.03005, 0.03576])
    np.testing.assert_array_equal(labels.forces[0], [-0.095954, -0.841039, 0.586795])
    np.testing.assert_array_equal(labels.forces[7], [-1.167175, 0.811139, 1.884509])
    np.testing.assert_array_equal(last.cell.array[0], [7.221526404, 0.090640638, -0.107179874])
    np.testing.assert_array_equal(last.cell.array[1], [0.101196811, 3.597160967, -0.047998715])
    np.testing.assert_array_equal(last.cell.array[2], [-0.048177403, -0.064968991, 3.586581278])


@pytest.mark.parametrize("name", ["OUTCAR.md", "OUTCAR.relaxed"])
def test_labels_are_derivatives_of_one_energy(samples: Path, name: str) -> None:
    """The files are made of EMT with -3.5 eV an atom: signs and order of the virial count."""
    frames = frames_of(list(Outcar(samples / "vasp" / name)))
    assert len(frames) == (4 if "relaxed" in name else 3)
    for frame in frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        energy = again.get_potential_energy() - 3.5 * len(again)
        assert labels.energy == pytest.approx(energy, abs=5e-4)  # positions have five decimals
        np.testing.assert_allclose(labels.forces, again.get_forces(), atol=1e-3)
        virial = -again.get_volume() * again.get_stress(voigt=False)
        np.testing.assert_allclose(labels.virial, virial, atol=5e-3)


def test_a_relaxation(samples: Path) -> None:
    outcar = Outcar(samples / "vasp" / "OUTCAR.relaxed")
    steps = list(outcar)
    assert outcar.head is not None
    assert (outcar.head.nsw, outcar.head.isif) == (40, 3)
    assert (outcar.ended, outcar.relaxed) == (True, True)
    assert [labels_of(frame).energy for frame in frames_of(steps)] == [
        *(-13.79163324, -13.79992790, -13.83023439, -13.83125722)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_another_reader_finds_the_same(samples: Path, name: str) -> None:
    path = samples / "vasp" / name
    ours = frames_of(list(Outcar(path)))
    theirs = ase.io.read(path, index=":", format="vasp-out")
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        labels = labels_of(one)
        assert one.get_chemical_symbols() == other.get_chemical_symbols()
        assert labels.energy == other.get_potential_energy(force_consistent=True)
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_array_equal(one.cell.array, other.cell.array)
        np.testing.assert_array_equal(labels.forces, other.get_forces())
        virial = -other.get_volume() * other.get_stress(voigt=False)  # of kB with five decimals
        np.testing.assert_allclose(labels.virial, virial, atol=1e-5)


def test_all_electronic_steps_used_is_not_converged(samples: Path) -> None:
    steps = list(Outcar(samples / "vasp" / "OUTCAR.unconverged"))
    assert [(step.iterations, step.converged) for step in steps] == [
        (9, False),
        (9, False),
        (7, True),
    ]
    # one electronic step of one allowed
    (single,) = Outcar(samples / "vasp" / "OUTCAR.single")
    assert (single.iterations, single.converged) == (1, False)
    assert single.atoms is not None
    assert labels_of(single.atoms).energy == -13.83085573


# damage


def intact(tmp_path: Path, content: bytes, expected: list[Atoms]) -> int:
    """The frames of a damaged file, which must be the first of `expected`."""
    outcar, steps = read(tmp_path, content)
    frames = frames_of(steps)
    for found, wanted in zip(frames, expected):
        assert_same(found, wanted)
    assert len(frames) <= len(expected)
    if outcar.ended:
        assert len(frames) == len(expected)
    return len(frames)


def all_contents(made: bytes, samples: Path) -> list[bytes]:
    return [made, *((samples / "vasp" / name).read_bytes() for name in NAMES)]


def test_cut_anywhere(tmp_path: Path, made: bytes, samples: Path) -> None:
    for content in all_contents(made, samples):
        expected = frames_of(read(tmp_path, content)[1])
        counts = []
        for place in cuts(content):
            try:
                counts.append(intact(tmp_path, content[:place], expected))
            except CutOffError:
                counts.append(-1)
        assert counts[0] == -1
        assert counts[-1] >= len(expected) - 1
        assert counts == sorted(counts) or sorted(set(counts)) == [-1, *range(len(expected) + 1)]


@pytest.mark.parametrize("word", [b"NaN", b"********", b"Infinity"])
def test_what_is_no_number_is_refused_or_does_not_matter(
    tmp_path: Path, made: bytes, samples: Path, word: bytes
) -> None:
    complaints = []
    for content in all_contents(made, samples):
        expected = frames_of(read(tmp_path, content)[1])
        for damaged in spoiled(content, word):
            try:
                count = intact(tmp_path, damaged, expected)
            except TaskError as error:
                complaints.append(str(error))
            else:
                assert count == len(expected)
    assert len(complaints) > 20
    assert all(re.search(r"OUTCAR, line \d+: .* (number|finite)", text) for text in complaints)


MISSING = [
    ("free  energy   TOTEN  =", "has no energy"),
    ("TOTAL-FORCE", "has no table of forces"),
    ("VOLUME and BASIS", "has no lattice"),
    ("FORCE on cell", "only some ionic steps"),
    ("  Total  ", "no row 'Total'"),
    ("  in kB", "no row 'Total'|no row 'in kB'|expected|not a number"),
    ("direct lattice vectors", "lattice vectors are missing"),
]


@pytest.mark.parametrize(("mark", "message"), MISSING)
@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_missing_line(tmp_path: Path, made: bytes, mark: str, message: str, which: int) -> None:
    lines = made.decode().splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if mark in line]
    assert len(places) == 3
    del lines[places[which]]
    with pytest.raises(TaskError, match=message) as caught:
        read(tmp_path, "".join(lines).encode())
    assert re.search(r"OUTCAR, line \d+", str(caught.value))


@pytest.mark.parametrize("offset", [2, 3, 5])
@pytest.mark.parametrize("change", ["drop", "double"])
def test_a_row_too_few_or_too_many(tmp_path: Path, made: bytes, offset: int, change: str) -> None:
    lines = made.decode().splitlines(keepends=True)
    place = [number for number, line in enumerate(lines) if "TOTAL-FORCE" in line][1] + offset
    lines[place : place + 1] = [] if change == "drop" else [lines[place]] * 2
    with pytest.raises(TaskError, match="numbers where 6 are expected|not a number|must end"):
        read(tmp_path, "".join(lines).encode())


HEAD_FAULTS = [
    (r"ions per type = +3   1", "ions per type =   3   1   2", "names 2 kinds .* counts 3"),
    (r"   TITEL  = PAW_PBE Au.*\n", "", "names 1 kinds"),
    (r"TITEL  = PAW_PBE Au", "TITEL  = PAW_PBE Qq", "'Qq', which does not exist"),
    (r"ions per type = +3   1", "ions per type =   *   1", "names 2 kinds"),
    (r"   NELM   = .*\n", "", "does not say NELM"),
    (r"   ISIF   = .*\n", "", "does not say ISIF"),
    (r"   NSW    = .*\n", "", "does not say NSW"),
    (r"EDIFF  = 0.1E-05", "EDIFF  = *******", "not a number"),
]


@pytest.mark.parametrize(("old", "new", "message"), HEAD_FAULTS)
def test_a_head_that_is_wrong(
    tmp_path: Path, made: bytes, old: str, new: str, message: str
) -> None:
    text, count = re.subn(old, new, made.decode())
    assert count >= 1
    with pytest.raises(TaskError, match=message):
        read(tmp_path, text.encode())


def test_two_runs_in_one_file(tmp_path: Path, made: bytes) -> None:
    steps = [found.start() for found in re.finditer(rb"\n-+ Iteration", made)]
    for first in (made, made[: steps[9]], made[: steps[0]], made[: len(made) // 5 * 4]):
        whole = first[: first.rindex(b"\n") + 1]
        with pytest.raises(TaskError, match=r"line \d+: (a second run|the ionic step 1 before)"):
            read(tmp_path, whole + made)


def test_nothing_to_read(tmp_path: Path) -> None:
    for content in (b"", b"nonsense\n" * 9, b"\x00\xff\n"):
        with pytest.raises(CutOffError, match="ends before the first electronic step"):
            read(tmp_path, content)
    with pytest.raises(TaskError, match="cannot be read"):
        list(Outcar(tmp_path / "absent"))


# variants


def test_numbers_run_together(tmp_path: Path, made: bytes) -> None:
    """Fortran leaves no blank where a number fills its field."""
    text = made.decode()
    row = re.search(r"^  Total  .*$", text, re.MULTILINE)
    assert row is not None
    total = "  Total   " + "".join(f"{number:12.5f}" for number in (-10000.5, -20000.25) * 3)
    assert "-10000.50000-20000.25000" in total
    text = text.replace(row[0], total)
    cell = re.search(r"(?<=reciprocal lattice vectors\n)(.*\n){3}", text)
    assert cell is not None
    vectors = np.array([(110.5, -110.25, -120.125), (0.2, 108.0, 0.0), (0.0, 0.3, 104.2)])
    rows = np.hstack([vectors, np.linalg.inv(vectors).T])
    lines = ["  " + "".join(f"{number:13.9f}" for number in row) + "\n" for row in rows]
    assert "110.500000000-110.250000000-120.125000000" in lines[0]
    text = text.replace(cell[0], "".join(lines), 1)
    first = frames_of(read(tmp_path, text.encode())[1])[0]
    np.testing.assert_array_equal(first.cell.array[0], [110.5, -110.25, -120.125])
    virial = labels_of(first).virial
    assert virial is not None
    assert (virial[0, 0], virial[1, 1], virial[0, 1]) == (-10000.5, -20000.25, -20000.25)


def test_version_6_says_that_it_gave_up(tmp_path: Path, made: bytes) -> None:
    old = b"aborting loop because EDIFF is reached"
    new = b"aborting loop EDIFF was not reached (unconverged)"
    _, steps = read(tmp_path, made.replace(old, new, 1))
    assert [(step.converged, step.given_up) for step in steps] == [
        (False, True),
        (True, False),
        (True, False),
    ]


def test_dispersion_adds_columns(tmp_path: Path, made: bytes) -> None:
    """With a van der Waals correction forces and energy come twice; the first are all of it."""
    expected = frames_of(read(tmp_path, made)[1])
    text = made.decode().replace(
        "TOTAL-FORCE (eV/Angst)", "TOTAL-FORCE (eV/Angst),              FORCE-w/o vdW (eV/Angst)"
    )
    text = re.sub(r"^( +-?\d+\.\d{5}.*\d{6})$", r"\1      NaN  9.0  9.0", text, flags=re.MULTILINE)
    text = re.sub(r"(TOTEN  = .* eV)", r"\1    w/o vdW =       -33.3 eV", text)
    for found, wanted in zip(frames_of(read(tmp_path, text.encode())[1]), expected):
        assert_same(found, wanted)


def test_little_output_names_elements_elsewhere(tmp_path: Path, made: bytes) -> None:
    """NWRITE = 0: no TITEL lines, and steps without lattice and forces."""
    text = re.sub(r" +(TITEL|VRHFIN) .*\n", "", made.decode())
    text = text.replace("NWRITE =      2", "NWRITE =      0")
    start = [found.start() for found in re.finditer(" VOLUME and BASIS", text)][1]
    end = text.index("  FREE ENERGIE", start)
    outcar, steps = read(tmp_path, (text[:start] + text[end:]).encode())
    assert outcar.head is not None
    assert outcar.head.symbols == ("Ag", "Ag", "Ag", "Au")
    assert [step.atoms is not None for step in steps] == [True, False, True]
    with pytest.raises(TaskError, match="has no lattice"):
        read(tmp_path, (text[:start] + text[end:]).replace("NWRITE =      0", "", 1).encode())


LEARNED = """
  ML FORCE on cell =-STRESS in cart. coord. units (eV/cell)
  Total:      9.00000     9.00000     9.00000     0.00000     0.00000     0.00000
  in kB       9.00000     9.00000     9.00000     0.00000     0.00000     0.00000
  volume of cell :     1000.53
      direct lattice vectors                 reciprocal lattice vectors
    10.008368905 -0.014284955  0.005356384     0.099916381 -0.000000000  0.000000000
     0.000000000  9.995201345  0.002089127     0.000142799  0.100048010  0.000000000
    -0.000000000 -0.000000000 10.001694428    -0.000053540 -0.000020898  0.099983059

  POSITION                                       TOTAL-FORCE (eV/Angst) (ML)
 -----------------------------------------------------------------------------------
      5.38502      4.06171      3.61434         0.019134     -0.044730     -0.055248
 -----------------------------------------------------------------------------------

  ML FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy ML TOTEN  =       -24.12708815 eV

"""


def test_machine_learned_steps_are_left_out(tmp_path: Path, made: bytes) -> None:
    """A run on the fly predicts each step, and computes some of them: only these are labels."""
    expected = frames_of(read(tmp_path, made)[1])
    text = made.decode()
    starts = [found.start() for found in re.finditer(r"\n-+ Iteration +\d+\(   1\)", text)]
    end = text.index(" General timing")
    for place in (end, *reversed(starts)):
        text = text[:place] + "\n" + LEARNED * 2 + text[place:]
    outcar, steps = read(tmp_path, text.encode())
    assert (outcar.learned, outcar.ended) == (8, True)
    for found, wanted in zip(frames_of(steps), expected):
        assert_same(found, wanted)
    only = text[: starts[0] + len(LEARNED)] + text[text.index(" General timing") :]
    outcar, steps = read(tmp_path, only.encode())
    assert (steps, outcar.ended) == ([], True)
    assert outcar.learned >= 1


def test_stress_that_is_none(tmp_path: Path, made: bytes) -> None:
    for number in (0, 1):
        text = re.sub(r"ISIF   = +2", f"ISIF   =      {number}", made.decode())
        frames = frames_of(read(tmp_path, text.encode())[1])
        assert [labels_of(frame).virial for frame in frames] == [None] * 3
    text = re.sub(r"  FORCE on cell(.|\n)*?Total\+kin.*\n", "", made.decode())
    frames = frames_of(read(tmp_path, text.encode())[1])
    assert [labels_of(frame).virial for frame in frames] == [None] * 3


def test_more_steps_than_the_numbers_have_room_for(tmp_path: Path, made: bytes) -> None:
    text = re.sub(r"Iteration +\d+\(", "Iteration ****(", made.decode())
    assert len(read(tmp_path, text.encode())[1]) == 3


def test_steps_come_before_the_rest_is_read(tmp_path: Path, made: bytes) -> None:
    place = made.index(b" Iteration      2(   1)")
    damaged = made[:place] + made[place:].replace(b"0.", b"x.")
    steps = iter(Outcar(put(tmp_path / "OUTCAR", damaged)))
    assert next(steps).number == 1
    with pytest.raises(TaskError, match=r"x\.\d+' is not a number"):
        next(steps)


def test_as_a_structure(tmp_path: Path, made: bytes) -> None:
    last = frames_of(read(tmp_path, made)[1])[-1]
    found = read_structure(tmp_path / "OUTCAR", "vasp/outcar")
    assert found.get_chemical_symbols() == ["Ag", "Ag", "Ag", "Au"]
    np.testing.assert_array_equal(found.positions, last.positions)
    for size in (300, made.index(b" POSITION")):
        put(tmp_path / "OUTCAR", made[:size])
        with pytest.raises(InputError, match=r"cannot be read in format .* (ends before|holds no)"):
            read_structure(tmp_path / "OUTCAR", "vasp/outcar")


def test_old_vasp_writes_the_energy_first(tmp_path: Path, made: bytes) -> None:
    """Up to 5.2 stress, lattice and forces of a step stand behind its energy."""
    expected = frames_of(read(tmp_path, made)[1])
    pattern = r"(?s)(  FORCE on cell.*?)(  FREE ENERGIE OF THE ION-ELECTRON SYSTEM.*?TOTEN[^\n]*\n)"
    text, count = re.subn(pattern, r"\2\1", made.decode())
    assert count == 3
    outcar, steps = read(tmp_path, text.encode())
    assert (outcar.ended, len(steps)) == (True, 3)
    for found, wanted in zip(frames_of(steps), expected):
        assert_same(found, wanted)
    cut = text[: text.rindex("FORCE on cell")].encode()
    outcar, steps = read(tmp_path, cut[: cut.rindex(b"\n") + 1])
    assert (outcar.ended, len(frames_of(steps))) == (False, 2)


RESPONSE = """\
 Linear response G [H, r] |phi>, progress :
---------------- Iteration    1(   1)  ----------------
  free energy    TOTEN  =      -699.15511933 eV
---------------- aborting loop because EDIFF is reached ----------------
---------------- Iteration    2(   1)  ----------------
  free energy    TOTEN  =      -561.25741124 eV
 VOLUME and BASIS-vectors are now :
"""


@pytest.mark.parametrize("first", [0, 1])
def test_linear_response_is_no_ionic_step(tmp_path: Path, made: bytes, first: int) -> None:
    text = made.decode()
    second = [found.start() for found in re.finditer(r"\n-+ Iteration +2\(   1\)", text)][0]
    end = text.index(" General timing")
    response = "".join(RESPONSE.splitlines(keepends=True)[first:])
    outcar, steps = read(tmp_path, (text[: second + 1] + response + text[end:]).encode())
    assert (outcar.ended, outcar.response, len(steps)) == (True, True, 1)
    assert_same(frames_of(steps)[0], frames_of(read(tmp_path, made)[1])[0])
    assert not read(tmp_path, made)[0].response


def test_a_charge_density_that_was_kept_gives_no_labels(tmp_path: Path, made: bytes) -> None:
    for number, words in ((2, ""), (1, ""), (10, "ICHARG = 10"), (11, "ICHARG = 11: the charge")):
        text = f"   ICHARG =     {number:2}    charge: 1-file 2-atom 10-const\n   NELM"
        content = made.decode().replace("   NELM", text, 1)
        assert content != made.decode()
        outcar, _ = read(tmp_path, content.encode())
        assert outcar.head is not None
        assert outcar.head.no_labels.startswith(words)
        assert bool(outcar.head.no_labels) == bool(words)


IALGO = [(2, True), (3, True), (4, True), (38, False), (68, False)]


@pytest.mark.parametrize(("ialgo", "kept"), IALGO)
def test_orbitals_that_were_kept_give_no_labels(
    tmp_path: Path, made: bytes, ialgo: int, kept: bool
) -> None:
    text = f"   IALGO  =     {ialgo:2}    algorithm\n   NELM"
    content = made.decode().replace("   NELM", text, 1)
    assert content != made.decode()
    outcar, _ = read(tmp_path, content.encode())
    assert outcar.head is not None
    said = f"IALGO = {ialgo}: the orbitals were kept, so it is not self-consistent"
    assert outcar.head.no_labels == (said if kept else "")


def test_pseudo_hydrogen_is_no_element(tmp_path: Path, made: bytes) -> None:
    text = made.decode().replace("PAW_PBE Au", "PAW_PBE H.75")
    with pytest.raises(TaskError, match=r"'H\.75', which is pseudo-hydrogen of a fractional"):
        read(tmp_path, text.encode())
