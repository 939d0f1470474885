"""Moments and charges of a structure reach every calculation, whatever lies in between."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from pwact.atom_properties import CHARGES, KINDS, MOMENTS, SETTING
from pwact.config.labeling import DftInput, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.ase.worker import work
from pwact.engines.labelers import Labeler, Purpose
from pwact.errors import InputError, TaskError
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.frames import ordered, read_frames
from pwact.formats.labels import labels_of
from pwact.formats.lammps_dump import DumpTrajectory, frame_text
from pwact.formats.structures import read_structure
from pwact.geometry import super_cell
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from pwact.workflow.tasks.origin import by_element, onto
from tests.engines.calculators import Spins
from tests.requirements import need_program
from tests.workflow import small_campaign
from tests.workflow.pairs import LOCAL, load

ROOT = Path(__file__).parents[2]
PYTHON = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)}"
SPINS = {"calculator": "tests.engines.calculators:Spins"}


def crystal() -> Atoms:
    """A CsCl cell of gold (first, as users have it) and silver, doubled along c: up and down."""
    atoms = bulk("AuAg", "cesiumchloride", a=3.2) * (1, 1, 2)
    atoms.set_array(MOMENTS, np.array([2.0, 0.5, -2.0, 0.0]))
    atoms.set_array(CHARGES, np.array([0.4, -0.4, 0.4, -0.4]))
    return atoms


def by_place(frame: Atoms) -> Atoms:
    """A frame whose atoms get what the crystal has at the nearest site."""
    sites = super_cell(crystal(), (2, 1, 1))
    apart = frame.get_scaled_positions()[:, None] - sites.get_scaled_positions()[None]
    apart = (apart - np.round(apart)) @ frame.cell.array
    nearest = np.argmin(np.linalg.norm(apart, axis=2), axis=1)
    assert frame.get_chemical_symbols() == [sites.symbols[n] for n in nearest]
    made = frame.copy()
    for name in (MOMENTS, CHARGES):
        made.set_array(name, sites.arrays[name][nearest])
    return made


@pytest.mark.parametrize("scf", [False, True], ids=["aimd", "scf"])
def test_the_whole_chain(tmp_path: Path, scf: bool) -> None:
    """Labels are those of the moments at each site, computed here on their own."""
    ase.io.write(tmp_path / "afm.traj", crystal())
    (tmp_path / "relax.json").write_text(json.dumps({**SPINS, "relax": {"fmax": 99.0}}))
    (tmp_path / "aimd.json").write_text(json.dumps({**SPINS, "aimd": {"steps": 2}}))
    (tmp_path / "scf.json").write_text(json.dumps({**SPINS, "aimd": {"steps": 3}}))
    param: dict[str, Any] = {
        "seed": 3,
        "dft_style": "ase",
        "relax_input": "relax.json",
        "aimd_input": "aimd.json",
        "reserve_work": True,
        **({"scf_style": "ase", "scf_input": "scf.json"} if scf else {}),
        "sys_configs": [
            {
                "config": "afm.traj",
                "format": "traj",
                "relax": True,
                "super_cell": [2, 1, 1],
                "scale": [0.98],
                "perturb": 1,
                "cell_pert_fraction": 0.01,
                "atom_pert_distance": 0.05,
                "aimd": True,
                "scf": scf,
            }
        ],
    }
    pair = load(tmp_path, param, {"DFT": {**LOCAL, "command": PYTHON}})
    warning, said = preflight(pair)
    assert "relax.fmax: found 99 eV/Å" in warning
    assert "gets Au (1 atom): charge 0.4, magnetic moment 2; Ag (1 atom): charge -0.4" in said
    with open_campaign(tmp_path, "init_bulk", 3) as opened:
        result = run_init_bulk(pair.config, pair.resources, opened)
    frames = [one for path in result.data_sets for one in read_frames(path, "extxyz")]
    assert len(frames) == 3
    for frame in frames:
        again = by_place(frame)
        again.calc = Spins()
        assert labels_of(frame).energy == pytest.approx(again.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labels_of(frame).forces, again.get_forces(), atol=1e-9)


@pytest.mark.slow
def test_the_whole_loop(tmp_path: Path) -> None:
    """Explored by LAMMPS, which knows no moments: each atom keeps its own all the same."""
    need_program("lmp")
    work_dir = tmp_path / "it"
    small_campaign.write_inputs(work_dir)
    copper = read_structure(work_dir / "cu.poscar", "vasp/poscar")
    moments = np.where(np.arange(len(copper)) % 3, 1.5, -1.0)
    copper.set_array(MOMENTS, moments)
    write_extxyz(work_dir / "cu.xyz", [copper])
    param = json.loads((work_dir / "param.json").read_text())
    systems = param["explore"]["sys_configs"]
    param["explore"]["sys_configs"] = [{"config": "cu.xyz", "format": "extxyz"} for _ in systems]
    (work_dir / "param.json").write_text(json.dumps(param))
    (work_dir / "emt.json").write_text(json.dumps(SPINS))
    result = small_campaign.run(work_dir)
    frames = [one for path in result.data_sets for one in read_frames(path, "extxyz")]
    assert frames
    for frame in frames:
        again = frame.copy()
        again.set_array(MOMENTS, moments)
        again.calc = Spins()
        assert labels_of(frame).energy == pytest.approx(again.get_potential_energy(), abs=1e-9)


def ase_labeler(folder: Path) -> Labeler:
    folder.mkdir(exist_ok=True)
    (folder / "spins.json").write_text(json.dumps(SPINS))
    return ase_labeler_of(folder)


def ase_labeler_of(folder: Path) -> Labeler:
    config = LabelConfig(
        file=folder / "param.json", style="ase", inputs=(DftInput(folder / "spins.json"),)
    )
    return labeler_for(config, 0, ResourceBlock(name="DFT", command=PYTHON))


def label(folder: Path, atoms: Atoms) -> Atoms:
    made = ase_labeler(folder.parent)
    folder.mkdir()
    made.write_input(folder, ordered(made.assign(atoms)), Purpose.SCF, 1)
    work(folder, "scf")
    return made.read_result(folder, Purpose.SCF)[-1]


def test_forces_of_a_label_are_minus_the_slope_of_its_energy(tmp_path: Path) -> None:
    atoms = crystal()
    atoms.rattle(0.1, seed=2)
    forces = labels_of(label(tmp_path / "at", atoms)).forces
    step, rank = 1e-4, ordered(atoms).positions
    for atom in range(len(atoms)):
        energies = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[atom, 2] += sign * step
            energies.append(labels_of(label(tmp_path / f"{atom}{sign}", moved)).energy)
        place = int(np.argmin(np.linalg.norm(rank - atoms.positions[atom], axis=1)))
        slope = (energies[0] - energies[1]) / (2 * step)
        assert forces[place, 2] == pytest.approx(-slope, abs=1e-6)
    turned = atoms.copy()
    turned.arrays[MOMENTS] = np.abs(turned.arrays[MOMENTS])
    ferro = labels_of(label(tmp_path / "ferro", turned)).energy
    assert abs(ferro - labels_of(label(tmp_path / "again", atoms)).energy) > 0.1


def test_moments_as_an_argument_are_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They would meet other atoms in a super cell or in data."""
    for arguments, words in (
        ({"magmoms": [1, 2, 3, 4]}, "give the structure initial magnetic moments"),
        ({"charge": 1}, ""),
    ):
        (tmp_path / "spins.json").write_text(json.dumps({**SPINS, "arguments": arguments}))
        made = ase_labeler_of(tmp_path)
        if words:
            with pytest.raises(InputError, match=words):
                made.assign(crystal())
        else:
            made.assign(crystal(), 2)
            assert "arguments.charge = 1 counts for the whole super cell" in caplog.text


def explored(atoms: Atoms, folder: Path) -> Atoms:
    """The atoms as a frame of a dump, whose box LAMMPS turns."""
    (folder / "dump").write_text(frame_text(0, atoms, np.zeros((len(atoms), 3)), ["Ag", "Au"]))
    return DumpTrajectory(folder / "dump", ["Ag", "Au"]).frame(0)


def test_a_frame_of_a_dump_has_the_atoms_in_the_order_of_the_start(tmp_path: Path) -> None:
    start = crystal()
    start.rotate(33, (1, 2, 3), rotate_cell=True)
    vectors = start.cell.array[2] / 6.4 * start.arrays[MOMENTS][:, None]
    start.arrays[MOMENTS] = vectors
    frame = onto(start, explored(start, tmp_path))
    along = frame.cell.array[2] / 6.4
    np.testing.assert_allclose(frame.arrays[MOMENTS] @ along, [2.0, 0.5, -2.0, 0.0], atol=1e-9)


def test_a_frame_with_other_atoms_gets_what_is_the_same_for_its_element(tmp_path: Path) -> None:
    start, frame = crystal(), explored(crystal()[[1, 0, 2]], tmp_path)
    assert not by_element(start)
    with pytest.raises(TaskError, match="only what is the same for all atoms of an element"):
        onto(start, frame, "traj")
    start.arrays[MOMENTS] = np.array([2.0, 0.5, 2.0, 0.5])
    assert by_element(start)
    made = onto(start, frame)
    assert made.arrays[MOMENTS].tolist() == [0.5, 2.0, 2.0]
    assert made.arrays[CHARGES].tolist() == [-0.4, 0.4, 0.4]
    with pytest.raises(TaskError, match="not known which"):
        onto(start[[0, 2]], frame)


def test_columns_are_read_back_and_read_by_ase(tmp_path: Path) -> None:
    atoms = crystal()
    atoms.set_array(KINDS, np.array([1, 0, 2, 0]))
    atoms.set_array(f"{SETTING}LDAUU", np.array(["1"] * 4))
    write_extxyz(tmp_path / "a.xyz", [atoms])
    for found in (
        read_extxyz(tmp_path / "a.xyz", properties=True)[0],
        ase.io.read(tmp_path / "a.xyz"),
    ):
        for name in (MOMENTS, CHARGES, KINDS):
            np.testing.assert_array_equal(found.arrays[name], atoms.arrays[name])
    assert MOMENTS not in read_extxyz(tmp_path / "a.xyz")[0].arrays


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("initial_magmoms:R:2", "1 2", "initial_magmoms has 2 columns, not 1 or 3"),
        ("initial_charges:R:1", "nan", "initial_charges must be finite numbers"),
        ("tags:R:1", "0.5", "tags must be whole numbers"),
        ("initial_magmoms:R:1", "up", "could not convert"),
    ],
)
def test_columns_that_make_no_sense(tmp_path: Path, column: str, value: str, words: str) -> None:
    head = f'Lattice="3 0 0 0 3 0 0 0 3" Properties=species:S:1:pos:R:3:{column}'
    (tmp_path / "a.xyz").write_text(f"1\n{head}\nFe 0 0 0 {value}\n")
    with pytest.raises(InputError, match=words):
        read_structure(tmp_path / "a.xyz", "extxyz")
