"""Time and memory of ``pwact to_pwdata``: one large MOVEMENT, many OUTCARs; two versions compared.

    PYTHONPATH=. python tests/benchmarks/convert.py [gigabytes] [folder]
    PYTHONPATH=. python tests/benchmarks/convert.py --against CHECKOUT [megabytes]

Makes a MOVEMENT of 2 GB (or as many as given) and 200 OUTCARs of 100 ionic steps each (not timed)
in `folder`, or in a temporary one; converts each with a shuffle and a split, in a process of its
own; and prints the figures.

With ``--against`` the package of another checkout converts the same files in turn, seven times
each: a MOVEMENT of 20 MB (or as many as given), an OUTCAR, short MDs of CP2K, and the data sets
that are made of the MOVEMENT. Printed are the medians of the CPU times, of the second of two
conversions in a process, and their ratio.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.workflow.trajectories import copper, movement_text, write_outcar

ROOT = Path(__file__).parents[2]
CP2K = ROOT / "tests" / "formats" / "cp2k_md"
OUTCARS, STEPS = 200, 100
TURNS, CP2K_RUNS = 7, 100
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
# the first time modules are imported
CPU = """
import shutil, sys, time
from pathlib import Path
from pwact.cli.main import main
for _ in range(2):
    shutil.rmtree(Path(sys.argv[3], sys.argv[sys.argv.index("-s") + 1]), ignore_errors=True)
    start = time.process_time()
    assert main(sys.argv[1:]) == 0
print(time.process_time() - start)
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


def compare(folder: Path, other: Path, megabytes: float) -> None:
    """Print the CPU times of two checkouts, format by format."""
    print("format", "MB", "before s", "after s", "after/before", sep="\t")
    for name, paths in make_inputs(folder, megabytes).items():
        words = ["-f", name, "-i", *map(str, paths), "-s", "made", "-m"]
        for checkout in (other, ROOT):  # files are in memory, modules are compiled
            cpu_time(folder, checkout, words)
        turns = [[cpu_time(folder, one, words) for one in (other, ROOT)] for _ in range(TURNS)]
        before, after = (median(times) for times in zip(*turns))
        figures = f"{size_of(paths):.1f}", f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}"
        print(name, *figures, sep="\t", flush=True)


def make_inputs(folder: Path, megabytes: float) -> dict[str, list[Path]]:
    """Files or folders of each format that both versions read."""
    make_movement(folder / "MOVEMENT", megabytes * 1e6)
    made = {
        "pwmat/movement": [folder / "MOVEMENT"],
        "vasp/outcar": [write_outcar(folder / "vasp", 20 * STEPS)],
        "cp2k/md": [
            Path(shutil.copytree(CP2K, folder / f"md.{number}")) / "dft.log"
            for number in range(CP2K_RUNS)
        ],
    }
    for name, word in (("extxyz", "xyz"), ("pwmlff/npy", "npy")):
        words = ["-f", "pwmat/movement", "-i", "MOVEMENT", "--output_format", name, "-s", word]
        cpu_time(folder, ROOT, words)
        made[name] = [folder / word]
    return made


def size_of(paths: list[Path]) -> float:
    """Megabytes of files and folders."""
    files = [one for path in paths for one in (path, *path.rglob("*")) if one.is_file()]
    return sum(one.stat().st_size for one in files) / 1e6


def cpu_time(folder: Path, checkout: Path, words: list[str]) -> float:
    """Seconds of CPU that the package of a checkout needs, in a process of its own."""
    command = [sys.executable, "-c", CPU, "to_pwdata", "-w", str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        command, check=True, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    rest = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        if rest[:1] == ["--against"]:
            compare(Path(temporary), Path(rest[1]).absolute(), float(rest[2]) if rest[2:] else 20.0)
        else:
            place = Path(rest[1]) if rest[1:] else Path(temporary)
            measure(place, float(rest[0]) if rest else 2.0)
