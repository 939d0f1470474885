"""The LAMMPS input of one trajectory (spec: order and names as PWact writes them)."""

from __future__ import annotations

from collections.abc import Sequence

from pwact import layout
from pwact.engines.explorers import Condition
from pwact.engines.potential import Potential
from pwact.errors import InputError
from pwact.fixed_atoms import ranges
from pwact.formats.masses import mass_of

INPUT = "in.lammps"
DATA = layout.EXPLORED_START
TYPES = "atom_type.txt"
DUMP = "traj.lammpstrj"
FOREIGN_DUMP = "traj"  # of PWact: a directory with a file a frame
RESTART = "lmps.restart"
DEVIATION = layout.MODEL_DEVI
DEVIATION_LOG = "deviation.log"  # of the evaluation of a committee after the MD
EARLIER_DEVIATION = layout.EARLIER_MODEL_DEVI
RESTART_STEPS = 10000
READ_LINE = f'if "${{restart}} > 0" then "read_restart {RESTART}.*" else "read_data {DATA}"'
RESTART_LINE = f"restart {RESTART_STEPS} {RESTART}"
DUMP_LINES = (
    f"dump 1 all custom ${{DUMP_FREQ}} {DUMP} id type x y z fx fy fz",
    "dump_modify 1 sort id format float %.16g",
    'if "${restart} > 0" then "dump_modify 1 append yes"',
)

_COUPLING = {"npt-iso": "iso", "npt-aniso": "aniso", "npt-tri": "tri"}


def render(potential: Potential, condition: Condition, seed: int, still: Sequence[int] = ()) -> str:
    """Return the text of ``in.lammps``.

    ``restart`` is a variable that the command line may set to 1; then the newest restart file is
    continued up to NSTEPS and the dump is appended to.

    Parameters
    ----------
    seed
        Seed of the starting velocities.
    still
        Numbers of atoms that are held, from 1 on. They are not integrated; their forces, which are
        those of the models, stay in the dump.
    """
    parts = (
        list(potential.head_lines),
        _variables(condition),
        _box(condition),
        masses(potential.types),
        [line.replace("{out_freq}", "${DUMP_FREQ}") for line in potential.pair_lines],
        _output(),
        _motion(condition, seed, still),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def render_given(potential: Potential, frames: str) -> str:
    """The input that evaluates the models on all frames of a dump, and leaves what an MD would."""
    lines = [
        *potential.head_lines,
        "variable restart index 0",
        *["units metal", "boundary p p p", "atom_style atomic", "neighbor 1.0 bin"],
        *["box tilt large", f"read_data {DATA}", "change_box all triclinic"],
        *masses(potential.types),
        *[line.replace("{out_freq}", "1") for line in potential.pair_lines],
        *["thermo_style custom step pe press vol", "thermo 1", "thermo_modify lost ignore"],
        *[line.replace("${DUMP_FREQ}", "1") for line in DUMP_LINES[:2]],
        f"rerun {frames} dump x y z",
    ]
    return "\n".join(lines) + "\n"


def _variables(condition: Condition) -> list[str]:
    values: list[tuple[str, object]] = [
        ("NSTEPS", condition.nsteps),
        ("THERMO_FREQ", condition.trj_freq),
        ("DUMP_FREQ", condition.trj_freq),
        ("restart", 0),
        ("TEMP", condition.temp_k),
    ]
    if condition.ensemble in _COUPLING:
        if condition.press_bar is None:
            raise InputError(f"{condition.ensemble} needs a pressure", key="explore.md_jobs.press")
        values.append(("PRESS", condition.press_bar))
    values.append(("TAU_T", condition.taut_ps))
    if condition.ensemble in _COUPLING:
        values.append(("TAU_P", condition.taup_ps))
    # an index variable keeps the value that the command line gave it
    return [f"variable {name} index {value}" for name, value in values]


def _box(condition: Condition) -> list[str]:
    return [
        *["units metal", "boundary p p p", "atom_style atomic"],
        "neighbor 1.0 bin",
        f"neigh_modify delay {condition.neigh_delay}",
        "box tilt large",
        READ_LINE,
        "change_box all triclinic",
    ]


def masses(types: tuple[str, ...]) -> list[str]:
    """One ``mass`` command a type, in g/mol."""
    return [f"mass {number} {mass_of(symbol):.3f}" for number, symbol in enumerate(types, 1)]


def _output() -> list[str]:
    return [
        "thermo_style custom step temp pe ke etotal press vol lx ly lz xy xz yz",
        "thermo ${THERMO_FREQ}",
        *DUMP_LINES,
        RESTART_LINE,
    ]


def _motion(condition: Condition, seed: int, still: Sequence[int]) -> list[str]:
    heat = "temp ${TEMP} ${TEMP} ${TAU_T}"
    group = "free" if still else "all"
    if condition.ensemble in _COUPLING:
        coupling = _COUPLING[condition.ensemble]
        fix = f"fix 1 all npt {heat} {coupling} ${{PRESS}} ${{PRESS}} ${{TAU_P}}"
    elif condition.ensemble == "nvt":
        fix = f"fix 1 {group} nvt {heat}"
    elif condition.ensemble == "nve":
        fix = f"fix 1 {group} nve"
    else:
        raise InputError(f"unknown ensemble {condition.ensemble}", key="explore.md_jobs.ensemble")
    return [
        *_groups(still),
        f'if "${{restart}} == 0" then "velocity {group} create ${{TEMP}} {seed}"',
        fix,
        f"timestep {condition.dt_ps}",
        "run ${NSTEPS} upto",
    ]


def _groups(still: Sequence[int]) -> list[str]:
    """Two groups where atoms are held, and the temperature of the free ones in the log."""
    if not still:
        return []
    numbers = " ".join(one.replace("..", ":") for one in ranges(still))
    return [
        f"group still id {numbers}",
        "group free subtract all still",
        "compute warmth free temp",
        "thermo_modify temp warmth",
    ]
