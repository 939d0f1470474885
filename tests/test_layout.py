"""The names are a promise to users and to other tools: spec layout.md 5.1-5.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact import layout

W = Path("/w")


@pytest.mark.parametrize(
    ("made", "promised"),
    [
        (layout.iteration_dir(W, 3), "/w/iter.0003"),
        (layout.member_dir(W, 0, 1), "/w/iter.0000/00.train/train.001"),
        (layout.md_dir(W, 12), "/w/iter.0012/01.explore/md"),
        (layout.select_dir(W, 0), "/w/iter.0000/01.explore/select"),
        (layout.scf_dir(W, 0), "/w/iter.0000/02.label/scf"),
        (
            layout.labelled(layout.result_dir(W, 0), "extxyz"),
            "/w/iter.0000/02.label/result/train.xyz",
        ),
        (layout.labelled(W, "pwmlff/npy"), "/w/PWdata"),
        (layout.trajectory_name(0, 1, 2), "md.000.sys.001.t.002"),
        (layout.trajectory_name(1, 0, 0, 3), "md.001.sys.000.t.000.p.003"),
        (layout.trajectory_name(0, 1234, 0), "md.000.sys.1234.t.000"),
        (layout.scf_name(820), "820-scf"),
        (layout.scale_base("1.0"), "1.0_scale"),
        (layout.perturbed_name(0), "0_pertub"),
        (layout.perturbed_folder("super_cell"), "super_cell_pertub"),
        (layout.md_name(3, "aimd"), "3_aimd"),
    ],
)
def test_names(made: object, promised: str) -> None:
    assert str(made) == promised


def test_a_step_of_an_old_pwact_is_found_under_its_name(tmp_path: Path) -> None:
    (tmp_path / "iter.0001/label").mkdir(parents=True)
    assert layout.scf_dir(tmp_path, 1) == tmp_path / "iter.0001/label/scf"
    assert layout.train_dir(tmp_path, 1) == tmp_path / "iter.0001/00.train"
    (tmp_path / "iter.0001/02.label").mkdir()
    assert layout.scf_dir(tmp_path, 1) == tmp_path / "iter.0001/02.label/scf"


def test_iterations_beyond_four_digits_still_have_distinct_names() -> None:
    assert layout.iteration_name(9999) != layout.iteration_name(99990)
