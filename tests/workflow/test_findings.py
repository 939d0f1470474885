"""A loop that labels nothing says why: in the log, at its end, and in its status."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.cli.commands.campaign import run_summary
from pwact.io.journal import Journal
from pwact.report.causes import Kind
from pwact.report.status import status_text
from pwact.tools.status.status import status_of
from pwact.workflow import ledger
from pwact.workflow.findings import all_findings, findings_at
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys
from tests.workflow.toys import ToyTrainer

JOB = run_param()["explore"]["md_jobs"][0]
ABOVE = {"explore.md_jobs": [{**JOB, "temps": [500]}]}
BELOW = {"explore.md_jobs": [{**JOB, "temps": [10]}]}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def loop(work_dir: Path, options: dict[str, Any] | None = None, **changes: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    param = deep_update(run_param(), changes)
    return run_loop(work_dir, param, ToyExecutor(), **(options or {}))


def stages(work_dir: Path) -> dict[str, ledger.StageState]:
    return ledger.stages(Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events())


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    found = [(one.levelname, one.getMessage()) for one in caplog.records]
    caplog.clear()
    return [(level, words) for level, words in found if "is selected" in words]


def test_all_above_the_window(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pwact")
    result = loop(tmp_path, **ABOVE)
    reused = [one.getMessage() for one in caplog.records if "models are kept" in one.getMessage()]
    assert reused == [
        "iter.0001: the iteration before labelled nothing (all frames lie below or above the "
        "window); its models are kept"
    ]
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert words.startswith("iter.0000: nothing is selected: of 10 frames 2 lie below the window")
    assert "8 above it, upper_model_devi_f 0.4 eV/Å" in words
    assert "deviations in eV/Å: 5 % 0, 25 % 0.5, 50 % 1, 75 % 1.5, 95 % 2, largest 2" in words
    assert "a window to try: lower_model_devi_f 0.5, upper_model_devi_f 2.1" in words
    assert result.findings == [words]
    assert run_summary(result).endswith(f"\n\n{words}")
    status = status_of(tmp_path, 0.0)
    assert status.findings == (words,)
    shown, _, advice = status_text(status, 0.0).partition("\nwhat to do")
    assert shown.endswith(f"findings   1:\n  {words}")
    assert "    → give valid_data: labelled frames that are never trained on" in advice
    assert json.loads(json.dumps(status.to_json()))["findings"] == [words]
    loop(tmp_path, **ABOVE)
    assert said(caplog) == []  # the log has it


@pytest.mark.parametrize(
    ("temp", "said_so", "unsaid"),
    [
        (1e-9, "the deviation of all 10 frames is exactly 0, which says nothing", "window"),
        (9e5, "models that differ by 1 eV/Å and more know nothing", "a window to try"),
    ],
)
def test_no_window_can_help(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, temp: float, said_so: str, unsaid: str
) -> None:
    loop(tmp_path, **{"explore.md_jobs": [{**JOB, "temps": [temp]}]})
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert said_so in words
    assert unsaid not in words


def test_all_below_the_window_and_what_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The toys' error on validation data is 1/3 eV/Å."""
    caplog.set_level(logging.INFO, "pwact")
    for name, lower, level, words in (
        ("wrong", 0.1, "WARNING", "but the measured error is above the lower limit: rmse_f valid"),
        ("right", 0.34, "INFO", "and so does the measured error: rmse_f valid 0.3333"),
    ):
        limit = {"strategy.lower_model_devi_f": lower}
        loop(tmp_path / name, **BELOW, **limit, valid_data=["init.xyz"])
        ((found_level, found_words),) = said(caplog)
        assert found_level == level
        assert f"all 10 frames lie below the window, lower_model_devi_f {lower} eV" in found_words
        assert words in found_words
    loop(tmp_path / "unknown", **BELOW)
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert "no error was measured" in words


def test_valid_data_that_no_training_measured_its_error_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As MatPL, where they fill no batch: nobody is asked for data that are given."""
    read = ToyTrainer.read_result
    monkeypatch.setattr(
        ToyTrainer, "read_result", lambda self, place: replace(read(self, place), valid=None)
    )
    loop(tmp_path, **ABOVE, valid_data=["init.xyz"], final=False)
    loop(tmp_path / "below", **BELOW, valid_data=["init.xyz"], final=False)
    ((_, _), (_, words)) = said(caplog)
    assert "no error was measured that could confirm it (the training gave none on valid_d" in words
    advice = [(one.fact, one.advice) for one in status_of(tmp_path, 0.0).advice]
    (why,) = [text for fact, text in advice if fact.startswith("the trainings measured no error")]
    assert "smaller optimizer.batch_size" in why
    assert not any(text.startswith("give valid_data") for _, text in advice)


def test_the_error_of_the_last_labels_counts(tmp_path: Path) -> None:
    loop(tmp_path, **{"explore.md_jobs": [JOB, {**JOB, "temps": [10]}]})
    (finding,) = all_findings(stages(tmp_path))
    assert finding.warns
    assert "but the measured error is above the lower limit: rmse_f new 0.25" in finding.words
    assert findings_at(stages(tmp_path), 0) == []
    assert findings_at(stages(tmp_path), 2) == []  # a last training selects nothing


def test_one_system_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pwact")
    both = [{**JOB, "sys_idx": [0]}, {**JOB, "sys_idx": [1], "temps": [9000]}]
    systems = [
        {"config": f"structures/{name}.poscar", "format": "vasp/poscar"} for name in ("a", "b")
    ]
    window = {"strategy.lower_model_devi_f": 0.0, "strategy.upper_model_devi_f": 1e-9}
    changes = {"explore.sys_configs": systems, "explore.md_jobs": [both]}
    loop(tmp_path, **changes, **window)
    assert said(caplog) == []  # the first step is a candidate in both
    loop(tmp_path / "b", **changes)
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert words.startswith("iter.0000: nothing of md.001.sys.000 is selected: 4 of 5 frames lie")
    report = stages(tmp_path / "b")["iter.0000/select"].report["spread"]
    assert [(one["accurate"], one["candidate"], one["failed"]) for one in report["systems"]] == [
        (1, 3, 1),
        (1, 0, 4),
    ]
    assert report["systems"][1]["quantiles"] == pytest.approx([0, 0, 9, 18, 27, 36, 36])


def test_a_journal_of_before_has_counts_alone(tmp_path: Path) -> None:
    loop(tmp_path, **ABOVE)
    journal = tmp_path / layout.STATE_DIR / layout.JOURNAL
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for event in lines:
        event.get("report", {}).pop("spread", None)
    journal.write_text("".join(json.dumps(event) + "\n" for event in lines))
    (finding,) = all_findings(stages(tmp_path))
    assert finding.kind is Kind.BETWEEN
    assert "pwact filter" in finding.words
    assert loop(tmp_path, **ABOVE).findings == [finding.words]


def test_a_redo_is_judged_by_its_own_labels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pwact")
    kept = {**ABOVE, "reserve_md_traj": True, "reserve_work": True}
    loop(tmp_path, **kept)
    caplog.clear()
    wide = {"strategy.lower_model_devi_f": 0.05, "strategy.upper_model_devi_f": 0.7}
    loop(tmp_path, **kept, **wide, options={"redo": ("iter.0000/select",)})
    assert "nothing is" not in caplog.text
    assert all_findings(stages(tmp_path)) == []
    narrow = {"strategy.lower_model_devi_f": 1.1, "strategy.upper_model_devi_f": 1.2}
    loop(tmp_path, **kept, **narrow, options={"redo": ("iter.0000/select",)})
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert "a window to try: lower_model_devi_f 0.5" in words


def test_factors_of_kpu_are_proposed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pwact")
    kpu = {"strategy.uncertainty": "kpu", "strategy.model_num": 1}
    loop(tmp_path, **BELOW, **kpu, **{"strategy.kpu_lower": 500.0})
    ((level, words),) = said(caplog)
    assert level == "WARNING"
    assert "lie below the window, kpu_lower 500" in words
    assert "KPU in multiples of the lower limit: 5 % 0" in words
    assert "a window to try: kpu_lower " in words


def test_members_that_are_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = ToyTrainer.write_input

    def without_seed(
        self: ToyTrainer, directory: Path, data: Any, seed: int, start_from: Any
    ) -> None:
        write(self, directory, data, 1, start_from)

    monkeypatch.setattr(ToyTrainer, "write_input", without_seed)
    loop(tmp_path, **BELOW)
    found = [one.getMessage() for one in caplog.records if "same model" in one.getMessage()]
    assert len(found) == 2
    assert found[0].startswith("iter.0000/train: train.000 and train.001 are the same model")
