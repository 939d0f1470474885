"""Which condition an iteration serves: decided from reports, kept on record, never mixed."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import pytest

from pwact import layout
from pwact.cli.commands.campaign import run_summary
from pwact.errors import QuorumError, StageChangedError
from pwact.io.journal import Journal
from pwact.query.driving import Round
from pwact.report.status import status_text
from pwact.report.target import REACHED, USED_UP, target_lines
from pwact.tools.status.status import status_of
from pwact.workflow import ledger, steps
from pwact.workflow.checks.amount import amount
from pwact.workflow.conditions import (
    END,
    Plan,
    Served,
    Serving,
    ending,
    next_condition,
    on_record,
    round_of,
    settled,
)
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import ExploreReport, LabelReport, SelectReport
from tests.workflow import aimed, known_truth
from tests.workflow.aimed import BAD, GOOD, TARGET, dictate
from tests.workflow.dying import until_done
from tests.workflow.known_truth import FRAMES, TruthExplorer, truth_param, use_truth
from tests.workflow.pairs import deep_update, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

NAN = float("nan")
BOTH = {"explore.sys_configs": [{"config": "structures/*.poscar", "format": "vasp/poscar"}]}


def round_with(share: float, controls: Sequence[float]) -> Round:
    return Round(100, round(100 * share), 0.005, NAN, tuple(controls))


def served(*conditions: int, last: Sequence[tuple[float, Sequence[float]]] = ()) -> list[Served]:
    told = [BAD] * (len(conditions) - len(last)) + list(last)
    return [
        Served(number, condition, round_with(*one))
        for number, (condition, one) in enumerate(zip(conditions, told))
    ]


# ---- what comes next


def test_without_a_target_each_condition_is_one_iteration() -> None:
    plan = Plan(3)
    assert [next_condition(plan, served(*range(count))) for count in range(5)] == [
        0,
        1,
        2,
        None,
        None,
    ]
    assert plan.longest == 3


@pytest.mark.parametrize(
    ("past", "coming"),
    [
        (served(), 0),
        (served(0), 0),
        (served(0, 0, 0), 1),  # used up
        (served(0, 0, last=[GOOD, GOOD]), 1),
        (served(0, 0, last=[BAD, GOOD]), 0),
        (served(0, 0, 0, 1), 1),
        (served(0, 0, 0, 1, 1, last=[GOOD, GOOD]), None),
        (served(0, 0, 0, 1, 1, 1), None),
        (served(0, 1, last=[GOOD, GOOD]), 1),  # one round of each is not two in a row
        (served(0, 1, 1, 1), None),  # condition 0 was left early, by the user's choice
    ],
    ids=range(10),
)
def test_a_condition_is_repeated_until_its_rule_holds(
    past: list[Served], coming: Optional[int]
) -> None:
    assert next_condition(Plan(2, TARGET, 3), past) == coming


def test_why_a_condition_ended() -> None:
    plan = Plan(1, TARGET, 2)
    good = [round_with(*GOOD)] * 2
    assert ending(plan, good) == REACHED
    assert ending(plan, good[:1]) == ""
    assert ending(plan, [round_with(*BAD)] * 2) == USED_UP
    assert ending(Plan(1, 0.01, 2), good) == USED_UP  # an error of just the target is none below


def read_round(select: dict[str, Any], label: dict[str, Any]) -> Round:
    return round_of(SelectReport.from_json(select), LabelReport.from_json(label))


def test_a_round_is_read_from_reports() -> None:
    select = {"frames": 9, "target": {"frames": 8, "accepted": 6, "sigma": 0.01}}
    pairs = [
        {"error": 0.3, "kind": "chosen"},
        {"error": 0.1, "kind": "control"},
        {"error": 0.2, "kind": "control"},
    ]
    found = read_round(select, {"pairs": pairs})
    assert replace(found, hindsight=0.0) == Round(8, 6, 0.01, 0.2, (0.1, 0.2), 0.0)
    assert math.isnan(found.hindsight)
    select["target"].update(target=0.25, spread=[*([0.1] * 19), None])
    scaled = [{**one, "scaled": 0.1, "error": 0.1} for one in [*pairs, *pairs]]
    assert read_round(select, {"pairs": scaled}).hindsight == 0.95
    silent = [{**one, "scaled": None} for one in scaled]
    assert math.isnan(read_round(select, {"pairs": silent}).hindsight)
    select["target"].update(unphysical=2, systems=[{"empty": True}, {"frames": 8}])
    explore = ExploreReport(trajectories=4, ended_normally=3)
    found = round_of(SelectReport.from_json(select), LabelReport(), explore)
    assert (found.unphysical, found.ended, found.empty, found.share) == (2, 0.75, 1, 0.6)
    old = read_round({"frames": 9, "accurate": 9}, {"rmse_f": 0.1})
    assert (old.frames, old.accepted, old.controls) == (9, 0, ())
    assert old.sigma != old.sigma
    assert old.median_error != old.median_error


# ---- what is on record


def state(**inputs: Any) -> StageState:
    return StageState("iter.0003/explore", "key", inputs)


@pytest.mark.parametrize(
    ("inputs", "planned", "kept", "found"),
    [
        (None, 1, False, Serving(1)),
        (None, None, True, None),
        ({"condition": 1}, 1, False, Serving(1)),
        ({"condition": 1}, 0, False, Serving(0)),
        ({"condition": 1}, 0, True, Serving(1, 0)),
        ({"condition": 1}, None, True, Serving(1, END)),
        ({"condition": 1}, None, False, None),
        ({"condition": 1, "would_serve": 0}, 0, False, Serving(1, 0)),
        ({"condition": 1, "would_serve": 0}, 1, False, Serving(1, 0)),
        ({"condition": 1, "would_serve": 0}, None, False, None),
        ({"condition": 1, "would_serve": END}, None, False, Serving(1, END)),
        ({}, 3, False, Serving(3)),  # begun without a target
        ({}, 0, True, Serving(3, 0)),
    ],
    ids=range(13),
)
def test_what_was_begun_is_compared_with_what_the_reports_say(
    inputs: Optional[dict[str, Any]], planned: Optional[int], kept: bool, found: Optional[Serving]
) -> None:
    known = StageState("iter.0003/explore") if inputs is None else state(**inputs)
    assert settled(known, 3, planned, kept) == found


# ---- whole campaigns

JOB = {
    "sys_idx": [0],
    "ensemble": "nvt",
    "nsteps": 20,
    "trj_freq": 10,
    "temps": [150],
    "select_sys": [1],
}
WINDOW = {"lower_model_devi_f": None, "upper_model_devi_f": None}


def param(target: float = TARGET, most: int = 3, conditions: int = 2) -> dict[str, Any]:
    window = {f"strategy.{key}": value for key, value in WINDOW.items()}
    jobs = [{**JOB, "temps": [150 + 50 * number]} for number in range(conditions)]
    changes = {
        **window,
        "strategy.target_force_error": target,
        "strategy.max_iterations": most,
        "explore.md_jobs": jobs,
        "explore.sys_configs": [{"config": "structures/a.poscar", "format": "vasp/poscar"}],
    }
    return deep_update(run_param(), changes)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Condition 0 reached in iterations 0 and 1, condition 1 used up in 2, 3 and 4."""
    use_toys(monkeypatch)
    monkeypatch.setattr(steps, "STEPS", aimed.STEPS)
    work_dir = tmp_path / "a work"
    write_files(work_dir, {"calculator": "emt"})
    dictate(work_dir, [GOOD, GOOD, *[BAD] * 8])
    return work_dir


def stages(work_dir: Path) -> dict[str, StageState]:
    return ledger.stages(events(work_dir))


def events(work_dir: Path) -> list[dict[str, Any]]:
    return list(Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events())


def conditions(work_dir: Path) -> list[int]:
    """What each iteration that stands served."""
    known = stages(work_dir)
    begun = [name for name, one in known.items() if name.endswith("/explore") and one.begun]
    return [on_record(known, ledger.place_of(name)[0] or 0) for name in sorted(begun)]


def results(work_dir: Path) -> dict[str, bytes]:
    """What must not depend on what happened in between."""
    names = ("train.xyz", "candidate.csv", "model", "al.record", "iter_result.txt")
    return {
        path.relative_to(work_dir).as_posix(): path.read_bytes()
        for path in sorted(work_dir.rglob("*"))
        if path.name in names and "-bk-" not in str(path) and path.is_file()
    }


def test_a_campaign_goes_through_its_conditions_and_ends(work: Path) -> None:
    result = run_loop(work, param(), ToyExecutor())
    assert conditions(work) == [0, 0, 1, 1, 1]
    assert [row.name for row in result.rows] == [f"iter.{number:04d}" for number in range(6)]
    assert [row.explore.condition for row in result.rows[:5] if row.explore] == [0, 0, 1, 1, 1]
    temps = [row.explore.temps_k for row in result.rows[:5] if row.explore]
    assert temps == [(150.0,)] * 2 + [(200.0,)] * 3
    record = (work / "al.record").read_text().split("\n")[1:]
    assert record == [*(f"{n} {m}" for n in range(5) for m in range(3)), "5 0"]
    again = ToyExecutor()
    run_loop(work, param(), again)
    assert again.ran == []


def test_the_end_and_status_say_what_was_reached(work: Path) -> None:
    told = run_loop(work, param(), ToyExecutor()).target
    assert told is not None
    assert (told.reached, told.force_error, told.longest) == (False, TARGET, 6)
    first, last = told.conditions
    assert (first.state, first.iterations) == ("reached", (0, 1))
    assert (first.all.frames, first.all.accepted) == (3, 3)
    assert (first.all.controls, first.all.wrong) == (8, 0)
    assert first.all.right == pytest.approx(0.7499, abs=1e-4)
    assert (last.state, last.iterations) == ("max_iterations", (2, 3, 4))
    assert (last.all.controls, last.all.wrong) == (4, 2)  # of its last two iterations
    assert last.all.rmse_f == pytest.approx(((0.01**2 + 0.05**2) / 2) ** 0.5)
    assert last.all.largest == 0.05
    assert [one.name for one in first.systems] == ["md.000.sys.000"]
    found = status_of(work, 0.0)
    assert found.state == "finished"
    assert found.iterations is None
    assert found.target == told
    stored = json.loads(json.dumps(found.to_json()))["target"]
    assert (stored["reached"], stored["conditions"][1]["state"]) == (False, "max_iterations")
    text = status_text(found, 0.0)
    assert "target     target of 0.02 eV/Å NOT reached in condition 1" in text


def test_the_last_line_of_a_run_says_that_it_was_not_reached(work: Path) -> None:
    lines = run_summary(run_loop(work, param(), ToyExecutor())).splitlines()
    assert lines[-1] == "target of 0.02 eV/Å NOT reached in condition 1"


def test_check_says_how_much_it_may_become_at_most(work: Path) -> None:
    config = load(work, param(most=4), resources()).config
    assert amount(config) == (
        "asked for: a force error of 0.02 eV/Å in 2 conditions: at most 8 iterations (4 a "
        "condition), 8 MDs, 8 labels, 9 trainings of each model"
    )


@pytest.mark.parametrize(("most", "select", "least"), [(1, 10, 2), (3, 1, 4), (1, 3, 2)])
def test_check_says_that_too_few_iterations_cannot_reach_the_target(
    work: Path, most: int, select: int, least: int
) -> None:
    def said(iterations: int) -> str:
        changes = {f"explore.md_jobs.{number}.select_sys": [select] for number in (0, 1)}
        return amount(load(work, deep_update(param(most=iterations), changes), resources()).config)

    assert said(most).endswith(
        f". With strategy.max_iterations of {most} the target cannot be reached: that takes at "
        f"least {least} iterations of a condition"
    )
    assert said(least).endswith("trainings of each model")


def test_a_campaign_under_way_has_decided_nothing(work: Path) -> None:
    lost = ToyExecutor()
    lost.spoil = {"iter.0003/01.explore": "nothing"}
    with pytest.raises(QuorumError):
        run_loop(work, param(), lost)
    found = status_of(work, 0.0)
    assert found.target is not None
    assert found.target.reached is None
    assert [one.state for one in found.target.conditions] == ["reached", "running"]
    first = status_text(found, 0.0).splitlines()[0]
    assert "iteration 3 (at most 6, then a last training)" in first


def test_appended_conditions_go_on(work: Path) -> None:
    dictate(work, [GOOD, GOOD, GOOD, GOOD, BAD, BAD, BAD])
    run_loop(work, param(), ToyExecutor())
    assert conditions(work) == [0, 0, 1, 1]
    last = (work / "iter.0004/00.train/train.000/model").read_bytes()
    run_loop(work, param(conditions=3), ToyExecutor())
    assert conditions(work) == [0, 0, 1, 1, 2, 2, 2]
    assert (work / "iter.0004/00.train/train.000/model").read_bytes() == last


def test_more_iterations_go_on_with_the_last_condition(work: Path) -> None:
    dictate(work, [BAD] * 9)
    run_loop(work, param(conditions=1), ToyExecutor())
    assert conditions(work) == [0, 0, 0]
    run_loop(work, param(conditions=1, most=5), ToyExecutor())
    assert conditions(work) == [0, 0, 0, 0, 0]


def test_other_demands_are_refused_where_they_change_what_was_served(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    before, kept = events(work), results(work)
    other = param(target=0.001)
    with pytest.raises(StageChangedError, match=r"iter\.0002/explore: .*condition was 1, is 0"):
        run_loop(work, other, ToyExecutor())
    told = [one["event"] for one in events(work)[len(before) :]]
    assert set(told) <= {"run_planned", "master_started", "master_ended"}
    assert results(work) == kept


def test_a_kept_iteration_serves_what_it_served(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    kept = results(work)
    executor = ToyExecutor()
    run_loop(work, param(target=0.001), executor, keep_finished=True)
    assert conditions(work) == [0, 0, 1, 1, 1]
    assert (executor.ran, results(work)) == ([], kept)
    assert stages(work)["iter.0002/explore"].inputs["would_serve"] == 0
    run_loop(work, param(target=0.001), executor)  # and is not asked again
    assert (executor.ran, results(work)) == ([], kept)


def test_a_redo_does_again_what_would_serve_another_condition(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    run_loop(work, param(target=0.001), ToyExecutor(), redo=("iter.0002",))
    assert conditions(work) == [0, 0, 0, 1, 1, 1]
    assert (work / "iter.0002/01.explore/md-bk-1").is_dir()


def test_what_follows_a_redone_label_is_decided_again(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    dictate(work, [GOOD, BAD, *[BAD] * 8])
    run_loop(work, param(), ToyExecutor(), redo=("iter.0001/label",))
    assert conditions(work) == [0, 0, 0, 1, 1, 1]
    assert (work / "iter.0002/01.explore/md-bk-1").is_dir()


def test_what_lies_beyond_the_end_moves_aside(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    dictate(work, [GOOD, GOOD, GOOD, GOOD, BAD])
    run_loop(work, param(), ToyExecutor(), redo=("iter.0002", "iter.0003"))
    assert conditions(work) == [0, 0, 1, 1]
    assert (work / "al.record").read_text().endswith("\n3 2\n4 0")
    assert not (work / "iter.0004/02.label").exists()
    assert (work / "iter.0004/02.label-bk-1/result/train.xyz").is_file()
    executor = ToyExecutor()
    run_loop(work, param(), executor)
    assert executor.ran == []
    run_loop(work, param(conditions=3), ToyExecutor())  # and there is room for more
    assert conditions(work) == [0, 0, 1, 1, 2, 2, 2]


def test_less_is_refused_where_more_was_done(work: Path) -> None:
    run_loop(work, param(), ToyExecutor())
    kept = results(work)
    with pytest.raises(StageChangedError, match=r"iter\.0004/explore: .*ends after iter\.0003"):
        run_loop(work, param(most=2), ToyExecutor())
    assert results(work) == kept
    run_loop(work, param(most=2), ToyExecutor(), keep_finished=True)
    run_loop(work, param(most=2), ToyExecutor())
    assert conditions(work) == [0, 0, 1, 1, 1]
    assert results(work) == kept
    run_loop(work, param(most=2), ToyExecutor(), redo=("iter.0004",))
    assert conditions(work) == [0, 0, 1, 1]


@pytest.mark.parametrize("torn", [False, True])
def test_killed_at_every_line_it_ends_the_same(
    work: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    whole = work.with_name("whole")
    shutil.copytree(work, whole)
    run_loop(whole, param(), ToyExecutor())
    deaths = until_done(monkeypatch, lambda: run_loop(work, param(), ToyExecutor()), torn)
    assert deaths > 60
    assert conditions(work) == [0, 0, 1, 1, 1]
    assert results(work) == results(whole)
    assert len(results(work)) > 20


# ---- labels that come late


def test_labels_that_come_late_change_no_condition_without_a_word(work: Path, caplog: Any) -> None:
    dictate(work, [GOOD, (1.0, (0.01, 0.01, 0.01, 0.5)), *[BAD] * 8])
    asked = deep_update(param(), {"explore.md_jobs.0.select_sys": [2]})
    lossy = ToyExecutor()
    lossy.spoil = {"iter.0001/02.label/scf/md.000.sys.000/md.000.sys.000.t.000/20-scf": "nothing"}
    run_loop(work, asked, lossy)
    assert conditions(work) == [0, 0, 0, 1, 1, 1]
    kept = results(work)
    dictate(work, [GOOD, GOOD, *[BAD] * 8])  # with the lost label all controls are right
    caplog.clear()
    executor = ToyExecutor()
    run_loop(work, asked, executor)
    assert [Path(one).name for one in executor.ran] == ["20-scf"]
    assert conditions(work) == [0, 0, 0, 1, 1, 1]
    assert "iter.0002/explore: kept as it is, though iter.0001/label has labels" in caplog.text
    assert stages(work)["iter.0002/explore"].inputs["would_serve"] == 1
    changed = {name for name, data in results(work).items() if kept[name] != data}
    assert changed == {"iter.0001/02.label/result/train.xyz", "iter_result.txt"}
    run_loop(work, asked, executor)  # and it is settled
    assert len(executor.ran) == 1


# ---- with the real selection, and engines of which everything is known


def truth(work_dir: Path, changes: dict[str, Any], executor: ToyExecutor, **options: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    job = truth_param()["explore"]["md_jobs"][0]
    asked = {
        "explore.md_jobs": [{**job, "select_sys": [8]}],
        "explore.sys_configs": [{"config": "structures/a.poscar", "format": "vasp/poscar"}],
        "strategy.target_force_error": 0.1,
        "strategy.max_iterations": 6,
        **changes,
    }
    return run_loop(work_dir, truth_param(asked), executor, **options)


def test_a_condition_is_reached_when_the_models_are_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_truth(monkeypatch)
    result = truth(tmp_path, {}, ToyExecutor())
    (found,) = result.target.conditions
    assert result.target.reached is True
    assert found.state == "reached"
    assert 2 <= len(found.iterations) < 6
    assert found.all.accepted >= 0.95 * found.all.frames
    assert (found.all.controls, found.all.wrong) == (4, 0)
    (system,) = found.systems
    assert (system.name, system.frames, system.accepted) == (
        "md.000.sys.000",
        found.all.frames,
        found.all.accepted,
    )


def fails_of_one_system(steps: str) -> ToyExecutor:
    executor = ToyExecutor()
    executor.spoil = {f"{steps}/md.000.sys.001": "nothing"}
    return executor


@pytest.mark.parametrize(
    ("broken", "executor", "words"),
    [
        (10, ToyExecutor(), "62 of 82 frames are unphysical"),
        (0, ToyExecutor(), "there is no physical frame of md.000.sys.000, md.000.sys.001"),
        (None, fails_of_one_system("md"), "there is no physical frame of md.000.sys.001; 1 of 2"),
    ],
    ids=["it breaks", "it breaks at once", "one structure fails"],
)
def test_a_condition_is_not_reached_where_its_md_does_not_hold(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    broken: Optional[int],
    executor: ToyExecutor,
    words: str,
) -> None:
    """All frames that are left are accepted, and all controls are right."""
    use_truth(monkeypatch)
    monkeypatch.setattr(TruthExplorer, "broken", broken)
    result = truth(tmp_path, {**BOTH, "strategy.max_iterations": 3}, executor)
    (found,) = result.target.conditions
    assert (result.target.reached, found.state) == (False, "max_iterations")
    assert found.all.wrong == 0
    assert words in target_lines(result.target)[-2]
    assert f"iter.0002: {words.partition(';')[0]}" in caplog.text  # and no more than that


def test_a_condition_is_not_reached_where_its_mds_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_truth(monkeypatch)
    monkeypatch.setattr(TruthExplorer, "early", "it died")
    result = truth(tmp_path, {"strategy.max_iterations": 3}, ToyExecutor())
    assert result.target.conditions[0].all.share == 1.0
    assert result.target.reached is False
    words = "1 of 1 trajectories did not come to their end. What may help"
    assert words in target_lines(result.target)[-2]


def test_a_structure_of_which_all_labels_failed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_truth(monkeypatch)
    asked = {**BOTH, "DFT.max_failed_rate": 0.6}
    result = truth(tmp_path, asked, fails_of_one_system("scf"))
    assert result.target.reached is True
    lines = target_lines(result.target)
    assert "nothing is proved of md.000.sys.001, which has no control label" in lines[-2]
    assert lines[-3].endswith("4 of 8 control frames have no label")
    assert "; but condition 0: 4 of 8" in lines[-1]


def test_frames_without_an_uncertainty_are_named_as_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_truth(monkeypatch)
    monkeypatch.setattr(TruthExplorer, "strange", True)
    monkeypatch.setattr(known_truth, "STRANGE", dict.fromkeys(range(FRAMES), 0.0))
    result = truth(tmp_path, {"strategy.max_iterations": 2}, ToyExecutor())
    assert result.target.reached is False
    assert "uncertainty of all 41 physical frames is zero" in target_lines(result.target)[-2]


def test_a_late_label_leaves_real_selections_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    use_truth(monkeypatch)
    first = truth(tmp_path, {}, ToyExecutor())
    steps_labelled = sorted((tmp_path / "iter.0000/02.label/scf").rglob("*-scf"))
    lossy = ToyExecutor()
    lossy.spoil = {steps_labelled[0].relative_to(tmp_path).as_posix(): "nothing"}
    other = tmp_path / "other"
    other.mkdir()
    truth(other, {"DFT.max_failed_rate": 0.5}, lossy)
    kept = results(other)
    caplog.clear()
    executor = ToyExecutor()
    result = truth(other, {"DFT.max_failed_rate": 0.5}, executor)
    assert [Path(one).name for one in executor.ran] == [steps_labelled[0].name]
    assert "iter.0001/appraise: kept as it is" in caplog.text
    assert "iter.0001/select: kept as it is" in caplog.text
    changed = {name for name, data in results(other).items() if kept[name] != data}
    assert changed == {"iter.0000/02.label/result/train.xyz", "iter_result.txt"}
    assert first.target.reached is True
    assert result.target.conditions[0].state in ("reached", "running")
    again = ToyExecutor()
    truth(other, {"DFT.max_failed_rate": 0.5}, again)
    assert again.ran == []
