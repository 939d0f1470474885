"""Stand-ins for the commands of PBS, Torque and LSF: strict about words, and they run the jobs.

Their first word is ``qsub``, ``qstat``, ``qselect``, ``qdel``, ``bsub``, ``bjobs``, ``bkill`` or
``bhist``. They understand what our executors say and nothing else, and they refuse what the
programs themselves refuse. The texts follow the public manuals of OpenPBS, Torque and LSF.

State: ``$QUEUE_STAND_IN/N/`` for job N, with its name, script and exit status; ``flavour`` names
the scheduler; a file ``down`` takes the server down, ``forget`` lets the queue forget ended jobs,
and ``held`` keeps jobs waiting, for the reason that it holds.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

PLACE = Path(os.environ["QUEUE_STAND_IN"])
FLAVOUR = (PLACE / "flavour").read_text()
DIRECTIVE = {"lsf": "#BSUB "}.get(FLAVOUR, "#PBS ")
USER = "root"
ALLOWED = {  # option → what its value must be
    "pbs": {
        "-N": r"[A-Za-z][\w+.-]{0,14}",
        "-S": r"/bin/bash",
        "-V": "",
        "-j": "oe",
        "-o": r"/dev/null",
        "-q": r"cpu",
        "-l": r"select=\d+:ncpus=\d+:mpiprocs=\d+(:ngpus=\d)?|walltime=[\d:]+",
    },
    "torque": {
        "-N": r"[A-Za-z][\w+.-]{0,14}",
        "-S": r"/bin/bash",
        "-V": "",
        "-j": "oe",
        "-o": r"/dev/null",
        "-q": r"cpu",
        "-l": r"nodes=\d+:ppn=\d+(:gpus=\d)?|walltime=[\d:]+",
    },
    "lsf": {
        "-J": r"[A-Za-z][\w.-]{0,4093}",
        "-o": r"/dev/null",
        "-q": r"cpu( gpu)?",
        "-n": r"\d+",
        "-R": r"span\[ptile=\d+\]",
        "-gpu": r"num=\d",
        "-W": r"[\d:]+",
    },
}[FLAVOUR]
REFUSED = {
    "-q": ("qsub: Unknown queue\n", "nope: No such queue. Job not submitted.\n"),
    "-N": ("qsub: illegal -N value\n", ""),
}


def stop(status: int, error: str = "", out: str = "") -> NoReturn:
    sys.stdout.write(out)
    sys.stderr.write(error)
    sys.exit(status)


def parsed(words: list[str]) -> dict[str, str]:
    """Options and values, each of them allowed; the rest under ""."""
    found = {}
    words = list(words)
    while words:
        word = words.pop(0)
        if word not in ALLOWED:
            if word.startswith("-"):
                stop(2, f"{sys.argv[1]}: illegal option {word}\n")
            found[""] = word
            continue
        value = words.pop(0) if ALLOWED[word] else ""
        if not re.fullmatch(ALLOWED[word], value):
            pbs, lsf = REFUSED.get(
                word, (f"qsub: illegal {word} value\n", f"Bad {word}: {value}\n")
            )
            stop(2 if FLAVOUR != "lsf" else 255, lsf if FLAVOUR == "lsf" else pbs)
        found[word] = value
    return found


def submitted(words: list[str], script: str) -> tuple[str, Path]:
    """Take a job into the queue, and begin it."""
    header = []
    for line in script.splitlines()[1:]:
        if not line.startswith("#"):
            break
        if line.startswith(DIRECTIVE):
            header += shlex.split(line[len(DIRECTIVE) :])
    asked = {**parsed(header), **parsed(words)}
    job_id = str(sum(one.name.isdigit() for one in PLACE.iterdir()) + 1)
    place = PLACE / job_id
    place.mkdir()
    (place / "name").write_text(asked.get("-N") or asked["-J"])
    (place / "script").write_text(script, errors="surrogateescape")
    if not (PLACE / "held").exists():
        begin(place, job_id)
    return job_id, place


def begin(place: Path, job_id: str) -> None:
    variable = {"lsf": "LSB_JOBID"}.get(FLAVOUR, "PBS_JOBID")
    line = '(cd /; exec /bin/bash "$OLDPWD/script"); echo $? > rc.tmp; mv rc.tmp rc'
    child = subprocess.Popen(
        ["/bin/bash", "-c", line],
        cwd=place,
        env={**os.environ, variable: job_id},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (place / "pid").write_text(str(child.pid))


def status(place: Path) -> str:
    """Waiting, running, or the exit status."""
    if (place / "rc").exists():
        return (place / "rc").read_text().strip()
    if (PLACE / "held").exists() and not (place / "pid").exists():
        return "waiting"
    if not (place / "pid").exists():
        begin(place, place.name)
    return "running"


def end(place: Path, rc: int) -> None:
    if (place / "rc").exists():
        return
    if (place / "pid").exists():
        os.killpg(int((place / "pid").read_text()), signal.SIGKILL)
    (place / "rc").write_text(str(rc))


def jobs() -> Iterator[Path]:
    return (place for place in sorted(PLACE.iterdir()) if place.name.isdigit())


def forgotten(place: Path) -> bool:
    return (PLACE / "forget").exists() and (place / "rc").exists()


# ---- PBS


def qsub(words: list[str]) -> None:
    script = Path(words[-1]).read_text(errors="surrogateescape")
    job_id, _ = submitted(words, script)
    stop(0, out=f"{job_id}.pbs01\n")


def qselect(words: list[str]) -> None:
    if FLAVOUR == "torque" and "-x" in words:
        stop(2, "qselect: invalid option -- 'x'\n")
    words = [word for word in words if word != "-x"]
    assert words[0::2] == ["-u", "-N"], words
    assert words[1] == USER
    found = [one.name for one in jobs() if (one / "name").read_text() == words[3]]
    stop(0, out="".join(f"{one}.pbs01\n" for one in found if not forgotten(PLACE / one)))


def qstat(words: list[str]) -> None:
    expected = ["-f"] if FLAVOUR == "torque" else ["-x", "-f"]
    assert words[: len(expected)] == expected, words
    out, error = "", ""
    for word in words[len(expected) :]:
        place = PLACE / word.partition(".")[0]
        if not place.exists() or forgotten(place):
            error += f"qstat: Unknown Job Id {word}\n"
        else:
            out += described(word, place)
    stop(153 if error else 0, error, out)


def described(job_id: str, place: Path) -> str:
    now = status(place)
    ended = "C" if FLAVOUR == "torque" else "F"
    letter = {"waiting": "Q", "running": "R"}.get(now, ended)
    fields = {
        "Job_Name": (place / "name").read_text(),
        "Job_Owner": f"{USER}@login01",
        "job_state": letter,
        "queue": "cpu",
        "server": "pbs01",
        "Variable_List": "PBS_O_HOME=/root,PBS_O_PATH="
        + "/usr/local/bin:" * 9
        + ",PBS_O_QUEUE=cpu",
    }
    if letter == "Q":
        fields["comment"] = (PLACE / "held").read_text()
    if letter == ended:
        fields["Exit_status"] = now
    text = f"Job Id: {job_id}\n"
    for key, value in fields.items():
        line = f"    {key} = {value}"
        text += line[:78] + "".join(f"\n\t{line[at : at + 70]}" for at in range(78, len(line), 70))
        text += "\n"
    return text + "\n"


def qdel(words: list[str]) -> None:
    for word in words:
        end(PLACE / word.partition(".")[0], 256 + 15)


# ---- LSF


def bsub(words: list[str]) -> None:
    job_id, _ = submitted(words, sys.stdin.buffer.read().decode(errors="surrogateescape"))
    stop(0, out=f"Job <{job_id}> is submitted to queue <cpu>.\n")


def bjobs(words: list[str]) -> None:
    assert words[:3] == ["-a", "-noheader", "-o"], words
    assert words[3].split()[:2] == ["jobid", "stat"], words
    assert words[3].endswith("job_name delimiter='|'"), words
    rest = words[4:]
    if rest[:2] == ["-u", USER]:
        assert rest[2] == "-J"
        found = [one for one in jobs() if (one / "name").read_text() == rest[3]]
        found = [one for one in found if not forgotten(one)]
        if not found:
            stop(255, f"Job <{rest[3]}> is not found\n")
        stop(0, out="".join(map(line_of, found)))
    known = [PLACE / word for word in rest if (PLACE / word).exists()]
    known = [one for one in known if not forgotten(one)]
    error = "".join(f"Job <{word}> is not found\n" for word in rest if PLACE / word not in known)
    stop(255 if error else 0, error, "".join(map(line_of, known)))


def line_of(place: Path) -> str:
    now = status(place)
    reason = (PLACE / "held").read_text() if now == "waiting" else "-"
    word = {"waiting": "PEND", "running": "RUN", "0": "DONE"}.get(now, "EXIT")
    code = now if word == "EXIT" else "-"
    why = "TERM_OWNER: job killed by owner" if code == "130" else "-"
    return f"{place.name}|{word}|{code}|{why}|{reason}|{(place / 'name').read_text()}\n"


def bkill(words: list[str]) -> None:
    for word in words:
        end(PLACE / word, 130)
        print(f"Job <{word}> is being terminated")


def bhist(words: list[str]) -> None:
    assert "-l" in words
    assert words[words.index("-n") + 1] == "0"
    if "-J" in words:
        name = words[words.index("-J") + 1]
        found = [one for one in jobs() if (one / "name").read_text() == name]
    else:
        found = [PLACE / word for word in words[words.index("-n") + 2 :]]
    found = [one for one in found if (one / "rc").exists()]
    if not found:
        stop(255, "No matching job found\n")
    print(("-" * 78 + "\n").join(map(story_of, found)))


def story_of(place: Path) -> str:
    rc = (place / "rc").read_text().strip()
    how = "Done successfully" if rc == "0" else f"Exited with exit code {rc}"
    name, pad = (place / "name").read_text(), "\n" + " " * 21
    head = f"Job <{place.name}>, Job Name <{name}>, User <{USER}>, Project <default>, Command <x>"
    head = pad.join(head[at : at + 60] for at in range(0, len(head), 60))
    text = f"\n{head}\nMon Nov 23 10:16:26: Submitted from host <login01>;\n"
    return text + f"Mon Nov 23 10:17:33: {how}. The CPU time used is 0.1 second{pad}s;\n"


def main() -> None:
    if (PLACE / "down").exists():
        pbs = "Connection refused\nqsub: cannot connect to server pbs01 (errno=111)\n"
        stop(255, "LSF is down. Please wait ...\n" if FLAVOUR == "lsf" else pbs)
    commands = ("qsub", "qselect", "qstat", "qdel", "bsub", "bjobs", "bkill", "bhist")
    name = sys.argv[1]
    assert name in commands
    globals()[name](sys.argv[2:])


if __name__ == "__main__":
    main()
