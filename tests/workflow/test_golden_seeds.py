"""Random numbers of 0.5.0, as literals: another release that draws others repeats paid work.

Never mend these numbers. If one of them has to change, campaigns that were begun before must go on
with the old one.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pwact.engines.ase.md_worker import heat
from pwact.formats.structures import read_structure
from pwact.workflow.seeds import Seeds
from tests.workflow.pairs import alloy, deep_update, init_param, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    return tmp_path


def seeds_in(paths: list[Path]) -> list[int]:
    return [json.loads(path.read_text())["seed"] for path in sorted(paths)]


def test_numbers_by_place() -> None:
    seeds = Seeds(2025)
    places = [(0, "md", 0, 0, 0, 0), ("relax", 0), (1, "train", 2), ("aimd", 0, 1)]
    assert [seeds.seed(*place) for place in places] == [
        444135857,
        259648553,
        362201207,
        739541637,
    ]
    picks = seeds.rng(0, "select", 0, 1).integers(0, 10**6, 4)
    assert picks.tolist() == [358407, 28298, 560888, 385495]
    normal = seeds.rng("perturb", 0, 0, 0).normal(size=2)
    assert normal.tolist() == pytest.approx([0.897044581054732, 0.39080530833583427])
    assert seeds.rng("shuffle", 0).permutation(6).tolist() == [1, 3, 0, 2, 5, 4]


def test_a_loop_draws_what_it_always_drew(toys: Path) -> None:
    job = {"explore.md_jobs.0.nsteps": 80, "explore.md_jobs.0.temps": [40]}
    run_loop(toys, deep_update(run_param(), job), ToyExecutor())
    first = toys / "iter.0000"
    train = seeds_in(list(first.glob("00.train/*/train.json")))
    assert train == [539224030, 88866338, 712018123]
    assert seeds_in(list(first.glob("01.explore/md/*/*/md.json"))) == [1415776007, 1080386314]
    with (first / "01.explore/select/candidate.csv").open() as stream:
        steps = [int(row["config_index"]) for row in csv.DictReader(stream)]
    assert steps == [30, 40, 50, 70]


def test_a_chain_draws_what_it_always_drew(toys: Path) -> None:
    run_chain(toys, {**init_param(), "reserve_work": True}, ToyExecutor())
    place = toys / "collection/init_config_0/0.95_scale_pertub/0_pertub.poscar"
    made = read_structure(place, "vasp/poscar")
    np.testing.assert_allclose(
        made.positions[:2],
        [
            [0.03590644197478948, 1.8304516782137816, 1.9361820655507676],
            [1.9652204059366938, 1.8670906865164014, -0.0051221040562981],
        ],
        atol=1e-9,
    )
    tasks = list((toys / "temp_init_bulk_work").rglob("in.json"))
    assert seeds_in(tasks) == [
        *(1090774385, 1761204934, 557354234, 2065569196),  # AIMD of init_config_0
        322568358,  # of init_config_1
        159384887,  # relaxation
    ]


def test_start_velocities_of_md_in_ase() -> None:
    atoms = alloy()
    heat(atoms, 300.0, 5)
    expected = [
        [-2.1961345410232633, -2.5146550878907514, -0.36286481252060504],
        [0.7230217654903671, 2.6420514558640713, 0.3587345056168398],
    ]
    np.testing.assert_allclose(atoms.get_momenta()[:2], expected, atol=1e-9)
