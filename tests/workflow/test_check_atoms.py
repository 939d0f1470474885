"""What belongs to atoms is said at check, or refused there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.atom_properties import MOMENTS, SETTING
from pwact.config.init_bulk import InitConfig
from pwact.config.run import RunConfig
from pwact.engines.lammps.identity import changes_atoms
from pwact.errors import InputError
from pwact.formats.extxyz import write_extxyz
from pwact.workflow.checks.check_atoms import check_run_atoms
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.tasks.origin import unperturbed
from tests.workflow.pairs import alloy, deep_update, init_param, load, resources, run_param
from tests.workflow.pairs import write_files as write_pair_files

PLAIN = "fix 1 all nvt temp 300 300 0.1\nrun 20\n"


def magnetic(moments: list[float]) -> Atoms:
    atoms = alloy()
    atoms.set_array(MOMENTS, np.array(moments))
    return atoms


def config_of(folder: Path, moments: list[float], lammps: str = "") -> RunConfig:
    """A run that explores a magnetic structure, by the user's input if there is one."""
    write_pair_files(folder, {"calculator": "emt"})
    write_extxyz(folder / "m.xyz", [magnetic(moments)])
    param = run_param()
    param["explore"]["sys_configs"] = [{"config": "m.xyz", "format": "extxyz"}]
    if lammps:
        (folder / "own.in").write_text(lammps)
        job = {"sys_idx": [0], "lmps_in_idx": [0], "trj_freq": 10, "select_sys": [2]}
        param["explore"] |= {"lmps_in": ["own.in"], "md_jobs": [job]}
    config = load(folder, param, resources()).config
    assert isinstance(config, RunConfig)
    return config


class Given:
    """A labeler that is given what there is, and U by a list for each structure."""

    def __init__(self, **hubbard: dict[str, str]) -> None:
        self.hubbard = hubbard
        self.asked = -1

    def assign(self, atoms: Atoms, times: int = 1) -> Atoms:
        self.asked += 1
        values = list(self.hubbard.values())
        if values:
            mine = values[self.asked % len(values)]
            words = [mine[symbol] for symbol in atoms.get_chemical_symbols()]
            atoms.set_array(f"{SETTING}LDAUU", np.array(words))
        return atoms


def test_what_the_labels_get_is_told(tmp_path: Path) -> None:
    (words,) = check_run_atoms(config_of(tmp_path, [2.0, 0.0, -2.0, 0.0]), Given())
    assert words.startswith(f"{tmp_path / 'm.xyz'}: its labels get Au (1 atom): magnetic moment 2")


def test_an_input_of_lammps_with_a_time_step_of_1_ps(tmp_path: Path) -> None:
    config_of(tmp_path, [0.0] * 4, PLAIN.replace("fix", "timestep 1.0\nfix"))
    param = run_param()
    job = {"sys_idx": [0], "lmps_in_idx": [0], "trj_freq": 10, "select_sys": [2]}
    param["explore"] |= {"lmps_in": ["own.in"], "md_jobs": [job]}
    pair = load(tmp_path, param, resources())
    (said,) = (words for words in preflight(pair) if "timestep" in words)
    assert said.startswith(f"{tmp_path / 'own.in'}: line 1, timestep: found 1 ps, which is hardly")
    with pytest.raises(InputError, match="found 1 ps, which is hardly meant"):
        preflight(pair, strict=True)


def test_data_that_hold_no_moments_are_told(tmp_path: Path) -> None:
    config = replace(config_of(tmp_path, [2.0, 0.0, -2.0, 0.0]), data_format="pwmlff/npy")
    _, words = check_run_atoms(config, Given())
    assert f"{tmp_path / 'm.xyz'}: data of the format pwmlff/npy hold no magnetic moments" in words
    plain = replace(config_of(tmp_path, [0.0] * 4), data_format="pwmlff/npy")
    assert check_run_atoms(plain, Given()) == []


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("replicate 2 1 1\n", "replicate"),
        ("fix 2 all atom/swap 10 1 7 300 types 1 2\n", "fix atom/swap"),
        ('if "1 > 0" then "delete_atoms group all"\n', "delete_atoms"),
    ],
)
def test_an_md_that_changes_which_atom_is_which(tmp_path: Path, line: str, named: str) -> None:
    with pytest.raises(InputError, match="changes which atom is which") as caught:
        check_run_atoms(config_of(tmp_path, [2.0, 0, -2.0, 0], line + PLAIN), Given())
    assert str(caught.value).count(named) == 1
    assert f"{tmp_path / 'own.in'}, line 1" in str(caught.value)
    assert caught.value.key == "explore.lmps_in"
    # what is the same for an element can be given all the same
    assert check_run_atoms(config_of(tmp_path, [2.0, 1, 2.0, 1], line + PLAIN), Given())


def test_an_md_that_keeps_the_atoms_is_fine(tmp_path: Path) -> None:
    config = config_of(tmp_path, [2.0, 0, -2.0, 0], PLAIN)
    assert changes_atoms(config.explore.lmps_in[0]) == ""
    assert check_run_atoms(config, Given())


def test_a_list_by_species_means_one_thing_for_an_element(tmp_path: Path) -> None:
    config = config_of(tmp_path, [2.0, 1, 2.0, 1])
    (system,) = config.explore.systems[0]
    other = replace(system, path=tmp_path / "n.xyz")
    write_extxyz(other.path, [magnetic([2.0, 1, 2.0, 1])])
    config = replace(config, explore=replace(config.explore, systems=((system, other),)))
    alike: dict[str, Any] = {"one": {"Au": "4", "Ag": "0"}, "two": {"Au": "4", "Ag": "0"}}
    assert len(check_run_atoms(config, Given(**alike))) == 2
    other_way = {**alike, "two": {"Au": "0", "Ag": "4"}}
    words = f"LDAUU means Ag 0 in {system.path}, and Ag 4 in {other.path}"
    with pytest.raises(InputError, match="give these one order") as caught:
        check_run_atoms(config, Given(**other_way))
    assert words in str(caught.value)


def test_what_is_relaxed_comes_back_in_the_order_of_the_program(tmp_path: Path) -> None:
    write_pair_files(tmp_path, {"calculator": "emt"})
    write_extxyz(tmp_path / "m.xyz", [magnetic([2.0, 0.5, -2.0, 1.0])])
    entry = {"config": "m.xyz", "format": "extxyz", "relax": True, "aimd": True}
    config = load(tmp_path, deep_update(init_param(), {"sys_configs": [entry]}), resources()).config
    assert isinstance(config, InitConfig)
    atoms = unperturbed(Given(), config.aimd, config.systems[0])
    assert atoms.get_chemical_symbols() == ["Ag", "Ag", "Au", "Au"]
    assert atoms.arrays[MOMENTS].tolist() == [0.5, 1.0, 2.0, -2.0]


def test_scripts_that_get_a_poscar(tmp_path: Path) -> None:
    """A POSCAR says no moments; the script's MD goes without them, and that is said."""
    write_pair_files(tmp_path, {"calculator": "emt"})
    write_extxyz(tmp_path / "m.xyz", [magnetic([2.0, 0.0, -2.0, 0.0])])
    (tmp_path / "md.py").write_text("")
    entry = {"config": "m.xyz", "format": "extxyz", "bigmodel": True}
    param = deep_update(init_param(), {"sys_configs": [entry], "bigmodel_input": "md.py"})
    resource = resources()
    resource["explore"]["command"] = "python md.py"
    said = preflight(load(tmp_path, param, resource))
    assert [one for one in said if "magnetic" in one] == [
        f"{tmp_path / 'm.xyz'}: the script of bigmodel gets a POSCAR, which says nothing of its "
        "magnetic moments"
    ]


def test_a_campaign_of_an_earlier_version_gets_nothing(tmp_path: Path) -> None:
    write_pair_files(tmp_path, {"calculator": "emt"})
    write_extxyz(tmp_path / "m.xyz", [magnetic([2.0, 0.0, -2.0, 0.0])])
    param = deep_update(
        init_param(), {"sys_configs": [{"config": "m.xyz", "format": "extxyz", "aimd": True}]}
    )
    pair = load(tmp_path, param, resources())
    assert any("magnetic moment 2" in one for one in preflight(pair))
    journal = tmp_path / ".pwact" / "journal.jsonl"
    journal.parent.mkdir()
    started = {"event": "campaign_started", "campaign": "c", "command": "init_bulk", "seed": 7}
    journal.write_text(json.dumps({**started, "version": "0.5.0", "time": 1.0}) + "\n")
    assert not any("magnetic moment" in one for one in preflight(pair))
