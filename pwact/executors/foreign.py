"""Jobs that another program has submitted to SLURM."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

from pwact.errors import PwactError
from pwact.executors.slurm import call
from pwact.executors.slurm_text import Row, state_of

_FORMAT = "%i|%T|%Z|%o"  # id, state, working directory, script with its arguments


def slurm_job_ended(job_id: str) -> bool:
    """Whether SLURM knows that a job does not run any more; False where nobody can say."""
    if not re.fullmatch(r"\d+(_\d+)?", job_id):
        return False
    try:
        answer = call(["squeue", "--noheader", f"--jobs={job_id}", "--states=all", "--format=%T"])
    except PwactError:
        return False
    if answer.status:
        return "invalid job id" in answer.err.lower()
    words = answer.out.split()
    return all(not state_of(Row(job_id, word, "")).alive for word in words)


def slurm_jobs_below(directory: Path, also: Optional[str] = None) -> list[str]:
    """Ids of this user's pending or running jobs that work in `directory` or below it.

    Parameters
    ----------
    also
        Id of a job that is listed wherever it works.

    Raises
    ------
    PwactError
        When SLURM gives no answer.
    """
    words = ["squeue", "--noheader", "--array", f"--user={os.getuid()}", f"--format={_FORMAT}"]
    answer = call(words)
    if answer.status:
        story = (answer.err or answer.out).strip().splitlines()
        raise PwactError(f"squeue: {story[0] if story else f'exit status {answer.status}'}")
    places = {str(directory), str(directory.resolve())}
    found = []
    for line in answer.out.splitlines():
        number, _, rest = line.strip().partition("|")
        _, _, rest = rest.partition("|")
        work_dir, _, script = rest.partition("|")
        inside = any(
            path == place or path.startswith(f"{place}/")
            for place in places
            for path in (work_dir, script)
        )
        if inside or (also is not None and number.partition("_")[0] == also):
            found.append(number)
    return found
