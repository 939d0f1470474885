"""DIRECT and labels by a script in a run: what they get, what comes of what they leave."""

from __future__ import annotations

import csv
import logging
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

from pwact.errors import QuorumError, StageChangedError
from pwact.formats.extxyz import read_extxyz
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.io.journal import Journal
from tests.workflow import toys
from tests.workflow.pairs import run_param
from tests.workflow.script_campaign import (
    CHOOSE,
    DIRECT,
    EVERY_OTHER,
    HARMONIC,
    LABEL,
    READ,
    ScriptExecutor,
    loop,
    write_scripts,
)
from tests.workflow.toy_campaign import ToyExecutor, use_toys

JOB = {
    key: value for key, value in run_param()["explore"]["md_jobs"][0].items() if key != "select_sys"
}
ONE = {"explore.md_jobs": [JOB]}  # six candidates: three of each system
CHOOSES = {**ONE, "strategy.direct": True, "strategy.direct_script": "direct.py"}
LABELS = {**ONE, "DFT": {"dft_style": "bigmodel", "bigmodel_script": "label.py"}}
BOTH = {**LABELS, **CHOOSES}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def candidates(work_dir: Path) -> list[dict[str, str]]:
    return rows(work_dir / "iter.0000/01.explore/select/candidate.csv")


def data(work_dir: Path) -> Path:
    return work_dir / LABEL / "result/train.xyz"


def labelled(executor: ToyExecutor) -> list[str]:
    return [name for name in executor.ran if "02.label" in name]


# ---- DIRECT


def test_only_what_the_script_chooses_is_labelled(tmp_path: Path) -> None:
    write_scripts(tmp_path)
    executor = ScriptExecutor()
    result = loop(tmp_path, executor, CHOOSES)
    given, chosen = candidates(tmp_path), rows(tmp_path / DIRECT / "select.csv")
    assert len(given) == 6
    assert chosen == given[1::2]  # in the order of the candidates, whatever that of the script was
    assert len(labelled(executor)) == 3
    first = rows(tmp_path / LABEL / "result/label_error.csv")
    assert [(row["file_path"], row["config_index"]) for row in first] == [
        (row["file_path"], row["config_index"]) for row in chosen
    ]
    for frame in read_frames(data(tmp_path), "extxyz"):
        assert np.allclose(labels_of(frame).forces, toys.true_forces(frame))
    assert result.rows[0].label.labelled == 3
    lines = (tmp_path / "iter_result.txt").read_text().splitlines()
    assert lines[2] == "DIRECT: candidates 6, chosen 3"
    assert lines[3] == "Number of converged files: 3, number of non-converged files: 0"
    again = ScriptExecutor()
    loop(tmp_path, again, CHOOSES)
    assert again.ran == []


def test_the_script_finds_the_candidates_as_they_were_explored(tmp_path: Path) -> None:
    write_scripts(tmp_path)
    loop(tmp_path, ScriptExecutor(), CHOOSES)
    path = tmp_path / DIRECT / "candidate.xyz"
    assert "energy" not in path.read_text()
    given = candidates(tmp_path)
    assert len(read_extxyz(path)) == len(given)
    for row, found, by_ase in zip(given, read_extxyz(path), ase.io.read(path, ":")):
        seen = toys.ToyTrajectory(tmp_path / row["file_path"])
        (tmp_path / row["file_path"] / "traj").write_text("frames")
        frame = seen.frame(int(row["config_index"]))
        assert np.array_equal(found.positions, frame.positions)
        assert np.array_equal(found.arrays["forces"], frame.arrays["forces"])
        assert by_ase.get_chemical_symbols() == frame.get_chemical_symbols()


def test_what_no_code_should_get_is_not_among_the_candidates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toys.ToyExplorer, "collisions", (20,))
    write_scripts(tmp_path, CHOOSE + "assert len(frames) == 4\nchoose([3, 2, 1])\n")
    loop(tmp_path, ScriptExecutor(), CHOOSES)
    left_out = rows(tmp_path / DIRECT / "left_out.csv")
    assert [row["config_index"] for row in left_out] == ["20", "20"]
    steps = [row["config_index"] for row in rows(tmp_path / DIRECT / "select.csv")]
    assert steps == ["30", "10", "30"]
    assert not (tmp_path / LABEL / "left_out.csv").exists()
    text = (tmp_path / "iter_result.txt").read_text()
    assert "DIRECT: candidates 6, chosen 3\n" in text


def test_without_candidates_the_script_is_not_run(tmp_path: Path) -> None:
    write_scripts(tmp_path, "raise SystemExit(1)")
    executor = ScriptExecutor()
    loop(tmp_path, executor, {**BOTH, "explore.md_jobs": [{**JOB, "temps": [1]}]})
    assert not any(DIRECT in name or LABEL in name for name in executor.ran)
    assert "DIRECT: candidates 0, chosen 0\n" in (tmp_path / "iter_result.txt").read_text()


@pytest.mark.parametrize("changes", [CHOOSES, BOTH])
def test_a_script_may_choose_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    write_scripts(tmp_path, CHOOSE + "choose([])\n")
    executor = ScriptExecutor()
    result = loop(tmp_path, executor, changes)
    assert labelled(executor) == []
    assert "iter.0000/direct: the script chose no frame, so this iteration labels" in caplog.text
    assert (tmp_path / "iter.0001/00.train/train.000").is_symlink()
    assert (result.rows[0].label.labelled, result.data_sets) == (0, [])
    assert "DIRECT: candidates 6, chosen 0\n" in (tmp_path / "iter_result.txt").read_text()


def test_a_script_may_choose_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_scripts(tmp_path, CHOOSE + "choose(range(6))\n")
    loop(tmp_path, ScriptExecutor(), CHOOSES)
    assert "iter.0000/direct: the script chose all 6 candidates" in caplog.text
    assert rows(tmp_path / DIRECT / "select.csv") == candidates(tmp_path)


WRONG_CHOICES = [
    ("it fails", "raise ValueError('out of memory')", "exit status 0", "out of memory"),
    ("it writes nothing", "print('nothing')", "select.xyz: cannot be read", "nothing"),
    ("no numbers", CHOOSE + "choose([1])\nPath('select_idx.dat').unlink()", "select_idx.dat", ""),
    ("no frames", CHOOSE + "choose([], [1, 2])", "holds no frame, but select_idx.dat lists 2", ""),
    ("unknown", CHOOSE + "choose([1], [6])", "6 is no frame of 6 candidates, from 0 on", ""),
    ("negative", CHOOSE + "choose([1], [-1])", "-1 is no frame of 6 candidates", ""),
    ("words", CHOOSE + "choose([1], ['one'])", "holds other things than numbers", ""),
    (
        "a frame twice",
        CHOOSE + "choose([2, 2])",
        "frame 1 is frame 2 of those given, which is there already",
        "",
    ),
    (
        "a frame of its own",
        CHOOSE + "choose([1])\np = Path('select.xyz')\n"
        "p.write_text(p.read_text().replace('Lattice=\"4.1', 'Lattice=\"4.2'))",
        "frame 0 is none of the frames given",
        "",
    ),
]


@pytest.mark.parametrize(
    ("text", "reason", "output"),
    [row[1:] for row in WRONG_CHOICES],
    ids=[r[0] for r in WRONG_CHOICES],
)
def test_a_wrong_choice_stops_the_run_and_says_why(
    tmp_path: Path, text: str, reason: str, output: str
) -> None:
    write_scripts(tmp_path, text + "\n")
    executor = ScriptExecutor()
    with pytest.raises(QuorumError) as caught:
        loop(tmp_path, executor, CHOOSES)
    message = str(caught.value)
    assert message.startswith(f"iter.0000/direct: the script failed\n{tmp_path / DIRECT}")
    assert reason in message
    assert output in message
    assert "with --redo iter.0000/direct" in message
    assert labelled(executor) == []


def test_a_repaired_script(tmp_path: Path) -> None:
    """The same command is enough when the cause lay elsewhere; a new script needs --redo."""
    need = "assert Path('../../../module').exists(), 'a module is missing'\n"
    write_scripts(tmp_path, CHOOSE + need + "choose([9])\n")
    with pytest.raises(QuorumError, match="a module is missing"):
        loop(tmp_path, ScriptExecutor(), CHOOSES)
    (tmp_path / "module").touch()
    with pytest.raises(QuorumError, match="index out of range"):
        loop(tmp_path, ScriptExecutor(), CHOOSES)
    write_scripts(tmp_path, EVERY_OTHER)
    with pytest.raises(StageChangedError, match=r"iter\.0000/direct: .*script was"):
        loop(tmp_path, ScriptExecutor(), CHOOSES)
    loop(tmp_path, ScriptExecutor(), CHOOSES, redo=("iter.0000/direct",))
    assert len(read_extxyz(data(tmp_path))) == 3


def test_direct_from_some_iteration_on_and_no_longer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is labelled stays as it is, though its trajectories are deleted by then."""
    write_scripts(tmp_path)
    off = {"strategy.direct": None}
    jobs = {"explore.md_jobs": [JOB, JOB, JOB]}
    loop(tmp_path, ScriptExecutor(), ONE)
    second = ScriptExecutor()
    loop(tmp_path, second, {**CHOOSES, "explore.md_jobs": [JOB, JOB]})
    assert not any("iter.0000" in name for name in second.ran)
    third = ScriptExecutor()
    result = loop(tmp_path, third, {**CHOOSES, **off, **jobs})
    assert not any("iter.0001/0" in name and "00.train" not in name for name in third.ran)
    assert [row.label.labelled for row in result.rows[:3]] == [6, 3, 6]
    assert not (tmp_path / "iter.0000/01.explore/direct").exists()
    assert not (tmp_path / "iter.0002/01.explore/direct").exists()
    text = (tmp_path / "iter_result.txt").read_text()
    assert text.count("DIRECT") == 1
    last = ScriptExecutor()
    loop(tmp_path, last, {**CHOOSES, **jobs})
    assert last.ran == []
    loop(tmp_path, last, {**CHOOSES, **jobs}, redo=("iter.0002",))
    assert (tmp_path / "iter.0002/01.explore/direct/select.csv").exists()


# ---- labels by a script


def test_the_data_are_those_of_a_labeler_that_says_the_same(tmp_path: Path) -> None:
    for name, changes in (("one by one", ONE), ("script", LABELS)):
        write_scripts(tmp_path / name)
        loop(tmp_path / name, ScriptExecutor(), {**changes, "data_format": "extxyz"})
    names = ("train.xyz", "label_error.csv")
    for name in names:
        texts = {
            (tmp_path / way / LABEL / "result" / name).read_bytes()
            for way in ("one by one", "script")
        }
        assert len(texts) == 1
    result = (tmp_path / "script/iter_result.txt").read_text()
    assert result == (tmp_path / "one by one/iter_result.txt").read_text()


def test_one_task_labels_all_that_direct_chose(tmp_path: Path) -> None:
    write_scripts(tmp_path)
    executor = ScriptExecutor()
    loop(tmp_path, executor, BOTH)
    assert labelled(executor) == [str(tmp_path / LABEL / "bigmodel")]
    kept = {path.name for path in (tmp_path / LABEL / "bigmodel").iterdir()}
    assert {"label.py", "select.xyz", "train.xyz", "0-bigmodel.job"} <= kept
    assert len(read_extxyz(tmp_path / LABEL / "bigmodel/select.xyz")) == 3
    assert len(read_frames(data(tmp_path), "extxyz")) == 3
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    told = [(event["event"], event["name"]) for event in events if "name" in event]
    stages = [name for event, name in told if event == "stage_done" and "iter.0000" in name]
    assert [name.partition("/")[2] for name in stages] == [
        "train",
        "explore",
        "select",
        "direct",
        "label",
    ]
    again = ScriptExecutor()
    loop(tmp_path, again, BOTH)
    assert again.ran == []


def test_nothing_is_labelled_while_others_explore(tmp_path: Path) -> None:
    """All frames go through one task, so all must be known."""
    write_scripts(tmp_path)
    loop(tmp_path, ScriptExecutor(), LABELS)
    events = Journal(tmp_path / ".pwact/journal.jsonl").events()
    told = [f"{event['event']} {event.get('name', '')}" for event in events]
    begun = told.index("stage_started iter.0000/label")
    assert told.index("stage_done iter.0000/select") < begun


def test_npy(tmp_path: Path) -> None:
    write_scripts(tmp_path)
    write_frames_as_npy(tmp_path)
    loop(tmp_path, ScriptExecutor(), {**BOTH, "data_format": "pwmlff/npy", "init_data": ["init"]})
    assert len(read_frames(tmp_path / LABEL / "result/PWdata", "pwmlff/npy")) == 3


def write_frames_as_npy(work_dir: Path) -> None:
    from pwact.formats.frames import write_frames  # noqa: PLC0415

    write_frames(work_dir / "init", read_frames(work_dir / "init.xyz", "extxyz"), "pwmlff/npy")


def test_a_frame_without_label_is_left_out_and_told(tmp_path: Path) -> None:
    spoilt = READ + (
        "label(frames)\np = Path('train.xyz')\nt = p.read_text().split('energy=')\n"
        "t[3] = 'nan' + t[3][t[3].index('\\n') :]\np.write_text('energy='.join(t))\n"
    )
    write_scripts(tmp_path, label=spoilt)
    result = loop(tmp_path, ScriptExecutor(), LABELS)
    assert (result.rows[0].label.labelled, result.rows[0].label.failed) == (5, 1)
    lost = candidates(tmp_path)[2]
    (row,) = rows(tmp_path / LABEL / "left_out.csv")
    assert row["file_path"] == lost["file_path"]
    assert row["config_index"] == lost["config_index"]
    assert row["reason"] == "train.xyz has no finite energy and forces of it"
    text = (tmp_path / "iter_result.txt").read_text()
    assert "Number of converged files: 5, number of non-converged files: 1" in text
    assert f"{lost['file_path']} step {lost['config_index']}\n" in text


def test_too_many_frames_without_label_stop_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    write_scripts(tmp_path, label=READ + "label(frames[2:])\n")
    with pytest.raises(QuorumError) as caught:
        loop(tmp_path, ScriptExecutor(), LABELS)
    assert (
        "iter.0000/label: 2 of 6 frames have no label, at most 1 may; the first because the "
        in (str(caught.value))
    )
    assert not (tmp_path / LABEL / "result").exists()
    executor = ScriptExecutor()
    result = loop(tmp_path, executor, {**LABELS, "DFT": {**LABELS["DFT"], "max_failed_rate": 0.4}})
    assert not labelled(executor)
    assert (result.rows[0].label.labelled, result.rows[0].label.failed) == (4, 2)


WRONG_LABELS = [
    ("it fails", "raise ValueError('no GPU')", "exit status 0", "no GPU"),
    ("it writes nothing", "print('done')", "train.xyz: cannot be read", "done"),
    ("it appends", READ + "label(frames * 2)", "holds 12 frames, but 6 were asked for", ""),
    (
        "it moves atoms",
        READ + "frames[1].rattle(0.1)\nlabel(frames)",
        "frame 1 is none of the frames given",
        "",
    ),
    (
        "it changes the cell",
        READ + "frames[0].set_cell(1.01 * frames[0].cell.array)\nlabel(frames)",
        "frame 0 is none of the frames given",
        "",
    ),
    ("no labels at all", READ + "write_extxyz(Path('train.xyz'), frames)", "6 of 6 frames", ""),
]


@pytest.mark.parametrize(
    ("text", "reason", "output"),
    [row[1:] for row in WRONG_LABELS],
    ids=[r[0] for r in WRONG_LABELS],
)
def test_a_wrong_answer_stops_the_run_and_says_why(
    tmp_path: Path, text: str, reason: str, output: str
) -> None:
    write_scripts(tmp_path, label=text + "\n")
    with pytest.raises(QuorumError) as caught:
        loop(tmp_path, ScriptExecutor(), LABELS)
    message = str(caught.value)
    assert message.startswith("iter.0000/label: ")
    assert reason in message
    assert output in message
    assert "--redo iter.0000/label" in message
    write_scripts(tmp_path, label=HARMONIC)
    with pytest.raises(StageChangedError, match=r"iter\.0000/label: .*labeler\.script was"):
        loop(tmp_path, ScriptExecutor(), LABELS)
    loop(tmp_path, ScriptExecutor(), LABELS, redo=("iter.0000/label",))
    assert len(read_frames(data(tmp_path), "extxyz")) == 6


def test_a_try_that_was_cut_off_may_be_gone_on_with(tmp_path: Path) -> None:
    """A script finds its own files of an earlier try, and may go on from them."""
    text = READ + (
        "from pwact.formats.extxyz import complete_frames, frame_text\n"
        "done = len(complete_frames(Path('train.xyz')))\n"
        "part = frames[done : done + 2]\nlabel(frames)\n"
        "whole = [frame_text(one) for one in frames]\n"
        "Path('train.xyz').write_text(''.join(whole[: done + 2]))\n"
        "sys.exit(done + 2 < len(frames))\n"
    )
    write_scripts(tmp_path, label=text)
    executor = ScriptExecutor()
    loop(tmp_path, executor, LABELS)
    assert len(labelled(executor)) == 3
    assert len(read_frames(data(tmp_path), "extxyz")) == 6
