from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.spool import Spool
from tests.formats.conftest import assert_same


def test_frames_come_back_bit_by_bit_in_any_order(tmp_path: Path, frames: list[Atoms]) -> None:
    bare = frames[1].copy()
    bare.pbc = (True, False, True)
    set_labels(bare, labels_of(frames[1]).energy, labels_of(frames[1]).forces)
    given = [frames[0], bare, *frames[2:]]
    spool = Spool(tmp_path / "frames", len(frames[0]))
    for atoms in given:
        spool.append(atoms)
    assert (len(spool), spool.without_virial) == (len(given), 1)
    order = [4, 1, 0, 5, 1]
    picked = spool.picked(order)
    assert len(picked) == 5
    for _ in range(2):
        for found, number in zip(picked, order):
            assert_same(found, given[number])
            assert found.pbc.tolist() == given[number].pbc.tolist()
    assert given[4] in picked
    assert given[2] not in picked


@pytest.mark.parametrize("what", ["energy", "forces", "virial"])
@pytest.mark.parametrize("factor", [float("nan"), 1e300])
def test_labels_that_are_not_finite_are_refused(
    tmp_path: Path, frames: list[Atoms], what: str, factor: float
) -> None:
    labels = labels_of(frames[0])
    values = {"energy": labels.energy, "forces": labels.forces, "virial": labels.virial}
    atoms = frames[0].copy()
    set_labels(atoms, **{**values, what: values[what] * factor})
    spool = Spool(tmp_path / "frames", len(atoms))
    with pytest.raises(InputError, match="not finite"):
        spool.append(atoms)
    assert len(spool) == 0


def test_moments_and_charges_where_they_are_wanted(tmp_path: Path, frames: list[Atoms]) -> None:
    random = np.random.default_rng(3)
    plain, magnetic, noncollinear = (frame.copy() for frame in frames[:3])
    magnetic.set_initial_magnetic_moments(random.normal(size=len(magnetic)))
    magnetic.set_array("magmoms", random.normal(size=len(magnetic)))
    noncollinear.set_array("magmoms", random.normal(size=(len(magnetic), 3)))
    noncollinear.set_tags(np.arange(len(magnetic)))
    given = [plain, magnetic, noncollinear]
    for atoms, frame in zip(given, frames):
        labels = labels_of(frame)
        set_labels(atoms, labels.energy, labels.forces, labels.virial)
    for whole in (True, False):
        spool = Spool(tmp_path / f"frames {whole}", len(plain), whole=whole)
        for atoms in (*given, *given):
            spool.append(atoms)
        spool.cut(2)
        for atoms in (noncollinear, plain):
            spool.append(atoms)
        order = [1, 3, 2, 0]
        for found, number in zip(spool.picked(order), order):
            wanted = [*given, plain][number]
            names = set(wanted.arrays) if whole else {"numbers", "positions"}
            assert set(found.arrays) == names
            for name in names:
                np.testing.assert_array_equal(found.arrays[name], wanted.arrays[name])
        spool.remove()
    assert list(tmp_path.iterdir()) == []
