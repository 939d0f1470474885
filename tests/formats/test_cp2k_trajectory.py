"""MD and optimizations of CP2K: steps are matched by number, and damage moves none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Callable

import ase.io
import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError, NotConvergedError, TaskError
from pwact.formats.cp2k_files import read_cells, read_steps
from pwact.formats.cp2k_output import BOHR, HARTREE, HARTREE_PER_BOHR, read_log
from pwact.formats.cp2k_trajectory import (
    labelled_md,
    labelled_scf,
    md_frames,
    read_cp2k_md,
    read_cp2k_scf,
    relaxed_frame,
    rounded_cell,
)
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from tests import damage

RECORDED = Path(__file__).parent / "cp2k_md"  # two atoms of Si, five steps, by CP2K 2023.1
CELL = np.array([[0.0, 2.715, 2.715], [2.715, 0.0, 2.715], [2.715, 2.715, 0.0]])
POSITIONS, FORCES, CELLS, LOG = "si-pos-1.xyz", "si-frc-1.xyz", "si-1.cell", "dft.log"
CONVERGED = "  *** SCF run converged in     2 steps ***"
UNCONVERGED = " *** WARNING in qs_scf.F:601 :: SCF run NOT converged ***"
Change = Callable[[str, Callable[[str], str]], None]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the recorded run."""
    return Path(shutil.copytree(RECORDED, tmp_path / "an md run"))


@pytest.fixture
def change(run: Path) -> Change:
    """Changes the text of one of its files."""

    def make(name: str, how: Callable[[str], str]) -> None:
        before = (run / name).read_text()
        after = how(before)
        assert after != before
        (run / name).write_text(after)

    return make


def start() -> Atoms:
    return Atoms("Si2", np.zeros((2, 3)), cell=CELL, pbc=True)


def frames(run: Path) -> list[Atoms]:
    return md_frames(read_log(run / LOG), run, start())


ENERGIES = np.array(re.findall(r"E = +(\S+)", (RECORDED / POSITIONS).read_text()), dtype=float)


def step_of(frame: Atoms) -> int:
    """The recorded step that has the energy of a frame."""
    (found,) = np.flatnonzero(np.abs(ENERGIES - labels_of(frame).energy / HARTREE) < 1e-9)
    return int(found)


def steps(run: Path) -> list[int]:
    """The steps that are read."""
    return [step_of(frame) for frame in frames(run)]


def all_but(*missing: int) -> list[int]:
    return [step for step in range(6) if step not in missing]


def without(step: int) -> Callable[[str], str]:
    """Takes a frame of two atoms out of an xyz file."""
    return lambda text: re.sub(rf" +2\n i = +{step},.*\n.*\n.*\n", "", text)


def nth(pattern: str, count: int, new: str) -> Callable[[str], str]:
    """Replaces one of several places."""

    def how(text: str) -> str:
        places = [found.span() for found in re.finditer(pattern, text)]
        begin, end = places[count]
        return text[:begin] + new + text[end:]

    return how


def test_every_step_with_its_numbers() -> None:
    found = frames(RECORDED)
    assert len(found) == 6
    assert steps(RECORDED) == all_but()
    positions = ase.io.read(RECORDED / POSITIONS, ":", format="xyz")
    forces = ase.io.read(RECORDED / FORCES, ":", format="xyz")
    log = (RECORDED / LOG).read_text()
    rows = re.findall(r"STRESS\| +([xyz]) +(\S+E\S+) +(\S+) +(\S+)\n", log)
    stress = np.array([row[1:] for row in rows], dtype=float).reshape(6, 3, 3)
    volume = abs(np.linalg.det(CELL))
    for frame, position, force, printed in zip(found, positions, forces, stress):
        labels = labels_of(frame)
        np.testing.assert_array_equal(frame.positions, position.positions)
        np.testing.assert_allclose(
            labels.forces, force.positions * HARTREE_PER_BOHR, rtol=1e-14, atol=0
        )
        np.testing.assert_array_equal(frame.cell.array, CELL)
        np.testing.assert_allclose(labels.virial, printed * volume / 160.21766208, rtol=1e-12)


@pytest.mark.parametrize("step", range(6))
def test_an_unconverged_step_is_left_out(step: int, run: Path, change: Change) -> None:
    change(LOG, nth(re.escape(CONVERGED), step, UNCONVERGED))
    assert steps(run) == all_but(step)


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("name", [POSITIONS, FORCES])
def test_a_missing_step_moves_no_other(name: str, step: int, run: Path, change: Change) -> None:
    change(name, without(step))
    assert steps(run) == all_but(step)


def test_no_step_at_all(run: Path, change: Change) -> None:
    change(LOG, lambda text: text.replace(CONVERGED, UNCONVERGED))
    with pytest.raises(NotConvergedError, match="dft.log: no SCF converged"):
        frames(run)
    (run / FORCES).write_text("")
    (run / LOG).write_bytes((RECORDED / LOG).read_bytes())
    with pytest.raises(TaskError, match="dft.log: no step is complete"):
        frames(run)


def test_two_runs_in_one_file(run: Path, change: Change) -> None:
    for name in (POSITIONS, FORCES):
        change(name, lambda text: re.sub(r"E = +-2", "E = -9", text) + text)
    assert steps(run) == all_but()


def test_steps_of_a_run_before_do_not_mix_with_a_shorter_one(run: Path, change: Change) -> None:
    change(POSITIONS, lambda text: text + "\n".join(text.split("\n")[:8]) + "\n")
    assert sorted(read_steps(run / POSITIONS)) == [0, 1]
    change(CELLS, lambda text: text + text.split("\n")[1] + "\n")
    assert sorted(read_cells(run / CELLS)) == [0]


def test_forces_of_another_run(run: Path, change: Change) -> None:
    change(FORCES, nth(r"E = +\S+", 3, "E = -7.0"))
    with pytest.raises(TaskError, match="step 3 of the forces belongs to another run"):
        frames(run)
    change(POSITIONS, nth(r"E = +\S+", 3, "E = -7.0"))  # and the log knows of no such step
    assert steps(run) == all_but(3)


def test_missing_and_doubled_files(run: Path) -> None:
    shutil.copy(run / FORCES, run / "so-frc-1.xyz")
    with pytest.raises(TaskError, match="si-frc-1.xyz, so-frc-1.xyz: which one"):
        frames(run)
    (run / FORCES).unlink()
    assert steps(run) == all_but()
    (run / "so-frc-1.xyz").unlink()
    with pytest.raises(TaskError, match=r"there is no \*-frc-\*.xyz"):
        frames(run)


def test_atoms_of_another_structure() -> None:
    other = Atoms("SiC", np.zeros((2, 3)), cell=CELL)
    with pytest.raises(TaskError, match="not those of the structure"):
        md_frames(read_log(RECORDED / LOG), RECORDED, other)


def swollen(text: str) -> str:
    """The file of cells, as if the cell had grown by 1 % a step."""
    head, *rows = text.splitlines()
    made = [head]
    for row in rows:
        step, time, *cell, volume = row.split()
        factor = 1 + 0.01 * int(step)
        numbers = [float(number) * factor for number in cell]
        values = [*numbers, float(volume) * factor**3]
        made.append(" ".join([step, time, *(f"{value:.10f}" for value in values)]))
    return "\n".join(made) + "\n"


def test_a_cell_that_changes(run: Path, change: Change) -> None:
    change(CELLS, swollen)
    found = frames(run)
    before = frames(RECORDED)
    for step, (frame, old) in enumerate(zip(found, before)):
        factor = 1 + 0.01 * step
        np.testing.assert_allclose(frame.cell.array, CELL * factor, atol=1e-9)
        virial = labels_of(old).virial
        assert virial is not None
        np.testing.assert_allclose(labels_of(frame).virial, virial * factor**3, rtol=1e-6)
    change(CELLS, lambda text: re.sub(r"\n3 .*\n", "\n", text))
    assert steps(run) == all_but(3)


@pytest.mark.parametrize("ensemble", ["NPT_F", "NPT_I", "NPE_F", "NPE_I", "MSST"])
def test_a_cell_that_changes_and_is_nowhere(run: Path, change: Change, ensemble: str) -> None:
    change(LOG, lambda text: re.sub(r"(Ensemble type +)NVT", rf"\1{ensemble}", text))
    assert steps(run) == all_but()
    (run / CELLS).unlink()
    words = rf"the cell changes \(MD {ensemble}\), and no file \*\.cell lies beside"
    with pytest.raises(TaskError, match=words):
        frames(run)
    with pytest.raises(TaskError, match=words):
        read_cp2k_md(run / LOG)
    with pytest.raises(TaskError, match=words):
        relaxed_frame(read_log(run / LOG), run, start())


@pytest.mark.parametrize("ensemble", ["NVE", "LANGEVIN", "ISOKIN", "NVT_ADIABATIC"])
def test_a_cell_that_stays(run: Path, change: Change, ensemble: str) -> None:
    change(LOG, lambda text: re.sub(r"(Ensemble type +)NVT", rf"\1{ensemble}", text))
    (run / CELLS).unlink()
    assert steps(run) == all_but()


@pytest.mark.parametrize(
    ("printed", "pbc"), [("NONE", [0, 0, 0]), ("XY", [1, 1, 0]), ("Z", [0, 0, 1])]
)
def test_open_axes_are_those_of_the_log(
    printed: str, pbc: list[int], run: Path, change: Change
) -> None:
    change(LOG, lambda text: re.sub(r"(CELL\| Periodicity +)XYZ", rf"\1{printed}", text))
    assert all(frame.pbc.tolist() == pbc for frame in labelled_md(read_log(run / LOG)))
    assert read_cp2k_md(run / LOG).pbc.tolist() == pbc
    assert read_cp2k_scf(run / LOG).pbc.tolist() == pbc


def test_several_single_points_in_one_log(samples: Path, tmp_path: Path) -> None:
    text = (samples / "cp2k" / "scf" / "dft.log").read_text()
    (tmp_path / "cp2k.log").write_text(text * 2)
    with pytest.raises(InputError, match=r"cp2k\.log: holds 2 runs; give each a log of its own"):
        labelled_scf(read_log(tmp_path / "cp2k.log"))


def in_another_unit(factor: float) -> Callable[[str], str]:
    """Multiplies the columns of an xyz file."""

    def row(found: re.Match[str]) -> str:
        numbers = [factor * float(word) for word in found[2].split()]
        return found[1] + " ".join(f"{number:20.10f}" for number in numbers)

    return lambda text: re.sub(r"(?m)^( *Si +)(\S+ +\S+ +\S+)", row, text)


def test_positions_in_bohr(run: Path, change: Change) -> None:
    before = frames(RECORDED)
    change(POSITIONS, in_another_unit(1 / BOHR))
    for one, other in zip(frames(run), before):
        np.testing.assert_allclose(one.positions, other.positions, atol=1e-9)
    last = read_cp2k_md(run / LOG)
    np.testing.assert_allclose(last.positions, before[-1].positions, atol=1e-9)
    change(POSITIONS, in_another_unit(1.5))
    with pytest.raises(TaskError, match=r"is not the structure of dft\.log, neither in angstrom"):
        frames(run)


def test_forces_without_a_table_must_be_the_slope_of_the_energies(
    run: Path, change: Change
) -> None:
    before = frames(RECORDED)
    assert not any(one.forces for one in read_log(run / LOG).evaluations)
    change(FORCES, in_another_unit(HARTREE_PER_BOHR))
    with pytest.raises(TaskError, match=r"the energies change by 0\.0195 times what"):
        frames(run)
    section = "&MOTION\n&PRINT\n&FORCES\nUNIT {}\n&END\n&END\n&END\n"
    (run / "cp2k.inp").write_text(section.format("eV*angstrom^-1"))
    for frame, other in zip(frames(run), before):
        np.testing.assert_allclose(labels_of(frame).forces, labels_of(other).forces, atol=1e-8)
    (run / "cp2k.inp").write_text(section.format("N*m^-1"))
    with pytest.raises(TaskError, match=r"cp2k\.inp: the unit of forces is n\*m\^-1; read are"):
        frames(run)


def test_forces_in_electronvolts(run: Path, change: Change) -> None:
    before = frames(RECORDED)
    log = read_log(run / LOG)
    tables = read_steps(run / FORCES)
    for one in log.evaluations:
        same = [step for step in tables.values() if abs(step.energy - one.energy) < 1e-9]
        one.forces = (HARTREE_PER_BOHR * same[0].table).tolist() if same else None
    assert any(one.forces for one in log.evaluations)
    change(FORCES, in_another_unit(HARTREE_PER_BOHR))
    for frame, other in zip(md_frames(log, run, start()), before):
        np.testing.assert_allclose(labels_of(frame).forces, labels_of(other).forces, atol=1e-8)
    change(FORCES, in_another_unit(2.0))
    with pytest.raises(TaskError, match=r"are not those of dft\.log, neither in hartree/bohr"):
        md_frames(log, run, start())


def test_an_md_is_no_single_point(run: Path) -> None:
    with pytest.raises(TaskError, match=r"6 energies of a run in which atoms move \(MD NVT\)"):
        read_log(run / LOG).single_point(2)


def test_a_log_knows_how_many_runs_it_holds(run: Path, change: Change) -> None:
    assert read_log(run / LOG).runs == 1
    change(LOG, lambda text: text * 3)
    assert read_log(run / LOG).runs == 3


def test_without_stress_there_is_no_virial(run: Path, change: Change) -> None:
    change(LOG, lambda text: text.replace("STRESS| Analytical stress tensor", "STRESS| Some"))
    assert [labels_of(frame).virial for frame in frames(run)] == [None] * 6
    assert steps(run) == all_but()


@pytest.mark.parametrize("name", [LOG, POSITIONS, FORCES, CELLS])
def test_cut_anywhere(name: str, run: Path) -> None:
    content = (run / name).read_bytes()
    whole = frames(RECORDED)
    for place in damage.cuts(content, 200 if name == LOG else 100):
        damage.put(run / name, content[:place])
        try:
            found = frames(run)
        except TaskError:
            continue
        assert [labels_of(one).energy for one in found] == [
            labels_of(one).energy for one in whole[: len(found)]
        ]
        for one, other in zip(found, whole):
            np.testing.assert_array_equal(one.positions, other.positions)
            np.testing.assert_array_equal(labels_of(one).forces, labels_of(other).forces)
            np.testing.assert_array_equal(labels_of(one).virial, labels_of(other).virial)
            np.testing.assert_allclose(one.cell.array, other.cell.array, atol=1e-9)


def test_a_cut_log_gives_the_steps_that_it_announces(run: Path) -> None:
    content = (run / LOG).read_bytes()
    ends = damage.ends_of(content, b"MD| Step number")
    for step, end in enumerate(ends, 1):
        damage.put(run / LOG, content[:end])
        assert steps(run) == list(range(step + 1))


@pytest.mark.parametrize("word", [b"NaN", b"**********"])
@pytest.mark.parametrize("name", [POSITIONS, FORCES, CELLS])
def test_spoiled_numbers(name: str, word: bytes, run: Path) -> None:
    content = (run / name).read_bytes()
    for spoiled in damage.spoiled(content, word, count=25):
        damage.put(run / name, spoiled)
        if re.search(rb"time = +(NaN|\*+)", spoiled):
            continue  # is not read
        with pytest.raises(TaskError, match=rf"{name}, line \d+: "):
            frames(run)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("       2\n", "       x\n", "line 1: a frame must begin with the number of its atoms"),
        (" i =", " k =", "line 2: step and energy of a frame are missing"),
        (" Si ", " Si 1.0 ", "line 3: 5 words where an element and 3 numbers"),
    ],
)
def test_broken_frames(before: str, after: str, message: str, run: Path, change: Change) -> None:
    change(POSITIONS, lambda text: text.replace(before, after, 1))
    with pytest.raises(TaskError, match=f"si-pos-1.xyz, {message}"):
        read_steps(run / POSITIONS)


def test_broken_cells(run: Path, change: Change) -> None:
    assert len(read_cells(run / CELLS)) == 6
    change(CELLS, lambda text: text.replace("40.025", "40.125", 1))
    with pytest.raises(TaskError, match="si-1.cell, line 2: the volume is not that of the cell"):
        read_cells(run / CELLS)
    (run / CELLS).write_text("1 2 3\n")
    with pytest.raises(TaskError, match="si-1.cell, line 1: 3 words where"):
        read_cells(run / CELLS)


class TestRelaxed:
    """The recorded run read as if it were an optimization."""

    def test_the_last_step_that_has_a_cell(self, run: Path, change: Change) -> None:
        change(CELLS, swollen)
        change(CELLS, lambda text: re.sub(r"\n5 .*\n", "\n", text))
        log = read_log(run / LOG)
        log.evaluations[4].forces = [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]
        found = relaxed_frame(log, run, start())
        np.testing.assert_allclose(found.cell.array, CELL * 1.04, atol=1e-9)
        np.testing.assert_array_equal(found.positions, read_steps(run / POSITIONS)[4].table)
        labels = labels_of(found)
        assert step_of(found) == 4
        np.testing.assert_array_equal(labels.forces, [[1, 2, 3], [-1, -2, -3]])
        assert labels.virial is not None

    def test_files_that_end_before_the_log(self, run: Path, change: Change) -> None:
        change(LOG, lambda text: f"{text}\n OPTIMIZATION STEP:      5\n")
        assert relaxed_frame(read_log(run / LOG), run, start()).calc is None
        change(LOG, lambda text: f"{text}\n OPTIMIZATION STEP:      6\n OPTIMIZATION STEP\n")
        with pytest.raises(TaskError, match=r"end at step 5 of 6 in dft\.log"):
            relaxed_frame(read_log(run / LOG), run, start())

    def test_without_labels(self) -> None:
        found = relaxed_frame(read_log(RECORDED / LOG), RECORDED, start())
        assert found.calc is None
        np.testing.assert_array_equal(found.cell.array, CELL)

    def test_only_the_last_scf_must_converge(self, run: Path, change: Change) -> None:
        change(LOG, nth(re.escape(CONVERGED), 2, UNCONVERGED))
        relaxed_frame(read_log(run / LOG), run, start())
        change(LOG, nth(re.escape(CONVERGED), 4, UNCONVERGED))
        with pytest.raises(NotConvergedError, match=r"dft.log, line \d+: SCF run NOT converged"):
            relaxed_frame(read_log(run / LOG), run, start())

    def test_steps_of_another_run(self, run: Path, change: Change) -> None:
        change(POSITIONS, nth(r"E = +\S+", 5, "E = -7.0"))
        with pytest.raises(TaskError, match="step 5 of the positions belongs to another run"):
            relaxed_frame(read_log(run / LOG), run, start())
        (run / POSITIONS).write_text("")
        with pytest.raises(TaskError, match="no step of the optimization is complete"):
            relaxed_frame(read_log(run / LOG), run, start())


class TestStructures:
    def test_md(self, run: Path) -> None:
        found = read_structure(run / LOG, "cp2k/md")
        np.testing.assert_array_equal(found.positions, read_steps(run / POSITIONS)[5].table)
        np.testing.assert_allclose(found.cell.array, CELL, atol=1e-3)
        (run / POSITIONS).write_text("")
        with pytest.raises(InputError, match="dft.log: no step beside it is complete"):
            read_cp2k_md(run / LOG)

    def test_the_cell_of_the_input_beside_it_is_exact(self, run: Path) -> None:
        exact = CELL + 1e-4
        rows = "".join(
            f"{name} {x!r} {y!r} {z!r}\n" for name, (x, y, z) in zip("ABC", exact.tolist())
        )
        text = f"&FORCE_EVAL\n&SUBSYS\n&CELL\n{rows}&END\n&END\n&END\n"
        np.testing.assert_array_equal(read_cp2k_scf(run / LOG).cell.array, CELL)
        (run / "cp2k.inp").write_text(text)
        np.testing.assert_array_equal(read_cp2k_scf(run / LOG).cell.array, exact)
        (run / "cp2k.inp").write_text(text.replace("A ", "A 1"))  # of something else
        np.testing.assert_array_equal(read_cp2k_scf(run / LOG).cell.array, CELL)

    def test_no_structure(self, run: Path) -> None:
        (run / LOG).write_text("nothing\n")
        with pytest.raises(InputError, match="dft.log: holds no cell and coordinates"):
            read_structure(run / LOG, "cp2k/scf")

    def test_whole_runs(self, samples: Path) -> None:
        folder = samples / "cp2k"
        for name in ("scf/dft.log", "scf_6.log", "scf_2025.log"):
            found = read_structure(folder / name, "cp2k/scf")
            assert found.get_chemical_formula() == "H4Li4"
            np.testing.assert_array_equal(found.cell.array[1], [0.1, 4.02, -0.05])
        found = read_structure(folder / "md" / "dft.log", "cp2k/md")
        np.testing.assert_array_equal(
            found.positions[-1], [-1.0640248057, 1.2483197935, -0.7134352971]
        )


def frames_that_others_read(log: Path, project: str, count: int) -> list[Atoms]:
    """The frames of an MD, compared with what ASE and pwdata read."""
    first = read_structure(log, "cp2k/scf")
    found = md_frames(read_log(log), log.parent, first)
    positions = ase.io.read(log.parent / f"{project}-pos-1.xyz", ":", format="xyz")
    forces = ase.io.read(log.parent / f"{project}-frc-1.xyz", ":", format="xyz")
    assert len(found) == len(positions) == len(forces) == count
    for frame, position, force in zip(found, positions, forces):
        labels = labels_of(frame)
        np.testing.assert_array_equal(frame.positions, position.positions)
        np.testing.assert_allclose(labels.forces, force.positions * HARTREE_PER_BOHR, atol=1e-12)
    from pwdata import Config  # noqa: PLC0415

    images = Config(format="cp2k/md", data_path=str(log)).images
    assert len(images) == count
    for frame, image in zip(found, images):
        labels = labels_of(frame)
        assert labels.energy == pytest.approx(float(np.ravel(image.Ep)[0]), abs=1e-6)
        kinds = np.ravel(image.atom_types_image).tolist()
        order = np.arange(len(frame))
        if kinds != frame.numbers.tolist():  # it sorts by element
            order = np.argsort(frame.numbers, kind="stable")
        assert kinds == frame.numbers[order].tolist()
        theirs = np.reshape(image.force, (-1, 3))
        np.testing.assert_allclose(labels.forces[order], theirs, atol=1e-7)
        ours, diagonal = np.diag(labels.virial), np.diag(np.reshape(image.virial, (3, 3)))
        power = np.round(np.log10(ours / diagonal))  # it drops exponents
        assert set(power) <= {0.0, 1.0}
        np.testing.assert_allclose(ours, diagonal * 10**power, rtol=2e-4)
    return found


def test_an_md_agrees_with_two_other_readers(samples: Path) -> None:
    found = frames_that_others_read(samples / "cp2k" / "md" / "dft.log", "LiH", 13)
    labels = labels_of(found[0])
    assert labels.energy == pytest.approx(-31.941818435390800 * 27.2113838565563, abs=1e-9)
    assert labels.forces[0, 0] == pytest.approx(0.0135940152 * 51.42206318571696, abs=1e-9)
    assert labels.virial is not None
    volume = abs(np.linalg.det(found[0].cell.array))
    assert volume == pytest.approx(68.406350, abs=1e-6)
    assert labels.virial[1, 1] == pytest.approx(2.52359896251e01 * volume / 160.21766208, rel=1e-12)


def test_a_log_that_ends_before_its_cell_is_no_traceback(run: Path) -> None:
    text = (run / LOG).read_text()
    (run / LOG).write_text(text[: text.index("CELL| Vector a")])
    (run / CELLS).unlink()
    cell = "&FORCE_EVAL\n&SUBSYS\n&CELL\nABC 5.4 5.4 5.4\n&END\n&END\n&END\n"
    (run / "cp2k.inp").write_text(cell)
    assert rounded_cell(read_log(run / LOG))
    with pytest.raises(InputError, match="holds no cell and coordinates"):
        labelled_md(read_log(run / LOG))


HEADS = {
    "stress": ("STRESS| Analytical", "1/3 Trace"),
    "table of forces": ("ATOMIC FOR", "SUM OF"),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_second_one_behind_the_same_energy_is_refused(
    samples: Path, tmp_path: Path, what: str
) -> None:
    shutil.copytree(samples / "cp2k" / "md", tmp_path / "md")
    log = tmp_path / "md" / "dft.log"
    lines = log.read_text().splitlines(keepends=True)
    places = [n for n, line in enumerate(lines) if "ENERGY| Total" in line]
    first, last = HEADS[what]
    start, other = (
        next(n for n in range(place, len(lines)) if first in lines[n])
        for place in (places[5], places[7])
    )
    end = next(n for n in range(start, len(lines)) if last in lines[n]) + 1
    log.write_text("".join(lines[:start] + lines[start:end] + lines[start:]))
    assert len(labelled_md(read_log(log))) == 13
    log.write_text("".join(lines[:other] + lines[start:end] + lines[other:]))
    with pytest.raises(TaskError, match=rf"line \d+: a second {what} follows one energy"):
        read_log(log)
