"""From which checkpoint a training of DeePMD-kit goes on that was cut off, with either backend.

A checkpoint gets one chance: where it brought none of a later step, the one before it is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.engines.deepmd.input import CURVE
from pwact.engines.training_task import archive_is_whole
from pwact.io.files import remove, write_text

PREFIX = "model.ckpt"
_FROM = "continue.step"  # the step from which the last try went on


@dataclass(frozen=True)
class Checkpoints:
    """How a backend keeps them.

    Attributes
    ----------
    endings
        Those of the files of one checkpoint, in the order in which they are written.
    is_whole
        Whether such a file was written to its end, as far as it tells.
    """

    endings: tuple[str, ...]
    is_whole: Callable[[Path], bool]

    def last(self, directory: Path) -> int:
        """Step of the last one that is whole; 0 where there is none."""
        name = re.compile(rf"{re.escape(PREFIX)}-(\d+){re.escape(self.endings[-1])}")
        found = (name.fullmatch(path.name) for path in directory.glob(f"{PREFIX}-*"))
        steps = sorted((int(one[1]) for one in found if one), reverse=True)
        return next((step for step in steps if self._has(directory, step)), 0)

    def _has(self, directory: Path, step: int) -> bool:
        return all(self.is_whole(path) for path in self._files(directory, step))

    def _files(self, directory: Path, step: int) -> list[Path]:
        return [directory / f"{PREFIX}-{step}{ending}" for ending in self.endings]

    def going_on(self, directory: Path) -> int:
        """The step to go on from, with what came later deleted; 0 where all begins again."""
        step = self.last(directory)
        if step and step == _last_start(directory):
            for path in self._files(directory, step):
                remove(path)
            step = self.last(directory)
        if step:
            write_text(directory / _FROM, f"{step}\n")
            cut_curve(directory / CURVE, step)
            return step
        for path in [*directory.glob(f"{PREFIX}*"), directory / CURVE, directory / _FROM]:
            remove(path)
        return 0


def _is_filled(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


TENSORFLOW = Checkpoints((".data-00000-of-00001", ".index", ".meta"), _is_filled)
PYTORCH = Checkpoints((".pt",), archive_is_whole)


def cut_curve(path: Path, step: int) -> None:
    """Leave the rows before `step`, whose row dp writes again."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except OSError:
        return
    kept = [line for line in lines if line.endswith("\n") and _is_before(line, step)]
    write_text(path, "".join(kept))


def _is_before(line: str, step: int) -> bool:
    words = line.split()
    return line.startswith("#") or (bool(words) and words[0].isdigit() and int(words[0]) < step)


def _last_start(directory: Path) -> Optional[int]:
    try:
        return int((directory / _FROM).read_text())
    except (OSError, ValueError):
        return None
