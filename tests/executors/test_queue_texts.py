"""What PBS, LSF and SGE print, read; what they are asked for, written.

The texts of SGE were printed by Son of Grid Engine 8.1.9. Those of PBS and LSF are in the layout of
their public manuals and of outputs that users have published.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from pwact.config.resources import ResourceBlock
from pwact.errors import InputError, SchedulerError
from pwact.executors import check_block, executor_for, lsf, pbs, sge
from pwact.executors.base import Blame, Executor, JobPhase, JobSpec, LimitError, OutageError, Task
from pwact.executors.commands import Answer, in_one_line
from pwact.executors.dialect import short_name
from pwact.executors.lsf import LsfExecutor
from pwact.executors.pbs import PbsExecutor, TorqueExecutor
from pwact.executors.script import header, render
from pwact.executors.sge import SgeExecutor
from pwact.registry.schedulers import EXECUTORS
from pwact.verdict import DONE

BLOCK = ResourceBlock(
    name="DFT", command="x", queue_name="cpu", number_node=2, cpu_per_node=8, gpu_per_node=4
)
NAME = "scf0-0123456789ab"
WAITING, RUNNING, ENDED = JobPhase.WAITING, JobPhase.RUNNING, JobPhase.ENDED


# ---- what is asked for

HEADERS = {
    PbsExecutor: ["-j oe", "-o /dev/null", "-q cpu", "-l select=2:ncpus=8:mpiprocs=8:ngpus=4"],
    TorqueExecutor: ["-j oe", "-o /dev/null", "-q cpu", "-l nodes=2:ppn=8:gpus=4"],
    LsfExecutor: ["-o /dev/null", '-q "cpu"', "-n 16", '-R "span[ptile=8]"', '-gpu "num=4"'],
    SgeExecutor: ["-j y", "-o /dev/null", "-q cpu", "-pe mpi 16", "-l gpu=4"],
}


@pytest.mark.parametrize("executor", HEADERS)
def test_header(executor):
    block = replace(BLOCK, parallel_environment="mpi")
    lines = header(NAME, block, executor.dialect)
    mark = executor.dialect.directive
    first = f"{mark} -J {NAME}" if executor is LsfExecutor else f"{mark} -N {NAME}"
    assert lines[:2] == ["#!/bin/bash", first]
    shell = [] if executor is LsfExecutor else [f"{mark} -S /bin/bash", f"{mark} -V"]
    assert lines[2:] == [*shell, *(f"{mark} {flag}" for flag in HEADERS[executor])]


@pytest.mark.parametrize("executor", HEADERS)
def test_custom_flags_get_the_scheduler_s_mark(executor):
    mark = executor.dialect.directive
    block = replace(
        BLOCK, parallel_environment="mpi", custom_flags=("-p 5", f" {mark.lower()}  -P me")
    )
    assert header(NAME, block, executor.dialect)[-2:] == [f"{mark} -p 5", f"{mark} -P me"]


@pytest.mark.parametrize(
    ("executor", "flag", "left_out"),
    [
        (PbsExecutor, "-l select=1:ncpus=4:mem=8gb", "mpiprocs"),
        (TorqueExecutor, "#PBS -l nodes=node7:ppn=4", "nodes=2"),
        (SgeExecutor, "#$ -pe smp 16", "-pe mpi"),
    ],
)
def test_what_the_user_asks_for_is_not_asked_for_twice(executor, flag, left_out):
    lines = header(NAME, replace(BLOCK, custom_flags=(flag,)), executor.dialect)
    assert not any(left_out in line for line in lines)


@pytest.mark.parametrize(
    ("scheduler", "changes", "key", "words"),
    [
        ("sge", {}, "DFT.parallel_environment", "16 CPUs need .*qconf -spl"),
        ("pbs", {"queue_name": "a,b"}, "DFT.queue_name", "takes one queue; found a,b"),
        ("torque", {"queue_name": "a,b"}, "DFT.queue_name", "takes one queue; found a,b"),
    ],
)
def test_what_a_scheduler_has_no_words_for(scheduler, changes, key, words):
    with pytest.raises(InputError, match=words) as caught:
        check_block(replace(BLOCK, scheduler=scheduler, **changes))
    assert caught.value.key == key


@pytest.mark.parametrize("name", EXECUTORS)
def test_every_scheduler_has_a_dialect(name):
    block = ResourceBlock(name="DFT", command="x", scheduler=name)
    check_block(block)
    executor = executor_for(block)
    assert name == "local" or executor.dialect.directive == EXECUTORS[name].directive
    assert [one for one in Executor.__annotations__ if not hasattr(executor, one)] == []
    place = Path("/work/it's")
    spec = JobSpec(NAME, "scf", 0, place, (Task(place, "x", lambda path: DONE, "log"),), block)
    text = render(spec, executor.dialect)
    assert text.startswith(f"#!/bin/bash\n{executor.dialect.directive} ")
    assert f"${{{executor.dialect.job_id}-}}" in text
    assert not re.search(r"@[A-Z_]+@", text)


def test_short_names_stay_apart_and_begin_with_a_letter():
    short = short_name(15)
    names = [f"bigmodel{group}-0123456789ab" for group in range(3000)] + [NAME]
    shortened = {short(name) for name in names}
    assert len(shortened) == len(names)
    assert {len(name) for name in shortened} == {15}
    assert all(name[:3].isalpha() for name in shortened)
    assert short(NAME) == short(NAME)
    assert short("md0") == "md0"


# ---- answers to a submission


@pytest.mark.parametrize(
    ("executor", "answer", "expected"),
    [
        (PbsExecutor, Answer(0, "12.pbs01\n", ""), "12.pbs01"),
        (TorqueExecutor, Answer(0, "Welcome\n12.server.domain\n", ""), "12.server.domain"),
        (LsfExecutor, Answer(0, "Job <12> is submitted to default queue <short>.\n", ""), "12"),
        (SgeExecutor, Answer(0, f'Your job 12 ("{NAME}") has been submitted\n', ""), "12"),
        (
            SgeExecutor,
            Answer(
                1,
                "",
                "Unable to run job: warning: root's job is not allowed to run in any queue\n"
                f'Your job 12 ("{NAME}") has been submitted\nExiting.\n',
            ),
            "12",
        ),
        (PbsExecutor, Answer(0, "", "12.pbs01: something else\n"), OutageError),
        (PbsExecutor, Answer(1, "", "qsub: Unknown queue\n"), "see queue_name"),
        (
            PbsExecutor,
            Answer(1, "", "qsub: would exceed queue generic's per-user limit\n"),
            LimitError,
        ),
        (
            TorqueExecutor,
            Answer(
                1,
                "",
                "qsub: submit error (Maximum number of jobs already in queue for user MSG=total "
                "number of current user's jobs exceeds the queue limit)\n",
            ),
            LimitError,
        ),
        (
            TorqueExecutor,
            Answer(111, "", "Connection refused\nqsub: cannot connect to server h (errno=111)\n"),
            OutageError,
        ),
        (LsfExecutor, Answer(255, "", "nope: No such queue. Job not submitted.\n"), "queue_name"),
        (LsfExecutor, Answer(255, "", "LSF is down. Please wait ...\n"), OutageError),
        (
            LsfExecutor,
            Answer(
                255, "", "User <me>: Pending job threshold reached. Retrying in 60 seconds...\n"
            ),
            LimitError,
        ),
        (
            SgeExecutor,
            Answer(
                1,
                "",
                'Unable to run job: Job was rejected because job requests unknown queue "a"\n'
                "Exiting.\n",
            ),
            'unknown queue "a"; see queue_name',
        ),
        (
            SgeExecutor,
            Answer(
                1,
                "",
                "Unable to run job: job rejected: only 3 jobs are allowed per user (current job "
                "count: 3)\nExiting.\n",
            ),
            LimitError,
        ),
        (
            SgeExecutor,
            Answer(
                1,
                "",
                "error: commlib error: got select error (Connection refused)\nUnable to run job: "
                'unable to send message to qmaster using port 6444 on host "h": got send error\n'
                "Exiting.\n",
            ),
            OutageError,
        ),
    ],
)
def test_answers_to_a_submission(executor, answer, expected):
    place = Path("/work")
    spec = JobSpec(NAME, "scf", 0, place, (), BLOCK)
    made = executor(call=lambda words, stdin: answer)
    if isinstance(expected, str) and expected[0].isdigit():
        assert made.submit(spec) == expected
    elif isinstance(expected, str):
        with pytest.raises(SchedulerError, match=expected):
            made.submit(spec)
    else:
        with pytest.raises(expected):
            made.submit(spec)


# ---- PBS

QSTAT = """\
Job Id: 14.pbs01
    Job_Name = scf0123456789ab
    Job_Owner = testu@login01
    resources_used.walltime = 00:00:00
    job_state = R
    queue = workq
    Variable_List = PBS_O_HOME=/home/testu,PBS_O_LANG=C.UTF-8,
\tPBS_O_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bi
\tn:/opt/pbs/bin,PBS_O_QUEUE=workq
    comment = Job run at Sun Dec 29 at 20:13 on (node:ncpus=1)

Job Id: 15.pbs01
    Job_Name = md0
    job_state = Q
    comment = Not Running: Insufficient amount of resource: ncpus (R: 4 A: 0 T:
\t 16)
"""


def test_attributes_of_pbs_are_read_over_broken_lines():
    first, second = pbs.described(QSTAT)
    assert (first.id, first.name, first.state.phase) == ("14.pbs01", "scf0123456789ab", RUNNING)
    assert (second.id, second.name, second.state.phase) == ("15.pbs01", "md0", WAITING)
    assert second.state.reason == "Insufficient amount of resource: ncpus (R: 4 A: 0 T: 16)"
    assert second.state.obstacle == ""


@pytest.mark.parametrize(
    ("letter", "comment", "status", "phase", "shown"),
    [
        ("Q", "", "", WAITING, "Q"),
        ("T", "", "", WAITING, "T"),
        ("W", "", "", WAITING, "W"),
        ("M", "", "", WAITING, "M"),
        ("E", "", "", RUNNING, "E"),
        ("B", "", "", RUNNING, "B"),
        ("?", "", "", RUNNING, "?"),
        ("F", "Job run at … and finished", "0", ENDED, "COMPLETED"),
        ("C", "", "0", ENDED, "COMPLETED"),
        ("F", "", "2", ENDED, "FAILED (exit status 2)"),
        ("F", "", "271", ENDED, "KILLED (signal 15)"),
        ("C", "", "137", ENDED, "KILLED (signal 9)"),
        ("F", "", "-29", ENDED, "TIMEOUT (exit status -29)"),
        ("F", "", "-27", ENDED, "OUT_OF_MEMORY (exit status -27)"),
        ("F", "deleted", "", ENDED, "ENDED (deleted)"),
    ],
)
def test_states_of_pbs(letter, comment, status, phase, shown):
    attributes = {"job_state": letter, "comment": comment, "Exit_status": status}
    state = pbs.state_of("12.pbs01", attributes)
    assert (state.phase, str(state)) == (phase, shown)


def test_who_is_to_blame_with_pbs():
    over_time = "Job run at … and exceeded resource walltime"
    for status, comment, blame in (
        ("-29", "", Blame.TIMEOUT),
        ("271", over_time, Blame.TIMEOUT),
        ("-3", "", Blame.MACHINE),
        ("-27", "", Blame.TASK),
        ("1", "", Blame.TASK),
    ):
        attributes = {"job_state": "F", "comment": comment, "Exit_status": status}
        assert pbs.state_of("12", attributes).blame is blame, status


def test_what_pbs_says_of_waiting_jobs():
    def state(letter, comment):
        return pbs.state_of("12.pbs01", {"job_state": letter, "comment": comment})

    never = state("Q", "Can Never Run: Insufficient amount of resource: ngpus (R: 9 A: 4 T: 4)")
    assert never.stuck
    assert never.warning.startswith("can never start: Insufficient amount of resource: ngpus")
    held = state("H", "")
    assert (held.obstacle, held.warning) == (
        "it is held",
        "is held: it waits until 'qrls 12.pbs01'",
    )
    limit = state("Q", "Not Running: User has reached queue workq running job limit.")
    assert limit.obstacle == "User has reached queue workq running job limit."
    assert not limit.stuck


# ---- LSF

BJOBS = """\
771278|RUN|-|-|-|scf0-0123456789ab
771279|PEND|-|-|New job is waiting for scheduling|md0-0123456789ab
771280|PEND|-|-|User has reached the pre-user job slot limit of the queue;|md1-0123456789ab
771281|EXIT|140|TERM_RUNLIMIT: job killed after reaching LSF run time limit|-|md2-0123456789ab
771282|EXIT|3|-|-|md3-0123456789ab
771283|DONE|-|-|-|md4-0123456789ab
"""
BHIST = """\

Job <771278>, Job Name <scf0-0123456789ab>, User <brandl>, Project <default>, C
                     ommand <sleep 120>, Share group charged </brandl>
Mon Nov 23 10:16:26: Submitted from host <falcon>, CWD <$HOME/test>;
Mon Nov 23 10:17:33: Exited with exit code 140. The CPU time used is 0.1 second
                     s;
Mon Nov 23 10:17:33: Completed <exit>; TERM_RUNLIMIT: job killed after reaching
                      LSF run time limit;

Summary of time in seconds spent in various states by Mon Nov 23 10:17:33
  PEND     PSUSP    RUN      USUSP    SSUSP    UNKWN    TOTAL
  5        0        62       0        0        0        67
------------------------------------------------------------------------------

Job <771279>, Job Name <md0-0123456789ab>, User <brandl>, Project <default>, Co
                     mmand <#!/bin/bash>
Mon Nov 23 10:17:33: Done successfully. The CPU time used is 0.1 seconds;
------------------------------------------------------------------------------

Job <771280>, Job Name <md1-0123456789ab>, User <brandl>, Project <default>, Co
                     mmand <#!/bin/bash>
Mon Nov 23 10:17:33: Running with execution home, Execution CWD;
"""


def test_jobs_of_lsf():
    rows = lsf.listed(BJOBS)
    assert [row.id for row in rows] == [str(771278 + index) for index in range(6)]
    assert [str(row.state) for row in rows] == [
        "RUN",
        "PEND (New job is waiting for scheduling)",
        "PEND (User has reached the pre-user job slot limit of the queue;)",
        "TIMEOUT (TERM_RUNLIMIT)",
        "FAILED (exit status 3)",
        "COMPLETED",
    ]
    assert [bool(row.state.obstacle) for row in rows] == [False, False, True, False, False, False]
    assert rows[3].state.blame is Blame.TIMEOUT


def test_history_of_lsf_is_read_over_broken_lines():
    rows = lsf.past(BHIST)
    assert [(row.id, row.name, str(row.state)) for row in rows] == [
        ("771278", "scf0-0123456789ab", "TIMEOUT (TERM_RUNLIMIT)"),
        ("771279", "md0-0123456789ab", "COMPLETED"),
    ]
    assert rows[0].state.warning == "was ended: job killed after reaching LSF run time limit"


@pytest.mark.parametrize(
    ("word", "why", "phase", "blame"),
    [
        ("PSUSP", "-", WAITING, Blame.TASK),
        ("WAIT", "-", WAITING, Blame.TASK),
        ("USUSP", "-", RUNNING, Blame.TASK),
        ("UNKWN", "-", RUNNING, Blame.TASK),
        ("ZOMBI", "-", RUNNING, Blame.TASK),
        ("NEVER_HEARD", "-", RUNNING, Blame.TASK),
        ("POST_ERR", "-", ENDED, Blame.TASK),
        ("EXIT", "TERM_OWNER: job killed by owner", ENDED, Blame.TASK),
        ("EXIT", "TERM_MEMLIMIT: job killed after reaching …", ENDED, Blame.TASK),
        ("EXIT", "TERM_PREEMPT: job killed after preemption", ENDED, Blame.MACHINE),
        ("EXIT", "TERM_ZOMBIE: …", ENDED, Blame.MACHINE),
    ],
)
def test_states_of_lsf(word, why, phase, blame):
    state = lsf.state_of("12", word, ("1", why))
    assert (state.phase, state.blame) == (phase, blame)


def test_an_lsf_that_does_not_know_the_reason_for_waiting():
    asked = []

    def call(words, stdin):
        asked.append(words[4])
        if "pend_reason" in words[4]:
            return Answer(255, "", "bjobs: pend_reason: unknown field name\n")
        return Answer(0, f"12|PEND|-|-|{NAME}\n", "")

    executor = LsfExecutor(call=call)
    for _ in range(2):
        assert str(executor.poll({"12": NAME})["12"]) == "PEND"
    assert len(asked) == 3


# ---- SGE

QSTAT_XML = """\
<?xml version='1.0'?>
<job_info  xmlns:xsd="http://arc.liv.ac.uk/repos/darcs/sge/source/dist/util/resources/schemas/qstat.xsd">
  <queue_info>
    <job_list state="running">
      <JB_job_number>8</JB_job_number>
      <JAT_prio>0.25000</JAT_prio>
      <JB_name>scf0-0123456789ab</JB_name>
      <JB_owner>root</JB_owner>
      <state>r</state>
      <JAT_start_time>2026-11-30T00:11:19</JAT_start_time>
      <queue_name>all.q@localhost</queue_name>
      <slots>1</slots>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>10</JB_job_number>
      <JB_name>errd</JB_name>
      <state>Eqw</state>
    </job_list>
  </job_info>
</job_info>
"""
QSTAT_J = """\
==============================================================
job_number:                 7
job_name:                   big
scheduling info:            cannot run in PE "mpi" because it only offers 16 slots
==============================================================
job_number:                 10
error reason          1:      11/30/2026 00:11:19 [0:30331]: error: can't open output file "/nosuch"
scheduling info:            Job is in error state
==============================================================
job_number:                 14
scheduling info:            user "me" has no permission for queue "all.q"
"""
QACCT = """\
==============================================================
qname        all.q
owner        root
jobname      lim
jobnumber    8
end_time     Mon Nov 30 00:11:25 2026
failed       37  : qmaster enforced h_rt, h_cpu, or h_vmem limit
exit_status  137                  (Killed)
ru_wallclock 5s
==============================================================
jobname      errd
jobnumber    10
end_time     -/-
failed       26  : opening input/output file
exit_status  0
==============================================================
jobname      del
jobnumber    11
failed       100 : assumedly after job
exit_status  137                  (Killed)
==============================================================
jobname      fail
jobnumber    16
failed       0
exit_status  3
==============================================================
jobname      good
jobnumber    17
failed       0
exit_status  0
==============================================================
jobname      node
jobnumber    18
failed       7   : before prolog
exit_status  0
"""


def test_jobs_of_sge():
    rows = sge.listed(QSTAT_XML)
    assert [(row.id, row.name, row.state.word) for row in rows] == [
        ("8", NAME, "r"),
        ("10", "errd", "Eqw"),
    ]
    assert rows[1].state.stuck


def test_accounting_of_sge():
    rows = sge.accounted(QACCT)
    assert [(row.id, row.name, str(row.state), row.state.blame) for row in rows] == [
        (
            "8",
            "lim",
            "TIMEOUT (qmaster enforced h_rt, h_cpu, or h_vmem limit)",
            Blame.TIMEOUT,
        ),
        (
            "10",
            "errd",
            "FAILED (opening input/output file: its output file could not be opened)",
            Blame.TASK,
        ),
        ("11", "del", "KILLED (signal 9)", Blame.TASK),
        ("16", "fail", "FAILED (exit status 3)", Blame.TASK),
        ("17", "good", "COMPLETED", Blame.TASK),
        ("18", "node", "FAILED (before prolog)", Blame.MACHINE),
    ]


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("qw", WAITING),
        ("hqw", WAITING),
        ("Rq", WAITING),
        ("t", RUNNING),
        ("Rr", RUNNING),
        ("hr", RUNNING),
        ("s", RUNNING),
        ("T", RUNNING),
        ("dr", RUNNING),
        ("?", RUNNING),
    ],
)
def test_states_of_sge(word, phase):
    state = sge.state_of("12", word)
    assert (state.phase, state.stuck) == (phase, False)


def test_reasons_of_sge():
    found = sge.reasons(QSTAT_J)
    assert found["10"].endswith('can\'t open output file "/nosuch"')
    waiting = sge.state_of("7", "qw")
    assert sge.explained(waiting, found["7"]).reason == found["7"]
    assert sge.explained(waiting, found["7"]).obstacle == ""  # it may be its turn soon
    assert sge.explained(waiting, found["14"]).obstacle == found["14"]
    assert sge.explained(sge.state_of("10", "Eqw"), found["10"]).warning.endswith('"/nosuch"')


def test_sge_is_asked_once_for_all_jobs_and_seldom_for_reasons():
    calls = []
    now = [0.0]
    pending = QSTAT_XML.replace("<state>r</state>", "<state>qw</state>").replace("Eqw", "qw")

    def call(words, stdin):
        calls.append(" ".join(words[:2]))
        return Answer(0, pending if words[1] == "-xml" else QSTAT_J, "")

    executor = SgeExecutor(call=call, clock=lambda: now[0])
    for _ in range(3):
        states = executor.poll({"8": NAME, "10": "errd"})
        now[0] += 10.0
    assert [state.phase for state in states.values()] == [WAITING, WAITING]
    assert calls.count("qstat -xml") == 3
    assert calls.count("qstat -j") == 1


def test_many_forgotten_jobs_are_one_question():
    calls = []

    def call(words, stdin):
        calls.append(words)
        return Answer(0, QSTAT_XML if words[0] == "qstat" else QACCT, "")

    jobs = {"8": "lim", "11": "del", "16": "fail", "17": "good"}
    executor = SgeExecutor(call=call)
    words = [state.word for state in executor.poll({**jobs, "99": "good"}).values()]
    assert [words[0] for words in calls] == ["qstat", "qacct"]
    assert words == ["TIMEOUT", "KILLED", "FAILED", "COMPLETED", ""]


# ---- what they share

NAMELESS = """\
error: commlib error: access denied (client IP resolved to host name "". This is not identical to
 clients host name "node1")
error: unable to send message to qmaster using port 6444 on host "master": got send error
"""
REJECTED = "Unable to run job: job rejected: me@node1 is not allowed to submit jobs.\nExiting.\n"


@pytest.mark.parametrize(
    ("executor", "text", "raised"),
    [
        (LsfExecutor, "User permission denied. Job not submitted.\n", SchedulerError),
        (LsfExecutor, "batch daemon not responding ... still trying\n", OutageError),
        (SgeExecutor, NAMELESS, OutageError),
        (SgeExecutor, REJECTED, SchedulerError),
        (SgeExecutor, "Unable to run job: access denied for project fluids.\n", SchedulerError),
    ],
    ids=["lsf identity", "lsf daemon", "sge commlib", "sge user", "sge site"],
)
def test_a_refusal_is_no_outage(executor, text, raised, tmp_path):
    made = executor(call=lambda words, stdin: Answer(1, "", text))
    spec = JobSpec(NAME, "scf", 0, tmp_path, (), ResourceBlock())
    with pytest.raises(raised):
        made.submit(spec)


def test_an_error_is_one_line():
    text = "qsub: Unknown queue\n\nUnable to run job: denied\nExiting.\nerror: no\n"
    assert in_one_line(text) == "Unknown queue; denied; no"


@pytest.mark.parametrize("executor", HEADERS)
def test_a_submission_of_a_dead_master_is_ended_before_another(executor, monkeypatch):
    ended = []
    monkeypatch.setattr(
        "pwact.executors.queue.end_submissions",
        lambda program, words: ended.append((program, *words)) or len(ended) == 1,
    )
    empty = "<job_info/>" if executor is SgeExecutor else ""
    made = executor(call=lambda words, stdin: Answer(0, empty, ""), sleep=lambda seconds: None)
    assert made.find(NAME) is None
    own = executor.dialect.job_name(NAME)
    assert ended == [(executor.submits, own)] * 2
