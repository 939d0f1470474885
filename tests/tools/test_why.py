"""`pwact why`: the story of a frame of every data set of a campaign."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.cli.main import main
from pwact.formats.frames import format_found, iterate_frames, read_frames
from pwact.formats.same_frame import structure_key
from pwact.tools.why.records import rows_of
from tests.takeover.test_takeover import go_on, pair_in
from tests.workflow.pairs import init_param, write_files
from tests.workflow.pwact_trees import VARIANTS, leave
from tests.workflow.toy_campaign import ToyExecutor, run_chain, use_toys

Said = pytest.CaptureFixture[str]


def told(capsys: Said, *words: str) -> dict[str, Any]:
    assert main(["why", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def frames_of(work_dir: Path) -> Iterator[tuple[Path, int, Any]]:
    """Every frame of every data set that a run labelled."""
    for result in sorted(work_dir.glob("iter.*/*label/result")):
        for place in sorted(result.glob("*")):
            if format_found(place):
                for index, (_, _, frame) in enumerate(iterate_frames(place, format_found(place))):
                    yield place, index, frame


def test_every_labelled_frame_of_a_campaign(finished_run: Path, capsys: Said) -> None:
    seen = 0
    for place, index, frame in frames_of(finished_run):
        story = told(capsys, f"{place}:{index}")
        row = rows_of(place.parent / layout.LABEL_ERROR)[index]
        iteration = int(place.relative_to(finished_run).parts[0].partition(".")[2])
        assert story["frame"]["structure"] == structure_key(frame)
        assert story["data"]["made_by"] == f"iter.{iteration:04d}/label"
        explored = story["explored"]
        assert (explored["trajectory"], explored["step"]) == (
            row["file_path"],
            int(row["config_index"]),
        )
        assert explored["md"]["temp_k"] == (100.0, 150.0)[iteration]
        assert len(explored["models"]) >= 3
        assert story["judged"]["uncertainty"] == float(row["devi_force"])
        assert 1 <= story["judged"]["rank"] <= story["judged"]["of_frames"]
        assert set(story["judged"]["limits"]) >= {"lower_model_devi_f", "upper_model_devi_f"}
        assert story["chosen"]["rule"] == "random"
        label = story["label"]
        assert label["computed"] == "in this iteration"
        assert (finished_run / label["task"]).name == f"{explored['step']}-scf"
        assert label["tries"] == len(label["jobs"]) == 1
        assert label["jobs"][0]["ended_as"] is not None
        assert label["input_files"]
        assert story["error"]["rmse_force_ev_per_angstrom"] == float(row["rmse_force"])
        seen += 1
    assert seen > 3


def test_the_rank_counts_all_explored_frames(finished_run: Path, capsys: Said) -> None:
    ranks = []
    for place, index, _ in frames_of(finished_run):
        story = told(capsys, f"{place}:{index}")
        if story["explored"]["iteration"] == 0:
            ranks.append((story["judged"]["uncertainty"], story["judged"]["rank"]))
            total = story["judged"]["of_frames"]
    tables = layout.select_dir(finished_run, 0).glob("*.csv")
    every = [float(row["devi_force"]) for table in tables for row in rows_of(table)]
    assert total == len(every)
    assert ranks == [(value, 1 + sum(one > value for one in every)) for value, _ in ranks]


def test_a_copy_elsewhere_is_known_by_its_structure(
    finished_run: Path, tmp_path: Path, capsys: Said
) -> None:
    place, index, _ = list(frames_of(finished_run))[-1]
    copy = tmp_path / "copy.xyz"
    shutil.copyfile(place, copy)
    assert main(["why", f"{copy}:{index}"]) == 2
    assert "lies in no campaign of pwact; name its directory by --campaign" in (
        capsys.readouterr().err
    )
    story = told(capsys, str(copy), str(index), "--campaign", str(finished_run))
    original = told(capsys, f"{place}:{index}")
    assert {**story, "frame": None} == {**original, "frame": None}


def test_data_of_the_user_are_named_as_such(finished_run: Path, capsys: Said) -> None:
    (given,) = finished_run.glob("init.xyz")
    story = told(capsys, f"{given}:0")
    assert story["origin"]["made_here"] is False
    assert "iter.0000/train" in story["origin"]["trained_on_in"]


def first_data(work_dir: Path, capsys: Said, **more: Any) -> dict[str, tuple[str, int]]:
    """MD and frame of each structure of an init_bulk, in the order of the data."""
    work_dir.mkdir()
    write_files(work_dir, {"calculator": "emt"})
    run_chain(work_dir, {**init_param(), **more}, ToyExecutor())
    found = {}
    for data in sorted(work_dir.glob("collection/init_config_*/train.xyz")):
        number = int(data.parent.name.rpartition("_")[2])
        for index, _ in enumerate(read_frames(data, "extxyz")):
            story = told(capsys, f"{data}:{index}")
            assert story["data"]["made_by"] == "collection"
            assert story["entry"]["number"] == number
            assert story["entry"]["asked"]["structure"]
            assert story["label"]["tries"] == len(story["label"]["jobs"]) == 1
            place = f"temp_init_bulk_work/aimd/init_config_{number}/"
            assert story["md"]["directory"].startswith(place)
            found[story["frame"]["structure"]] = (story["md"]["directory"], story["md"]["frame"])
    return found


def test_every_frame_of_the_first_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    use_toys(monkeypatch)
    found = first_data(tmp_path / "in order", capsys)
    by_md: dict[str, list[int]] = {}
    for directory, frame in found.values():
        by_md.setdefault(directory, []).append(frame)
    assert len(by_md) == 5
    assert all(frames == list(range(len(frames))) for frames in by_md.values())
    shuffled = first_data(tmp_path / "shuffled", capsys, data_shuffle=True)
    assert shuffled == found
    assert list(shuffled) != list(found)


def test_first_data_of_an_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    run_chain(tmp_path, init_param(), ToyExecutor())
    (tmp_path / "collection/init_config_1/origin.csv").unlink()
    data = tmp_path / "collection/init_config_1/train.xyz"
    assert told(capsys, f"{data}:0")["md"] == {"directory": None, "frame": None}
    assert main(["why", f"{data}:0"]) == 0
    assert "  directory: not on record\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", VARIANTS)
def test_every_frame_of_a_campaign_of_pwact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said, name: str
) -> None:
    """What PWact labelled is told as far as it left it; what came after, whole."""
    use_toys(monkeypatch)
    whole, taken = tmp_path / "whole", tmp_path / "taken"
    for place in (whole, taken):
        place.mkdir()
    variant = VARIANTS[name]
    go_on(pair_in(whole, variant, reserve_md_traj=True))
    leave(whole, taken, (0, 2), variant)
    go_on(pair_in(taken, variant))
    by_pwact = []
    for place, index, _ in frames_of(taken):
        story = told(capsys, f"{place}:{index}")
        old = story["data"]["by_pwact_0.4_or_older"]
        by_pwact.append(old)
        assert (story["explored"]["md"] is None) is old
        assert (story["explored"]["models"] is None) is old
        assert (story["chosen"]["rule"] is None) is old
        assert (story["label"]["by"] is None) is old
        assert (story["label"]["task"] is None) is old
        assert (story["error"]["rmse_force_ev_per_angstrom"] is None) is old
        assert story["explored"]["iteration"] == (0 if old else story["explored"]["iteration"])
        assert story["data"]["trained_on_in"] != []
    assert set(by_pwact) == {True, False}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no.xyz:1"], "there is no data set"),
        (["iter_result.txt:0"], "is no data set of a format"),
        (["{}:99999"], "frames, numbered from 0; found 99999"),
        (["{}"], "expected DATA:NUMBER, as in train.xyz:12"),
        (["{}:last"], "expected DATA:NUMBER"),
    ],
)
def test_what_is_no_frame(
    finished_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Said,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(finished_run)
    place, _, _ = next(frames_of(finished_run))
    assert main(["why", *(word.format(place) for word in words)]) == 2
    assert said in capsys.readouterr().err
