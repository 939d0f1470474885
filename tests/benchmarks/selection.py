"""Time and memory of selecting among 10⁶ frames: 1,000 trajectories with 1,000 rows each.

    PYTHONPATH=. python tests/benchmarks/selection.py [folder]

Reads 1,000 files ``model_devi.out``, selects, writes the tables, then counts what nine pairs of
limits would give as ``pwact filter`` does, and prints the figures. The files are made first (not
timed) in `folder`, or in a temporary one.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pwact.formats.model_devi import read_model_devi, write_model_devi
from pwact.query.candidates import Group, select_candidates
from pwact.query.window import Limits, Scores, Window
from pwact.report.selection import MdEnd, write_selection
from pwact.tools.explored.filter import count, judged_tree

SYSTEMS, PER_SYSTEM, ROWS = 100, 10, 1000


def make(folder: Path) -> list[Path]:
    """1,000 files, of which every tenth has failed rows."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(SYSTEMS * PER_SYSTEM):
        system = f"md.000.sys.{number // PER_SYSTEM:03d}"
        directory = folder / system / f"{system}.t.{number % PER_SYSTEM:03d}"
        directory.mkdir(parents=True)
        rows = rng.gamma(2.0, 0.06, (ROWS, 6))
        if number % 10 == 0:
            rows[-100:] = np.nan
        write_model_devi(directory / "model_devi.out", np.arange(ROWS) * 10, rows)
        made.append(directory)
    return made


def measure(folder: Path) -> None:
    """Print time and memory of each step."""
    directories = make(folder)
    before = _peak_mb()
    start = time.perf_counter()
    rows = [read_model_devi(path / "model_devi.out") for path in directories]
    read = [
        (path.name, Scores(one.steps, one.max_f, one.failed))
        for path, one in zip(directories, rows)
    ]
    read_s = time.perf_counter() - start
    groups = [
        Group(0, k, 50, read[k * PER_SYSTEM : (k + 1) * PER_SYSTEM], Window(0.1, 0.25))
        for k in range(SYSTEMS)
    ]
    selection = select_candidates(groups, lambda md, system: np.random.default_rng((md, system)))
    select_s = time.perf_counter() - start - read_s
    print(write_selection(folder, selection, [MdEnd(path.name, True) for path in directories]))
    total_s = time.perf_counter() - start
    print(f"read      {read_s:6.2f} s\nselect    {select_s:6.2f} s")
    print(f"write     {total_s - read_s - select_s:6.2f} s\ntotal     {total_s:6.2f} s")
    print(f"memory    {_peak_mb():6.0f} MB at most ({before:.0f} MB before)")
    start = time.perf_counter()
    pairs = [Limits(lower, upper) for lower in (0.05, 0.1, 0.2) for upper in (0.25, 0.3, 0.4)]
    count(judged_tree(folder, pairs), pairs)
    print(f"filter    {time.perf_counter() - start:6.2f} s for {len(pairs)} pairs of limits")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary))
