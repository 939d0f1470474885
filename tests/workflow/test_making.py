"""`pwact check` makes the calculator of ``dft_style: "ase"`` once, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from pwact.cli.main import main
from pwact.config.param import load_pair
from pwact.errors import EXIT_DONE, EXIT_WRONG_INPUT
from pwact.workflow.checks.making import calculator_warnings
from tests.workflow.small_campaign import ROOT

MODULE = """
import os
from ase.calculators.emt import EMT

class Calculator(EMT):
    def __init__(self, model="here", mark=None, **rest):
        if mark:
            open("left.txt", "w").write("x")
            open(mark, "a").write(f"{os.getcwd()} {os.environ.get('SET', '')}\\n")
        if model != "here":
            raise FileNotFoundError(f"no model {model}\\nin this place")
        if rest.pop("dies", 0):
            os._exit(3)
        if rest:
            raise TypeError(f"what is {next(iter(rest))}?")
        super().__init__()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "made_here.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'modules'}:{ROOT}")
    work = tmp_path / "work"
    work.mkdir()
    (work / "cu.vasp").write_text(
        "Cu\n1.0\n3.6 0 0\n0 3.6 0\n0 0 3.6\nCu\n4\nDirect\n"
        "0 0 0\n0.5 0.5 0\n0.5 0 0.5\n0 0.5 0.5\n"
    )
    param = {
        "dft_style": "ase",
        "aimd_input": "md.json",
        "sys_configs": [{"config": "cu.vasp", "format": "vasp/poscar", "aimd": True}],
    }
    (work / "param.json").write_text(json.dumps(param))
    write(work)
    monkeypatch.chdir(work)
    return work


def write(folder: Path, calculator: str = "made_here:Calculator", **arguments: object) -> None:
    settings = {"calculator": calculator, "arguments": arguments}
    (folder / "md.json").write_text(json.dumps(settings))
    block(folder)


def block(folder: Path, **keys: object) -> None:
    made = {"scheduler": "local", "DFT": {"command": shlex.quote(sys.executable), **keys}}
    (folder / "resource.json").write_text(json.dumps(made))


def check(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(["check", "param.json", "resource.json"])
    return status, capsys.readouterr().err


def test_it_is_made_once_somewhere_else_with_the_lines_of_the_block(folder, tmp_path, capsys):
    mark = tmp_path / "mark"
    write(folder, mark=str(mark))
    block(folder, env_list=["export SET=yes"])
    before = sorted(folder.rglob("*"))
    assert check(capsys) == (EXIT_DONE, "")
    (line,) = mark.read_text().splitlines()
    place, said = line.rsplit(maxsplit=1)
    assert said == "yes"
    assert folder not in (Path(place), *Path(place).parents)
    assert not Path(place).exists()
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"model": "big.pt"}, "arguments.model: found big.pt, but "),
        ({"model": "big"}, "arguments.model: made_here:Calculator cannot be made: "),
        ({"colour": 3}, "arguments.colour: made_here:Calculator cannot be made: TypeError: what"),
        ({"dies": 1}, "DFT.command: the calculator cannot be made with this command ("),
        ({"pseudo_dir": "pots"}, "arguments.pseudo_dir: found pots, but "),
        ({"data": {"control": {"pseudo_dir": "x"}}}, "arguments.data.control.pseudo_dir: found x"),
    ],
    ids=["file", "name", "argument", "dies", "directory", "deep-directory"],
)
def test_what_fails_is_one_line_with_file_and_key(folder, capsys, arguments, words):
    write(folder, **arguments)
    before = sorted(folder.rglob("*"))
    status, said = check(capsys)
    assert status == EXIT_WRONG_INPUT
    assert len(said.splitlines()) == 1
    assert words in said
    assert f"{folder / 'md.json'}: " in said or f"{folder / 'resource.json'}: " in said
    assert sorted(folder.rglob("*")) == before


def test_a_python_without_the_package_is_named(folder, tmp_path, capsys):
    python = tmp_path / "other python"
    code = (
        "import runpy, sys; sys.modules['made_here'] = None; sys.argv = sys.argv[1:]; "
        "runpy.run_module(sys.argv[1], run_name='__main__')"
    )
    words = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"
    python.write_text(f'#!/bin/bash\nexec {words} "$@"\n')
    python.chmod(0o755)
    block(folder, command=shlex.quote(str(python)))
    status, said = check(capsys)
    assert status == EXIT_WRONG_INPUT
    assert "md.json: calculator: made_here:Calculator cannot be made: ModuleNotFoundError" in said
    assert "(in the Python of DFT.command)" in said


def test_a_python_without_pwact_is_named(folder, tmp_path, capsys):
    python = tmp_path / "bare"
    python.write_text(
        f'#!/bin/bash\nunset PYTHONPATH\ncd /\nexec {shlex.quote(sys.executable)} -I -S "$@"\n'
    )
    python.chmod(0o755)
    block(folder, command=shlex.quote(str(python)))
    status, said = check(capsys)
    assert status == EXIT_WRONG_INPUT
    assert "resource.json: DFT.command: pwact is not installed in the Python" in said


def test_without_its_launcher_it_is_one_process(folder, tmp_path, capsys, monkeypatch):
    launcher = tmp_path / "bin" / "mpirun"
    launcher.parent.mkdir()
    launcher.write_text('#!/bin/bash\necho "$@" >> "$0.called"\nexit 1\n')
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", f"{launcher.parent}:{os.environ['PATH']}")
    mark = tmp_path / "mark"
    write(folder, mark=str(mark))
    command = f"SET=2 mpirun -np 4 --bind-to core {shlex.quote(sys.executable)} -u"
    block(folder, command=command, cpu_per_node=4)
    assert check(capsys) == (EXIT_DONE, "")
    assert [line.split()[-1] for line in mark.read_text().splitlines()] == ["2"]
    assert "ase_making" not in launcher.with_name("mpirun.called").read_text()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"module_list": ["python"]}, "DFT of {0} brings its Python by modules or a script"),
        ({"env_list": ["conda activate one"]}, "DFT of {0} brings its Python by modules"),
        ({"command": "$PYTHON"}, "only a shell can tell what DFT.command starts"),
        ({"command": "no-python-here", "scheduler": "slurm", "queue_name": "cpu"}, "no-python-h"),
    ],
    ids=["modules", "conda", "shell", "elsewhere"],
)
def test_what_is_brought_by_modules_is_not_tried(folder, tmp_path, capsys, keys, words):
    mark = tmp_path / "mark"
    write(folder, mark=str(mark))
    block(folder, **keys)
    status, said = check(capsys)
    assert status == EXIT_DONE
    assert "md.json: calculator: not made here, since " in said
    assert words.format(folder / "resource.json") in said
    assert "--try does" in said
    assert not mark.exists()


def test_where_jobs_run_elsewhere_a_failure_is_a_warning(folder, capsys):
    write(folder, model="big")
    block(folder, scheduler="slurm", queue_name="cpu")
    status, said = check(capsys)
    assert status == EXIT_DONE
    assert "arguments.model: made_here:Calculator cannot be made: FileNotFoundError" in said
    assert "its jobs run elsewhere, where --try tells" in said


def test_one_that_takes_too_long_is_ended_with_all_that_it_started(folder, tmp_path):
    mark, python = tmp_path / "mark", tmp_path / "slow"
    python.write_text(f"#!/bin/bash\npwd > {shlex.quote(str(mark))}\nsleep 300 &\nsleep 300\n")
    python.chmod(0o755)
    block(folder, command=shlex.quote(str(python)))
    pair = load_pair(Path("param.json"), Path("resource.json"), folder)
    (warning,) = calculator_warnings(pair, 2.0)
    assert "was not made within 2 s" in warning
    place = mark.read_text().strip()
    deadline = time.monotonic() + 60
    while living := [pid for pid in Path("/proc").glob("[0-9]*") if works_in(pid, place)]:
        assert time.monotonic() < deadline, living
        time.sleep(0.05)


def works_in(process: Path, place: str) -> bool:
    try:
        return os.readlink(process / "cwd").startswith(place)  # noqa: PTH115
    except OSError:
        return False


def test_a_trial_makes_nothing_beside(folder, tmp_path, capsys):
    mark = tmp_path / "mark"
    write(folder, mark=str(mark))
    assert main(["check", "param.json", "resource.json", "--try"]) == EXIT_DONE
    assert "one label: done" in capsys.readouterr().out
    assert len(mark.read_text().splitlines()) == 1  # the label's
