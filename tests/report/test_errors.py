"""Errors on labels that a model was not trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

from pwact.errors import InputError
from pwact.report.errors import (
    ELEMENT,
    STRUCTURE,
    TEMPERATURE,
    ErrorRecord,
    error_records,
    error_table,
    error_words,
    pooled,
    valid_words,
)
from pwact.report.parity import Compared, read_parity, write_parity
from pwact.report.records import TrainRecord

NAN = float("nan")


def compared(
    structure: str,
    temp_k: Optional[float],
    symbols: str,
    energies: tuple[float, float],
    error: list[list[float]],
) -> Compared:
    label = np.arange(3.0 * len(error)).reshape(-1, 3)
    model = label + np.array(error)
    place = f"iter.0000/01.explore/md/{structure}"
    names = np.array(symbols.split())
    return Compared(place, 20, structure, temp_k, None, names, energies, label, model)


FRAMES = [
    compared("bulk", 300.0, "Ag Au", (-2.0, -1.8), [[3.0, 4.0, 0.0], [0.0, 0.0, 1.0]]),
    compared("slab", 1000.0, "Ag Ag", (-4.0, NAN), [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]),
    compared("bulk", None, "Au", (-1.0, -1.3), [[0.0, 2.0, 0.0]]),
]


def by_name(records: list[ErrorRecord]) -> dict[tuple[str, str], ErrorRecord]:
    return {(one.kind, one.name): one for one in records}


def test_errors_of_all_and_of_each_group() -> None:
    found = by_name(error_records(FRAMES))
    assert list(found) == [
        ("all", ""),
        (STRUCTURE, "bulk"),
        (STRUCTURE, "slab"),
        (TEMPERATURE, "300 K"),
        (TEMPERATURE, "1000 K"),
        (TEMPERATURE, "not known"),
        (ELEMENT, "Ag"),
        (ELEMENT, "Au"),
    ]
    whole = found["all", ""]
    assert (whole.frames, whole.atoms, whole.energies) == (3, 5, 2)
    assert whole.rmse_e == pytest.approx(np.sqrt((0.1**2 + 0.3**2) / 2))
    assert whole.mae_e == pytest.approx(0.2)
    assert whole.rmse_f == pytest.approx(np.sqrt((9 + 16 + 1 + 1 + 4) / 15))
    assert whole.mae_f == pytest.approx((3 + 4 + 1 + 1 + 2) / 15)
    assert whole.worst_f == pytest.approx(5.0)
    silver = found[ELEMENT, "Ag"]
    assert (silver.frames, silver.atoms, silver.rmse_e) == (2, 3, None)
    assert silver.rmse_f == pytest.approx(np.sqrt((9 + 16 + 1) / 9))
    gold = found[ELEMENT, "Au"]
    assert (gold.frames, gold.worst_f) == (2, pytest.approx(2.0))
    assert found[STRUCTURE, "slab"].rmse_e is None  # the log has no energy of it
    assert error_records([]) == []


def test_several_iterations_together_are_as_if_all_were_one() -> None:
    parts = [one for frame in FRAMES for one in error_records([frame])]
    together = pooled(ErrorRecord.from_json(one.to_json()) for one in parts)
    for one, other in zip(together, error_records(FRAMES)):
        for name, value in one.to_json().items():
            expected = getattr(other, name)
            assert value == (pytest.approx(expected) if isinstance(expected, float) else expected)
    assert len(together) == len(error_records(FRAMES))


def test_the_table_fits_a_terminal_and_says_what_is_not_known() -> None:
    long = replace(FRAMES[1], structure="a/very/long/name/of/a/structure.vasp")
    lines = error_table(error_records([FRAMES[0], long])).splitlines()
    assert max(map(len, lines)) <= 80
    (slab,) = [line.split() for line in lines if "…" in line]
    assert slab == ["…ucture.vasp", "1", "-", "-", "0.4082", "0.1667", "1.0000"]
    (all_of_them,) = [line.split() for line in lines if line.startswith("all")]
    assert all_of_them[:4] == ["all", "2", "100.00", "100.00"]


def test_the_words_leave_out_an_energy_that_is_not_known() -> None:
    with_energy, without = error_records(FRAMES[:1])[0], error_records(FRAMES[1:2])[0]
    assert error_words(with_energy).startswith("energy 100 meV/atom, forces 2.08 eV/Å (MAE")
    assert error_words(without) == "forces 0.408 eV/Å (MAE 0.167, worst atom 1)"
    large = replace(with_energy, rmse_e=1.8951)
    assert error_words(large).startswith("energy 1895 meV/atom, forces")
    assert valid_words(TrainRecord(0.9996, 0.1), TrainRecord(0.0123, 0.1)) == (
        "forces 0.1 eV/Å, energy 1000 → 12.3 meV/atom"
    )


def test_frames_are_read_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "parity.npz"
    write_parity(path, FRAMES)
    for one, other in zip(read_parity(path), FRAMES):
        assert (one.trajectory, one.step, one.structure) == (other.trajectory, 20, other.structure)
        assert (one.temp_k, one.press_bar) == (other.temp_k, None)
        assert one.symbols.tolist() == other.symbols.tolist()
        np.testing.assert_array_equal(one.energies, other.energies)
        np.testing.assert_array_equal(one.model_forces, other.model_forces)
        np.testing.assert_array_equal(one.label_forces, other.label_forces)
    assert len(read_parity(path)) == len(FRAMES)
    write_parity(path, [])
    assert read_parity(path) == []


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04torn"])
def test_a_damaged_table_is_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "parity.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"parity\.npz"):
        read_parity(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_parity(tmp_path / "none.npz")
