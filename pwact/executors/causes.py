"""Which lines of a job's logs explain how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pwact.io.files import log_tail

SET_UP_DONE = "set-up done"  # a script prints it when its own part begins
_SHOWN = 5
_LONGEST = 2000  # lines of a log that are searched
_OURS = re.compile(r"job: \S+ |start: \d|end: \d|.*: (waiting|not run), since another run")
_CAUSE = re.compile(
    r"command not found|: not found|[Nn]o such file or directory|[Pp]ermission denied"
    r"|error while loading shared libraries|cannot open shared object|unable to locate"
    r"|(Module|CommandNot)\w*Error|ImportError|cannot execute|Exec format error"
    r"|\b(Killed|Terminated|Aborted)\b|[Ss]egmentation fault|Illegal instruction|Bus error"
    r"|[Oo]ut of memory|\boom[-_ ]kill|CANCELLED|exceeded|DUE TO|[Nn]o space left|quota"
    r"|\bERROR\b|\bFATAL\b|^\w*[Ee]rror:|Lmod has detected"
)


@dataclass(frozen=True)
class JobOutput:
    """What a job script printed in its last run.

    Attributes
    ----------
    set_up
        Lines from `source_list`, `module_list` and `env_list`.
    set_up_done
        Whether the script came to its tasks.
    rest
        Lines of its tasks, and of the scheduler.
    """

    set_up: tuple[str, ...] = ()
    set_up_done: bool = True
    rest: tuple[str, ...] = ()


def read_output(path: Path, name: str) -> JobOutput:
    """Read what the job called `name` printed; other jobs may have written into the file."""
    lines = log_tail(path, _LONGEST).splitlines()
    begins = [number for number, line in enumerate(lines) if line.startswith(f"job: {name} ")]
    if not begins:
        return JobOutput(rest=tuple(_foreign(lines)))
    own = lines[begins[-1] + 1 :]
    if SET_UP_DONE not in own:
        return JobOutput(tuple(_foreign(own)), set_up_done=False)
    end = own.index(SET_UP_DONE)
    return JobOutput(tuple(_foreign(own[:end])), True, tuple(_foreign(own[end + 1 :])))


def _foreign(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.strip() and not _OURS.match(line)]


def causes(lines: Iterable[str]) -> list[str]:
    """The first lines that name a cause, each once."""
    found = dict.fromkeys(line.strip() for line in lines if _CAUSE.search(line))
    return list(found)[:_SHOWN]


def story(log: Path, output: Path, name: str) -> list[str]:
    """Say what the logs tell of the end of a task.

    Errors of the set-up and of the shell come first, since a program's own log shows only
    what followed from that.

    Parameters
    ----------
    log
        Of the task.
    output
        Of the job called `name` that ran it last.
    """
    said, lines = read_output(output, name), []
    if output.exists() and not said.set_up_done:
        lines.append(
            "the set-up (source_list, module_list, env_list) ended the script before its tasks"
        )
        return lines + _quoted(f"the end of {output}:", said.set_up[-15:])
    lines += _quoted(f"errors of the set-up, in {output}:", causes(said.set_up))
    lines += _quoted(f"errors of the script, in {output}:", causes(said.rest))
    tail = log_tail(log).splitlines()
    if not tail:
        return lines or _quoted(f"the end of {output}:", log_tail(output).splitlines())
    early = [line for line in causes(log_tail(log, _LONGEST).splitlines()) if line not in tail]
    lines += _quoted(f"further up in {log}:", early)
    return lines + _quoted(f"the end of {log}:", tail)


def _quoted(heading: str, lines: Iterable[str]) -> list[str]:
    shown = [f"    {line}" for line in lines]
    return [heading, *shown] if shown else []
