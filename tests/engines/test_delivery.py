"""Models that are handed on: files made of what a trainer gives to an explorer."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from pwact.config.resources import ResourceBlock
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.delivery import Delivery, named_plainly, read_result
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.potential import Potential, calculators, pair_sets
from pwact.errors import TaskError
from pwact.formats.extxyz import write_extxyz
from tests.commands import ROOT

TYPES = ("Ag", "Au")
BLOCK = ResourceBlock(command="lmp -in x")


def alloy() -> Atoms:
    atoms = bulk("Au", cubic=True, a=4.1)
    atoms.set_chemical_symbols(["Au", "Ag", "Au", "Ag"])
    atoms.positions[0] += 0.1
    return atoms


def write(folder: Path, delivery: Delivery) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in delivery.texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("calculator", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_lose_the_number_of_the_member(tmp_path: Path) -> None:
    links = {"0_graph.pb": tmp_path / "a", "0_table": tmp_path / "b"}
    in_ase = {"calculator": "x:Y", "arguments": {"model": "0_graph.pb", "more": ["0_table", 1]}}
    plain = named_plainly(Potential(TYPES, links, ("pair_style x 0_graph.pb 0",), in_ase=in_ase))
    assert plain.links == {"graph.pb": tmp_path / "a", "table": tmp_path / "b"}
    assert plain.pair_lines == ("pair_style x graph.pb 0",)
    assert plain.calculator["arguments"] == {"model": "graph.pb", "more": ["table", 1]}
    made = calculators(
        TYPES, {"0_m": tmp_path / "a"}, [{"calculator": "x:Y", "arguments": {"m": "0_m"}}]
    )
    assert named_plainly(made).calculator == {"calculator": "x:Y", "arguments": {"m": "m"}}
    assert named_plainly(made).links == {"m": tmp_path / "a"}


def test_a_model_that_runs_in_ase_alone(tmp_path: Path) -> None:
    """The folder is evaluated as others will, and no input of LAMMPS pretends to know it."""
    folder, model = tmp_path / "a folder", tmp_path / "model.pt"
    model.write_text("0.5")
    arguments = {"factor": 0.5, "weights": "model.pt"}
    one = {"calculator": "tests.engines.test_delivery:FromFile", "arguments": arguments}
    potential = calculators(TYPES, {"model.pt": model}, [one])
    explorer = AseExplorer(ResourceBlock(command=shlex.quote(sys.executable)))
    delivery = explorer.deliver(potential, frozenset(TYPES))
    assert set(delivery.texts) == {"calculator.py"}
    assert delivery.data_types == ()
    write(folder, delivery)
    shutil.copyfile(model, folder / "model.pt")
    atoms = alloy()
    write_extxyz(folder / "check.extxyz", [atoms])
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-c", delivery.command], cwd=folder, env=path, check=True)
    found = delivery.result(folder)
    atoms.calc = EMT()
    assert found.energy == pytest.approx(0.5 * atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(found.forces, 0.5 * atoms.get_forces(), atol=1e-9)
    assert "ase" in found.programs
    module = imported(folder / "calculator.py")
    (tmp_path / "other.pt").write_text("2.0")
    assert module.calculator(factor=2.0, weights=str(tmp_path / "other.pt")).factor == 2.0


class FromFile(EMT):  # type: ignore[misc]
    """EMT multiplied by the number in a file, which must be that of the folder."""

    def __init__(self, factor: float, weights: str) -> None:
        super().__init__()
        self.factor = float(Path(weights).read_text())
        assert Path(weights).is_absolute()
        assert factor == self.factor

    def calculate(self, *arguments: Any, **more: Any) -> None:
        super().calculate(*arguments, **more)
        for name in ("energy", "free_energy", "forces"):
            self.results[name] = self.factor * np.asarray(self.results[name])


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (None, "No such file"),
        ("{", "Expecting"),
        ({"energy": 1.0, "programs": {}}, "forces"),
        ({"energy": float("nan"), "forces": [[0, 0, 0]], "programs": {}}, "no numbers"),
        ({"energy": 1.0, "forces": [[0, 0, float("inf")]], "programs": {}}, "no numbers"),
        ({"energy": 1.0, "forces": [0, 0, 0], "programs": {}}, "no forces on the atoms"),
    ],
)
def test_what_was_not_computed_is_no_result(tmp_path: Path, written: Any, why: str) -> None:
    if written is not None:
        text = written if isinstance(written, str) else json.dumps(written)
        (tmp_path / "check.json").write_text(text)
    with pytest.raises(TaskError, match=why):
        read_result(tmp_path)


GOOD_LOG = "LAMMPS (22 Jul 2025)\nenergy of check.data in eV: -3.25\nTotal wall time: 0:00:00\n"
GOOD_DUMP = (
    "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp pp pp\n0 4\n0 4\n0 4\n"
    "ITEM: ATOMS id type x y z fx fy fz\n1 2 0 0 0 0.1 0.2 0.3\n"
)


def lammps_delivery() -> Delivery:
    potential = pair_sets(TYPES, {}, [("pair_style x", "pair_coeff * * Ag Au")])
    return LammpsExplorer(BLOCK).deliver(potential, frozenset(TYPES))


def test_what_lammps_left(tmp_path: Path) -> None:
    (tmp_path / "check.log").write_text(GOOD_LOG)
    (tmp_path / "check.lammpstrj").write_text(GOOD_DUMP)
    found = lammps_delivery().result(tmp_path)
    assert found.energy == -3.25
    assert found.forces.tolist() == [[0.1, 0.2, 0.3]]
    assert found.programs == {"lammps": "22 Jul 2025"}


@pytest.mark.parametrize("name", ["check.log", "check.lammpstrj"])
def test_a_run_that_was_cut_off_is_no_result(tmp_path: Path, name: str) -> None:
    """Wherever the file ends, the result is none, or the same."""
    texts = {"check.log": GOOD_LOG, "check.lammpstrj": GOOD_DUMP}
    for length in range(len(texts[name]) - 1):
        for one, text in texts.items():
            (tmp_path / one).write_text(text[:length] if one == name else text)
        try:
            found = lammps_delivery().result(tmp_path)
        except TaskError:
            continue
        assert (found.energy, found.forces.tolist()) == (-3.25, [[0.1, 0.2, 0.3]]), length


def test_types_follow_the_structure_where_the_model_minds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MatPL's DP: a type without atoms spoils the energy, in LAMMPS and in ASE."""
    potential = Potential(
        types=("Ag", "Au", "Cu"),
        links={"dp.ckpt": tmp_path / "dp.ckpt"},
        pair_lines=("pair_style matpl dp.ckpt", "pair_coeff * * 47 79 29"),
        head_lines=("newton on",),
        own_types={"Ag": "47", "Au": "79", "Cu": "29"},
    )
    delivery = LammpsExplorer(BLOCK).deliver(potential, frozenset({"Au", "Ag"}))
    assert delivery.data_types == ("Ag", "Au")
    lines = delivery.texts["in.lammps"].splitlines()
    commands = [line for line in lines if line and not line.startswith("#")]
    assert commands[0] == "newton on"
    assert "pair_coeff * * 47 79" in commands
    assert [line for line in commands if line.startswith("mass")] == [
        "mass 1 107.868",
        "mass 2 196.967",
    ]
    folder = tmp_path / "it's a folder"
    write(folder, delivery)
    seen: dict[str, Any] = {}
    monkeypatch.setattr("ase.calculators.lammpslib.LAMMPSlib", lambda **given: seen.update(given))
    imported(folder / "calculator.py").calculator(["Cu", "Ag", "Cu"])
    place = f'"{folder / "dp.ckpt"}"'
    assert seen["lmpcmds"] == [f"pair_style matpl {place}", "pair_coeff * * 47 29"]
    assert seen["atom_types"] == {"Ag": 1, "Cu": 2}
    assert seen["lammps_header"][0] == "newton on"


def test_a_program_with_a_calculator_of_its_own_needs_no_lammps_in_ase(tmp_path: Path) -> None:
    in_ase = {"calculator": "deepmd.calculator:DP", "arguments": {"model": "graph.pb"}}
    lines = ("pair_style deepmd graph.pb", "pair_coeff * * Ag Au")
    potential = Potential(TYPES, {"graph.pb": tmp_path / "g"}, lines, in_ase=in_ase)
    texts = LammpsExplorer(BLOCK).deliver(potential, frozenset(TYPES)).texts
    assert "pair_style deepmd graph.pb" in texts["in.lammps"]
    assert "from deepmd.calculator import DP" in texts["calculator.py"]
    assert (
        "return DP(**{**{'model': str(FOLDER / 'graph.pb')}, **changes})" in texts["calculator.py"]
    )
    assert "lammps" not in texts["calculator.py"].lower()
