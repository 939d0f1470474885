"""A pwdata that breaks ``MatPL kpu`` is found before the training is paid for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pwact.engines.matpl import pwdata
from pwact.engines.trainers import TrainingData
from pwact.formats.frames import write_frames
from tests.commands import ROOT
from tests.engines.test_deepmd import copper
from tests.engines.test_matpl import StrategyConfig, dp, trainer
from tests.stubs.matpl import NEW_PWDATA

KPU = StrategyConfig(uncertainty="kpu", model_num=1)


def program(folder: Path, version: str, kind: str = "") -> Path:
    """A MatPL whose Python has this pwdata ("": none), of a kind or what pip would write there."""
    folder.mkdir(exist_ok=True)
    python = folder / "python"
    answer = f"echo {version}" if version else "exit 1"
    python.write_text(f"#!/bin/bash\n{answer}\n")
    python.chmod(0o755)
    made = folder / "MatPL"
    heads = {
        "named": f"#!{python}\n",
        "env": "#!/usr/bin/env python\n",
        "shell": f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n",
    }
    made.write_text(heads[kind or ("shell" if " " in str(python) else "named")])
    made.chmod(0o755)
    return made


@pytest.mark.parametrize("kind", ["", "env", "shell"])
@pytest.mark.parametrize(
    ("version", "broken"),
    [("0.4.7", False), ("0.5.2", False), ("0.5.3", True), ("0.5.10", True), ("1.0", True)],
)
def test_the_version_in_the_python_of_matpl(
    tmp_path: Path,
    version: str,
    broken: bool,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = program(tmp_path / "bin", version, kind)
    monkeypatch.setenv("PATH", f"{made.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "argv", ["pwdata", f"srun -n 1 {shlex.quote(str(made))}"])
    assert pwdata.main() == int(broken)
    assert ("install pwdata 0.4.7" in capsys.readouterr().err) == broken


def test_what_is_not_known_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrapper may have a Python of its own, other than that on the PATH."""
    made = program(tmp_path / "bin", "")
    other = program(tmp_path / "other", "0.5.10")
    wrapper = other.with_name("wrapper")
    wrapper.write_text("#!/bin/bash\nexec MatPL\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{made.parent}:{other.parent}")
    own, wrapped = (shlex.quote(str(path)) for path in (made, wrapper))
    for command in (own, wrapped, "no-such-program", ""):
        monkeypatch.setattr(sys, "argv", ["pwdata", command])
        assert pwdata.main() == 0


def whole_program(folder: Path, version: str) -> Path:
    """The stand-in for MatPL in a Python with this pwdata: a new one ends its kpu."""
    made = program(folder, version)
    dies = f"export {NEW_PWDATA}=1" if version == "0.5.10" else ":"
    (folder / "python").write_text(
        f'#!/bin/bash\n[ "$1" = -c ] && {{ echo {version}; exit; }}\n'
        f"export PYTHONPATH={shlex.quote(str(ROOT))}\n{dies}\nshift\n"
        f'exec {shlex.quote(sys.executable)} -m tests.stubs.matpl "$@"\n'
    )
    return made


def test_it_is_looked_for_before_the_training(tmp_path: Path) -> None:
    """Only where the uncertainty is asked of MatPL; the verdict says what to install."""
    train = {**dp(optimizer={"epochs": 1}), "atom_type": ("Cu",)}
    assert "matpl.pwdata" not in trainer(train).command()
    made = trainer(train, strategy=KPU)
    write_frames(tmp_path / "train.xyz", [copper(1)], "extxyz")
    data = TrainingData((tmp_path / "train.xyz",), (), "extxyz")
    for version in ("0.5.10", "0.4.7"):
        folder = tmp_path / version
        whole_program(folder, version)
        made.write_input(folder, data, 1, None)
        environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
        words = ["bash", "-c", made.command()]
        subprocess.run(words, cwd=folder, env=environment, check=False)
    assert not (tmp_path / "0.5.10/model_record").exists()
    assert "install pwdata 0.4.7 in MatPL's Python" in made.check(tmp_path / "0.5.10").reason
    assert made.check(tmp_path / "0.4.7").done
