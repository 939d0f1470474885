"""Input pairs for the tests of the loop and the chain: a valid one, and changes to it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from pwact.config.param import LoadedPair, load_pair
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.formats.structures import write_structure
from tests.workflow.toys import STIFFNESS, true_forces

LOCAL = {"scheduler": "local", "group_size": 1, "number_node": 1, "cpu_per_node": 1}


def deep_update(target: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes by dotted key paths; a value of None removes the key."""
    for path, value in changes.items():
        *parents, last = path.split(".")
        place: Any = target
        for part in parents:
            place = place[int(part)] if part.isdigit() else place[part]
        if isinstance(place, list):
            place[int(last)] = value
        elif value is None:
            place.pop(last, None)
        else:
            place[last] = value
    return target


def alloy() -> Atoms:
    """Four atoms, gold before silver, so that every order matters."""
    atoms = bulk("Au", "fcc", a=4.1, cubic=True)
    atoms.set_chemical_symbols(["Au", "Ag", "Au", "Ag"])
    return atoms


def labelled(count: int) -> list[Atoms]:
    """Frames with toy labels."""
    frames = []
    for number in range(count):
        atoms = alloy()
        atoms.positions += np.random.default_rng(number).uniform(-0.05, 0.05, (4, 3))
        energy = 0.5 * STIFFNESS * float(np.sum(atoms.positions**2))
        set_labels(atoms, energy, true_forces(atoms))
        frames.append(atoms)
    return frames


def run_param() -> dict[str, Any]:
    """Two iterations, two systems by a wildcard; temperature T gives deviations T/1000 * row."""
    job = {
        "sys_idx": [0],
        "ensemble": "nvt",
        "nsteps": 40,
        "trj_freq": 10,
        "temps": [100],
        "select_sys": [2],
    }
    return {
        "seed": 7,
        "final": False,
        "init_data": ["init.xyz"],
        "train": {"engine": "pod", "atom_type": ["Ag", "Au"]},
        "strategy": {"model_num": 3, "lower_model_devi_f": 0.1, "upper_model_devi_f": 0.4},
        "explore": {
            "sys_configs": [{"config": "structures/*.poscar", "format": "vasp/poscar"}],
            "md_jobs": [job, {**job, "temps": [150]}],
        },
        "DFT": {"dft_style": "ase", "input": "calculator.json"},
    }


def init_param() -> dict[str, Any]:
    """One entry with every step, one with AIMD alone."""
    return {
        "seed": 7,
        "dft_style": "ase",
        "relax_input": "calculator.json",
        "aimd_input": "calculator.json",
        "sys_configs": [
            {
                "config": "structures/a.poscar",
                "format": "vasp/poscar",
                "relax": True,
                "super_cell": [2, 1, 1],
                "scale": [0.95, 1.0],
                "perturb": 2,
                "aimd": True,
            },
            {"config": "structures/b.poscar", "format": "vasp/poscar", "aimd": True},
        ],
    }


def resources() -> dict[str, Any]:
    return {
        "train": {**LOCAL, "command": "lmp"},
        "explore": {**LOCAL, "command": "lmp"},
        "DFT": {**LOCAL, "command": shlex.quote(sys.executable)},
    }


def write_files(work_dir: Path, calculator: Mapping[str, Any]) -> None:
    """Structures, start data and the calculator's file."""
    (work_dir / "structures").mkdir(parents=True, exist_ok=True)
    for name in ("a", "b"):
        write_structure(work_dir / "structures" / f"{name}.poscar", alloy(), "vasp/poscar")
    write_frames(work_dir / "init.xyz", labelled(3), "extxyz")
    (work_dir / "calculator.json").write_text(json.dumps(calculator))


def load(work_dir: Path, param: Mapping[str, Any], resource: Mapping[str, Any]) -> LoadedPair:
    """Write both documents and load them as the command line does."""
    (work_dir / "param.json").write_text(json.dumps(param))
    (work_dir / "resource.json").write_text(json.dumps(resource))
    return load_pair(work_dir / "param.json", work_dir / "resource.json", work_dir)
