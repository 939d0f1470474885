"""Every random number of a campaign comes from one recorded root."""

from __future__ import annotations

import secrets
import zlib

import numpy as np

LARGEST = 2**31 - 1


class Seeds:
    """Random numbers by place: the same root and place give the same numbers, in any order.

    Parameters
    ----------
    root
        The campaign's root seed, not negative.
    """

    def __init__(self, root: int) -> None:
        self.root = root

    def seed(self, *spawn_key: int | str) -> int:
        """A seed in 1..2**31-1, the range that all engines accept."""
        state = int(self._sequence(spawn_key).generate_state(1, np.uint64)[0])
        return state % LARGEST + 1

    def rng(self, *spawn_key: int | str) -> np.random.Generator:
        """A random generator."""
        return np.random.Generator(np.random.PCG64(self._sequence(spawn_key)))

    def _sequence(self, spawn_key: tuple[int | str, ...]) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.root, spawn_key=[_number(part) for part in spawn_key])


def _number(part: int | str) -> int:
    return zlib.crc32(part.encode()) if isinstance(part, str) else int(part)


def draw_root() -> int:
    """A fresh root for a user who gave none."""
    return secrets.randbelow(LARGEST) + 1
