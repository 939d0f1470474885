"""Numbers that can be honoured, but are hardly meant: said, and refused by strictness."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.config.run import RunConfig
from pwact.config.schema import Usual
from pwact.config.train_keys import ENGINES
from pwact.engines.ase.settings import read_settings
from pwact.errors import InputError
from tests.config.inputs import DROP, INIT, RUN, changed, load

MD = "explore.md_jobs.0"
RUN_DOUBTS: list[tuple[dict[str, Any], str, str]] = [
    ({f"{MD}.md_dt": 1}, "md_dt: found 1 ps", "usual is 1e-05 to 0.01 ps; 0.001 ps is 1 fs"),
    ({f"{MD}.md_dt": 1e-6}, "md_dt: found 1e-06 ps", "usual is"),
    ({f"{MD}.temps": [300, 1e6]}, "temps: found 1e+06 K", "usual is 1 to 10000 K"),
    ({f"{MD}.temps": 0.3}, "temps: found 0.3 K", "usual is"),
    ({f"{MD}.press": [0, 1e9]}, "press: found 1e+09 bar", "1 GPa is 10000 bar"),
    ({f"{MD}.press": -2e5}, "press: found -200000 bar", "usual is"),
    ({f"{MD}.taut": 100}, "taut: found 100 ps", "0.1 ps is 100 fs"),
    ({f"{MD}.taup": 1000}, "taup: found 1000 ps", "usual is"),
    ({f"{MD}.taut": 0.009}, "taut: found 0.009 ps", "time step (md_dt) of 0.001 ps"),
    ({f"{MD}.md_dt": 0.006, f"{MD}.taut": 0.1, f"{MD}.taup": 0.05}, "taup: found 0.05", "at least"),
    ({"DFT.kspacing": 0.01}, "kspacing: found 0.01 1/Å", "the reciprocal vectors hold 2π"),
    ({"DFT.kspacing": 4}, "kspacing: found 4 1/Å", "usual is 0.08 to 1 1/Å"),
]


@pytest.mark.parametrize(("changes", "found", "hint"), RUN_DOUBTS, ids=[o[1] for o in RUN_DOUBTS])
def test_of_a_run(
    site: Path, tmp_path: Path, changes: dict[str, Any], found: str, hint: str
) -> None:
    param = changed(RUN, {f"{MD}.taup": 0.5, **changes})
    (warning,) = load(site, tmp_path, param).warnings
    assert found in warning
    assert hint in warning
    key = found.partition(":")[0]
    with pytest.raises(InputError) as caught:
        load(site, tmp_path, param, strict=True)
    assert caught.value.key.endswith(key)


INIT_DOUBTS = [
    ({"sys_configs.1.scale": [0.95, 95]}, "scale: found 95", "0.95 shortens all lengths by 5 %"),
    ({"sys_configs.1.cell_pert_fraction": 0.5}, "cell_pert_fraction: found 0.5", "0.03 is 3 %"),
    ({"sys_configs.1.atom_pert_distance": 3}, "atom_pert_distance: found 3 Å", "usual is 0 to 0.6"),
]


@pytest.mark.parametrize(("changes", "found", "hint"), INIT_DOUBTS)
def test_of_an_init_bulk(
    site: Path, tmp_path: Path, changes: dict[str, Any], found: str, hint: str
) -> None:
    (warning,) = load(site, tmp_path, changed(INIT, changes)).warnings
    assert found in warning
    assert hint in warning


def test_what_is_usual_is_no_warning(site: Path, tmp_path: Path) -> None:
    usual = {
        **{f"{MD}.md_dt": 0.01, f"{MD}.temps": [1, 10_000], f"{MD}.press": [-1e5, 5e6]},
        **{f"{MD}.taut": 0.1, f"{MD}.taup": 200, "DFT.kspacing": 0.08},
    }
    assert load(site, tmp_path, changed(RUN, usual), strict=True).warnings == []
    nothing = {f"{MD}.ensemble": "nve", f"{MD}.press": DROP, f"{MD}.taut": 0.005}
    assert load(site, tmp_path, changed(RUN, nothing)).warnings == []


def test_the_words_of_a_range() -> None:
    assert Usual(0.5, 2).words("fs") == "0.5 to 2 fs"
    assert Usual(0, 1e6).words() == "0 to 1e+06"


ASE_DOUBTS = [
    ({"aimd": {"timestep_fs": 0.001}}, "aimd.timestep_fs: found 0.001 fs", "1 fs is 0.001 ps"),
    ({"aimd": {"temperature_k": 0}}, "aimd.temperature_k: found 0 K", "usual is 1 to 10000 K"),
    ({"relax": {"fmax": 5}}, "relax.fmax: found 5 eV/Å", "usual is"),
]


@pytest.mark.parametrize(("section", "found", "hint"), ASE_DOUBTS)
def test_of_a_calculator(tmp_path: Path, section: dict[str, Any], found: str, hint: str) -> None:
    path = tmp_path / "emt.json"
    path.write_text(json.dumps({"calculator": "emt", **section}))
    unlikely: list[InputError] = []
    read_settings(path, unlikely)
    (words,) = map(str, unlikely)
    assert words.startswith(f"{path}: {found}")
    assert hint in words


DP = {"engine": "deepmd", "model_type": "DP"}
CUTOFFS: list[tuple[dict[str, Any], Any]] = [
    ({"model_type": "DP"}, 6.0),
    ({"model_type": "DP", "model": {"descriptor": {"Rmax": 4.5}}}, 4.5),
    ({"model_type": "NEP"}, 6.0),
    ({"model_type": "NEP", "model": {"descriptor": {"cutoff": [7, 5]}}}, 7.0),
    ({**DP, "model": {"descriptor": {"rmax": 5}}}, 5.0),
    ({"engine": "pod"}, 5.0),
    ({"engine": "pod", "rcut": 4}, 4.0),
]


@pytest.mark.parametrize(("train", "cutoff"), CUTOFFS)
def test_the_cutoff_of_the_models(
    site: Path, tmp_path: Path, train: dict[str, Any], cutoff: float
) -> None:
    param = changed(RUN, {"train": {"atom_type": [29], **train}})
    config = load(site, tmp_path, param).config
    assert isinstance(config, RunConfig)
    assert config.train.cutoff == cutoff


@pytest.mark.parametrize(
    ("descriptor", "cutoff"),
    [
        ({"rcut": 5.5}, 5.5),
        ({"type": "hybrid", "list": [{"rcut": 4.0}, {"rcut": 6.5}]}, 6.5),
        ({"type": "other"}, None),
    ],
)
def test_the_cutoff_of_an_input_of_deepmd(
    site: Path, tmp_path: Path, descriptor: dict[str, Any], cutoff: Any
) -> None:
    document = {"model": {"type_map": ["Cu"], "descriptor": descriptor}, "training": {}}
    (tmp_path / "deepmd.json").write_text(json.dumps(document))
    train = {"engine": "deepmd", "train_input_file": str(tmp_path / "deepmd.json")}
    config = load(site, tmp_path, changed(RUN, {"train": train})).config
    assert isinstance(config, RunConfig)
    assert config.train.cutoff == cutoff


def test_every_model_has_a_cutoff() -> None:
    assert {name: set(keys.cutoffs) for name, keys in ENGINES.items()} == {
        name: set(keys.model_types) for name, keys in ENGINES.items()
    }
