"""The section ``explore`` of a run: structures and molecular dynamics."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.config.kinds import (
    Anything,
    Flag,
    Items,
    Nodes,
    Real,
    Text,
    Whole,
    existing,
    is_there,
)
from pwact.config.schema import Key, Node, Usual, declare, keys_of, obsolete, read
from pwact.config.shapes import Shape, any_case
from pwact.config.structure_file import StructureFile, structure_file, structure_of

ENSEMBLES = {
    **{"nve": "nve", "nvt": "nvt"},
    **{"npt": "npt-iso", "npt-i": "npt-iso", "npt-iso": "npt-iso"},
    **{"npt-a": "npt-aniso", "npt-aniso": "npt-aniso"},
    **{"npt-t": "npt-tri", "npt-tri": "npt-tri"},
}
_INDICES = Items(Whole(0), low=1)
_MD_DT = Usual(1e-5, 0.01, "0.001 ps is 1 fs")
_FASTEST = 10  # time steps; the shortest damping time that is no slip


@dataclass(frozen=True)
class Ensemble:
    """An ensemble in one of its spellings."""

    words: str = "nve, nvt, npt-iso (npt, npt-i), npt-aniso (npt-a) or npt-tri (npt-t)"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        spellings = {one for name in ENSEMBLES for one in (name, name.replace("-", "_"))}
        return any_case(sorted(spellings))

    def convert(self, node: Node) -> str:
        """``nve``, ``nvt``, ``npt-iso``, ``npt-aniso`` or ``npt-tri``."""
        word = node.value.strip().lower().replace("_", "-") if isinstance(node.value, str) else ""
        if word not in ENSEMBLES:
            raise node.wrong(self.words)
        return ENSEMBLES[word]


@dataclass(frozen=True)
class MdJob:
    """One group of trajectories of one iteration.

    Attributes
    ----------
    select_sys, lmps_in_idx
        One number per element of `sys_idx`; None where not given.
    temps, press
        Empty where a user's LAMMPS input rules; `press` also without pressure control.
    """

    sys_idx: tuple[int, ...] = declare(
        (0,), _INDICES, "Which entries of sys_configs are explored.", required=True
    )
    select_sys: Optional[tuple[int, ...]] = declare(
        None,
        Items(Whole(1), low=1),
        "At most this many candidates of each structure: one for all, or one per sys_idx.",
        default_words="strategy.max_select, else 100 (10 with strategy.target_force_error)",
    )
    lmps_in_idx: Optional[tuple[int, ...]] = declare(
        None,
        _INDICES,
        "Which entries of lmps_in are used instead of a generated input: one for all, or one per "
        "sys_idx. ensemble, nsteps, md_dt, temps, press, taut and taup then have no effect.",
    )
    ensemble: str = declare("nve", Ensemble(), "The ensemble.")
    nsteps: Optional[int] = declare(
        None, Whole(1), "Number of MD steps; required without lmps_in_idx."
    )
    md_dt: float = declare(
        0.001,
        Real(high=1.0, positive=True),
        "Time step.",
        unit="ps",
        usual=_MD_DT,
    )
    trj_freq: int = declare(10, Whole(1), "Steps between two frames and their deviations.")
    temps: tuple[float, ...] = declare(
        (),
        Items(Real(high=1e6, positive=True)),
        "Temperatures, a trajectory each; required without lmps_in_idx.",
        unit="K",
        usual=Usual(1, 10_000),
    )
    press: tuple[float, ...] = declare(
        (),
        Items(Real()),
        "Pressures, a trajectory each; required for npt.",
        unit="bar",
        usual=Usual(-1e5, 5e6, "1 GPa is 10000 bar, 1 bar is 100000 Pa"),
    )
    taut: float = declare(
        0.1,
        Real(positive=True),
        "Damping time of the thermostat.",
        unit="ps",
        usual=Usual(0.005, 50, "0.1 ps is 100 fs"),
    )
    taup: float = declare(
        0.5,
        Real(positive=True),
        "Damping time of the barostat.",
        unit="ps",
        usual=Usual(0.01, 200, "1 ps is 1000 fs"),
    )
    boundary: bool = declare(True, Flag(), "Accepted; the cell is always periodic.")
    neigh_modify: int = declare(10, Whole(0), "The number of `neigh_modify delay`.")
    merge_traj: bool = declare(False, Flag(), "Accepted; frames are found either way.")


@dataclass(frozen=True)
class ExploreConfig:
    """What is explored.

    Attributes
    ----------
    systems
        The structures of each entry of ``sys_configs``, wildcards expanded and sorted.
    md_jobs
        The groups of each iteration.
    pair_style
        What LAMMPS is given to load models that run in ASE otherwise.
    """

    systems: tuple[tuple[StructureFile, ...], ...] = ()
    lmps_in: tuple[Path, ...] = ()
    md_jobs: tuple[tuple[MdJob, ...], ...] = ()
    pair_style: Optional[str] = None


KEYS = (
    Key("sys_config_prefix", Text(one_line=True), help="Directory put before every structure."),
    Key(
        "sys_configs",
        Nodes("path, {config, format}, or list of such"),
        help="Structures to explore. A path may hold wildcards (* ? []).",
        required=True,
    ),
    Key("lmps_prefix", Text(one_line=True), help="Directory put before every lmps_in."),
    Key(
        "lmps_in",
        Nodes("file, or list of files", low=0),
        default=(),
        help="LAMMPS inputs of the user.",
    ),
    Key(
        "md_jobs",
        Nodes("list of objects, or of lists of objects"),
        help="Element i is iteration i: one group of trajectories or a list of groups. With "
        "strategy.target_force_error it is a condition, which is repeated until the error is "
        "reached.",
        required=True,
    ),
    Key(
        "pair_style",
        Text(one_line=True),
        help="MD by LAMMPS in place of ASE, with this pair style: nep or nep/cpu (TorchNEP), e3gnn "
        "(SevenNet), mace (MACE). command of the block explore is then a LAMMPS that has it.",
        default_words="MD by ASE, with these engines",
    ),
)
MD_KEYS = (
    *keys_of(MdJob),
    obsolete("mass", Anything(), "Masses come from the table of elements."),
)


def load_explore(node: Node) -> ExploreConfig:
    """Read the section ``explore``.

    Raises
    ------
    InputError
        A key is wrong, a file is missing or an index points nowhere.
    """
    values = read(node, KEYS)
    prefix = Path(values["sys_config_prefix"] or "")
    systems = tuple(_system(one, prefix) for one in values["sys_configs"])
    inputs = tuple(_input(one, Path(values["lmps_prefix"] or "")) for one in values["lmps_in"])
    counts = (len(systems), len(inputs))
    jobs = tuple(_iteration(one, counts) for one in values["md_jobs"])
    return ExploreConfig(systems, inputs, jobs, values["pair_style"])


def _system(node: Node, prefix: Path) -> tuple[StructureFile, ...]:
    place, given, held = structure_of(node)
    return tuple(structure_file(place, path, given, held) for path in _matches(place, prefix))


def _matches(node: Node, prefix: Path) -> list[Path]:
    pattern = prefix / Text(one_line=True).convert(node)
    absolute = node.context.base / pattern
    if not glob.has_magic(str(pattern)) or is_there(absolute):
        return [existing(node, pattern)]
    # the work directory may hold brackets that are no wildcards
    base = "" if pattern.is_absolute() else f"{glob.escape(str(node.context.base))}/"
    found = sorted(Path(name) for name in glob.glob(f"{base}{pattern}"))  # noqa: PTH207
    files = [path for path in found if path.is_file()]
    if not files:
        raise node.wrong("wildcards that match at least one file")
    return files


def _input(node: Node, prefix: Path) -> Path:
    return existing(node, prefix / Text(one_line=True).convert(node))


def _iteration(node: Node, counts: tuple[int, int]) -> tuple[MdJob, ...]:
    jobs = node.items()
    if not jobs:
        raise node.wrong("an object, or a list of objects that is not empty")
    return tuple(_md_job(one, counts) for one in jobs)


def _md_job(node: Node, counts: tuple[int, int]) -> MdJob:
    values = read(node, MD_KEYS)
    system_count, input_count = counts
    length = len(values["sys_idx"])
    check_indices(node.child("sys_idx", None), values["sys_idx"], system_count, "sys_configs")
    for name in ("select_sys", "lmps_in_idx"):
        values[name] = _broadcast(node.child(name, None), values[name], length)
    if values["lmps_in_idx"] is not None:
        place = node.child("lmps_in_idx", None)
        check_indices(place, values["lmps_in_idx"], input_count, "lmps_in")
        values["temps"] = values["press"] = ()
        return MdJob(**values)
    _check_generated(node, values)
    if not values["ensemble"].startswith("npt"):
        values["press"] = ()
    return MdJob(**values)


def _check_generated(node: Node, values: dict[str, Any]) -> None:
    """What an input made by us needs."""
    needed = ["nsteps", "temps"]
    if values["ensemble"].startswith("npt"):
        needed.append("press")
    for name in needed:
        if not values[name]:
            reason = " for npt" if name == "press" else " without lmps_in_idx"
            raise node.child(name, None).error(
                f"this key is required{reason}, and must not be empty"
            )
    if values["nsteps"] < values["trj_freq"]:
        place = node.child("trj_freq", None)
        raise place.error(
            f"found {values['trj_freq']}, but nsteps is {values['nsteps']}: only the start "
            "structure would be seen; allowed: at most nsteps"
        )
    _note_damping(node, values)


def _note_damping(node: Node, values: Mapping[str, Any]) -> None:
    """A thermostat or barostat that is hardly slower than the time step shakes the atoms apart."""
    used = {"taut": values["ensemble"] != "nve", "taup": values["ensemble"].startswith("npt")}
    for name, counts in used.items():
        if counts and values[name] < _FASTEST * min(values["md_dt"], _MD_DT.high):
            node.child(name, None).unlikely(
                f"found {values[name]:g} ps, which is hardly meant with a time step (md_dt) of "
                f"{values['md_dt']:g} ps; usual is 100 time steps, at least {_FASTEST}"
            )


def check_indices(node: Node, indices: Sequence[int], count: int, of: str) -> None:
    """Raise InputError unless all `indices` are below `count`."""
    for index in indices:
        if index >= count:
            last = f"the last index of {of} is {count - 1}" if count else f"{of} is empty"
            raise node.error(f"found {index}; {last}")


def _broadcast(
    node: Node, given: Optional[tuple[int, ...]], length: int
) -> Optional[tuple[int, ...]]:
    if given is None or len(given) == length:
        return given
    if len(given) != 1:
        expected = "one" if length == 1 else f"1 or {length}"
        raise node.error(f"found {len(given)} numbers; expected {expected}, as many as sys_idx")
    return given * length
