"""Job scripts as text. Nothing here touches the world."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError
from pwact.executors.base import JobSpec, Task
from pwact.executors.causes import SET_UP_DONE
from pwact.executors.dialect import Dialect
from pwact.executors.records import SET_UP
from pwact.layout import failed_tag, success_tag

_SHELL_WORDS = ("source", "export", "module", "conda")
LOCK_WAIT_S = 3600  # for another run that still works in a task's directory
SIGNAL_S = 0.3  # a scheduler ends the programs and the script, one process after the other


def quote(text: object) -> str:
    """Make one word of any text for bash. Everything that enters a script passes here."""
    return shlex.quote(str(text))


def tags(kind: str) -> tuple[str, str]:
    """Names of the files that a finished and a failed task of this kind leave."""
    return success_tag(kind), failed_tag(kind)


def lock_name(kind: str) -> str:
    """Name of the file by which one run at a time works in a task's directory."""
    return f"tag.{kind}.lock"


def header(name: str, block: ResourceBlock, dialect: Dialect) -> list[str]:
    """Return the first lines of a job script: the interpreter, and what is asked for.

    Raises
    ------
    InputError
        When a value holds a line break or another control character, or the scheduler has no
        word for what is asked for.
    """
    mark = dialect.directive
    lines = [
        _header_line(block, key, f"{mark} {flag}") for key, flag in dialect.options(name, block)
    ]
    for position, text in enumerate(block.custom_flags):
        flag = text.strip()
        if flag:
            given = flag.upper().find(mark)
            line = f"{mark} " + (flag if given < 0 else flag[given + len(mark) :].strip())
            lines.append(_header_line(block, f"custom_flags[{position}]", line))
    return ["#!/bin/bash", *lines]


def _header_line(block: ResourceBlock, key: str, line: str) -> str:
    if any(ord(char) < 32 or char in "\x7f\x85\u2028\u2029" for char in line):
        raise InputError(
            f"a line of the job header cannot hold a line break: {line!r}",
            file=block.file,
            key=f"{block.name}.{key}",
        )
    return line


def environment(block: ResourceBlock) -> list[str]:
    """Return the lines that set up the shell, in the order source, module, env."""
    sources = [_with_word(text, _SHELL_WORDS, "source") for text in block.source_list]
    modules = [_with_word(text, ("module",), "module load") for text in block.module_list]
    return [line for line in (*sources, *modules, *block.env_list) if line.strip()]


def _with_word(text: str, words: Sequence[str], default: str) -> str:
    first = text.split(maxsplit=1)[:1]
    return text if not first or first[0] in words else f"{default} {text.strip()}"


def render(spec: JobSpec, dialect: Dialect) -> str:
    """Return the script of a job for the scheduler that speaks `dialect`.

    It can be run by hand with bash. A task with a success tag is skipped. A run that comes to a
    directory in which another one still works waits for that: a scheduler may start a job again
    while the processes of its first run live on, out of its reach. At its end, and when a
    signal ends it, the script leaves its exit record: the job's name, the number of tasks without
    success tag, the seconds it took, and ``end`` or the signal's name, or ``set-up`` where a line
    of the resource block has ended the script.
    """
    lines = [*header(dialect.job_name(spec.name), spec.resources, dialect), ""]
    lines += dialect.opening(spec)
    lines += _prologue(spec, dialect)
    lines += ["", f"trap 'finish {SET_UP}; exit 1' EXIT", *environment(spec.resources)]
    lines += ["trap - EXIT", "set +eu  # whatever the lines above have set"]
    lines += [f"echo {quote(SET_UP_DONE)}", ""]
    functions: dict[tuple[str, str], str] = {}
    for task in spec.tasks:
        functions.setdefault((task.command, task.shell_check), f"run_{len(functions)}")
    for (command, check), function in functions.items():
        lines += _function(spec.kind, function, command, check)
    lines += _waves(spec, functions)
    lines += ["count", f"[ $missing -eq 0 ] || sleep {SIGNAL_S}  # the end of the job, too?"]
    lines += ["finish end", "exit $((missing > 0))"]
    return "\n".join(lines) + "\n"


_PROLOGUE = """\
count() {
    missing=0
    for task in "${pwact_tasks[@]}"; do
        [ -f "$task/@OK@" ] || missing=$((missing + 1))
    done
}
finish() {  # $1: "end", "set-up" if that ended the script, or the signal that ends the job
    count
    echo "$pwact_job $missing $((SECONDS - pwact_start)) $1" > "$pwact_record.tmp" &&
        mv -f "$pwact_record.tmp" "$pwact_record"
    rm -f "$pwact_record.waits"
    printf 'end: %(%F %T)T, ' -1
    echo "$missing of ${#pwact_tasks[@]} tasks missing"
}
descendants() {
    for child in $(pgrep -P "$1"); do
        echo "$child"
        descendants "$child"
    done
}
stop() {
    trap '' "$1"
    trap - EXIT
    kill -TERM $(descendants $$) 2>/dev/null  # parents first, or they would go on
    finish "$1"
    exit 1
}
holders() {  # $1: own process; those of this host that hold the lock of this directory
    local fd pid seen=" $1 $BASHPID "
    for fd in /proc/[0-9]*/fd/*; do
        [ "$fd" -ef @LOCK@ ] || continue
        pid=${fd#/proc/}
        pid=${pid%%/*}
        case "$seen" in *" $pid "*) continue ;; esac
        seen="$seen$pid "
        printf ', process %s (%s)' "$pid" "$(tr '\\0' ' ' < "/proc/$pid/cmdline" | cut -c -80)"
    done 2> /dev/null
}
claim() {  # one run at a time in a directory; the programs hold the lock together with the script
    command -v flock > /dev/null && { exec 200>> @LOCK@; } 2> /dev/null || return 0
    flock -n 200 2> /dev/null
    if [ $? -eq 1 ]; then
        local held
        held="another run still works here: $(cat @LOCK@)$(holders $BASHPID)"
        echo "$PWD: waiting, since $held"
        printf '%s\n%s\n' "$pwact_job" "$PWD: $held" > "$pwact_record.waits.tmp" &&
            mv -f "$pwact_record.waits.tmp" "$pwact_record.waits"
        flock -w @WAIT@ 200
        set -- $?
        rm -f "$pwact_record.waits"
        if [ "$1" -eq 1 ]; then
            echo "$PWD: not run, since another run still works here: $(cat @LOCK@)"
            return 1
        fi
    fi
    echo "$pwact_job on $HOSTNAME, process $BASHPID" > @LOCK@
}
share() {  # $1: place of a task among the $pwact_slots that run side by side
    export PWACT_SLOT=$1 PWACT_SLOTS=$pwact_slots
    [ "$pwact_slots" -gt 1 ] || return 0
    local name devices first last gpus=0
    local names="CUDA_VISIBLE_DEVICES GPU_DEVICE_ORDINAL ZE_AFFINITY_MASK \
        ROCR_VISIBLE_DEVICES HIP_VISIBLE_DEVICES"
    if [ -e /dev/kfd ] && [ -n "${ROCR_VISIBLE_DEVICES-}" ]; then  # the others count among these
        names=ROCR_VISIBLE_DEVICES
        unset CUDA_VISIBLE_DEVICES GPU_DEVICE_ORDINAL HIP_VISIBLE_DEVICES
    fi
    for name in $names; do
        IFS=, read -ra devices <<< "${!name-}"
        [ ${#devices[@]} -gt 0 ] || continue
        first=$(($1 * ${#devices[@]} / pwact_slots))
        last=$((($1 + 1) * ${#devices[@]} / pwact_slots))
        gpus=$((last - first))
        [ "$gpus" -gt 0 ] || last=$((first + 1))
        export "$name=$(IFS=,; echo "${devices[*]:first:last-first}")"
    done
@SIDE_BY_SIDE@}
for pwact_signal in HUP INT QUIT TERM USR1 USR2 XCPU; do
    trap "stop $pwact_signal" "$pwact_signal"
done
echo "job: $pwact_job ${@JOB_ID@-}, directory: $PWD"
printf 'start: %(%F %T)T, ' -1
echo "nodes: @NODES@\""""


def slots(block: ResourceBlock) -> int:
    """Into how many equal shares a job of this block is cut: as many as it has tasks side by side.

    A job with fewer tasks (the last of a step, a task that runs again) has as many, so that each
    task of a block gets what its command was written for.
    """
    return 1 if block.group_size == 1 else block.parallel_num


def _prologue(spec: JobSpec, dialect: Dialect) -> list[str]:
    return [
        f"pwact_job={quote(spec.name)}",
        f"pwact_record={quote(spec.record)}",
        "pwact_start=$SECONDS",
        f"pwact_slots={slots(spec.resources)}",
        "pwact_tasks=(",
        *(f"    {quote(task.directory)}" for task in spec.tasks),
        ")",
        *_PROLOGUE.replace("@OK@", tags(spec.kind)[0])
        .replace("@LOCK@", lock_name(spec.kind))
        .replace("@WAIT@", str(LOCK_WAIT_S))
        .replace("@JOB_ID@", dialect.job_id)
        .replace("@NODES@", dialect.nodes)
        .replace("@SIDE_BY_SIDE@", dialect.side_by_side)
        .splitlines(),
    ]


def _function(kind: str, function: str, command: str, check: str) -> Iterable[str]:
    done, failed = tags(kind)
    return (
        f"{function}() {{  # $1: directory of the task, $2: its place among those beside it",
        '    cd "$1" && claim || return 1',
        f"    [ -f {done} ] && return 0",
        f"    [ ! -e {failed} ] || rm -f {failed}",
        '    share "$2"',
        "    (",
        command,
        "    )",
        "    rc=$?",
        "    if",
        check,
        f"    then : > {done}",
        f"    else : > {failed}",
        "    fi",
        "    flock -u 200 2> /dev/null  # what the program has left running holds it no longer",
        "}",
        "",
    )


def _waves(spec: JobSpec, functions: dict[tuple[str, str], str]) -> list[str]:
    """Start `parallel_num` tasks at a time and wait for them."""

    def call(task: Task, place: int) -> str:
        return f"{functions[task.command, task.shell_check]} {quote(task.directory)} {place} &"

    lines = []
    width = slots(spec.resources)
    for start in range(0, len(spec.tasks), width):
        wave = spec.tasks[start : start + width]
        lines += [call(task, place) for place, task in enumerate(wave)]
        lines.append("wait")
    return lines
