"""What tells this machine, its present start and its processes from all others."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

_PROC = Path("/proc")


@dataclass(frozen=True)
class Machine:
    """A machine from one start to the next; "" for what it does not tell.

    Attributes
    ----------
    host
        Its name, which other machines may have as well.
    boot
        Its present start.
    id
        The machine itself, whatever its name and however often it was started.
    """

    host: str
    boot: str = ""
    id: str = ""

    def same_start(self, other: Machine) -> Optional[bool]:
        """Whether both are the same start of the same machine; None if that is not known."""
        return self.boot == other.boot if self.boot and other.boot else None

    def started_again(self, before: Machine) -> bool:
        """Whether this is the machine of `before`, which was started again since."""
        other_id = bool(self.id and before.id and self.id != before.id)
        return self.host == before.host and not other_id and self.same_start(before) is False


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(socket.gethostname(), boot_id(), _text(Path("/etc/machine-id")))


def boot_id() -> str:
    """Text that tells this start of this machine from all others."""
    return _text(_PROC / "sys/kernel/random/boot_id")


def boot_word() -> str:
    """The beginning of `boot_id`, which is enough beside a process number and its start."""
    return boot_id().partition("-")[0]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def start_of(pid: int) -> Optional[int]:
    """When a process was started, in clock ticks since the boot; None if it is dead."""
    found = process_stat(pid)
    return None if found is None or found[0] in ("Z", "X") else int(found[19])


def process_stat(pid: int) -> Optional[list[str]]:
    """The fields of /proc/<pid>/stat from the state on; None if there is no such process."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return os.fsdecode(stat[stat.rindex(b")") + 2 :]).split()
