"""A time limit of SLURM strikes trainings in their middle: none counts, and none begins again.

SLURM ends jobs whose time is over twice a minute; a test waits for it once.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pwact.engines.pod.files import COEFFICIENTS
from pwact.executors.cancel import open_jobs
from tests.commands import pwact
from tests.faults import assert_read, fault
from tests.requirements import need_deepmd, need_program
from tests.slurm_cluster.cluster import Cluster
from tests.slurm_cluster.test_campaign import journal
from tests.slurm_cluster.test_faults import meanwhile
from tests.stubs.matpl import COUNTED, GOES, WAITS, WAITS_AFTER
from tests.stubs.pair_model import epoch_of
from tests.test_cu_deepmd import MEMBERS, check_given_target, give_target
from tests.workflow import matpl_campaign, small_campaign

# a time-out must not leave a cluster behind
LIMIT = pytest.mark.timeout(900, method="signal", func_only=True)  # without the example's own run
pytestmark = [pytest.mark.slow, pytest.mark.spread, LIMIT]

SLURM: Mapping[str, Any] = {"scheduler": "slurm", "queue_name": "cpu", "poll_interval": 0.3}
TRAIN = "iter.0000/00.train"
EPOCHS = 5
STEPS = 120


@contextmanager
def struck(cluster: Cluster, work_dir: Path) -> Iterator[None]:
    """SLURM ends the first trainings of the campaign that is run meanwhile, in their middle."""

    def strike() -> None:
        cluster.wait(lambda: all((work_dir / TRAIN / one / WAITS).exists() for one in MEMBERS), 600)
        cluster.wait(lambda: all(job.id for job in open_jobs(journal(work_dir))))
        for job in open_jobs(journal(work_dir)):
            cluster.run("scontrol", "update", f"jobid={job.id}", "EndTime=now+3")
        cluster.wait(lambda: len(timed_out(work_dir)) == len(MEMBERS), 300)
        (work_dir / "go").touch()

    def strike_or_free() -> None:
        try:
            strike()
        except BaseException:
            (work_dir / "go").touch()
            cluster.run("scancel", "--user=root")  # or what waits would wait for ever
            raise

    with meanwhile(strike_or_free):
        yield
    assert sorted(timed_out(work_dir)) == [f"{TRAIN}/{one}" for one in MEMBERS]


def interrupted(cluster: Cluster, work_dir: Path) -> None:
    """Run the small campaign like this; it comes to its end."""
    with struck(cluster, work_dir):
        result = small_campaign.run(work_dir)
    assert [row.name for row in result.rows] == ["iter.0000", "iter.0001"]
    assert [row.label.labelled for row in result.rows if row.label] == [4]


def timed_out(work_dir: Path) -> list[str]:
    """Directories of the tasks whose jobs came to their time limit."""
    events = journal(work_dir).events()
    asked = {event["name"]: event for event in events if event["event"] == "job_asked"}
    ended = (event for event in events if event["event"] == "job_ended")
    jobs = [asked[event["name"]] for event in ended if event["state"].startswith("TIMEOUT")]
    return [f"{job['directory']}/{task}" for job in jobs for task in job["tasks"]]


def program(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)
    return shlex.quote(str(path))


def change(path: Path, **sections: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **sections}))


@fault("time limit")
def test_a_fit_of_pod_begins_again(
    cluster: Cluster, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot go on; of the half of its coefficients nothing is believed."""
    need_program("lmp")
    undisturbed, work_dir = tmp_path / "undisturbed", tmp_path / "work dir"
    small_campaign.write_inputs(undisturbed)
    small_campaign.run(undisturbed)
    small_campaign.write_inputs(work_dir)
    go = shlex.quote(str(work_dir / "go"))
    text = f"""\
[ -e {WAITS} ] || [ -e {go} ] && exec lmp "$@"
lmp "$@" && head -c 90 {COEFFICIENTS} > half && mv half {COEFFICIENTS} && touch {WAITS}
sleep 3600
"""
    command = program(work_dir / "bin" / "lmp", text)
    resource = json.loads((work_dir / "resource.json").read_text())
    change(work_dir / "resource.json", **SLURM, train={**resource["train"], "command": command})
    with caplog.at_level("INFO"):
        interrupted(cluster, work_dir)
    assert_read("time limit", caplog.text)
    assert small_campaign.results(work_dir) == small_campaign.results(undisturbed)


@pytest.mark.parametrize("case", ["dp-compressed", "nep"])
def test_a_training_of_matpl_goes_on(cluster: Cluster, tmp_path: Path, case: str) -> None:
    """With stand-ins for MatPL and its LAMMPS, which knows of each epoch whether it was trained."""
    need_program("lmp")
    work_dir = tmp_path / "work dir"
    matpl_campaign.write_inputs(work_dir, case, SLURM)
    param, resource = (
        json.loads((work_dir / name).read_text()) for name in ("param.json", "resource.json")
    )
    param["train"]["optimizer"]["epochs"] = EPOCHS
    places = {COUNTED: work_dir / "epochs", GOES: work_dir / "go", WAITS_AFTER: "2"}
    for name, value in places.items():
        resource["train"]["env_list"].append(f"export {name}={shlex.quote(str(value))}")
    change(work_dir / "param.json", train=param["train"])
    change(work_dir / "resource.json", train=resource["train"])
    interrupted(cluster, work_dir)
    for one in MEMBERS:
        (checkpoint,) = (work_dir / TRAIN / one / "model_record").glob("[dn][pe]*_model.ckpt")
        assert epoch_of(checkpoint) == EPOCHS
    trained = Counter((work_dir / "epochs").read_text().splitlines())
    once = [f"{one} {epoch}" for one in MEMBERS for epoch in range(1, EPOCHS + 1)]
    assert trained == Counter(once * 2)  # in each of the two iterations


@pytest.mark.deepmd
def test_a_training_of_deepmd_goes_on(
    cluster: Cluster, copper: tuple[Path, str], tmp_path: Path
) -> None:
    """The example with a target, and with one embedding net for all elements."""
    work_dir = tmp_path / "on slurm"
    work_dir.mkdir()
    for path in (copper[0] / "POSCAR", *copper[0].glob("*.json")):
        shutil.copy(path, work_dir)
    shutil.copytree(copper[0] / "collection", work_dir / "collection", symlinks=True)
    give_target(work_dir)
    param, resource = (
        json.loads((work_dir / name).read_text()) for name in ("run_param.json", "resource.json")
    )
    param["train"]["type_embedding"] = True
    param["train"]["optimizer"]["numb_steps"] = STEPS
    dp, go = shlex.quote(need_deepmd()), shlex.quote(str(work_dir / "go"))
    text = f"""\
[ "$2" != train ] || [ -e {WAITS} ] || [ -e {go} ] && exec {dp} "$@"
{dp} "$@" & while kill -0 $! && ! compgen -G "model.ckpt-*.meta"; do sleep 0.01; done &> looked
kill -STOP $! && touch {WAITS} && wait
"""
    resource["train"].update(command=f"{program(work_dir / 'bin' / 'dp', text)} --tf", group_size=1)
    change(work_dir / "run_param.json", train=param["train"], valid_data=[])
    change(work_dir / "resource.json", **SLURM, train=resource["train"])
    with struck(cluster, work_dir):
        shown = pwact(work_dir, "run", "run_param.json", "resource.json")
    check_given_target(work_dir, shown)
    for one in MEMBERS:
        read = json.loads((work_dir / TRAIN / one / "input.json").read_text())
        assert read["model"]["descriptor"]["type"] == "se_atten"
        check_steps(work_dir / TRAIN / one)


def check_steps(directory: Path) -> None:
    """It went on from a checkpoint, and its learning curve has every row to the last, once."""
    log = (directory / "train.log").read_text()
    (step,) = re.findall(r"pwact: cut off; dp goes on from the checkpoint of step (\d+)\n", log)
    assert 0 < int(step) < STEPS
    rows = (directory / "lcurve.out").read_text().splitlines()
    steps = [int(row.split()[0]) for row in rows if not row.startswith("#")]
    assert steps == list(range(0, STEPS + 1, STEPS // 10))
    assert (directory / f"model.ckpt-{STEPS}.meta").exists()
