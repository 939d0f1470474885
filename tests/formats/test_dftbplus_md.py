"""MD of DFTB+: whole outputs and their traps, then damage."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact.errors import TaskError
from pwact.formats.dftbplus_md import Trajectory, read_md
from pwact.formats.dftbplus_output import BOHR, HARTREE, read_screen
from pwact.formats.gen import read_gen
from pwact.formats.labels import labels_of
from tests.damage import cuts, put, spoiled

FILES = ("md.out", "geo_end.xyz", "dftb.out")


@pytest.fixture(params=["md_nvt", "md_npt"])
def folder(request: pytest.FixtureRequest, samples: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(samples / "dftbplus" / request.param, tmp_path / request.param))


def read(folder: Path) -> Trajectory:
    return read_md(folder, read_screen(folder / "dftb.out"), read_gen(folder / "geo.gen"))


def same(found: Sequence[Atoms], whole: Sequence[Atoms]) -> None:
    """The frames are the beginning of the others, to the bit."""
    assert len(found) <= len(whole)
    for one, other in zip(found, whole):
        assert one == other
        labels, wanted = labels_of(one), labels_of(other)
        assert labels.energy == wanted.energy
        np.testing.assert_array_equal(labels.forces, wanted.forces)
        assert labels.virial is None


def test_numbers_read_by_eye(samples: Path) -> None:
    made = read(samples / "dftbplus" / "md_nvt")
    assert (len(made.frames), made.lost) == (13, [])
    frame = made.frames[1]
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["Au", "Cu", "Cu", "Au"]
    assert labels.energy == -0.5104703885 * HARTREE
    wanted = np.array([0.52927236e-2, 0.12575403e-3, -0.14601407e-2]) * HARTREE / BOHR
    np.testing.assert_allclose(labels.forces[1], wanted, rtol=1e-15)
    np.testing.assert_array_equal(frame.positions[1], [-0.03519757, 1.93638019, 2.01036846])
    last = labels_of(made.frames[12]).energy
    assert last == -0.5098485913 * HARTREE  # detailed.out; results.tag has -0.501018676327477


def test_the_lattice_of_a_step_stands_in_the_block_before(samples: Path) -> None:
    folder = samples / "dftbplus" / "md_npt"
    frames = read(folder).frames
    assert len(frames) == 13
    np.testing.assert_array_equal(frames[0].cell.array, read_gen(folder / "geo.gen").cell.array)
    np.testing.assert_array_equal(frames[1].cell.array[0], [3.5932473, -0.037267158, 0.0081147213])
    np.testing.assert_array_equal(frames[2].cell.array[1], [0.050509946, 3.6118166, 0.016106986])


@pytest.mark.parametrize("name", ["md_nvt", "md_npt"])
def test_labels_are_derivatives_of_one_energy(samples: Path, name: str) -> None:
    """The files are made of EMT with -3.5 eV an atom."""
    for frame in read(samples / "dftbplus" / name).frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = EMT()
        energy = again.get_potential_energy() - 3.5 * len(again)
        assert labels.energy == pytest.approx(energy, abs=1e-5)
        np.testing.assert_allclose(labels.forces, again.get_forces(), atol=1e-5)


def test_ase_reads_the_same_positions(folder: Path) -> None:
    theirs = ase.io.read(folder / "geo_end.xyz", index=":", format="xyz")
    ours = read(folder).frames
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs):
        assert one.get_chemical_symbols() == other.get_chemical_symbols()
        np.testing.assert_array_equal(one.positions, other.positions)


def test_cut_off_runs_keep_their_complete_steps(folder: Path) -> None:
    whole = read(folder).frames
    for name in FILES:
        content = (folder / name).read_bytes()
        seen = set()
        for place in cuts(content, 200 if name == "md.out" else 40):
            put(folder / name, content[:place])
            found = read(folder).frames
            same(found, whole)
            seen.add(len(found))
        assert len(seen) > 0.55 * len(whole)
        put(folder / name, content)


def test_spoiled_numbers_are_never_read(folder: Path) -> None:
    """A number of columns that count is refused with file and line; others do not matter."""
    whole = read(folder).frames
    for name in ("md.out", "geo_end.xyz"):
        content = (folder / name).read_bytes()
        refused = 0
        for word in (b"NaN", b"********"):
            for damaged in spoiled(content, word, 25):
                put(folder / name, damaged)
                try:
                    same(read(folder).frames, whole)
                except TaskError as error:
                    refused += f"{name}, line " in str(error)
        assert refused > 8
        put(folder / name, content)


@pytest.mark.parametrize("name", ["md.out", "dftb.out"])
def test_two_runs_in_one_file(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    mark = b"Total MD Energy" if name == "md.out" else b"Total Mermin"
    part = content[: content.index(b"\n", content.index(mark, len(content) // 2)) + 1]
    for first in (content, part):
        put(folder / name, first + content)
        with pytest.raises(TaskError, match=rf"{name}, line \d+: .*runs?"):
            read(folder)


def test_what_stands_behind_the_last_step(folder: Path) -> None:
    path = folder / "geo_end.xyz"
    whole = len(read(folder).frames)
    put(path, path.read_bytes() * 2)
    assert len(read(folder).frames) == whole
    lines = path.read_bytes().splitlines(keepends=True)
    part = lines[: 3 * (len(read_gen(folder / "geo.gen")) + 2)]
    put(path, b"".join(part + lines))
    with pytest.raises(TaskError, match="geo_end.xyz, line .* step 3 is expected"):
        read(folder)


def test_files_of_different_runs(folder: Path) -> None:
    out = (folder / "md.out").read_text()
    (folder / "md.out").write_text(out.replace("MD step: 2\n", "MD step: 3\n"))
    with pytest.raises(TaskError, match="step 3 where another is expected"):
        read(folder)
    energy = out.split("Potential Energy:")[3].split()[0]
    other = energy[:-1] + str((int(energy[-1]) + 5) % 10)
    (folder / "md.out").write_text(out.replace(energy, other))
    with pytest.raises(TaskError, match="the energy of step 2 is"):
        read(folder)
    (folder / "md.out").write_text(out)
    geometry = (folder / "geo.gen").read_text()
    number = geometry.splitlines()[2].split()[2]
    (folder / "geo.gen").write_text(geometry.replace(number, f"{float(number) + 1e-3:.12f}"))
    with pytest.raises(TaskError, match="another structure than the task's"):
        read(folder)


def test_without_forces(folder: Path) -> None:
    """As before 24.1."""
    lines = (folder / "md.out").read_text().splitlines(keepends=True)
    count = len(read_gen(folder / "geo.gen"))
    kept, skip = [], 0
    for line in lines:
        skip = count + 1 if line.startswith("Forces (au)") else 4 if "stress" in line else skip
        if skip:
            skip -= 1
        else:
            kept.append(line)
    (folder / "md.out").write_text("".join(kept))
    with pytest.raises(TaskError, match="holds no forces, so its steps are no data. DFTB"):
        read(folder)


def test_steps_that_did_not_converge_are_left_out(folder: Path) -> None:
    screen = (folder / "dftb.out").read_text()
    mark = "***  Geometry step: 3\n"
    assert mark in screen
    note = "WARNING!\n-> SCC is NOT converged, maximal SCC iterations exceeded\n"
    (folder / "dftb.out").write_text(screen.replace(mark, mark + note))
    found = read(folder)
    (folder / "dftb.out").write_text(screen)
    whole = read(folder).frames
    assert (len(found.frames), found.lost) == (len(whole) - 1, [3])
    same(found.frames[:3], whole[:3])
    np.testing.assert_array_equal(
        [frame.cell.array for frame in found.frames[3:]], [frame.cell.array for frame in whole[4:]]
    )
