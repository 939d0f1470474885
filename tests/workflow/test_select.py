"""The selection as a stage; the classes themselves are proved in tests/query."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pwact.formats.model_devi import write_model_devi
from pwact.uncertainties.committee import CommitteeDeviation
from pwact.workflow.reports import ExploreReport
from pwact.workflow.stages.select import SelectStage
from tests.workflow.pairs import run_param
from tests.workflow.test_stages import Rig, rows_of

SELECT = "iter.0000/01.explore/select"


def set_deviations(trajectory: Path, values: list[float]) -> None:
    rows = np.zeros((len(values), 6))
    rows[:, 2] = values
    write_model_devi(trajectory / "model_devi.out", np.arange(len(values)) * 10, rows)


def select(rig: Rig, deviations: dict[str, list[float]]) -> SelectStage:
    """Explore, put given deviations in place, select."""
    paths = ExploreReport.from_json(rig.explore().report).paths
    for entry in paths:
        set_deviations(rig.work_dir / entry.directory, deviations[entry.system])
    stage = SelectStage(rig.config, CommitteeDeviation(), 0, paths)
    rig.services.run(stage)
    return stage


def test_classes_limits_and_summary(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    first = [0.0, 0.0999999, 0.1, 0.2, 0.3, 0.3999999, 0.4, np.nan]
    second = [0.05, 0.15, 0.0]  # zero after the start: atoms that collided
    select(rig, {"md.000.sys.000": first, "md.000.sys.001": second})
    tables = {name: rows_of(tmp_path / SELECT / f"{name}.csv") for name in ("accurate", "fail")}
    assert [int(row["config_index"]) for row in tables["accurate"]] == [0, 10, 0]
    assert [int(row["config_index"]) for row in tables["fail"]] == [60, 70, 20]
    candidates = rows_of(tmp_path / SELECT / "candidate.csv")
    deleted = rows_of(tmp_path / SELECT / "candidate_delete.csv")
    assert list(candidates[0]) == ["devi_force", "config_index", "file_path"]
    assert len(candidates) == 3
    assert len(deleted) == 2
    mine = [row for row in candidates + deleted if "sys.000" in row["file_path"]]
    assert sorted(int(row["config_index"]) for row in mine) == [20, 30, 40, 50]
    assert {row["file_path"] for row in candidates} == {
        f"iter.0000/01.explore/md/md.000.sys.00{n}/md.000.sys.00{n}.t.000" for n in (0, 1)
    }
    summary = (tmp_path / SELECT / "select_summary.txt").read_text()
    assert summary.startswith("Total structures 11    accurate 3 rate 27.27%    selected 5 rate")
    assert "Candidate configurations: 5, randomly select 3, delete 2" in summary


def test_the_limit_belongs_to_the_system_even_when_another_is_lost(tmp_path: Path) -> None:
    entries = [
        {"config": f"structures/{name}.poscar", "format": "vasp/poscar"} for name in ("a", "b")
    ]
    job = {**run_param()["explore"]["md_jobs"][0], "sys_idx": [0, 1], "select_sys": [1, 3]}
    rig = Rig(tmp_path, **{"explore.sys_configs": entries, "explore.md_jobs.0": job})
    rig.services.spoil = {"md.000.sys.000": "broken"}
    report = rig.select().report
    assert report["selected"] == 3
    assert "stopped early: 1" in (tmp_path / SELECT / "select_summary.txt").read_text()
    assert "md.000.sys.000.t.000" in (tmp_path / SELECT / "error_traj.log").read_text()


def test_nothing_to_choose_from_is_no_error(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    select(rig, {"md.000.sys.000": [0.0], "md.000.sys.001": []})
    assert rows_of(tmp_path / SELECT / "candidate.csv") == []
    assert not (tmp_path / SELECT / "candidate_delete.csv").exists()


def test_the_pick_follows_the_seed_and_nothing_else(tmp_path: Path) -> None:
    picks = []
    for number, seed in enumerate((1, 1, 2, 3, 4)):
        rig = Rig(tmp_path / str(number))
        rig.services.rng = type(rig.services)(tmp_path, seed).rng
        values = np.linspace(0.1, 0.39, 30).tolist()
        select(rig, {"md.000.sys.000": values, "md.000.sys.001": values})
        picks.append((tmp_path / str(number) / SELECT / "candidate.csv").read_bytes())
    assert picks[0] == picks[1]
    assert len(set(picks)) == 4
    lines = picks[0].decode().splitlines()[1:]
    steps = [line.split(",")[1] for line in lines]
    assert steps[:2] != steps[2:]  # systems have generators of their own


def test_a_selection_depends_on_window_limits_and_deviations(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    stage = select(rig, {"md.000.sys.000": [0.2], "md.000.sys.001": [0.2]})
    before = stage.inputs()
    place = stage.explored[1].directory
    set_deviations(tmp_path / place, [0.3])
    after = stage.inputs()
    assert before["limits"] == {"md.000.sys.000": 2, "md.000.sys.001": 2}
    assert [name for name in after if after[name] != before[name]] == ["deviations"]
    changed = [
        name
        for name in after["deviations"]
        if after["deviations"][name] != before["deviations"][name]
    ]
    assert changed == [place]


@pytest.mark.draws
def test_a_histogram_of_each_system(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.select()
    link = tmp_path / SELECT / "model_devi_distribution-md.000.sys.001.png"
    picture = tmp_path / "iter.0000/01.explore/md/md.000.sys.001/model_devi_distribution.png"
    assert link.is_symlink()
    assert link.samefile(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
