"""What goes wrong in a real campaign, and what the user is told."""

from __future__ import annotations

import json

import pytest

from pwact.errors import QuorumError
from tests.requirements import need_program
from tests.workflow import small_campaign

pytestmark = pytest.mark.slow


@pytest.fixture
def work_dir(tmp_path):
    need_program("lmp")
    path = tmp_path / "work"
    small_campaign.write_inputs(path)
    return path


def change(work_dir, file, **keys):
    path = work_dir / file
    document = json.loads(path.read_text())
    for where, value in keys.items():
        place = document
        *parents, last = where.split("__")
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place[parent]
        place[last] = value
    path.write_text(json.dumps(document))


def label_with(work_dir, fails):
    """Let the labels of some frames fail: those picked first."""
    calculator = {
        "calculator": "tests.workflow.small_campaign:FailingEMT",
        "arguments": {"marks": str(work_dir / "marks"), "fails": fails},
    }
    (work_dir / "emt.json").write_text(json.dumps(calculator))
    (work_dir / "marks").mkdir()


def test_labels_that_fail_stop_it_or_are_tolerated_and_are_done_when_repaired(work_dir):
    """Two of three fail, then one, then none: three starts of the same campaign."""
    change(work_dir, "param.json", explore__md_jobs__0__select_sys=[2, 1])
    label_with(work_dir, fails=2)
    with pytest.raises(QuorumError) as caught:
        small_campaign.run(work_dir)
    text = str(caught.value)
    assert "iter.0000/label: 2 of 3 tasks failed" in text
    assert text.count("this frame is cursed") >= 2
    scf = str(work_dir / "iter.0000/02.label/scf/md.000.sys.00")
    assert text.count(f"\n{scf}") >= 2  # each failed task's directory
    assert text.count(f"the end of {scf}") == 2  # and its log
    assert "give the same command again" in text
    cursed, *others = sorted((work_dir / "marks").iterdir())
    for mark in others:
        mark.write_text("blessed")
    result = small_campaign.run(work_dir)
    assert (result.rows[0].label.labelled, result.rows[0].label.failed) == (2, 1)
    text = (work_dir / "iter_result.txt").read_text()
    assert "Number of converged files: 2, number of non-converged files: 1" in text
    assert "-scf" in text.splitlines()[-1]
    cursed.write_text("blessed")
    result = small_campaign.run(work_dir)
    assert (result.rows[0].label.labelled, result.rows[0].label.failed) == (3, 0)


def test_a_program_that_does_not_exist_is_named(work_dir, undisturbed):
    """And once it exists, the campaign goes on; by another seed, which gives other results."""
    change(work_dir, "resource.json", train__command="no_such_lmp")
    change(work_dir, "param.json", seed=2)
    with pytest.raises(QuorumError, match="no_such_lmp") as caught:
        small_campaign.run(work_dir)
    assert "iter.0000/train" in str(caught.value)
    change(work_dir, "resource.json", train__command="lmp")
    assert len(small_campaign.run(work_dir).rows) == 2
    one, other = small_campaign.results(undisturbed), small_campaign.results(work_dir)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] == other[name]] == []


@pytest.mark.parametrize("tolerance", [True, False])
def test_md_that_dies_early(work_dir, tolerance):
    """A step of 60 fs blows the crystal up: LAMMPS loses atoms."""
    change(
        work_dir,
        "param.json",
        explore__md_jobs__0__md_dt=0.06,
        explore__md_jobs__0__temps=[3000],
        strategy__lmps_tolerance=tolerance,
    )
    if not tolerance:
        with pytest.raises(QuorumError, match="lmps_tolerance"):
            small_campaign.run(work_dir)
        return
    row = small_campaign.run(work_dir).rows[0]
    assert (row.explore.trajectories, row.explore.ended_normally) == (2, 0)
    assert 0 < row.select.frames < 22
    error_log = (work_dir / "iter.0000/01.explore/select/error_traj.log").read_text()
    assert "stopped early: 2" in error_log
