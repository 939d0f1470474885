"""Held atoms stay where they are in every step, and have the forces of the energy."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair
from pwact.errors import InputError, StageChangedError, TaskError
from pwact.fixed_atoms import fix, held
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.structures import read_structure, write_structure
from pwact.workflow.as_begun import init_as_begun
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.check_held import check_chain_held
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from pwact.workflow.init_bulk.chain import asked_of, chain_of
from pwact.workflow.init_bulk.structures import RelaxStage
from pwact.workflow.tasks.held_forces import demand_forces
from tests.requirements import need_program
from tests.workflow import small_campaign
from tests.workflow.pairs import LOCAL, deep_update, init_param, load, resources, write_files
from tests.workflow.toy_campaign import use_toys
from tests.workflow.toys import ToyLabeler

ROOT = Path(__file__).parents[2]
PYTHON = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)}"
EMT_FILE = {"calculator": "emt", "relax": {"fmax": 0.2}, "aimd": {"steps": 3, "timestep_fs": 4}}


def slab() -> Atoms:
    """Gold before silver; one of each is held, one along c alone."""
    atoms = bulk("AuAg", "cesiumchloride", a=3.25) * (2, 1, 1)
    atoms.positions += np.random.default_rng(4).normal(0, 0.1, (4, 3))
    fix(atoms, np.array([[1, 1, 1], [0, 0, 0], [0, 0, 1], [1, 1, 1]]))
    return atoms


def chain(work_dir: Path, **entry: Any) -> LoadedPair:
    write_structure(work_dir / "POSCAR", slab(), "vasp/poscar")
    (work_dir / "emt.json").write_text(json.dumps(EMT_FILE))
    param = {
        "seed": 3,
        "dft_style": "ase",
        "relax_input": "emt.json",
        "aimd_input": "emt.json",
        "reserve_work": True,
        "sys_configs": [
            {
                "config": "POSCAR",
                "relax": True,
                "super_cell": [1, 2, 1],
                "scale": [0.98],
                "perturb": 1,
                "cell_pert_fraction": 0.02,
                "atom_pert_distance": 0.1,
                "aimd": True,
                **entry,
            }
        ],
    }
    return load(work_dir, param, {"DFT": {**LOCAL, "command": PYTHON}})


def made(work_dir: Path, pair: LoadedPair) -> list[Atoms]:
    with open_campaign(work_dir, "init_bulk", 3) as opened:
        result = run_init_bulk(pair.config, pair.resources, opened)
    return [one for path in result.data_sets for one in read_frames(path, "extxyz")]


def places(atoms: Atoms) -> np.ndarray:
    return np.asarray(atoms.cell.scaled_positions(atoms.positions))


def off(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    apart = one - other
    return np.abs(apart - np.round(apart)).max(axis=1)


def test_the_whole_chain(tmp_path: Path) -> None:
    """Relaxed, repeated, scaled, distorted and moved by MD, held atoms keep their fractions."""
    pair = chain(tmp_path)
    (said,) = [words for words in preflight(pair) if "POSCAR" in words]
    assert "relax, aimd gets Au (1 atom): held along a, b, c: 1 1 1; Ag (1 atom): held" in said
    frames = made(tmp_path, pair)
    assert len(frames) == 4
    relaxed = tmp_path / "temp_init_bulk_work/relax/init_config_0/relaxed.poscar"
    silver_first = slab()[[1, 3, 0, 2]]
    found = read_structure(relaxed, "vasp/poscar")
    assert found.get_chemical_symbols() == silver_first.get_chemical_symbols()
    assert held(found) == [1, 2]
    np.testing.assert_allclose(found.positions[[1, 2]], silver_first.positions[[1, 2]], atol=1e-9)
    assert np.abs(found.positions[0] - silver_first.positions[0]).max() > 1e-3
    assert abs(found.positions[3, 2] - silver_first.positions[3, 2]) < 1e-9
    start, still = places(frames[0]), [1, 3, 4, 6]  # each twice, by the super cell
    wanted = places(found)[[1, 1, 2, 2]] * [1, 0.5, 1]
    assert off(start[still] * [1, 2, 1], wanted * [1, 2, 1]).max() < 1e-6
    for frame in frames:
        moved = off(places(frame), start)
        assert moved[still].max() < 1e-7
        again = frame.copy()
        again.calc = EMT()
        np.testing.assert_allclose(labels_of(frame).forces, again.get_forces(), atol=1e-9)
        assert np.abs(labels_of(frame).forces[still]).min(axis=0).min() > 1e-4
        assert set(frame.arrays) == {"numbers", "positions"}
    assert off(places(frames[-1]), start)[[0, 2, 5, 7]].min() > 1e-4
    assert np.abs(places(frames[-1]) - start)[[5, 7], 2].max() < 1e-7  # held along c


def test_the_key_frees_and_holds(tmp_path: Path) -> None:
    for name, given, count in (("free", False, 0), ("other", "2", 2)):
        (tmp_path / name).mkdir()
        pair = chain(tmp_path / name, fix_atoms=given, relax=False)
        frames = made(tmp_path / name, pair)
        moved = off(places(frames[-1]), places(frames[0]))
        assert np.count_nonzero(moved < 1e-7) == count


def test_forces_are_the_slope_of_the_energy_on_held_atoms(tmp_path: Path) -> None:
    """By finite differences, for an atom that is held altogether."""
    pair = chain(tmp_path, relax=False, perturb=0, scale=[])
    frame = made(tmp_path, pair)[0]
    for axis in range(3):
        energies = []
        for step in (1e-4, -1e-4):
            moved = frame.copy()
            moved.positions[1, axis] += step
            moved.calc = EMT()
            energies.append(moved.get_potential_energy())
        slope = (energies[0] - energies[1]) / 2e-4
        assert labels_of(frame).forces[1, axis] == pytest.approx(-slope, abs=1e-6)


CHAIN_FAULTS = [
    ({"super_cell": [1, 0, 1, 0, 1, 0, 0, 0, 1]}, "super_cell .*held along c alone"),
    ({"fix_atoms": "1-9"}, "fix_atoms: found 1-9, but there are 4 atoms"),
]


@pytest.mark.parametrize(("entry", "words"), CHAIN_FAULTS, ids=["sheared", "absent"])
def test_what_cannot_be_held_is_refused(tmp_path: Path, entry: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        preflight(chain(tmp_path, **entry))


def test_atoms_that_a_distorted_cell_cannot_hold_in_part(tmp_path: Path) -> None:
    """Held along a and b, free along c: which a strain turns away from z."""
    pair = chain(tmp_path)
    atoms = slab()
    fix(atoms, np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]))
    write_structure(tmp_path / "POSCAR", atoms, "vasp/poscar")
    with pytest.raises(InputError, match="POSCAR: atoms that are held along x and y alone"):
        preflight(pair)


def test_forces_that_are_no_labels() -> None:
    start = slab()
    frame = start.copy()
    forces = np.zeros((4, 3))
    forces[0, 0] = 0.5  # after sorting, an atom that moves
    set_labels(frame, 0.0, forces)
    with pytest.raises(TaskError, match="forces on the 2 held atoms are 0 in all frames"):
        demand_forces(start, [frame, frame], Path("0_aimd"))
    forces[2, 1] = 0.1
    other = frame.copy()
    set_labels(other, 0.0, forces)
    demand_forces(start, [frame, other], Path("0_aimd"))
    fix(start, np.zeros(4))
    demand_forces(start, [frame], Path("0_aimd"))


@pytest.mark.slow
def test_the_whole_loop(tmp_path: Path) -> None:
    """Explored by LAMMPS: held atoms stay; their labels are full forces, and nothing is held."""
    need_program("lmp")
    work_dir = tmp_path / "it"
    small_campaign.write_inputs(work_dir)
    param = json.loads((work_dir / "param.json").read_text())
    for system in param["explore"]["sys_configs"]:
        system["fix_atoms"] = "1-3"
    (work_dir / "param.json").write_text(json.dumps(param))
    start = read_structure(work_dir / "cu.poscar", "vasp/poscar")
    result = small_campaign.run(work_dir)
    frames = [one for path in result.data_sets for one in read_frames(path, "extxyz")]
    assert frames
    for frame in frames:
        again = frame.copy()
        again.calc = EMT()
        np.testing.assert_allclose(labels_of(frame).forces, again.get_forces(), atol=1e-6)
        moved = off(places(frame), places(start))
        assert moved[:3].max() < 1e-6
        assert set(frame.arrays) == {"numbers", "positions"}
    assert max(off(places(one), places(start))[3:].max() for one in frames) > 1e-3


def test_a_program_whose_md_gives_no_forces_on_held_atoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its frames are labelled again, or nothing begins."""
    use_toys(monkeypatch)
    monkeypatch.setattr(ToyLabeler, "forces_on_held", False)
    write_files(tmp_path, {"calculator": "emt"})

    def told(**changes: Any) -> list[str]:
        held = {"sys_configs.0.fix_atoms": "1", **changes}
        return preflight(load(tmp_path, deep_update(init_param(), held), resources()))

    with pytest.raises(InputError, match="gives forces of 0") as caught:
        told()
    assert caught.value.key == "sys_configs[0].scf"
    told(**{"scf_input": "calculator.json", "sys_configs.0.scf": True})
    told(**{"sys_configs.0.aimd": False})
    told(**{"sys_configs.0.fix_atoms": False})


def test_structures_of_an_older_campaign_move_and_it_is_said(tmp_path: Path) -> None:
    pair = chain(tmp_path)
    assert isinstance(pair.config, InitConfig)
    config = init_as_begun(pair.config, [{"event": "campaign_started", "command": "init_bulk"}])
    assert config.relax.bare_atoms
    (words,) = check_chain_held(config, chain_of(config, pair.resources))
    assert "POSCAR: it holds atoms, which move here: version 0.5.0" in words


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"ensemble": "npt", "press": 0}, "cu.poscar: 3 atoms are held, and a cell that changes"),
        ({"ensemble": "nvt"}, ""),
    ],
)
def test_explored_cells_that_change(tmp_path: Path, job: dict[str, Any], words: str) -> None:
    need_program("lmp")
    small_campaign.write_inputs(tmp_path / "it")
    param = json.loads((tmp_path / "it/param.json").read_text())
    param["explore"]["sys_configs"][0]["fix_atoms"] = "1-3"
    param["explore"]["md_jobs"][0].update(job)
    resource = json.loads((tmp_path / "it/resource.json").read_text())
    pair = load(tmp_path / "it", param, resource)
    if words:
        with pytest.raises(InputError, match=words):
            preflight(pair)
    else:
        said = preflight(pair)
        assert said == [f"{tmp_path / 'it/cu.poscar'}: 3 of 8 atoms are held in explored MD"]


def test_another_choice_of_held_atoms_is_another_input(tmp_path: Path) -> None:
    """Every step knows it, and so does the entry itself."""
    found = []
    for given in (None, False, "2", "2"):
        pair = chain(tmp_path, **({} if given is None else {"fix_atoms": given}))
        assert isinstance(pair.config, InitConfig)
        steps = chain_of(pair.config, pair.resources)
        relax = RelaxStage(pair.config, steps.places, steps.relax, steps.dft_block)
        inputs = relax.inputs()["init_config_0"]
        asked = asked_of(steps, pair.config.systems[0])
        assert ("fix_atoms" in inputs) == ("fix_atoms" in asked) == (given is not None)
        found.append((inputs.get("fix_atoms"), asked.get("fix_atoms")))
    assert found == [(None, None), ([], []), (["2"], ["2"]), (["2"], ["2"])]


def test_a_finished_distortion_is_refused_with_other_held_atoms(tmp_path: Path) -> None:
    made(tmp_path, chain(tmp_path, relax=False, aimd=False))
    pair = chain(tmp_path, relax=False, aimd=False, fix_atoms="2")
    with pytest.raises(StageChangedError, match="fix_atoms"):
        made(tmp_path, pair)
