"""init_bulk and the label stage with PWmat, jobs run on this machine by a strict stand-in."""

from __future__ import annotations

import csv
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pwact import engines
from pwact.errors import InputError
from pwact.formats.frames import read_frames
from pwact.formats.labels import labels_of
from pwact.formats.structures import read_structure
from pwact.workflow.active_learning import run_active_learning
from pwact.workflow.campaign import open_campaign
from pwact.workflow.checks.preflight import preflight
from pwact.workflow.init_bulk.campaign import run_init_bulk
from tests.engines.pwmat_helpers import COMMAND, CONTROLS, Purpose
from tests.stubs import pwmat as stub
from tests.workflow.pairs import LOCAL, deep_update, init_param, load, run_param, write_files

RELAX, AIMD, SCF = (CONTROLS[purpose] for purpose in Purpose)
RESOURCE = {
    "train": {**LOCAL, "command": "lmp"},
    "explore": {**LOCAL, "command": "lmp"},
    "DFT": {"scheduler": "local", "command": COMMAND, "group_size": -1, "cpu_per_node": 1},
}


def write_site(work_dir: Path, scf: str = SCF) -> None:
    write_files(work_dir, {"calculator": "emt"})
    for name, text in (("relax", RELAX), ("aimd", AIMD), ("scf", scf)):
        (work_dir / f"{name}.etot.input").write_text(text)
    for symbol in ("Ag", "Au"):
        stub.write_pseudo(work_dir, symbol)


def init(work_dir: Path, **changes: Any) -> Any:
    param = {
        **init_param(),
        "dft_style": "pwmat",
        "pseudo": ["Au.SG15.PBE.UPF", "Ag.SG15.PBE.UPF"],
        "relax_input": {"input": "relax.etot.input", "kspacing": 0.8},
        "aimd_input": {"input": "aimd.etot.input"},
    }
    return load(work_dir, deep_update(param, changes), RESOURCE)


def assert_labels_of_emt(path: Path, count: int) -> None:
    frames = read_frames(path, "extxyz")
    assert len(frames) == count
    for frame in frames:
        labels, again = labels_of(frame), frame.copy()
        again.calc = stub.EMT()
        wanted = labels_of(again)
        assert labels.energy == pytest.approx(wanted.energy, abs=1e-5)
        np.testing.assert_allclose(labels.forces, wanted.forces, atol=1e-5)
        assert labels.virial is not None
        np.testing.assert_allclose(labels.virial, wanted.virial, atol=1e-4)
    assert max(np.abs(labels_of(frame).forces).max() for frame in frames) > 0.1


def test_init_bulk_from_relaxation_to_collection(tmp_path: Path) -> None:
    work_dir = tmp_path / "it's $HOME"
    work_dir.mkdir()
    write_site(work_dir)
    pair = init(
        work_dir,
        **{"sys_configs.0.scale": [0.97], "sys_configs.1.aimd": False, "reserve_work": True},
    )
    preflight(pair)
    with open_campaign(work_dir, "init_bulk", 7) as campaign:
        result = run_init_bulk(pair.config, pair.resources, campaign)
    folder = result.collection / "init_config_0"
    assert result.data_sets == [folder / "train.xyz"]
    assert_labels_of_emt(folder / "train.xyz", 2 * 4)
    relaxed = read_structure(folder / "relaxed.config", "pwmat/config")
    relaxed.calc = stub.EMT()
    assert np.abs(relaxed.get_stress()).max() < 1e-3
    for name in ("super_cell", "0.97_scale", "0.97_scale_pertub/1_pertub"):
        found = read_structure(folder / f"{name}.config", "pwmat/config")
        assert found.get_chemical_formula() == "Ag4Au4"
    temp = work_dir / "temp_init_bulk_work"
    control = (temp / "aimd/init_config_0/0.97_scale/1_aimd/etot.input").read_text()
    assert "MP_N123 = 2 3 3 0 0 0 3\n" in control  # AIMD: symmetry flag 3, spacing 0.5
    assert "MP_N123 = 2 2 2 0 0 0 0\n" in (temp / "relax/init_config_0/etot.input").read_text()


def test_the_label_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates of toy trajectories; of three structures one does not converge."""
    monkeypatch.setitem(engines.TRAINERS, "pod", "tests.workflow.toys:ToyTrainer")
    monkeypatch.setitem(engines.EXPLORERS, "lammps", "tests.workflow.toys:ToyExplorer")
    play_toys(monkeypatch)
    write_site(tmp_path, SCF + "# stub: hard 3\n")
    changes = {
        "DFT": {
            "dft_style": "PWmat",
            "input": "scf.etot.input",
            "pseudo": ["Au.SG15.PBE.UPF", "Ag.SG15.PBE.UPF"],
        },
        "explore.md_jobs.0.select_sys": [5],
    }
    param = deep_update(run_param(), changes)
    param["explore"]["md_jobs"] = param["explore"]["md_jobs"][:1]
    pair = load(tmp_path, param, RESOURCE)
    preflight(pair)
    with open_campaign(tmp_path, "run", 7) as campaign:
        result = run_active_learning(pair.config, pair.resources, campaign)
    label = result.rows[0].label
    assert label.labelled > 0
    assert label.failed > 0
    assert_labels_of_emt(result.data_sets[0], label.labelled)
    listed = (tmp_path / "iter_result.txt").read_text()
    assert f"non-converged files: {label.failed}" in listed
    table = tmp_path / "iter.0000/02.label/result/label_error.csv"
    with table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        task = (
            tmp_path
            / "iter.0000/02.label/scf"
            / Path(row["file_path"]).relative_to("iter.0000/01.explore/md")
        )
        step = int(row["config_index"])
        left = sorted(path.name for path in (task / f"{step}-scf").iterdir())
        assert left == sorted(["OUT.MLMD", "REPORT", "etot.input", f"{step}atom.config"])


def play_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make shell commands of the toys, which else are run by a toy executor."""
    from tests.workflow import toys  # noqa: PLC0415

    root = Path(__file__).parents[2]
    for engine, word in ((toys.ToyTrainer, "toy-train"), (toys.ToyExplorer, "toy-md")):
        code = (
            f"from pathlib import Path; from tests.workflow import toys; toys.RUN[{word!r}](Path())"
        )
        words = shlex.join([sys.executable, "-c", code])
        text = f"PYTHONPATH={shlex.quote(str(root))} {words}"
        monkeypatch.setattr(engine, "command", lambda *_, text=text: text)


@pytest.mark.parametrize(
    ("changes", "file", "key"),
    [
        ({"pseudo": ["Au.SG15.PBE.UPF"]}, "param.json", "pseudo"),
        ({"relax_input": "scf.etot.input"}, "scf.etot.input", "JOB"),
        ({"aimd_input": ["relax.etot.input"]}, "relax.etot.input", "JOB"),
        ({"dft_style": "DFTB"}, "relax.etot.input", "USE_DFTB"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, changes: dict[str, Any], file: str, key: str
) -> None:
    write_site(tmp_path)
    pair = init(tmp_path, **changes)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError) as caught:
        preflight(pair)
    assert (caught.value.file, caught.value.key) == (tmp_path / file, key)
    assert sorted(tmp_path.rglob("*")) == before


def test_only_inputs_that_are_used_need_their_files(tmp_path: Path) -> None:
    """Each control file says for itself whether it is DFTB, and whether that reads files."""
    write_site(tmp_path)
    for name, more in (("charges", "DFTB_DETAIL = 3\n"), ("tables", "")):
        (tmp_path / name).write_text(AIMD + "USE_DFTB = T\n" + more)
    changes: dict[str, Any] = {"aimd_input": ["charges", "tables"], "in_skf": "absent"}
    preflight(init(tmp_path, **changes))
    with pytest.raises(InputError, match="absent does not exist") as caught:
        preflight(init(tmp_path, **changes, **{"sys_configs.1.aimd_input_idx": 1}))
    assert caught.value.key == "in_skf"
