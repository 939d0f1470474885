"""Chooses among candidate.xyz the frames that differ most: writes select.xyz and select_idx.dat.

Frames are compared by their sorted interatomic distances. The first one is that nearest to the
mean; each next one is the farthest from all that are chosen (farthest point sampling).
"""

from pathlib import Path

import numpy as np
from ase.io import read

SHARE = 0.4  # of the candidates is chosen


def blocks(text):
    """The frames of an extxyz file as they stand there."""
    lines, found = text.splitlines(keepends=True), []
    while lines:
        size = int(lines[0]) + 2
        found.append("".join(lines[:size]))
        lines = lines[size:]
    return found


texts = blocks(Path("candidate.xyz").read_text())
frames = read("candidate.xyz", index=":", format="extxyz")
marks = []
for atoms in frames:
    near = np.sort(atoms.get_all_distances(mic=True), axis=1)[:, 1:17]
    marks.append(np.concatenate([near.mean(axis=0), near.std(axis=0)]))
marks = np.array(marks)
chosen = [int(np.argmin(np.linalg.norm(marks - marks.mean(axis=0), axis=1)))]
while len(chosen) < max(1, round(SHARE * len(frames))):
    gaps = np.linalg.norm(marks[:, None] - marks[None, chosen], axis=2).min(axis=1)
    chosen.append(int(np.argmax(gaps)))
chosen.sort()
Path("select.xyz").write_text("".join(texts[number] for number in chosen))
Path("select_idx.dat").write_text("".join(f"{number}\n" for number in chosen))
