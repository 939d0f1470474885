"""By what several starts of a program in one directory are seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """What a program prints once, at its start; several of them are several programs.

    Attributes
    ----------
    log
        Name of the file in a task directory that takes the screen output.
    start
        Regular expression of a line that each start prints.
    processes
        Regular expression whose first group is the number of its processes; "" if none is printed.
    end
        Regular expression of its last lines, after which it may start again; "" if it never does.
    """

    log: str
    start: str
    processes: str = ""
    end: str = ""
