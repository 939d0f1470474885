"""Documented forms of resource.json, and where it is looked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.param import load_pair
from pwact.config.resources import ResourceBlock, Resources
from tests.config.inputs import BLOCK, RESOURCE, RUN, changed, load


def loaded(site: Path, here: Path, changes: dict[str, Any]) -> Resources:
    return load(site, here, RUN, changed(RESOURCE, changes)).resources


def test_defaults(site: Path, tmp_path: Path) -> None:
    resources = loaded(site, tmp_path, {})
    file = tmp_path / "resource.json"
    assert resources == Resources(
        file=file,
        train=ResourceBlock("train", "x", "cpu", file=file),
        explore=ResourceBlock("explore", "x", "cpu", file=file),
        dft=ResourceBlock("DFT", "x", "cpu", group_size=-1, file=file),
    )
    block = ResourceBlock()
    assert (block.parallel_num, block.number_node, block.cpu_per_node) == (1, 1, 1)
    assert (block.gpu_per_node, block.scheduler, block.use_array) == (0, "slurm", "auto")


def test_all_keys(site: Path, tmp_path: Path) -> None:
    block = {
        "COMMAND": " mpirun -np 4 vasp ",
        "Queue_Name": "a, b",
        "group_size": 3,
        "parallel_num": 2,
        "number_node": 1,
        "gpu_per_node": None,
        "cpu_per_node": 4,
        "custom_flags": "--time=1:00",
        "source_list": ["a.sh"],
        "module_list": ["cuda"],
        "env_list": ["export A=1"],
        "poll_interval": 5,
        "max_jobs_in_queue": 10,
        "use_array": False,
        "max_parallel_jobs": 3,
        "_x": 1,
    }
    pair = load(site, tmp_path, RUN, {"TRAIN": BLOCK, "Explore": BLOCK, "dft": block})
    assert pair.warnings == []
    assert pair.resources.dft == ResourceBlock(
        name="DFT",
        command="mpirun -np 4 vasp",
        queue_name="a,b",
        group_size=3,
        parallel_num=2,
        cpu_per_node=4,
        custom_flags=("--time=1:00",),
        source_list=("a.sh",),
        module_list=("cuda",),
        env_list=("export A=1",),
        poll_interval=5.0,
        max_jobs_in_queue=10,
        use_array="false",
        max_parallel_jobs=3,
        file=tmp_path / "resource.json",
    )


def test_local_needs_no_queue(site: Path, tmp_path: Path) -> None:
    blocks = {"train": {"command": "x"}, "explore": {"command": "x"}}
    resource = {"scheduler": "LOCAL", "max_parallel_jobs": 2, **blocks, "DFT": {**BLOCK}}
    resource["DFT"] = {**BLOCK, "scheduler": "slurm", "max_parallel_jobs": 5}
    resources = load(site, tmp_path, RUN, resource).resources
    assert resources.train is not None
    assert resources.dft is not None
    assert (resources.train.scheduler, resources.train.max_parallel_jobs) == ("local", 2)
    assert (resources.dft.scheduler, resources.dft.max_parallel_jobs) == ("slurm", 5)


@pytest.mark.parametrize(
    "command", ["mpirun -np $SLURM_NTASKS x", "mpirun -np 99 x $SLURM_JOB_ID", "srun -n 64 x"]
)
def test_ranks_that_are_not_checked(command: str, site: Path, tmp_path: Path) -> None:
    block = loaded(site, tmp_path, {"DFT.command": command}).dft
    assert block is not None
    assert block.command == command


@pytest.mark.parametrize(
    ("given", "expected"), [("AUTO", "auto"), (True, "true"), (False, "false"), ("True", "true")]
)
def test_use_array(given: Any, expected: str, site: Path, tmp_path: Path) -> None:
    block = loaded(site, tmp_path, {"use_array": given}).train
    assert block is not None
    assert block.use_array == expected


def test_strangers_are_told(site: Path, tmp_path: Path) -> None:
    changes = {"slurm": 1, "DFT.task_run_num": 3, "DFT.groupsize": 1, "cpu_per_node": 2}
    pair = load(site, tmp_path, RUN, changed(RESOURCE, changes))
    assert sorted(text.partition("resource.json: ")[2] for text in pair.warnings) == [
        "DFT.groupsize: unknown key, ignored; did you mean group_size?",
        "DFT.task_run_num: this key has no effect any more",
        "cpu_per_node: unknown key, ignored; it belongs into a block",
        "slurm: unknown key, ignored",
    ]


def test_paths_start_at_the_launch_directory_then_at_work_dir(tmp_path: Path, site: Path) -> None:
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    param = changed(RUN, {"explore.sys_configs": str(site / "a.poscar")})
    param = changed(param, {"explore.md_jobs.0.sys_idx": 0, "explore.lmps_in": []})
    param = {**param, "init_data": str(site / "init.xyz"), "work_dir": "work"}
    param["DFT"] = {"dft_style": "vasp", "input": str(site / "INCAR")}
    (tmp_path / "param.json").write_text(json.dumps(param))
    for place in (work_dir, tmp_path):  # both are there in the end: the launch directory wins
        (place / "resource.json").write_text(json.dumps(RESOURCE))
        pair = load_pair(Path("param.json"), Path("resource.json"), tmp_path)
        assert pair.resources.file == place / "resource.json"
        assert pair.config.work_dir == work_dir
