"""A campaign that is given a target error, with engines of which everything is known."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from pwact import engines
from pwact.cli.main import main
from pwact.errors import StageChangedError
from pwact.formats.frames import write_frames
from pwact.io.journal import Journal
from pwact.query.calibration import LATEST, WORSE, Pairs, accepted_up_to, calibrate
from pwact.query.scales import ABSOLUTE, RELATIVE
from pwact.report.calibration import TrainingRow
from pwact.report.records import PairRecord
from pwact.workflow import ledger
from pwact.workflow.known_pairs import KnownPair, scale_of, too_few
from tests.force_fields import facts
from tests.workflow.dying import until_done
from tests.workflow.known_truth import (
    FRAMES,
    RATIO,
    TARGET,
    TRAINED,
    TruthExplorer,
    hardness,
    sigma_of,
    size,
    truth_param,
    use_truth,
)
from tests.workflow.pairs import labelled, write_files
from tests.workflow.script_campaign import ScriptExecutor, write_scripts
from tests.workflow.script_campaign import loop as script_loop
from tests.workflow.toy_campaign import ToyExecutor, run_loop

FIRST = 6  # frames of the first data set
SELECT, TRAINING = "01.explore/select", "01.explore/appraise/training.csv"
MD = "01.explore/md/md.000.sys.{0:03d}/md.000.sys.{0:03d}.t.000"


@pytest.fixture(autouse=True)
def _truth(monkeypatch: pytest.MonkeyPatch) -> None:
    use_truth(monkeypatch)


def run(work_dir: Path, changes: Optional[dict[str, Any]] = None, **options: Any) -> list[str]:
    write_files(work_dir, {"calculator": "emt"})
    write_frames(work_dir / "init.xyz", labelled(FIRST), "extxyz")
    executor = ToyExecutor()
    run_loop(work_dir, truth_param(changes or {}), executor, **options)
    return executor.ran


def rows(work_dir: Path, iteration: int, name: str) -> list[dict[str, str]]:
    with (work_dir / f"iter.{iteration:04d}" / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def selected(work_dir: Path, iteration: int, name: str) -> list[dict[str, str]]:
    return rows(work_dir, iteration, f"{SELECT}/{name}")


def report(work_dir: Path, stage: str) -> Any:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    return ledger.stages(events)[stage].report


def column(table: list[dict[str, str]], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in table])


def learned(work_dir: Path, iteration: int) -> int:
    """How many frames the models of an iteration saw."""
    before = [len(selected(work_dir, number, "candidate.csv")) for number in range(iteration)]
    return FIRST + sum(before)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished campaign that nobody changes."""
    place = tmp_path_factory.mktemp("done")
    with pytest.MonkeyPatch.context() as patch:
        use_truth(patch)
        run(place)
    return place


def test_the_models_are_judged_on_their_training_data(done: Path) -> None:
    for iteration in (0, 1):
        sigma = report(done, f"iter.{iteration:04d}/appraise")["sigma"]
        assert sigma == pytest.approx(sigma_of(learned(done, iteration)))
    table = rows(done, 0, TRAINING)
    assert len(table) == FIRST
    assert column(table, "rmse_force") == pytest.approx(sigma_of(FIRST))
    assert column(table, "uncertainty") == pytest.approx(sigma_of(FIRST) * TRAINED / RATIO)
    # there are labels by now, so that the uncertainty of training frames is not asked for
    assert {row["uncertainty"] for row in rows(done, 1, TRAINING)} == {""}


def test_the_first_limit_comes_from_the_training_data(done: Path) -> None:
    (limits,) = selected(done, 0, "limits.csv")
    assert (limits["pairs_from"], limits["pairs"]) == ("training", str(FIRST))
    sigma = sigma_of(FIRST)
    first = np.full(FIRST, sigma * TRAINED / RATIO), np.full(FIRST, WORSE * sigma)
    line = calibrate(Pairs(*first))
    assert line is not None
    u = np.concatenate([sigma * hardness_of(done, 0, system) / RATIO for system in (0, 1)])
    limit = accepted_up_to(line, TARGET, u)
    assert limit is not None
    assert float(limits["limit"]) == pytest.approx(limit)
    assert int(limits["accepted"]) == np.count_nonzero(u <= limit)
    assert selected(done, 0, "calibration.csv") == []


def hardness_of(work_dir: Path, iteration: int, system: int) -> np.ndarray:
    """Of the frames of a system."""
    place = work_dir / f"iter.{iteration:04d}" / MD.format(system)
    return hardness(int((place / "md.log").read_text()), FRAMES)


def test_pairs_are_of_the_model_before_it_learned_the_frame(done: Path) -> None:
    """Whose σ, whose u and whose error: all three of the model that explored."""
    for iteration in (0, 1):
        sigma = sigma_of(learned(done, iteration))
        pairs = report(done, f"iter.{iteration:04d}/label")["pairs"]
        assert len(pairs) == (16, 10)[iteration]  # of a second condition five of each system
        for pair in pairs:
            system = int(pair["trajectory"][-9:-6])
            hard = hardness_of(done, iteration, system)[pair["step"] // 10]
            assert pair["error"] == pytest.approx(size(learned(done, iteration)) * hard, rel=1e-6)
            assert pair["uncertainty"] == pytest.approx(sigma * hard / RATIO, rel=1e-6)
            assert pair["sigma"] == pytest.approx(sigma, rel=1e-6)
            assert pair["scaled"] == pytest.approx(sigma * hard / RATIO, rel=1e-6)
            assert pair["condition"] == iteration
    table = selected(done, 1, "calibration.csv")
    assert {row["iteration"] for row in table} == {"0"}
    ratio = column(table, "rmse_force") / column(table, "uncertainty_scaled")
    assert ratio == pytest.approx(RATIO / TRAINED)


def test_pairs_of_several_models_lie_on_one_line(tmp_path: Path) -> None:
    """A committee says forces, which are compared as they are."""
    job = truth_param()["explore"]["md_jobs"][0]
    run(tmp_path, {"explore.md_jobs": [[job], [job], [job]]})
    table = selected(tmp_path, 2, "calibration.csv")
    assert [row["iteration"] for row in table] == ["0"] * 16 + ["1"] * 10
    ratio = column(table, "rmse_force") / column(table, "uncertainty_scaled")
    assert ratio == pytest.approx(RATIO / TRAINED)
    assert {row["sigma"] for row in table} == {
        f"{sigma_of(learned(tmp_path, number)):.8g}" for number in (0, 1)
    }
    elsewhere = np.full(26, True)
    line = calibrate(
        Pairs(column(table, "uncertainty_scaled"), column(table, "rmse_force"), elsewhere=elsewhere)
    )
    assert line is not None
    sigma = sigma_of(learned(tmp_path, 2))
    u = np.concatenate([hardness_of(tmp_path, 2, system) for system in (0, 1)]) / RATIO
    (limits,) = selected(tmp_path, 2, "limits.csv")
    assert limits["measure"] == "u_alone"
    assert float(limits["limit"]) == pytest.approx(accepted_up_to(line, TARGET, sigma * u))


def test_controls_are_drawn_and_marked(done: Path) -> None:
    for iteration in (0, 1):
        table = selected(done, iteration, "candidate.csv")
        for system in (0, 1):
            mine = [row for row in table if row["file_path"].endswith(MD.format(system))]
            kinds = [row["kind"] for row in mine]
            assert (len(kinds), kinds.count("control")) == ((8, 5)[iteration], 2)
        labels = rows(done, iteration, "02.label/result/label_error.csv")
        assert [row["kind"] for row in labels] == [row["kind"] for row in table]
        assert column(labels, "uncertainty_scaled") == pytest.approx(
            column(table, "uncertainty_scaled")
        )
        kinds = [pair["kind"] for pair in report(done, f"iter.{iteration:04d}/label")["pairs"]]
        assert kinds == [row["kind"] for row in table]


def test_what_is_accepted_is_below_the_target(done: Path) -> None:
    """And what is chosen lies above the limit; a control may lie anywhere."""
    (limits,) = selected(done, 1, "limits.csv")
    limit = float(limits["limit"])
    accepted = column(selected(done, 1, "accurate.csv"), "devi_force")
    assert accepted.max() <= limit * (1 + 1e-6)
    errors = accepted * RATIO / TRAINED
    assert np.mean(errors < TARGET) >= 0.9
    table = selected(done, 1, "candidate.csv")
    chosen = [row for row in table if row["kind"] == "chosen"]
    assert column(chosen, "uncertainty_scaled").min() > limit
    left = column(selected(done, 1, "candidate_delete.csv"), "devi_force")
    assert left.min() > limit
    counts = report(done, "iter.0001/select")
    assert counts["frames"] == 2 * FRAMES
    assert counts["target"]["accepted"] == int(limits["accepted"])
    controls = [row for row in table if row["kind"] == "control"]
    below = np.count_nonzero(column(controls, "uncertainty_scaled") <= limit)
    assert counts["accurate"] == counts["target"]["accepted"] - below


def test_the_round_is_told(done: Path) -> None:
    record = report(done, "iter.0001/select")["target"]
    assert (record["pairs"], record["starting"], record["measure"]) == (LATEST, False, "u_alone")
    assert (record["target"], record["condition"]) == (TARGET, 1)
    # errors are RATIO / TRAINED times U, without scatter
    assert record["at_limit"] == pytest.approx(record["limit"] * RATIO / TRAINED, rel=0.05)
    spread = record["spread"]
    assert len(spread) == 20
    assert spread == sorted(spread)
    assert sum(one <= record["limit"] for one in spread) == record["accepted"] * 20 // 82
    (limits,) = selected(done, 1, "limits.csv")
    assert float(limits["error_at_limit"]) == pytest.approx(record["at_limit"], rel=1e-6)
    assert (record["controls"], record["selected"], record["floor"]) == (4, 10, "")
    text = (done / f"iter.0001/{SELECT}/select_summary.txt").read_text()
    line = (
        f"limit U ≤ {record['limit']:.3g} (error about {record['at_limit']:.2g} eV/Å) "
        f"from {LATEST} pairs; {record['accepted']} of 82 frames "
        f"accepted (expected {100 * record['expected']:.0f} % below 0.02 eV/Å); 10 to label, 4 of "
        "them controls"
    )
    assert line in text
    assert line in (done / "iter_result.txt").read_text()


def test_a_second_start_finds_all_done(tmp_path: Path) -> None:
    run(tmp_path)
    before = products(tmp_path)
    assert run(tmp_path) == []
    assert products(tmp_path) == before


def products(work_dir: Path) -> dict[str, bytes]:
    names = ("candidate.csv", "limits.csv", "calibration.csv", "label_error.csv", "train.xyz")
    found = {path for name in names for path in work_dir.rglob(name) if "-bk-" not in str(path)}
    return {path.relative_to(work_dir).as_posix(): path.read_bytes() for path in found}


@pytest.mark.parametrize("lost", ["01.explore/appraise", SELECT, "02.label", "00.train"])
def test_what_is_lost_is_made_again_to_the_same_bytes(
    tmp_path: Path, done: Path, lost: str
) -> None:
    run(tmp_path)
    shutil.rmtree(tmp_path / "iter.0001" / lost)
    run(tmp_path)
    assert products(tmp_path) == products(done)


def test_nothing_is_labelled_while_others_explore(tmp_path: Path, done: Path) -> None:
    """One limit holds for all systems, so that it is known when all have ended."""
    ran = run(tmp_path, {"streaming": True})
    first_label = next(place for place, name in enumerate(ran) if "02.label" in name)
    explored = [place for place, name in enumerate(ran) if "iter.0000/01.explore/md" in name]
    assert len(explored) == 2
    assert max(explored) < first_label
    assert products(tmp_path) == products(done)


def test_frames_after_the_first_unphysical_one_are_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TruthExplorer, "broken", 20)
    run(tmp_path)
    record = report(tmp_path, "iter.0001/select")["target"]
    assert (record["frames"], record["unphysical"]) == (40, 42)
    assert {int(row["config_index"]) for row in selected(tmp_path, 1, "fail.csv")} == {
        10 * step for step in range(20, FRAMES)
    }
    steps = [int(row["config_index"]) for row in selected(tmp_path, 1, "candidate.csv")]
    assert max(steps) < 200


def test_frames_without_an_uncertainty_are_never_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may be labelled, and give no pair."""
    monkeypatch.setattr(TruthExplorer, "strange", True)
    run(tmp_path, {"strategy.max_select": 60, "explore.md_jobs.0.select_sys": [FRAMES]})
    strange = {"30", "40"}
    for iteration in (0, 1):
        accepted = selected(tmp_path, iteration, "accurate.csv")
        assert not strange & {row["config_index"] for row in accepted}
    labels = report(tmp_path, "iter.0000/label")["pairs"]
    found = [pair for pair in labels if str(pair["step"]) in strange]
    assert len(found) == 4
    assert {pair["scaled"] for pair in found} == {0.0, None}
    (limits,) = selected(tmp_path, 1, "limits.csv")
    assert int(limits["pairs"]) == min(LATEST, len(labels) - len(found))


def test_a_model_that_cannot_reach_the_target_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, {"strategy.target_force_error": 0.002, "strategy.pick": "random"})
    record = report(tmp_path, "iter.0000/select")["target"]
    assert "more than the target of 0.002 eV/Å" in record["floor"]
    assert record["rule"] == "randomly"
    assert any("this model cannot reach the target" in one for one in caplog.messages)
    (limits,) = selected(tmp_path, 0, "limits.csv")
    assert "more than the target" in limits["floor"]


def test_one_model_with_its_kalman_filter(tmp_path: Path, done: Path) -> None:
    """Its variance is the square of what the committee says, but for σ, so that U is the same."""
    run(tmp_path, {"strategy.uncertainty": "KPU", "strategy.model_num": None})
    training = rows(tmp_path, 0, TRAINING)
    assert column(training, "uncertainty") == pytest.approx(TRAINED / RATIO, rel=1e-6)
    for iteration in (0, 1):
        pairs = report(tmp_path, f"iter.{iteration:04d}/label")["pairs"]
        sigma = sigma_of(learned(tmp_path, iteration))
        ratio = [pair["error"] / pair["scaled"] for pair in pairs]
        assert ratio == pytest.approx([RATIO / TRAINED] * len(pairs), rel=1e-5)
        sigmas = [pair["sigma"] for pair in pairs]
        assert sigmas == pytest.approx([sigma] * len(pairs), rel=1e-6)
        (limits,) = selected(tmp_path, iteration, "limits.csv")
        assert limits["measure"] == "u"
    (mine,), (other,) = (selected(place, 0, "limits.csv") for place in (tmp_path, done))
    assert float(mine["limit"]) == pytest.approx(float(other["limit"]), rel=0.2)


def test_killed_at_every_line_it_ends_the_same(
    tmp_path: Path, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = until_done(monkeypatch, lambda: run(tmp_path), torn=True)
    assert deaths > 30
    assert products(tmp_path) == products(done)
    assert len(products(tmp_path)) == 2 * 5


def test_another_target_is_refused_and_selected_again_on_request(tmp_path: Path) -> None:
    run(tmp_path)
    other = {"strategy.target_force_error": 0.03}
    with pytest.raises(StageChangedError, match=r"target was 0\.02, is 0\.03"):
        run(tmp_path, other)
    ran = run(tmp_path, other, redo=("iter.0000/select",))
    assert not any("00.train/train" in name and "iter.0000" in name for name in ran)
    assert report(tmp_path, "iter.0000/select")["target"]["target"] == 0.03
    fresh = tmp_path / "fresh"
    run(fresh, other)
    assert (
        products(tmp_path).items()
        >= {name: text for name, text in products(fresh).items() if "iter.0000/01" in name}.items()
    )


@pytest.mark.parametrize("window", [False, True])
def test_the_first_model_of_the_last_committee_is_the_force_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: bool
) -> None:
    """It saw all frames; with a window it saw a draw of them, so that one more is trained."""
    monkeypatch.setitem(engines.TRAINERS, "pod", "tests.workflow.toys:DrawingTrainer")
    limits = {"model_num": 3, "lower_model_devi_f": 0.1, "upper_model_devi_f": 5.0}
    changes = {"final": None, **({"strategy": limits} if window else {})}
    ran = run(tmp_path, changes)
    trained = "03.final/train" if window else "00.train/train.000"
    assert facts(tmp_path / "final")["trained_in"] == f"iter.0002/{trained}"
    assert [place for place in ran if place.endswith("03.final/train")] == (
        [str(tmp_path / "iter.0002/03.final/train")] if window else []
    )
    assert not json.loads((tmp_path / "iter.0002" / trained / "draws.json").read_text())
    assert run(tmp_path, changes) == []


def test_the_lots_belong_to_the_seed_and_the_place(tmp_path: Path, done: Path) -> None:
    run(tmp_path, {"seed": 8})
    mine, other = products(tmp_path), products(done)
    name = "iter.0000/01.explore/select/candidate.csv"
    assert mine[name] != other[name]


def test_filter_gives_the_limit_again(done: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the labels of both iterations, by the same measure."""
    assert main(["filter", "-i", str(done / "iter.0001/01.explore/md"), "--target", "0.02"]) == 0
    said = capsys.readouterr().out
    sigma = sigma_of(learned(done, 1))
    u = sigma * np.concatenate([hardness_of(done, 1, system) for system in (0, 1)]) / RATIO
    known = [
        pair for number in (0, 1) for pair in report(done, f"iter.{number:04d}/label")["pairs"]
    ]
    pairs = Pairs(*(np.array([pair[name] for pair in known]) for name in ("scaled", "error")))
    line = calibrate(pairs)
    assert line is not None
    limit = accepted_up_to(line, TARGET, u)
    assert limit is not None
    assert f"lower limit {limit:.3g}: {np.count_nonzero(u <= limit)} of 82 frames" in said


def test_a_script_that_labels_gives_pairs_too(tmp_path: Path) -> None:
    write_scripts(tmp_path)
    write_frames(tmp_path / "init.xyz", labelled(FIRST), "extxyz")
    truth = truth_param()
    changes = {
        "strategy": truth["strategy"],
        "explore.md_jobs": truth["explore"]["md_jobs"][:1],
        "DFT": {"dft_style": "bigmodel", "bigmodel_script": "label.py"},
    }
    script_loop(tmp_path, ScriptExecutor(), changes)
    pairs = report(tmp_path, "iter.0000/label")["pairs"]
    assert [pair["kind"] for pair in pairs].count("control") == 4
    ratio = [pair["error"] / pair["scaled"] for pair in pairs]
    assert ratio == pytest.approx([RATIO / TRAINED] * 16, rel=1e-5)


def test_labels_that_are_no_pairs_leave_the_training_frames_in_their_place() -> None:
    """Five labels, of which one is a perfect crystal: four pairs give no limit."""
    good = PairRecord(scaled=0.1, uncertainty=1.0, force=2.0, sigma=0.1, error=0.02)
    crystal = replace(good, uncertainty=1e-16, error=1e-15)
    silent = replace(good, uncertainty=None)
    for bad in (crystal, silent):
        known = [KnownPair(0, one) for one in (bad, good, good, good, good)]
        assert too_few(known, RELATIVE)
        training = [TrainingRow("0", 4, 1.0, 2.0, 0.02)] * 6
        assert scale_of(known, training, 0.1, 0, RELATIVE).starting
        assert not too_few([*known, KnownPair(0, good)], RELATIVE)
        assert not scale_of([*known, KnownPair(0, good)], training, 0.1, 0, RELATIVE).starting
    unscaled = [KnownPair(0, replace(good, sigma=float("nan")))] * 5
    for scales, few in ((RELATIVE, True), (ABSOLUTE, False)):
        assert too_few(unscaled, scales) is few
        assert scale_of(unscaled, training, 0.1, 0, scales).starting is few


def test_pairs_of_other_conditions_are_marked() -> None:
    first, second = (PairRecord("", 0, 1.0, 1.0, 1.0, 1.0, 1.0, condition=n) for n in (0, 1))
    known = [KnownPair(0, first), *[KnownPair(1, second)] * 5]
    found = [scale_of(known, (), 0.1, number, RELATIVE) for number in (0, 1, 2)]
    apart = [one.pairs.elsewhere for one in found]
    assert [one.tolist() for one in apart if one is not None] == [
        [False, *[True] * 5],
        [True, *[False] * 5],
        [True] * 6,
    ]
