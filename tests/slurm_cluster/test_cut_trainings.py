"""A time limit of SLURM strikes a training of every network in PyTorch in its middle.

With DeePMD-kit's backend the workers are real, and a stand-in trains. With the others a stand-in
for the worker leaves what lies there after half of the epochs, a model among it that loads.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pwact.engines.trainers import Trainer, TrainingData
from pwact.executors.base import Task
from pwact.executors.cancel import open_jobs
from pwact.formats.frames import write_frames
from tests.engines import network_helpers, torchnep_helpers
from tests.engines.test_deepmd import copper
from tests.engines.test_deepmd_restart import starts, trained
from tests.engines.test_deepmd_restart import trainer as of_deepmd
from tests.slurm_cluster.cluster import Cluster
from tests.slurm_cluster.test_faults import meanwhile
from tests.stubs.deepmd_pytorch import GOES, WAITS, WAITS_AFTER

pytestmark = [pytest.mark.slow, pytest.mark.spread, pytest.mark.timeout(600, method="signal")]
DATA = Path(__file__).parents[1] / "data"
ARCHIVE = shlex.quote(str(DATA / "sevennet" / "model.pth"))  # as of any checkpoint
# engine → what half of its epochs leave, with the recorded files in $recorded
HALF = {
    "sevennet": 'cp "$recorded/model.pth" . && cp model.pth checkpoint_2.pth',
    "mace": 'cp "$recorded/mace.model" . && sed "s/: 3/: 1/" "$recorded/result.json" > result.json',
    "torchnep": f'cp "$recorded/nep.txt" . && head -n 4 "$recorded/loss.out" > loss.out && '
    f"cp {ARCHIVE} checkpoint.pt",
}
MODELS = {"sevennet": "model.pth", "mace": "mace.model", "torchnep": "nep.txt"}


def stand_in(folder: Path, engine: str) -> str:
    """Shell text of a Python that waits after half of a training, and does all of it later."""
    folder.mkdir()
    program = folder / "my python"
    program.write_text(
        f"#!/bin/bash\nrecorded={shlex.quote(str(DATA / engine))}\n"
        f"[ -e {WAITS} ] || {{ {HALF[engine]} && touch {WAITS} && exec sleep 3600; }}\n"
        'cp "$recorded"/* .\n'
    )
    program.chmod(0o755)
    return shlex.quote(str(program))


def trainers(folder: Path) -> dict[str, Trainer]:
    made = {engine: of_deepmd(engine, folder) for engine in ("deepmd-pytorch", "dpa")}
    for engine in ("sevennet", "mace"):
        made[engine] = network_helpers.trainer(engine, stand_in(folder / engine, engine))
    command = stand_in(folder / "torchnep", "torchnep")
    return {**made, "torchnep": torchnep_helpers.trainer(command=command)}


@contextmanager
def struck(cluster: Cluster, bench: Any, tasks: dict[str, Task], go: Path) -> Iterator[None]:
    """SLURM ends all jobs meanwhile, when their trainings are in the middle."""

    def ended() -> list[str]:
        return [event["state"] for event in bench.events("job_ended")]

    def strike() -> None:
        waits = [task.directory / WAITS for task in tasks.values()]
        cluster.wait(lambda: all(path.exists() for path in waits), 300)
        cluster.wait(lambda: all(job.id for job in open_jobs(bench.journal)))
        for job in open_jobs(bench.journal):
            cluster.run("scontrol", "update", f"jobid={job.id}", "EndTime=now+3")
        cluster.wait(lambda: len(ended()) >= len(tasks), 300)

    def strike_and_free() -> None:
        try:
            strike()
        except BaseException:
            cluster.run("scancel", "--user=root")  # or what waits would wait for ever
            raise
        finally:
            go.touch()

    with meanwhile(strike_and_free):
        yield
    assert all(state.startswith("TIMEOUT") for state in ended()[: len(tasks)])


def test_each_comes_to_its_last_epoch(cluster: Cluster, bench: Any, tmp_path: Path) -> None:
    """What can go on trains no step twice, but for that of the checkpoint."""
    write_frames(tmp_path / "train.xyz", [copper(seed) for seed in range(4)], "extxyz")
    data = TrainingData((tmp_path / "train.xyz",), (), "extxyz")
    made, go, tasks = trainers(tmp_path), tmp_path / "go", {}
    for engine, one in made.items():
        directory = bench.directory / engine
        directory.mkdir()
        one.write_input(directory, data, 1, None)
        tasks[engine] = Task(
            directory, one.command(), one.check, one.log, one.shell_check, one.reached
        )
    env = (f"export {WAITS_AFTER}=10", f"export {GOES}={shlex.quote(str(go))}")
    with struck(cluster, bench, tasks, go):
        job = {"group_size": 1, "env_list": env}
        results = list(bench.run(list(tasks.values()), "train", real_time=True, **job))
    assert [result.explanation for result in results if not result.verdict.done] == []
    assert {result.attempts for result in results} == {2}
    for engine in ("deepmd-pytorch", "dpa"):
        assert starts(tasks[engine].directory) == [0, 7]
        assert trained(tasks[engine].directory) == [*range(1, 9), *range(8, 41)]
    for engine, name in MODELS.items():
        directory, recorded = tasks[engine].directory, DATA / engine
        read = made[engine].read_result(directory)
        assert read.files["model"].read_bytes() == (recorded / name).read_bytes()
        assert json.loads((directory / "result.json").read_text())["epochs"] in (3, 4, 5)
