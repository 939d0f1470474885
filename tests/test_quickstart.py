"""The quickstart as the README tells it, for real."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from tests.commands import ROOT, pwact
from tests.requirements import need_program


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Work directory of a finished quickstart, and what ``pwact run`` ended with."""
    return followed("quickstart", tmp_path_factory.mktemp("a folder with spaces") / "quick start")


def followed(example: str, work_dir: Path) -> tuple[Path, str]:
    """The same of an example."""
    need_program("lmp")
    shutil.copytree(ROOT / "examples" / example, work_dir)
    shown = ""
    for command, param in (("init_bulk", "init_param.json"), ("run", "run_param.json")):
        shown = pwact(work_dir, command, param, "resource.json")
    return work_dir, shown


def table(shown: str) -> list[list[str]]:
    """The lines of the final table, one an iteration."""
    return [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_the_models_get_better(finished: tuple[Path, str]) -> None:
    check_models(*finished)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_one_model_with_its_uncertainty_gets_better(tmp_path: Path) -> None:
    work_dir, shown = followed("quickstart_kpu", tmp_path / "one model")
    check_models(work_dir, shown)
    assert len(list(work_dir.glob("iter.*/00.train/train.*/pod_kpu.npy"))) == 6
    assert len(list(work_dir.glob("iter.*/01.explore/kpu/*/*/kpu_model_devi.out"))) == 5
    assert not list(work_dir.glob("iter.*/01.explore/md/*/*/model_devi.out"))


def check_models(work_dir: Path, shown: str) -> None:
    """Every iteration labels, and the force error on the validation data falls four-fold."""
    *iterations, last_training = table(shown)
    assert len(iterations) >= 4
    frames, failed = (int(iterations[-1][2]), float(iterations[-1][5]))
    assert frames > 0
    assert failed == 0.0
    assert all(int(line[6]) > 0 for line in iterations)
    assert float(last_training[9]) * 4 <= float(iterations[0][9])
    for line in iterations:
        folder = work_dir / line[0]
        errors = folder / "02.label" / "result" / "label_error.csv"
        with errors.open(newline="", encoding="utf-8") as stream:
            assert len(list(csv.DictReader(stream))) == int(line[6])
        assert (folder / "02.label" / "result" / "train.xyz").stat().st_size > 0


@pytest.mark.slow
def test_the_end_names_what_there_is(finished: tuple[Path, str]) -> None:
    work_dir, shown = finished
    data = [Path(path) for path in re.findall(r'^"(.*)",$', shown, re.MULTILINE)]
    models = [Path(path) for path in re.findall(r"^  (/.*)$", shown, re.MULTILINE)]
    assert len(data) == len(table(shown)) - 1
    assert len(models) == 4
    assert all(path.exists() and work_dir in path.parents for path in (*data, *models))
