"""The quickstart as the README tells it, for real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Callable

import pytest

from tests.aims import aim, check_target, rows
from tests.commands import ROOT, pwact
from tests.pages import PAGES, Commands, commands_of
from tests.requirements import need_program

TUTORIAL = ROOT / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Work directory of a quickstart after the tutorial, and what its ``pwact run`` ended with.

    The commands of the tutorial are given as they stand there.
    """
    need_program("lmp")
    top = tmp_path_factory.mktemp("a folder with spaces")
    (top / "examples").symlink_to(ROOT / "examples")
    blocks = [block for block in commands_of(TUTORIAL) if block.mark == "run"]
    shown = typed(top, blocks)
    (place,) = [block.place for block in blocks if block.text.startswith("pwact run ")]
    return top / "my-first", shown[place]


def typed(directory: Path, blocks: Sequence[Commands]) -> dict[str, str]:
    """Give the commands of blocks, one after the other; what each block printed, by place."""
    lines = ["set -e"]
    for block in blocks:
        lines += [f"echo '@@ {block.place}'", block.text.partition("\n\n")[0]]
    ended = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        cwd=directory,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(ROOT / "bin"), os.environ["PATH"]]),
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout[-1000:]}\n{ended.stderr[-2000:]}"
    parts = ended.stdout.split("@@ ")[1:]
    return dict(part.split("\n", 1) for part in parts)


@pytest.fixture(scope="module")
def one_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with one model whose init_bulk is done."""
    need_program("lmp")
    work_dir = tmp_path_factory.mktemp("a folder of one") / "one model"
    shutil.copytree(ROOT / "examples" / "quickstart_kpu", work_dir)
    pwact(work_dir, "init_bulk", "init_param.json", "resource.json")
    return work_dir


def run_with(begun: Path, work_dir: Path, change: Callable[[Path], None]) -> str:
    """Run a copy of what was begun, with changed inputs; what it printed."""
    shutil.copytree(begun, work_dir, symlinks=True)
    change(work_dir)
    return pwact(work_dir, "run", "run_param.json", "resource.json")


@pytest.mark.slow
def test_the_commands_of_the_other_pages(finished: tuple[Path, str]) -> None:
    """They are given in the quickstart; where numbers are shown, these came from it."""
    pages = [page for page in PAGES if page != TUTORIAL]
    blocks = [block for page in pages for block in commands_of(page) if block.mark == "run"]
    assert len(blocks) >= 5
    shown = typed(finished[0], blocks)
    for block in blocks:
        expected = [line for line in block.text.partition("\n\n")[2].splitlines() if line.strip()]
        given = [line.strip() for line in shown[block.place].splitlines() if line.strip()]
        assert len(given) >= len(expected), block.place
        words = [shape(line) for line in given]
        assert [line for line in map(shape, expected) if line not in words] == [], block.place


def shape(line: str) -> str:
    """A line without its numbers and without the path before ``my-first``."""
    line = re.sub(r"(/|…).*?/my-first", "…/my-first", line.replace('"', " "))
    return " ".join(re.sub(r"\d+(\.\d+)?", "0", line).split())


def table(shown: str) -> list[list[str]]:
    """The lines of the final table, one an iteration."""
    return [line.split() for line in shown.splitlines() if re.match(r"iter\.\d{4} ", line)]


@pytest.mark.slow
def test_the_models_get_better(finished: tuple[Path, str]) -> None:
    check_models(*finished)


@pytest.mark.slow
def test_the_target_is_reached(
    finished: tuple[Path, str],
) -> None:
    """It ends by itself, before any condition has used up its iterations."""
    work_dir, shown = finished
    *iterations, last_training = map(columns, table(shown))
    assert shown.count("NOT reached") == 0
    assert "target of 0.02 eV/Å reached" in shown
    assert sum(int(line["lab."]) for line in iterations) <= 40  # as many as with a window
    assert float(last_training["F val."]) <= 0.0137  # that of the window
    check_target(work_dir, [line["iteration"] for line in iterations])


@pytest.mark.slow
def test_one_model_with_a_target(one_model: Path) -> None:
    """KPU with features, of which the rule of choice is that of variance."""
    work_dir = one_model.parent / "with a target"
    aimed = partial(aim, target=0.02, conditions=slice(1, 2), max_iterations=2, max_select=6)
    shown = run_with(one_model, work_dir, aimed)
    iterations = [line[0] for line in table(shown)[:-1]]
    assert iterations == ["iter.0000", "iter.0001"]
    assert "target of 0.02 eV/Å" in shown
    check_target(work_dir, iterations)
    (limits,) = rows(work_dir / "iter.0001" / "01.explore" / "select" / "limits.csv")
    assert "variance" in limits["pick"]


@pytest.mark.slow
def test_one_model_with_its_uncertainty_gets_better(one_model: Path) -> None:
    """In three of the five iterations of the example, with three of its five labels in each."""
    work_dir = one_model.parent / "run"
    shown = run_with(one_model, work_dir, three_of_five)
    check_models(work_dir, shown, 3)
    assert len(list(work_dir.glob("iter.*/00.train/train.*/pod_kpu.npy"))) == 4
    assert len(list(work_dir.glob("iter.*/01.explore/kpu/*/*/kpu_model_devi.out"))) == 3
    assert not list(work_dir.glob("iter.*/01.explore/md/*/*/model_devi.out"))


def three_of_five(work_dir: Path) -> None:
    file = work_dir / "run_param.json"
    param = json.loads(file.read_text())
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][::2]
    param["strategy"]["max_select"] = 3
    file.write_text(json.dumps(param))


def columns(line: list[str]) -> dict[str, str]:
    """A line of the table by column; one of a campaign with a target has the condition as well."""
    names = [*NAMES[:1], *NAMES[len(NAMES) + 1 - len(line) :]]
    return dict(zip(names, line))


NAMES = (
    *("iteration", "job", "T", "frames", "acc", "cand", "fail"),
    *("lab.", "E new", "F new", "F val."),
)


def check_models(work_dir: Path, shown: str, at_least: int = 4) -> None:
    """Every iteration labels, and the force error on the validation data falls four-fold."""
    *iterations, last_training = map(columns, table(shown))
    assert len(iterations) >= at_least
    assert int(iterations[-1]["frames"]) > 0
    assert float(iterations[-1]["fail"]) == 0.0
    assert all(int(line["lab."]) > 0 for line in iterations)
    assert float(last_training["F val."]) * 4 <= float(iterations[0]["F val."])
    for line in iterations:
        result = work_dir / line["iteration"] / "02.label" / "result"
        assert len(rows(result / "label_error.csv")) == int(line["lab."])
        assert (result / "train.xyz").stat().st_size > 0


@pytest.mark.slow
def test_the_end_names_what_there_is(finished: tuple[Path, str]) -> None:
    work_dir, shown = finished
    data = [Path(path) for path in re.findall(r'^"(.*)",$', shown, re.MULTILINE)]
    *models, field = [Path(path) for path in re.findall(r"^  (/.*)$", shown, re.MULTILINE)]
    assert len(data) == len(table(shown)) - 1
    assert len(models) == 4
    assert field == work_dir / "final"
    assert all(path.exists() and work_dir in path.parents for path in (*data, *models, field))
