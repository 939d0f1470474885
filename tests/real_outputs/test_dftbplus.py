"""Fifteen runs of DFTB+ 25.1: every file of each."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest

from pwact.engines.dftbplus.labeler import DftbPlusLabeler
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.dftbplus_output import BOHR, HARTREE, read_details
from pwact.formats.dftbplus_tag import read_tags
from pwact.formats.gen import read_gen
from pwact.formats.hsd import read_hsd
from pwact.formats.labels import labels_of
from pwact.verdict import Outcome
from tests.engines import test_dftbplus
from tests.formats import test_dftbplus_md, test_dftbplus_output, test_dftbplus_tag
from tests.formats.test_dftbplus_output import FAILED
from tests.formats.test_dftbplus_tag import WANTED

pytestmark = pytest.mark.real_outputs
SCF, AIMD, RELAX = Purpose.SCF, Purpose.AIMD, Purpose.RELAX

folder = test_dftbplus_md.folder
reader = test_dftbplus.reader
test_ase_reads_the_same_positions = test_dftbplus_md.test_ase_reads_the_same_positions
test_cut_off_md = test_dftbplus_md.test_cut_off_runs_keep_their_complete_steps
test_spoiled_md = test_dftbplus_md.test_spoiled_numbers_are_never_read
test_two_md_in_one_file = test_dftbplus_md.test_two_runs_in_one_file
test_behind_the_last_step = test_dftbplus_md.test_what_stands_behind_the_last_step
test_files_of_different_md = test_dftbplus_md.test_files_of_different_runs
test_without_forces = test_dftbplus_md.test_without_forces
test_steps_left_out = test_dftbplus_md.test_steps_that_did_not_converge_are_left_out
test_the_unknown_keyword = test_dftbplus_output.test_the_unknown_keyword_is_named
test_cuts_of_a_screen = test_dftbplus_output.test_cuts_of_a_screen
test_two_runs_in_one_file = test_dftbplus_output.test_two_runs_in_one_file
test_energies_that_are_none = test_dftbplus_output.test_energies_that_are_none
test_an_empty_file = test_dftbplus_tag.test_an_empty_file_holds_nothing
test_cuts_of_tags = test_dftbplus_tag.test_cuts_of_a_file
test_labels_by_another_way = test_dftbplus.test_labels_by_another_way
test_the_relaxed_structure = test_dftbplus.test_the_relaxed_structure
test_without_end = test_dftbplus.test_a_relaxation_without_end_is_taken_and_said
test_cut_files = test_dftbplus.test_cut_files_are_noticed
test_spoiled_files = test_dftbplus.test_spoiled_files_give_no_other_numbers
test_files_of_another_run = test_dftbplus.test_files_of_another_run
test_md_not_whole = test_dftbplus.test_an_md_ended_but_its_files_are_not_whole
test_older_tags = test_dftbplus.test_older_tags


@pytest.mark.parametrize(
    ("name", "purpose", "outcome", "frames"),
    [(*run[:3], 21 if run[1] is AIMD and run[3] else run[3]) for run in test_dftbplus.RUNS],
)
def test_every_run(
    samples: Path,
    tmp_path: Path,
    reader: DftbPlusLabeler,
    name: str,
    purpose: Purpose,
    outcome: Outcome,
    frames: int,
) -> None:
    test_dftbplus.test_every_run(samples, tmp_path, reader, name, purpose, outcome, frames)


def test_every_geometry(samples: Path) -> None:
    paths = [path for path in (samples / "dftbplus").glob("*/geo*.gen") if path.stat().st_size]
    assert len(paths) == 2 * 20  # under both names
    for path in paths:
        found, other = read_gen(path), ase.io.read(path, format="gen")
        assert found.get_chemical_symbols() == other.get_chemical_symbols()
        np.testing.assert_array_equal(found.positions, other.positions)
        np.testing.assert_array_equal(found.cell.array, other.cell.array)
        assert (found.pbc == other.pbc).all()


@pytest.mark.parametrize(
    ("name", "steps", "energy", "ended", "relaxed", "error"),
    [
        ("sp_cluster", 1, -1.4486185888, True, True, ""),
        ("sp_alloy", 1, -2.8014107212, True, True, ""),
        ("relax", 29, -10.0692081480, True, True, ""),
        ("relax_maxsteps", 4, -10.0654591822, True, False, ""),
        ("md_npt", 21, -10.0525532586, True, True, ""),
        ("md_nvt", 21, -2.8052588487, True, True, ""),
        ("scc_fail", 1, None, False, True, FAILED),
        ("scc_fail_md", 1, None, False, True, FAILED),
        ("scc_fail_goes_on", 1, -2.8014103416, True, True, ""),
        ("err_syntax", 0, None, False, True, "HSD parser error: File"),
        ("err_missing_skf", 0, None, False, True, "SK file with generated name"),
        ("err_keyword", 0, None, False, True, "Code halting due to the presence of errors"),
    ],
)
def test_screens(
    samples: Path, name: str, steps: int, energy: float, ended: bool, relaxed: bool, error: str
) -> None:
    path = samples / "dftbplus" / name / "dftb.out"
    test_dftbplus_output.check_screen(path, steps, energy, ended, relaxed, error)


@pytest.mark.parametrize(
    ("name", "energy", "scc"),
    [
        ("sp_cluster", -1.4486185888, True),
        ("sp_alloy", -2.8014107212, True),
        ("md_nvt", -2.8052588487, True),
        ("scc_fail", -2.8014103416, None),
        ("scc_fail_goes_on", -2.8014103416, False),
    ],
)
def test_details(samples: Path, name: str, energy: float, scc: bool) -> None:
    details = read_details(samples / "dftbplus" / name / "detailed.out")
    assert (details.energy, details.scc) == (energy, scc)


def test_an_md(samples: Path) -> None:
    made = test_dftbplus_md.read(samples / "dftbplus" / "md_nvt")
    assert (len(made.frames), made.lost) == (21, [])
    frame = made.frames[1]
    labels = labels_of(frame)
    assert frame.get_chemical_symbols() == ["Si", "Li", "Li", "Si"]
    assert labels.energy == -2.8053075354 * HARTREE
    wanted = np.array([-0.66364451e-4, -0.19828037e-2, -0.94737875e-3]) * HARTREE / BOHR
    np.testing.assert_allclose(labels.forces[1], wanted, rtol=1e-15)
    np.testing.assert_array_equal(frame.positions[1], [3.16227100, 3.11964393, 3.23336510])
    last = labels_of(made.frames[20]).energy
    assert last == -2.8052588487 * HARTREE  # detailed.out; results.tag has -2.79824431480507


def test_the_lattice_of_a_step_stands_in_the_block_before(samples: Path) -> None:
    folder = samples / "dftbplus" / "md_npt"
    frames = test_dftbplus_md.read(folder).frames
    assert len(frames) == 21
    np.testing.assert_array_equal(frames[0].cell.array, read_gen(folder / "geo.gen").cell.array)
    np.testing.assert_array_equal(frames[1].cell.array[0], [5.4843046, 0.10859701, -0.10923443e-5])
    np.testing.assert_array_equal(
        frames[2].cell.array[1], [-0.61711414e-5, 5.3865748, 0.81465346e-1]
    )


def test_tags(samples: Path) -> None:
    found = read_tags(samples / "dftbplus" / "sp_alloy" / "results.tag", WANTED)
    assert sorted(found) == ["cell_volume", "forces", "mermin_energy", "stress"]
    assert float(found["mermin_energy"]) == -2.80141072121681
    assert found["forces"].shape == (4, 3)
    first = [-0.776997604664379e-2, -0.438423182536785e-2, -0.606015652048731e-2]
    assert found["forces"][0].tolist() == first
    assert found["stress"][0].tolist() == [
        *(0.216437803880141e-3, 0.553268906925159e-4, 0.467342786771501e-4)
    ]
    assert float(found["cell_volume"]) == 404.865828974833
    cluster = read_tags(samples / "dftbplus" / "sp_cluster" / "results.tag", WANTED)
    assert sorted(cluster) == ["forces", "mermin_energy"]
    assert list(cluster["forces"][2]) == [
        *(0.887262694707325e-3, 0.119632751044012e-1, 0.997321320225280e-3)
    ]


def test_a_geometry(samples: Path) -> None:
    found = read_gen(samples / "dftbplus" / "relax_maxsteps" / "geo_end.gen")
    np.testing.assert_array_equal(found.positions[1], [1.347539881, 1.390007301, 1.359995022])
    np.testing.assert_array_equal(found.cell.array[2], [0.01538983217, -0.008407306869, 5.49018258])


def test_inputs_stay_as_they_are(samples: Path) -> None:
    paths = sorted((samples / "dftbplus").glob("*/*.hsd"))
    assert len(paths) == 2 * 27  # under both names
    for path in paths:
        if path.parent.name in {"err_syntax", "05_err_syntax"}:
            with pytest.raises(InputError, match=r"line 38: this \{ is not closed"):
                read_hsd(path)
            continue
        root, source = read_hsd(path, frozenset({"geometry"}))
        assert source.render() == path.read_text()
        assert root.at("Hamiltonian", "DFTB", "MaxAngularMomentum", "si") is not None


def test_a_label(samples: Path, tmp_path: Path, reader: DftbPlusLabeler) -> None:
    """In the metal the Mermin free energy is another than the total energy, by 11 meV."""
    task = test_dftbplus.task_of(samples, tmp_path, "sp_alloy")
    (atoms,) = reader.read_result(task, SCF)
    labels = labels_of(atoms)
    assert atoms.get_chemical_symbols() == ["Si", "Li", "Li", "Si"]
    assert labels.energy == -2.80141072121681 * 27.2113845
    assert labels.energy - -2.8009996163 * 27.2113845 == pytest.approx(-0.01118669, abs=1e-7)
    assert labels.virial is not None
    assert labels.virial[0, 0] == pytest.approx(
        0.216437803880141e-3 * 404.865828974833 * 27.2113845
    )
    again = ase.io.read(task / "geo.gen", format="gen")
    np.testing.assert_array_equal(atoms.positions, again.positions)


def test_the_volume_of_the_relaxed_structure(
    samples: Path, tmp_path: Path, reader: DftbPlusLabeler
) -> None:
    task = test_dftbplus.task_of(samples, tmp_path, "relax_append")
    (atoms,) = reader.read_result(task, RELAX)
    assert atoms.get_volume() == pytest.approx(165.540, abs=1e-3)
