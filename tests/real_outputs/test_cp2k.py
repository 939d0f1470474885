"""Logs and trajectories of CP2K 6, 7 and 2025."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import NotConvergedError
from pwact.formats.cp2k_output import read_log
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from tests.formats import test_cp2k_output
from tests.formats.test_cp2k_trajectory import frames_that_others_read

pytestmark = pytest.mark.real_outputs

test_a_cut_log = test_cp2k_output.test_a_cut_log
test_a_spoiled_log = test_cp2k_output.test_a_spoiled_log
test_an_scf_that_did_not_converge = test_cp2k_output.test_an_scf_that_did_not_converge


def test_cp2k_6(samples: Path) -> None:
    log = read_log(samples / "cp2k" / "scf_6.log")
    found = log.single_point(30)
    assert found.energy == pytest.approx(-1766.225653832774242 * 27.2113838565563, abs=1e-9)
    forces = np.array(found.forces)
    first = np.array([0.00021561, 0.00034116, 0.00317438]) * 51.42206318571696
    np.testing.assert_allclose(forces[0], first, atol=1e-12)
    last = np.array([-0.01183406, 0.00329784, -0.00002250]) * 51.42206318571696
    np.testing.assert_allclose(forces[29], last, atol=1e-12)
    assert found.stress is not None
    second = np.array([-0.07686533, -8.05678106, -0.01863861]) / 160.21766208
    np.testing.assert_allclose(found.stress[1], second, atol=1e-14)
    assert log.cell == {
        "a": [5.038, 0.0, 0.0],
        "b": [-2.519, 4.363, 0.0],
        "c": [0.0, 0.0, 13.772],
    }
    assert [symbol for symbol, _ in log.atoms] == ["Fe"] * 12 + ["O"] * 18


def test_cp2k_2025(samples: Path) -> None:
    log = read_log(samples / "cp2k" / "scf_2025.log")
    found = log.single_point(2)
    assert found.energy == pytest.approx(-7.364190264587725 * 27.2113838565563, abs=1e-12)
    second = np.array([7.92269287e-2, 3.84670665e-2, -3.41478833e-2]) * 51.42206318571696
    np.testing.assert_allclose(np.array(found.forces)[1], second, atol=1e-12)
    assert found.stress is not None
    np.testing.assert_allclose(found.stress, np.eye(3) * 0.12345678 / 160.21766208, atol=1e-14)
    assert log.atoms == [("H", [0.0, 0.0, 0.0]), ("H", [0.76, 0.0, 0.0])]


def test_not_converged(samples: Path) -> None:
    log = read_log(samples / "cp2k" / "unconverged" / "dft.log")
    assert log.ended
    assert len(log.atoms) == 302
    with pytest.raises(NotConvergedError):
        log.single_point(302)


def test_md(samples: Path) -> None:
    log = read_log(samples / "cp2k" / "md" / "dft.log")
    assert [one.step for one in log.evaluations] == [1, *range(1, 51)]
    assert all(one.converged for one in log.evaluations)
    found = log.evaluations[1]
    assert found.energy == pytest.approx(-251.671068939488663 * 27.2113838565563, abs=1e-9)
    assert found.stress is not None
    assert found.stress[0, 2] == pytest.approx(7.17924044566e-1 / 160.21766208, abs=1e-14)


def test_structures(samples: Path) -> None:
    found = read_structure(samples / "cp2k" / "scf_6.log", "cp2k/scf")
    assert found.get_chemical_formula() == "Fe12O18"
    np.testing.assert_array_equal(found.cell.array[1], [-2.519, 4.363, 0.0])
    found = read_structure(samples / "cp2k" / "md_dft.log", "cp2k/md")
    last = [8.3800944569, 8.2302666569, 8.1962214172]
    np.testing.assert_array_equal(found.positions[-1], last)


def test_an_md_agrees_with_two_other_readers(samples: Path) -> None:
    found = frames_that_others_read(samples / "cp2k" / "md_dft.log", "md_CP2K_MD", 51)
    labels = labels_of(found[0])
    assert labels.energy == pytest.approx(-251.671533806928323 * 27.2113838565563, abs=1e-9)
    assert labels.forces[0, 0] == pytest.approx(-0.00439323 * 51.42206318571696, abs=1e-9)
    assert labels.virial is not None
    stress = 2.28139666442 / 160.21766208
    volume = abs(np.linalg.det(found[0].cell.array))
    assert labels.virial[1, 1] == pytest.approx(stress * volume, rel=1e-12)
