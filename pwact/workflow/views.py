"""What users see of the state: written whole from the journal's facts, never read back."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pwact import layout
from pwact.io import files


def write_record(path: Path, steps: Iterable[tuple[int, int]]) -> None:
    """Write ``al.record``: a line ``iteration step`` for every finished step.

    Step 0 is train, 1 explore, 2 label. As in PWact, each line is preceded by a newline.
    """
    _write(path, "".join(f"\n{iteration} {step}" for iteration, step in steps))


def write_iter_result(work_dir: Path, entries: Iterable[str]) -> None:
    """Write ``iter_result.txt`` from its entries, and the link ``iter_select.txt`` to it."""
    text = "".join(entry if entry.endswith("\n") else f"{entry}\n" for entry in entries)
    _write(work_dir / layout.ITER_RESULT, text)
    select = work_dir / layout.ITER_SELECT
    if not select.is_symlink():
        files.link(Path(layout.ITER_RESULT), select)


def _write(path: Path, text: str) -> None:
    """Write `path` unless it holds just that: a restart leaves times of files alone."""
    if not path.is_file() or path.read_bytes() != text.encode("utf-8", "surrogateescape"):
        files.write_text(path, text)
