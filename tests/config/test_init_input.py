"""Documented forms of param.json of init_bulk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import ScaleFactor
from pwact.config.labeling import DftInput
from pwact.config.param import load_pair
from pwact.config.structure_file import StructureFile
from pwact.errors import InputError
from tests.config.inputs import DROP, INIT, RESOURCE, changed, load

ENTRY = "sys_configs.0"
PLAIN: dict[str, Any] = {"sys_configs": {"config": "a.poscar"}}


def loaded(site: Path, here: Path, changes: dict[str, Any]) -> InitConfig:
    pair = load(site, here, changed(INIT, changes))
    assert isinstance(pair.config, InitConfig)
    assert pair.kind == "init_bulk"
    return pair.config


def test_defaults(site: Path, tmp_path: Path) -> None:
    pair = load(site, tmp_path, PLAIN, {"DFT": {"command": "x", "queue_name": "q"}})
    config = pair.config
    assert isinstance(config, InitConfig)
    assert pair.warnings == []
    assert (config.data_format, config.interval, config.perturb_style) == ("extxyz", 1, "normal")
    assert not any((config.reserve_work, config.data_shuffle))
    assert (config.seed, config.scf_max_num, config.aimd.style) == (None, None, "pwmat")
    (entry,) = config.systems
    assert entry.structure == StructureFile(site / "a.poscar", "vasp/poscar")
    assert not any((entry.relax, entry.aimd, entry.bigmodel, entry.direct, entry.scf))
    assert (entry.pbc, entry.super_cell, entry.scale, entry.perturb) == ((1, 1, 1), None, (), 0)
    assert (entry.cell_pert_fraction, entry.atom_pert_distance) == (0.03, 0.01)


def test_inputs_and_flag_symm(site: Path, tmp_path: Path) -> None:
    config = loaded(site, tmp_path, {})
    incar = site / "INCAR"
    assert config.relax.inputs == (DftInput(incar, None, 0),)
    assert config.aimd.inputs == (DftInput(incar, None, 3), DftInput(incar, 0.3, 1))
    assert config.scf.inputs == ()
    assert {config.relax.style, config.aimd.style, config.scf.style} == {"vasp"}
    assert config.aimd.pseudo == (site / "POTCAR",)
    assert (config.relax.file, config.relax.key) == (tmp_path / "param.json", "")
    assert [entry.index for entry in config.systems] == [0, 1]
    assert config.systems[1].perturb == 2


@pytest.mark.parametrize(
    "given", ["INCAR", ["INCAR"], {"input": "INCAR"}, [{"INPUT": "INCAR"}], [{"input": "INCAR"}]]
)
def test_forms_of_input(given: Any, site: Path, tmp_path: Path) -> None:
    config = loaded(site, tmp_path, {"relax_input": given})
    assert config.relax.inputs == (DftInput(site / "INCAR", None, 0),)


def test_species_of_an_input(site: Path, tmp_path: Path) -> None:
    given = {"input": "INCAR", "species": ["Fe", "O"]}
    config = loaded(site, tmp_path, {"relax_input": given})
    assert config.relax.inputs == (DftInput(site / "INCAR", None, 0, ("Fe", "O")),)


def test_scale_keeps_its_text(site: Path, tmp_path: Path) -> None:
    param = '{"sys_configs": [{"config": "a.poscar", "scale": [0.90, 1, 1.0, 1e0]}]}'
    (tmp_path / "param.json").write_text(param)
    load(site, tmp_path, {**PLAIN}, RESOURCE)
    (tmp_path / "param.json").write_text(param)
    pair = load_pair(tmp_path / "param.json", tmp_path / "resource.json", site)
    assert isinstance(pair.config, InitConfig)
    expected = [("0.90", 0.9), ("1", 1.0), ("1.0", 1.0), ("1e0", 1.0)]
    assert pair.config.systems[0].scale == tuple(ScaleFactor(*one) for one in expected)
    single = loaded(site, tmp_path, {f"{ENTRY}.scale": 0.95})
    assert single.systems[0].scale == (ScaleFactor("0.95", 0.95),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([1, 2, 3], (1, 0, 0, 0, 2, 0, 0, 0, 3)),
        ([1, 1, 0, -1, 1, 0, 0, 0, 2], (1, 1, 0, -1, 1, 0, 0, 0, 2)),
        ([[0, 1, 1], [1, 0, 1], [1, 1, 0]], (0, 1, 1, 1, 0, 1, 1, 1, 0)),
        ([-1, 0, 0, 0, -1, 0, 0, 0, 1], (-1, 0, 0, 0, -1, 0, 0, 0, 1)),
        ("1 2,3", (1, 0, 0, 0, 2, 0, 0, 0, 3)),
        ("1 0 0; 0 1 0; 0 0 2", (1, 0, 0, 0, 1, 0, 0, 0, 2)),
        ([2.0, 1, 1], (2, 0, 0, 0, 1, 0, 0, 0, 1)),
    ],
)
def test_super_cell(given: Any, expected: tuple[int, ...], site: Path, tmp_path: Path) -> None:
    config = loaded(site, tmp_path, {f"{ENTRY}.super_cell": given})
    assert config.systems[0].super_cell == expected


def test_indices_count_only_where_used(site: Path, tmp_path: Path) -> None:
    changes = {f"{ENTRY}.relax": False, f"{ENTRY}.relax_input_idx": 9, "relax_input": DROP}
    config = loaded(site, tmp_path, changes)
    assert config.systems[0].relax_input_idx == 9
    assert loaded(site, tmp_path, {f"{ENTRY}.aimd_input_idx": 1}).systems[0].aimd_input_idx == 1


def test_prefix_and_pbc(site: Path, tmp_path: Path) -> None:
    changes = {
        "sys_config_prefix": "sys",
        f"{ENTRY}.config": "s1.config",
        f"{ENTRY}.pbc": [True, 1, 0],
        "sys_configs.1.config": str(site / "b.poscar"),
    }
    config = loaded(site, tmp_path, changes)
    paths = [entry.structure.path for entry in config.systems]
    assert paths == [site / "sys/s1.config", site / "b.poscar"]
    assert config.systems[0].pbc == (1, 1, 0)


def test_relabelling_by_another_program(site: Path, tmp_path: Path) -> None:
    changes = {
        f"{ENTRY}.scf": True,
        "scf_input": {"input": "etot.input"},
        "scf_style": "PWMAT",
        "scf_pseudo": "BASIS",
        "scf_max_num": 5,
        "max_failed_rate": 0.5,
        "perturb_style": "Uniform",
        "train_valid_ratio": 0.8,
    }
    config = loaded(site, tmp_path, changes)
    assert (config.scf.style, config.scf.pseudo) == ("pwmat", (site / "BASIS",))
    assert config.scf.inputs == (DftInput(site / "etot.input", None, 0),)
    assert (config.aimd.style, config.aimd.pseudo) == ("vasp", (site / "POTCAR",))
    assert (config.scf_max_num, config.perturb_style) == (5, "uniform")
    assert config.aimd.max_failed_rate == 0.5


def test_scripts(site: Path, tmp_path: Path) -> None:
    steps = {f"{ENTRY}.aimd": False, f"{ENTRY}.bigmodel": True, f"{ENTRY}.direct": True}
    scripts = {"bigmodel_input": [{"input": "md.py"}, "md.py"], "direct_input": "direct.py"}
    blocks = {**RESOURCE, "direct": RESOURCE["DFT"]}
    pair = load(site, tmp_path, changed(INIT, {**steps, **scripts}), blocks)
    assert isinstance(pair.config, InitConfig)
    assert pair.config.bigmodel_input == (site / "md.py",) * 2
    assert pair.config.direct_input == (site / "direct.py",)


def test_basis_sets_are_needed_only_where_used(site: Path, tmp_path: Path) -> None:
    changes = {"dft_style": "cp2k", f"{ENTRY}.relax": False, f"{ENTRY}.aimd": False}
    config = loaded(site, tmp_path, {**changes, "sys_configs.1.aimd": False})
    assert config.aimd.gaussian is None
    files = {"dft_style": "cp2k", "basis_set_file_name": "BASIS", "potential_file_name": "POTCAR"}
    config = loaded(site, tmp_path, files)
    assert config.relax.gaussian is not None
    assert config.relax.gaussian.potential_file == site / "POTCAR"


SCRIPTED = {
    f"{ENTRY}.aimd": False,
    f"{ENTRY}.relax": False,
    f"{ENTRY}.bigmodel": True,
    "sys_configs.1.aimd": False,
    "sys_configs.1.bigmodel": True,
    "bigmodel_input": "md.py",
    "scf_input": "INCAR",
}


def test_scf_of_one_entry_holds_for_the_frames_of_all_scripts(site: Path, tmp_path: Path) -> None:
    pair = load(site, tmp_path, changed(INIT, {**SCRIPTED, f"{ENTRY}.scf": True}))
    config = pair.config
    assert isinstance(config, InitConfig)
    assert [config.relabelled(entry) for entry in config.systems] == [True, True]
    assert any("sys_configs[1].scf: these frames are labelled as well" in w for w in pair.warnings)


def test_scf_of_an_aimd_is_its_own(site: Path, tmp_path: Path) -> None:
    config = loaded(site, tmp_path, {f"{ENTRY}.scf": True, "scf_input": "INCAR"})
    assert [config.relabelled(entry) for entry in config.systems] == [True, False]


def test_the_block_scf_stands_in_for_dft(site: Path, tmp_path: Path) -> None:
    block = RESOURCE["DFT"]
    document = changed(INIT, {**SCRIPTED, f"{ENTRY}.scf": True})
    assert load(site, tmp_path, document, {"explore": block, "scf": block}).warnings
    with pytest.raises(InputError, match="DFT: this block is required"):
        load(site, tmp_path, document, {"explore": block})


def test_inputs_may_differ(site: Path, tmp_path: Path) -> None:
    absent = loaded(site, tmp_path, {"in_skf": "absent"})  # the engine knows whether it needs it
    assert absent.aimd.in_skf == site / "absent"
    mixed = loaded(site, tmp_path, {"aimd_input": ["INCAR", {"input": "INCAR", "kspacing": 0.2}]})
    assert [one.kspacing for one in mixed.aimd.inputs] == [None, 0.2]
