"""Time, memory and size of the page of a made campaign with 10⁴ and with 10⁶ explored frames.

    PYTHONPATH=. python tests/benchmarks/report_time.py [folder]

Ten iterations with ten trajectories each and 100 labels each; frames of 32 atoms for 10⁴, of 8 for
10⁶. The campaigns are made first (not timed), in `folder` or in a temporary one.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk

from pwact import layout
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.formats.lammps_dump import frame_text
from pwact.formats.model_devi import write_model_devi
from pwact.report.label_error import LabelError, write_label_error
from pwact.report.parity import Compared, write_parity
from pwact.tools.report.page import write_report

ITERATIONS, TRAJECTORIES, LABELS = 10, 10, 100
BEGUN = 1.7e9


def make(work_dir: Path, frames: int, repeat: tuple[int, int, int]) -> None:
    """A finished campaign with so many explored frames."""
    rng = np.random.default_rng(0)
    atoms = bulk("Cu", cubic=True).repeat(repeat)
    each = frames // (ITERATIONS * TRAJECTORIES)
    for iteration in range(ITERATIONS):
        system = layout.md_dir(work_dir, iteration) / layout.system_name(0, 0)
        for number in range(TRAJECTORIES):
            place = system / layout.trajectory_name(0, 0, number)
            place.mkdir(parents=True)
            _explore(place, atoms, each, rng)
        _label(work_dir, iteration, atoms, rng)
    journal = work_dir / layout.STATE_DIR / layout.JOURNAL
    journal.parent.mkdir()
    journal.write_text("".join(json.dumps(event) + "\n" for event in _events(frames)))


def _explore(place: Path, atoms: Any, count: int, rng: np.random.Generator) -> None:
    """A dump of few different frames with all steps, and the deviations."""
    bodies = []
    for _ in range(8):
        frame = atoms.copy()
        frame.positions += rng.normal(0.0, 0.1, frame.positions.shape)
        text = frame_text(0, frame, rng.normal(0.0, 1.0, frame.positions.shape), ["Cu"])
        bodies.append(text.encode().split(b"\n", 2)[2])
    with (place / "traj.lammpstrj").open("wb") as stream:
        for step in range(count):
            stream.write(b"ITEM: TIMESTEP\n%d\n" % (10 * step) + bodies[step % 8])
    (place / "atom_type.txt").write_text("Cu\n")
    (place / "in.lammps").write_text("variable TEMP equal 600\n")
    write_model_devi(
        place / layout.MODEL_DEVI, np.arange(count) * 10, rng.gamma(2, 0.1, (count, 6))
    )


def _label(work_dir: Path, iteration: int, atoms: Any, rng: np.random.Generator) -> None:
    result = layout.result_dir(work_dir, iteration)
    result.mkdir(parents=True)
    frames, rows, compared = [], [], []
    name = f"{layout.iteration_name(iteration)}/01.explore/md/md.000.sys.000/md.000.sys.000.t.000"
    for step in range(LABELS):
        frame = atoms.copy()
        frame.positions += rng.normal(0.0, 0.1, frame.positions.shape)
        forces = rng.normal(0.0, 1.0, frame.positions.shape)
        set_labels(frame, -3.5 * len(frame), forces)
        frames.append(frame)
        kind = "control" if step % 5 == 0 else "chosen"
        rows.append(LabelError(name, 10 * step, *rng.gamma(2, 0.1, 3).tolist(), (0.1, kind)))
        symbols = np.array(frame.get_chemical_symbols())
        energies = (-3.5 * len(frame), -3.49 * len(frame))
        compared.append(
            Compared(name, 10 * step, "cu", 600.0, None, symbols, energies, forces, 0.9 * forces)
        )
    write_frames(result / "train.xyz", frames, "extxyz")
    write_label_error(result / layout.LABEL_ERROR, rows)
    write_parity(layout.parity(work_dir, iteration), compared)


def _events(frames: int) -> Iterator[dict[str, Any]]:
    clock = iter(np.arange(BEGUN, BEGUN + 1e7, 60.0).tolist())
    start = {"command": "run", "host": "here", "pid": 1, "directory": "/campaign"}
    yield {"event": "campaign_started", "time": next(clock), "command": "run", "campaign": "a"} | {
        "seed": 1
    }
    yield {"event": "master_started", "time": next(clock), **start}
    yield {"event": "run_planned", "time": next(clock), "iterations": ITERATIONS}
    for iteration in range(ITERATIONS):
        for step in ("train", "explore", "select", "label"):
            name = f"{layout.iteration_name(iteration)}/{step}"
            begun = {"name": name, "key": name, "inputs": {"seed": 1}}
            yield {"event": "stage_started", "time": next(clock), **begun}
            for number in range(0 if step == "select" else 40):
                yield from _job(f"{step}{iteration}-{number}", step, clock)
            report = _report(step, iteration, frames)
            done = {"name": name, "key": name, "files": {}, "transient": [], "report": report}
            yield {"event": "stage_done", "time": next(clock), **done}
    ended = {"how": "finished", "why": "", "command": "run"}
    yield {"event": "master_ended", "time": next(clock), **ended}


def _job(name: str, kind: str, clock: Iterator[float]) -> Iterator[dict[str, Any]]:
    asked = {"name": name, "kind": kind, "group": 0, "directory": "x", "scheduler": "slurm"}
    yield {"event": "job_asked", "time": next(clock), **asked, "tasks": ["t"], "cores": 8}
    yield {"event": "job_submitted", "time": next(clock), "name": name, "id": "1"}
    yield {"event": "job_running", "time": next(clock), "job": name}
    ended = {"name": name, "id": "1", "state": "COMPLETED", "done": 1}
    yield {"event": "job_ended", "time": next(clock), **ended}


def _report(step: str, iteration: int, frames: int) -> dict[str, Any]:
    each = frames // ITERATIONS
    return {
        "train": {"valid_rmse_e": 0.001, "valid_rmse_f": 0.2 / (1 + iteration)},
        "explore": {"temps_k": [600.0], "trajectories": 10, "ended_normally": 10, "paths": []},
        "select": {"frames": each, "accurate": each - 500, "candidate": 500, "selected": LABELS},
        "label": {"labelled": LABELS, "failed": 0, "rmse_f": 0.2 / (1 + iteration), "data": ""},
    }[step]


def measure(folder: Path) -> None:
    """Print time, memory and size for both campaigns."""
    for frames, repeat in ((10_000, (2, 2, 2)), (1_000_000, (2, 1, 1))):
        work_dir = folder / f"{frames} frames"
        make(work_dir, frames, repeat)
        page = folder / f"{frames}.html"
        start, busy = time.perf_counter(), time.process_time()
        write_report(work_dir, page, BEGUN + 2e7)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = page.stat().st_size / 1e6
        taken = f"{seconds:.1f} s (CPU {busy:.1f} s)"
        print(f"{frames} frames: {taken}, {size:.2f} MB, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            measure(Path(made))
