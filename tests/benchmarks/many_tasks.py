"""CPU time and memory of the master with 10,000 tasks in as many jobs, under a fake SLURM.

    PYTHONPATH=. python tests/benchmarks/many_tasks.py [tasks]

The fake answers inside this process; what it costs itself is subtracted from the CPU time, but not
from the memory. Every job is seen waiting, running and completed. Once with arrays, once without.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.executors.fake_slurm import FakeSlurm, slurm_bench


class Timed(FakeSlurm):
    """Knows what it costs."""

    cpu_s = 0.0

    def __call__(self, words):
        start = time.process_time()
        try:
            return super().__call__(words)
        finally:
            self.cpu_s += time.process_time() - start


def peak_mb() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, number: int, use_array: str) -> None:
    """Run the tasks and print what that cost."""
    bench = slurm_bench(folder / "work")
    slurm = bench.executor._call = bench.slurm = Timed(bench)
    bench.executor.use_array = use_array
    tasks = bench.tasks(number)
    before = peak_mb()
    wall, cpu = time.perf_counter(), time.process_time()
    done = sum(result.verdict.done for result in bench.run(tasks))
    cpu = time.process_time() - cpu - slurm.cpu_s
    wall = time.perf_counter() - wall
    calls = {name: slurm.count(name) for name in ("sbatch", "squeue", "sacct")}
    assert done == number
    print(
        f"use_array {use_array:5}: {done} tasks done, {cpu:.1f} s CPU, {wall:.1f} s wall (fake "
        f"included), {peak_mb():.0f} MB at most ({before:.0f} MB before), calls {calls}",
        flush=True,
    )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary), int(sys.argv[1]), sys.argv[2])
    else:
        for array in ("auto", "false"):  # each in a process of its own, for the memory
            subprocess.run(
                [sys.executable, __file__, *(sys.argv[1:] or ["10000"]), array], check=True
            )
