"""What pwact adds on a real SLURM, beside a bare ``sbatch``: 500 labels of 0.1 s, group_size 1.

    PYTHONPATH=. python tests/benchmarks/slurm.py [labels]        (as root, with SLURM's packages)

Starts a cluster of its own. First the ideal: the same programs in the same number of directories,
submitted by a bare loop of ``sbatch`` or a bare ``sbatch --array``, until the last output is there.
Then one iteration of a campaign whose programs take no time but for the labels; a shim on PATH
counts what is asked of SLURM. Prints for each stage the time beyond the ideal, the calls, and
how long after the last output of a step the next submission follows.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pwact import engines
from pwact.executors import executor_for
from pwact.io.journal import Journal
from pwact.workflow.active_learning import run_active_learning
from pwact.workflow.campaign import open_campaign
from tests.slurm_cluster.cluster import Cluster
from tests.workflow import toys
from tests.workflow.pairs import load, resources, run_param, write_files

MEMBERS, TRAJECTORIES = 4, 10
COMMANDS = ("sbatch", "squeue", "sacct", "scancel")
PROGRAMS = {
    "train": "mv model.ready model",
    "md": "mv model_devi.ready model_devi.out",
    "scf": "sleep 0.1; mv out.ready out.json",
}


TOYS_S: Counter[str] = Counter()  # what the toys need, which no real engine does in this process


def ready(directory: Path, program: str, product: str, aside: str) -> None:
    """Let a toy program work at once, and put its product aside for the job to take."""
    start = time.perf_counter()
    toys.RUN[program](directory)
    (directory / product).rename(directory / aside)
    TOYS_S[program] += time.perf_counter() - start


class Trainer(toys.ToyTrainer):
    """A training that takes no time."""

    def write_input(self, directory: Path, *rest: Any, **more: Any) -> None:
        super().write_input(directory, *rest, **more)
        ready(directory, "toy-train", "model", "model.ready")

    def command(self) -> str:
        return PROGRAMS["train"]


class Explorer(toys.ToyExplorer):
    """A trajectory that takes no time."""

    def write_input(self, directory: Path, *rest: Any, **more: Any) -> None:
        super().write_input(directory, *rest, **more)
        ready(directory, "toy-md", "model_devi.out", "model_devi.ready")

    def command(self, potential: Any) -> str:
        return PROGRAMS["md"]


class Labeler(toys.ToyLabeler):
    """A label that takes 0.1 s."""

    def write_input(self, directory: Path, *rest: Any, **more: Any) -> None:
        super().write_input(directory, *rest, **more)
        ready(directory, "toy-scf", "out.json", "out.ready")

    def command(self, purpose: Any) -> str:
        return PROGRAMS["scf"]


def bare(folder: Path, program: str, number: int, array: bool) -> float:
    """Seconds that a bare sbatch needs for `number` jobs of one program, until all is there."""
    ready_name, product = PROGRAMS[program].split()[-2:]
    for index in range(number):
        (folder / str(index)).mkdir(parents=True)
        (folder / str(index) / ready_name).touch()
    script = folder / "job.sh"
    index = "$SLURM_ARRAY_TASK_ID" if array else "$1"
    script.write_text(f"#!/bin/bash\ncd {shlex.quote(str(folder))}/{index}\n{PROGRAMS[program]}\n")
    words = ["sbatch", "--output=/dev/null", "--partition=cpu"]
    start = time.perf_counter()
    if array:
        subprocess.run([*words, f"--array=0-{number - 1}", script], check=True, capture_output=True)
    else:
        for one in range(number):
            subprocess.run([*words, script, str(one)], check=True, capture_output=True)
    missing = list(range(number))
    while missing:
        time.sleep(0.05)
        missing = [one for one in missing if not (folder / str(one) / product).exists()]
    took = time.perf_counter() - start
    shutil.rmtree(folder)
    return took


def count_calls(folder: Path) -> Path:
    """Put a shim before each command of SLURM; return the file that gets a line a call."""
    shims, log = folder / "shims", folder / "calls"
    shims.mkdir()
    for name in COMMANDS:
        real = shutil.which(name)
        text = f'#!/bin/bash\necho {name} >> {shlex.quote(str(log))}\nexec {real} "$@"\n'
        (shims / name).write_text(text)
        (shims / name).chmod(0o755)
    os.environ["PATH"] = f"{shims}:{os.environ['PATH']}"
    return log


def campaign(folder: Path, labels: int, use_array: str) -> tuple[Path, list[int]]:
    """Run one iteration; return the work directory and the number of jobs of every poll."""
    for registry, name, kind in (
        (engines.TRAINERS, "pod", "Trainer"),
        (engines.EXPLORERS, "lammps", "Explorer"),
        (engines.LABELERS, "ase", "Labeler"),
    ):
        registry[name] = f"{__name__}:{kind}"
    param = run_param()
    param["strategy"].update(
        model_num=MEMBERS, lower_model_devi_f=0.0, upper_model_devi_f=1e9, max_select=labels
    )
    (job,) = param["explore"]["md_jobs"][:1]
    job.update(temps=list(range(100, 100 + TRAJECTORIES)), press=[0], trj_freq=1)
    job.update(nsteps=2 * labels // TRAJECTORIES)
    job.pop("select_sys", None)
    param["explore"]["sys_configs"][0]["config"] = "structures/a.poscar"
    param["explore"]["md_jobs"] = [job]
    resource = resources()
    resource.update(scheduler="slurm", queue_name="cpu", use_array=use_array)
    for name in ("train", "explore", "DFT"):
        resource[name].update(scheduler="slurm", queue_name="cpu", group_size=1)
    folder.mkdir()
    write_files(folder, {"calculator": "emt"})
    pair = load(folder, param, resource)
    polls: list[int] = []

    def counted(block: Any) -> Any:
        executor = executor_for(block)
        real = executor.poll

        def poll(jobs: Any) -> Any:
            polls.append(len(jobs))
            return real(jobs)

        executor.poll = poll  # type: ignore[method-assign]
        return executor

    with open_campaign(folder, "run", 1, executor_for=counted) as opened:
        run_active_learning(pair.config, pair.resources, opened)
    return folder, polls


def report(work_dir: Path, ideal: dict[str, float], polls: list[int], calls: Counter[str]) -> None:
    """Print the figures of a finished campaign."""
    events = Journal(work_dir / ".pwact" / "journal.jsonl").events()
    begun = {event["name"]: event["time"] for event in events if event["event"] == "stage_started"}
    done = {event["name"]: event["time"] for event in events if event["event"] == "stage_done"}
    for name, end in done.items():
        best = ideal.get(name.partition("/")[2], 0.0)
        took = end - begun[name]
        print(f"{name:18} {took:6.2f} s, ideal {best:6.2f} s, beyond it {took - best:5.2f} s")
        inside = [one for one in events if begun[name] <= one["time"] <= end]
        for what in ("job_asked", "job_submitted", "job_ended"):
            times = [one["time"] - begun[name] for one in inside if one["event"] == what]
            if times:
                print(f"    {what:14} {min(times):6.2f} … {max(times):6.2f} s")
    for kind, pattern, after in (
        ("md", "iter.0000/00.train/*/tag.*.lock", "last training → first trajectory"),
        ("scf", "iter.0000/01.explore/md/*/*/tag.*.lock", "last trajectory → first label"),
        ("train", "iter.0000/02.label/scf/*.exit", "last label → next training"),
    ):
        last = max(path.stat().st_mtime for path in work_dir.glob(pattern))
        ids = {event["name"] for event in events if event.get("kind") == kind}
        later = [
            event["time"]
            for event in events
            if event["event"] == "job_submitted" and event["name"] in ids and event["time"] > last
        ]
        print(f"{after:34} {later[0] - last:5.2f} s")
    whole = max(done.values()) - min(begun.values())
    print(f"the toys' own work {sum(TOYS_S.values()):6.2f} s: {dict(TOYS_S)}")
    TOYS_S.clear()
    print(
        f"all                {whole:6.2f} s; polls {len(polls)}, calls {dict(calls)}\n", flush=True
    )


def main(labels: int) -> None:
    """Measure with arrays and without."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="pwact-bench-")))
        folder.chmod(0o755)
        cluster = Cluster(folder / "rig")
        os.environ["SLURM_CONF"] = str(cluster.conf)
        held.callback(cluster.stop)
        cluster.start()
        for use_array in ("auto", "false"):
            array = use_array == "auto"
            ideal = {
                "train": bare(folder / "bare", "train", MEMBERS, False),
                "explore": bare(folder / "bare", "md", TRAJECTORIES, array),
                "label": bare(folder / "bare", "scf", labels, array),
            }
            before = os.environ["PATH"]
            (folder / use_array).mkdir()
            log = count_calls(folder / use_array)
            work_dir, polls = campaign(folder / use_array / "work", labels, use_array)
            os.environ["PATH"] = before
            print(f"use_array {use_array}: {labels} labels of 0.1 s, bare {ideal}")
            report(work_dir, ideal, polls, Counter(log.read_text().split()))


if __name__ == "__main__":
    sys.modules["tests.benchmarks.slurm"] = sys.modules[__name__]
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
