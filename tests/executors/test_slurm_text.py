from __future__ import annotations

from pathlib import Path

import pytest

from pwact.executors.base import Blame, JobPhase
from pwact.executors.slurm_text import (
    Row,
    array_name,
    cut,
    is_array_refusal,
    is_limit,
    is_ours,
    is_outage,
    output_pattern,
    ranges,
    rows,
    state_of,
)


@pytest.mark.parametrize(
    ("words", "phase", "blame"),
    [
        ("PENDING PD CONFIGURING CF REQUEUED RQ REQUEUE_HOLD RH", JobPhase.WAITING, Blame.TASK),
        ("REQUEUE_FED RF RESV_DEL_HOLD RD SPECIAL_EXIT SE", JobPhase.WAITING, Blame.TASK),
        ("RUNNING R COMPLETING CG SUSPENDED S STOPPED ST", JobPhase.RUNNING, Blame.TASK),
        ("RESIZING RS SIGNALING SI STAGE_OUT SO NEVER_HEARD ??", JobPhase.RUNNING, Blame.TASK),
        ("COMPLETED CD FAILED F CANCELLED CA DEADLINE DL", JobPhase.ENDED, Blame.TASK),
        ("OUT_OF_MEMORY OOM", JobPhase.ENDED, Blame.TASK),
        ("TIMEOUT TO", JobPhase.ENDED, Blame.TIMEOUT),
        ("NODE_FAIL NF PREEMPTED PR BOOT_FAIL BF REVOKED RV", JobPhase.ENDED, Blame.MACHINE),
    ],
)
def test_every_state(words, phase, blame):
    for word in words.split():
        state = state_of(Row("1", word, "x"))
        assert (state.phase, state.blame) == (phase, blame), word
        assert not state.stuck


def test_rows_are_read_whatever_stands_around_them():
    text = (
        "Welcome to the cluster\n"
        "12|RUNNING|scf0-0123456789ab|None\n"
        "13_4|CANCELLED by 1000|scf0.array-0123456789ab|a|b\n"
        "14.batch|COMPLETED\n\n"
    )
    assert rows(text) == [
        Row("12", "RUNNING", "scf0-0123456789ab", "None"),
        Row("13_4", "CANCELLED", "scf0.array-0123456789ab", "a|b"),
    ]


def test_parts_of_an_array_that_wait_together_are_listed_one_by_one():
    name = "scf0.array-0123456789ab"
    found = rows(f"13_[2-4,8]|PENDING|{name}|None\n14_[1-5:2%3]|PENDING|{name}\n")
    assert [row.id for row in found] == ["13_2", "13_3", "13_4", "13_8", "14_1", "14_3", "14_5"]
    assert {(row.word, row.name) for row in found} == {("PENDING", name)}


@pytest.mark.parametrize(
    ("directory", "pattern"),
    [
        ("/w/plain", "/w/plain/%a-scf.out"),
        ("/w/Ag50%Au50", "/w/Ag50%%Au50/%a-scf.out"),
        ("/w/%", "/w/%%/%a-scf.out"),
        ("/w/a\\b%A", "/w/a\\\\b%A/%a-scf.out"),  # then SLURM takes % as it is
    ],
)
def test_outputs_are_named_so_that_sbatch_takes_a_directory_as_it_is(directory, pattern):
    assert output_pattern(Path(directory), "%a", "-scf.out") == pattern


@pytest.mark.parametrize(
    ("job_id", "listed", "name", "ours"),
    [
        ("12", "scf3-0123456789ab", "scf3-0123456789ab", True),
        ("12", "scf3-0123456789ac", "scf3-0123456789ab", False),
        ("12_3", "scf0.array-0123456789ab", "scf3-0123456789ab", True),
        ("12_4", "scf0.array-0123456789ab", "scf3-0123456789ab", False),
        ("12_3", "scf1.array-0123456789ab", "scf3-0123456789ab", False),
        ("12_3", "scf1.array-0123456789ab", "scf1003-0123456789ab", True),
        ("12_3", "scf3-0123456789ab", "scf3-0123456789ab", False),
        ("12_3", "md0.array-0123456789ab", "scf3-0123456789ab", False),
    ],
)
def test_an_id_counts_only_with_its_name(job_id, listed, name, ours):
    assert is_ours(Row(job_id, "RUNNING", listed), name) is ours


def test_array_names_differ_by_kind_span_and_suffix():
    names = [
        f"{kind}{group}-{'0' * 11}{digit}"
        for kind in ("md", "scf")
        for group in (0, 1000)
        for digit in "ab"
    ]
    assert len({array_name(name) for name in names}) == 8
    assert array_name("scf7-0123456789ab") == array_name("scf999-0123456789ab")
    assert array_name("somebody's job") is None


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([4], "4"), ([3, 1, 2], "1-3"), ([0, 1, 3, 5, 6], "0-1,3,5-6")]
)
def test_ranges(numbers, text):
    assert ranges(numbers) == text


def test_cut():
    assert cut([], 10) == []
    assert cut(["123", "456", "789", "1"], 8) == [["123", "456"], ["789", "1"]]
    assert cut(["a" * 20], 5) == [["a" * 20]]


@pytest.mark.parametrize(
    ("message", "outage", "limit", "array"),
    [
        ("Unable to contact slurm controller (connect failure)", True, False, False),
        ("Zero Bytes were transmitted or received", True, False, False),
        ("Munge encode failed: Failed to access socket", True, False, False),
        ("Invalid partition name specified", False, False, False),
        ("AssocGrpSubmitJobsLimit", False, True, False),
        ("Slurm temporarily unable to accept job", False, True, False),
        (
            "Job violates accounting/QOS policy (job submit limit, user's size …)",
            False,
            True,
            False,
        ),
        ("QOSMaxMemoryPerJobLimit; (job submit limit, user's size …)", False, False, False),
        ("Invalid job array specification", False, False, True),
    ],
)
def test_classes_of_messages(message, outage, limit, array):
    assert (is_outage(message), is_limit(message), is_array_refusal(message)) == (
        outage,
        limit,
        array,
    )
