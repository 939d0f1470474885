"""A directory of small input files, good pairs that use it, and ways to change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.config.param import LoadedPair, load_pair

DROP = object()  # as a change: remove the key

FILES = {
    "a.poscar": "a",
    "b.poscar": "b",
    "sys/s2.config": "2",
    "sys/s10.config": "10",
    "sys/s1.config": "1",
    "sys/s05.config": "5",
    "sys/s7.config": "7",
    "sys/folder.config/x": "",
    "init.xyz": "0\n",
    "npy/Cu4/energies.npy": "",
    "in.one": "run 1",
    "in.two": "run 2",
    "INCAR": "NELM = 60",
    "etot.input": "1 1\nUSE_DFTB = T\n DFTB_DETAIL = 3, 1\n",
    "etot_skf.input": "1 1\nUSE_DFTB = T\n",
    "POTCAR": "PAW_PBE Cu",
    "cp2k.inp": "&GLOBAL",
    "BASIS": "",
    "POTENTIAL": "",
    "emt.json": "{}",
    "md.py": "",
    "direct.py": "",
    "nep0.txt": "nep4 1 Cu\n",
    "dp.ckpt": "",
    "skf/Cu-Cu.skf": "",
    "matpl.json": '{"model_type": "nep", "atom_type": [29, 47], "Own": {"Key": 1}}',
    "deepmd.json": '{"model": {"type_map": ["Ag", "Au"]}, "training": {"numb_steps": 5}}',
    "broken.json": '{"model_type": "NEP",',
}

RUN: dict[str, Any] = {
    "init_data": ["init.xyz"],
    "train": {"model_type": "DP", "atom_type": [29]},
    "strategy": {"lower_model_devi_f": 0.1, "upper_model_devi_f": 0.3},
    "explore": {
        "sys_configs": ["a.poscar", {"config": "sys/*.config", "format": "PWmat/Config"}],
        "lmps_in": ["in.one", "in.two"],
        "md_jobs": [
            {"sys_idx": [0, 1], "ensemble": "npt", "nsteps": 100, "temps": [300], "press": [1]}
        ],
    },
    "DFT": {"dft_style": "vasp", "input": "INCAR", "pseudo": ["POTCAR"]},
}
INIT: dict[str, Any] = {
    "dft_style": "vasp",
    "pseudo": ["POTCAR"],
    "relax_input": "INCAR",
    "aimd_input": ["INCAR", {"input": "INCAR", "kspacing": 0.3, "flag_symm": "1"}],
    "sys_configs": [
        {"config": "a.poscar", "format": "vasp/poscar", "relax": True, "aimd": True},
        {"config": "b.poscar", "scale": [0.9, 1.0], "perturb": 2, "aimd": True},
    ],
}
BLOCK = {"command": "x", "queue_name": "cpu"}
RESOURCE: dict[str, Any] = {name: dict(BLOCK) for name in ("train", "explore", "DFT")}


def make_site(site: Path) -> Path:
    """Write all files of `FILES` below `site`."""
    for name, text in FILES.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return site


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `base`; a change is a path of keys joined by dots, and the new value."""
    target = copy.deepcopy(dict(base))
    for path, value in changes.items():
        place: Any = target
        *parents, last = path.split(".")
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if value is DROP:
            del place[last]
        elif isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    return target


def load(
    site: Path,
    here: Path,
    param: Mapping[str, Any],
    resource: Mapping[str, Any] = RESOURCE,
    **more: Any,
) -> LoadedPair:
    """Write the pair into `here` and load it with `site` as the launch directory."""
    (here / "param.json").write_text(json.dumps(param))
    (here / "resource.json").write_text(json.dumps(resource))
    return load_pair(here / "param.json", here / "resource.json", site, **more)
