"""Where an MD that was cut off is taken up again."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.engines.lammps.restart import prepare
from pwact.engines.md_task import MdTrajectory

MAGIC = b"LammpS RestartT"


def cut_off(
    directory: Path, frames: list[int], rows: list[int] | None, restarts: dict[int, bytes]
) -> Path:
    """A directory as an MD leaves it."""
    text = "".join(f"ITEM: TIMESTEP\n{step}\nITEM: ...\n" for step in frames)
    (directory / "traj.lammpstrj").write_text(text)
    if rows is not None:
        lines = "".join(f"{step} 0.1\n" for step in rows)
        (directory / "model_devi.out").write_text(f"# step max_devi_f\n{lines}")
    for step, content in restarts.items():
        (directory / f"lmps.restart.{step}").write_bytes(content)
    return directory


WHOLE = {10: MAGIC * 3, 20: MAGIC * 3}


@pytest.mark.parametrize(
    ("frames", "rows", "restarts", "step"),
    [
        ([0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 20, 25], WHOLE, 20),
        ([0, 5, 10, 15, 20, 25], [0, 5, 10, 15], WHOLE, 20),
        ([0, 5, 10, 15, 20, 25], [0, 5, 10], WHOLE, 10),  # rows kept in memory were lost
        ([0, 5, 10], [0, 5, 10, 15, 20], WHOLE, 10),  # frames kept in memory were lost
        ([0, 5, 10, 15, 20], [0], WHOLE, None),
        ([0, 5, 10, 15, 20], [], WHOLE, None),
        ([0, 5, 10, 15, 20], None, WHOLE, 20),  # rows are written after the MD
        ([0, 5, 10, 15, 20], [0, 5, 10, 15], {**WHOLE, 20: b"torn"}, 10),
        ([0, 5, 10, 15, 20], [0, 5, 10, 15], {}, None),
        ([], [], WHOLE, None),
    ],
)
def test_frames_and_rows_before_the_restart_belong_together(
    tmp_path: Path,
    frames: list[int],
    rows: list[int] | None,
    restarts: dict[int, bytes],
    step: int | None,
) -> None:
    directory = cut_off(tmp_path, frames, rows, restarts)
    assert prepare(directory) == (step is not None)
    left = [path.name for path in directory.glob("lmps.restart.*")]
    assert left == ([] if step is None else [f"lmps.restart.{step}"])
    if step is None:
        return
    dump = (directory / "traj.lammpstrj").read_text().split("\n")
    kept = [frame for frame in frames if frame < step]
    assert dump[1::3] == [str(frame) for frame in kept]
    earlier = directory / "model_devi.before.out"
    assert not (directory / "model_devi.out").exists()
    if rows is not None:
        lines = earlier.read_text().splitlines()[1:]
        assert [int(line.split()[0]) for line in lines][: len(kept)] == kept


def test_what_was_printed_before_a_restart_is_kept(tmp_path: Path) -> None:
    directory = cut_off(tmp_path, [0, 5, 10, 15], [0, 5, 10, 15], {10: MAGIC * 3})
    head = "Step Temp PotEng\n"
    (directory / "md.log").write_text(f"{head}0 300 -1.0\n5 300 -1.5\n10 300 -2")
    assert prepare(directory)
    (directory / "md.log").write_text(f"{head}10 300 -2.5\n15 300 -3.0\n")
    trajectory = MdTrajectory(directory)
    assert [trajectory.energy(step) for step in (0, 5, 10, 15, 20)] == [
        -1.0,
        -1.5,
        -2.5,
        -3.0,
        None,
    ]
    (directory / "lmps.restart.10").write_bytes(b"torn")
    assert not prepare(directory)  # it begins again
    assert not (directory / "md.before.log").exists()
