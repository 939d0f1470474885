from __future__ import annotations

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from pwact.errors import InputError, UsageError
from pwact.formats.extxyz import write_extxyz
from pwact.formats.labels import set_labels
from pwact.formats.results import find_results
from pwact.tools import gather as gathering


def gather(source, target, **more):
    return gathering.gather(find_results(source), target, **more)


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
    with pytest.raises(UsageError, match="--names ase: .*PWdata is no extended XYZ"):
        gather(tmp_path / "run", tmp_path, names="ase")
