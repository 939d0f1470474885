"""What training and uncertainty cost in the two quickstarts: a committee of four, and one model.

    PYTHONPATH=. python tests/benchmarks/quickstart_kpu.py

Runs both examples to their end. Then every training, and every evaluation of a trajectory's
uncertainty, is done once more, one at a time, and its CPU time (of all its processes) is taken.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from pwact.config.param import load_pair
from pwact.engines import trainer_for
from pwact.engines.lammps.deviation import shell_text
from pwact.engines.lammps.program import lammps_program

ROOT = Path(__file__).resolve().parents[2]


def finished(name: str, place: Path) -> Path:
    """A work directory in which an example ran; its dumps are kept."""
    shutil.copytree(ROOT / "examples" / name, place)
    param = json.loads((place / "run_param.json").read_text())
    param.update(reserve_work=True, reserve_md_traj=True)
    (place / "run_param.json").write_text(json.dumps(param))
    for command, file in (("init_bulk", "init_param.json"), ("run", "run_param.json")):
        words = [sys.executable, str(ROOT / "bin" / "pwact"), command, file, "resource.json"]
        ended = subprocess.run(words, cwd=place, capture_output=True, text=True, check=True)
    print(ended.stdout)
    return place


def cpu_s(command: str, directories: Iterable[Path]) -> tuple[int, float]:
    """How often, and how long, a command runs in all these directories."""
    count, before = 0, resource.getrusage(resource.RUSAGE_CHILDREN)
    for directory in directories:
        subprocess.run(["bash", "-c", command], cwd=directory, check=True, capture_output=True)
        count += 1
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return count, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def costs(work_dir: Path) -> float:
    """Print and return CPU seconds of training and evaluation together."""
    pair = load_pair(work_dir / "run_param.json", work_dir / "resource.json", work_dir)
    trainer = trainer_for(pair.config, pair.resources.train, pair.resources.explore)
    trained = sorted(path for path in work_dir.glob("iter.*/00.train/*.0??") if path.is_dir())
    own = [path for path in trained if not path.is_symlink()]
    training = cpu_s(trainer.command(), own)
    if pair.config.strategy.uncertainty == "kpu":
        places = sorted(work_dir.glob("iter.*/01.explore/kpu/*/*/"))
        evaluation = cpu_s(trainer.kpu().command(), places)
    else:
        models = [trainer.read_result(path) for path in own[: pair.config.strategy.model_num]]
        places = sorted(path.parent for path in work_dir.glob("iter.*/01.explore/md/*/*/md.exit"))
        program = lammps_program(pair.resources.explore.command)
        evaluation = cpu_s(shell_text(program, trainer.potential(models)), places)
    print(
        f"{training[0]} trainings {training[1]:.1f} s, {evaluation[0]} trajectories evaluated "
        f"{evaluation[1]:.1f} s, together {training[1] + evaluation[1]:.1f} s of CPU time"
    )
    return training[1] + evaluation[1]


def main() -> None:
    """Measure both."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        names = ("quickstart_window", "quickstart_kpu")
        places = [finished(name, Path(temporary) / name) for name in names]
        committee, alone = (costs(place) for place in places)
    print(f"KPU needs {alone / committee:.2f} of the committee's time")


if __name__ == "__main__":
    main()
