from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError
from pwact.executors.base import JobSpec, Task
from pwact.executors.causes import SET_UP_DONE
from pwact.executors.local import LocalExecutor
from pwact.executors.processes import read_process
from pwact.executors.records import RecordWatch, read_record
from pwact.executors.script import environment, header, render, tags
from pwact.executors.slurm import SlurmExecutor
from pwact.executors.slurm_text import DIALECT
from pwact.verdict import DONE

BLOCK = ResourceBlock(name="DFT", command="x", queue_name="cpu")
NAMES = ["a 0", "a'; echo x", "$HOME", "line\nbreak", "öß 原子", '"quoted" `id` \\', "-n", "*?[a]"]


def spec_of(directory: Path, tasks, kind="scf", block=BLOCK) -> JobSpec:
    return JobSpec(f"{kind}3-0123456789ab", kind, 3, directory, tuple(tasks), block)


def task_in(directory: Path, command: str, **more) -> Task:
    directory.mkdir(parents=True, exist_ok=True)
    return Task(directory, command, lambda path: DONE, "log", **more)


def run(spec: JobSpec) -> subprocess.CompletedProcess:
    spec.script.write_text(render(spec, DIALECT), encoding="utf-8", errors="surrogateescape")
    return subprocess.run(
        ["bash", spec.script], capture_output=True, text=True, timeout=60, check=False
    )


WHOLE = {  # scripts as they have always been, to the byte
    "one": ("scf", 1, "", {}),
    "group": (
        "train",
        3,
        "tail -n 1 REPORT | grep -q time",
        {
            "number_node": 2,
            "cpu_per_node": 8,
            "gpu_per_node": 4,
            "queue_name": "a, b ,c",
            "group_size": 4,
            "parallel_num": 2,
            "custom_flags": ("--mem=1G", "#SBATCH -t 10", " #sbatch -A me "),
            "source_list": ("/opt/vasp/env.sh", "export A=1"),
            "module_list": ("intel/2020",),
            "env_list": ("ulimit -s unlimited",),
        },
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_slurm_scripts_stay_as_they_are(name):
    kind, number, shell_check, changes = WHOLE[name]
    place = Path("/scratch/it's here/iter.0000")
    more = {"shell_check": shell_check} if shell_check else {}
    tasks = [
        Task(place / f"{kind}.{index}", "vasp_std > dft.log", lambda path: DONE, "dft.log", **more)
        for index in range(number)
    ]
    text = render(spec_of(place, tasks, kind, replace(BLOCK, **changes)), DIALECT)
    assert text == (Path(__file__).parent / f"golden/slurm-{name}.job").read_text()
    assert LocalExecutor.dialect is SlurmExecutor.dialect is DIALECT


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["--nodes=1", "--ntasks-per-node=1", "--partition=cpu"]),
        (
            {"number_node": 2, "cpu_per_node": 8, "gpu_per_node": 4, "queue_name": "a, b ,c"},
            ["--nodes=2", "--ntasks-per-node=8", "--gres=gpu:4", "--partition=a,b,c"],
        ),
        ({"queue_name": ""}, ["--nodes=1", "--ntasks-per-node=1"]),
        (
            {"custom_flags": ("--mem=1G", "#SBATCH -t 10", " #sbatch -A me ", " ")},
            ["--nodes=1", "--ntasks-per-node=1", "--partition=cpu", "--mem=1G", "-t 10", "-A me"],
        ),
    ],
)
def test_header(changes, expected):
    lines = header("scf0-ab", replace(BLOCK, **changes), DIALECT)
    assert lines == ["#!/bin/bash", "#SBATCH --job-name=scf0-ab"] + [
        f"#SBATCH {x}" for x in expected
    ]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"custom_flags": ("-t 10", "--mem=1G\nrm -rf /")}, "DFT.custom_flags[1]"),
        ({"custom_flags": ("--comment=a\rb",)}, "DFT.custom_flags[0]"),
        ({"custom_flags": ("--comment=a\u2028b",)}, "DFT.custom_flags[0]"),
        ({"queue_name": "a\x00b"}, "DFT.queue_name"),
    ],
)
def test_no_line_break_enters_the_header(changes, key):
    with pytest.raises(InputError) as error:
        header("scf0-ab", replace(BLOCK, **changes), DIALECT)
    assert error.value.key == key


def test_environment_lines_in_their_order():
    block = replace(
        BLOCK,
        env_list=("export A=1", ""),
        module_list=("intel/2020", "module purge"),
        source_list=("/opt/a b.sh", "source x", "conda activate y", "export B=2", "module load z"),
    )
    assert environment(block) == [
        "source /opt/a b.sh",
        "source x",
        "conda activate y",
        "export B=2",
        "module load z",
        "module load intel/2020",
        "module purge",
        "export A=1",
    ]


@pytest.mark.parametrize(
    ("kind", "failed"),
    [
        ("md", "error"),
        ("direct", "error"),
        ("scf", "failed"),
        ("train", "failed"),
        ("kpu", "failed"),
    ],
)
def test_tags_and_record_tell_how_tasks_ended(tmp_path, kind, failed):
    assert tags(kind) == (f"tag.{kind}.success", f"tag.{kind}.{failed}")
    good = task_in(tmp_path / "good", "echo $A > out")
    bad = task_in(tmp_path / "bad", "echo no > log; exit 7")
    checked = task_in(tmp_path / "checked", "false", shell_check='[ "$rc" -eq 1 ] # ha')
    multiline = task_in(tmp_path / "multi", "if true\nthen echo x\nfi # comment")
    block = replace(BLOCK, env_list=("set -eu", "export A=42"), group_size=-1)
    spec = spec_of(tmp_path, [good, bad, checked, multiline], kind, block)
    done = run(spec)
    assert done.returncode == 1
    assert (good.directory / "out").read_text() == "42\n"
    assert (bad.directory / f"tag.{kind}.{failed}").exists()
    for task in (good, checked, multiline):
        assert (task.directory / f"tag.{kind}.success").exists()
        assert not (task.directory / f"tag.{kind}.{failed}").exists()
    record = read_record(spec.record)
    assert (record.name, record.missing, record.how) == (spec.name, 1, "end")


@pytest.mark.parametrize("name", NAMES)
def test_any_directory_name(tmp_path, name):
    base = tmp_path / name
    tasks = [task_in(base / name, "pwd > out"), task_in(base / "b", "pwd > out")]
    spec = spec_of(base, tasks)
    done = run(spec)
    assert done.returncode == 0, done.stderr
    assert (base / name / "out").read_text() == f"{base / name}\n"
    assert (base / name / "tag.scf.success").exists()
    assert read_record(spec.record).missing == 0
    assert not [line for line in done.stdout.splitlines() if line == "x"]


def test_a_finished_task_is_skipped_and_an_old_failure_forgotten(tmp_path):
    skipped = task_in(tmp_path / "skipped", "echo again > out")
    (skipped.directory / "tag.scf.success").touch()
    retried = task_in(tmp_path / "retried", "[ ! -e tag.scf.failed ] && echo done > out")
    (retried.directory / "tag.scf.failed").touch()
    assert run(spec_of(tmp_path, [skipped, retried])).returncode == 0
    assert not (skipped.directory / "out").exists()
    assert (retried.directory / "out").exists()


def test_waves_keep_to_parallel_num(tmp_path):
    command = "mkdir ../on.$BASHPID; ls -d ../on.* | wc -l > out; touch here; "
    command += (
        "until [ -e ../{partner}/here ]; do sleep 0.02; done; sleep 0.05; rmdir ../on.$BASHPID"
    )
    partners = {"t0": "t1", "t1": "t0", "t2": "t3", "t3": "t2", "t4": "t4"}  # of one wave
    tasks = [
        task_in(tmp_path / name, command.replace("{partner}", partner))
        for name, partner in partners.items()
    ]
    spec = spec_of(tmp_path, tasks, block=replace(BLOCK, group_size=-1, parallel_num=2))
    assert run(spec).returncode == 0
    counts = [int((task.directory / "out").read_text()) for task in tasks]
    assert max(counts) == 2
    text = render(spec, DIALECT)
    assert text.count("\nwait\n") == 3


SEES = (
    'echo "$PWACT_SLOT $PWACT_SLOTS ${CUDA_VISIBLE_DEVICES-unset} '
    '${HIP_VISIBLE_DEVICES-unset}" > out'
)


@pytest.mark.parametrize(
    ("side_by_side", "devices", "seen"),
    [
        (4, "0,1,2,3", ["0", "1", "2", "3"]),
        (4, "4,5,6,7", ["4", "5"]),  # fewer tasks, as many shares
        (4, "4,5,6,7", ["4"]),
        (2, "4,5,6,7", ["4,5", "6,7"]),
        (2, "4,5,6,7", ["4,5"]),
        (4, "1,3", ["1", "1", "3", "3"]),
        (3, "GPU-a,GPU-b,MIG-c/1,GPU-d", ["GPU-a", "GPU-b", "MIG-c/1,GPU-d"]),
        (1, "0,1", ["0,1"]),
        (2, None, ["unset", "unset"]),
        (2, "", ["", ""]),
    ],
)
def test_tasks_side_by_side_share_the_gpus(tmp_path, monkeypatch, side_by_side, devices, seen):
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
        if devices is not None:
            monkeypatch.setenv(name, devices)
    made = [task_in(tmp_path / f"t {index}", SEES) for index in range(len(seen))]
    run(spec_of(tmp_path, made, block=replace(BLOCK, group_size=8, parallel_num=side_by_side)))
    found = [(task.directory / "out").read_text().strip("\n") for task in made]
    assert found == [f"{place} {side_by_side} {words} {words}" for place, words in enumerate(seen)]


def test_a_task_that_has_its_job_for_itself_has_all_of_it(tmp_path, monkeypatch):
    """With `group_size` 1 no task runs beside another, whatever `parallel_num` is."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    made = [task_in(tmp_path / "t", SEES)]
    run(spec_of(tmp_path, made, block=replace(BLOCK, group_size=1, parallel_num=4)))
    assert (tmp_path / "t" / "out").read_text().startswith("0 1 0,1,2,3 ")


def test_the_second_wave_takes_the_places_of_the_first(tmp_path):
    made = [task_in(tmp_path / f"t{index}", SEES) for index in range(5)]
    run(spec_of(tmp_path, made, block=replace(BLOCK, group_size=-1, parallel_num=2)))
    places = [(task.directory / "out").read_text().split()[0] for task in made]
    assert places == ["0", "1", "0", "1", "0"]


SHARE = "1 gpu:2 450\n"


def test_steps_of_slurm_side_by_side_get_their_share(tmp_path, monkeypatch):
    for name, value in {"JOB_ID": "7", "MEM_PER_NODE": "900"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    sees = 'echo "${SLURM_EXACT-} ${SLURM_GRES-} $SLURM_MEM_PER_NODE" > out'
    for side_by_side, tasks, seen in ((1, 1, "  900\n"), (2, 1, SHARE), (2, 2, SHARE)):
        names = [f"{side_by_side}.{tasks}.{index}" for index in range(tasks)]
        made = [task_in(tmp_path / name, sees) for name in names]
        run(spec_of(tmp_path, made, block=replace(BLOCK, group_size=-1, parallel_num=side_by_side)))
        assert [(task.directory / "out").read_text() for task in made] == [seen] * tasks


@pytest.mark.parametrize("line", ["exit 0", "exit 3", "set -e; false", "exec 2>&1; exit"])
def test_a_set_up_that_ends_the_script_is_on_record(tmp_path, line):
    made = [task_in(tmp_path / "t", "touch out")]
    spec = spec_of(tmp_path, made, block=replace(BLOCK, env_list=("echo before", line)))
    done = run(spec)
    record = read_record(spec.record)
    assert (done.returncode, record.how, record.missing) == (1, "set-up", 1)
    assert not record.complete
    assert "before\n" in done.stdout
    assert SET_UP_DONE not in done.stdout
    assert not (tmp_path / "t" / "out").exists()


def test_what_a_program_leaves_running_does_not_hold_its_directory(tmp_path):
    """A daemon that left the job's session and environment lives on with what it has open."""
    made = [task_in(tmp_path / "t", "env -i setsid sleep 60 > /dev/null 2>&1 & echo $! > pid")]
    spec, pids = spec_of(tmp_path, made), []
    for _ in range(2):
        done = run(spec)
        assert (done.returncode, "another run" in done.stdout) == (0, False)
        pids.append(int((tmp_path / "t" / "pid").read_text()))
        assert read_process(pids[-1])
        (tmp_path / "t" / "tag.scf.success").unlink()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_who_works_in_a_directory_is_named_while_a_script_waits(tmp_path):
    made = [task_in(tmp_path / "t", "touch out")]
    spec = spec_of(tmp_path, made)
    spec.script.write_text(render(spec, DIALECT))
    watch = RecordWatch(tmp_path)
    with (tmp_path / "t" / "tag.scf.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("scf3-000000000000 on c7, process 12\n")
        lock.flush()
        waiting = subprocess.Popen(["bash", spec.script], stdout=subprocess.PIPE, text=True)
        while not watch.waits({spec.record.name}):
            assert waiting.poll() is None
            time.sleep(0.02)
        (words,) = watch.waits({spec.record.name}).values()
    said = waiting.communicate(timeout=60)[0]
    assert list(watch.waits({spec.record.name})) == []
    assert f"{tmp_path}/t: another run still works here: scf3-000000000000 on c7" in words
    assert f"process {os.getpid()} (" in words
    assert words in said.replace("waiting, since ", "")
    assert (tmp_path / "t" / "out").exists()


def test_a_missing_directory_fails_its_task_only(tmp_path):
    there = task_in(tmp_path / "there", "touch out")
    gone = replace(there, directory=tmp_path / "gone")
    spec = spec_of(tmp_path, [gone, there])
    assert run(spec).returncode == 1
    assert (there.directory / "out").exists()
    assert read_record(spec.record).missing == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_leaves_a_record_and_no_program(tmp_path, number):
    done = task_in(tmp_path / "done", "touch out")
    slow = task_in(tmp_path / "slow", "echo $BASHPID > pid; sleep 100; touch out")
    spec = spec_of(tmp_path, [done, slow])
    spec.script.write_text(render(spec, DIALECT))
    process = subprocess.Popen(
        # a test run in the background has SIGINT ignored, which bash could not undo
        ["env", "--default-signal=INT", "bash", spec.script],
        stdout=subprocess.DEVNULL,
    )
    end = time.monotonic() + 60
    while not (slow.directory / "pid").exists() and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(60) == 1
    record = read_record(spec.record)
    assert (record.name, record.missing, record.how) == (spec.name, 1, number.name[3:])
    assert not record.complete
    pid = int((slow.directory / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text()
    assert not (slow.directory / "out").exists()


def test_a_signal_that_ended_the_program_first_is_seen(tmp_path, monkeypatch):
    """A scheduler ends a job's processes one by one: the script must not take it for a failure."""
    monkeypatch.setattr("pwact.executors.script.SIGNAL_S", 2)  # on a busy machine as well
    command = "{ sleep 0.1; kill -TERM $$; } & kill -TERM $BASHPID"
    spec = spec_of(tmp_path, [task_in(tmp_path / "task", command)])
    assert run(spec).returncode == 1
    record = read_record(spec.record)
    assert (record.missing, record.how) == (1, "TERM")


@pytest.mark.parametrize("text", ["", "a b", "name x 3 end", "name 1 2 end more", "\xff"])
def test_an_unreadable_record_is_none(tmp_path, text):
    path = tmp_path / "3-scf.exit"
    path.write_text(text, encoding="latin-1")
    assert read_record(path) is None
    assert RecordWatch(tmp_path).fresh({path.name}) == {}


def test_a_record_is_seen_once_and_again_when_rewritten(tmp_path):
    watch = RecordWatch(tmp_path)
    path = tmp_path / "3-scf.exit"
    path.write_text("scf3-a 0 5 end\n")
    (tmp_path / "3-md.exit").write_text("md3-a 0 5 end\n")
    assert [record.seconds for record in watch.fresh({path.name}).values()] == [5]
    assert watch.fresh({path.name}) == {}
    aside = tmp_path / "aside"
    aside.write_text("scf3-b 1 5 TERM\n")
    aside.replace(path)
    assert list(watch.fresh({path.name})) == ["scf3-b"]
