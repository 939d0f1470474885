"""What an iteration explores: its structures, and the trajectories of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Optional

from pwact import layout
from pwact.config.exploration import MdJob
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.engines.explorers import Condition, Motion, UserInput

DEFAULT_LIMIT = 100  # candidates of one system, when neither select_sys nor max_select is given
LIMIT_WITH_TARGET = 10  # … where each round of labels is judged before the next one


@dataclass(frozen=True)
class Run:
    """One trajectory of a system.

    Attributes
    ----------
    key
        What tells it apart from the others of its system, for the seed of its velocities.
    """

    name: str
    motion: Motion
    key: tuple[int | str, ...]


@dataclass(frozen=True)
class System:
    """One structure of one md dict.

    Attributes
    ----------
    md, number
        Position of the md dict in its iteration, and of the structure in that dict.
    limit
        How many candidates of this system may be labelled.
    lammps
        Index and path of the user's LAMMPS input; None where the input is generated.
    """

    md: int
    number: int
    structure: StructureFile
    limit: int
    job: MdJob
    lammps: Optional[tuple[int, Path]] = None

    @property
    def name(self) -> str:
        """``md.000.sys.000``."""
        return layout.system_name(self.md, self.number)

    def runs(self) -> Iterator[Run]:
        """Every trajectory: one a temperature and pressure, or the one of the user's input."""
        if self.lammps is not None:
            index, path = self.lammps
            name = layout.lammps_trajectory_name(self.md, self.number, index)
            yield Run(name, UserInput(path, self.job.trj_freq), ("lmps", index))
            return
        npt = self.job.ensemble.startswith("npt")
        pressures: Sequence[Optional[float]] = self.job.press if npt else (None,)
        for (t, temp), (p, press) in product(enumerate(self.job.temps), enumerate(pressures)):
            name = layout.trajectory_name(self.md, self.number, t, p if npt else None)
            yield Run(name, condition(self.job, temp, press), (t, p))


def condition(job: MdJob, temp_k: float, press_bar: Optional[float]) -> Condition:
    """The condition of one trajectory of `job`."""
    return Condition(
        ensemble=job.ensemble,
        nsteps=int(job.nsteps or 0),
        trj_freq=job.trj_freq,
        temp_k=temp_k,
        press_bar=press_bar,
        dt_ps=job.md_dt,
        taut_ps=job.taut,
        taup_ps=job.taup,
        neigh_delay=job.neigh_modify,
    )


def systems_of(config: RunConfig, iteration: int, condition: Optional[int] = None) -> list[System]:
    """Every structure that `iteration` explores, in the order of its numbers.

    Parameters
    ----------
    condition
        The element of ``md_jobs`` that it serves; by default the one with its own number.
    """
    jobs = config.explore.md_jobs[iteration if condition is None else condition]
    systems = []
    aims = config.strategy.target_force_error is not None
    usual = config.strategy.max_select or (LIMIT_WITH_TARGET if aims else DEFAULT_LIMIT)
    for md, job in enumerate(jobs):
        number = 0
        for position, entry in enumerate(job.sys_idx):
            limit = usual
            if job.select_sys is not None:
                limit = job.select_sys[position]
            lammps = None
            if job.lmps_in_idx is not None:
                index = job.lmps_in_idx[position]
                lammps = (index, config.explore.lmps_in[index])
            for structure in config.explore.systems[entry]:
                systems.append(System(md, number, structure, limit, job, lammps))
                number += 1
    return systems


def structure_names(paths: Iterable[Path]) -> dict[Path, str]:
    """The shortest ends of paths that tell them apart: ``slab.vasp``, or ``cold/POSCAR``."""
    known = list(dict.fromkeys(paths))
    return {path: _shortest_end(path, [one for one in known if one != path]) for path in known}


def _shortest_end(path: Path, others: Sequence[Path]) -> str:
    ends = [path.parts[-length:] for length in range(1, len(path.parts) + 1)]
    alone = [end for end in ends if all(one.parts[-len(end) :] != end for one in others)]
    return Path(*(alone or ends)[0]).as_posix()


def explored_names(config: RunConfig) -> dict[Path, str]:
    """What the explored structures are called, by their files."""
    return structure_names(one.path for entry in config.explore.systems for one in entry)


def explored(config: RunConfig) -> Iterator[tuple[str, StructureFile]]:
    """Every structure that some iteration explores, once."""
    used = {idx for jobs in config.explore.md_jobs for job in jobs for idx in job.sys_idx}
    for entry in sorted(used):
        for structure in config.explore.systems[entry]:
            yield f"explore.sys_configs[{entry}]", structure


def all_systems(config: RunConfig) -> list[System]:
    """The systems of every element of ``md_jobs``, in their order."""
    conditions = range(len(config.explore.md_jobs))
    return [system for number in conditions for system in systems_of(config, number)]
