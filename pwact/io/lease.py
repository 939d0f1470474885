"""A sign of life in a directory that several machines see, where they share no locks."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any, Callable, Optional

BEAT_S = 30.0  # between two signs of life
_MISSED = 3  # signs that a living holder may miss
_LOOK_S = 1.0


class Lease:
    """A file that one holder at a time has made, and touches every `BEAT_S` seconds.

    Others see whether it changes; clocks of different machines are never compared.

    Parameters
    ----------
    path
        The file.
    who
        Whom it names; JSON.
    """

    def __init__(self, path: Path, who: dict[str, Any]) -> None:
        self.path = path
        self._text = json.dumps({**who, "token": uuid.uuid4().hex, "beat_s": BEAT_S})
        self._over = threading.Event()
        self._guard = threading.Lock()

    def take(self) -> bool:
        """Make the file, unless it exists."""
        aside = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            with aside.open("x", encoding="ascii") as stream:
                stream.write(self._text)
                stream.flush()
                os.fsync(stream.fileno())
            return self._link(aside)
        finally:
            aside.unlink(missing_ok=True)

    def _link(self, aside: Path) -> bool:
        try:
            os.link(aside, self.path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            return self._make()
        return True

    def _make(self) -> bool:
        try:
            with self.path.open("x", encoding="ascii") as stream:
                stream.write(self._text)
        except FileExistsError:
            return False
        return True

    def beat(self) -> None:
        """Give signs of life from now on, in the background."""
        threading.Thread(target=self._beat, name="lease", daemon=True).start()

    def _beat(self) -> None:
        while not self._over.wait(BEAT_S):
            with self._guard, contextlib.suppress(OSError):
                if not self._over.is_set() and self.still_mine():
                    os.utime(self.path)

    def still_mine(self) -> bool:
        """Whether nobody else has taken it; where it was deleted it is made again."""
        try:
            return self.path.read_text(encoding="ascii", errors="replace") == self._text
        except FileNotFoundError:
            with contextlib.suppress(OSError):
                return not self.path.parent.is_dir() or self.take()
        except OSError:
            pass
        return True  # the disk does not answer: nobody else can have asked it either

    def give_back(self) -> None:
        """Give no more signs of life, and delete the file if it is still ours."""
        self._over.set()
        with self._guard, contextlib.suppress(OSError):
            if self.still_mine():
                self.path.unlink()


def holder(path: Path) -> Optional[dict[str, Any]]:
    """Whom a lease or a lock file names, None if nobody holds it."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return None


def changes(path: Path, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Watch a lease as long as a living holder could be silent; whether it was touched."""
    before, longest_s, waited = _signature(path), longest_watch_s(path), 0.0
    while waited < longest_s:
        sleep(_LOOK_S)
        waited += _LOOK_S
        if _signature(path) != before:
            return True
    return False


def longest_watch_s(path: Path) -> float:
    """How long `changes` may watch."""
    beat_s = (holder(path) or {}).get("beat_s")
    return (_MISSED + 0.5) * (beat_s if isinstance(beat_s, float) and beat_s > 0 else BEAT_S)


def take_away(path: Path, dead: dict[str, Any]) -> bool:
    """Remove the lease of a dead holder; False if it is somebody else's by now.

    Of several that find the same holder dead, only one gets its file.
    """
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return True
    if (holder(aside) or {}) == dead:
        aside.unlink(missing_ok=True)
        return True
    with contextlib.suppress(OSError):  # of a living one, who came first: put it back
        os.link(aside, path)
    aside.unlink(missing_ok=True)
    return False


def _signature(path: Path) -> tuple[int, int]:
    try:
        with path.open("rb") as stream:  # opened, so that a network file system asks its server
            state = os.fstat(stream.fileno())
    except OSError:
        return 0, 0
    return state.st_ino, state.st_mtime_ns
