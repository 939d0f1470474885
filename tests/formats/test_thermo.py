"""What the log of an MD says step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.formats.thermo import last_step, potential_energies

LAMMPS = """\
Setting up Verlet run ...
   Step          Temp          PotEng         KinEng
         0   300           -96.27946116     1.2021193
WARNING: 4 of something
        10   265.27728     -96.28720155     1.0629832
Loop time of 1.2 on 1 procs for 10 steps with 32 atoms
1 2 3 4
"""
ASE = "step temp pe ke etotal vol\n0 300 -1.5 0.1 -1.4 64\n20 310 -1.4 0.1 -1.3 64\n"


@pytest.mark.parametrize(
    ("text", "energies", "last"),
    [
        (LAMMPS, {0: -96.27946116, 10: -96.28720155}, 10),
        (LAMMPS[: LAMMPS.index("     1.0629832")], {0: -96.27946116}, 0),  # cut off
        (LAMMPS[: LAMMPS.index("0629832\nLoop")], {0: -96.27946116}, 0),
        (ASE, {0: -1.5, 20: -1.4}, 20),
        ("   Step   Temp\n  0  300\n  5  301\n", {}, 5),
        ("nothing of the kind\n", {}, None),
    ],
)
def test_rows_of_a_log(
    tmp_path: Path, text: str, energies: dict[int, float], last: int | None
) -> None:
    path = tmp_path / "md.log"
    path.write_text(text)
    assert potential_energies(path) == energies
    assert last_step(path) == last


def test_no_log_has_no_rows(tmp_path: Path) -> None:
    assert potential_energies(tmp_path / "md.log") == {}
    assert last_step(tmp_path / "md.log") is None
