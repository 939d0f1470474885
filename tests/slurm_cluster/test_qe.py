"""Quantum ESPRESSO in jobs of a real SLURM, several tasks each: the bytes of a local run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.labels import labels_of
from tests.commands import pwact
from tests.engines.qe_inputs import MESH, PSEUDO, pw_input, silicon
from tests.requirements import need_program
from tests.slurm_cluster.test_examples import jobs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600, method="signal")]

LOCAL = {"command": "pw.x", "env_list": ["export OMP_NUM_THREADS=1"]}
SLURM = {**LOCAL, "number_node": 1, "cpu_per_node": 1, "group_size": 2}


def prepared(place: Path, block: dict[str, Any], **resource: Any) -> Path:
    """A relaxation and an AIMD of three structures, and their labels."""
    place.mkdir(parents=True)
    for name, calculation in (("relax", "relax"), ("aimd", "md"), ("scf", "scf")):
        control = f"pseudo_dir='{PSEUDO}'"
        text = pw_input(calculation, 2, control, species="Si 28.0855 Si.pz-vbc.UPF", cards=MESH)
        (place / f"{name}.in").write_text(text.replace("1d-9", "1d-6"))
    entries = []
    for number in range(3):
        atoms = silicon()
        atoms.positions[1, 0] += 0.02 * number
        atoms.write(place / f"{number}.vasp", format="vasp")
        entry = {"config": f"{number}.vasp", "format": "vasp/poscar"}
        entries.append({**entry, "relax": True, "perturb": 1, "aimd": True, "scf": True})
    param = {"seed": 1, "dft_style": "qe", "sys_configs": entries}
    param.update(relax_input="relax.in", aimd_input="aimd.in", scf_input="scf.in")
    (place / "param.json").write_text(json.dumps(param))
    (place / "resource.json").write_text(json.dumps({**resource, "DFT": block}))
    return place


def test_a_chain_and_labels(cluster: Any, tmp_path: Path) -> None:  # noqa: ARG001
    need_program("pw.x")
    local = prepared(tmp_path / "local", LOCAL, scheduler="local")
    queued = prepared(
        tmp_path / "in a queue", SLURM, scheduler="slurm", queue_name="cpu", poll_interval=0.4
    )
    for place in (local, queued):
        pwact(place, "init_bulk", "param.json", "resource.json")
    names = [path.relative_to(local).as_posix() for path in local.glob("collection/**/train.xyz")]
    assert names
    for name in names:
        assert (queued / name).read_bytes() == (local / name).read_bytes()
        assert all(labels_of(frame).virial is not None for frame in read_extxyz(queued / name))
    asked = jobs(queued)
    assert {job["scheduler"] for job in asked} == {"slurm"}
    kinds = ("relax", "aimd", "scf")
    sizes = {kind: [len(job["tasks"]) for job in asked if job["kind"] == kind] for kind in kinds}
    assert sizes["relax"] == sizes["aimd"] == [2, 1]
    assert max(sizes["scf"]) == 2

    write_extxyz(queued / "given.xyz", [silicon(), *read_extxyz(queued / names[0])])
    shown = pwact(queued, "label", "given.xyz", "param.json", "resource.json", "-o", "more")
    assert "label is done" in shown
    # what the chain has labelled is taken from there
    assert [len(job["tasks"]) for job in jobs(queued / "more")] == [1]
