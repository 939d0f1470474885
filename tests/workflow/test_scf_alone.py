"""An init_bulk that labels structures by single points, without any MD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.emt import EMT

from pwact.config.init_bulk import InitConfig
from pwact.errors import StageChangedError
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered, read_frames
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from pwact.workflow.as_begun import init_as_begun
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.amount import amount
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from tests.workflow.dying import until_done
from tests.workflow.pairs import deep_update, init_param, load, resources, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, use_toys
from tests.workflow.toys import STIFFNESS

DATA = "collection/scf/train.xyz"
ENTRY = {"config": "structures/a.poscar", "format": "vasp/poscar", "scf": True}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real" not in request.node.name:
        use_toys(monkeypatch)


def param(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    changed = {"sys_configs": [{**ENTRY, **one} for one in entries], **changes}
    return deep_update(init_param(), {"scf_input": "calculator.json", **changed})


def chain(work_dir: Path, executor: ToyExecutor, given: dict[str, Any], **options: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    return run_chain(work_dir, given, executor, **options)


def test_distorted_structures_are_labelled(tmp_path: Path) -> None:
    executor = ToyExecutor()
    given = param({"scale": [0.98, 1.0], "perturb": 2, "relax": True}, {}, reserve_work=True)
    result = chain(tmp_path, executor, given)
    assert result.data_sets == [tmp_path / DATA]
    frames = read_frames(tmp_path / DATA, "extxyz")
    folder = tmp_path / "collection/init_config_0"
    names = [f"{s}_scale_pertub/{k}_pertub.poscar" for s in ("0.98", "1.0") for k in (0, 1)]
    paths = [*(folder / name for name in names), tmp_path / "structures/a.poscar"]
    assert len(frames) == len(paths)
    for frame, path in zip(frames, paths):
        expected = ordered(read_structure(path, "vasp/poscar"))
        np.testing.assert_allclose(frame.positions, expected.positions, atol=1e-6)
        np.testing.assert_allclose(frame.cell.array, expected.cell.array, atol=1e-6)
        energy = 0.5 * STIFFNESS * float(np.sum(expected.positions**2))
        assert labels_of(frame).energy == pytest.approx(energy, abs=1e-5)
    temp = tmp_path / "temp_init_bulk_work"
    tasks = [Path(name).relative_to(temp).as_posix() for name in executor.ran if "/scf/" in name]
    assert tasks == [
        "scf/init_config_0/0.98_scale/0-scf",
        "scf/init_config_0/0.98_scale/1-scf",
        "scf/init_config_0/1.0_scale/2-scf",
        "scf/init_config_0/1.0_scale/3-scf",
        "scf/init_config_1/init/0-scf",
    ]


def test_equal_structures_are_labelled_once_and_some_are_picked(tmp_path: Path) -> None:
    executor = ToyExecutor()
    assert len(read_frames(chain(tmp_path, executor, param({}, {})).data_sets[0], "extxyz")) == 1
    few = param({"perturb": 6}, scf_max_num=2)
    chain(tmp_path / "few", ToyExecutor(), few)
    assert len(read_frames(tmp_path / "few" / DATA, "extxyz")) == 2
    assert amount(load(tmp_path / "few", few, resources()).config) == (
        "asked for: 2 labels of structures"
    )


def test_what_does_not_converge_is_listed_and_what_failed_is_tried_again(tmp_path: Path) -> None:
    executor, given = ToyExecutor(), param({"perturb": 4})
    executor.spoil = {"/1-scf": "unconverged", "/2-scf": "broken"}
    result = chain(tmp_path, executor, given)
    assert len(read_frames(tmp_path / DATA, "extxyz")) == 2
    rows = (tmp_path / "collection/left_out.csv").read_text().splitlines()[1:]
    names = [Path(row.split(",")[1]).name for row in rows]
    assert names == ["1_pertub.poscar", "2_pertub.poscar"]
    assert "the SCF is not converged" in rows[0]
    assert [Path(one).name for one in result.lost] == ["2-scf"]
    executor.spoil, executor.ran = {}, []
    result = chain(tmp_path, executor, given)
    assert [Path(one).name for one in executor.ran] == ["2-scf"]
    assert (len(read_frames(tmp_path / DATA, "extxyz")), result.lost) == (3, [])
    assert not (tmp_path / "temp_init_bulk_work").exists()


def test_with_aimd_beside_it_each_entry_has_its_own(tmp_path: Path) -> None:
    given = param({"perturb": 2}, {"aimd": True, "scf": False}, {"aimd": True, "perturb": 1})
    result = chain(tmp_path, ToyExecutor(), given)
    names = [path.relative_to(tmp_path).as_posix() for path in result.data_sets]
    assert names == ["collection/init_config_1/train.xyz", DATA]
    assert len(read_frames(tmp_path / DATA, "extxyz")) == 2 + 3


def test_a_changed_distortion_is_a_changed_entry(tmp_path: Path) -> None:
    executor = ToyExecutor()
    chain(tmp_path, executor, param({"perturb": 2}))
    executor.ran = []
    chain(tmp_path, executor, param({"perturb": 2}))
    assert executor.ran == []
    other = param({"perturb": 2, "atom_pert_distance": 0.05})
    with pytest.raises(StageChangedError, match="atom_pert_distance"):
        chain(tmp_path, executor, other)
    chain(tmp_path, executor, other, redo=("collection",))
    assert [Path(one).name for one in executor.ran] == ["0-scf", "1-scf"]


def test_structures_that_were_made_again_are_labelled_again(tmp_path: Path) -> None:
    executor = ToyExecutor()
    chain(tmp_path, executor, param({"perturb": 2}, reserve_work=True))
    before = (tmp_path / DATA).read_bytes()
    executor.ran = []
    other = param({"perturb": 2, "atom_pert_distance": 0.05}, reserve_work=True)
    chain(tmp_path, executor, other, redo=("pertub", "collection"))
    assert [Path(one).name for one in executor.ran] == ["0-scf", "1-scf"]
    assert (tmp_path / DATA).read_bytes() != before


@pytest.mark.parametrize("torn", [True, False])
def test_killed_at_every_line_it_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    given = param({"perturb": 2, "relax": True}, {"scale": [1.02]})
    chain(tmp_path / "whole", ToyExecutor(), given)
    work_dir = tmp_path / "killed"
    deaths = until_done(monkeypatch, lambda: chain(work_dir, ToyExecutor(), given), torn)
    assert deaths > 15
    assert (work_dir / DATA).read_bytes() == (tmp_path / "whole" / DATA).read_bytes()


def begun_before(work_dir: Path) -> None:
    """Let the journal be of a version in which scf had no effect without MD."""
    path = work_dir / ".pwact/journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        event.pop("scf_alone", None)
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events))


def test_a_campaign_of_before_goes_on_without(tmp_path: Path) -> None:
    executor, given = ToyExecutor(), param({"perturb": 2})
    chain(tmp_path, executor, param({"perturb": 2, "scf": False}))
    pair = load(tmp_path, given, resources())
    assert preflight(pair) == []
    with pytest.raises(StageChangedError):
        chain(tmp_path, executor, given)
    begun_before(tmp_path)
    said = "sys_configs[0].scf: it has no effect without aimd or bigmodel, as in the version"
    assert any(said in line for line in preflight(pair))
    assert (chain(tmp_path, executor, given).data_sets, executor.ran) == ([], [])


def test_with_md_scf_is_as_it_was_in_campaigns_of_before(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    config = load(tmp_path, param({}, {"aimd": True}), resources()).config
    assert isinstance(config, InitConfig)
    events = [{"event": "campaign_started", "command": "init_bulk", "frames": "distinct"}]
    assert [one.scf for one in init_as_begun(config, events).systems] == [False, True]
    assert init_as_begun(config, []) is config


def test_a_real_molecule_with_moments_and_a_held_atom(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    atoms = molecule("CO", vacuum=4.0)
    atoms.pbc = False
    write_extxyz(tmp_path / "structures/co.xyz", [atoms])
    entry = {"config": "structures/co.xyz", "format": "extxyz", "perturb": 2, "fix_atoms": "C"}
    pair = load(tmp_path, param({**entry, "cell_pert_fraction": 0}), resources())
    preflight(pair)
    with open_campaign(tmp_path, "init_bulk", 7) as opened:
        (data,) = run_init_bulk(pair.config, pair.resources, opened).data_sets
    frames = read_frames(data, "extxyz")
    assert len(frames) == 2
    for frame in frames:
        assert not frame.pbc.any()
        labels = labels_of(frame)
        frame.calc = EMT()
        assert labels.energy == pytest.approx(frame.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labels.forces, frame.get_forces(), atol=1e-9)
        assert np.abs(labels.forces).min(axis=0).max() > 0
