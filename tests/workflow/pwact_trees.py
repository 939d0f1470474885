"""Directories as PWact leaves them, made from finished campaigns with the same seeds.

The names, the form of the tables and what is kept follow the layout of PWact 0.2 to 0.4.
"""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pwact.formats.lammps_dump import DumpTrajectory

TEMP = "temp_run_iter_work"
STEPS = ("train", "explore", "label")


@dataclass(frozen=True)
class Variant:
    """How a version of PWact names things."""

    numbered: bool
    record: str
    data_format: str

    def name(self, step: str) -> str:
        return f"{STEPS.index(step):02d}.{step}" if self.numbered else step


VARIANTS = {
    "0.2": Variant(False, "si.al", "extxyz"),
    "0.4": Variant(True, "al.record", "extxyz"),
    "npy": Variant(True, "al.record", "pwmlff/npy"),
}


def leave(source: Path, target: Path, last: tuple[int, int], variant: Variant) -> None:
    """Write into `target` what PWact had of the campaign in `source` after step `last`.

    The step after it was under way: of it there are a working copy and a part of the final one.
    """
    done = [(k, s) for k in range(last[0] + 1) for s in range(3) if (k, s) <= last]
    summary = []
    for iteration, step in done:
        name = f"iter.{iteration:04d}"
        final = target / name / variant.name(STEPS[step])
        working = target / name / TEMP / variant.name(STEPS[step])
        old = source / name / f"{step:02d}.{STEPS[step]}"
        if step == 0:
            _train(old, final)
        elif step == 1:
            _explore(old, final, working)
            summary.append(f"\n{name}  {_summary(final)}\nTotal 2 trajectories (as PWact says)\n")
        else:
            _label(old, final)
            shutil.rmtree(target / name / TEMP)
            summary.append("Number of converged files: 4, number of non-converged files: 0\n")
    k, s = (last[0], last[1] + 1) if last[1] < 2 else (last[0] + 1, 0)
    for place in (f"iter.{k:04d}/{TEMP}", f"iter.{k:04d}"):
        begun = target / place / variant.name(STEPS[s]) / "begun"
        begun.parent.mkdir(parents=True, exist_ok=True)
        begun.write_text("a part of a step\n")
    (target / "iter_select.txt").write_text("".join(summary))
    (target / variant.record).write_text("".join(f"\n{i} {step}" for i, step in done))
    (target / "PID").write_text("pid 4194303" if variant.numbered else "4194303")


def _train(old: Path, final: Path) -> None:
    for member in sorted(old.glob("train.*")):
        keep = ("train.json", "model", "model_record")
        for path in (path for path in member.iterdir() if path.name in keep):
            _copy(path, final / member.name / path.name)
        (final / member.name / "std_input.json").write_text("{}")
        (final / member.name / "tag.train.success").touch()
    (final / "0-train.job").write_text("#!/bin/sh\n")
    (final / "0-tag.train.success").touch()


def _explore(old: Path, final: Path, working: Path) -> None:
    names = ("md.json", "model_devi.out", "md.log", "in.lammps", "lmp.config", "atom_type.txt")
    for trajectory in sorted(old.glob("md/md.*/md.*/")):
        place = trajectory.relative_to(old)
        for name in names:
            if (trajectory / name).exists():
                for root in (final, working):
                    _copy(trajectory / name, root / place / name)
        if (trajectory / "traj").exists():
            _copy(trajectory / "traj", working / place / "traj")
        if (trajectory / "traj.lammpstrj").exists():
            types = (trajectory / "atom_type.txt").read_text().split()
            dump = DumpTrajectory(trajectory / "traj.lammpstrj", types)
            (working / place / "traj").mkdir()
            for step in dump.steps().tolist():
                one = working / place / "traj" / f"{step}.lammpstrj"
                one.write_bytes(dump.text(step))
        for root in (final, working):
            (root / place / "tag.md.success").touch()
    for table in sorted((old / "select").glob("*.csv")):
        _table(table, final / "select" / table.name, working)
    (final / "select" / "select_summary.txt").write_text(_summary(final) + "\n")


def _table(old: Path, new: Path, working: Path) -> None:
    """As pandas writes it: a column of row numbers, steps as floats, absolute paths."""
    new.parent.mkdir(parents=True, exist_ok=True)
    with old.open(newline="") as source, new.open("w", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(["", "devi_force", "config_index", "file_path"])
        for number, row in enumerate(csv.DictReader(source)):
            place = Path(*Path(row["file_path"]).parts[-3:])
            cells: list[Any] = [number, row["devi_force"], float(row["config_index"])]
            writer.writerow([*cells, working.absolute() / place])


def _summary(final: Path) -> str:
    return f"Total structures 10    accurate 2 (PWact, {final.parent.name})"


def _label(old: Path, final: Path) -> None:
    for name in ("train.xyz", "PWdata"):
        if (old / "result" / name).exists():
            _copy(old / "result" / name, final / "result" / name)
    for path in sorted(old.glob("scf/md.*/md.*/*-scf/out.json")):
        _copy(path, final / path.relative_to(old))


def _copy(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    if old.is_dir():
        shutil.copytree(old, new)
    else:
        shutil.copy(old, new)


def content(work_dir: Path) -> dict[str, bytes]:
    """Every file below the iterations."""
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes()
        for path in sorted(work_dir.glob("iter.*/**/*"))
        if path.is_file()
    }
