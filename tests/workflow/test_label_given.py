"""``pwact label``: given frames become a data set, each structure labelled once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.emt import EMT

from pwact import layout
from pwact.cli.commands.label import label_summary
from pwact.cli.main import main
from pwact.config.label import load_label
from pwact.engines.ladder import fingerprint_of
from pwact.errors import InputError, QuorumError, StageChangedError, UsageError
from pwact.fixed_atoms import any_fixed, fix
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.frames import ordered, read_frames
from pwact.formats.labels import labels_of
from pwact.formats.same_frame import structure_key
from pwact.formats.trajectories import iterate_structures
from pwact.workflow.labels.campaign import LabelResult, Wanted, given_stage
from pwact.workflow.labels.store import LabelStore, label_key
from tests.workflow.dying import until_done
from tests.workflow.given_frames import DFT, frames, go, prepare, tasks
from tests.workflow.pairs import LOCAL, alloy, init_param, resources, run_param, write_files
from tests.workflow.script_campaign import HARMONIC, PYTHON, ScriptExecutor
from tests.workflow.toy_campaign import ToyExecutor, campaign, run_chain, use_toys
from tests.workflow.toys import STIFFNESS, ToyLabeler


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real" not in request.node.name:
        use_toys(monkeypatch)


def test_each_structure_is_labelled_once_in_the_order_given(tmp_path: Path) -> None:
    executor = ToyExecutor()
    one, two, three = frames(0, 1, 2)
    near = alloy()
    near.positions[0] = near.positions[1] + 0.1
    prepare(tmp_path, given=[two, one, two, near])
    write_extxyz(tmp_path / "more.xyz", [one, three])
    result = go(tmp_path, executor, ("frames.xyz", "more.xyz"))
    assert tasks(executor) == ["0/0-scf", "0/1-scf", "1/1-scf"]
    found = read_frames(tmp_path / "out/train.xyz", "extxyz")
    for frame, expected in zip(found, map(ordered, (two, one, three))):
        np.testing.assert_allclose(frame.positions, expected.positions, atol=1e-8)
        energy = 0.5 * STIFFNESS * float(np.sum(expected.positions**2))
        assert labels_of(frame).energy == pytest.approx(energy, abs=1e-9)
    assert (result.given, result.labelled, result.left_out) == (6, 3, 1)
    (row,) = (tmp_path / "out/left_out.csv").read_text().splitlines()[1:]
    assert row.startswith(f"3,{tmp_path / 'frames.xyz'},two atoms are only")
    text = label_summary(result)
    assert "3 of 6 frames have a label; frames that repeat another one: 2" in text
    assert f'"{tmp_path / "out/train.xyz"}",' in text


def test_some_of_the_frames(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path, given=frames(*range(7)))
    assert go(tmp_path, executor, step=3).labelled == 3
    assert tasks(executor) == ["0/0-scf", "0/3-scf", "0/6-scf"]
    assert go(tmp_path, executor, step=2, limit=3, output="few").labelled == 3
    assert tasks(executor)[3:] == ["0/2-scf", "0/4-scf"]


@pytest.mark.parametrize("torn", [True, False])
def test_killed_at_every_line_it_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    for place in ("whole", "killed"):
        prepare(tmp_path / place)
    spoilt = {"/1-scf": "unconverged"}

    def start(place: str) -> LabelResult:
        executor = ToyExecutor()
        executor.spoil = spoilt
        return go(tmp_path / place, executor)

    start("whole")
    assert until_done(monkeypatch, lambda: start("killed"), torn) > 10
    for name in ("train.xyz", "left_out.csv"):
        expected = (tmp_path / "whole/out" / name).read_text()
        found = (tmp_path / "killed/out" / name).read_text()
        assert found == expected.replace(f"{tmp_path}/whole", f"{tmp_path}/killed")


@pytest.mark.parametrize("torn", [True, False])
def test_killed_with_a_store_a_collision_and_an_added_structure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    """One label is in the store, one is there under the name of another, one frame comes twice."""
    one, two, three, four, five = frames(0, 1, 2, 3, 4)
    turned = two[np.argsort(-two.numbers, kind="stable")]  # the same atoms in another order
    ran: dict[str, list[str]] = {}

    def start(place: str, **options: Any) -> LabelResult:
        executor = ToyExecutor()
        executor.spoil = {"/3-scf": "unconverged"}
        try:
            return go(tmp_path / place, executor, **options)
        finally:
            ran.setdefault(place, []).extend(tasks(executor))

    def until_whole(place: str, **options: Any) -> int:
        if place == "killed":
            return until_done(monkeypatch, lambda: start(place, **options), torn)
        start(place, **options)
        return 0

    def compare() -> None:
        for path in [*(tmp_path / "whole/out").glob("*.[xc]*"), *labels_in(tmp_path / "whole")]:
            found = tmp_path / "killed" / path.relative_to(tmp_path / "whole")
            expected = path.read_text().replace(f"{tmp_path}/whole", f"{tmp_path}/killed")
            assert found.read_text() == expected

    for place in ("whole", "killed"):
        prepare(tmp_path / place, given=[one, five])
        go(tmp_path / place, ToyExecutor(), output="earlier")
        first, second = labels_in(tmp_path / place)
        write_extxyz(tmp_path / place / "frames.xyz", [two, one, three, four, turned])
        put_wrong_label(tmp_path / place, three)
        assert labels_in(tmp_path / place) != [first, second]
        deaths = until_whole(place)
    assert deaths > 5
    compare()
    assert ran["killed"] == ran["whole"] == ["0/0-scf", "0/2-scf", "0/3-scf"]
    ran.clear()
    for place in ("whole", "killed"):
        given = [two, one, three, four, turned, five, *frames(6)]
        write_extxyz(tmp_path / place / "frames.xyz", given)
        until_whole(place, redo=("label",))
    compare()
    assert ran["whole"] == ["0/3-scf", "0/6-scf"]  # what is in no store
    assert set(ran["killed"]) == set(ran["whole"])  # of a stage that begins again at each start


def labels_in(work_dir: Path) -> list[Path]:
    """The labels of the store."""
    return sorted(layout.label_store(work_dir).rglob("*.json"))


def put_wrong_label(work_dir: Path, atoms: Atoms) -> None:
    """What a collision of hashes would be: the name of this structure, the label of another."""
    config = load_label(work_dir / "param.json", work_dir / "resource.json", work_dir)
    other = read_frames(work_dir / "earlier/train.xyz", "extxyz")[0]
    labeler = ToyLabeler(config, 0, None)
    key = label_key(structure_key(ordered(atoms)), fingerprint_of(labeler, config.label))
    LabelStore(layout.label_store(work_dir)).put(key, other)


def test_a_second_start_does_nothing(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    first = go(tmp_path, executor)
    before = (tmp_path / "out/train.xyz").stat().st_mtime_ns
    assert go(tmp_path, executor) == first
    assert len(executor.ran) == 4
    assert (tmp_path / "out/train.xyz").stat().st_mtime_ns == before


def test_labels_of_other_campaigns_of_the_work_directory_are_taken(tmp_path: Path) -> None:
    executor = ToyExecutor()
    entry = {"config": "structures/a.poscar", "format": "vasp/poscar", "perturb": 3, "scf": True}
    param = {**init_param(), "sys_configs": [entry], "scf_input": "calculator.json"}
    prepare(tmp_path, param)
    (data,) = run_chain(tmp_path, param, executor).data_sets
    executor.ran = []
    assert go(tmp_path, executor, (data.relative_to(tmp_path).as_posix(),)).labelled == 3
    assert executor.ran == []
    assert (tmp_path / "out/train.xyz").read_bytes() == data.read_bytes()


def test_what_failed_is_listed_and_tried_again(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    executor.spoil = {"/1-scf": "unconverged", "/2-scf": "broken"}
    result = go(tmp_path, executor)
    assert (result.labelled, result.left_out, result.lost) == (2, 2, ["label/scf/0/2-scf"])
    assert "failed tasks, which are kept" in label_summary(result)
    executor.spoil, executor.ran = {}, []
    result = go(tmp_path, executor)
    assert tasks(executor) == ["0/2-scf"]
    assert (result.labelled, result.left_out, result.lost) == (3, 1, [])
    assert len(read_frames(tmp_path / "out/train.xyz", "extxyz")) == 3


def test_failed_frames_can_be_given_up(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    executor.spoil = {"/2-scf": "broken"}
    go(tmp_path, executor)
    executor.ran = []
    assert go(tmp_path, executor, leave_failed=True).lost == []
    assert executor.ran == []


def test_too_many_failures_are_a_failure(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    executor.spoil = {"/1-scf": "broken", "/2-scf": "broken"}
    with pytest.raises(QuorumError, match="label: 2 of 4 tasks failed"):
        go(tmp_path, executor)
    assert not (tmp_path / "out/train.xyz").exists()


def test_changed_frames_are_refused_and_redone_from_the_labels(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    go(tmp_path, executor)
    write_extxyz(tmp_path / "frames.xyz", frames(0, 1, 2, 3, 4))
    executor.ran = []
    with pytest.raises(StageChangedError, match="frames was 4, is 5.*--redo label"):
        go(tmp_path, executor)
    assert executor.ran == []
    assert go(tmp_path, executor, redo=("label",)).labelled == 5
    assert tasks(executor) == ["0/4-scf"]
    ase.io.write(tmp_path / "same.traj", read_extxyz(tmp_path / "frames.xyz"))
    assert go(tmp_path, executor, ("same.traj",)).labelled == 5  # the same frames: no change


def test_files_of_others_stay(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/train.xyz").write_text("mine")
    with pytest.raises(InputError, match="train.xyz: is there, and no campaign of pwact label"):
        go(tmp_path, ToyExecutor())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["train.xyz"]
    assert (tmp_path / "out/train.xyz").read_text() == "mine"


def test_it_is_alone_in_its_directory(tmp_path: Path) -> None:
    executor = ToyExecutor()
    prepare(tmp_path)
    with campaign(tmp_path / "out", "run", 7, executor) as opened:
        opened.journal.flush()
    journal = (tmp_path / "out/.pwact/journal.jsonl").read_bytes()
    with pytest.raises(UsageError, match="holds a campaign of pwact run; pwact label needs"):
        go(tmp_path, executor)
    assert (tmp_path / "out/.pwact/journal.jsonl").read_bytes() == journal
    go(tmp_path, executor, output="other")
    write_files(tmp_path / "other", {})
    with pytest.raises(UsageError, match="holds a campaign of pwact label; pwact init_bulk"):
        run_chain(tmp_path / "other", init_param(), executor)


def without(param: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in param.items() if name not in names}


@pytest.mark.parametrize(
    "param",
    [
        run_param(),
        without(run_param(), "train", "explore", "init_data"),
        {"dft_style": "ase", "scf_input": "calculator.json"},
        {**init_param(), "dft_style": "pwmat", "scf_style": "ase", "scf_input": "calculator.json"},
    ],
)
def test_any_input_that_says_how_to_label_is_enough(tmp_path: Path, param: Any) -> None:
    prepare(tmp_path, param)
    config = load_label(Path("param.json"), Path("resource.json"), tmp_path, strict=True)
    assert (config.label.style, config.label.inputs[0].path.name) == ("ase", "calculator.json")
    assert (config.data_format, config.warnings, config.work_dir) == ("extxyz", [], tmp_path)


@pytest.mark.parametrize(
    ("param", "words"),
    [
        (init_param(), "param.json: neither DFT .of a run. nor scf_input .of an init_bulk."),
        ({"scf_input": ["a", "b"]}, "scf_input: found 2 control files; expected one"),
        ({"DFT": {"dft_style": "ase"}}, "DFT.input: this key is required for ase"),
        ({"DFT": {"dft_style": "vsap", "input": "x"}}, "DFT.dft_style"),
        (resources(), "this looks like a resource.json"),
    ],
)
def test_what_does_not_say_it_is_refused(tmp_path: Path, param: Any, words: str) -> None:
    prepare(tmp_path, param)
    with pytest.raises(InputError, match=words):
        load_label(Path("param.json"), Path("resource.json"), tmp_path)


def test_the_block_of_init_bulk_and_a_missing_one(tmp_path: Path) -> None:
    def block(param: Any, **blocks: Any) -> Any:
        (tmp_path / "param.json").write_text(json.dumps(param))
        (tmp_path / "resource.json").write_text(json.dumps(blocks))
        return load_label(Path("param.json"), Path("resource.json"), tmp_path).block

    prepare(tmp_path)
    scf, dft = ({**LOCAL, "command": name} for name in ("one", "two"))
    init = {"dft_style": "ase", "scf_input": "calculator.json"}
    assert block(init, scf=scf, DFT=dft).command == "one"
    assert block(init, DFT=dft).command == "two"
    assert block(DFT, scf=scf, DFT=dft).command == "two"
    with pytest.raises(InputError, match="resource.json: DFT: this block is required and missing"):
        block(DFT, scf=scf)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda atoms: atoms.set_pbc((1, 1, 0)), "frame 1: it is open along c"),
        (lambda atoms: atoms.set_atomic_numbers([54] * 4), "toy knows no Xe"),
        (lambda atoms: (atoms.set_cell(None), atoms.set_pbc(False)), "the cell has no volume"),
    ],
)
def test_frames_that_cannot_be_labelled(
    tmp_path: Path, change: Callable[[Atoms], Any], words: str
) -> None:
    one, two = frames(0, 1)
    change(two)
    prepare(tmp_path, given=[one, two])
    with pytest.raises(InputError, match=words):
        go(tmp_path, ToyExecutor())
    assert not (tmp_path / "out").exists()


def test_held_atoms_are_free_in_a_label(tmp_path: Path) -> None:
    (one,) = frames(0)
    fix(one, np.array([1, 0, 0, 1]))
    prepare(tmp_path, given=[one])
    assert any_fixed(next(iterate_structures(tmp_path / "frames.xyz", "extxyz")))
    config = load_label(Path("param.json"), Path("resource.json"), tmp_path)
    stage = given_stage(Wanted([(tmp_path / "frames.xyz", "extxyz")]), config, tmp_path / "out")
    assert not any_fixed(stage.frames[0].atoms)


def test_a_script_that_labels_all_at_once(tmp_path: Path) -> None:
    param = {"DFT": {"dft_style": "bigmodel", "bigmodel_script": "label.py"}}
    (tmp_path / "label.py").write_text(HARMONIC)
    write_files(tmp_path, {})
    (tmp_path / "param.json").write_text(json.dumps(param))
    blocks = {"DFT": {**LOCAL, "command": f"{PYTHON} label.py"}}
    (tmp_path / "resource.json").write_text(json.dumps(blocks))
    write_extxyz(tmp_path / "frames.xyz", frames(0, 1, 0))
    executor = ScriptExecutor()
    assert go(tmp_path, executor).labelled == 2
    assert go(tmp_path, executor, output="again").labelled == 2
    assert tasks(executor) == ["label/bigmodel"]


def test_a_real_call_with_moments_open_axes_and_held_atoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = frames(0, 1)
    for atoms in given:
        atoms.pbc = (True, True, False)
        atoms.set_initial_magnetic_moments([1.0, 0.0, -1.0, 0.0])
        atoms.set_constraint(ase.constraints.FixAtoms([0, 1]))
    prepare(tmp_path, {**DFT, "reserve_scf_files": True})
    ase.io.write(tmp_path / "slab.traj", given)
    monkeypatch.chdir(tmp_path)
    words = ["label", "slab.traj", "frames.xyz", "param.json", "resource.json", "--limit", "4"]
    assert main([*words, "-o", "a b/data"]) == 0
    out = capsys.readouterr()
    assert "slab.traj: its labels get" in out.err
    assert "4 of 4 frames have a label" in out.out
    found = read_frames(tmp_path / "a b/data/train.xyz", "extxyz")
    assert [frame.pbc.tolist() for frame in found] == [[True, True, False]] * 2 + [[True] * 3] * 2
    task = tmp_path / "a b/data/label/scf/0/0-scf"
    (start,) = read_extxyz(task / "structure.xyz", properties=True)
    assert start.get_initial_magnetic_moments().tolist() == [0.0, 0.0, 1.0, -1.0]
    for frame in found:
        labels = labels_of(frame)
        frame.calc = EMT()
        assert labels.energy == pytest.approx(frame.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labels.forces, frame.get_forces(), atol=1e-9)
    assert main([*words, "-o", "a b/data"]) == 0
    assert main(["status", "a b/data"]) == 0
    assert "pwact label in" in capsys.readouterr().out
    assert main([*words[:-2], "-o", "a b/data"]) == 2
    assert "frames was 4, is 6" in capsys.readouterr().err


def test_the_usage_of_the_real_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    monkeypatch.chdir(tmp_path)
    words = ["label", "frames.xyz", "param.json", "resource.json", "--redo", "label"]
    assert main(words) == 2
    assert "no such stage was begun here" in capsys.readouterr().err
    assert not (tmp_path / "labelled").exists()
    for place in ("frames.xyz", "frames.xyz/data"):  # a file in place of the directory
        assert main([*words[:4], "-o", place]) == 2
        assert "frames.xyz is not a directory" in capsys.readouterr().err
    assert main(["label", "frames.xyz", "param.json"]) == 2
    assert "pwact label" in capsys.readouterr().err
