"""Features of frames: written and read frame by frame, bounded, exact as long as they fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.errors import TaskError
from pwact.formats import features as module
from pwact.formats.features import Features, reduced, rows_within, writing_features

RNG = np.random.default_rng(3)
STEPS = np.array([0, 5, 20])


def written(path: Path, matrices: list[np.ndarray], columns: int = 4) -> Features:
    with writing_features(path, STEPS, columns) as put:
        for place, matrix in enumerate(matrices):
            put(place, matrix)
    return Features(path)


def test_features_are_what_was_put(tmp_path: Path) -> None:
    matrices = [RNG.normal(size=(n, 4)) for n in (1, 3)]
    found = written(tmp_path / "f.npy", matrices)
    for step, matrix in zip(STEPS.tolist(), matrices):
        rows = found.of(step)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(rows.T @ rows, matrix.T @ matrix, rtol=1e-5)
    assert isinstance(found._table, np.memmap)
    for step in (20, 7):  # not put, not there
        with pytest.raises(TaskError, match=f"step {step} has no features"):
            found.of(step)


def test_many_rows_become_as_many_as_columns_and_lose_nothing() -> None:
    matrix = RNG.normal(size=(300, 6))
    few = reduced(matrix, 6)
    assert few.shape == (6, 6)
    np.testing.assert_allclose(few.T @ few, matrix.T @ matrix, rtol=1e-10)


def test_fewer_rows_are_the_best_of_all_so_small_ones() -> None:
    matrix = RNG.normal(size=(50, 6)) * np.array([10, 5, 2, 1, 0.1, 0.1])
    whole = matrix.T @ matrix
    few = reduced(matrix, 2)
    values = np.linalg.eigvalsh(whole)[::-1]
    assert few.shape == (2, 6)
    assert np.linalg.norm(whole - few.T @ few, 2) == pytest.approx(values[2])


@pytest.mark.parametrize(
    ("frames", "columns", "rows"), [(10, 4, 4), (10, 100, 25), (10**6, 100, 1), (0, 0, 0)]
)
def test_the_file_is_bounded(frames: int, columns: int, rows: int) -> None:
    assert rows_within(frames, columns, most_bytes=10**5) == rows


def test_a_long_trajectory_stays_within_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 3 * 4 * 4 * 2)
    written(tmp_path / "f.npy", [RNG.normal(size=(9, 4))])
    assert np.load(tmp_path / "f.npy")["rows"].shape == (3, 2, 4)


def test_what_is_not_finite_has_no_features(tmp_path: Path) -> None:
    found = written(tmp_path / "f.npy", [np.full((9, 4), np.nan)])
    with pytest.raises(TaskError):
        found.of(0)


@pytest.mark.parametrize("damage", ["missing", "cut", "other", "zeros"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "f.npy"
    written(path, [RNG.normal(size=(2, 4))])
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "zeros":
        written(path, [RNG.normal(size=(2, 4))] * 3)
        content = path.read_bytes()
        path.write_bytes(content[: -len(content) // 3].ljust(len(content), b"\0"))
    else:
        np.save(path, np.zeros((3, 2)))
    with pytest.raises(TaskError, match=r"f\.npy"):
        Features(path)


def test_nothing_is_there_before_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "f.npy"
    with pytest.raises(RuntimeError), writing_features(path, STEPS, 4):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
