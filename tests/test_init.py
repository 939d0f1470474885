"""`pwact init`: the input files of a new campaign, and the way from a CIF to a force field."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk, fcc111

from pwact.cli.main import main
from pwact.config.param import load_pair
from pwact.engines.qe.preset import Suggested, suggested
from pwact.formats.extxyz import read_extxyz
from pwact.formats.frames import write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.structures import read_structure
from pwact.registry.engines import TRAINERS
from pwact.registry.presets import FOLDER, LABEL_PRESETS, trainer_presets
from pwact.registry.schedulers import EXECUTORS
from pwact.tools.init.examples import examples
from pwact.workflow.checks.preflight import preflight
from tests.commands import ROOT, pwact
from tests.engines.qe_inputs import PSEUDO, head_only
from tests.requirements import need_program
from tests.stubs.potcars import write_dummy_potcar
from tests.stubs.pwmat import write_pseudo

DEMO = ["--train", "pod", "--label", "emt", "--scheduler", "local", "--temps", "300", "600"]
DEMO += ["--target", "0.03"]
WRITTEN = {"label.json", "Cu.super.xyz", "init_param.json", "run_param.json", "resource.json"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one CIF, which is the working directory."""
    place = tmp_path / "my copper"
    place.mkdir()
    bulk("Cu", cubic=True).write(place / "Cu.cif")
    monkeypatch.chdir(place)
    return place


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def read(place: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((place / name).read_text(encoding="utf-8"))
    return found


def checked(place: Path) -> list[str]:
    """What is said of both commands, which must be valid; the run has data as init_bulk makes."""
    data = place / read(place, "run_param.json")["init_data"][0]
    data.parent.mkdir(parents=True, exist_ok=True)
    frames = [bulk("Cu", cubic=True, a=3.6 + 0.01 * number) for number in range(5)]
    for frame in frames:
        set_labels(frame, -1.0, np.full((len(frame), 3), 0.1))
    write_frames(data, frames, "extxyz")
    said = []
    for param in ("init_param.json", "run_param.json"):
        pair = load_pair(Path(param), Path("resource.json"), place, strict=True)
        said += [*pair.warnings, *preflight(pair, strict=True)]
    return said


def test_what_it_writes_is_ready(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "Cu.cif", *DEMO]) == 0
    assert "pwact run run_param.json resource.json" in capsys.readouterr().out
    assert names(here) == WRITTEN | {"Cu.cif"}
    run = read(here, "run_param.json")
    assert run["train"]["atom_type"] == ["Cu"]
    assert run["strategy"]["target_force_error"] == 0.03
    assert [job["temps"] for job in run["explore"]["md_jobs"]] == [[300.0], [600.0]]
    assert len(read_structure(here / "Cu.super.xyz", "extxyz")) == 108
    assert read(here, "init_param.json")["sys_configs"][0]["super_cell"] == [3, 3, 3]
    assert checked(here) == []


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "resource.json").write_text("mine")
    assert main(["init", "Cu.cif", *DEMO]) == 2
    assert "resource.json: is there already, and is not overwritten" in capsys.readouterr().err
    assert names(here) == {"Cu.cif", "resource.json"}
    assert (here / "resource.json").read_text() == "mine"


def test_what_is_missing_stands_in_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115
    assert main(["init", "Cu.cif", "--train", "pod", "--temps", "300"]) == 2
    said = capsys.readouterr().err
    assert "missing: --label, --scheduler, --target" in said
    assert said.count("\n") == 1
    assert main(["init", "Cu.cif", *DEMO, "--scheduler", "slurm"]) == 2
    assert "missing: --queue, which slurm needs" in capsys.readouterr().err
    assert names(here) == {"Cu.cif"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Ag.cif", *DEMO], "there is no such file"),
        (["Cu.cif", *DEMO, "--label", "dftb+"], "for others copy an example"),
        (["Cu.cif", *DEMO, "--label", "ase"], "expected emt or gpaw"),
        (["Cu.cif", *DEMO, "--train", "nep"], "found 'nep'; expected matpl, deepmd,"),
        (["Cu.cif", *DEMO, "--target", "0"], "expected a number above 0"),
        (["Si.cif", *DEMO], "--label: EMT does not know Si"),
        (["Cu.cif", "./Cu.cif", *DEMO], "two structures would become Cu.super.xyz"),
        (["Cu.cif", *DEMO, "--label", "qe"], "--pseudo: the cutoffs come from your UPF files"),
        (["Cu.cif", *DEMO, "--label", "vasp", "--pseudo", "no"], "--pseudo: there is no file no"),
        (["Cu.cif", *DEMO, "--label", "cp2k", "--data", "."], "--data: BASIS_MOLOPT"),
        (["Cu.cif", *DEMO, "--cutoff", "40"], "--cutoff: this option means nothing to the preset"),
        (["Cu.cif", "--example", "al_qe"], "leave out STRUCTURE"),
        (["--example", "quick"], "there is no example 'quick'; examples: al_qe"),
    ],
)
def test_a_refusal_writes_nothing(
    here: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bulk("Si", cubic=True).write(here / "Si.cif")
    assert main(["init", *words]) == 2
    assert said in capsys.readouterr().err
    assert names(here) == {"Cu.cif", "Si.cif"}


def test_it_asks_at_a_terminal(here: Path) -> None:
    """A wrong answer is asked for again, and an empty line takes the default."""
    ours, theirs = pty.openpty()
    words = [sys.executable, str(ROOT / "bin" / "pwact"), "init"]
    os.write(ours, b"Cu.cif\nvaps\nemt\npod\n\n300 600\n0.03\n")
    done = subprocess.run(
        words, cwd=here, stdin=theirs, capture_output=True, text=True, check=False
    )
    os.close(theirs)
    os.close(ours)
    assert done.returncode == 0, done.stderr
    assert "jobs run by (slurm, local, pbs, torque, lsf, sge) [local]: " in done.stderr
    assert "found 'vaps'; expected emt" in done.stderr
    assert names(here) == WRITTEN | {"Cu.cif"}
    assert read(here, "resource.json")["scheduler"] == "local"


def test_a_large_cell_is_explored_as_it_is(here: Path) -> None:
    bulk("CuH", "rocksalt", a=5.1, cubic=True).repeat(2).write(here / "large.vasp")
    assert main(["init", "large.vasp", *DEMO]) == 0
    run = read(here, "run_param.json")
    assert run["explore"]["sys_configs"] == [{"config": "large.vasp", "format": "vasp/poscar"}]
    assert run["explore"]["md_jobs"][0]["md_dt"] == 0.001  # with hydrogen
    assert run["train"]["atom_type"] == ["H", "Cu"]


def test_a_structure_that_is_open_along_an_axis(here: Path) -> None:
    """It is not repeated there, and its MD has no barostat."""
    slab = fcc111("Cu", (1, 1, 3), vacuum=2.0)
    slab.info.clear()
    slab.pbc = (True, True, False)
    slab.write(here / "slab.xyz")
    assert main(["init", "slab.xyz", *DEMO, "--length", "9"]) == 0
    (entry,) = read(here, "init_param.json")["sys_configs"]
    assert entry["super_cell"] == [5, 5, 1]
    assert {job["ensemble"] for job in read(here, "run_param.json")["explore"]["md_jobs"]} == {
        "nvt"
    }


def test_every_trainer_has_a_beginning(here: Path) -> None:
    assert {path.stem for path in (FOLDER / "trainers").iterdir()} == set(TRAINERS)
    for trainer in trainer_presets():
        assert main(["init", "Cu.cif", *DEMO, "--train", trainer, "--length", "12"]) == 0
        assert checked(here) == []
        for name in WRITTEN:
            (here / name).unlink()


@pytest.mark.parametrize("scheduler", EXECUTORS)
def test_every_scheduler_has_a_beginning(here: Path, scheduler: str) -> None:
    queue = ["--queue", "cpu"] if EXECUTORS[scheduler].needs_queue else []
    assert main(["init", "Cu.cif", *DEMO, "--scheduler", scheduler, *queue]) == 0
    assert read(here, "resource.json")["scheduler"] == scheduler
    assert checked(here) == []


def supplied(label: str, place: Path) -> list[str]:
    """What a user must bring for a label preset: files in `place`, and options."""
    if label == "vasp":
        write_dummy_potcar(place / "POTCAR.Cu", "Cu")
    elif label == "pwmat":
        write_pseudo(place, "Cu")
    elif label == "qe":
        head_only(place, "Cu")
        return ["--pseudo", "Cu.UPF", "--cutoff", "50"]
    elif label == "cp2k":
        (place / "BASIS_MOLOPT").write_text("Cu DZVP-MOLOPT-SR-GTH DZVP-MOLOPT-SR-GTH-q11\n")
        (place / "GTH_POTENTIALS").write_text("Cu GTH-PBE-q11 GTH-PBE\n")
        return ["--data", "."]
    return []


@pytest.mark.parametrize("label", [name for name in LABEL_PRESETS if name != "gpaw"])
def test_our_own_labelers_take_every_preset(
    here: Path, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = supplied(label, here)
    assert main(["init", "Cu.cif", *DEMO, "--label", label, *more]) == 0
    assert "bring these files" not in capsys.readouterr().out
    preset = LABEL_PRESETS[label]
    for name in preset.inputs.values():
        head = (here / name).read_text()[:400]
        assert preset.title in head
        assert preset.date in head
    assert checked(here) == []


@pytest.mark.parametrize(("label", "file"), [("vasp", "POTCAR.Cu"), ("pwmat", "Cu.SG15.PBE.UPF")])
def test_what_the_user_must_bring_is_named(
    here: Path, label: str, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "Cu.cif", *DEMO, "--label", label]) == 0
    assert f"  {file}: " in capsys.readouterr().out
    assert main(["check", "init_param.json", "resource.json"]) == 2
    assert f"pseudo[0]: there is no file {here / file}" in capsys.readouterr().err


def test_the_program_of_several_processes(here: Path) -> None:
    words = ["--label", "vasp", "--scheduler", "slurm", "--queue", "long", "--cpus", "16"]
    assert main(["init", "Cu.cif", *DEMO, *words]) == 0
    block = read(here, "resource.json")
    assert block["queue_name"] == "long"
    assert block["DFT"]["command"] == "mpirun -np 16 vasp_std"
    assert block["DFT"]["cpu_per_node"] == 16


UPF = """<UPF version="2.0.1">
<PP_HEADER element="Cu" pseudo_type="{kind}" z_valence="11"
 wfc_cutoff="{waves}" rho_cutoff="{rho}"/>
"""
OLD_UPF = "<PP_HEADER>\n  Cu   Element\n   US   Ultrasoft pseudopotential\n"
OLD_UPF += "   27.0  216.0   Suggested Cutoff for wfc and rho\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (UPF.format(kind="NC", waves="4.0E+001", rho="1.6D+002"), Suggested(40, 160, 4)),
        (UPF.format(kind="PAW", waves="47.2", rho="188.9"), Suggested(47.2, 188.9, 8)),
        (UPF.format(kind="USPP", waves="0.0", rho="0"), Suggested(0, 0, 8)),
        (OLD_UPF, Suggested(27, 216, 8)),
        ("", Suggested(0, 0, 4)),
    ],
)
def test_what_a_pseudopotential_suggests(tmp_path: Path, text: str, found: Suggested) -> None:
    (tmp_path / "Cu.UPF").write_text(text)
    assert suggested(tmp_path / "Cu.UPF") == found


def test_the_cutoff_is_the_largest_that_is_suggested(here: Path) -> None:
    (here / "Cu.UPF").write_text(UPF.format(kind="PAW", waves="47.2", rho="188.9"))
    assert main(["init", "Cu.cif", *DEMO, "--label", "qe", "--pseudo", "Cu.UPF"]) == 0
    text = (here / "scf.in").read_text()
    assert "ecutwfc = 48\n  ecutrho = 378\n" in text  # 8 x 47.2
    assert "the largest suggested in Cu.UPF" in text


def test_copies_of_the_examples(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(examples()) == {path.name for path in (ROOT / "examples").iterdir()}
    assert main(["init", "--example", "al_qe"]) == 0
    assert names(here / "al_qe") == names(ROOT / "examples" / "al_qe")
    assert main(["init", "--example", "al_qe"]) == 2
    assert "is there already, and is not overwritten" in capsys.readouterr().err


@pytest.mark.slow
def test_from_a_cif_to_a_force_field(here: Path) -> None:
    """The path of a new user, with nothing to edit: each command once."""
    need_program("lmp")
    words = "init Cu.cif --train pod --label emt --scheduler local --temps 300 --target 0.05"
    pwact(here, *words.split(), "--length", "7")
    pwact(here, "check", "init_param.json", "resource.json")
    pwact(here, "init_bulk", "init_param.json", "resource.json")
    pwact(here, "check", "run_param.json", "resource.json")
    shown = pwact(here, "run", "run_param.json", "resource.json")
    assert "target of 0.05 eV/Å reached in all conditions" in shown
    assert list(here.glob("iter.*/00.train/train.000/*"))


REAL = {"qe": ("pw.x", "Al", ["--cutoff", "12"]), "cp2k": ("cp2k.psmp", "Si", [])}


@pytest.mark.slow
@pytest.mark.parametrize("label", REAL)
def test_a_preset_with_the_real_program(tmp_path: Path, label: str) -> None:
    """AIMD of one or two atoms with few k-points and steps; pw.x relaxes the cell first."""
    program, element, more = REAL[label]
    need_program(program)
    bulk(element).write(tmp_path / "my.cif")
    more = [*more, "--pseudo", str(PSEUDO / "Al.pz-vbc.UPF")] if label == "qe" else more
    words = f"init my.cif --train pod --label {label} --scheduler local --temps 300 --target 0.05"
    pwact(tmp_path, *words.split(), "--length", "2", *more)
    sparse = {
        '"relax": true': f'"relax": {str(label == "qe").lower()}',
        "0.2": "0.9",
        "0.3": "0.9",
        "[0.98, 1.0, 1.02]": "1.0",
        '"perturb": 1': '"perturb": 0',
    }
    few = {"nstep = 20": "nstep = 2", "STEPS 20": "STEPS 1", "CUTOFF 600": "CUTOFF 120"}
    few.update({"EPS_SCF 1.0E-7": "EPS_SCF 1.0E-4", "EPS_DEFAULT 1.0E-12": "EPS_DEFAULT 1.0E-8"})
    for name, changes in (("init_param.json", sparse), ("aimd.in", few), ("aimd.inp", few)):
        if (tmp_path / name).exists():
            text = (tmp_path / name).read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            (tmp_path / name).write_text(text)
    pwact(tmp_path, "init_bulk", "init_param.json", "resource.json")
    frames = read_extxyz(tmp_path / "collection" / "init_config_0" / "train.xyz")
    assert len(frames) >= 2
    assert all(labels_of(frame).virial is not None for frame in frames)
