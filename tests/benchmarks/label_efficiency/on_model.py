"""Campaigns of `examples/quickstart` with other seeds: MD by the models, hotter and hotter.

    python -m tests.benchmarks.label_efficiency.on_model WORK --stability 100000

The labels are those of EMT, which tells the true error of every frame. After each campaign its
final model runs an MD at the hottest condition, if it is asked for. What is there of an earlier
call is not run again.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase.calculators.emt import EMT

from pwact.formats.lammps_dump import DumpTrajectory
from pwact.workflow.looks import look_at

EXAMPLE = Path(__file__).parents[3] / "examples" / "quickstart"
CLOSEST = 0.5  # Å
FRAMES = 100  # at least, of the last MD, that are looked at


@dataclass(frozen=True)
class Iteration:
    """What an iteration decided, and what is true.

    Attributes
    ----------
    labels
        New ones.
    accepted, right
        Frames, and those of them with an error below the target.
    true
        Share of all its frames with an error below the target.
    """

    condition: int
    labels: int
    accepted: int
    right: int
    true: float


def campaign(folder: Path, seed: int, changes: Mapping[str, object]) -> Path:
    """Run the example with a seed, unless it is there."""
    place = folder / f"seed.{seed}"
    if (place / "final").exists():
        return place
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(EXAMPLE, place)
    for name in ("init_param.json", "run_param.json"):
        param = {**json.loads((place / name).read_text()), "seed": seed}
        if name.startswith("run"):
            param["reserve_md_traj"] = True
            param["strategy"].update(changes)
        (place / name).write_text(json.dumps(param))
    for command, name in (("init_bulk", "init_param.json"), ("run", "run_param.json")):
        words = [sys.executable, "-m", "pwact", command, name, "resource.json"]
        with (place / f"{command}.txt").open("w") as stream:
            subprocess.run(words, cwd=place, check=True, stdout=stream, stderr=stream)
    return place


def iterations(place: Path) -> Iterator[Iteration]:
    """Those of a finished campaign."""
    param = json.loads((place / "run_param.json").read_text())
    target = param["strategy"]["target_force_error"]
    for limits in sorted(place.glob("iter.*/01.explore/select/limits.csv")):
        (line,) = _rows(limits)
        kept = {
            (row["file_path"], int(row["config_index"]))
            for row in _rows(limits.with_name("accurate.csv"))
        }
        errors = dict(_errors(place, limits.parents[1], param["train"]["atom_type"]))
        inside = [errors[key] < target for key in kept]
        true = float(np.mean([error < target for error in errors.values()]))
        yield Iteration(
            int(line["condition"]), int(line["labelled"]), len(inside), sum(inside), true
        )


def _errors(
    place: Path, explored: Path, types: Sequence[str]
) -> Iterator[tuple[tuple[str, int], float]]:
    """RMSE of the predicted forces of each explored frame, eV/Å."""
    for path in sorted(explored.glob("md/*/*/traj.lammpstrj")):
        dump = DumpTrajectory(path, types)
        for step in dump.steps().tolist():
            frame = dump.frame(step)
            predicted = frame.arrays["forces"].copy()
            frame.calc = EMT()
            error = float(np.sqrt(np.mean((predicted - frame.get_forces()) ** 2)))
            yield (path.parent.relative_to(place).as_posix(), step), error


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def survives(place: Path, steps: int) -> float:
    """Part of an MD at the hottest temperature that the final model runs, 1 for all of it."""
    final = place / "final"
    param = json.loads((place / "run_param.json").read_text())
    hottest = max(temp for job in param["explore"]["md_jobs"] for temp in job["temps"])
    begin = (final / "in.lammps").read_text().partition("thermo_style")[0]
    every = max(steps // FRAMES, 1)
    script = (
        f"{begin}timestep 0.002\nvelocity all create {hottest} 1\n"
        f"fix 1 all npt temp {hottest} {hottest} 0.1 iso 0 0 0.5\n"
        f"dump 1 all custom {every} stable.lammpstrj id type x y z fx fy fz\n"
        f"dump_modify 1 sort id\nrun {steps}\n"
    )
    inputs = final / "in.stable"
    if not inputs.exists() or inputs.read_text() != script:
        words = ["lmp", "-log", "none", "-in", "in.stable.part"]
        (final / "in.stable.part").write_text(script)
        subprocess.run(words, cwd=final, check=False, capture_output=True)
        (final / "in.stable.part").replace(inputs)
    dump = DumpTrajectory(final / "stable.lammpstrj", param["train"]["atom_type"])
    looks = look_at((dump.frame(step) for step in dump.steps().tolist()), CLOSEST)
    return float((looks.physical.sum() - 1) / (steps // every))


def line_of(place: Path, steps: int) -> str:
    """The row of a campaign in the table."""
    every = list(iterations(place))
    first = [
        one for before, one in zip(every, every[1:]) if one.condition != before.condition
    ]  # of a hotter condition
    last = [
        one
        for one, after in zip(every, [*every[1:], None])
        if after is None or after.condition != one.condition
    ]
    said = (place / "run.txt").read_text() if (place / "run.txt").exists() else ""
    cells = [
        place.name,
        len(every),
        sum(one.labels for one in every),
        "yes" if "reached in all conditions" in said else "no",
        _share(every),
        _share(first),
        " ".join(f"{one.true:.2f}" for one in last),
        f"{survives(place, steps):.2f}" if steps else "",
    ]
    return f"| {' | '.join(map(str, cells))} |"


def _share(some: Sequence[Iteration]) -> str:
    accepted, right = sum(one.accepted for one in some), sum(one.right for one in some)
    return f"{right} of {accepted}"


def main() -> None:
    """Run the campaigns, and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="*", default=[2025, 1, 2, 3, 4])
    parser.add_argument("--target", type=float, default=0.02, help="eV/Å")
    parser.add_argument(
        "--stability",
        type=int,
        default=0,
        metavar="STEPS",
        help="run an MD of so many steps with each final model",
    )
    asked = parser.parse_args()
    for seed in asked.seeds:
        place = campaign(asked.folder, seed, {"target_force_error": asked.target})
        print(line_of(place, asked.stability), flush=True)


if __name__ == "__main__":
    main()
