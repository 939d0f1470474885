"""Models of NEP as text: their heads, and how many numbers these ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.errors import TaskError
from pwact.formats.nep_txt import orders, read_nep

HEAD = """\
nep4_zbl 2 Ag Au
zbl 0.75 1.5
cutoff 6 4.5 5 4 61 23
n_max 2 1
basis_size 3 2
l_max 4 2 0
ANN 5 0
"""
# networks: 2 types of (3 radial + 2 · 5 angular) descriptors, 5 neurons; a shift; basis; scales
NUMBERS = 2 * (13 + 2) * 5 + 1 + 4 * (3 * 4 + 2 * 3) + 13


def write(folder: Path, head: str = HEAD, numbers: int = NUMBERS) -> Path:
    path = folder / "nep.txt"
    path.write_text(head + "".join(f"  {0.5 * k:.10e}\n" for k in range(numbers)))
    return path


def test_a_model(tmp_path: Path) -> None:
    made = read_nep(write(tmp_path))
    assert (made.version, made.types, made.zbl) == ("nep4", ("Ag", "Au"), (0.75, 1.5))
    assert (made.cutoff, made.n_max, made.basis_size) == ((6, 4.5, 5, 4), (2, 1), (3, 2))
    assert (made.l_max, made.neuron) == ((4, 1, 0, 0, 0, 0, 0), 5)
    assert (made.asked, made.numbers[:3]) == (NUMBERS, (0.0, 0.5, 1.0))
    assert len(made.numbers) == NUMBERS


def test_two_elements_may_share_their_cutoffs(tmp_path: Path) -> None:
    """The counts of neighbours behind them are no cutoffs."""
    head = HEAD.replace("6 4.5 5 4 61 23", "6 4.5 61 23")
    assert read_nep(write(tmp_path, head)).cutoff == (6, 4.5)


def test_a_model_of_matpl_has_a_shift_of_each_element(tmp_path: Path) -> None:
    head = HEAD.replace("nep4_zbl 2", "nep5   2").replace("zbl 0.75 1.5\n", "")
    assert read_nep(write(tmp_path, head)).asked == NUMBERS + 2


@pytest.mark.parametrize(
    ("l_max", "expected"), [([4], (4, 0)), ([4, 2, 0], (4, 1)), ([4, 1, 0, 0], (4, 1))]
)
def test_orders_in_one_form(l_max: list[int], expected: tuple[int, int]) -> None:
    assert orders(l_max) == (*expected, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ANN 5 0\n", "", "no whole head"),
        ("n_max 2 1", "n_max 2", "no NEP model"),
        ("basis_size 3 2\n", "", "no NEP model"),
        ("nep4_zbl 2 Ag Au", "nep4_zbl two", "no NEP model"),
        ("  5.0000000000e-01", "weight", "no NEP model"),
    ],
)
def test_what_is_no_model(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = write(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TaskError, match=words):
        read_nep(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="cannot be read"):
        read_nep(tmp_path / "none.txt")
