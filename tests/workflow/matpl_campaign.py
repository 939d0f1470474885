"""A small campaign whose models are MatPL's, with stand-ins for MatPL and its LAMMPS."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.config.param import load_pair
from pwact.takeover.campaign import plan, take_over
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.campaign import CampaignOptions, open_campaign
from pwact.workflow.checks.preflight import preflight
from tests.requirements import need_program
from tests.workflow import small_campaign

ROOT = Path(__file__).parents[2]
DP = {"model_type": "DP", "atom_type": [29], "optimizer": {"optimizer": "LKF", "epochs": 3}}
NEP = {**DP, "model_type": "NEP", "optimizer": {"optimizer": "ADAM", "epochs": 3}}
# name → section train, changes of strategy, command of explore
CASES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], str]] = {
    "dp": (DP, {}, "lmp_mpi"),
    "dp-compressed": (DP, {"compress": True, "compress_order": 5}, "lmp_mpi"),
    "dp-type-embedding": ({**DP, "type_embedding": True}, {}, "lmp"),
    "nep": (NEP, {}, "lmp_mpi"),
    "nep-2026": (NEP, {}, "lmp"),
    "nep-kokkos": (NEP, {}, "lmp kokkos"),
}
KPU = "dp-kpu"
# the frames at the start are a perfect lattice, of which a pair model is sure
KPU_CASE = (DP, {"uncertainty": "KPU", "kpu_lower": 1.0, "kpu_upper": 9.0}, "lmp_mpi")
WINDOW = {"lower_model_devi_f": 1e-6, "upper_model_devi_f": 50.0}


def write_inputs(work_dir: Path, case: str, scheduler: Mapping[str, Any]) -> None:
    """Write all input files, and the stand-ins as programs on the jobs' PATH."""
    train, strategy, explore = KPU_CASE if case == KPU else CASES[case]
    small_campaign.write_inputs(work_dir)
    programs = work_dir / "bin"
    programs.mkdir()
    write_program(programs / "MatPL", "tests.stubs.matpl")
    for build in ("lmp_mpi", "lmp"):
        write_program(programs / build, "tests.stubs.matpl_lammps", build)
    param = json.loads((work_dir / "param.json").read_text())
    param |= {
        "train": train,
        "strategy": {"model_num": 3, **WINDOW, **strategy},
        "valid_data": ["init.xyz"],
        "reserve_md_traj": True,
        "reserve_scf_files": True,
    }
    (work_dir / "param.json").write_text(json.dumps(param))
    path = [f"export PATH={shlex.quote(str(programs))}:$PATH"]
    resource = {
        **scheduler,
        "train": {"command": "MatPL", "group_size": 1, "env_list": path},
        "explore": {"command": explore, "group_size": 2, "parallel_num": 2, "env_list": path},
        "DFT": {"command": shlex.quote(sys.executable), "group_size": 4, "parallel_num": 2},
    }
    (work_dir / "resource.json").write_text(json.dumps(resource))


def write_program(path: Path, module: str, *arguments: str) -> None:
    """A script that runs a stand-in; the real LAMMPS is found whatever PATH says."""
    words = shlex.join([sys.executable, "-m", module, *arguments])
    real = shutil.which("lmp") or need_program("lmp")
    path.write_text(
        f"#!/bin/bash\nexport PYTHONPATH={shlex.quote(str(ROOT))}\n"
        f'export REAL_LAMMPS={shlex.quote(real)}\nexec {words} "$@"\n'
    )
    path.chmod(0o755)


def run(work_dir: Path) -> RunResult:
    """Run the campaign, or go on with it, in this process."""
    pair = load_pair(work_dir / "param.json", work_dir / "resource.json", work_dir)
    preflight(pair)
    takeover = plan(pair.config, pair.resources)
    with open_campaign(work_dir, "run", pair.config.seed, CampaignOptions()) as campaign:
        take_over(campaign, takeover)
        return run_active_learning(pair.config, pair.resources, campaign)


def portrait(work_dir: Path) -> str:
    """What the specification fixes, as one text: what is asked and run, inputs, file names."""
    last = sorted((work_dir / "iter.0001/00.train").glob("train.*"))[:2][-1]
    first = work_dir / "iter.0000"
    trajectory = first / "01.explore/md/md.000.sys.000/md.000.sys.000.t.001"
    scripts = [first / "00.train/0-train.job", first / "01.explore/md/0-md.job"]
    scripts += sorted((first / "01.explore/kpu").glob("0-kpu.job"))
    inputs = (
        first / "00.train/train.000/train.json",
        last / "train.json",
        trajectory / "in.lammps",
    )
    shown = {path: asked_and_run(path.read_text()) for path in scripts}
    shown |= {path: path.read_text() for path in inputs}
    parts = [f"==> {path.relative_to(work_dir)}\n{text}" for path, text in shown.items()]
    kpu = first / "01.explore/kpu" / trajectory.relative_to(first / "01.explore/md")
    places = (first / "00.train/train.000", first / "01.explore/select", trajectory, kpu)
    names = [
        path.relative_to(work_dir).as_posix()
        + (f" -> {path.readlink()}" if path.is_symlink() else "")
        for place in places
        for path in sorted(place.rglob("*"))
        if path.is_file()
    ]
    text = "\n".join([*parts, "==> files", *names, ""])
    text = text.replace(str(work_dir), "WORK")
    for path, name in ((sys.executable, "PYTHON"), (str(ROOT), "ROOT")):
        text = text.replace(shlex.quote(path), name).replace(path, name)
    return re.sub(r"\b(train|md|kpu|scf)(\d+)-[0-9a-f]{12}\b", r"\1\2-UNIQUE", text)


def asked_and_run(script: str) -> str:
    """The header of a job script, and the commands of its tasks, one a line."""
    header = [line for line in script.splitlines() if line.startswith("#SBATCH")]
    (commands,) = re.findall(r"\n    \(\n(.*?)\n    \)\n", script, re.DOTALL)
    return "\n".join([*header, *re.split(r" && |; ", commands), ""])
