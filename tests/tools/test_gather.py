from __future__ import annotations

import json
import re
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.cli.main import main
from pwact.errors import InputError, UsageError
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import read_frames, write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.results import find_results
from pwact.io.journal import Journal
from pwact.layout import labelled
from pwact.registry.formats import WRITTEN
from pwact.tools.data import gather as gathering
from tests.workflow.pairs import init_param, run_param, write_files


def gather(source, target, tick=lambda: None, **wanted):
    sources = gathering.sources_of(find_results(source), None)
    return gathering.gather(sources, target, gathering.Wanted(**wanted), tick).train


def make(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_files_and_folders_of_all_layouts_are_copied_and_listed(tmp_path):
    source, target = tmp_path / "run 1", tmp_path / "there"
    target.mkdir()
    make(
        source,
        "iter.0001/02.label/result/PWdata/Ag1Au3/energies.npy",
        "iter.0001/02.label/result/PWdata/Ag1Au3/forces.npy",
        "iter.0001/02.label/result/PWdata/Ag2/energies.npy",
        "iter.0000/02.label/result/train.xyz",
        "iter.0000/02.label/result/label_error.csv",
        "iter.0000/02.label/result/plots/train.png",
        "iter.0000/02.label/result-bk-1/train.xyz",
        "iter.0002/label/result/md.000.sys.000.t.000/Ag4/energies.npy",
        "iter.0003/02.label/scf/train.xyz",
        "iter_result.txt",
        "elsewhere/02.label/result/train.xyz",
    )
    found = gather(source, target)
    final = target / "final_pwdata"
    assert found == [
        final / "iter.0000/train.xyz",
        final / "iter.0001/PWdata/Ag1Au3",
        final / "iter.0001/PWdata/Ag2",
        final / "iter.0002/md.000.sys.000.t.000/Ag4",
    ]
    assert found[0].read_text() == "iter.0000/02.label/result/train.xyz"
    assert (found[1] / "forces.npy").exists()
    text = (final / "final_pwdata_list.txt").read_text()
    assert text == "\n".join(f'"{path}",' for path in found)
    copied = sorted(path.name for path in final.rglob("*") if path.is_file())
    assert not {"label_error.csv", "train.png"} & set(copied)
    assert copied.count("train.xyz") == 1


@pytest.mark.parametrize("as_given", ["run", "run/", "./run/../run"])
def test_relative_input_gives_absolute_paths(tmp_path, monkeypatch, as_given):
    from pathlib import Path  # noqa: PLC0415

    make(tmp_path, "run/iter.0000/02.label/result/train.xyz")
    monkeypatch.chdir(tmp_path)
    (found,) = gather(Path(as_given), Path())
    assert found == tmp_path / "final_pwdata/iter.0000/train.xyz"


def test_again_replaces_what_an_earlier_call_left(tmp_path):
    make(tmp_path, "iter.0000/02.label/result/PWdata/Cu4/energies.npy")
    gather(tmp_path, tmp_path)
    (tmp_path / "iter.0000/02.label/result/PWdata/Cu4").rename(
        tmp_path / "iter.0000/02.label/result/PWdata/Cu8"
    )
    make(tmp_path, "final_pwdata/iter.0000/.PWdata.new/left_by_a_kill")
    (found,) = gather(tmp_path, tmp_path)
    assert found.name == "Cu8"
    assert sorted(path.name for path in found.parent.parent.rglob("*")) == [
        "Cu8",
        "PWdata",
        "energies.npy",
    ]


def test_without_data_nothing_is_written(tmp_path):
    make(tmp_path, "iter.0000/00.train/train.xyz")
    assert gather(tmp_path, tmp_path) == []
    assert not (tmp_path / "final_pwdata").exists()


@pytest.mark.parametrize("spoilt", ["folder", "dangling", "no folder", "no data", "missing"])
def test_labels_that_cannot_be_gathered_are_refused(campaign, capsys, spoilt):
    result = campaign / "iter.0001/02.label/result"
    data = result / "train.xyz"
    data.unlink()
    place, problem = data, "is a directory"
    if spoilt == "folder":
        data.mkdir()
    elif spoilt == "dangling":
        data.symlink_to("nowhere")
        problem = "does not exist"
    elif spoilt == "no folder":
        result.rmdir()
        result.touch()
        place, problem = result, "cannot be read: Not a directory"
    elif spoilt == "no data":
        make(result, "PWdata/Cu2/forces.npy")
        place, problem = result / "PWdata", "holds files, but no data set"
    else:
        journal = Journal(campaign / ".pwact/journal.jsonl")
        stage = {"name": "iter.0001/label", "key": "k"}
        report = {"data": "iter.0001/02.label/result/train.xyz"}
        journal.append("stage_started", **stage, inputs={})
        journal.append("stage_done", **stage, transient=[], files={}, sizes={}, report=report)
        problem = "does not exist; the journal names it as the labels of iter.0001/label"
    assert main(["gather_pwdata", "-i", str(campaign)]) == 2
    assert f"{place}: {problem}" in capsys.readouterr().err
    assert not (campaign.parent / "there/final_pwdata").exists()


def test_numbered_results_count_before_those_of_an_old_version(tmp_path):
    make(tmp_path, "iter.0000/label/result/train.xyz", "iter.0001/label/result/train.xyz")
    (tmp_path / "iter.0000/02.label/result").mkdir(parents=True)
    make(tmp_path, "iter.0001/02.label/result/train.xyz")
    first, second = gather(tmp_path, tmp_path)
    assert first.read_text() == "iter.0000/label/result/train.xyz"
    assert second.read_text() == "iter.0001/02.label/result/train.xyz"


def test_a_copy_that_is_interrupted_leaves_the_earlier_one_whole(tmp_path, monkeypatch):
    place = "iter.0000/02.label/result/PWdata/Cu4"
    make(tmp_path, f"{place}/energies.npy", f"{place}/forces.npy")
    (copied,) = gather(tmp_path, tmp_path)
    make(tmp_path, f"{place}/position.npy")
    before = sorted(tmp_path.rglob("*"))
    whole = gathering.shutil.copytree

    def interrupted(*args, **more):
        whole(*args, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(gathering.shutil, "copytree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        gather(tmp_path, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert sorted(path.name for path in copied.iterdir()) == ["energies.npy", "forces.npy"]


def test_what_cannot_be_copied_is_named(tmp_path, monkeypatch):
    place = tmp_path / "iter.0000/02.label/result/PWdata/Cu4"
    make(place, "energies.npy")
    (place / "forces.npy").symlink_to("nowhere")
    with pytest.raises(InputError, match=r"Cu4/forces\.npy: cannot be copied: .*No such file"):
        gather(tmp_path, tmp_path)
    assert [path for path in (tmp_path / "final_pwdata").rglob("*") if path.is_file()] == []


def test_each_copy_is_counted(tmp_path):
    make(tmp_path, *(f"iter.000{n}/02.label/result/train.xyz" for n in range(3)))
    counted = []
    gather(tmp_path, tmp_path, tick=lambda: counted.append(1))
    assert len(counted) == 3


@pytest.mark.parametrize("name", ["nowhere", "file", "empty"])
def test_a_directory_that_is_none_of_a_run(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "iter_result.txt").touch()
    with pytest.raises(UsageError, match=name):
        find_results(tmp_path / name)


def test_names_that_ase_reads_as_results(tmp_path):
    frame = bulk("Cu").repeat(2)
    forces = np.arange(24.0).reshape(8, 3)
    set_labels(frame, -3.5, forces, np.diag([1.0, 2.0, 3.0]))
    place = tmp_path / "run/iter.0000/02.label/result"
    place.mkdir(parents=True)
    write_extxyz(place / "train.xyz", [frame, frame])
    (copy,) = gather(tmp_path / "run", tmp_path, names="ase")
    for found in ase.io.read(copy, ":"):
        assert found.get_potential_energy() == -3.5
        np.testing.assert_array_equal(found.get_forces(), forces)
        stress = found.get_stress(voigt=False)
        np.testing.assert_allclose(-stress * found.get_volume(), np.diag([1.0, 2.0, 3.0]))
    make(tmp_path, "run/iter.0001/02.label/result/PWdata/Ag4/energies.npy")
    with pytest.raises(UsageError, match="--names ase is for --output_format extxyz"):
        gather(tmp_path / "run", tmp_path, names="ase")


CELL = np.array([[4.1, 0.0, 0.0], [0.3, 4.2, 0.0], [0.1, 0.2, 4.3]])


def frame(number, symbols="CuAu", virial=True):
    """A frame that its energy tells from others."""
    places = np.array([[0.1, 0.2, 0.3], [2.1, 2.2, 2.3 + 0.01 * number]])
    atoms = Atoms(symbols, places, cell=CELL, pbc=True)
    forces = np.full((len(atoms), 3), number / 8)
    set_labels(atoms, -float(number), forces, np.eye(3) * number if virial else None)
    return atoms


def numbers(path, data_format="extxyz"):
    return sorted(-round(labels_of(one).energy) for one in read_frames(path, data_format))


def run_with(work_dir, first, *iterations, data_format="extxyz"):
    """A campaign whose journal says what it began with."""
    for name, frames in zip(("init.xyz", "more.xyz"), first):
        write_frames(work_dir / name, frames, data_format)
    for number, frames in enumerate(iterations):
        result = work_dir / f"iter.{number:04d}/02.label/result"
        write_frames(labelled(result, data_format), frames, data_format)
    state = work_dir / ".pwact"
    state.mkdir()
    paths = [name for name, _ in zip(("init.xyz", "more.xyz"), first)]
    report = {"models": [], "init_data": {"paths": paths, "data_format": data_format}}
    journal = Journal(state / "journal.jsonl")
    journal.append("campaign_started", command="run", campaign="c", seed=1)
    stage = {"name": "iter.0000/train", "key": "k"}
    journal.append("stage_started", **stage, inputs={})
    journal.append("stage_done", **stage, transient=[], files={}, sizes={}, report=report)


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    first = [[frame(n) for n in range(4)], [frame(n) for n in range(4, 6)]]
    run_with(tmp_path / "run", first, [frame(6), frame(7, "Cu2")], [frame(8), frame(9, "Cu2")])
    return tmp_path / "run"


def test_the_first_data_come_along_and_are_named(campaign, capsys):
    assert main(["gather_pwdata", "-i", str(campaign)]) == 0
    said = capsys.readouterr()
    final = campaign.parent / "there/final_pwdata"
    places = ["init.0000/init.xyz", "init.0001/more.xyz"]
    places += ["iter.0000/train.xyz", "iter.0001/train.xyz"]
    assert said.out == "".join(f'"{final / place}",\n' for place in places)
    assert f"{campaign}/init.xyz copied to init.0000" in said.err
    assert (final / places[0]).read_bytes() == (campaign / "init.xyz").read_bytes()
    assert main(["gather_pwdata", "-i", str(campaign), "--no-init"]) == 0
    said = capsys.readouterr()
    assert said.out == "".join(f'"{final / place}",\n' for place in places[2:])
    assert "first data" not in said.err


def test_first_data_that_were_moved_or_are_not_on_record(campaign, capsys):
    (campaign / "more.xyz").rename(campaign / "moved.xyz")
    assert main(["gather_pwdata", "-i", str(campaign)]) == 2
    said = capsys.readouterr().err
    assert "more.xyz: does not exist; it is the first data of the campaign: --param" in said
    assert not (campaign.parent / "there/final_pwdata").exists()
    (campaign / ".pwact/journal.jsonl").unlink()
    assert main(["gather_pwdata", "-i", str(campaign)]) == 0
    said = capsys.readouterr()
    assert "the first data (init_data) are not on record, so only labels are copied" in said.err
    assert said.out.count("iter.000") == 2
    assert "init.0000" not in said.out


@pytest.mark.parametrize("output", WRITTEN)
@pytest.mark.parametrize("data_format", ["extxyz", "pwmlff/npy"])
def test_every_format_in_parts_and_as_one(tmp_path, monkeypatch, capsys, data_format, output):
    monkeypatch.chdir(tmp_path)
    frames = [frame(6), frame(7, "Cu2")], [frame(8), frame(9, "Cu2")]
    (tmp_path / "run").mkdir()
    run_with(tmp_path / "run", [[frame(n) for n in range(6)]], *frames, data_format=data_format)
    words = ["gather_pwdata", "-i", "run", "--output_format", output]
    assert main(words) == 0
    paths = [path[1:-2] for path in capsys.readouterr().out.splitlines()]
    assert sorted(n for path in paths for n in numbers(Path(path), output)) == list(range(10))
    kept = (tmp_path / "final_pwdata/final_pwdata_list.txt").read_text().splitlines()
    assert [line[1:-2] for line in kept] == paths
    assert main([*words, "--train", "0.6", "--seed", "3"]) == 0
    train, valid = capsys.readouterr().out.split("to validate:")
    found = [
        sorted(n for path in re.findall('"(.*)",', part) for n in numbers(Path(path), output))
        for part in (train, valid)
    ]
    assert [len(part) for part in found] == [6, 4]
    assert sorted(found[0] + found[1]) == list(range(10))
    lists = [f"final_pwdata/final_pwdata{part}_list.txt" for part in ("", "_valid")]
    assert all((tmp_path / name).read_text() in part for name, part in zip(lists, (train, valid)))
    assert found[0] == CHOSEN


CHOSEN = [0, 1, 3, 7, 8, 9]  # whatever the format, the files and their order


def test_what_the_format_cannot_hold_is_said_or_refused(campaign, capsys):
    write_extxyz(campaign / "more.xyz", [frame(4), frame(5, virial=False)])
    assert main(["gather_pwdata", "-i", str(campaign), "--output_format", "deepmd/npy"]) == 0
    said = capsys.readouterr().err
    assert said.count("1 of 2 frames of Cu1Au1 have no virial, so the data set has none") == 1
    slab = frame(5)
    slab.pbc = slab.calc.atoms.pbc = [True, True, False]
    write_extxyz(campaign / "more.xyz", [frame(4), slab])
    before = sorted(campaign.parent.rglob("*"))
    assert (
        main(["gather_pwdata", "-i", str(campaign), "--output_format", "pwmlff", "--valid", ".1"])
        == 2
    )
    assert "more.xyz: frame 1: a frame is open along an axis" in capsys.readouterr().err
    assert sorted(campaign.parent.rglob("*")) == before


def test_the_first_data_by_a_param_of_a_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, {"calculator": "emt"})
    (tmp_path / "param.json").write_text(json.dumps(run_param()))
    make(tmp_path, "iter.0000/02.label/result/train.xyz")
    assert main(["gather_pwdata", "--param", "param.json"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == f'"{tmp_path}/final_pwdata/init.0000/init.xyz",'
    assert "not on record" not in said.err
    (tmp_path / "param.json").write_text(json.dumps(init_param()))
    assert main(["gather_pwdata", "--param", "param.json"]) == 2
    assert "this is an input of pwact init_bulk" in capsys.readouterr().err


def test_too_few_frames_for_a_part_are_said(campaign, capsys):
    words = ["gather_pwdata", "-i", str(campaign), "--valid", "0.05"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith("to validate: no frame, since there are too few")
    assert len(read_frames(campaign.parent / "there/final_pwdata/train.xyz", "extxyz")) == 10


def test_moments_are_kept_where_the_format_holds_them_and_named_elsewhere(campaign, capsys):
    magnetic = frame(5)
    magnetic.set_initial_magnetic_moments([2.0, -1.5])
    set_labels(magnetic, -5.0, np.ones((2, 3)))
    write_extxyz(campaign / "more.xyz", [frame(4), magnetic])
    assert "initial_magmoms" in (campaign / "more.xyz").read_text()
    words = ["gather_pwdata", "-i", str(campaign)]
    assert main([*words, "--names", "ase"]) == 0
    assert "is not written" not in capsys.readouterr().err
    found = ase.io.read(campaign.parent / "there/final_pwdata/init.0001/train.xyz", ":")
    assert [one.get_initial_magnetic_moments().tolist() for one in found] == [[0, 0], [2.0, -1.5]]
    assert main([*words, "--output_format", "deepmd/npy"]) == 0
    said = capsys.readouterr().err
    assert said.count("of the atoms is not written: initial_magmoms") == 1
    assert main(["to_pwdata", "-f", "extxyz", "-i", str(campaign / "more.xyz")]) == 0
    assert capsys.readouterr().err.count("of the atoms is not written: initial_magmoms") == 1
    assert main(["to_pwdata", "-f", "extxyz", "-i", str(campaign / "init.xyz"), "-s", "x"]) == 0
    assert "is not written" not in capsys.readouterr().err
