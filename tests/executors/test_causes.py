from __future__ import annotations

import pytest

from pwact.executors.causes import causes, read_output, story

HEAD = "job: scf0-0123456789ab 7, directory: /w\nstart: 2026-01-01 00:00:00, nodes: c1\n"
TAIL = "end: 2026-01-01 00:00:09, 1 of 1 tasks missing\n"


@pytest.fixture
def logs(tmp_path):
    return tmp_path / "dft.log", tmp_path / "0-scf.out"


def told(logs, log, output):
    for path, text in zip(logs, (log, output)):
        if text is not None:
            path.write_text(text)
    return "\n".join(story(*logs, "scf0-0123456789ab"))


def test_the_complaints_of_the_set_up_come_before_what_followed_from_them(logs):
    output = (
        f"{HEAD}Loading intel/2023\n0-scf.job: line 44: module: command not found\n"
        f"0-scf.job: line 45: conda: command not found\nset-up done\n{TAIL}"
    )
    text = told(logs, "Traceback\nModuleNotFoundError: No module named 'gpaw'\n", output)
    assert text.index("errors of the set-up") < text.index("module: command not found")
    assert text.index("conda: command not found") < text.index("No module named 'gpaw'")
    assert str(logs[1]) in text
    assert str(logs[0]) in text
    assert "Loading intel" not in text


def test_a_set_up_that_ended_the_script_is_named_with_its_last_words(logs):
    text = told(logs, "of an earlier try\n", f"{HEAD}no licence for today\n{TAIL}")
    assert "the set-up (source_list, module_list, env_list) ended the script" in text
    assert "no licence for today" in text
    assert "earlier try" not in text


def test_only_the_last_run_of_this_job_counts(logs):
    other = HEAD.replace("scf0-0123456789ab", "scf0-ba9876543210")
    output = f"{other}module: command not found\nset-up done\n{HEAD}set-up done\n{TAIL}"
    assert told(logs, "SCF\n", output) == f"the end of {logs[0]}:\n    SCF"


@pytest.mark.parametrize(
    "line",
    [
        "0-scf.job: line 88:  4711 Killed                  vasp_std > dft.log",
        "slurmstepd: error: *** JOB 5 ON c1 CANCELLED AT 2026-01-01 DUE TO TIME LIMIT ***",
        "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=5.batch",
        "0-scf.job: line 88:  4711 Segmentation fault      vasp_std",
    ],
)
def test_what_the_shell_and_slurm_say_of_a_program_is_shown(logs, line):
    text = told(logs, "DAV: 3\n", f"{HEAD}set-up done\n{line}\n")
    assert f"errors of the script, in {logs[1]}:\n    {line}\n" in text
    assert text.endswith(f"the end of {logs[0]}:\n    DAV: 3")


def test_a_cause_far_above_the_end_of_a_log_is_shown(logs):
    log = "lmp: error while loading shared libraries: libmpi.so.40\n" + "banner\n" * 40
    text = told(logs, log, f"{HEAD}set-up done\n{TAIL}")
    assert text.startswith(f"further up in {logs[0]}:\n    lmp: error while loading")


def test_without_a_log_the_output_of_the_job_is_shown(logs):
    assert "set-up done" in told(logs, None, f"{HEAD}set-up done\nhello\n{TAIL}")
    logs[1].unlink()
    assert story(*logs, "scf0-0123456789ab") == []


def test_numbers_of_errors_are_no_causes():
    assert causes(["total error = 1e-3", "rms error of forces", "DAV: 1 -0.1E+02"]) == []


def test_an_output_of_an_older_version_has_no_set_up(logs):
    logs[1].write_text("something\n")
    assert read_output(logs[1], "scf0-0123456789ab").set_up_done
