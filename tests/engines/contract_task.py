"""What a case of the contract of all engines is: a finished task, and how it is judged."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from pwact.engines.labelers import Purpose
from pwact.verdict import Verdict


@dataclass(frozen=True)
class Finished:
    """A task that is done.

    Attributes
    ----------
    check
        The engine's verdict on a directory.
    inputs
        Names of what was there before the program ran.
    read
        Reads the result of a done task.
    """

    directory: Path
    check: Callable[[Path], Verdict]
    inputs: frozenset[str]
    read: Callable[[Path], Any]

    def outputs(self) -> list[str]:
        """Files that the command left, in the order in which they were written."""
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        names = {path.relative_to(self.directory).as_posix(): path for path in files}
        new = [name for name in names if name not in self.inputs]
        return sorted(new, key=lambda name: (names[name].stat().st_mtime_ns, name))

    def copy(self, directory: Path) -> Path:
        """The task in another directory, with its times."""
        shutil.rmtree(directory, ignore_errors=True)
        shutil.copytree(self.directory, directory, symlinks=True)
        for link in directory.iterdir():
            if link.is_symlink():
                link.unlink()
                link.symlink_to((self.directory / link.name).resolve())
        return directory


@dataclass(frozen=True)
class Case:
    """How a finished task of an engine is made.

    Attributes
    ----------
    engine
        Registry and name of the engine.
    proof
        The file that stands for the exit status, where nothing else tells that the program ended.
    open_ended
        Whether how many frames there are is known by nobody but the program, so that fewer whole
        frames are a result as well.
    """

    engine: str
    make: Callable[[Path], Finished]
    proof: str = ""
    open_ended: bool = False


def names_in(directory: Path) -> frozenset[str]:
    return frozenset(
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    )


def run(directory: Path, command: str, **environment: str) -> None:
    """Run the command of a task as a job does; it must end well."""
    there = {**os.environ, **environment}
    subprocess.run(["bash", "-c", command], cwd=directory, env=there, check=True)


def label(made: Any, task: Path, purpose: Purpose, inputs: frozenset[str]) -> Finished:
    def check(place: Path) -> Verdict:
        found: Verdict = made.check(place, purpose)
        return found

    return Finished(task, check, inputs, lambda place: made.read_result(place, purpose))
