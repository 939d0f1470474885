"""``pwact label`` with toy engines, for the tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from pwact.config.label import load_label
from pwact.formats.extxyz import write_extxyz
from pwact.formats.trajectories import format_of
from pwact.workflow.checks.check_given import check_given
from pwact.workflow.labels.campaign import LabelResult, Wanted, given_stage, run_label
from tests.workflow.pairs import alloy, resources, write_files
from tests.workflow.toy_campaign import ToyExecutor, campaign

DFT: dict[str, Any] = {"DFT": {"dft_style": "ase", "input": "calculator.json"}}


def frames(*seeds: int) -> list[Atoms]:
    made = []
    for seed in seeds:
        atoms = alloy()
        atoms.positions += np.random.default_rng(seed).uniform(-0.05, 0.05, (4, 3))
        made.append(atoms)
    return made


def prepare(work_dir: Path, param: Any = DFT, given: Sequence[Atoms] = ()) -> None:
    write_files(work_dir, {"calculator": "emt"})
    (work_dir / "param.json").write_text(json.dumps(param))
    (work_dir / "resource.json").write_text(json.dumps(resources()))
    write_extxyz(work_dir / "frames.xyz", given or frames(0, 1, 2, 3))


def go(
    work_dir: Path,
    executor: ToyExecutor,
    names: Sequence[str] = ("frames.xyz",),
    step: int = 1,
    limit: Any = None,
    output: str = "out",
    **options: Any,
) -> LabelResult:
    config = load_label(work_dir / "param.json", work_dir / "resource.json", work_dir)
    sources = [(work_dir / name, format_of(work_dir / name)) for name in names]
    stage = given_stage(Wanted(sources, step, limit), config, work_dir / output)
    check_given(stage)
    with campaign(work_dir / output, "label", None, executor, **options) as opened:
        return run_label(stage, opened)


def tasks(executor: ToyExecutor) -> list[str]:
    return ["/".join(Path(name).parts[-2:]) for name in executor.ran]
