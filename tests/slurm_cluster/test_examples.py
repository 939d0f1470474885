"""The quickstart on a real SLURM, but for resource.json unchanged: the bytes of a local run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Optional

import pytest

from tests.commands import ROOT, pwact
from tests.requirements import need_program
from tests.workflow import small_campaign

# a time-out must not leave a cluster behind
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]

QUICKSTART = ROOT / "examples" / "quickstart_window"
BLOCKS = ("train", "explore", "DFT")
# partition, and group_size of each block
SETTINGS = [("cpu", (1, 3, -1)), ("gpu", (3, -1, 1))]


def run(place: Path, setting: Optional[tuple[str, tuple[int, ...]]] = None) -> Path:
    """Run both commands, under SLURM with a partition and group sizes if they are given."""
    path = place / "resource.json"
    resource = json.loads(path.read_text())
    if setting:
        queue, sizes = setting
        resource.update(scheduler="slurm", queue_name=queue, poll_interval=0.4)
        resource.pop("max_parallel_jobs", None)
        for name, size in zip(BLOCKS, sizes):
            resource[name].update(group_size=size, parallel_num=2)
            if queue == "gpu":
                resource[name]["gpu_per_node"] = 1
    path.write_text(json.dumps(resource))
    for command, param in (("init_bulk", "init_param.json"), ("run", "run_param.json")):
        pwact(place, command, param, "resource.json")
    return place


def shorter_quickstart(place: Path) -> Path:
    """A copy of the quickstart that does the same in less time.

    It has one iteration of short MD by small models, and four labels.
    """
    shutil.copytree(QUICKSTART, place)
    path = place / "run_param.json"
    param = json.loads(path.read_text())
    del param["explore"]["md_jobs"][1:]
    param["explore"]["md_jobs"][0].update(nsteps=60)
    param["strategy"].update(lower_model_devi_f=0.0, max_select=4)
    param["train"] = {**small_campaign.PARAM["train"], "atom_type": param["train"]["atom_type"]}
    path.write_text(json.dumps(param))
    path = place / "init_param.json"
    param = json.loads(path.read_text())
    param["sys_configs"][0]["scale"] = [1.0, 1.02]
    path.write_text(json.dumps(param))
    return place


def results(place: Path) -> dict[str, bytes]:
    """What must not depend on where it was made."""
    names = (
        "collection/init_config_0/train.xyz",
        "iter.*/01.explore/select/candidate.csv",
        "iter.*/02.label/result/train.xyz",
        "iter.*/02.label/result/label_error.csv",
        "iter.*/00.train/valid_error.csv",
    )
    paths = sorted(path for name in names for path in place.glob(name))
    assert len(paths) >= 5
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}


def jobs(place: Path) -> list[dict]:
    lines = (place / ".pwact" / "journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "job_asked"]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    need_program("lmp")
    return results(run(shorter_quickstart(tmp_path_factory.mktemp("local") / "quickstart")))


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_quickstart(cluster, quickstart, tmp_path, setting):
    place = run(shorter_quickstart(tmp_path / "quick start"), setting)
    assert results(place) == quickstart
    asked = jobs(place)
    assert {job["scheduler"] for job in asked} == {"slurm"}
    trainings = [job for job in asked if job["kind"] == "train" and "iter.0000" in job["directory"]]
    assert [len(job["tasks"]) for job in trainings] == {1: [1] * 4, 3: [4]}[setting[1][0]]
