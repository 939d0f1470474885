"""CPU time of a start: `import pwact` and `pwact --help` beside a Python that does nothing.

    PYTHONPATH=. python tests/benchmarks/start.py

The least of 15 of each.
"""

from __future__ import annotations

import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage

WORDS = {
    "python -c pass": ["-c", "pass"],
    "import pwact": ["-c", "import pwact"],
    "pwact --help": ["-m", "pwact", "--help"],
}


def cpu_ms(words: list[str]) -> float:
    """CPU time of one start, user and system."""
    before = getrusage(RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = getrusage(RUSAGE_CHILDREN)
    return 1e3 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    bare = 0.0
    for name, words in WORDS.items():
        least = min(cpu_ms(words) for _ in range(15))
        bare = bare or least
        print(f"{name}: {least:.1f} ms, {least / bare:.1f} times")
