"""Ways in which a file can be damaged, for the tests of the readers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

_NUMBER = re.compile(rb"-?\d+\.\d+")


def cuts(content: bytes, count: int = 200, seed: int = 1) -> Iterator[int]:
    """Places where a file is cut off: spread evenly, at random, and at ends of lines."""
    dice = random.Random(seed)
    size = len(content)
    evenly = {size * k // (count // 2) for k in range(count // 2)}
    ends = [place for place, byte in enumerate(content) if byte == 10]
    picked = dice.sample(ends, min(len(ends), count // 4))
    yield from sorted(evenly | set(picked) | {dice.randrange(size) for _ in range(count // 4)})


def spoiled(content: bytes, word: bytes, count: int = 50, seed: int = 1) -> Iterator[bytes]:
    """The file with one number replaced by `word`, ``NaN`` or ``********``, at many places."""
    places = [found.span() for found in _NUMBER.finditer(content)]
    for start, end in random.Random(seed).sample(places, min(count, len(places))):
        yield content[:start] + word.rjust(end - start) + content[end:]


def ends_of(content: bytes, mark: bytes) -> list[int]:
    """Places behind the line ends of those lines that hold `mark`."""
    ends, place = [], 0
    for line in content.splitlines(keepends=True):
        place += len(line)
        if mark in line:
            ends.append(place)
    return ends


def put(path: Path, content: bytes) -> Path:
    """Write the damaged file."""
    path.write_bytes(content)
    return path
