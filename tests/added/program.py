"""``python -m tests.added.program NAME``: one of the toy programs, in the current directory."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.workflow.force_size import toy_size
from tests.workflow.toys import RUN

if __name__ == "__main__":
    {**RUN, "toy-size": toy_size}[sys.argv[1]](Path.cwd())
