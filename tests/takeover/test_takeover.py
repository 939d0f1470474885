"""`pwact run` goes on with campaigns that PWact began."""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import numpy as np
import pytest

from pwact.cli.main import main
from pwact.config.param import LoadedPair
from pwact.errors import InputError, StageChangedError
from pwact.formats.frames import read_frames, write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.results import find_results
from pwact.io.journal import Journal
from pwact.registry.engines import LABELERS
from pwact.takeover import campaign as takeovers
from pwact.takeover.campaign import Takeover, plan, take_over
from pwact.tools.data.gather import gather, sources_of
from pwact.workflow import ledger
from pwact.workflow.active_learning import RunResult, run_active_learning
from pwact.workflow.checks.outlook import outlook
from pwact.workflow.conditions import on_record
from pwact.workflow.opening import CampaignOptions
from tests.force_fields import facts
from tests.workflow import matpl_campaign
from tests.workflow.known_truth import use_truth
from tests.workflow.pairs import deep_update, labelled, load, resources, run_param, write_files
from tests.workflow.pwact_trees import TEMP, VARIANTS, Variant, content, leave
from tests.workflow.toy_campaign import ToyExecutor, campaign, use_toys

LASTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
EACH = [(name, last) for name in VARIANTS for last in LASTS]


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def pair_in(work_dir: Path, variant: Variant, **more: Any) -> LoadedPair:
    write_files(work_dir, {"calculator": "emt"})
    param = run_param()
    if variant.data_format != "extxyz":
        if not (work_dir / "init").exists():
            write_frames(work_dir / "init", labelled(3), variant.data_format)
        param |= {"init_data": ["init"], "data_format": variant.data_format}
    return load(work_dir, deep_update(param, {"record_file": variant.record, **more}), resources())


def go_on(pair: LoadedPair, executor: Optional[ToyExecutor] = None, **options: Any) -> RunResult:
    """What the command `run` does."""
    config = pair.config
    takeover = plan(config, pair.resources)
    with campaign(config.work_dir, "run", 7, executor or ToyExecutor(), **options) as opened:
        take_over(opened, takeover)
        return run_active_learning(config, pair.resources, opened)


def planned(pair: LoadedPair) -> Takeover:
    found = plan(pair.config, pair.resources)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole campaign of ours in every format."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        use_toys(patch)
        for name, variant in VARIANTS.items():
            made[name] = tmp_path_factory.mktemp(name)
            go_on(pair_in(made[name], variant, reserve_md_traj=True))
    return made


def start(
    tmp_path: Path, finished: dict[str, Path], name: str, last: tuple[int, int], **more: Any
) -> LoadedPair:
    leave(finished[name], tmp_path, last, VARIANTS[name])
    return pair_in(tmp_path, VARIANTS[name], **more)


def results(work_dir: Path) -> dict[str, bytes]:
    """Labelled data and models, whatever the step directories are called."""
    found = {}
    for place in ("*label/result/train.xyz", "*label/result/PWdata/**/*.npy", "*train/*/model"):
        for path in sorted(work_dir.glob(f"iter.*/{place}")):
            parts = [
                part.rpartition(".")[2] if n == 1 else part
                for n, part in enumerate(path.relative_to(work_dir).parts)
            ]
            found["/".join(parts)] = path.read_bytes()
    return found


@pytest.mark.parametrize(("name", "last"), EACH)
def test_the_campaign_goes_on_after_the_last_finished_step(
    tmp_path: Path, finished: dict[str, Path], name: str, last: tuple[int, int]
) -> None:
    pair = start(tmp_path, finished, name, last)
    before = content(tmp_path)
    executor = ToyExecutor()
    result = go_on(pair, executor)
    after = content(tmp_path)
    unfinished = {path for path in before if path.endswith("/begun") and TEMP not in path}
    assert {path: after.get(path) for path in before if path not in unfinished} == {
        path: text for path, text in before.items() if path not in unfinished
    }
    (begun,) = unfinished
    step = begun.rpartition("/")[0]
    assert after[f"{step}-bk-1/begun"] == before[begun]
    assert begun not in after
    assert results(tmp_path) == results(finished[name])
    ran = [Path(place).relative_to(tmp_path).as_posix() for place in executor.ran]
    done = {
        f"iter.{k:04d}/{VARIANTS[name].name(step)}"
        for k, s in LASTS
        if (k, s) <= last
        for step in [("train", "explore", "label")[s]]
    }
    assert not [place for place in ran if "/".join(place.split("/")[:2]) in done]
    assert [row.label.labelled for row in result.rows[:2] if row.label] == [4, 4]
    assert [row.select.candidate for row in result.rows[:2] if row.select] == [
        *candidates_of(finished[name])
    ]
    sources = sources_of(find_results(tmp_path), None)
    assert len(gather(sources, tmp_path / "all").train) == 2


def candidates_of(work_dir: Path) -> list[int]:
    return [
        sum(
            len((work_dir / f"iter.000{k}/01.explore/select/{name}").read_text().splitlines()) - 1
            for name in ("candidate.csv", "candidate_delete.csv")
            if (work_dir / f"iter.000{k}/01.explore/select/{name}").exists()
        )
        for k in (0, 1)
    ]


@pytest.mark.parametrize("name", VARIANTS)
def test_a_second_start_finds_everything_done(
    tmp_path: Path, finished: dict[str, Path], name: str
) -> None:
    pair = start(tmp_path, finished, name, (1, 0))
    go_on(pair)
    before = content(tmp_path)
    executor = ToyExecutor()
    assert plan(pair.config, pair.resources) is None
    go_on(pair, executor)
    assert executor.ran == []
    assert content(tmp_path) == before


def test_a_finished_campaign_of_pwact_is_continued_by_further_jobs(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (1, 2))
    shutil.copytree(
        finished["0.4"] / "iter.0002/00.train", tmp_path / "iter.0002/00.train", dirs_exist_ok=True
    )
    with (tmp_path / "al.record").open("a") as record:
        record.write("\n2 0")
    executor = ToyExecutor()
    go_on(pair, executor)
    assert executor.ran == []
    job = {**run_param()["explore"]["md_jobs"][0], "temps": [200]}
    more = deep_update(run_param(), {"explore.md_jobs": [*run_param()["explore"]["md_jobs"], job]})
    result = go_on(load(tmp_path, more, resources()), executor)
    assert len(result.data_sets) == 3
    assert not [place for place in executor.ran if "iter.0002/00.train" in place]


def test_the_journal_the_record_and_the_summary_tell_it(
    tmp_path: Path, finished: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 1))
    summary = (tmp_path / "iter_select.txt").read_text()
    with caplog.at_level(logging.INFO):
        go_on(pair)
    assert "(last line of al.record): iter.0000 train, iter.0000 explore; these" in caplog.text
    assert "02.label makes way to iter.0000/02.label-bk-1" in caplog.text
    assert f"iter.0000/{TEMP} of PWact is left as it is" in caplog.text
    (event,) = [
        e for e in Journal(tmp_path / ".pwact/journal.jsonl").events() if e["event"] == "taken_over"
    ]
    assert event["record"] == "\n0 0\n0 1"
    names = [stage["name"] for stage in event["stages"]]
    assert names == ["iter.0000/train", "iter.0000/explore", "iter.0000/select"]
    assert all(stage["files"] for stage in event["stages"])
    assert (tmp_path / "al.record").read_text() == "".join(
        f"\n{line}" for line in ("0 0", "0 1", "0 2", "1 0", "1 1", "1 2", "2 0")
    )
    assert (tmp_path / "iter_select.txt-bk-1").read_text() == summary
    lines = (tmp_path / "iter_result.txt").read_text().splitlines()
    assert lines[0] == "iter.0000  Total structures 10    accurate 2 (PWact, iter.0000)"
    assert lines[1] == "Total 2 trajectories (as PWact says)"
    assert lines[2] == "Number of converged files: 4, number of non-converged files: 0"


REFUSED = r"trajectories of PWact.*--redo iter\.0000/explore"


@pytest.mark.parametrize("word", ["iter.0000/label", "iter.0000/select"])
def test_frames_that_are_gone_are_named_beforehand_and_a_redo_is_refused(
    tmp_path: Path, finished: dict[str, Path], word: str
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 2))
    (warning,) = [
        words for words in planned(pair).words if "trajectories of PWact are gone" in words
    ]
    assert warning.startswith("iter.0000/label: its labels count")
    go_on(pair)
    assert outlook(pair) is not None
    before = content(tmp_path)
    with pytest.raises(StageChangedError, match=REFUSED):
        outlook(pair, CampaignOptions(redo=(word,)))
    with pytest.raises(StageChangedError, match=REFUSED):
        go_on(pair, redo=(word,))
    assert content(tmp_path) == before
    executor = ToyExecutor()
    go_on(pair, executor, redo=("iter.0000/explore",))
    assert [name for name in executor.ran if "iter.0000/01.explore/md" in name]
    go_on(pair, redo=(word,))  # now the seeds are ours


def test_frames_that_are_there_are_not_said_to_be_gone(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 1))
    assert not [words for words in planned(pair).words if "gone" in words]


def test_what_pwact_did_is_watched_for_changes(tmp_path: Path, finished: dict[str, Path]) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 2))
    go_on(pair)
    model = tmp_path / "iter.0000/00.train/train.001/model"
    model.write_text(model.read_text() + " ")
    with pytest.raises(StageChangedError, match="iter.0000/train.*train.001/model was altered"):
        go_on(pair)
    result = go_on(pair, redo=("iter.0000/train",))
    assert (tmp_path / "iter.0000/00.train-bk-1/train.001/std_input.json").exists()
    assert [row.label.labelled for row in result.rows[:2] if row.label] == [4, 4]


class Killed(BaseException):
    """SIGKILL, as far as a test can."""


@pytest.mark.parametrize("number", range(6))
def test_killed_while_taking_over(
    tmp_path: Path, finished: dict[str, Path], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after the event, before or after each move, before the end is noted."""
    pair = start(tmp_path, finished, "0.2", (0, 1))
    before = content(tmp_path)
    count = iter(range(99))
    real_move, real_append = takeovers.make_way, Journal.append

    def move(old: Path, new: Path) -> None:
        if next(count) == number:
            raise Killed
        real_move(old, new)

    def append(self: Journal, event: str, **fields: Any) -> None:
        if event.startswith("taken_over") and next(count) == number:
            raise Killed
        real_append(self, event, **fields)
        if event == "taken_over" and next(count) == number:
            raise Killed

    monkeypatch.setattr(takeovers, "make_way", move)
    monkeypatch.setattr(Journal, "append", append)
    with pytest.raises(Killed):
        go_on(pair)
    monkeypatch.setattr(takeovers, "make_way", real_move)
    monkeypatch.setattr(Journal, "append", real_append)
    go_on(pair)
    after = content(tmp_path)
    kept = {path for path in before if path != "iter.0000/label/begun"}
    assert {path: after.get(path) for path in kept} == {path: before[path] for path in kept}
    assert after["iter.0000/label-bk-1/begun"] == before["iter.0000/label/begun"]
    assert results(tmp_path) == results(finished["0.2"])
    assert sorted(path.name for path in tmp_path.glob("*-bk-*")) == [
        "iter_select.txt-bk-1",
        "si.al-bk-1",
    ]


def test_a_backup_that_is_deleted_later_is_not_made_again(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 1))
    go_on(pair)
    shutil.rmtree(tmp_path / "iter.0000/02.label-bk-1")
    go_on(pair)
    assert not (tmp_path / "iter.0000/02.label-bk-1").exists()
    assert (tmp_path / "iter.0000/02.label/result/train.xyz").exists()


def test_lines_deleted_from_the_record_make_steps_run_again(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (1, 1))
    (tmp_path / "al.record").write_text("\n0 0\n0 1\n0 2\n\n")
    models = (tmp_path / "iter.0001/00.train/train.000/model").read_bytes()
    go_on(pair)
    for step in ("00.train", "01.explore", "02.label"):
        assert (tmp_path / f"iter.0001/{step}-bk-1").is_dir()
        assert (tmp_path / f"iter.0001/{step}").is_dir()
    assert (tmp_path / "iter.0001/00.train-bk-1/train.000/model").read_bytes() == models
    assert results(tmp_path) == results(finished["0.4"])


def test_a_first_training_that_pwact_did_not_finish_makes_way(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 0))
    (tmp_path / "al.record").unlink()
    go_on(pair)
    assert (tmp_path / "iter.0000/00.train-bk-1/train.000/std_input.json").exists()
    assert results(tmp_path) == results(finished["0.4"])


def test_without_candidates_there_are_no_labels(tmp_path: Path, finished: dict[str, Path]) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 2))
    shutil.rmtree(tmp_path / "iter.0000/02.label")
    table = tmp_path / "iter.0000/01.explore/select/candidate.csv"
    table.write_text(table.read_text().splitlines()[0] + "\n")
    executor = ToyExecutor()
    result = go_on(pair, executor)
    assert len(result.data_sets) == 1
    assert not [place for place in executor.ran if "iter.0001/00.train" in place]


def remove(*names: str) -> Any:
    def spoil(work_dir: Path) -> None:
        for name in names:
            path = work_dir / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return spoil


def write(name: str, text: str) -> Any:
    return lambda work_dir: (work_dir / name).write_text(text.format(own=os.getpid()))


@pytest.mark.parametrize(
    ("last", "spoil", "words"),
    [
        ((0, 2), remove("iter.0000/00.train/train.002"), "al.record: says that iter.0000/train"),
        ((0, 2), remove("iter.0000/01.explore/md"), "iter.0000/explore is done, but"),
        ((0, 2), remove("iter.0000/01.explore/select/candidate.csv"), "candidate.csv is missing"),
        ((0, 1), remove(f"iter.0000/{TEMP}/01.explore/md/md.000.sys.001"), "names step"),
        ((0, 2), write("al.record", "\n0 0\n0 two"), "line 3: found '0 two'"),
        ((0, 2), write("al.record", "\n0 3"), "found step 3; allowed: 0, 1, 2"),
        ((0, 2), write("al.record", "\n2 1"), "explore.md_jobs: .*iter.0002 explore is done"),
        ((0, 2), write("si.al", "\n0 1"), "records of finished steps differ"),
        ((0, 2), write("PID", "pid {own}"), "its process {own} lives"),
        ((0, 2), write("PID", "{own}"), "its process {own} lives"),
        ((0, 2), write("PID", "what"), "does not hold a process number"),
    ],
)
def test_what_cannot_be_taken_over_is_said_in_one_line(
    tmp_path: Path, finished: dict[str, Path], last: tuple[int, int], spoil: Any, words: str
) -> None:
    pair = start(tmp_path, finished, "0.4", last)
    spoil(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
    with pytest.raises(InputError, match=words.format(own=os.getpid())) as caught:
        plan(pair.config, pair.resources)
    assert "\n" not in str(caught.value)
    assert {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))} == before


def test_labels_that_are_not_there(tmp_path: Path, finished: dict[str, Path]) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 2))
    shutil.rmtree(tmp_path / "iter.0000/02.label/result")
    with pytest.raises(InputError, match="holds no labelled frames"):
        plan(pair.config, pair.resources)
    text = (tmp_path / "iter_select.txt").read_text()
    (tmp_path / "iter_select.txt").write_text(text.replace(" files: 4,", " files: 0,"))
    assert planned(pair).stages[-1][1].report["data"] == ""


def test_labels_in_another_format(tmp_path: Path, finished: dict[str, Path]) -> None:
    leave(finished["npy"], tmp_path, (0, 2), VARIANTS["npy"])
    pair = pair_in(tmp_path, VARIANTS["0.4"])
    with pytest.raises(InputError, match="data_format: the labels .* are pwmlff/npy, not extxyz"):
        plan(pair.config, pair.resources)


def test_folders_of_the_oldest_pwact_are_read(tmp_path: Path, finished: dict[str, Path]) -> None:
    pair = start(tmp_path, finished, "npy", (0, 2))
    result = tmp_path / "iter.0000/02.label/result"
    (result / "PWdata").rename(result / "md.000.sys.000.t.000")
    run = go_on(pair)
    assert run.data_sets[0] == result
    assert len(read_frames(result, "pwmlff/npy")) == 4


def test_squeue_is_asked_for_jobs_of_pwact(
    tmp_path: Path, finished: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = start(tmp_path, finished, "0.4", (0, 2))
    job = tmp_path / "iter.0001" / TEMP / "00.train"
    programs = tmp_path / "bin"
    programs.mkdir()
    squeue = programs / "squeue"
    squeue.write_text(
        "#!/bin/sh\n"
        f"echo '41|RUNNING|/elsewhere|{job}/0-train.job'\n"
        f"echo '42_3|PENDING|{job}|0-train.job'\n"
        f"echo '43|RUNNING|{tmp_path}-2/iter.0000|/else/0.job'\n"
        "echo '7|RUNNING|/elsewhere|/else/master.sh'\n"
    )
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert planned(pair).stages  # nothing here runs under SLURM
    (tmp_path / "PID").write_text("pid 4194303 job 7")
    with pytest.raises(InputError, match="in the queue: 41 42_3 7; .*'scancel 41 42_3 7'"):
        plan(pair.config, pair.resources)
    squeue.write_text("#!/bin/sh\necho slurm_load_jobs error >&2; exit 1\n")
    with pytest.raises(InputError, match="does not say .*: squeue: slurm_load_jobs error"):
        plan(pair.config, pair.resources)
    squeue.write_text("#!/bin/sh\n")
    assert planned(pair).stages


def test_the_command_line_says_it(
    tmp_path: Path,
    finished: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(tmp_path, finished, "0.2", (0, 1))
    monkeypatch.chdir(tmp_path)
    words = [str(tmp_path / "param.json"), str(tmp_path / "resource.json")]
    before = sorted(tmp_path.rglob("*"))
    assert main(["check", *words, "--strict"]) == 2
    assert "is 4.1 Å wide, less than twice the cutoff" in capsys.readouterr().err
    assert main(["check", *words]) == 0
    said = capsys.readouterr().out
    assert "taken over from PWact (last line of si.al): iter.0000 train, iter.0000 exp" in said
    assert "iter.0000/label makes way to iter.0000/label-bk-1" in said
    shutil.rmtree(tmp_path / "iter.0000/train/train.002")
    for command in ("check", "run"):
        assert main([command, *words]) == 2
        assert "si.al: says that iter.0000/train is done" in capsys.readouterr().err
    assert {path for path in tmp_path.rglob("*") if path.name != "PID"} <= set(before)


def test_a_moved_work_directory_is_no_hindrance(tmp_path: Path, finished: dict[str, Path]) -> None:
    leave(finished["0.2"], tmp_path / "old", (0, 1), VARIANTS["0.2"])
    (tmp_path / "old").rename(tmp_path / "new place")
    go_on(pair_in(tmp_path / "new place", VARIANTS["0.2"]))
    assert results(tmp_path / "new place") == results(finished["0.2"])


def test_kpu_is_not_taken_over_behind_an_exploration(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(
        tmp_path,
        finished,
        "0.4",
        (0, 1),
        **{"strategy.uncertainty": "kpu", "strategy.model_num": 1},
    )
    with pytest.raises(InputError, match="delete the lines from '0 1' on"):
        plan(pair.config, pair.resources)


@pytest.mark.slow
def test_models_and_dumps_of_matpl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for MatPL and the real LAMMPS: the same labels and models."""
    monkeypatch.undo()
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for place in (ours, theirs):
        matpl_campaign.write_inputs(place, "dp", {"scheduler": "local"})
        asked = json.loads((place / "param.json").read_text())
        (place / "param.json").write_text(json.dumps({**asked, "final": True}))
    matpl_campaign.run(ours)
    leave(ours, theirs, (0, 1), VARIANTS["0.4"])
    before = content(theirs)
    matpl_campaign.run(theirs)
    assert not (theirs / "iter.0000/01.explore/md/0-md.job").exists()
    after = content(theirs)
    assert {path: after.get(path) for path in before if "02.label" not in path} == {
        path: text for path, text in before.items() if "02.label" not in path
    }
    name = "iter.0000/02.label/result/train.xyz"
    assert (theirs / name).read_bytes() == (ours / name).read_bytes()
    train = "iter.0001/00.train/train.001/train.json"
    assert json.loads((theirs / train).read_text()) == json.loads((ours / train).read_text())
    told = [facts(place / "final") for place in (ours, theirs)]
    assert told[0]["check"] == told[1]["check"]
    assert told[0]["seeds"] == told[1]["seeds"]
    assert told[0]["trained_in"] == "iter.0001/00.train/train.000"
    assert "pair_style matpl torch_script_module.pt" in (ours / "final/in.lammps").read_text()


@pytest.mark.parametrize("turned", [True, False])
def test_virials_that_pwact_left_turned_are_named_once(
    tmp_path: Path, finished: dict[str, Path], monkeypatch: pytest.MonkeyPatch, turned: bool
) -> None:
    entry = replace(LABELERS["ase"], turned_by_pwact=turned)
    monkeypatch.setitem(LABELERS, "ase", entry)
    pair = start(tmp_path, finished, next(iter(VARIANTS)), (1, 2))
    for data in tmp_path.glob("iter.*/*label/result/train.xyz"):
        frames = read_frames(data, "extxyz")
        for frame in frames:
            set_labels(frame, -1.0, labels_of(frame).forces, np.eye(3))
        write_frames(data, frames, "extxyz")
    found = [words for words in planned(pair).words if "with the opposite sign" in words]
    assert len(found) == turned
    assert all("--virial-sign opposite" in words for words in found)


# ---- with a target


AIMED = {
    "strategy.lower_model_devi_f": None,
    "strategy.upper_model_devi_f": None,
    "strategy.target_force_error": 0.1,
    "strategy.max_iterations": 2,
    "strategy.pick": "random",
}


def test_with_a_target_what_was_selected_by_a_window_is_not_labelled(
    tmp_path: Path, finished: dict[str, Path]
) -> None:
    pair = start(tmp_path, finished, "0.4", (1, 1), **AIMED)
    before = content(tmp_path)
    with pytest.raises(InputError, match=r"al\.record: iter\.0001 .* delete the line '1 1'"):
        plan(pair.config, pair.resources)
    assert content(tmp_path) == before


@pytest.mark.parametrize("last", [(0, 2), (1, 2)], ids=["first", "second"])
def test_with_a_target_each_iteration_of_pwact_served_the_condition_of_its_number(
    tmp_path: Path,
    finished: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    last: tuple[int, int],
) -> None:
    pair = start(tmp_path, finished, "0.4", last, **AIMED)
    use_truth(monkeypatch)
    before = results(tmp_path)
    assert any("It drew no control labels" in words for words in planned(pair).warnings)
    result = go_on(pair)
    known = ledger.stages(Journal(tmp_path / ".pwact/journal.jsonl").events())
    served = [on_record(known, number) for number, row in enumerate(result.rows) if row.explore]
    assert served == [0, 1, 1] if last == (1, 2) else served == [0, 0, 1, 1]
    assert {name: results(tmp_path)[name] for name in before} == before
    assert result.target is not None
    executor = ToyExecutor()
    go_on(pair, executor)
    assert executor.ran == []
