"""The program, run as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def ended(work_dir: Path, *words: str) -> tuple[int, str]:
    """Run one command to its end; returns its exit status and what it said on stderr."""
    done = _run(work_dir, *words)
    return done.returncode, done.stderr


def pwact(work_dir: Path, *words: str) -> str:
    """Run one command to its end, which must be a good one; returns what it printed."""
    done = _run(work_dir, *words)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _run(work_dir: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "bin" / "pwact"), *words],
        cwd=work_dir,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
