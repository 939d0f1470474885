"""The benchmark of campaigns on their own MD runs; its figures are made by hand."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io import read

from tests.benchmarks.label_efficiency import on_model
from tests.requirements import need_program

pytestmark = pytest.mark.slow

TARGET, JUDGED = 0.015, 0.001  # eV/Å; by the second one some of the accepted frames are wrong


def change(path: Path, by: Callable[[dict[str, Any]], object]) -> None:
    param = json.loads(path.read_text())
    by(param)
    path.write_text(json.dumps(param))


def smaller_init(param: dict[str, Any]) -> None:
    (system,) = param["sys_configs"]
    system.update(relax=False)


def smaller_run(param: dict[str, Any]) -> None:
    del param["valid_data"]
    param["strategy"].update(model_num=3, max_iterations=1, max_select=2)
    first, _, last = param["explore"]["md_jobs"]
    first.update(temps=[300], nsteps=20, trj_freq=2)
    last.update(temps=[1100], nsteps=20, trj_freq=2)
    param["explore"]["md_jobs"] = [first, last]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign of two iterations, made as the benchmark makes it."""
    need_program("lmp")
    folder = tmp_path_factory.mktemp("on model")
    example = Path(shutil.copytree(on_model.EXAMPLE, folder / "example"))
    change(example / "init_param.json", smaller_init)
    change(example / "run_param.json", smaller_run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_model, "EXAMPLE", example)
        made = on_model.campaign(folder, 7, {"target_force_error": TARGET})
        journal = (made / "run.txt").stat().st_mtime_ns
        assert on_model.campaign(folder, 7, {}) == made
    assert (made / "run.txt").stat().st_mtime_ns == journal  # one that has ended is left alone
    change(made / "run_param.json", lambda it: it["strategy"].update(target_force_error=JUDGED))
    return made


def true_errors(place: Path, iteration: int) -> dict[tuple[str, int], float]:
    """RMSE of each explored frame, read by ASE, eV/Å."""
    found = {}
    for path in sorted(place.glob(f"iter.{iteration:04d}/01.explore/md/*/*/traj.lammpstrj")):
        frames = read(path, index=":", format="lammps-dump-text", specorder=["Ag", "Au"])
        for number, frame in enumerate(frames):
            said = frame.get_forces()
            frame.calc = EMT()
            error = float(np.sqrt(np.mean((said - frame.get_forces()) ** 2)))
            found[path.parent.relative_to(place).as_posix(), 2 * number] = error
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_was_accepted_is_compared_with_the_truth(place: Path) -> None:
    made = list(on_model.iterations(place))
    assert [one.condition for one in made] == [0, 1]
    for number, one in enumerate(made):
        errors = true_errors(place, number)
        select = place / f"iter.{number:04d}" / "01.explore" / "select"
        accepted = rows(select / "accurate.csv")
        kept = [errors[row["file_path"], int(row["config_index"])] for row in accepted]
        assert len(errors) == 11
        assert one.accepted == len(kept)
        assert one.right == sum(error < JUDGED for error in kept)
        assert one.true == pytest.approx(np.mean([error < JUDGED for error in errors.values()]))
        assert one.labels == len(rows(select / "candidate.csv"))
    right, accepted = sum(one.right for one in made), sum(one.accepted for one in made)
    assert 0 < right < accepted
    assert 0 < made[1].true < 1


def test_a_line_of_the_table(place: Path) -> None:
    first, hotter = on_model.iterations(place)
    cells = [cell.strip() for cell in on_model.line_of(place, 0).strip("|").split("|")]
    right, accepted = first.right + hotter.right, first.accepted + hotter.accepted
    assert cells == [
        *["seed.7", "2", str(first.labels + hotter.labels), "no", f"{right} of {accepted}"],
        *[f"{hotter.right} of {hotter.accepted}", f"{first.true:.2f} {hotter.true:.2f}", ""],
    ]


def test_the_part_of_an_md_that_the_last_model_survives(place: Path, tmp_path: Path) -> None:
    assert on_model.survives(place, 40) == 1.0
    assert on_model.survives(place, 250) == 1.0
    hell = Path(shutil.copytree(place / "final", tmp_path / "final")).parent
    shutil.copy(place / "run_param.json", hell)
    change(hell / "run_param.json", lambda it: it["explore"]["md_jobs"][1].update(temps=[10**7]))
    assert on_model.survives(hell, 40) < 0.9
