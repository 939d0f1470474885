"""Broken pairs: each is refused with one line that names the file and the key."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Union

import pytest

from pwact.config.param import load_pair
from pwact.errors import InputError
from tests.config.inputs import BLOCK, DROP, INIT, RESOURCE, RUN, changed, load

MD = "explore.md_jobs.0"
MD_KEY = "explore.md_jobs[0]"
HUGE_NUMBER = "1" + "0" * 400
GAUSSIAN = {
    "basis_set_file": "BASIS",
    "potential_file": "POTENTIAL",
    "atom_list": ["Cu", "Ag"],
    "basis_set_list": ["DZVP", "DZVP"],
    "potential_list": ["GTH", "GTH"],
}
CP2K = {"DFT.dft_style": "cp2k", "DFT.input": "cp2k.inp"}

# changes of the good run, the key path that is named, a part of the message
RUN_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    # required keys and sections
    ({"train": DROP}, "train", "required"),
    ({"strategy": DROP}, "strategy", "required"),
    ({"explore": DROP}, "explore", "required"),
    ({"DFT": DROP}, "DFT", "required"),
    ({"explore": DROP, "explroe": RUN["explore"]}, "explore", "is explroe meant"),
    ({"explore.sys_configs": DROP, "sys_configs": []}, "explore.sys_configs", "required"),
    ({"explore.sys_configs": DROP, "explore.sys_confgs": 1}, "explore.sys_configs", "sys_confgs"),
    ({"explore.md_jobs": DROP}, "explore.md_jobs", "required"),
    ({"train.atom_type": DROP}, "train.atom_type", "required"),
    ({"train.atom_type": DROP, "train.atom_typ": [29]}, "train.atom_type", "is atom_typ meant"),
    ({"train.model_type": DROP}, "train.model_type", "DP or NEP"),
    ({"DFT.dft_style": DROP}, "DFT.dft_style", "required"),
    ({"DFT.input": DROP}, "DFT.input", "required"),
    ({f"{MD}.sys_idx": DROP}, f"{MD_KEY}.sys_idx", "required"),
    ({f"{MD}.nsteps": DROP}, f"{MD_KEY}.nsteps", "required"),
    ({f"{MD}.temps": DROP}, f"{MD_KEY}.temps", "required"),
    ({f"{MD}.press": DROP}, f"{MD_KEY}.press", "for npt"),
    ({f"{MD}.press": None}, f"{MD_KEY}.press", "for npt"),
    ({"init_data": DROP}, "init_data", "no data set"),
    # types
    ({"train": []}, "train", "expected an object"),
    ({"strategy": "committee"}, "strategy", "expected an object"),
    ({"explore": None}, "explore", "required"),
    ({"DFT": "INCAR"}, "DFT", "expected an object"),
    ({"work_dir": 3}, "work_dir", "text"),
    ({"work_dir": ["here"]}, "work_dir", "text"),
    ({"record_file": 1}, "record_file", "text"),
    ({"record_file": "a/b"}, "record_file", "without directories"),
    ({"record_file": "."}, "record_file", "without directories"),
    ({"record_file": "x" * 250}, "record_file", "at most 200 bytes"),
    ({"record_file": "PID"}, "record_file", "nothing else in the work directory has"),
    ({"record_file": ".pwact"}, "record_file", "nothing else in the work directory has"),
    ({"record_file": "iter.0000"}, "record_file", "nothing else in the work directory has"),
    ({"record_file": "INCAR"}, "record_file", "is not a record; it would be overwritten"),
    ({"record_file": "sys"}, "record_file", "is not a record"),
    ({"reserve_work": "yes"}, "reserve_work", "true or false"),
    ({"use_pre_model": 1}, "use_pre_model", "true or false"),
    ({"streaming": "no"}, "streaming", "true or false"),
    ({"data_format": "xyz"}, "data_format", "extxyz"),
    ({"data_format": ["extxyz"]}, "data_format", "extxyz"),
    ({"seed": "a"}, "seed", "integer"),
    ({"seed": -1}, "seed", "integer"),
    ({"seed": 1.5}, "seed", "integer"),
    ({"seed": True}, "seed", "integer"),
    ({"init_data": [3]}, "init_data[0]", "text"),
    ({"init_data": {"path": "init.xyz"}}, "init_data", "text"),
    ({"strategy.model_num": "four"}, "strategy.model_num", '"four"'),
    ({"strategy.model_num": 3.5}, "strategy.model_num", "integer"),
    ({"strategy.lower_model_devi_f": "0.1"}, "strategy.lower_model_devi_f", "number"),
    ({"strategy.lower_model_devi_f": [0.1]}, "strategy.lower_model_devi_f", "number"),
    ({"strategy.compress": "true"}, "strategy.compress", "true or false"),
    ({"strategy.uncertainty": "ensemble"}, "strategy.uncertainty", "committee"),
    ({"explore.sys_configs": 3}, "explore.sys_configs", "path"),
    ({"explore.sys_configs": [["a.poscar"]]}, "explore.sys_configs[0]", "path"),
    ({"explore.sys_configs": [{"format": "x"}]}, "explore.sys_configs[0].config", "required"),
    ({"explore.sys_configs.1.format": 7}, "explore.sys_configs[1].format", "text"),
    ({"explore.md_jobs": "nvt"}, "explore.md_jobs", "object"),
    ({"explore.md_jobs": [[3]]}, "explore.md_jobs[0][0]", "object"),
    ({f"{MD}.ensemble": "nph"}, f"{MD_KEY}.ensemble", "nvt"),
    ({f"{MD}.temps": ["hot"]}, f"{MD_KEY}.temps[0]", "number"),
    ({f"{MD}.sys_idx": [0.5]}, f"{MD_KEY}.sys_idx[0]", "integer"),
    ({"DFT.dft_style": "siesta"}, "DFT.dft_style", "vasp"),
    ({"DFT.pseudo": [1]}, "DFT.pseudo[0]", "text"),
    ({"DFT.flag_symm": "x"}, "DFT.flag_symm", "integer"),
    ({"DFT.input": {"kspacing": 1}}, "DFT.input.input", "required"),
    ({"train.engine": "nequip"}, "train.engine", "matpl"),
    ({"train.atom_type": ["Xx"]}, "train.atom_type[0]", "element"),
    ({"train.atom_type": [0]}, "train.atom_type[0]", "element"),
    ({"train.atom_type": [119]}, "train.atom_type[0]", "element"),
    ({"train.atom_type": ["Cu", 29]}, "train.atom_type", "twice"),
    ({"train.atom_type": True}, "train.atom_type", "element"),
    ({"train.optimizer": {"epochs": "many"}}, "train.optimizer.epochs", "integer"),
    ({"train.OPTIMIZER": {"P0_weight": 2}}, "train.OPTIMIZER.P0_weight", "number"),
    ({"train.model": {"descriptor": {"rmax": -1}}}, "train.model.descriptor.rmax", "> 0"),
    ({"train.model": {"descriptor": {"n_max": [4, 20]}}}, "train.model.descriptor.n_max[1]", "19"),
    ({"train.model": [1]}, "train.model", "object"),
    # ranges and non-numbers
    ({"strategy.model_num": 2}, "strategy.model_num", "at least 3"),
    ({"strategy.model_num": 0}, "strategy.model_num", "1 to 100"),
    ({"strategy.lower_model_devi_f": -0.1}, "strategy.lower_model_devi_f", ">= 0"),
    ({"strategy.max_select": 0}, "strategy.max_select", ">= 1"),
    ({"strategy.compress_order": 4}, "strategy.compress_order", "3 or 5"),
    ({"strategy.compress_dx": 0}, "strategy.compress_dx", "> 0"),
    ({"strategy.md_type": 1}, "strategy.md_type", "not available"),
    ({"strategy.kpu_upper": 0.5}, "strategy.kpu_upper", "larger than 1"),
    ({"strategy.grade_lower": 1000}, "strategy.grade_lower", "must be below grade_upper (1000)"),
    (
        {"strategy.uncertainty": "extrapolation"},
        "strategy.uncertainty",
        "found extrapolation; the engine matpl does not tell it, torchnep does",
    ),
    ({"strategy.target_force_error": 0}, "strategy.target_force_error", "> 0"),
    (
        {"strategy.max_iterations": 8},
        "strategy.max_iterations",
        "found 8; it counts only with target_force_error",
    ),
    (
        {"strategy": {"target_force_error": 0.02, "max_iterations": 0}},
        "strategy.max_iterations",
        "from 1 to 1000",
    ),
    ({"strategy.target_force_error": float("nan")}, "strategy.target_force_error", "number"),
    (
        {"strategy": {"target_force_error": 0.02, "Kpu_Upper": 9.0, "lower_model_deiv_f": 0.1}},
        "strategy.lower_model_deiv_f",
        "with a target the campaign finds its limits itself; take target_force_error or "
        "lower_model_deiv_f, Kpu_Upper out",
    ),
    (
        {"strategy": {"target_force_error": 0.02, "direct": True}},
        "strategy.direct",
        "chosen at random",
    ),
    ({f"{MD}.nsteps": 0}, f"{MD_KEY}.nsteps", ">= 1"),
    ({f"{MD}.nsteps": -5}, f"{MD_KEY}.nsteps", ">= 1"),
    ({f"{MD}.trj_freq": 0}, f"{MD_KEY}.trj_freq", ">= 1"),
    ({f"{MD}.nsteps": 9, f"{MD}.trj_freq": 10}, f"{MD_KEY}.trj_freq", "at most nsteps"),
    ({f"{MD}.md_dt": 0}, f"{MD_KEY}.md_dt", "> 0"),
    ({f"{MD}.md_dt": 5.0}, f"{MD_KEY}.md_dt", "<= 1"),
    ({f"{MD}.temps": [0]}, f"{MD_KEY}.temps[0]", "> 0"),
    ({f"{MD}.taut": -1}, f"{MD_KEY}.taut", "> 0"),
    ({f"{MD}.select_sys": 0}, f"{MD_KEY}.select_sys", ">= 1"),
    ({f"{MD}.sys_idx": -1}, f"{MD_KEY}.sys_idx", ">= 0"),
    ({"DFT.max_failed_rate": 1.5}, "DFT.max_failed_rate", "0 to 1"),
    ({"DFT.min_distance": -1}, "DFT.min_distance", "0 to 10"),
    ({"DFT.kspacing": 0}, "DFT.kspacing", "> 0"),
    ({"strategy.upper_model_devi_f": float("nan")}, "strategy.upper_model_devi_f", "not a number"),
    ({"strategy.upper_model_devi_f": float("inf")}, "strategy.upper_model_devi_f", "infinite"),
    ({f"{MD}.temps": [300, float("-inf")]}, f"{MD_KEY}.temps[1]", "infinite"),
    ({"unknown": {"a": [float("nan")]}}, "unknown.a[0]", "not a number"),
    ({f"{MD}.press": [1e300]}, f"{MD_KEY}.press[0]", "below 1e+15"),
    ({f"{MD}.press": -1e300}, f"{MD_KEY}.press", "above -1e+15"),
    ({f"{MD}.sys_idx": [True]}, f"{MD_KEY}.sys_idx[0]", "integer"),
    ({f"{MD}.sys_idx": {"0": 1}}, f"{MD_KEY}.sys_idx", "integer"),
    ({f"{MD}.ensemble": ["nvt"]}, f"{MD_KEY}.ensemble", "nvt"),
    ({"explore.md_jobs": [None]}, MD_KEY, "object"),
    ({"explore.md_jobs": [[[{}]]]}, f"{MD_KEY}[0]", "object"),
    ({"explore": {"explore": RUN["explore"]}}, "explore.sys_configs", "required"),
    ({"train": DROP, "tr\u0430in": RUN["train"]}, "train", "is tr\u0430in meant"),
    ({"strategy.model_num": 10**30}, "strategy.model_num", "from 1 to 100"),
    ({"init_data": ["none\u200b.xyz"]}, "init_data", "none of the data sets exists"),
    ({f"{MD}.nsteps": 10**12}, f"{MD_KEY}.nsteps", "at most"),
    ({f"{MD}.temps": [1e9]}, f"{MD_KEY}.temps[0]", "<= 1e+06"),
    ({"seed": 2**64}, "seed", "at most"),
    # empty lists and texts
    ({"train.atom_type": []}, "train.atom_type", "not empty"),
    ({"explore.sys_configs": []}, "explore.sys_configs", "not empty"),
    ({"explore.md_jobs": []}, "explore.md_jobs", "not empty"),
    ({"explore.md_jobs": [[]]}, MD_KEY, "not empty"),
    ({f"{MD}.sys_idx": []}, f"{MD_KEY}.sys_idx", "not empty"),
    ({f"{MD}.temps": []}, f"{MD_KEY}.temps", "not be empty"),
    ({f"{MD}.select_sys": []}, f"{MD_KEY}.select_sys", "not empty"),
    ({"init_data": []}, "init_data", "no data set"),
    ({"DFT.input": []}, "DFT.input", "not empty"),
    ({"DFT.input": "  "}, "DFT.input", "not empty"),
    ({"work_dir": ""}, "work_dir", "not empty"),
    # files
    ({"DFT.input": "INCARR"}, "DFT.input", "there is no file"),
    ({"DFT.input": "skf"}, "DFT.input", "is a directory"),
    ({"DFT.input": ["INCAR", "INCAR"]}, "DFT.input", "expected one"),
    ({"DFT.pseudo": ["POTCAR", "none"]}, "DFT.pseudo[1]", "there is no file"),
    ({"DFT.in_skf": ["skf"]}, "DFT.in_skf", "a text"),
    ({"init_data": ["none.xyz"]}, "init_data", "none.xyz"),
    ({"init_data": ["npy"]}, "init_data[0]", "is a directory"),
    ({"data_format": "pwmlff/npy"}, "init_data[0]", "is a file"),
    ({"work_dir": "INCAR"}, "work_dir", "directory"),
    ({"work_dir": "x" * 5000}, "work_dir", "too long"),
    ({"work_dir": "elsewhere"}, "init_data", "none of the data sets"),
    ({"explore.sys_configs": "none"}, "explore.sys_configs", "there is no file"),
    ({"explore.sys_configs": "x" * 5000}, "explore.sys_configs", "too long"),
    ({"explore.sys_configs": "a\nb"}, "explore.sys_configs", "one line"),
    ({"explore.sys_configs": "a\0b"}, "explore.sys_configs", "U+0000"),
    ({"explore.sys_configs": ["sys/*.xyz"]}, "explore.sys_configs[0]", "match"),
    ({"explore.sys_configs.1.config": "sys"}, "explore.sys_configs[1].config", "is a directory"),
    ({"explore.sys_config_prefix": "no"}, "explore.sys_configs[0]", "there is no file"),
    ({"explore.lmps_in": "in.none"}, "explore.lmps_in", "there is no file"),
    ({"explore.lmps_prefix": "no"}, "explore.lmps_in[0]", "there is no file"),
    ({"strategy.direct_script": "none.py"}, "strategy.direct_script", "there is no file"),
    ({"train.train_input_file": "none.json"}, "train.train_input_file", "there is no file"),
    ({"init_model_list": ["a", "b", "c", "d"]}, "init_model_list[0]", "there is no path"),
    # keys that contradict each other
    ({"strategy.lower_model_devi_f": 0.3}, "strategy.lower_model_devi_f", "below"),
    ({"strategy.lower_model_deiv_f": 0.5}, "strategy.lower_model_devi_f", "0.5"),
    ({"strategy.direct": True}, "strategy.direct_script", "required"),
    ({"init_model_list": ["dp.ckpt"]}, "init_model_list", "found 1 models"),
    ({"init_model_list": ["nep0.txt"] * 4}, "init_model_list[0]", "NEP model"),
    ({f"{MD}.sys_idx": [0, 2]}, f"{MD_KEY}.sys_idx", "last index of sys_configs is 1"),
    ({f"{MD}.select_sys": [1, 2, 3]}, f"{MD_KEY}.select_sys", "1 or 2"),
    ({f"{MD}.lmps_in_idx": [0, 1, 0]}, f"{MD_KEY}.lmps_in_idx", "1 or 2"),
    ({f"{MD}.lmps_in_idx": 2}, f"{MD_KEY}.lmps_in_idx", "last index of lmps_in is 1"),
    ({f"{MD}.lmps_in_idx": 0, "explore.lmps_in": []}, f"{MD_KEY}.lmps_in_idx", "lmps_in is empty"),
    ({"train.engine": "pod"}, "train.model_type", "POD"),
    ({"train.engine": "deepmd", "train.model_type": "NEP"}, "train.model_type", "DP"),
    ({"train.model_type": "CHEBY"}, "train.model_type", "DP or NEP"),
    (
        {"strategy.compress": True, "strategy.uncertainty": "kpu"},
        "strategy.compress",
        "exclude",
    ),
    ({"DFT.dft_style": "bigmodel"}, "DFT.bigmodel_script", "required"),
    (
        {**CP2K, "DFT.gaussian_param": {**GAUSSIAN, "basis_set_list": ["DZVP"]}},
        "DFT.gaussian_param.basis_set_list",
        "found 1 names; expected 2",
    ),
    (
        {**CP2K, "DFT.gaussian_param": {**GAUSSIAN, "potential_list": []}},
        "DFT.gaussian_param.potential_list",
        "not empty",
    ),
    (
        {**CP2K, "DFT.gaussian_param": {**GAUSSIAN, "basis_set_file": "none"}},
        "DFT.gaussian_param.basis_set_file",
        "there is no file",
    ),
    ({**CP2K, "DFT.gaussian_param": "BASIS"}, "DFT.gaussian_param", "object"),
]

ENTRY = "sys_configs.0"
ENTRY_KEY = "sys_configs[0]"
INIT_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"sys_configs": DROP}, "sys_configs", "required"),
    ({"sys_configs": []}, "sys_configs", "not empty"),
    ({"sys_configs": [3]}, ENTRY_KEY, "object"),
    ({f"{ENTRY}.config": DROP}, f"{ENTRY_KEY}.config", "required"),
    ({f"{ENTRY}.config": "none"}, f"{ENTRY_KEY}.config", "there is no file"),
    ({f"{ENTRY}.config": "sys/*.config"}, f"{ENTRY_KEY}.config", "there is no file"),
    ({"sys_config_prefix": "sys"}, f"{ENTRY_KEY}.config", "there is no file"),
    ({f"{ENTRY}.pbc": [1, 1]}, f"{ENTRY_KEY}.pbc", "three"),
    ({f"{ENTRY}.pbc": [1, 1, 2]}, f"{ENTRY_KEY}.pbc", "three"),
    ({f"{ENTRY}.relax": "true"}, f"{ENTRY_KEY}.relax", "true or false"),
    ({f"{ENTRY}.relax_input_idx": 1}, f"{ENTRY_KEY}.relax_input_idx", "last index"),
    ({f"{ENTRY}.aimd_input_idx": 2}, f"{ENTRY_KEY}.aimd_input_idx", "last index"),
    ({f"{ENTRY}.aimd_input_idx": -1}, f"{ENTRY_KEY}.aimd_input_idx", ">= 0"),
    ({"relax_input": DROP}, f"{ENTRY_KEY}.relax", "relax_input is required"),
    ({"aimd_input": []}, f"{ENTRY_KEY}.aimd", "aimd_input is required"),
    ({f"{ENTRY}.scf": True}, f"{ENTRY_KEY}.scf", "scf_input is required"),
    ({f"{ENTRY}.direct": True}, f"{ENTRY_KEY}.direct", "direct_input is required"),
    ({f"{ENTRY}.bigmodel": True}, f"{ENTRY_KEY}.bigmodel", "exclude"),
    (
        {f"{ENTRY}.bigmodel": True, f"{ENTRY}.aimd": False},
        f"{ENTRY_KEY}.bigmodel",
        "bigmodel_input is required",
    ),
    ({f"{ENTRY}.super_cell": [1, 2]}, f"{ENTRY_KEY}.super_cell", "3 integers"),
    ({f"{ENTRY}.super_cell": 2}, f"{ENTRY_KEY}.super_cell", "3 integers"),
    ({f"{ENTRY}.super_cell": [[1, 0], [0, 1], [0, 0]]}, f"{ENTRY_KEY}.super_cell", "3x3"),
    ({f"{ENTRY}.super_cell": [1, 1, 0.5]}, f"{ENTRY_KEY}.super_cell[2]", "integer"),
    ({f"{ENTRY}.super_cell": "1 2 x"}, f"{ENTRY_KEY}.super_cell", "3 integers"),
    ({f"{ENTRY}.super_cell": [1, 1, -1]}, f"{ENTRY_KEY}.super_cell", "its determinant is -1"),
    ({f"{ENTRY}.super_cell": [0, 1, 1]}, f"{ENTRY_KEY}.super_cell", "makes 0 cells"),
    ({f"{ENTRY}.super_cell": [1000, 1000, 1000]}, f"{ENTRY_KEY}.super_cell", "1000000000 cells"),
    ({f"{ENTRY}.scale": [0.9, -1]}, f"{ENTRY_KEY}.scale[1]", "> 0"),
    ({f"{ENTRY}.scale": ["0.9"]}, f"{ENTRY_KEY}.scale[0]", "number"),
    ({f"{ENTRY}.scale": [0.9, 0.9]}, f"{ENTRY_KEY}.scale", "twice"),
    ({f"{ENTRY}.perturb": -1}, f"{ENTRY_KEY}.perturb", "0 to 1000000"),
    ({f"{ENTRY}.perturb": True}, f"{ENTRY_KEY}.perturb", "integer"),
    ({f"{ENTRY}.cell_pert_fraction": -0.1}, f"{ENTRY_KEY}.cell_pert_fraction", "0 to 1"),
    ({f"{ENTRY}.atom_pert_distance": "x"}, f"{ENTRY_KEY}.atom_pert_distance", "number"),
    ({"interval": 0}, "interval", ">= 1"),
    ({"perturb_style": "gauss"}, "perturb_style", "uniform"),
    ({"data_format": "npy"}, "data_format", "extxyz"),
    ({"dft_style": "VSAP"}, "dft_style", "vasp"),
    ({"relax_input": [{"kspacing": 1}]}, "relax_input[0].input", "required"),
    ({"aimd_input.1.kspacing": "x"}, "aimd_input[1].kspacing", "number"),
    ({"aimd_input.1.flag_symm": 1.5}, "aimd_input[1].flag_symm", "integer"),
    ({"aimd_input.1.input": "none"}, "aimd_input[1].input", "there is no file"),
    ({"pseudo": "none"}, "pseudo", "there is no file"),
    ({"in_skf": " "}, "in_skf", "not empty"),
    ({"scf_max_num": 0}, "scf_max_num", ">= 1"),
]

RESOURCE_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"train": DROP}, "train", "needed for training"),
    ({"explore": DROP}, "explore", "needed for MD"),
    ({"DFT": DROP}, "DFT", "needed for labelling"),
    ({"DFT": DROP, "DTF": BLOCK}, "DFT", "required"),
    ({"train": "x"}, "train", "object"),
    ({"train": [BLOCK]}, "train", "object"),
    ({"train.command": DROP}, "train.command", "required"),
    ({"train.command": DROP, "train.comand": "x"}, "train.command", "is comand meant"),
    ({"train.command": ""}, "train.command", "not empty"),
    ({"train.command": ["x"]}, "train.command", "text"),
    ({"train.queue_name": DROP}, "train.queue_name", "scheduler slurm"),
    ({"train.queue_name": 3}, "train.queue_name", "text"),
    ({"train.queue_name": "a\n#SBATCH b"}, "train.queue_name", "one line"),
    ({"train.group_size": 0}, "train.group_size", "-1 for all"),
    ({"train.group_size": "all"}, "train.group_size", "integer"),
    ({"train.parallel_num": 0}, "train.parallel_num", ">= 1"),
    ({"train.number_node": -1}, "train.number_node", ">= 1"),
    ({"train.cpu_per_node": 0}, "train.cpu_per_node", ">= 1"),
    ({"train.gpu_per_node": -1}, "train.gpu_per_node", ">= 0"),
    ({"train.gpu_per_node": 1e99}, "train.gpu_per_node", "at most"),
    ({"train.custom_flags": {"a": 1}}, "train.custom_flags", "text"),
    ({"train.custom_flags": ["--a\n--b"]}, "train.custom_flags[0]", "one line"),
    ({"train.custom_flags": ["--time=1:00\t--mem=4G"]}, "train.custom_flags[0]", "a tab"),
    ({"train.custom_flags": ["--a", "--b=\x1b[0m"]}, "train.custom_flags[1]", "U+001B"),
    ({"DFT.queue_name": "c\x07pu"}, "DFT.queue_name", "U+0007"),
    ({"DFT.queue_name": "cpu\x7f"}, "DFT.queue_name", "U+007F"),
    ({"DFT.queue_name": "a,\tb"}, "DFT.queue_name", "a tab"),
    ({"DFT.command": "vasp\0"}, "DFT.command", "U+0000"),
    ({"DFT.env_list": ["export A=\x08"]}, "DFT.env_list[0]", "U+0008"),
    ({"train.env_list": [1]}, "train.env_list[0]", "text"),
    ({"train.scheduler": "condor"}, "train.scheduler", "slurm"),
    ({"scheduler": "condor"}, "scheduler", "slurm"),
    ({"train.use_array": "maybe"}, "train.use_array", "auto"),
    ({"train.max_parallel_jobs": 0}, "train.max_parallel_jobs", ">= 1"),
    ({"poll_interval": 0}, "poll_interval", "> 0"),
    ({"max_jobs_in_queue": "x"}, "max_jobs_in_queue", "integer"),
    ({"DFT.command": "mpirun -np 8 vasp"}, "DFT.command", "cpu_per_node"),
    ({"DFT.command": "mpirun -np x vasp"}, "DFT.command", "integer"),
    ({"DFT.command": "srun -n 1 x; mpirun  -np  0 y"}, "DFT.command", "integer"),
]

# the content of a file, the key path, a part of the message
BAD_FILES: list[tuple[Union[bytes, None], str, str]] = [
    (None, "", "directory"),
    (b"", "", "empty"),
    (b" \n\t ", "", "empty"),
    (b"{", "", "line 1, column 2"),
    (b'{"train": {},\n  "strategy": }', "", "line 2, column 15"),
    (b'{"train": [1, 2,],}', "", "a comma before the closing bracket"),
    (b"{'train': 1}", "", "double quotes"),
    (b'{"train": 1 // why\n}', "", "JSON knows no comments"),
    (b'{"train": 1} {"train": 2}', "", "line 1, column 14"),
    (b'{"train": nul}', "", "line 1, column 11"),
    (b'{"train": 01}', "", "line 1"),
    (b'{"train": "a\nb"}', "", "line 1"),
    (b'{"train": 1,\r\n"x": }\r\n', "", "line 2, column 6"),
    (b"\xef\xbb\xbf", "", "empty"),
    (b'\xef\xbb\xbf{"train":', "", "line 1"),
    (b"train:\n  engine: pod\n", "", "line 1, column 1"),
    (b"\0" * 100, "", "line 1, column 1"),
    (b'{"x": 0x7E9}', "", "line 1"),
    (b'{"x": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001, "", "nested too deeply"),
    (b"[]", "", "object"),
    (b"3", "", "object"),
    (b"null", "", "object"),
    (b"[" * 100_000, "", "nested too deeply"),
    ("{}".encode("utf-16"), "", "UTF-16"),
    ("{}".encode("utf-16-be"), "", "line 1"),
    ("{}".encode("utf-32"), "", "UTF-32"),
    ('{\n"a": "é"}'.encode("latin-1"), "", "line 2, column 7: byte 0xe9 is not UTF-8"),
    (b"\x89PNG\r\n\x1a\n", "", "not UTF-8"),
    (b'{"train": 1, "train": 2}', "train", "twice"),
    (b'{"x": {"Temps": 1, "temps": 2}}', "x.temps", "twice"),
    (b'{"x": NaN}', "x", "not a number"),
    (b'{"x": [0, -Infinity]}', "x[1]", "infinite"),
    (b'{"x": 1e999}', "x", "far too large"),
    (b'{"x": ' + HUGE_NUMBER.encode() + b"}", "x", "far too large"),
    (b'{"x": "\\ud800"}', "x", "U+D800"),
    (b'{"x": "\\u0000"}', "x", "U+0000"),
    (b'{"x": "a\\u001b[2J"}', "x", "U+001B"),
    (b'{"x": "\\u007f"}', "x", "U+007F"),
    (b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}", "x", "nested too deeply"),
    (b"{}", "", "no input of pwact run"),
    (json.dumps(RESOURCE).encode(), "", "the order is PARAM RESOURCE"),
]


def refusal(caught: pytest.ExceptionInfo[InputError], file: Path, key: str, part: str) -> None:
    error = caught.value
    assert (error.file, error.key) == (file, key)
    text = str(error)
    assert text.startswith(f"{file}: {key}: " if key else f"{file}: ")
    assert part in error.message
    assert len(text.splitlines()) == 1
    assert len(error.message) < 500


def snapshot(site: Path) -> list[tuple[Path, int]]:
    return [(path, path.stat().st_mtime_ns) for path in sorted(site.rglob("*"))]


@pytest.mark.parametrize(("changes", "key", "part"), RUN_FAULTS)
def test_run(changes: dict[str, Any], key: str, part: str, site: Path, tmp_path: Path) -> None:
    before = snapshot(site)
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, changed(RUN, changes), expected="run")
    refusal(caught, tmp_path / "param.json", key, part)
    assert snapshot(site) == before


@pytest.mark.parametrize(("changes", "key", "part"), INIT_FAULTS)
def test_init(changes: dict[str, Any], key: str, part: str, site: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, changed(INIT, changes), expected="init_bulk")
    refusal(caught, tmp_path / "param.json", key, part)


@pytest.mark.parametrize(("changes", "key", "part"), RESOURCE_FAULTS)
def test_resource(changes: dict[str, Any], key: str, part: str, site: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, RUN, changed(RESOURCE, changes))
    refusal(caught, tmp_path / "resource.json", key, part)


@pytest.mark.parametrize("name", ["param.json", "resource.json"])
@pytest.mark.parametrize(("content", "key", "part"), BAD_FILES)
def test_file(
    name: str, content: Union[bytes, None], key: str, part: str, site: Path, tmp_path: Path
) -> None:
    documents = {"param.json": RUN, "resource.json": RESOURCE}
    for other, document in documents.items():
        (tmp_path / other).write_text(json.dumps(document))
    (tmp_path / name).unlink()
    if content is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(content)
    if name == "resource.json":
        swaps = {"no input of pwact run": "none of the blocks"}
        if "PARAM RESOURCE" in part:
            (tmp_path / name).write_text(json.dumps(RUN))
        part = swaps.get(part, part)
    with pytest.raises(InputError) as caught:
        load_pair(tmp_path / "param.json", tmp_path / "resource.json", site)
    refusal(caught, tmp_path / name, key, part)


def test_a_resource_block_that_a_step_needs(site: Path, tmp_path: Path) -> None:
    scripts = {"bigmodel_input": "md.py", "direct_input": "direct.py"}
    steps = {f"{ENTRY}.bigmodel": True, f"{ENTRY}.direct": True, f"{ENTRY}.aimd": False}
    param = changed(INIT, {**scripts, **steps})
    for missing, reason in (("explore", "bigmodel"), ("direct", "direct")):
        blocks = {"direct": dict(BLOCK), **RESOURCE}
        blocks.pop(missing)
        with pytest.raises(InputError) as caught:
            load(site, tmp_path, param, blocks)
        refusal(caught, tmp_path / "resource.json", missing, f"needed for {reason}")


@pytest.mark.parametrize(
    ("expected", "param", "part"),
    [("run", INIT, "input of pwact init_bulk"), ("init_bulk", RUN, "input of pwact run")],
)
def test_the_other_command(
    expected: str, param: dict[str, Any], part: str, site: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, param, expected=expected)
    refusal(caught, tmp_path / "param.json", "", part)


def test_missing_files(site: Path) -> None:
    for param, resource, missing in (
        ("none.json", "none.json", "none.json"),
        ("x" * 300, "none.json", "x" * 300),
    ):
        with pytest.raises(InputError) as caught:
            load_pair(Path(param), Path(resource), site)
        assert caught.value.file == site / missing


def test_a_broken_train_input_file_is_named_itself(site: Path, tmp_path: Path) -> None:
    param = changed(RUN, {"train.train_input_file": "broken.json"})
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, param)
    refusal(caught, site / "broken.json", "", "line 1, column")


def test_strict_refuses_unknown_keys(site: Path, tmp_path: Path) -> None:
    param = changed(RUN, {"strategy.max_selcet": 5})
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, param, strict=True)
    refusal(caught, tmp_path / "param.json", "strategy.max_selcet", "did you mean max_select?")
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, RUN, changed(RESOURCE, {"DFT.cpu_pernode": 5}), strict=True)
    refusal(caught, tmp_path / "resource.json", "DFT.cpu_pernode", "did you mean cpu_per_node?")
