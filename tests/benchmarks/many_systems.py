"""CPU time of the master that explores many systems and labels each while the others explore.

    PYTHONPATH=. python tests/benchmarks/many_systems.py [systems …]

One iteration with `streaming`; engines and scheduler are toys inside this process, which cost
every system the same, and there are no pictures. What grows faster than the number of systems is
the master's.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path

from pwact.formats.structures import write_structure
from pwact.workflow.stages import select
from tests.workflow.pairs import alloy, run_param, write_files
from tests.workflow.toy_campaign import TOYS, ToyExecutor, run_loop


def campaign(folder: Path, systems: int) -> tuple[float, int]:
    """Run one iteration; CPU seconds and the number of events."""
    write_files(folder, {"calculator": "emt"})
    for number in range(systems):
        write_structure(folder / f"structures/{number}.poscar", alloy(), "vasp/poscar")
    param = run_param()
    (job,) = param["explore"]["md_jobs"][:1]
    job.update(sys_idx=list(range(systems)), select_sys=[1])
    param["explore"].update(
        md_jobs=[job],
        sys_configs=[
            {"config": f"structures/{number}.poscar", "format": "vasp/poscar"}
            for number in range(systems)
        ],
    )
    param["streaming"] = True
    began = time.process_time()
    run_loop(folder, param, ToyExecutor())
    took = time.process_time() - began
    journal = (folder / ".pwact" / "journal.jsonl").read_bytes()
    return took, journal.count(b"\n")


def main(numbers: list[int]) -> None:
    """Measure each."""
    for table, name, toy in TOYS:
        table[name] = toy
    select.histogram = lambda *_, **__: False
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            profile = cProfile.Profile() if os.environ.get("PROFILE") else None
            if profile:
                profile.enable()
            took, events = campaign(Path(folder) / "work", number)
            if profile:
                profile.disable()
                pstats.Stats(profile).sort_stats("cumulative").print_stats(45)
        print(
            f"{number:5} systems: {took:6.1f} s CPU, {1000 * took / number:5.1f} ms a system, "
            f"{events} events",
            flush=True,
        )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [100, 300, 1000])
