from __future__ import annotations

from dataclasses import replace

import pytest

from pwact.engines.explorers import Condition
from pwact.engines.lammps.input import render
from pwact.engines.potential import Potential
from pwact.errors import InputError

POTENTIAL = Potential(
    types=("Ag", "Au"),
    links={},
    pair_lines=(
        "pair_style deepmd a b out_freq {out_freq} out_file model_devi.out",
        "pair_coeff * *",
    ),
    head_lines=("newton on",),
)
CONDITION = Condition("npt-iso", 1000, 5, 300.0, 10000.0, 0.002, 0.1, 0.5, 7)

WHOLE = """\
newton on
variable NSTEPS index 1000
variable THERMO_FREQ index 5
variable DUMP_FREQ index 5
variable restart index 0
variable TEMP index 300.0
variable PRESS index 10000.0
variable TAU_T index 0.1
variable TAU_P index 0.5
units metal
boundary p p p
atom_style atomic
neighbor 1.0 bin
neigh_modify delay 7
box tilt large
if "${restart} > 0" then "read_restart lmps.restart.*" else "read_data lmp.config"
change_box all triclinic
mass 1 107.868
mass 2 196.967
pair_style deepmd a b out_freq ${DUMP_FREQ} out_file model_devi.out
pair_coeff * *
thermo_style custom step temp pe ke etotal press vol lx ly lz xy xz yz
thermo ${THERMO_FREQ}
dump 1 all custom ${DUMP_FREQ} traj.lammpstrj id type x y z fx fy fz
dump_modify 1 sort id format float %.16g
if "${restart} > 0" then "dump_modify 1 append yes"
restart 10000 lmps.restart
if "${restart} == 0" then "velocity all create ${TEMP} 4711"
fix 1 all npt temp ${TEMP} ${TEMP} ${TAU_T} iso ${PRESS} ${PRESS} ${TAU_P}
timestep 0.002
run ${NSTEPS} upto
"""


def test_whole_input() -> None:
    assert render(POTENTIAL, CONDITION, 4711) == WHOLE


@pytest.mark.parametrize(
    ("ensemble", "fix"),
    [
        ("nve", "nve"),
        ("nvt", "nvt temp ${TEMP} ${TEMP} ${TAU_T}"),
        ("npt-aniso", "npt temp ${TEMP} ${TEMP} ${TAU_T} aniso ${PRESS} ${PRESS} ${TAU_P}"),
        ("npt-tri", "npt temp ${TEMP} ${TEMP} ${TAU_T} tri ${PRESS} ${PRESS} ${TAU_P}"),
    ],
)
def test_ensembles(ensemble: str, fix: str) -> None:
    text = render(POTENTIAL, replace(CONDITION, ensemble=ensemble), 1)
    assert f"\nfix 1 all {fix}\n" in text
    assert ("variable PRESS" in text) == ("variable TAU_P" in text) == ("npt" in ensemble)


@pytest.mark.parametrize("change", [{"press_bar": None}, {"ensemble": "npt"}])
def test_impossible_conditions(change: dict[str, None]) -> None:
    with pytest.raises(InputError):
        render(POTENTIAL, replace(CONDITION, **change), 1)
