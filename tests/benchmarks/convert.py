"""Time and memory of ``pwact to_pwdata``: one large MOVEMENT, and many OUTCARs.

    PYTHONPATH=. python tests/benchmarks/convert.py [gigabytes] [folder]

Makes a MOVEMENT of 2 GB (or as many as given) and 200 OUTCARs of 100 ionic steps each (not timed)
in `folder`, or in a temporary one; converts each with a shuffle and a split, in a process of its
own; and prints the figures.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.workflow.trajectories import copper, movement_text, write_outcar

OUTCARS, STEPS = 200, 100
TIMED = """
import resource, sys, time
from pwact.cli.main import main
import pwact.cli.commands.campaign
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
start = time.perf_counter()
assert main(sys.argv[1:]) == 0
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"{time.perf_counter() - start:.1f} s, {after:.0f} MB at most ({before:.0f} MB before)")
"""


def make_movement(path: Path, size: float) -> int:
    """A file of at least `size` bytes; how many frames it has."""
    texts = [movement_text([copper(number)]) for number in range(20)]
    frames, written = 0, 0
    with path.open("w", encoding="ascii") as stream:
        while written < size:
            written += stream.write(texts[frames % len(texts)])
            frames += 1
    return frames


def measure(folder: Path, gigabytes: float) -> None:
    """Print time and memory of each conversion."""
    frames = make_movement(folder / "MOVEMENT", gigabytes * 1e9)
    print(f"MOVEMENT of {gigabytes:g} GB, {frames} frames of 256 atoms")
    timed(folder, "-f", "pwmat/movement", "-i", "MOVEMENT", "-s", "one")
    first = write_outcar(folder / "vasp", STEPS)
    names = [f"OUTCAR.{number}" for number in range(OUTCARS)]
    for name in names:
        (folder / name).write_bytes(first.read_bytes())
    print(f"{OUTCARS} OUTCARs of {STEPS} steps, {first.stat().st_size / 1e6:.1f} MB each")
    timed(folder, "-f", "vasp/outcar", "-i", *names, "-s", "many", "-m")


def timed(folder: Path, *words: str) -> None:
    """Convert in a process of its own."""
    command = [sys.executable, "-c", TIMED, "to_pwdata", "-w", str(folder), "-o", "0.9", "-r"]
    subprocess.run([*command, *words], check=True)


if __name__ == "__main__":
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    if len(sys.argv) > 2:
        measure(Path(sys.argv[2]), size)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            measure(Path(temporary), size)
