"""Named faults of SLURM: what comes of the tasks, and what the user reads."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from pwact.errors import SchedulerError
from pwact.executors.base import ArrayExecutor, Executor
from pwact.executors.cancel import cancel_jobs, open_jobs
from pwact.executors.slurm import Answer, SlurmExecutor, call
from tests.executors.conftest import Bench
from tests.executors.fake_slurm import NO_CONTROLLER, OVER, FakeSlurm, no_answer, outage, refused

R, PD = ("RUNNING", "None"), ("PENDING", "Priority")
DONE_TWICE = "done after two jobs"


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path / "work dir")
    made.slurm = FakeSlurm(made)
    made.executor = SlurmExecutor(call=made.slurm, sleep=made.clock.sleep)
    made.block = replace(made.block, scheduler="slurm", queue_name="cpu")
    return made


def accepted_but(error):
    """Sbatch gives no answer, though the job is in the queue."""

    def override(slurm):
        def answer(words):
            slurm.accept(words)
            raise error if isinstance(error, Exception) else AssertionError

        return answer

    return override


def ends(word, reason="None"):
    return [[PD, R, (word, reason)]]


# name: lives of the one job, answers of sbatch, of squeue, jobs in the end, words in the log
FAULTS = {
    "nothing": ([], [], [], 1, ""),
    # ---- how a job ends
    "the program fails": (ends("FAILED", "NonZeroExitCode"), [], [], 2, ""),
    "the script is killed": (ends("FAILED", "JobLaunchFailure"), [], [], 2, "was killed on its"),
    "cancelled by hand": (ends("CANCELLED"), [], [], 2, "though not by pwact"),
    "sacct's way to say so": (ends("CANCELLED by 1000"), [], [], 2, "though not by pwact"),
    "out of memory": (ends("OUT_OF_MEMORY", "OutOfMemory"), [], [], 2, "ran out of memory"),
    "time limit": (ends("TIMEOUT", "TimeLimit"), [], [], 2, "ended at its time limit"),
    "deadline": (ends("DEADLINE"), [], [], 2, "at its deadline"),
    "node failure": (ends("NODE_FAIL", "NodeDown") * 9, [], [], 10, "ended with its node"),
    "preempted": (ends("PREEMPTED") * 9, [], [], 10, "had to make room"),
    "boot failure": (ends("BOOT_FAIL") * 9, [], [], 10, "did not boot"),
    "short names": ([[("PD", "None"), ("R", "None"), ("NF", "None")]] * 6, [], [], 7, "its node"),
    # ---- what a job goes through
    "unknown word": ([[("EXPEDITING", "None")] * 5 + OVER[1:]], [], [], 1, ""),
    "requeued": ([[R, ("PENDING", "BeginTime"), *OVER]], [], [], 1, "back in the queue"),
    "requeued and held": ([[R, ("REQUEUE_HOLD", "x"), *OVER]], [], [], 1, "scontrol release 100"),
    "held by the user": ([[("PENDING", "JobHeldUser"), *OVER]], [], [], 1, "is held"),
    "held by the admin": ([[("PENDING", "JobHeldAdmin"), *OVER]], [], [], 1, "is held"),
    "launch failed, held": (
        [[("PENDING", "launch failed requeued held"), *OVER]],
        [],
        [],
        1,
        "is held",
    ),
    "suspended": ([[R, ("SUSPENDED", "None"), *OVER]], [], [], 1, "scontrol resume 100"),
    "completing for long": ([[R, *[("COMPLETING", "None")] * 20, *OVER[2:]]], [], [], 1, ""),
    "partition down": ([[("PENDING", "PartitionDown")] * 99 + OVER], [], [], 1, "has to wait"),
    "node drained": (
        [[("PENDING", "ReqNodeNotAvail, UnavailableNodes:c2"), *OVER]],
        [],
        [],
        1,
        "has to wait: ReqNodeNotAvail",
    ),
    # ---- a queue that forgets
    "forgotten": ([[R, ("GONE", "")]], [], [], 2, ""),
    "a blink": ([[R, ("GONE", ""), ("GONE", ""), *OVER[1:]]], [], [], 1, ""),
    "id handed out again": ([[R, ("STRANGER", "None")]], [], [], 2, ""),
    # ---- squeue
    "squeue: connect failure": ([], [], [outage()] * 30, 1, "does not answer"),
    "squeue: connection refused": ([], [], [outage("Connection refused")], 1, "does not answer"),
    "squeue: connection reset": (
        [],
        [],
        [outage("slurm_load_jobs error: Connection reset by peer")],
        1,
        "answers again",
    ),
    "squeue: socket timed out": (
        [],
        [],
        [outage("slurm_load_jobs error: Socket timed out on send/recv operation")] * 3,
        1,
        "Socket timed out",
    ),
    "squeue: invalid user": ([], [], [outage("squeue: error: Invalid user: me")], 1, "does not"),
    "squeue: no answer": ([], [], [no_answer(), no_answer()], 1, "no answer in 120 s"),
    "squeue: any other words": ([], [], [refused("segmentation fault", 139)], 1, "does not"),
    # ---- sbatch
    "sbatch warns": (
        [],
        [lambda slurm: lambda words: Answer(0, slurm.accept(words), "sbatch: warning: be nice")],
        [],
        1,
        "be nice",
    ),
    "sbatch talks before the id": (
        [],
        [lambda slurm: lambda words: Answer(0, f"Hello\n{slurm.accept(words)};cluster\n", "")],
        [],
        1,
        "",
    ),
    "sbatch: no answer, accepted": ([], [accepted_but(no_answer())], [], 1, "does not answer"),
    "sbatch: no answer, not accepted": ([], [no_answer()], [], 1, "does not answer"),
    "sbatch: socket timed out": (
        [],
        [refused("sbatch: error: Batch job submission failed: Socket timed out on send/recv")],
        [],
        1,
        "does not answer",
    ),
    "sbatch: no controller": (
        [],
        [refused(f"sbatch: error: Batch job submission failed: {NO_CONTROLLER}")],
        [outage()] * 5,
        1,
        "does not answer",
    ),
    "sbatch: no id": ([], [Answer(0, "", "")], [], 1, "no job id"),
    "submit limit of the QOS": (
        [],
        [
            refused(
                "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission "
                "failed: Job violates accounting/QOS policy (job submit limit, user's size and/or "
                "time limits)"
            )
        ]
        * 4,
        [],
        1,
        "QOSMaxSubmitJobPerUserLimit",
    ),
    "submit limit of the account": (
        [],
        [refused("sbatch: error: AssocMaxSubmitJobLimit")] * 2,
        [],
        1,
        "takes no more jobs for now",
    ),
    "the controller is full": (
        [],
        [refused("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying")],
        [],
        1,
        "takes no more jobs for now",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault(bench, caplog, name):
    lives, sbatch, squeue, jobs, words = FAULTS[name]
    slurm = bench.slurm
    slurm.lives[0] = lives
    overrides = [
        one(slurm) if getattr(one, "__name__", "") in ("<lambda>", "override") else one
        for one in sbatch
    ]
    slurm.sbatch, slurm.squeue = overrides, list(squeue)
    with caplog.at_level(logging.WARNING):
        (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(slurm.jobs) == jobs
    assert words in caplog.text
    if not words:
        assert caplog.text == ""
    assert caplog.text.count("does not answer") <= 1
    assert open_jobs(bench.journal) == []


REFUSED = {
    "wrong partition": (
        "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission "
        "failed: Invalid partition name specified",
        "see queue_name",
    ),
    "wrong account": (
        "sbatch: error: Batch job submission failed: Invalid account or account/partition "
        "combination specified",
        "see queue_name",
    ),
    "too many GPUs": (
        "sbatch: error: Batch job submission failed: Requested node configuration is not available",
        "see number_node, cpu_per_node, gpu_per_node",
    ),
    "unknown gres": (
        "sbatch: error: Invalid generic resource (gres) specification",
        "gpu_per_node",
    ),
    "wrong flag": ("sbatch: unrecognized option '--nonsense'", "see custom_flags"),
    "wrong QOS": (
        "sbatch: error: Batch job submission failed: Invalid qos specification",
        "custom",
    ),
    "too long for the QOS": (
        "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: Batch job submission failed: "
        "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        "see custom_flags",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_for_good_stops_at_once(bench, name):
    text, key = REFUSED[name]
    bench.slurm.sbatch = [refused(text)]
    with pytest.raises(SchedulerError) as error:
        list(bench.run(bench.tasks(3)))
    message = str(error.value)
    assert text.splitlines()[-1].split("error: ")[-1] in message
    assert key in message
    assert "resource.json: DFT" in message
    assert bench.slurm.count("sbatch") == 1
    assert open_jobs(bench.journal) == []


@pytest.mark.parametrize(
    "reason",
    [
        "PartitionConfig",
        "PartitionNodeLimit",
        "PartitionTimeLimit",
        "DependencyNeverSatisfied",
        "BadConstraints",
        "AccountNotAllowed",
        "InvalidQOS",
        "QOSMaxCpuPerJobLimit",
        "AssocMaxNodePerJobLimit",
        "QOSMaxWallDurationPerJobLimit",
    ],
)
def test_a_job_that_can_never_start(bench, caplog, reason):
    bench.slurm.lives[0] = [[("PENDING", f"({reason})")]]
    caplog.set_level(logging.WARNING)
    with pytest.raises(SchedulerError, match=rf"can never start: {reason}; change .*resource.json"):
        list(bench.run(bench.tasks(1)))
    assert caplog.text.count(f"can never start: {reason}") == 1
    assert bench.slurm.jobs["100"].step[0] == "CANCELLED"
    assert bench.executor.stuck_s <= bench.clock() < bench.executor.stuck_s + 40


@pytest.mark.parametrize("reason", ["Priority", "Resources", "QOSMaxJobsPerUserLimit", "Licenses"])
def test_a_job_that_merely_waits(bench, caplog, reason):
    bench.slurm.lives[0] = [[("PENDING", reason)] * 50 + OVER]
    (result,) = bench.run(bench.tasks(1))
    assert (result.attempts, caplog.text) == (1, "")


def test_one_forgotten_job_does_not_hide_the_others(bench):
    """Some versions refuse the whole list for one id that they have forgotten."""
    bench.slurm.squeue = [None, refused("slurm_load_jobs error: Invalid job id specified")]
    bench.executor._call = bench.slurm
    results = list(bench.run(bench.tasks(3)))
    assert [result.attempts for result in results] == [1, 1, 1]
    assert any(word.startswith("--user=") for words in bench.slurm.calls for word in words)


def test_accounting_remembers_what_the_queue_forgot(bench):
    def sacct(words):
        if "--jobs=100" in words:
            name = bench.slurm.jobs["100"].name
            return Answer(0, f"100|NODE_FAIL|{name}|None\n", "")
        return Answer(0, "", "")

    bench.slurm.sacct = sacct
    bench.slurm.lives[0] = [[R, ("GONE", "")]]
    (result,) = bench.run(bench.tasks(1))
    assert result.attempts == 2
    assert bench.events("job_ended")[0]["state"] == "NODE_FAIL"
    asked = [word for words in bench.slurm.calls if words[0] == "sacct" for word in words]
    assert asked.count("--jobs=100") == 1  # only for what has left the queue


def test_without_accounting_sacct_is_asked_once(bench):
    bench.slurm.lives[0] = [[R, ("GONE", "")]] * 3
    list(bench.run(bench.tasks(1)))
    assert bench.slurm.count("sacct") == 1


def test_a_poll_is_one_call_for_all_jobs(bench):
    bench.executor.use_array = "false"
    for group in range(50):
        bench.slurm.lives[group] = [[R] * 10 + OVER]
    assert len(list(bench.run(bench.tasks(50)))) == 50
    assert bench.slurm.count("sbatch") == 50
    assert bench.slurm.count("squeue") <= 14


def test_long_lists_are_cut(bench):
    jobs = {str(10_000_000 + index): f"scf{index}-0123456789ab" for index in range(15_000)}
    states = bench.executor.poll(jobs)
    assert len(states) == 15_000
    lengths = [len(word) for words in bench.slurm.calls for word in words]
    assert max(lengths) < 131_072
    assert bench.slurm.count("squeue") == 3


@pytest.mark.parametrize(
    ("use_array", "tasks", "arrays"),
    [("auto", 9, 0), ("auto", 10, 1), ("false", 30, 0), ("true", 2, 1), ("auto", 1200, 2)],
)
def test_arrays(bench, monkeypatch, use_array, tasks, arrays):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    bench.executor.use_array = use_array
    results = list(bench.run(bench.tasks(tasks)))
    assert len(results) == tasks
    assert all(result.verdict.done for result in results)
    calls = [words for words in bench.slurm.calls if words[0] == "sbatch"]
    assert len(calls) == (arrays or tasks)
    assert len([words for words in calls if any("--array=" in word for word in words)]) == arrays
    if tasks == 1200:
        assert calls[1][5:7] == ["--open-mode=append", "--array=0-199"]
        assert calls[1][4] == "--output=1%3a-scf.out"
        wrapper = (bench.directory / "1-scf.array").read_text()
        assert "$((1000 + SLURM_ARRAY_TASK_ID))-scf.job" in wrapper


def test_an_array_keeps_to_max_jobs_in_queue(bench):
    bench.executor.max_jobs = 4
    assert len(list(bench.run(bench.tasks(12)))) == 12
    (submitted,) = [words for words in bench.slurm.calls if words[0] == "sbatch"]
    assert "--array=0-11%4" in submitted


def test_max_jobs_in_queue_without_arrays(bench):
    bench.executor.max_jobs, bench.executor.use_array = 3, "false"
    live = []
    real = bench.slurm._squeue

    def squeue(words):
        answer = real(words)
        over = ("COMPLETED", "FAILED")
        live.append(sum(job.step[0] not in over for job in bench.slurm.jobs.values()))
        return answer

    bench.slurm._squeue = squeue
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert max(live) == 3


@pytest.mark.parametrize(
    "text",
    ["sbatch: error: Batch job submission failed: Invalid job array specification"],
)
def test_refused_arrays_become_single_jobs(bench, caplog, text):
    bench.slurm.sbatch = [refused(text)]
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert bench.slurm.count("sbatch") == 13
    assert "one by one" in caplog.text
    assert len(bench.events("job_asked")) == 12


def test_an_array_over_the_limit_is_halved(bench):
    limit = refused("sbatch: error: QOSMaxSubmitJobPerUserLimit")
    bench.slurm.sbatch = [limit, limit]
    assert len(list(bench.run(bench.tasks(40)))) == 40
    arrays = [words[6] for words in bench.slurm.calls if words[0] == "sbatch"]
    assert arrays == [
        "--array=0-39",
        "--array=0-19",
        "--array=0-9",
        "--array=10-19",
        "--array=20-39",
    ]


def test_a_lost_array_is_found_with_one_call(bench):
    def lost(words):
        bench.slurm.accept(words)
        raise KeyboardInterrupt

    bench.slurm.sbatch = [lost]
    with pytest.raises(KeyboardInterrupt):
        list(bench.run(bench.tasks(12)))
    slurm = bench.slurm
    bench = bench.restarted()
    slurm.bench, slurm.calls = bench, []
    assert len(list(bench.run(bench.tasks(12)))) == 12
    assert slurm.count("sbatch") == 0
    searches = [words for words in slurm.calls if any("--name=" in word for word in words)]
    assert [words[0] for words in searches] == ["squeue", "sacct"]


def test_kill_asks_for_the_name_too(bench):
    bench.slurm.lives = {0: [[R] * 99], 1: [[R, ("STRANGER", "None")]], 2: [[R] * 99]}
    results = bench.run(bench.tasks(3))
    bench.slurm.squeue = [None, None, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        next(results)
    lines = cancel_jobs(bench.journal, lambda block: bench.executor)
    cancelled = [words[1:] for words in bench.slurm.calls if words[0] == "scancel"]
    assert cancelled == [["100", "102"]]
    assert [line.rpartition(": ")[2] for line in lines] == [
        "cancelled",
        "had ended already",
        "cancelled",
    ]


def test_scancel_without_a_controller_is_told(bench):
    bench.slurm.lives = {0: [[R] * 99]}
    bench.slurm.squeue = [None, None, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        next(bench.run(bench.tasks(1)))
    bench.slurm._scancel = lambda words: refused(
        f"scancel: error: Kill job error on job id 100: {NO_CONTROLLER}", 8
    )
    (line,) = cancel_jobs(bench.journal, lambda block: bench.executor)
    assert "not ended: " in line
    assert len(open_jobs(bench.journal)) == 1


def test_foreign_settings_do_not_reach_the_commands(monkeypatch, tmp_path):
    for name in ("SQUEUE_FORMAT", "SLURM_TIME_FORMAT", "SBATCH_PARTITION", "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "foreign")
    for name in ("SLURM_CONF", "SBATCH_ACCOUNT", "MY_SLURM_X"):
        monkeypatch.setenv(name, "kept")
    answer = call(["env"])
    assert "=foreign\n" not in answer.out
    assert answer.out.count("=kept") == 3
    assert call(["sh", "-c", "echo no >&2; exit 3"]) == Answer(3, "", "no\n")
    with pytest.raises(
        SchedulerError, match='no-such-sbatch is not installed.*"scheduler": "local"'
    ):
        call(["no-such-sbatch"])


def test_a_command_that_hangs_is_an_outage(monkeypatch):
    monkeypatch.setattr("pwact.executors.slurm._COMMAND_TIMEOUT_S", 0.05)
    with pytest.raises(Exception, match="no answer"):
        call(["sleep", "5"])


def test_the_executor_is_what_the_dispatcher_expects(bench):
    executor: Executor = bench.executor
    assert isinstance(executor, ArrayExecutor)
