"""A format of data is added by one class and one entry of the registry."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from ase import Atoms

from pwact.cli.main import main
from pwact.formats.data_format import FolderFormat
from pwact.formats.frames import composition_name, format_found, read_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.same_frame import structure_mark
from pwact.registry.formats import FORMATS, PWACT, DataFormat
from tests.workflow.trajectories import labelled, movement_text


class Toy(FolderFormat):
    """Folders with frames in a JSON file."""

    mark = "frames.json"
    endings = (".json",)

    def iterate(self, place: Path) -> Iterator[Atoms]:
        for one in json.loads((place / self.mark).read_text()):
            atoms = Atoms(one["numbers"], one["positions"], cell=one["cell"], pbc=one["pbc"])
            set_labels(atoms, one["energy"], one["forces"])
            yield atoms

    def fit(self, atoms: Atoms) -> Atoms:
        return atoms

    def group(self, atoms: Atoms) -> str:
        return composition_name(atoms)

    def write_one(self, path: Path, frames: Collection[Atoms], names: str = PWACT) -> None:
        del names
        path.mkdir(parents=True)
        rows = [
            {
                "numbers": frame.numbers.tolist(),
                "positions": frame.positions.tolist(),
                "cell": frame.cell.array.tolist(),
                "pbc": frame.pbc.tolist(),
                "energy": labels_of(frame).energy,
                "forces": labels_of(frame).forces.tolist(),
            }
            for frame in frames
        ]
        (path / self.mark).write_text(json.dumps(rows))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entry = DataFormat(f"{__name__}:Toy", ("toy",), writes=True, folder=True)
    monkeypatch.setitem(FORMATS, "toy/json", entry)
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
