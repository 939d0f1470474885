"""Named faults of SLURM: what comes of the tasks, and what the user reads."""

from __future__ import annotations

import logging

import pytest

from pwact.errors import SchedulerError
from pwact.executors.base import ArrayExecutor, Executor
from pwact.executors.cancel import cancel_jobs, open_jobs
from pwact.executors.history import job_stories
from pwact.executors.slurm import Answer, call
from tests.executors.conftest import finish
from tests.executors.fake_slurm import NO_CONTROLLER, OVER, no_answer, outage, refused, slurm_bench
from tests.faults import NOTHING, ROWS, assert_read, fault

R, PD = ("RUNNING", "None"), ("PENDING", "Priority")


@pytest.fixture
def bench(tmp_path):
    return slurm_bench(tmp_path / "work dir")


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


# row of docs/slurm.md: lives of the one job, answers of sbatch, of squeue, jobs in the end
FAULTS = {
    # ---- how a job ends
    "killed before its result": (ends("FAILED", "JobLaunchFailure"), [], [], 2),
    "cancelled by hand": (ends("CANCELLED"), [], [], 2),
    "memory limit": (ends("OUT_OF_MEMORY", "OutOfMemory"), [], [], 2),
    "time limit": (ends("TIMEOUT", "TimeLimit"), [], [], 2),
    "deadline": (ends("DEADLINE"), [], [], 2),
    "node down": (ends("NODE_FAIL", "NodeDown") * 9, [], [], 10),
    "preempted": (ends("PREEMPTED") * 9, [], [], 10),
    "node does not boot": (ends("BOOT_FAIL") * 9, [], [], 10),
    # ---- what a job goes through
    "a state that nobody knows": ([[("EXPEDITING", "None")] * 5 + OVER[1:]], [], [], 1),
    "requeued": ([[R, ("PENDING", "BeginTime"), *OVER]], [], [], 1),
    "requeued and held": ([[R, ("REQUEUE_HOLD", "x"), *OVER]], [], [], 1),
    "held by the user": ([[("PENDING", "JobHeldUser"), *OVER]], [], [], 1),
    "held by an administrator": ([[("PENDING", "JobHeldAdmin"), *OVER]], [], [], 1),
    "held after a failed launch": (
        [[("PENDING", "launch failed requeued held"), *OVER]],
        [],
        [],
        1,
    ),
    "suspended": ([[R, ("SUSPENDED", "None"), *OVER]], [], [], 1),
    "completing for long": ([[R, *[("COMPLETING", "None")] * 20, *OVER[2:]]], [], [], 1),
    "partition down": ([[("PENDING", "PartitionDown")] * 99 + OVER], [], [], 1),
    "nodes drained": (
        [[("PENDING", "ReqNodeNotAvail, UnavailableNodes:c2"), *OVER]],
        [],
        [],
        1,
    ),
    # ---- a queue that forgets
    "job older than MinJobAge": ([[R, ("GONE", "")]], [], [], 2),
    "job missing in one answer": ([[R, ("GONE", ""), ("GONE", ""), *OVER[1:]]], [], [], 1),
    "slurmctld killed right after sbatch": ([[R, ("STRANGER", "None")]], [], [], 2),
    # ---- squeue
    "slurmctld stopped for a while": ([], [], [outage()] * 30, 1),
    "squeue: connection refused": ([], [], [outage("Connection refused")], 1),
    "squeue: connection reset": (
        [],
        [],
        [outage("slurm_load_jobs error: Connection reset by peer")],
        1,
    ),
    "squeue: socket timed out": (
        [],
        [],
        [outage("slurm_load_jobs error: Socket timed out on send/recv operation")] * 3,
        1,
    ),
    "squeue: invalid user": ([], [], [outage("squeue: error: Invalid user: me")], 1),
    "squeue hangs": ([], [], [no_answer(), no_answer()], 1),
    "squeue crashes": ([], [], [refused("segmentation fault", 139)], 1),
    # ---- sbatch
    "sbatch prints a warning": (
        [],
        [lambda slurm: lambda words: Answer(0, slurm.accept(words), "sbatch: warning: be nice")],
        [],
        1,
    ),
    "sbatch prints more than the id": (
        [],
        [lambda slurm: lambda words: Answer(0, f"Hello\n{slurm.accept(words)};cluster\n", "")],
        [],
        1,
    ),
    "sbatch times out, job accepted": ([], [accepted_but(no_answer())], [], 1),
    "sbatch times out, job not accepted": ([], [no_answer()], [], 1),
    "sbatch: socket timed out": (
        [],
        [refused("sbatch: error: Batch job submission failed: Socket timed out on send/recv")],
        [],
        1,
    ),
    "sbatch: no controller": (
        [],
        [refused(f"sbatch: error: Batch job submission failed: {NO_CONTROLLER}")],
        [outage()] * 5,
        1,
    ),
    "sbatch prints no id": ([], [Answer(0, "", "")], [], 1),
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
    ),
    "submit limit of the account": (
        [],
        [refused("sbatch: error: AssocMaxSubmitJobLimit")] * 2,
        [],
        1,
    ),
    "too many jobs for slurmctld": (
        [],
        [refused("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying")],
        [],
        1,
    ),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=fault(name)) for name in FAULTS])
def test_fault(bench, caplog, name):
    lives, sbatch, squeue, jobs = FAULTS[name]
    slurm = bench.slurm
    slurm.lives[0] = lives
    overrides = [
        one(slurm) if getattr(one, "__name__", "") in ("<lambda>", "override") else one
        for one in sbatch
    ]
    slurm.sbatch, slurm.squeue = overrides, list(squeue)
    level = logging.WARNING if ROWS[name] == NOTHING else logging.INFO
    with caplog.at_level(level):
        (result,) = bench.run(bench.tasks(1))
    assert result.verdict.done
    assert len(slurm.jobs) == jobs
    assert_read(name, caplog.text)
    assert caplog.text.count("does not answer") <= 1
    assert open_jobs(bench.journal) == []


def test_without_a_fault_there_is_no_warning(bench, caplog):
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts, caplog.text) == (True, 1, "")


@pytest.mark.parametrize(
    ("life", "words"),
    [
        (ends("CANCELLED by 1000"), "though not by pwact"),
        ([[("PD", "None"), ("R", "None"), ("NF", "None")]], "ended with its node"),
    ],
)
def test_other_spellings_of_states(bench, caplog, life, words):
    bench.slurm.lives[0] = life
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 2)
    assert words in caplog.text


@fault("the program fails")
def test_a_program_that_fails(bench):
    bench.slurm.lives = {0: ends("FAILED", "NonZeroExitCode") * 4}
    tasks = bench.tasks(2)
    (tasks[0].directory / "log").write_text("out of k-points")
    results = {result.task: result for result in bench.run(tasks)}
    assert results[tasks[1]].verdict.done
    assert (results[tasks[0]].verdict.done, results[tasks[0]].attempts) == (False, 4)
    assert_read("the program fails", results[tasks[0]].explanation)
    assert "out of k-points" in results[tasks[0]].explanation


@fault("work directory missing on the nodes")
def test_a_directory_that_the_nodes_do_not_have(bench, caplog):
    bench.slurm.lives[0] = ends("FAILED", "JobLaunchFailure") * 4
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (False, 4)
    assert_read("work directory missing on the nodes", caplog.text + result.explanation)


@fault("killed between result and record")
def test_a_job_killed_between_result_and_record(bench, caplog):
    tasks = bench.tasks(1)

    def finished_before(words):
        finish(tasks[0])

    bench.slurm.lives[0] = ends("FAILED", "JobLaunchFailure")
    bench.slurm.squeue = [finished_before]
    (result,) = bench.run(tasks)
    assert (result.verdict.done, result.attempts) == (True, 1)
    assert_read("killed between result and record", caplog.text)


REFUSED = {
    "wrong partition": "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job "
    "submission failed: Invalid partition name specified",
    "wrong account": "sbatch: error: Batch job submission failed: Invalid account or "
    "account/partition combination specified",
    "too many GPUs": "sbatch: error: Batch job submission failed: Requested node configuration is "
    "not available",
    "unknown kind of GPU": "sbatch: error: Invalid generic resource (gres) specification",
    "wrong flag": "sbatch: unrecognized option '--nonsense'",
    "wrong QOS": "sbatch: error: Batch job submission failed: Invalid qos specification",
    "longer than the QOS allows": "sbatch: error: QOSMaxWallDurationPerJobLimit\nsbatch: error: "
    "Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's "
    "size and/or time limits)",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=fault(name)) for name in REFUSED])
def test_a_refusal_for_good_stops_at_once(bench, name):
    bench.slurm.sbatch = [refused(REFUSED[name])]
    with pytest.raises(SchedulerError) as error:
        list(bench.run(bench.tasks(3)))
    message = str(error.value)
    assert REFUSED[name].splitlines()[-1].split("error: ")[-1] in message
    assert_read(name, message)
    assert "resource.json: DFT" in message
    assert bench.slurm.count("sbatch") == 1
    assert open_jobs(bench.journal) == []


@fault("a job that can never start")
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
    with pytest.raises(SchedulerError, match=f"can never start: {reason}") as error:
        list(bench.run(bench.tasks(1)))
    assert_read("a job that can never start", f"{caplog.text} {error.value}")
    assert caplog.text.count(f"can never start: {reason}") == 1
    assert bench.slurm.jobs["100"].step[0] == "CANCELLED"
    assert bench.executor.stuck_s <= bench.clock() < bench.executor.stuck_s + 40


@pytest.mark.parametrize("reason", ["Priority", "Resources", "Dependency", "JobArrayTaskLimit"])
def test_a_job_that_merely_waits(bench, caplog, reason):
    bench.slurm.lives[0] = [[("PENDING", reason)] * 50 + OVER]
    (result,) = bench.run(bench.tasks(1))
    assert (result.attempts, caplog.text) == (1, "")


@fault("a limit of QOS or account, or licences")
@pytest.mark.parametrize(
    "reason",
    [
        "QOSGrpCpuLimit",
        "AssocGrpCpuLimit",
        "AssocGrpCPUMinutesLimit",
        "AssocMaxJobsLimit",
        "QOSMaxJobsPerUserLimit",
        "Licenses",
        "a reason that nobody knows",
    ],
)
def test_the_reason_for_which_jobs_wait_is_named_once(bench, caplog, reason):
    for group in range(3):
        bench.slurm.lives[group] = [[("PENDING", "None")] + [("PENDING", reason)] * 50 + OVER]
    results = list(bench.run(bench.tasks(3)))
    assert [result.attempts for result in results] == [1] * 3
    assert caplog.text.count(f"and 2 more: has to wait: {reason}") == 1
    assert caplog.text.count("has to wait") == 1
    assert_read("a limit of QOS or account, or licences", caplog.text)
    told = [event for event in bench.events("job_waiting") if event["reason"]]
    assert [event["job"][:4] for event in told] == ["scf0", "scf1", "scf2"]
    assert all(event["reason"].startswith(reason) for event in told)
    assert [story.obstacle for story in job_stories(bench.journal.events())] == [""] * 3


def test_a_reason_is_named_once_though_jobs_come_to_it_one_after_the_other(bench, caplog):
    for group in range(3):
        waits = [("PENDING", "Priority")] * (3 * group + 1) + [("PENDING", "Licenses")] * 9
        bench.slurm.lives[group] = [waits + OVER]
    assert len(list(bench.run(bench.tasks(3)))) == 3
    assert caplog.text.count("has to wait: Licenses (no licence is free)") == 1


@fault("one id of many unknown")
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


def test_without_accounting_sacct_is_asked_once(bench, caplog):
    bench.slurm.lives[0] = [[R, ("GONE", "")]] * 3
    list(bench.run(bench.tasks(1)))
    assert bench.slurm.count("sacct") == 1
    assert "sacct" not in caplog.text


def as_22_05(words):
    """Knows neither --array nor a field of a later SLURM, as the sacct of 22.05."""
    unknown = [word for word in words if word.partition("=")[0] in ("--array", "--expand-patterns")]
    return refused(f"sacct: unrecognized option '{unknown[0]}'") if unknown else None


def test_accounting_of_an_old_slurm_says_how_each_part_of_an_array_ended(bench):
    def sacct(words):
        name = bench.slurm.jobs["100_0"].name
        return as_22_05(words) or Answer(
            0, "".join(f"100_{part}|FAILED|{name}|None\n" for part in range(12)), ""
        )

    bench.slurm.sacct = sacct
    bench.slurm.lives = {group: [[R, ("GONE", "")]] for group in range(12)}
    results = list(bench.run(bench.tasks(12)))
    assert [result.attempts for result in results] == [2] * 12
    assert {event["state"] for event in bench.events("job_ended")} == {"FAILED", "COMPLETED"}


def test_accounting_without_reasons_is_asked_without_them(bench, caplog):
    def sacct(words):
        if any("Reason" in word for word in words):
            return refused('sacct: error: Invalid field requested: "Reason"')
        return Answer(0, f"100|OUT_OF_MEMORY|{bench.slurm.jobs['100'].name}\n", "")

    bench.slurm.sacct = sacct
    bench.slurm.lives[0] = [[R, ("GONE", "")]]
    list(bench.run(bench.tasks(1)))
    assert bench.events("job_ended")[0]["state"] == "OUT_OF_MEMORY"
    assert "sacct" not in caplog.text


@fault("sacct fails")
def test_a_sacct_that_fails_is_named_once_and_asked_again(bench, caplog):
    bench.slurm.sacct = refused("sacct: error: Problem talking to the database")
    bench.slurm.lives[0] = [[R, ("GONE", "")]] * 9
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (False, 4)
    assert bench.slurm.count("sacct") > 4
    assert caplog.text.count("Problem talking to the database") == 1
    assert_read("sacct fails", caplog.text)


def test_a_job_that_only_the_accounting_calls_alive_is_gone(bench):
    """Accounting lists for ever what a controller has lost."""
    bench.slurm.sacct = lambda words: Answer(
        0, "".join(f"{job.id}|RUNNING|{job.name}|None\n" for job in bench.slurm.jobs.values()), ""
    )
    bench.slurm.lives[0] = [[R, ("GONE", "")]]
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (True, 2)
    assert bench.events("job_ended")[0]["state"] == "gone from the queue"


def test_a_job_that_is_forgotten_again_and_again_has_four_tries(bench):
    bench.slurm.lives[0] = [[R, ("GONE", "")]] * 99
    (result,) = bench.run(bench.tasks(1))
    assert (result.verdict.done, result.attempts) == (False, 4)


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


@fault("kill while slurmctld is down")
def test_scancel_without_a_controller_is_told(bench):
    bench.slurm.lives = {0: [[R] * 99]}
    bench.slurm.squeue = [None, None, KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        next(bench.run(bench.tasks(1)))
    bench.slurm._scancel = lambda words: refused(
        f"scancel: error: Kill job error on job id 100: {NO_CONTROLLER}", 8
    )
    (line,) = cancel_jobs(bench.journal, lambda block: bench.executor)
    assert_read("kill while slurmctld is down", line)
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


@fault("SLURM is not installed")
def test_without_slurm(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    bench.executor._call = call
    with pytest.raises(SchedulerError) as error:
        list(bench.run(bench.tasks(1)))
    assert_read("SLURM is not installed", str(error.value))


def test_a_command_that_hangs_is_an_outage(monkeypatch):
    monkeypatch.setattr("pwact.executors.commands._COMMAND_TIMEOUT_S", 0.05)
    with pytest.raises(Exception, match="no answer"):
        call(["sleep", "5"])


def test_the_executor_is_what_the_dispatcher_expects(bench):
    executor: Executor = bench.executor
    assert isinstance(executor, ArrayExecutor)
