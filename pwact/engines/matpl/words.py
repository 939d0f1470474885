"""What the errors in logs of MatPL mean, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

from pwact.io.files import log_tail

_LINES = 200
_REMEDIES = (
    (
        # not weights_only, which a warning of torch 2.4 holds
        re.compile(r"Weights only load failed"),
        "torch 2.6 and newer refuse MatPL's own checkpoints: put "
        '"env_list": ["export TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1"] into the block train of '
        "resource.json",
    ),
    (
        re.compile(r"object of type 'numpy\.int64' has no len\(\)|breaks MatPL kpu"),
        "pwdata 0.5.3 and newer break MatPL kpu: install pwdata 0.4.7 in MatPL's Python",
    ),
)


def remedy_for(log: Path) -> str:
    """What to do about the error at the end of a log; "" where none is known."""
    text = log_tail(log, _LINES)
    return next((words for pattern, words in _REMEDIES if pattern.search(text)), "")
