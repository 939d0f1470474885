"""Inputs that are well written and still cannot work: refused before anything is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact.errors import InputError
from pwact.formats.frames import write_frames
from pwact.formats.labels import set_labels
from pwact.formats.structures import read_structure, write_structure
from pwact.workflow.checks.check_width import narrow_cells
from pwact.workflow.checks.preflight import preflight
from tests.workflow.pairs import (
    LOCAL,
    alloy,
    deep_update,
    init_param,
    labelled,
    load,
    resources,
    run_param,
    write_files,
)
from tests.workflow.toy_campaign import ToyExecutor, run_chain, use_toys

JOB = run_param()["explore"]["md_jobs"][0]


def close_atoms() -> Atoms:
    atoms = alloy()
    atoms.positions[1] = atoms.positions[0] + [0.1, 0, 0]
    return atoms


def left_handed() -> Atoms:
    atoms = alloy()
    atoms.set_cell(atoms.cell.array[[1, 0, 2]])
    return atoms


def flat() -> Atoms:
    """A flat cell whose atoms are far from each other."""
    atoms = alloy()[:1]
    atoms.set_cell([[10, 0, 0], [10, 3, 0], [0, 0, 5]])
    return atoms


def with_xenon() -> Atoms:
    return Atoms("Xe4", alloy().positions, cell=alloy().cell, pbc=True)


DIRECT = {"strategy.direct": True, "strategy.direct_script": "calculator.json"}
NETWORK = {"train.engine": "deepmd-pytorch", "strategy.uncertainty": "KPU"}
NEP = {"engine": "matpl", "model_type": "NEP", "atom_type": ["Au", "Ag"]}
RUN_FAULTS: list[tuple[dict[str, Any], dict[str, Any], Any, str, str]] = [
    (DIRECT, {}, None, "direct", "it is needed for strategy.direct"),
    (
        {"strategy.direct": True, "strategy.direct_script": "candidate.xyz"},
        {"direct": {**LOCAL, "command": "python candidate.xyz"}},
        None,
        "candidate.xyz",
        "a script cannot have this name",
    ),
    (
        {"DFT": {"dft_style": "bigmodel", "bigmodel_script": "candidate.xyz"}},
        {},
        None,
        "candidate.xyz",
        "a script cannot have this name",
    ),
    (
        {"init_data": [], "init_model_list": ["init.xyz"] * 3},
        {},
        None,
        "init_data",
        "init_model_list before any training is not available yet",
    ),
    ({"train.atom_type": ["Ag"]}, {}, None, "sys_configs[0]", "Au"),
    ({"train.atom_type": ["Au", "Ag"], "valid_data": ["xe.xyz"]}, {}, None, "valid_data", "Xe"),
    (
        {"train": {**NEP, "optimizer": {"Batch_Size": 4}}},
        {},
        None,
        "train.optimizer.batch_size: found 4, but init_data has 3 frames",
        "it would train nothing; at most 3",
    ),
    ({}, {"DFT": None}, None, "DFT", "missing"),
    (
        {**NETWORK, "explore.md_jobs": [{**JOB, "ensemble": "npt-aniso", "press": 0}]},
        {},
        None,
        "explore.md_jobs.ensemble",
        "found 'npt-aniso'; the models of this engine run in ASE, which has nve, nvt, npt-iso, ",
    ),
    (
        {
            **NETWORK,
            "explore.lmps_in": ["candidate.xyz"],
            "explore.md_jobs": [{"sys_idx": 0, "lmps_in_idx": [0], "trj_freq": 10}],
        },
        {},
        None,
        "explore.lmps_in",
        "reads no LAMMPS input",
    ),
    ({}, {}, close_atoms, "sys_configs[0]", "only 0.10 Å apart"),
    ({}, {}, left_handed, "sys_configs[0]", "left-handed"),
]


@pytest.mark.parametrize(("param", "resource", "structure", "key", "message"), RUN_FAULTS)
def test_a_run_that_cannot_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    param: dict[str, Any],
    resource: dict[str, Any],
    structure: Any,
    key: str,
    message: str,
) -> None:
    refused(tmp_path, monkeypatch, (run_param(), param), resource, structure, (key, message))


def test_batches_that_the_data_do_not_fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the validation data: said. Of the training data: not refused if there are more by now."""
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    write_frames(tmp_path / "valid.xyz", labelled(2), "extxyz")
    blocks = resources()

    def told(size: int, engine: str = "matpl") -> list[str]:
        train = {**NEP, "engine": engine, "model_type": "DP"} if engine != "matpl" else NEP
        param = {"train": {**train, "optimizer": {"batch_size": size}}, "valid_data": "valid.xyz"}
        found = preflight(load(tmp_path, deep_update(run_param(), param), blocks))
        return [words for words in found if "batch_size" in words]

    assert told(2) == []
    (words,) = told(3)
    assert "train.optimizer.batch_size: found 3, but valid_data has 2 frames" in words
    assert told(3, "deepmd") == []
    (words,) = told(99, "deepmd")
    assert "batch_size: found 99, but init_data has 3 frames: deepmd then takes those" in words
    result = tmp_path / "iter.0000/02.label/result"
    result.mkdir(parents=True)
    write_frames(result / "train.xyz", labelled(2), "extxyz")
    assert "valid_data" in told(4)[0]


@pytest.mark.parametrize(
    ("engine", "key"), [("sevennet", "batch_size"), ("mace", "batch_size"), ("torchnep", "batch")]
)
def test_a_batch_larger_than_the_data_is_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str, key: str
) -> None:
    """See `tests.test_pretrained` and `tests.engines.test_torchnep_real` for what they do."""
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    train = {
        "engine": engine,
        "atom_type": ["Au", "Ag"],
        "epoch" if key == "batch" else "epochs": 1,
    }
    param = deep_update(run_param(), {"train": {**train, key: 4}})
    (words,) = (one for one in preflight(load(tmp_path, param, resources())) if "batch" in one)
    said = f"train.{key}: found 4, but init_data has 3 frames: {engine} then takes all of them"
    assert said in words


ENTRY = "sys_configs.0."
NOTHING = {ENTRY + "relax": False, ENTRY + "super_cell": None, ENTRY + "perturb": 0}
INIT_FAULTS: list[tuple[dict[str, Any], Any, str, str]] = [
    ({}, with_xenon, "", "Xe"),
    ({}, close_atoms, "sys_configs[0].config", "apart"),
    ({ENTRY + "perturb": 1}, left_handed, "sys_configs[0].config", "left-handed"),
    ({}, left_handed, "sys_configs[0].config", "exchange its vectors b and c"),
    ({**NOTHING, ENTRY + "aimd": True}, left_handed, "sys_configs[0].config", "left-handed"),
    ({}, flat, "sys_configs[0].config", "the cell angle gamma is 16.7°, outside 20° to 160°"),
    ({"min_distance": 3}, None, "sys_configs[0].config", "only 2.90 Å apart"),
    ({"dft_style": "bigmodel"}, None, "dft_style", "labels the frames of a run, and does nothing"),
]


@pytest.mark.parametrize(("param", "structure", "key", "message"), INIT_FAULTS)
def test_a_chain_that_cannot_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    param: dict[str, Any],
    structure: Any,
    key: str,
    message: str,
) -> None:
    refused(tmp_path, monkeypatch, (init_param(), param), {}, structure, (key, message))


def refused(
    work_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    param: tuple[dict[str, Any], dict[str, Any]],
    resource: dict[str, Any],
    structure: Any,
    expected: tuple[str, str],
) -> None:
    use_toys(monkeypatch)
    write_files(work_dir, {"calculator": "emt"})
    (work_dir / "candidate.xyz").write_text("a script")
    xenon = with_xenon()
    set_labels(xenon, 0.0, np.zeros((4, 3)))
    write_frames(work_dir / "xe.xyz", [xenon], "extxyz")
    if structure is not None:
        write_structure(work_dir / "structures/a.poscar", structure(), "vasp/poscar")
    document = deep_update(*param)
    blocks = deep_update(resources(), resource)
    with pytest.raises(InputError) as caught:
        preflight(load(work_dir, document, blocks))
    key, message = expected
    assert key in str(caught.value)
    assert message in str(caught.value)
    assert not (work_dir / ".pwact").exists()


@pytest.mark.parametrize("param", [run_param(), init_param()], ids=["run", "init_bulk"])
def test_what_can_work_passes_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, param: dict[str, Any]
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    pair = load(tmp_path, param, resources())
    before = sorted(tmp_path.rglob("*"))
    assert preflight(pair) == []
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_handed_to_no_code_may_be_odd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    for structure, super_cell in (
        (left_handed(), [1, 1, 1]),
        (flat(), [1, 0, 0, -1, 1, 0, 0, 0, 1]),
    ):
        write_structure(tmp_path / "structures/a.poscar", structure, "vasp/poscar")
        changes = {**NOTHING, ENTRY + "super_cell": super_cell}
        changes[ENTRY + "aimd"] = structure.cell.volume > 0 and len(super_cell) == 9
        said = preflight(load(tmp_path, deep_update(init_param(), changes), resources()))
        assert [words for words in said if "labelled data" not in words] == []


CELL = "4.1 0 0\n0 4.1 0\n0 0 4.1\n"
PLACES = ("0 0 0", "0 0.5 0.5", "0.5 0 0.5", "0.5 0.5 0")
POSCARS = {
    "plain": "t\n1.0\n" + CELL + "Au Ag\n2 2\nDirect\n" + "\n".join(PLACES) + "\n",
    "scaled": "t\n4.1\n1 0 0\n0 1 0\n0 0 1\nAu Ag\n2 2\nD\n" + "\n".join(PLACES) + "\n",
    "volume": "t\n-68.921\n1 0 0\n0 1 0\n0 0 1\nAu Ag\n2 2\nd\n" + "\n".join(PLACES) + "\n",
    "cartesian": "t\n4.1\n1 0 0\n0 1 0\n0 0 1\nAu Ag\n2 2\nK\n" + "\n".join(PLACES) + "\n",
    "selective": "t\n1\n"
    + CELL
    + "Au Ag\n2 2\nS\nC\n"
    + "".join(f"{' '.join(str(4.1 * float(x)) for x in one.split())} T F T\n" for one in PLACES),
}


@pytest.mark.parametrize("name", [*POSCARS, "pwmat/config", "lammps/lmp", "extxyz", "cif", "xsf"])
def test_every_documented_format_gives_the_same_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    path = tmp_path / "start"
    text = POSCARS.get(name)
    if text is None:
        (tmp_path / "plain").write_text(POSCARS["plain"])
        write_structure(path, read_structure(tmp_path / "plain", "vasp/poscar"), name)
    else:
        path.write_text(text)
    spelling = "vasp/POSCAR" if text else name.upper() if "/" in name else name
    entry = {"config": "start", "format": spelling, "aimd": True}
    document = {**init_param(), "sys_configs": entry, "reserve_work": True}
    words = "(2 atoms): held along a, b, c: 0 1 0"
    held = [f"{path}: aimd gets Au {words}; Ag {words}"]
    said = preflight(load(tmp_path, document, resources()))
    assert said == (held if name == "selective" else [])
    run_chain(tmp_path, document, ToyExecutor())
    task = tmp_path / "temp_init_bulk_work/aimd/init_config_0/init/0_aimd/in.json"
    handed = json.loads(task.read_text())
    assert handed["numbers"] == [47, 47, 79, 79]
    np.testing.assert_allclose(handed["cell"], 4.1 * np.eye(3), atol=1e-6)
    expected = 4.1 * np.array([[0.5, 0, 0.5], [0.5, 0.5, 0], [0, 0, 0], [0, 0.5, 0.5]])
    np.testing.assert_allclose(handed["positions"], expected, atol=1e-6)


def test_a_vasp_4_file_is_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    (tmp_path / "structures/a.poscar").write_text(POSCARS["plain"].replace("Au Ag\n", ""))
    with pytest.raises(InputError, match=r"sys_configs\[0\]\.config: .*name the elements; VASP 4"):
        preflight(load(tmp_path, init_param(), resources()))


def test_entries_without_data_are_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})

    def words(**changes: Any) -> list[str]:
        return preflight(load(tmp_path, deep_update(init_param(), changes), resources()))

    (one,) = words(**{"sys_configs.1.aimd": False})
    assert "sys_configs[1]: asks for no aimd, bigmodel or scf" in one
    (all_of_them,) = words(**{"sys_configs.0.aimd": False, "sys_configs.1.aimd": False})
    assert "no entry asks for aimd, bigmodel or scf" in all_of_them
    assert "structures and no labelled data" in all_of_them


def test_cells_that_are_narrow_for_the_models(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    for name, times in (("large", 3), ("small", 2)):
        write_structure(tmp_path / f"{name}.vasp", alloy() * (times, times, times), "vasp/poscar")

    def told(systems: list[str], cutoff: float) -> list[str]:
        changes = {"explore.sys_configs": systems, "train.rcut": cutoff}
        pair = load(tmp_path, deep_update(run_param(), changes), resources())
        said = narrow_cells(pair.config)
        assert preflight(pair) == []
        if said:
            with pytest.raises(InputError, match="less than twice the cutoff") as caught:
                preflight(pair, strict=True)
            assert caught.value.key.startswith("explore.sys_configs[")
        else:
            assert preflight(pair, strict=True) == []
        return said

    assert told(["small.vasp"], 4.1) == []
    (words,) = told(["small.vasp"], 4.2)
    assert words.startswith(f"{tmp_path / 'small.vasp'} is 8.2 Å wide, less than twice the cutoff")
    assert "(4.2 Å)" in words
    (words,) = told(["*.vasp"], 7.0)
    assert words.startswith(f"{tmp_path / 'small.vasp'} (and 1 more) is 8.2 Å wide")
