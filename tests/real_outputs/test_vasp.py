"""OUTCAR and CONTCAR that VASP wrote: numbers read by eye, then all tests of these formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.engines.labelers import Purpose
from pwact.formats.labels import labels_of
from pwact.formats.outcar import Outcar
from pwact.formats.poscar import read_poscar
from tests.engines import test_vasp
from tests.engines.vasp_helpers import vasp
from tests.formats import test_outcar, test_poscar
from tests.formats.test_outcar import frames_of

pytestmark = pytest.mark.real_outputs

made = test_outcar.made
test_another_reader_finds_the_same = test_outcar.test_another_reader_finds_the_same
test_cut_anywhere = test_outcar.test_cut_anywhere
test_what_is_no_number = test_outcar.test_what_is_no_number_is_refused_or_does_not_matter
test_a_contcar_of_md = test_poscar.test_a_contcar_of_md
test_unconverged_is_refused = test_vasp.test_an_scf_that_used_all_its_steps_is_refused


def test_numbers_read_by_eye(samples: Path) -> None:
    outcar = Outcar(samples / "vasp" / "OUTCAR.md")
    steps = list(outcar)
    assert outcar.head is not None
    assert outcar.head.symbols == ("O", "O", "H", "H", "H", "H")
    assert (outcar.head.nelm, outcar.head.ediff, outcar.head.nsw) == (60, 1e-6, 3)
    assert (outcar.head.isif, outcar.head.nwrite) == (2, 2)
    assert (outcar.ended, outcar.relaxed, outcar.learned) == (True, False, 0)
    assert [(step.number, step.iterations, step.converged) for step in steps] == [
        (1, 21, True),
        (2, 12, True),
        (3, 6, True),
    ]
    last = frames_of(steps)[-1]
    labels = labels_of(last)
    assert labels.energy == -28.46658469
    assert labels.virial is not None
    xx, yy, zz, xy, yz, zx = 0.23532, 0.38865, 0.22378, 0.14467, -0.01545, 0.09974
    np.testing.assert_array_equal(labels.virial, [[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
    np.testing.assert_array_equal(last.positions[0], [4.34833, 4.20827, 5.20054])
    np.testing.assert_array_equal(labels.forces[0], [0.072413, 0.667359, -0.134111])
    np.testing.assert_array_equal(labels.forces[5], [-0.249497, -0.118610, -0.197687])
    np.testing.assert_array_equal(last.cell.array[0], [10.0, 0.0, 0.0])
    np.testing.assert_array_equal(last.cell.array[1], [-0.011409, 10.0, 0.0])
    np.testing.assert_array_equal(last.cell.array[2], [0.1411083, -0.0595569, 10.0])


def test_all_electronic_steps_used_is_not_converged(samples: Path) -> None:
    steps = list(Outcar(samples / "vasp" / "OUTCAR.unconverged"))
    assert [(step.iterations, step.converged) for step in steps] == [
        (15, False),
        (15, False),
        (12, True),
    ]
    # one electronic step of one allowed, which changed the energy by 18 eV
    (single,) = Outcar(samples / "vasp" / "OUTCAR.single")
    assert (single.iterations, single.converged) == (1, False)
    assert single.atoms is not None
    assert labels_of(single.atoms).energy == 18.25453698


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OUTCAR.md", [-28.38622624, -28.43874406, -28.46658469]),
        ("OUTCAR.unconverged", [-23.94708651]),
    ],
)
def test_energies_of_an_md(samples: Path, tmp_path: Path, name: str, expected: list[float]) -> None:
    labeler, task = vasp(tmp_path / "inputs", ""), test_vasp.task_with(samples, tmp_path, name)
    assert labeler.check(task, Purpose.AIMD).done
    energies = [labels_of(frame).energy for frame in labeler.read_result(task, Purpose.AIMD)]
    assert energies == expected


def test_elements_of_a_contcar(samples: Path) -> None:
    found = read_poscar(samples / "vasp" / "CONTCAR.md")
    assert found.get_chemical_symbols() == ["O"] * 2 + ["H"] * 4
