"""A real campaign that takes seconds: EMT labels, a POD committee of 3, LAMMPS, one iteration.

Two systems explore, so that one is labelled while the other one still does.

The programs are marked: when one is started in a directory where its own result lies already, it
leaves a line in ``twice.log``.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.param import load_pair
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.campaign import CampaignOptions, open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.seeds import Seeds

TWICE = "twice.log"
# what proves that a program ended: fitpod writes its coefficients before
RESULTS = ("md.exit", "status.json")
ENDED = "grep -qs 'Total wall time' train.log"
ROOT = Path(__file__).parents[2]

PARAM: dict[str, Any] = {
    "final": False,
    "init_data": ["init.xyz"],
    "train": {
        "engine": "pod",
        "atom_type": ["Cu"],
        "rcut": 4.0,
        "bessel_polynomial_degree": 3,
        "inverse_polynomial_degree": 4,
        "twobody_number_radial_basis_functions": 5,
        "threebody_number_radial_basis_functions": 3,
        "threebody_angular_degree": 2,
        "fourbody_number_radial_basis_functions": 0,
        "fourbody_angular_degree": 0,
    },
    "strategy": {"model_num": 3, "lower_model_devi_f": 1e-6, "upper_model_devi_f": 50.0},
    "explore": {
        "sys_configs": [{"config": "cu.poscar", "format": "vasp/poscar"}] * 2,
        "md_jobs": [
            {
                "sys_idx": [0, 1],
                "select_sys": [2],
                "ensemble": "nvt",
                "nsteps": 30,
                "trj_freq": 3,
                "temps": [300, 600],
            }
        ],
    },
    "DFT": {"dft_style": "ase", "input": "emt.json"},
}


def write_inputs(work_dir: Path, seed: int = 1) -> None:
    """Write all input files of the campaign into a new directory."""
    from ase.io import write  # noqa: PLC0415

    work_dir.mkdir(parents=True)
    cell = bulk("Cu", cubic=True, a=3.65).repeat((2, 1, 1))
    frames = []
    for number in range(8):
        frame = cell.copy()
        frame.positions += Seeds(5).rng("frame", number).normal(0.0, 0.1, (len(cell), 3))
        frame.calc = EMT()
        set_labels(frame, frame.get_potential_energy(), frame.get_forces())
        frames.append(frame)
    write_frames(work_dir / "init.xyz", frames, "extxyz")
    write(work_dir / "cu.poscar", cell, format="vasp", direct=True)
    programs = {"lmp": "lmp", "python": shlex.quote(sys.executable)}
    for name, program in programs.items():
        marked_program(work_dir / f"marked_{name}", program, work_dir / TWICE)
    documents = {
        "param.json": {**PARAM, "seed": seed},
        "resource.json": resources(work_dir),
        "emt.json": {"calculator": "emt"},
    }
    for name, document in documents.items():
        (work_dir / name).write_text(json.dumps(document, indent=1))


def marked_program(path: Path, program: str, twice: Path) -> None:
    """Write a script that runs a program and tells where it had been before."""
    proofs = [*(f"[ -e {name} ]" for name in RESULTS), ENDED]
    guard = "\n".join(f"{proof} && pwd >> {shlex.quote(str(twice))}" for proof in proofs)
    paths = f"export PYTHONPATH={shlex.quote(str(ROOT))}"
    path.write_text(f'#!/bin/bash\n{guard}\n{paths}\nexec {program} "$@"\n')
    path.chmod(0o755)


def resources(work_dir: Path) -> dict[str, Any]:
    """A model a job, two trajectories at once in one job, two labels a job; two jobs at once."""
    lmp, python = (shlex.quote(str(work_dir / f"marked_{name}")) for name in ("lmp", "python"))
    return {
        "scheduler": "local",
        "max_parallel_jobs": 2,
        "train": {"command": lmp, "group_size": 1},
        "explore": {"command": lmp, "group_size": 2, "parallel_num": 2},
        "DFT": {"command": python, "group_size": 2},
    }


class CursedError(Exception):
    """What `FailingEMT` raises."""


class FailingEMT(EMT):
    """EMT that fails for the first `fails` task directories that ask it.

    Parameters
    ----------
    marks
        Directory that remembers them; a mark that says ``blessed`` lifts the curse.
    """

    def __init__(self, marks: str, fails: int) -> None:
        super().__init__()
        self.marks, self.fails = Path(marks), fails

    def calculate(self, *args: Any, **kwargs: Any) -> None:
        """Compute as EMT does, or fail."""
        me = hashlib.sha256(str(Path.cwd()).encode()).hexdigest()
        for number in range(self.fails):
            mark = self.marks / str(number)
            try:
                with mark.open("x") as stream:
                    stream.write(me)
            except FileExistsError:
                pass
            if mark.read_text() == me:
                raise CursedError("this frame is cursed")
        super().calculate(*args, **kwargs)


def run(work_dir: Path, **options: Any) -> RunResult:
    """Run the campaign, or go on with it, in this process."""
    pair = load_pair(work_dir / "param.json", work_dir / "resource.json", work_dir)
    preflight(pair)
    chosen = CampaignOptions(**options)
    with open_campaign(work_dir, "run", pair.config.seed, chosen) as campaign:
        return run_active_learning(pair.config, pair.resources, campaign)


def results(work_dir: Path) -> dict[str, bytes]:
    """The files that must not depend on what happened in between."""
    names = ("iter.0000/02.label/result/train.xyz", "iter.0000/01.explore/select/candidate.csv")
    models = sorted(
        path.relative_to(work_dir).as_posix()
        for path in work_dir.glob("iter.0001/00.train/train.*/pod_coefficients.pod")
    )
    return {name: (work_dir / name).read_bytes() for name in [*names, *models]}
