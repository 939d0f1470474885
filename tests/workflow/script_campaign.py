"""A loop with toy engines and scripts of a user, which are run for real, as programs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pwact.executors.base import JobSpec
from pwact.layout import success_tag
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.checks.preflight import preflight
from tests.workflow.pairs import LOCAL, deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, campaign
from tests.workflow.toys import RUN

PYTHON = shlex.quote(sys.executable)
ROOT = str(Path(__file__).parents[2])
DIRECT = "iter.0000/01.explore/direct"
LABEL = "iter.0000/02.label"

CHOOSE = """
from pathlib import Path
lines = Path("candidate.xyz").read_text().splitlines(True)
size = int(lines[0]) + 2
frames = ["".join(lines[i : i + size]) for i in range(0, len(lines), size)]
def choose(numbers, listed=None):
    Path("select.xyz").write_text("".join(frames[i] for i in numbers))
    listed = numbers if listed is None else listed
    Path("select_idx.dat").write_text("".join(f"{i}\\n" for i in listed))
"""
EVERY_OTHER = CHOOSE + "choose(list(range(len(frames)))[::-2])\n"

READ = f"""
import sys; sys.path[:0] = [{ROOT!r}]
from pathlib import Path
import numpy as np
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.labels import set_labels
frames = read_extxyz(Path("select.xyz"))
def label(frames):
    for atoms in frames:
        set_labels(atoms, float(np.sum(atoms.positions**2)), -2.0 * atoms.positions)
    write_extxyz(Path("train.xyz"), frames)
"""
HARMONIC = READ + "label(frames)\n"  # the true labels of the toys


class ScriptExecutor(ToyExecutor):
    """Runs toys in this process, and everything else as the shell would."""

    def submit(self, spec: JobSpec) -> str:
        for task in spec.tasks:
            if task.command in RUN:
                super().submit(
                    JobSpec(
                        spec.name, spec.kind, spec.group, spec.directory, (task,), spec.resources
                    )
                )
                continue
            self.ran.append(str(task.directory))
            with spec.output.open("a") as output:
                ended = subprocess.run(
                    ["bash", "-c", task.command],
                    cwd=task.directory,
                    stdout=output,
                    stderr=output,
                    check=False,
                )
            if ended.returncode == 0:
                (task.directory / success_tag(spec.kind)).touch()
        return spec.name


def write_scripts(work_dir: Path, direct: str = EVERY_OTHER, label: str = HARMONIC) -> None:
    write_files(work_dir, {"calculator": "emt"})
    (work_dir / "direct.py").write_text(direct)
    (work_dir / "label.py").write_text(label)


def loop(
    work_dir: Path, executor: ToyExecutor, changes: Mapping[str, Any], **options: Any
) -> RunResult:
    """Run the loop of `run_param` with changes, scripts where these ask for them."""
    param = deep_update(run_param(), changes)
    blocks = {**resources(), "direct": {**LOCAL, "command": f"{PYTHON} direct.py"}}
    if param["DFT"]["dft_style"] == "bigmodel":
        blocks["DFT"] = {**LOCAL, "command": f"{PYTHON} label.py"}
    pair = load(work_dir, param, blocks)
    preflight(pair)
    with campaign(work_dir, "run", param["seed"], executor, **options) as opened:
        return run_active_learning(pair.config, pair.resources, opened)
