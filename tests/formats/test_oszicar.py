from __future__ import annotations

from pathlib import Path

import pytest

from pwact.formats.oszicar import ElectronicStep, last_electronic_step

TEXT = """       N       E               dE             d eps       ncg     rms          rms(c)
DAV:   1     0.691E+02    0.69101E+02   -0.24E+03   512   0.55E+02
RMM:  12    -0.239E+02   -0.41966E-06   -0.12315E-07   288   0.131E-03    0.2E-01
   1 F= -.23965378E+02 E0= -.23976828E+02  d E =-.239654E+02
"""


def test_the_last_electronic_step(tmp_path: Path) -> None:
    file = tmp_path / "OSZICAR"
    for text in (TEXT, TEXT + "  some words of an MPI library\n\n", TEXT[: TEXT.index("   1 F=")]):
        file.write_text(text)
        assert last_electronic_step(file) == ElectronicStep(12, -4.1966e-7, -1.2315e-8)
    file.write_text(TEXT[:-80])
    assert last_electronic_step(file) == ElectronicStep(1, 69.101, -240.0)


@pytest.mark.parametrize("text", ["", "nonsense\n", TEXT.replace("-0.41966E-06", "************")])
def test_nothing_to_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "OSZICAR").write_text(text)
    assert last_electronic_step(tmp_path / "OSZICAR") is None
    assert last_electronic_step(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("changes", "met"),
    [((1e-6, 0.0), True), ((-1e-6, -1e-6), True), ((1.1e-6, 0), False), ((0, -2e-6), False)],
)
def test_both_changes_count(changes: tuple[float, float], met: bool) -> None:
    assert ElectronicStep(1, *changes).within(1e-6) == met
