"""How a campaign stands: while it works, after it died, when it is done, and when it is PWact's."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.errors import PwactError, QuorumError, UsageError
from pwact.io.journal import Journal
from pwact.report.status import Status, StepFacts, status_text
from pwact.tools.status.status import status_of
from pwact.workflow import master
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.pwact_trees import VARIANTS, leave
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

EPOCH = 1000.0
HOST = socket.gethostname()
DEAD = {"host": HOST, "pid": 2**22 + 1, "mark": "no such boot 1", "job": None, "job_name": None}


class Diary:
    """A journal written by hand; each line at a time of its own, in seconds."""

    def __init__(self, work_dir: Path, command: str = "run", who: Any = None) -> None:
        self.work_dir = work_dir
        self.path = work_dir / layout.STATE_DIR / layout.JOURNAL
        self.path.parent.mkdir(parents=True)
        self.write("campaign_started", 0, command=command, campaign="x", seed=1)
        self.start(0, command, who)

    def write(self, event: str, at: float, **fields: Any) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"event": event, "time": EPOCH + at, **fields}) + "\n")

    def start(self, at: float, command: str = "run", who: Any = None) -> None:
        who = master.myself() if who is None else who
        self.write("master_started", at, command=command, **who)
        holder = {"host": who["host"], "pid": who["pid"]}
        self.path.with_name(layout.LOCK).write_text(json.dumps(holder))

    def end(self, at: float, how: str = "finished", why: str = "", **fields: Any) -> None:
        self.write("master_ended", at, command="run", how=how, why=why, **fields)
        self.path.with_name(layout.LOCK).write_text("")

    def begin(self, name: str, at: float, tasks: int = 0, **told: Any) -> None:
        self.write("stage_started", at, name=name, key="k", inputs={})
        if tasks:
            self.tell(name, at, tasks, **told)

    def tell(self, name: str, at: float, tasks: int, ahead: bool = False) -> None:
        place = {"stage": name, "sort": "md", "place": name}
        self.write("tasks_given", at, **place, tasks=tasks, ahead=ahead)

    def done(self, name: str, at: float) -> None:
        self.write("stage_done", at, name=name, key="k", files={}, transient=[], report={})

    def whole(self, name: str, begin: float, end: float) -> None:
        self.begin(name, begin)
        self.done(name, end)

    def ask(self, place: str, number: int, at: float, tasks: int = 1) -> str:
        name = f"md{number}-{place}"
        names = [f"t{number}.{n}" for n in range(tasks)]
        facts = {"kind": "md", "group": number, "directory": place, "scheduler": "slurm"}
        self.write("job_asked", at, name=name, attempt=0, tasks=names, **facts)
        return name

    def submit(self, place: str, number: int, at: float, tasks: int = 1) -> str:
        name = self.ask(place, number, at, tasks)
        self.write("job_submitted", at, name=name, id=f"id{number}")
        return name

    def run(self, place: str, number: int, at: float, tasks: int = 1) -> str:
        name = self.submit(place, number, at, tasks)
        self.write("job_running", at, job=name)
        return name

    def ended(self, name: str, at: float, done: int = 1, state: str = "COMPLETED") -> None:
        self.write("job_ended", at, name=name, id="1", state=state, done=done)

    def status(self, now: float = 100.0) -> Status:
        return status_of(self.work_dir, EPOCH + now)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    return Diary(tmp_path)


def test_jobs_by_state_and_what_it_waits_for(diary: Diary) -> None:
    diary.begin("iter.0000/explore", 1, tasks=9)
    diary.ended(diary.run("iter.0000/explore", 0, 2, tasks=2), 12, done=2)
    diary.run("iter.0000/explore", 1, 3)
    diary.submit("iter.0000/explore", 2, 4)
    diary.submit("iter.0000/explore", 3, 4)
    diary.ask("iter.0000/explore", 4, 5)
    found = diary.status()
    jobs = found.jobs
    assert (jobs.asked, jobs.submitted, jobs.running, jobs.ended) == (1, 2, 1, 1)
    assert (found.program, found.kind, found.state) == ("pwact", "run", "running")
    assert (found.stage, found.iteration) == ("iter.0000/explore", 0)
    assert (found.tasks.total, found.tasks.done, found.tasks.failed) == (9, 2, 0)
    assert found.waits_for == "its jobs: 1 running, 2 submitted, 1 asked for"
    assert [(job.name, job.state, job.id) for job in found.open_jobs] == [
        ("md1-iter.0000/explore", "running", "id1"),
        ("md2-iter.0000/explore", "submitted", "id2"),
        ("md3-iter.0000/explore", "submitted", "id3"),
        ("md4-iter.0000/explore", "asked", ""),
    ]
    assert found.open_jobs[0].directory == str(diary.work_dir / "iter.0000/explore")


def test_why_jobs_have_to_wait(diary: Diary) -> None:
    diary.begin("iter.0000/explore", 1, tasks=4)
    for number in range(4):
        name = diary.submit("iter.0000/explore", number, 2)
        diary.write("job_waiting", 3, job=name, reason="QOSGrpCpuLimit")
    diary.write("job_waiting", 4, job="md1-iter.0000/explore", reason="Licenses")
    diary.write("job_waiting", 5, job="md2-iter.0000/explore", reason="")
    found = diary.status()
    assert [job.reason for job in found.open_jobs] == [
        "QOSGrpCpuLimit",
        "Licenses",
        "",
        "QOSGrpCpuLimit",
    ]
    words = "its jobs: 4 submitted; 2 must wait: QOSGrpCpuLimit; 1 must wait: Licenses"
    assert found.waits_for == words
    diary.write("job_running", 6, job="md1-iter.0000/explore")
    assert diary.status().waits_for.endswith("3 submitted; 2 must wait: QOSGrpCpuLimit")


def test_the_master_that_is_this_process_lives(diary: Diary) -> None:
    found = diary.status()
    assert (found.state, found.master.alive, found.master.pid) == ("running", True, os.getpid())
    assert found.waits_for == "no job: pwact itself works"
    assert found.stage is None


@pytest.mark.parametrize(
    ("who", "locked", "state", "alive"),
    [
        (DEAD, True, "died", False),
        (DEAD, False, "stopped", False),  # an older journal, which tells no end
        ({**DEAD, "pid": os.getpid}, True, "died", False),  # another process has its number
        ({**DEAD, "host": "elsewhere"}, True, "unknown", None),
        ({**DEAD, "host": "elsewhere"}, False, "stopped", False),
    ],
    ids=["dead", "let go", "number used again", "elsewhere", "elsewhere and let go"],
)
def test_a_master_that_does_not_say_how_it_ended(
    tmp_path: Path, who: dict[str, Any], locked: bool, state: str, alive: object
) -> None:
    who = {key: value() if callable(value) else value for key, value in who.items()}
    diary = Diary(tmp_path, who=who)
    diary.begin("iter.0000/train", 1, tasks=2)
    diary.run("iter.0000/train", 0, 2)
    if not locked:
        diary.path.with_name(layout.LOCK).write_text("")
    found = diary.status()
    assert (found.state, found.master.alive) == (state, alive)
    assert (found.stage, found.jobs.running) == ("iter.0000/train", 1)
    if state == "unknown":
        assert found.waits_for == "its jobs: 1 running"
    else:
        assert found.waits_for.startswith("the next start: give the same command again; ")


@pytest.mark.parametrize(
    ("how", "why"), [("finished", ""), ("stopped", "interrupted"), ("failed", "2 of 3 failed")]
)
def test_a_master_that_says_how_it_ended(diary: Diary, how: str, why: str) -> None:
    diary.whole("iter.0000/train", 1, 2)
    diary.end(3, how, why)
    found = diary.status()
    assert (found.state, found.why, found.master.alive) == (how, why, False)
    diary.start(5)
    assert diary.status().state == "running"


def test_a_half_written_line_is_not_there_yet(diary: Diary) -> None:
    diary.begin("iter.0000/train", 1)
    before = diary.status()
    with diary.path.open("a") as stream:
        stream.write('{"event": "stage_done", "name": "iter.00')
    assert diary.status() == before
    assert diary.path.read_text().endswith("iter.00")


def test_a_damaged_line_is_named(diary: Diary) -> None:
    with diary.path.open("a") as stream:
        stream.write("rubbish\n")
    with pytest.raises(PwactError, match=r"journal.jsonl: line 3 is damaged"):
        diary.status()


def test_only_stages_and_jobs_of_the_last_command_count(tmp_path: Path) -> None:
    diary = Diary(tmp_path, "init_bulk")
    diary.begin("aimd", 1, tasks=1)
    diary.ended(diary.run("aimd", 0, 2), 3)
    diary.done("aimd", 4)
    assert [stage.name for stage in diary.status().stages] == ["aimd"]
    assert diary.status().kind == "init_bulk"
    diary.start(10)
    diary.begin("iter.0000/train", 11)
    found = diary.status()
    assert (found.kind, [stage.name for stage in found.stages]) == ("run", ["iter.0000/train"])
    assert found.jobs.ended == 0


def test_stages_in_the_order_of_their_iteration_with_their_own_times(diary: Diary) -> None:
    diary.whole("iter.0000/train", 0, 10)
    diary.begin("iter.0000/explore", 10)
    diary.begin("iter.0000/label", 25)  # ahead
    diary.done("iter.0000/explore", 30)
    diary.whole("iter.0000/select", 30, 31)
    diary.done("iter.0000/label", 50)
    diary.begin("iter.0001/train", 50)
    diary.write("stage_set_aside", 60, name="iter.0000/label", directory="a", to="b")
    found = [(stage.step, stage.state, stage.seconds) for stage in diary.status().stages]
    assert found == [
        ("train", "done", 10),
        ("explore", "done", 20),
        ("select", "done", 1),
        ("label", "set aside", None),
        ("train", "begun", None),
    ]
    assert diary.status().stage == "iter.0001/train"


def two_iterations(diary: Diary, iterations: int) -> None:
    """Training 10 and 12 s, exploring 20 and 30, selecting 1, labelling 40 and 60."""
    diary.write("run_planned", 0, iterations=iterations)
    at = 0.0
    for iteration, times in enumerate(((10, 20, 1, 40), (12, 30, 1, 60))):
        for step, seconds in zip(("train", "explore", "select", "label"), times):
            diary.whole(f"iter.{iteration:04d}/{step}", at, at + seconds)
            at += seconds


def test_time_left_of_a_stage_without_jobs_and_of_all(diary: Diary) -> None:
    two_iterations(diary, 4)
    diary.begin("iter.0002/train", 174)
    eta = diary.status(now=177).eta
    assert eta.stage_s == 11 - 3
    iteration = 25 + 1 + 50
    assert eta.campaign_s == 8 + iteration + (11 + iteration) + 11


def test_time_left_of_tasks_in_jobs(diary: Diary) -> None:
    name = "iter.0000/explore"
    diary.begin(name, 0, tasks=11)
    diary.ended(diary.run(name, 0, 0, tasks=2), 10, done=2)
    diary.ended(diary.run(name, 1, 0, tasks=2), 14, done=2)
    diary.run(name, 2, 10, tasks=2)
    diary.submit(name, 3, 10, tasks=2)
    # a job takes 12 s; one has 12 - 6 left, one 12; three tasks wait for two more jobs
    assert diary.status(now=16).eta.stage_s == (6 + 12 + 2 * 12) / 2
    assert diary.status(now=16).eta.campaign_s is None


def test_time_left_of_tasks_like_those_of_an_earlier_iteration(diary: Diary) -> None:
    diary.begin("iter.0000/explore", 0, tasks=1)
    diary.ended(diary.run("iter.0000/explore", 0, 0), 30)
    diary.done("iter.0000/explore", 31)
    diary.begin("iter.0001/explore", 40, tasks=1)
    diary.run("iter.0001/explore", 0, 40)
    assert diary.status(now=50).eta.stage_s == 20
    assert diary.status(now=500).eta.stage_s == 0


def test_nothing_is_known_at_the_beginning(diary: Diary) -> None:
    diary.write("run_planned", 0, iterations=3)
    diary.begin("iter.0000/train", 0, tasks=4)
    eta = diary.status().eta
    assert (eta.stage_s, eta.campaign_s) == (None, None)
    assert diary.status().iterations == 3


def test_tasks_begun_ahead_are_told_again_by_the_next_master(diary: Diary) -> None:
    name = "iter.0000/label"
    diary.begin(name, 0)
    diary.tell(name, 1, 3, ahead=True)
    diary.tell(name, 2, 2, ahead=True)
    assert diary.status().tasks.total == 5
    diary.start(3)
    diary.tell(name, 4, 3, ahead=True)
    assert diary.status().tasks.total == 3
    diary.tell(name, 5, 7)
    assert diary.status().tasks.total == 7


def test_failures_of_tasks_and_jobs_until_they_are_done(diary: Diary) -> None:
    name = "iter.0000/explore"
    diary.begin(name, 0, tasks=3)
    diary.ended(diary.run(name, 0, 0, tasks=2), 10, done=1, state="FAILED (exit status 1)")
    (failure,) = diary.status().failures
    assert failure.what == f"job md0-{name}"
    assert failure.why == "FAILED (exit status 1), 1 of 2 tasks done"
    assert failure.log == str(diary.work_dir / name / "0-md.out")
    task = {"stage": name, "task": f"{name}/t0.1", "log": f"{name}/t0.1/md.log"}
    diary.write("task_failed", 20, **task, why="lost atoms")
    found = diary.status()
    assert [(one.what, one.why) for one in found.failures] == [
        (f"{name}/t0.1", "lost atoms"),
        (f"job md0-{name}", "FAILED (exit status 1), 1 of 2 tasks done"),
    ]
    assert found.failures[0].log == str(diary.work_dir / name / "t0.1/md.log")
    assert (found.tasks.done, found.tasks.failed) == (1, 1)
    diary.start(30)
    diary.ended(diary.run(name, 0, 30, tasks=2), 40, done=2)
    assert diary.status().failures == ()


def a_try(diary: Diary, number: int, labels: str, failed: str) -> list[str]:
    """A try of these labels, in one job, after which `failed` did not converge; their tasks."""
    folder = f"iter.0000/02.label/scf{f'/retry-{number}' if number else ''}"
    short = [f"sys/{label}-scf" for label in labels]
    tasks = {label: f"{folder}/sys/{label}-scf" for label in labels}
    place = {"stage": "iter.0000/label", "sort": "scf", "place": folder}
    diary.write("tasks_given", number, **place, tasks=len(tasks), ahead=False)
    facts = {"kind": "scf", "group": 0, "directory": folder, "scheduler": "slurm"}
    name = f"scf{number}"
    diary.write("job_asked", number, name=name, attempt=0, tasks=short, **facts)
    diary.write("job_submitted", number, name=name, id=name)
    diary.ended(name, number + 0.5, done=len(labels) - len(failed))
    for label in failed:
        told = {"task": tasks[label], "log": f"{tasks[label]}/log", "why": f"no SCF {number}"}
        diary.write("task_failed", number + 0.7, stage="iter.0000/label", **told)
    return [tasks[label] for label in failed]


def test_labels_that_converged_in_a_further_try_are_no_failures(diary: Diary) -> None:
    def failures() -> list[str]:
        found = [one.what for one in diary.status().failures]
        return [what for what in found if not what.startswith("job ")]

    diary.begin("iter.0000/label", 0)
    assert a_try(diary, 0, "abcd", failed="abc") == failures()
    assert a_try(diary, 1, "abc", failed="bc") == failures()
    (last,) = a_try(diary, 2, "bc", failed="c")
    assert failures() == [last]
    tasks = diary.status().tasks
    assert (tasks.total, tasks.done, tasks.failed) == (4, 3, 1)
    diary.done("iter.0000/label", 5)
    (failure,) = diary.status().failures
    assert (failure.what, failure.why) == (last, "no SCF 2")


def test_trajectories_that_died_early_are_named(diary: Diary) -> None:
    name = "iter.0000/explore"
    entry = {"system": "s", "usable": True, "normal": False, "why": "it died after step 20"}
    paths = [
        {**entry, "directory": "iter.0000/a"},
        {**entry, "directory": "iter.0000/b", "usable": False},
        {**entry, "directory": "iter.0000/c", "normal": True},
    ]
    diary.begin(name, 1)
    report = {"paths": paths}
    diary.write("stage_done", 2, name=name, key="k", files={}, transient=[], report=report)
    (early,) = diary.status().early_ends
    place = str(diary.work_dir / "iter.0000/a")
    assert (early.stage, early.what, early.log) == (name, "iter.0000/a", place)
    lines = status_text(diary.status(), EPOCH).splitlines()
    assert lines[-3:] == [
        "died early 1:",
        "  iter.0000/explore: iter.0000/a: it died after step 20",
        f"    log: {place}",
    ]


def test_failures_of_a_stage_that_is_done_again_are_gone(diary: Diary) -> None:
    task = {"stage": "iter.0000/label", "task": "t", "log": "t/log", "why": "no"}
    diary.begin("iter.0000/label", 0)
    diary.write("task_failed", 1, **task)
    diary.done("iter.0000/label", 2)
    assert len(diary.status().failures) == 1
    diary.write("stage_set_aside", 3, name="iter.0000/label", directory="a", to="b")
    assert diary.status().failures == ()
    diary.begin("iter.0000/label", 4)
    assert diary.status().failures == ()


# ---- real campaigns


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    return tmp_path


def test_a_finished_run(toys: Path) -> None:
    run_loop(toys, run_param(), ToyExecutor())
    found = status_of(toys, 0.0)
    assert (found.state, found.iterations, found.stage) == ("finished", 2, None)
    assert found.waits_for == "nothing: it is finished"
    assert (found.jobs.running, len(found.open_jobs)) == (0, 0)
    assert found.jobs.ended > 0
    assert found.failures == ()
    assert {stage.state for stage in found.stages} == {"done"}
    steps = [stage.step for stage in found.stages if stage.iteration == 0]
    assert steps == ["train", "explore", "select", "label"]
    assert found.stages[-1].name == "iter.0002/train"


def test_a_run_that_failed_names_what_failed_and_its_log(toys: Path) -> None:
    executor = ToyExecutor()
    executor.spoil = {"-scf": "spoilt"}
    with pytest.raises(QuorumError):
        run_loop(toys, run_param(), executor)
    found = status_of(toys, 0.0)
    assert (found.state, found.stage) == ("failed", "iter.0000/label")
    assert "tasks failed" in found.why
    assert found.tasks.failed == found.tasks.total == 4
    labels = [one for one in found.failures if not one.what.startswith("job ")]
    assert len(labels) == 4
    assert all(one.log.startswith(f"{toys}/iter.0000/02.label/scf/md.") for one in labels)
    run_loop(toys, run_param(), ToyExecutor())
    assert (status_of(toys, 0.0).state, status_of(toys, 0.0).failures) == ("finished", ())


class Looking(ToyExecutor):
    """Asks how the campaign stands while its jobs run, and leaves everything as it is."""

    def __init__(self, work_dir: Path) -> None:
        super().__init__()
        self.work_dir = work_dir
        self.seen: list[Status] = []

    def submit(self, spec: Any) -> str:
        before = tree(self.work_dir)
        with (self.work_dir / layout.STATE_DIR / layout.JOURNAL).open("rb") as stream:
            size = len(stream.read())
        self.seen.append(status_of(self.work_dir, 0.0))
        assert tree(self.work_dir) == before
        assert (self.work_dir / layout.STATE_DIR / layout.JOURNAL).stat().st_size == size
        return super().submit(spec)


def tree(work_dir: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(work_dir.rglob("*"))}


def test_while_run_works_nothing_is_disturbed(toys: Path) -> None:
    executor = Looking(toys)
    run_loop(toys, run_param(), executor)
    assert {one.state for one in executor.seen} == {"running"}
    assert {one.master.pid for one in executor.seen} == {os.getpid()}
    stages = list(dict.fromkeys(one.stage for one in executor.seen))
    assert stages[0] == "iter.0000/train"
    assert stages[-1] == "iter.0002/train"
    totals = {one.tasks.total for one in executor.seen if one.stage == "iter.0000/train"}
    assert totals == {3}
    assert all(one.jobs.asked >= 1 for one in executor.seen)


def test_a_directory_that_may_not_be_written(toys: Path) -> None:
    run_loop(toys, run_param(), ToyExecutor())
    state = toys / layout.STATE_DIR
    names = sorted(path.name for path in state.iterdir())
    state.chmod(0o555)
    try:
        assert status_of(toys, 0.0).state == "finished"
    finally:
        state.chmod(0o755)
    assert sorted(path.name for path in state.iterdir()) == names


# ---- PWact


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign of ours."""
    place = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        write_files(place, {"calculator": "emt"})
        run_loop(place, deep_update(run_param(), {"reserve_md_traj": True}), ToyExecutor())
    return place


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    ("last", "coming", "count"),
    [
        ((0, 0), "iter.0000/explore", 1),
        ((0, 2), "iter.0001/train", 3),
        ((1, 1), "iter.0001/label", 5),
    ],
)
def test_a_tree_of_pwact(
    whole: Path, tmp_path: Path, name: str, last: tuple[int, int], coming: str, count: int
) -> None:
    leave(whole, tmp_path, last, VARIANTS[name])
    before = tree(tmp_path)
    found = status_of(tmp_path, 0.0)
    assert (found.program, found.kind, found.stage) == ("PWact", "run", coming)
    assert (found.iteration, len(found.stages)) == (int(coming[5:9]), count)
    assert (found.state, found.master.pid, found.master.alive) == ("unknown", 4194303, None)
    assert tree(tmp_path) == before


def test_a_process_of_pwact_that_lives(tmp_path: Path) -> None:
    (tmp_path / "al.record").write_text("\n0 0")
    (tmp_path / "PID").write_text(f"pid {os.getpid()}")
    found = status_of(tmp_path, 0.0)
    assert (found.state, found.master.alive, found.stage) == ("running", True, "iter.0000/explore")
    (tmp_path / "PID").write_text("rubbish")
    assert status_of(tmp_path, 0.0).master.pid is None


def test_nothing_is_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no campaign"):
        status_of(tmp_path, 0.0)
    with pytest.raises(UsageError, match="none is not a directory"):
        status_of(tmp_path / "none", 0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_state_directory_without_a_master_is_nothing(tmp_path: Path) -> None:
    (tmp_path / layout.STATE_DIR).mkdir()
    began = {"command": "run", "campaign": "c", "seed": 1}
    Journal(tmp_path / layout.STATE_DIR / layout.JOURNAL).append("campaign_started", **began)
    with pytest.raises(UsageError):
        status_of(tmp_path, 0.0)


def test_the_steps_of_mds_are_counted_before_the_first_has_ended(tmp_path: Path) -> None:
    diary = Diary(tmp_path)
    diary.begin("iter.0000/explore", 1, tasks=3)
    for number, last in ((0, 100), (1, 300)):
        diary.run("md", number, 10)
        place = tmp_path / "md" / f"t{number}.0"
        place.mkdir(parents=True)
        (place / "in.lammps").write_text("variable NSTEPS index 500\n")
        rows = "".join(f"{step} -1.0\n" for step in range(0, last + 1, 100))
        (place / "md.log").write_text(f"Step PotEng\n{rows}400")  # the last row is not whole
    found = status_of(tmp_path, EPOCH + 40)
    assert found.steps == StepFacts(2, 400, 1000)
    assert "steps      2 MDs under way: 400 of 1000 steps" in status_text(found, EPOCH + 40)
    # one takes 150 s, the other 50 s: 100 s in the median, of which 30 s are over; one more waits
    assert found.eta.stage_s == pytest.approx((70 + 70 + 100) / 2)
    diary.work_dir.joinpath("md", "t0.0", "in.lammps").write_text("run 5\n")
    assert status_of(tmp_path, EPOCH + 40).steps == StepFacts(1, 300, 500)
