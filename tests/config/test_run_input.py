"""Documented forms of param.json of run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.exploration import MdJob
from pwact.config.init_bulk import InitConfig
from pwact.config.labeling import DftInput
from pwact.config.param import LoadedPair
from pwact.config.run import RunConfig
from pwact.config.structure_file import StructureFile
from pwact.errors import InputError
from tests.config.inputs import DROP, INIT, RESOURCE, RUN, changed, load

MD = "explore.md_jobs.0"


def loaded(site: Path, here: Path, changes: dict[str, Any]) -> tuple[RunConfig, LoadedPair]:
    pair = load(site, here, changed(RUN, changes))
    assert isinstance(pair.config, RunConfig)
    return pair.config, pair


def test_defaults(site: Path, tmp_path: Path) -> None:
    config, pair = loaded(site, tmp_path, {"strategy": {}})
    assert (pair.kind, pair.warnings) == ("run", [])
    assert (config.file, config.work_dir) == (tmp_path / "param.json", site)
    assert config.init_data == (site / "init.xyz",)
    assert (config.record_file, config.data_format, config.seed) == ("al.record", "extxyz", None)
    assert (config.streaming, config.use_pre_model) == (True, True)
    assert not any((config.reserve_work, config.reserve_md_traj, config.reserve_scf_files))
    strategy = config.strategy
    assert (strategy.uncertainty, strategy.model_num, strategy.max_select) == ("committee", 4, None)
    assert (strategy.lower_model_devi_f, strategy.upper_model_devi_f) == (0.05, 0.15)
    assert (strategy.kpu_lower, strategy.kpu_upper) == (5.0, 10.0)
    assert (strategy.compress_order, strategy.compress_dx) == (3, 0.01)
    assert strategy.lmps_tolerance
    assert (config.train.engine, config.train.model_type) == ("matpl", "DP")
    assert config.train.atom_type == ("Cu",)
    assert config.train.settings == {}
    dft = config.dft
    assert (dft.key, dft.style, dft.max_failed_rate, dft.min_distance) == ("DFT", "vasp", 0.1, 0.5)
    assert dft.inputs == (DftInput(site / "INCAR", None, 0),)
    assert dft.pseudo == (site / "POTCAR",)


def test_md_job(site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {})
    assert config.explore.md_jobs == (
        (MdJob(sys_idx=(0, 1), ensemble="npt-iso", nsteps=100, temps=(300.0,), press=(1.0,)),),
    )
    job = config.explore.md_jobs[0][0]
    assert (job.md_dt, job.trj_freq, job.taut, job.taup) == (0.001, 10, 0.1, 0.5)
    assert (job.neigh_modify, job.select_sys, job.lmps_in_idx) == (10, None, None)


def test_wildcards_are_sorted_by_name(site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {})
    names = [f"s{number}.config" for number in ("05", 1, 10, 2, 7)]
    assert config.explore.systems == (
        (StructureFile(site / "a.poscar", "vasp/poscar"),),
        tuple(StructureFile(site / "sys" / name, "pwmat/config") for name in names),
    )
    assert config.explore.lmps_in == (site / "in.one", site / "in.two")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("nve", "nve"),
        ("NVT", "nvt"),
        ("NPT", "npt-iso"),
        ("npt_i", "npt-iso"),
        ("npt-ISO", "npt-iso"),
        ("npt-a", "npt-aniso"),
        ("npt_aniso", "npt-aniso"),
        ("npt-t", "npt-tri"),
        ("npt-tri", "npt-tri"),
    ],
)
def test_ensembles(given: str, expected: str, site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {f"{MD}.ensemble": given})
    job = config.explore.md_jobs[0][0]
    assert job.ensemble == expected
    assert job.press == ((1.0,) if expected.startswith("npt") else ())


def test_single_values_stand_for_lists(site: Path, tmp_path: Path) -> None:
    changes = {
        f"{MD}.sys_idx": 1,
        f"{MD}.temps": 500,
        f"{MD}.press": 1e4,
        f"{MD}.nsteps": 1e3,
        f"{MD}.select_sys": 7,
        "explore.lmps_in": "in.one",
        "init_data": "init.xyz",
        "train.atom_type": "ag",
        "DFT.pseudo": "POTCAR",
    }
    config, _ = loaded(site, tmp_path, changes)
    job = config.explore.md_jobs[0][0]
    assert (job.sys_idx, job.temps, job.press, job.select_sys) == ((1,), (500.0,), (1e4,), (7,))
    assert isinstance(job.nsteps, int)
    assert job.nsteps == 1000
    assert config.explore.lmps_in == (site / "in.one",)
    assert config.train.atom_type == ("Ag",)


@pytest.mark.parametrize("systems", ["a.poscar", {"config": "a.poscar"}, ["a.poscar"]])
def test_forms_of_sys_configs(systems: Any, site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {"explore.sys_configs": systems, f"{MD}.sys_idx": 0})
    assert config.explore.systems == ((StructureFile(site / "a.poscar", "vasp/poscar"),),)


@pytest.mark.parametrize("word", ["AdamW", "SGD", "lkf"])
def test_what_matpl_takes_is_taken(word: str, site: Path, tmp_path: Path) -> None:
    """Also the seed that MatPL itself wrote, and NEP without radial functions."""
    given = {"optimizer": {"optimizer": word}, "model": {"descriptor": {"n_max": [0, 4]}}}
    changes = {f"train.{name}": value for name, value in given.items()}
    config, _ = loaded(site, tmp_path, {**changes, "train.seed": 2064587123})
    assert config.train.settings == {**config.train.settings, **given, "seed": 2064587123}


def test_groups_of_an_iteration(site: Path, tmp_path: Path) -> None:
    job = RUN["explore"]["md_jobs"][0]
    jobs = [[job, {**job, "temps": [1, 2]}], {**job, "select_sys": [5, 6]}]
    config, _ = loaded(site, tmp_path, {"explore.md_jobs": jobs})
    assert [len(groups) for groups in config.explore.md_jobs] == [2, 1]
    assert config.explore.md_jobs[0][1].temps == (1.0, 2.0)
    assert config.explore.md_jobs[1][0].select_sys == (5, 6)
    config, _ = loaded(site, tmp_path, {"explore.md_jobs": job})
    assert len(config.explore.md_jobs) == 1


def test_a_lammps_input_of_the_user_needs_no_conditions(site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {MD: {"sys_idx": [0, 1], "lmps_in_idx": 1, "select_sys": 9}})
    job = config.explore.md_jobs[0][0]
    assert (job.lmps_in_idx, job.select_sys, job.nsteps) == ((1, 1), (9, 9), None)
    config, _ = loaded(site, tmp_path, {f"{MD}.lmps_in_idx": [1, 0]})
    job = config.explore.md_jobs[0][0]
    assert (job.lmps_in_idx, job.temps, job.press) == ((1, 0), (), ())


def test_keys_in_any_case_comments_and_nulls(site: Path, tmp_path: Path) -> None:
    param = {
        "Init_Data": ["init.xyz"],
        "TRAIN": {"Model_Type": "dp", "ATOM_TYPE": ["CU"], "_off": 1},
        "Strategy": {"MODEL_NUM": 5, "_model_num": 1, "max_select": None, "Compress_dx": 0.1},
        "EXPLORE": {**RUN["explore"], "__note": []},
        "dft": {**RUN["DFT"], "DFT_STYLE": "VASP", "_input": "none"},
        "_strategy": 3,
    }
    param["dft"].pop("dft_style")
    pair = load(site, tmp_path, param)
    assert isinstance(pair.config, RunConfig)
    assert pair.warnings == []
    assert (pair.config.strategy.model_num, pair.config.strategy.compress_dx) == (5, 0.1)
    assert pair.config.dft.style == "vasp"
    assert pair.config.train.atom_type == ("Cu",)


def test_old_spellings_win(site: Path, tmp_path: Path) -> None:
    changes = {"strategy": {"lower_model_deiv_f": 0.2, "Upper_Model_Deiv_F": 0.4}}
    config, pair = loaded(site, tmp_path, changes)
    assert (config.strategy.lower_model_devi_f, config.strategy.upper_model_devi_f) == (0.2, 0.4)
    assert pair.warnings == []
    config, pair = loaded(site, tmp_path, {"strategy.lower_model_deiv_f": 0.2})
    assert config.strategy.lower_model_devi_f == 0.2
    assert "the old spelling counts" in pair.warnings[0]


def test_unknown_misplaced_and_obsolete_keys_are_told(site: Path, tmp_path: Path) -> None:
    changes = {
        "strategy.max_selct": 3,
        "strategy.dft_style": "vasp",
        "model_num": 3,
        "whatever": 1,
        "init_data_only_pretrain": True,
        "strategy.base_kpu_max_images": 3,
    }
    _, pair = loaded(site, tmp_path, changes)
    file = tmp_path / "param.json"
    assert sorted(pair.warnings) == [
        f"{file}: init_data_only_pretrain: this key has no effect any more",
        f"{file}: model_num: unknown key, ignored; it belongs into strategy",
        f"{file}: strategy.base_kpu_max_images: this key has no effect any more",
        f"{file}: strategy.dft_style: unknown key, ignored; it belongs into DFT",
        f"{file}: strategy.max_selct: unknown key, ignored; did you mean max_select?",
        f"{file}: whatever: unknown key, ignored",
    ]


def test_data_given_twice_are_told(site: Path, tmp_path: Path) -> None:
    config, pair = loaded(site, tmp_path, {"init_data": ["init.xyz", "./init.xyz"]})
    assert config.init_data == (site / "init.xyz",) * 2
    (warning,) = pair.warnings
    assert "init_data[1]: init.xyz is given twice; its frames count twice" in warning


def test_missing_data_are_left_out(site: Path, tmp_path: Path) -> None:
    changes = {"init_data": ["none.xyz", "init.xyz"], "valid_data": ["init.xyz", "no"]}
    config, pair = loaded(site, tmp_path, changes)
    assert config.init_data == config.valid_data == (site / "init.xyz",)
    assert ["init_data[0]" in pair.warnings[0], "valid_data[1]" in pair.warnings[1]] == [True] * 2


def test_npy_data_and_start_models(site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {"data_format": "PWMLFF/npy", "init_data": "npy"})
    assert (config.data_format, config.init_data) == ("pwmlff/npy", (site / "npy",))
    models = {"init_data": DROP, "init_model_list": ["nep0.txt"] * 3, "strategy.model_num": 3}
    config, _ = loaded(site, tmp_path, {**models, "train.model_type": "nep"})
    assert config.init_model_list == (site / "nep0.txt",) * 3
    assert config.train.model_type == "NEP"


def test_kpu_has_one_model(site: Path, tmp_path: Path) -> None:
    config, _ = loaded(site, tmp_path, {"strategy.uncertainty": "KPU", "strategy.model_num": 4})
    assert (config.strategy.uncertainty, config.strategy.model_num) == ("kpu", 1)


def test_work_dir(site: Path, tmp_path: Path) -> None:
    prefix = {"explore.sys_configs": "s1.config", "explore.sys_config_prefix": "../sys"}
    resource = changed(RESOURCE, {})
    changes = {"WORK_DIR": "npy", "init_data": "../init.xyz", f"{MD}.sys_idx": 0, **prefix}
    changes |= {"explore.lmps_prefix": str(site), "DFT.input": str(site / "INCAR")}
    changes |= {"DFT.pseudo": DROP}
    pair = load(site, tmp_path, changed(RUN, changes), resource)
    assert isinstance(pair.config, RunConfig)
    assert pair.config.work_dir == site / "npy"
    assert pair.config.explore.systems[0][0].path == site / "npy/../sys/s1.config"
    assert pair.config.explore.lmps_in == (site / "in.one", site / "in.two")


class TestTrain:
    def test_keys_of_matpl_keep_case_and_strangers(self, site: Path, tmp_path: Path) -> None:
        train = {
            "model_type": "DP",
            "atom_type": [47, "Au"],
            "_note": 1,
            "Max_Neigh_Num": 80,
            "MyOwn": {"Deep": [1, 2.5]},
            "TYPE_EMBEDDING": True,
            "model": {
                "Descriptor": {"rmax": 5.5, "RMIN": 0.4, "m2": 8, "Network_Size": [8, 8], "New": 1},
                "fitting_net": {"network_size": 40},
            },
            "optimizer": {"OPTIMIZER": "lkf", "p0_weight": 1},
        }
        config, pair = loaded(site, tmp_path, {"train": train})
        assert config.train.atom_type == ("Ag", "Au")
        assert config.train.settings == {
            "max_neigh_num": 80,
            "MyOwn": {"Deep": [1, 2.5]},
            "type_embedding": True,
            "model": {
                "descriptor": {
                    "Rmax": 5.5,
                    "Rmin": 0.4,
                    "M2": 8,
                    "network_size": [8, 8],
                    "New": 1,
                },
                "fitting_net": {"network_size": 40},
            },
            "optimizer": {"optimizer": "lkf", "p0_weight": 1},
        }
        assert config.train.raw == train
        assert type(config.train.settings["max_neigh_num"]) is int
        assert pair.warnings == []

    def test_near_misses_are_told_and_passed_on(self, site: Path, tmp_path: Path) -> None:
        train = {**RUN["train"], "optimizer": {"bacth_size": 4}}
        config, pair = loaded(site, tmp_path, {"train": train})
        assert config.train.settings["optimizer"] == {"bacth_size": 4}
        assert pair.warnings[0].endswith(
            "train.optimizer.bacth_size: unknown key, passed on; did you mean batch_size?"
        )

    def test_pod(self, site: Path, tmp_path: Path) -> None:
        train = {"engine": "POD", "atom_type": "Cu", "RCUT": 5, "fourbody_angular_degree": 1.0}
        config, pair = loaded(site, tmp_path, {"train": {**train, "rinn": 1, "optimizer": {}}})
        assert config.train.model_type == "POD"
        assert config.train.settings == {"rcut": 5.0, "fourbody_angular_degree": 1}
        assert [warning.partition("train.")[2] for warning in pair.warnings] == [
            "rinn: unknown key, ignored; did you mean rin?",
            "optimizer: unknown key, ignored",
        ]

    def test_train_input_file_replaces_the_section(self, site: Path, tmp_path: Path) -> None:
        train = {
            "train_input_file": "matpl.json",
            "model_type": "DP",
            "model": {"descriptor": {"Rmax": 3}},
        }
        config, _ = loaded(site, tmp_path, {"train": train})
        assert config.train.input_file == site / "matpl.json"
        assert (config.train.model_type, config.train.atom_type) == ("NEP", ("Cu", "Ag"))
        assert config.train.settings == {"Own": {"Key": 1}}

    def test_native_input_of_deepmd(self, site: Path, tmp_path: Path) -> None:
        train = {"engine": "deepmd", "train_input_file": "deepmd.json"}
        config, pair = loaded(site, tmp_path, {"train": train})
        assert (config.train.model_type, config.train.atom_type) == ("DP", ("Ag", "Au"))
        assert config.train.settings == json.loads((site / "deepmd.json").read_text())
        assert pair.warnings == []

    def test_keys_of_deepmd(self, site: Path, tmp_path: Path) -> None:
        train = {
            "engine": "deepmd",
            "atom_type": [29],
            "model": {"descriptor": {"RMAX": 6, "sel": [60]}},
            "optimizer": {"Numb_Steps": 100},
        }
        config, pair = loaded(site, tmp_path, {"train": train})
        assert config.train.model_type == "DP"
        assert config.train.settings["model"] == {"descriptor": {"Rmax": 6, "sel": [60]}}
        assert config.train.settings["optimizer"] == {"numb_steps": 100}
        assert pair.warnings == []


class TestDft:
    def test_pwmat_forms_of_input(self, site: Path, tmp_path: Path) -> None:
        dft: dict[str, Any] = {"dft_style": "PWmat", "kspacing": 0.4, "flag_symm": "3"}
        config, _ = loaded(site, tmp_path, {"DFT": {**dft, "input": "etot.input"}})
        expected = DftInput(site / "etot.input", 0.4, 3)
        assert (config.dft.style, config.dft.inputs) == ("pwmat", (expected,))
        dft = {**dft, "flag_symm": 0, "input": {"input": "etot.input", "kspacing": 0.2}}
        config, _ = loaded(site, tmp_path, {"DFT": dft})
        assert config.dft.inputs == (DftInput(site / "etot.input", 0.2, 0),)

    def test_species_stand_beside_the_input_or_in_the_section(
        self, site: Path, tmp_path: Path
    ) -> None:
        for given in (
            {"input": {"input": "etot.input", "species": ["Fe", 8]}},
            {"input": "etot.input", "species": ["Fe", "O"]},
            {"input": {"input": "etot.input", "species": ["Fe", "O"]}, "species": ["O"]},
        ):
            config, _ = loaded(site, tmp_path, {"DFT": {"dft_style": "pwmat", **given}})
            assert [one.species for one in config.dft.inputs] == [("Fe", "O")]

    def test_slater_koster_files(self, site: Path, tmp_path: Path) -> None:
        dft = {"dft_style": "dftb", "input": "etot_skf.input", "in_skf": "skf"}
        config, _ = loaded(site, tmp_path, {"DFT": dft})
        assert (config.dft.style, config.dft.in_skf) == ("dftb", site / "skf")
        dft = {"dft_style": "pwmat", "input": "etot.input", "in_skf": "none"}
        config, _ = loaded(site, tmp_path, {"DFT": dft})  # the engine knows whether it needs them
        assert config.dft.in_skf == site / "none"

    def test_cp2k(self, site: Path, tmp_path: Path) -> None:
        gaussian = {
            "basis_set_file": "BASIS",
            "potential_file": "POTENTIAL",
            "atom_list": ["Cu", "Ag"],
            "basis_set_list": ["B1", "B2"],
            "potential_list": ["P1", "P2"],
            "kspacing": 0.3,
        }
        dft = {"dft_style": "cp2k", "input": "cp2k.inp", "Gaussian_Param": gaussian}
        config, _ = loaded(site, tmp_path, {"DFT": dft})
        found = config.dft.gaussian
        assert found is not None
        assert (found.basis_set_file, found.potential_file) == (site / "BASIS", site / "POTENTIAL")
        assert (found.atom_list, found.basis_set_list) == (("Cu", "Ag"), ("B1", "B2"))
        assert (found.potential_list, found.kspacing) == (("P1", "P2"), 0.3)

    @pytest.mark.parametrize("suffix", ["", "_name"])
    def test_historic_basis_files(self, suffix: str, site: Path, tmp_path: Path) -> None:
        files = {f"basis_set_file{suffix}": "BASIS", f"potential_file{suffix}": "POTENTIAL"}
        dft = {"dft_style": "cp2k", "input": "cp2k.inp", **files}
        config, pair = loaded(site, tmp_path, {"DFT": dft})
        assert config.dft.gaussian is not None
        assert config.dft.gaussian.basis_set_file == site / "BASIS"
        assert config.dft.gaussian.atom_list == ()
        assert pair.warnings == []

    @pytest.mark.parametrize("style", ["ase", "dftb+"])
    def test_other_styles(self, style: str, site: Path, tmp_path: Path) -> None:
        dft = {"dft_style": style.upper(), "input": "emt.json", "max_failed_rate": 0.3}
        config, _ = loaded(site, tmp_path, {"DFT": {**dft, "min_distance": 0}})
        assert (config.dft.style, config.dft.max_failed_rate) == (style, 0.3)
        assert config.dft.min_distance == 0.0

    def test_bigmodel(self, site: Path, tmp_path: Path) -> None:
        dft = {"dft_style": "bigmodel", "bigmodel_script": "md.py"}
        config, _ = loaded(site, tmp_path, {"DFT": dft})
        assert (config.dft.inputs, config.dft.bigmodel_script) == ((), site / "md.py")


def test_formats_are_guessed_a_file_at_a_time(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("a.cif", "b.vasp", "c.xyz"):
        (folder / name).write_text("x")
    systems = [str(folder / "*"), {"config": str(folder / "a.cif"), "format": "XSF"}]
    config, _ = loaded(site, tmp_path, {"explore.sys_configs": systems, f"{MD}.sys_idx": 0})
    assert [one.format for one in config.explore.systems[0]] == ["cif", "vasp/poscar", "extxyz"]
    assert config.explore.systems[1][0].format == "xsf"  # what is given counts
    (folder / "d").write_text("x")
    with pytest.raises(InputError, match=r"explore\.sys_configs\[0\].*/d: .*tell no format"):
        loaded(site, tmp_path, {"explore.sys_configs": systems, f"{MD}.sys_idx": 0})


HELD: list[tuple[Any, Any]] = [
    (False, ()),
    ("1-8, 12", ("1-8", "12")),
    ("Cu 3", ("Cu", "3")),
]


@pytest.mark.parametrize(("given", "wanted"), HELD)
def test_held_atoms(site: Path, tmp_path: Path, given: Any, wanted: Any) -> None:
    system = {"config": "a.poscar", "fix_atoms": given}
    config, _ = loaded(site, tmp_path, {"explore.sys_configs": system, f"{MD}.sys_idx": 0})
    assert config.explore.systems[0][0].fix_atoms == wanted
    pair = load(site, tmp_path, changed(INIT, {"sys_configs.0.fix_atoms": given}))
    assert isinstance(pair.config, InitConfig)
    assert [one.structure.fix_atoms for one in pair.config.systems] == [wanted, None]


@pytest.mark.parametrize("given", [True, "", "0", "5-3", "Xx", "1.5", 3, ["1"]])
def test_held_atoms_that_are_none(site: Path, tmp_path: Path, given: Any) -> None:
    system = {"config": "a.poscar", "fix_atoms": given}
    with pytest.raises(InputError) as caught:
        loaded(site, tmp_path, {"explore.sys_configs": system, f"{MD}.sys_idx": 0})
    assert caught.value.key == "explore.sys_configs.fix_atoms"


def test_a_foundation_is_a_file_or_a_name(site: Path, tmp_path: Path) -> None:
    given = {"engine": "sevennet", "atom_type": ["Cu"]}
    for foundation, expected in (("7net-0", "7net-0"), ("dp.ckpt", str(site / "dp.ckpt"))):
        changes = {"train": {**given, "foundation": foundation}}
        config, pair = loaded(site, tmp_path, changes)
        assert config.train.foundation == expected
        assert config.train.cutoff is None  # that of the foundation, whatever it is
        assert pair.warnings == []
    config, _ = loaded(site, tmp_path, {"train": given})
    assert (config.train.foundation, config.train.cutoff) == (None, 5.0)


@pytest.mark.parametrize("engine", ["pod", "deepmd"])
def test_a_foundation_for_an_engine_without(site: Path, tmp_path: Path, engine: str) -> None:
    changes = {"train": {"engine": engine, "atom_type": ["Cu"], "foundation": "dp.ckpt"}}
    with pytest.raises(InputError, match=f"train.foundation: .*{engine} begins with no pretrained"):
        loaded(site, tmp_path, changes)


@pytest.mark.parametrize("name", ["no/such", "model.pth", "gone.model"])
def test_a_foundation_that_is_not_there(site: Path, tmp_path: Path, name: str) -> None:
    train = {"engine": "sevennet", "atom_type": ["Cu"], "foundation": name}
    with pytest.raises(InputError, match="train.foundation: there is no file"):
        loaded(site, tmp_path, {"train": train})


@pytest.mark.parametrize("engine", ["sevennet", "mace"])
def test_an_input_of_the_program_itself_has_keys(site: Path, tmp_path: Path, engine: str) -> None:
    (site / "input.yaml").write_text("just words\n")
    train = {"engine": engine, "atom_type": ["Cu"], "train_input_file": "input.yaml"}
    with pytest.raises(InputError, match="input.yaml: found no key; allowed: an input of the"):
        loaded(site, tmp_path, {"train": train})
    (site / "input.yaml").write_text("train:\n    epoch: 3\n")
    config, _ = loaded(site, tmp_path, {"train": train})
    assert (config.train.settings, config.train.atom_type) == ({}, ("Cu",))
    (site / "input.yaml").write_text('{"atom_type": ["Cu"], "epochs": 3}')
    config, _ = loaded(site, tmp_path, {"train": train})
    assert config.train.settings == {"epochs": 3}
