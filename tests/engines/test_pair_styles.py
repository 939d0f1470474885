"""MD by LAMMPS with models that run in ASE otherwise: the pair style that the input names."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pwact.config.exploration import ExploreConfig
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines import explorer_for, trainer_for
from pwact.engines.ase.explorer import AseExplorer
from pwact.engines.explorers import Condition
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.lammps.styles import pair_style_trial
from pwact.engines.network import task
from pwact.engines.trainers import TrainedModel, TrainingData
from pwact.errors import InputError, TaskError
from pwact.executors.once import run_once
from pwact.fingerprint import differences
from pwact.formats.frames import write_frames
from tests.engines.network_helpers import config
from tests.engines.test_deepmd import copper
from tests.requirements import need_program

LMP = ResourceBlock(name="explore", command="lmp -in in.lammps", file=Path("resource.json"))
STYLES = {"torchnep": "nep", "sevennet": "e3gnn", "mace": "mace"}
LAMMPS_WITH_A_PLUGIN = """#!/bin/sh
case " $* " in
*" -h "*) printf '* Pair styles:\\n\\nadp             zero\\n\\n* Bond styles:\\n' ;;
*" -in in.styles "*)
    [ "$(cat in.styles)" = "info styles pair" ] || exit 1
    echo "Loaded 1 plugins from /opt/plugins"
    printf 'Info-Info-Info\\nStyles information:\\n\\nPair styles:\\n\\n'
    printf 'adp             adp/omp         nep/cpu         zero\\n\\n\\nInfo-Info-Info\\n' ;;
esac
"""
LOADED = {"torchnep": "nep.txt", "sevennet": "deployed_serial.pt", "mace": "mace.model-lammps.pt"}


def asked(engine: str, style: str = "", **changes: Any) -> RunConfig:
    made = config(engine, **changes)
    return replace(made, explore=ExploreConfig(pair_style=style or STYLES.get(engine)))


def trainer(engine: str, **changes: Any) -> Any:
    return trainer_for(asked(engine, **changes), ResourceBlock(command="python"), LMP)


@pytest.mark.parametrize(
    ("engine", "style", "allowed"),
    [
        ("sevennet", "mace", "e3gnn"),
        ("torchnep", "nepp", "nep, nep/cpu"),
        ("pod", "pod", "none, for"),
    ],
)
def test_another_pair_style_is_refused(engine: str, style: str, allowed: str) -> None:
    with pytest.raises(InputError, match=f"explore.pair_style: found {style}; .*: {allowed}"):
        explorer_for(asked(engine, style), LMP)


@pytest.mark.parametrize("engine", STYLES)
def test_lammps_explores_where_it_is_named(engine: str) -> None:
    assert isinstance(explorer_for(asked(engine), LMP), LammpsExplorer)
    assert isinstance(explorer_for(config(engine), LMP), AseExplorer)


@pytest.mark.parametrize("engine", STYLES)
def test_each_member_has_pair_lines(engine: str, tmp_path: Path) -> None:
    made, name = trainer(engine), LOADED[engine]
    models = [
        TrainedModel(Path(), {"model": Path(f"m{n}"), "lammps": Path(f"l{n}")}) for n in range(2)
    ]
    potential = made.potential(models)
    directory = tmp_path / "md"
    directory.mkdir()
    motion = Condition(ensemble="nvt", nsteps=10, trj_freq=5, temp_k=300.0)
    LammpsExplorer(LMP).write_input(directory, copper(1), potential, motion, 1)
    lines = (directory / "in.lammps").read_text().splitlines()
    place = lines.index(f"pair_style {STYLES[engine]}")
    assert lines[place + 1] == f"pair_coeff * * 0_{name} Cu"
    assert (lines[0] == "atom_modify map yes") == (engine == "mace")
    assert f"1_{name}" in LammpsExplorer(LMP).command(potential)  # judges after the MD
    trial = LammpsExplorer(LMP).deliver(potential, {"Cu"}).command
    assert "-log none" not in trial  # e3gnn writes in the log, and crashes without one
    loaded = "m" if engine == "torchnep" else "l"
    for number in range(2):
        assert potential.links[f"{number}_{name}"] == Path(f"{loaded}{number}")
    assert potential.in_ase == made.calculator(f"0_{made.model}")
    assert potential.links[f"0_{made.model}"] == Path("m0")


@pytest.mark.parametrize("engine", ["sevennet", "mace"])
def test_a_training_leaves_what_lammps_loads(engine: str, tmp_path: Path) -> None:
    write_frames(tmp_path / "data.xyz", [copper(1)], "extxyz")
    data = TrainingData((tmp_path / "data.xyz",), (), "extxyz")
    made, plain = trainer(engine), trainer_for(config(engine), LMP, LMP)
    for name, one in (("for lammps", made), ("plain", plain)):
        (tmp_path / name).mkdir()
        one.write_input(tmp_path / name, data, 1, None)
    found = task.read_settings(tmp_path / "for lammps")
    assert found.for_lammps
    assert not task.read_settings(tmp_path / "plain").for_lammps
    assert LOADED[engine] in made.command()
    assert LOADED[engine] not in plain.command()
    (tmp_path / "for lammps" / made.model).write_text("weights")
    task.write_result(tmp_path / "for lammps", found.keys["epochs"], None)
    with pytest.raises(TaskError, match=LOADED[engine]):
        made.read_result(tmp_path / "for lammps")
    (tmp_path / "for lammps" / LOADED[engine]).write_text("script")
    assert made.read_result(tmp_path / "for lammps").files["lammps"].read_text() == "script"


@pytest.mark.parametrize("engine", STYLES)
def test_campaigns_that_were_begun_without_it_go_on(engine: str) -> None:
    plain = trainer_for(config(engine), LMP, LMP).fingerprint()
    before = json.loads(json.dumps(plain))
    before.pop("for_lammps")
    assert not list(differences(before, plain))
    assert bool(list(differences(plain, trainer(engine).fingerprint()))) == (engine != "torchnep")


def fault(style: str, command: str, folder: Path) -> str:
    """What stands against a pair style with the LAMMPS of this command."""
    made = pair_style_trial(asked("torchnep"), replace(LMP, command=command))
    assert made is not None
    made = replace(made, style=style)
    made.write_making(folder)
    ended = run_once([made.making_command(command)], folder, 60.0, {})
    try:
        made.read_making(folder, ended.printed)
    except InputError as error:
        return str(error)
    return ""


def test_a_lammps_without_the_pair_style_is_refused(tmp_path: Path) -> None:
    """By the real program; a suffix such as eam/alloy is a style of its own."""
    need_program("lmp")
    assert fault("pod", "lmp", tmp_path) == fault("eam/alloy", "lmp -in x", tmp_path) == ""
    for style in ("nep", "e3gnn", "mace", "nvt"):  # nvt: a fix
        said = fault(style, "lmp", tmp_path)
        assert said.startswith("run_param.json: explore.pair_style: the LAMMPS of explore.command")
        assert f"has no pair style {style}; build it with the interface of NEP_CPU" in said
    said = fault("nep", "echo no lammps #", tmp_path)
    assert "explore.command: LAMMPS does not list its pair styles by info styles pair (no" in said


def test_a_pair_style_of_a_plugin_is_found(tmp_path: Path) -> None:
    """As LAMMPS of July 2025 does it: ``-h`` ends before plugins are loaded, a run loads them."""
    program = tmp_path / "lmp"
    program.write_text(LAMMPS_WITH_A_PLUGIN)
    program.chmod(0o755)
    assert fault("nep/cpu", f"'{program}'", tmp_path) == ""
    assert "has no pair style nep;" in fault("nep", f"'{program}'", tmp_path)


def test_without_a_pair_style_lammps_is_not_asked() -> None:
    assert pair_style_trial(config("mace"), LMP) is None
