"""The directory of a campaign that PWact began: how far it came, and what must not run any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact import layout
from pwact.config.resources import Resources
from pwact.errors import InputError, PwactError
from pwact.executors.foreign import slurm_jobs_below
from pwact.formats.al_record import MARKS, Entry, Step, read_record, read_summary
from pwact.workflow import master, steps


@dataclass(frozen=True)
class PwactTree:
    """What PWact left.

    Attributes
    ----------
    record
        The record of its steps; None if it finished none.
    last
        The last finished step.
    entries
        What its summary says, by iteration.
    """

    work_dir: Path
    record: Optional[Path]
    last: Optional[Step]
    entries: Mapping[int, Entry]

    def finished(self, step: Step) -> bool:
        """Whether PWact had finished a step."""
        return self.last is not None and step <= self.last

    def steps(self) -> list[Step]:
        """The finished steps, in order."""
        if self.last is None:
            return []
        numbers = range(self.last.iteration + 1)
        steps = [Step(one, number) for one in numbers for number in range(len(MARKS))]
        return [step for step in steps if self.finished(step)]

    def leftovers(self) -> list[Path]:
        """What is there of steps that are not finished, and files that views would replace."""
        found = []
        for iteration, directory in sorted(_iterations(self.work_dir)):
            for number, mark in enumerate(MARKS):
                if not self.finished(Step(iteration, number)):
                    places = (directory / name for name in layout.step_names(mark))
                    found += [place for place in places if place.exists()]
            for step in steps.STEPS:  # those that lie beside what is finished
                if step.folder and not self.finished(Step(iteration, step.number)):
                    first, *rest = step.folder
                    above = (directory / first, directory / layout.old_step_name(first))
                    kept = (place.joinpath(*rest) for place in above if place not in found)
                    found += [place for place in kept if place.exists()]
        views = [self.work_dir / name for name in (layout.ITER_RESULT, layout.ITER_SELECT)]
        views += [self.record] if self.record is not None else []
        return found + [path for path in views if path.is_file() and not path.is_symlink()]

    def working_copies(self) -> list[Path]:
        """PWact's working copies; they are neither used up nor deleted."""
        places = (directory / layout.PWACT_WORK for _, directory in _iterations(self.work_dir))
        return sorted(place for place in places if place.is_dir())


def tree_in(work_dir: Path, record_file: str = layout.AL_RECORD) -> Optional[PwactTree]:
    """What PWact left in a work directory, None if it never worked there.

    Raises
    ------
    InputError
        There are two records that differ, or one that cannot be understood.
    """
    names = dict.fromkeys((record_file, layout.AL_RECORD, layout.OLD_RECORD))
    records = [work_dir / name for name in names if (work_dir / name).is_file()]
    read = {path: read_record(path) for path in records}
    if len(set(read.values())) > 1:
        told = ", ".join(
            f"{path.name}: {step.words if step else 'none'}" for path, step in read.items()
        )
        raise InputError(
            f"the records of finished steps differ ({told}); delete the wrong one", work_dir
        )
    last = read[records[0]] if records else None
    if last is None and not any(_has_steps(place) for _, place in _iterations(work_dir)):
        return None
    entries = {
        **read_summary(work_dir / layout.ITER_RESULT),
        **read_summary(work_dir / layout.ITER_SELECT),
    }
    return PwactTree(work_dir, records[0] if records else None, last, entries)


def _iterations(work_dir: Path) -> Iterator[tuple[int, Path]]:
    for place in work_dir.glob("iter.*"):
        number = place.name.partition(".")[2]
        if number.isdigit() and place.name == layout.iteration_name(int(number)):
            yield int(number), place


def _has_steps(iteration: Path) -> bool:
    steps_of_pwact = (name for mark in MARKS for name in layout.step_names(mark))
    names = (*steps_of_pwact, layout.PWACT_WORK)
    return any((iteration / name).exists() for name in names)


def demand_rest(work_dir: Path, resources: Resources) -> None:
    """Raise InputError when something that PWact started here may still run."""
    path = work_dir / layout.PID
    try:
        pid = master.read_pid(work_dir)
    except PwactError as error:
        raise InputError(f"{error}; if nothing of PWact runs any more, delete it") from error
    if pid is not None and pid.job is None and master.start_mark(pid.pid) is not None:
        raise InputError(
            f"PWact may still work here: its process {pid.pid} lives ({_command(pid.pid)}); end "
            "it, or delete this file if that process is another one",
            path,
        )
    blocks = (resources.train, resources.explore, resources.dft)
    uses_slurm = any(block is not None and block.scheduler == "slurm" for block in blocks)
    job = pid.job if pid is not None else None
    if not uses_slurm and job is None:
        return
    try:
        jobs = slurm_jobs_below(work_dir, job)
    except PwactError as error:
        raise InputError(
            f"SLURM does not say whether jobs of PWact still run here: {error}", work_dir
        ) from error
    if jobs:
        raise InputError(
            f"jobs of PWact are still in the queue: {' '.join(jobs)}; wait for them, or end them "
            f"with 'scancel {' '.join(jobs)}'",
            work_dir,
        )


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "its command is not known"
    return " ".join(word.decode("utf-8", "replace") for word in words if word)[:80]
