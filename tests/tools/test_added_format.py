"""A format of data is added by one class and one entry of the registry: of folders, or of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact import layout
from pwact.cli.main import main
from pwact.formats.frames import format_found, read_frames, write_frames
from pwact.formats.same_frame import structure_mark
from pwact.registry.formats import FORMATS, DataFormat
from tests.workflow.trajectories import labelled, movement_text


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entry = DataFormat("tests.tools.toy_formats:Toy", ("toy",), writes=True)
    monkeypatch.setitem(FORMATS, "toy/json", entry)
    entry = DataFormat(
        "tests.tools.toy_formats:ToyFile", writes=True, ending=".toy.json", campaign=True
    )
    monkeypatch.setitem(FORMATS, "toy/file", entry)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_written_found_read_and_gathered(here: Path) -> None:
    frames = [labelled("CSi", 1), labelled("C", 2), labelled("CSi", 3)]
    (here / "MOVEMENT").write_text(movement_text(frames))
    words = ["to_pwdata", "-i", "MOVEMENT", "--output_format", "TOY", "-s", "made", "--train", ".5"]
    assert main(words) == 0
    assert format_found(here / "made") == "toy/json"
    assert len(read_frames(here / "made", "toy/json")) == 3
    assert (
        main(["to_pwdata", "-i", "made", "-f", "toy", "--output_format", "xyz", "-s", "back"]) == 0
    )
    back = read_frames(here / "back", "extxyz")
    assert {structure_mark(one) for one in back} == {structure_mark(one) for one in frames}
    result = here / "run/iter.0000/02.label/result/PWdata"
    result.parent.mkdir(parents=True)
    (here / "made").rename(result)
    assert main(["gather_pwdata", "-i", "run"]) == 0
    assert main(["gather_pwdata", "-i", "run", "--output_format", "deepmd", "--valid", "0.5"]) == 0
    assert main(["gather_pwdata", "-i", "run", "--output_format", "toy", "--valid", "0.5"]) == 0
    assert len(read_frames(here / "final_pwdata/iter.0000", "toy/json")) == 3
    parts = [len(read_frames(here / f"final_pwdata/{part}", "toy")) for part in ("train", "valid")]
    assert parts == [2, 1]


def test_one_whose_data_sets_are_files_is_written_found_read_and_gathered(here: Path) -> None:
    frames = [labelled("CSi", 1), labelled("C", 2), labelled("CSi", 3)]
    (here / "MOVEMENT").write_text(movement_text(frames))
    words = ["to_pwdata", "-i", "MOVEMENT", "--output_format", "toy/file", "-s", "made"]
    assert main([*words, "--train", ".5"]) == 0
    names = ["train.toy.json", "valid.toy.json"]
    assert {path.name for path in (here / "made").rglob("*.json")} == set(names)
    assert format_found(here / "made") == ""  # it might hold others as well
    assert format_found(next((here / "made").rglob(names[0]))) == "toy/file"
    assert format_found(here / "MOVEMENT") == ""
    assert len(read_frames(here / "made", "toy/file")) == 3
    result = layout.labelled(here / "run/iter.0000/02.label/result", "toy/file")
    assert result.name == names[0]
    result.parent.mkdir(parents=True)
    write_frames(result, frames, "toy/file")
    assert main(["gather_pwdata", "-i", "run"]) == 0
    assert (here / "final_pwdata/iter.0000" / names[0]).is_file()
    wanted = ["gather_pwdata", "-i", "run", "--output_format", "toy/file", "--valid", "0.5"]
    assert main(wanted) == 0
    parts = [len(read_frames(here / "final_pwdata" / name, "toy/file")) for name in names]
    assert parts == [2, 1]
