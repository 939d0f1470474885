"""The program, run as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def pwact(work_dir: Path, *words: str) -> str:
    """Run one command to its end; returns what it printed."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "bin" / "pwact"), *words],
        cwd=work_dir,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout
