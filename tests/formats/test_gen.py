"""The gen format: round trips, ASE as a second reader, damage."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pwact.errors import TaskError
from pwact.formats.gen import read_gen, write_gen
from tests.damage import cuts, put, spoiled

ELEMENTS = ["Si", "Li", "H", "Au", "O", "U"]


@st.composite
def structures(draw: st.DrawFn) -> Atoms:
    """Interleaved elements, skewed and left-handed cells, atoms far samples."""
    count = draw(st.one_of(st.integers(1, 12), st.integers(100, 500)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=6, unique=True))
    cell = np.diag(rng.uniform(2, 30, 3)) + rng.uniform(-1.5, 1.5, (3, 3))
    cell = cell[draw(st.permutations([0, 1, 2]))]
    places = rng.normal(0, draw(st.sampled_from([1e-9, 1.0, 300.0])), (count, 3))
    return Atoms(rng.choice(kinds, count), places, cell=cell, pbc=True)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(atoms=structures())
def test_round_trips(tmp_path: Path, atoms: Atoms) -> None:
    path = tmp_path / "geo.gen"
    write_gen(path, atoms)
    for found in (read_gen(path), ase.io.read(path, format="gen")):
        assert found.get_chemical_symbols() == atoms.get_chemical_symbols()
        np.testing.assert_array_equal(found.positions, atoms.positions)
        np.testing.assert_array_equal(found.cell.array, atoms.cell.array)
        assert found.pbc.all()
    kinds = path.read_text().splitlines()[1].split()
    assert kinds == list(dict.fromkeys(atoms.get_chemical_symbols()))


def test_whole_files(samples: Path) -> None:
    paths = sorted((samples / "dftbplus").glob("*/geo*.gen"))
    read = 0
    for path in paths:
        if not path.stat().st_size:
            with pytest.raises(TaskError, match="cut off"):
                read_gen(path)
            continue
        found, other = read_gen(path), ase.io.read(path, format="gen")
        assert found.get_chemical_symbols() == other.get_chemical_symbols()
        np.testing.assert_array_equal(found.positions, other.positions)
        np.testing.assert_array_equal(found.cell.array, other.cell.array)
        assert (found.pbc == other.pbc).all()
        read += 1
    assert read == 20


def test_numbers_read_by_eye(samples: Path) -> None:
    found = read_gen(samples / "dftbplus" / "relax_maxsteps" / "geo_end.gen")
    np.testing.assert_array_equal(found.positions[1], [-0.005311971779, 1.788865577, 1.801403507])
    np.testing.assert_array_equal(
        found.cell.array[2], [0.001463191002, -0.0002421061487, 3.590604929]
    )


def test_fractional_coordinates(tmp_path: Path) -> None:
    path = put(tmp_path / "f.gen", b"1 F\nSi\n1 1 0.5 0.25 0\n0 0 0\n4 0 0\n0 8 0\n1 0 4\n")
    np.testing.assert_allclose(read_gen(path).positions, [[2.0, 2.0, 0.0]])


WHOLE = b"""2 S
Si Li
1 1 0.1 0.2 0.3
2 2 1.5 1.6 1.7
0.0 0.0 0.0
4.5 0.0 0.0
0.0 4.5 0.0
0.0 0.0 4.5
"""


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"2 S", b"2 X", 1),
        (b"2 S", b"two S", 1),
        (b"Si Li", b"Si Xx", 2),
        (b"2 2 1.5", b"3 2 1.5", 4),
        (b"2 2 1.5", b"2 3 1.5", 4),
        (b"1.6", b"NaN", 4),
        (b"1.6 1.7", b"1.6", 4),
        (b"4.5 0.0 0.0", b"4.5 0.0 *****", 6),
        (b"0.0 0.0 4.5\n", b"0.0 0.0 4.5\n1 S\n", 9),
    ],
)
def test_damage(tmp_path: Path, old: bytes, new: bytes, line: int) -> None:
    with pytest.raises(TaskError, match=f"line {line}"):
        read_gen(put(tmp_path / "geo.gen", WHOLE.replace(old, new, 1)))


def test_a_flat_cell(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no volume"):
        read_gen(put(tmp_path / "geo.gen", WHOLE.replace(b"0.0 4.5 0.0", b"4.5 0.0 0.0")))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    for place in {*cuts(WHOLE), len(WHOLE) - 1}:
        with pytest.raises(TaskError):
            read_gen(put(tmp_path / "geo.gen", WHOLE[:place]))
    for content in (*spoiled(WHOLE, b"NaN"), *spoiled(WHOLE, b"****"), WHOLE + WHOLE):
        with pytest.raises(TaskError, match="line"):
            read_gen(put(tmp_path / "geo.gen", content))
