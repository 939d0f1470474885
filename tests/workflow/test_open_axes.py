"""Molecules, clusters and slabs with open axes: kept to the data, or refused with what to do."""

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
from ase.calculators.emt import EMT

from pwact.config.init_bulk import InitConfig
from pwact.config.param import LoadedPair
from pwact.config.run import RunConfig
from pwact.errors import InputError
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.workflow.as_begun import init_as_begun, run_as_begun
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.check_open import check_chain_open, check_run_open
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from pwact.workflow.init_bulk.chain import chain_of
from pwact.workflow.systems import explored
from pwact.workflow.tasks.origin import assigned, explored_start
from tests.workflow.pairs import (
    LOCAL,
    deep_update,
    init_param,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.toy_campaign import use_toys

ROOT = Path(__file__).parents[2]
PYTHON = f"env PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)}"
SETTINGS = {"calculator": "emt", "relax": {"fmax": 0.5}, "aimd": {"steps": 2}}
OPEN = {"slab": (True, True, False), "cluster": (False, False, False)}
BEGUN = [{"event": "campaign_started", "command": "init_bulk"}]


def crystal(pbc: Any) -> Atoms:
    """Silver without any room around it: an open axis is seen in its energy."""
    atoms = bulk("Ag", cubic=True, a=4.0)
    atoms.pbc = pbc
    return atoms


def chain(work_dir: Path, pbc: Any, entry: Any = None, **changes: Any) -> LoadedPair:
    ase.io.write(work_dir / "start.traj", crystal(pbc))
    (work_dir / "emt.json").write_text(json.dumps(SETTINGS))
    param = {
        "seed": 3,
        "dft_style": "ase",
        "relax_input": "emt.json",
        "aimd_input": "emt.json",
        "scf_style": "ase",
        "scf_input": "emt.json",
        "sys_configs": [
            {
                "config": "start.traj",
                "relax": True,
                "scale": [0.99],
                "perturb": 1,
                "aimd": True,
                **(entry or {}),
            }
        ],
        **changes,
    }
    return load(work_dir, param, {"DFT": {**LOCAL, "command": PYTHON}})


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("scf", [False, True], ids=["aimd", "scf"])
def test_open_axes_are_kept_from_the_file_to_the_data(tmp_path: Path, name: str, scf: bool) -> None:
    pair = chain(tmp_path, OPEN[name], {"scf": scf})
    said = preflight(pair)
    assert any("start.traj: it is open along" in words for words in said)
    with open_campaign(tmp_path, "init_bulk", 3) as opened:
        result = run_init_bulk(pair.config, pair.resources, opened)
    frames = [one for path in result.data_sets for one in read_frames(path, "extxyz")]
    assert len(frames) == 3
    for frame in frames:
        assert tuple(frame.pbc) == OPEN[name]
        again = frame.copy()
        again.calc = EMT()
        assert labels_of(frame).energy == pytest.approx(again.get_potential_energy(), abs=1e-9)
        np.testing.assert_allclose(labels_of(frame).forces, again.get_forces(), atol=1e-9)
        closed = frame.copy()
        closed.pbc = True
        closed.calc = EMT()
        assert abs(labels_of(frame).energy - closed.get_potential_energy()) > 0.1


SLAB_FAULTS: list[tuple[Any, dict[str, Any], str, str]] = [
    ({"super_cell": [1, 1, 2]}, {}, "super_cell", "leaves this axis as it is"),
    ({"super_cell": [1, 0, 1, 0, 1, 0, 0, 0, 1]}, {}, "super_cell", "leaves this axis"),
    (
        {},
        {"data_format": "pwmlff/npy"},
        "config",
        r"cannot say so \(extxyz can\); leave room along",
    ),
]


@pytest.mark.parametrize(("entry", "changes", "key", "words"), SLAB_FAULTS)
def test_what_cannot_keep_it_is_refused(
    tmp_path: Path, entry: Any, changes: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        preflight(chain(tmp_path, OPEN["slab"], entry, **changes))
    assert caught.value.key == f"sys_configs[0].{key}"
    assert preflight(chain(tmp_path, True, entry, **changes)) == []


def test_along_periodic_axes_a_slab_may_be_repeated(tmp_path: Path) -> None:
    pair = chain(tmp_path, OPEN["slab"], {"super_cell": [1, 1, 0, -1, 1, 0, 0, 0, 1]})
    assert any("it is open along c" in words for words in preflight(pair))


def test_a_program_that_is_periodic_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    ase.io.write(tmp_path / "start.traj", crystal(OPEN["slab"]))
    param = deep_update(init_param(), {"sys_configs.1.config": "start.traj"})
    param["sys_configs"][1]["format"] = "traj"
    with pytest.raises(InputError) as caught:
        preflight(load(tmp_path, param, resources()))
    said = str(caught.value)
    assert "sys_configs[1].config" in said
    assert "(pbc T T F), but the program of aimd computes it as periodic" in said
    assert "leave room along c (more than the cutoff of the models" in said
    assert 'say pbc="T T T" in the file' in said


def test_explored_structures_are_periodic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    ase.io.write(tmp_path / "start.traj", crystal(OPEN["cluster"]))
    changes = {"explore.sys_configs": ["start.traj"]}
    pair = load(tmp_path, deep_update(run_param(), changes), resources())
    with pytest.raises(
        InputError, match="open along a, b, c .*explored MD and models are"
    ) as found:
        preflight(pair)
    assert found.value.key == "explore.sys_configs[0]"
    assert isinstance(pair.config, RunConfig)
    config = run_as_begun(pair.config, [{**BEGUN[0], "command": "run"}])
    (words,) = check_run_open(config, explored(config))
    assert "taken as periodic, as version 0.5.0 did" in words
    (structure,) = config.explore.systems[0]
    assert explored_start(structure, config.dft).pbc.all()


def test_an_older_campaign_goes_on_as_it_began(tmp_path: Path) -> None:
    pair = chain(tmp_path, OPEN["slab"], data_format="pwmlff/npy")
    assert isinstance(pair.config, InitConfig)
    config = init_as_begun(pair.config, BEGUN)
    made = chain_of(config, pair.resources)
    (words,) = check_chain_open(config, made)
    assert "it is open along c, but taken as periodic" in words
    assert assigned(made.aimd[0], config.aimd, config.systems[0].structure).pbc.all()
