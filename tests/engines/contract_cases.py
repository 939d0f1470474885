"""A finished task of every engine, for the contract that all of them keep.

Each case writes the inputs of a task, has them worked on by the real program where that is cheap,
else by a stand-in, and says how the engine judges the directory. A new engine needs a case here.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Optional

from ase import Atoms
from ase.build import bulk

from pwact.engines.explorers import Condition, Explorer
from pwact.engines.labelers import Purpose
from pwact.engines.lammps.explorer import LammpsExplorer
from pwact.engines.potential import Potential
from pwact.engines.trainers import Trainer, TrainingData
from pwact.formats.cp2k_input import cell_vectors, read_input
from pwact.formats.frames import write_frames
from pwact.verdict import Verdict
from tests.engines import (
    abacus_helpers,
    cp2k_inputs,
    dftbplus_helpers,
    network_helpers,
    pod_helpers,
    pwmat_helpers,
    qe_inputs,
    test_ase,
    test_ase_md,
    test_deepmd,
    test_deepmd_pytorch,
    test_dpa,
    test_matpl,
    test_pod_kpu,
    torchnep_helpers,
    vasp_helpers,
)
from tests.engines.contract_evaluators import EVALUATORS
from tests.engines.contract_scripts import SCRIPTS
from tests.engines.contract_task import Case, Finished, label, names_in, run
from tests.engines.test_deepmd import copper
from tests.workflow.matpl_campaign import write_program

RECORDED_MD = Path(__file__).parents[1] / "formats" / "cp2k_md"
RECORDED_QE = Path(__file__).parents[1] / "data" / "qe"
RECORDED = Path(__file__).parents[1] / "data"
RECORDED_CP2K = RECORDED / "cp2k"


# trainers


def train(
    directory: Path, made: Trainer, data: TrainingData, start: Optional[Path] = None, **env: str
) -> Finished:
    directory.mkdir(parents=True)
    made.write_input(directory, data, 1, start)
    inputs = names_in(directory)
    run(directory, made.command(), **env)
    return Finished(directory, made.check, inputs, made.read_result)


def copper_data(folder: Path) -> TrainingData:
    """Training and validation frames, the latter of one composition."""
    folder.mkdir(parents=True)
    write_frames(folder / "train.xyz", [copper(seed) for seed in range(4)], "extxyz")
    write_frames(folder / "valid.xyz", [copper(10), copper(11, (2, 1, 1))], "extxyz")
    return TrainingData((folder / "train.xyz",), (folder / "valid.xyz",), "extxyz")


def pod(folder: Path) -> Finished:
    frames = [pod_helpers.labelled(pod_helpers.alloy(seed)) for seed in range(6)]
    data = pod_helpers.data_set(folder / "data", frames[:4], frames[4:])
    return train(folder / "task", pod_helpers.trainer(), data)


def pod_alone(folder: Path) -> Finished:
    frames = [pod_helpers.labelled(pod_helpers.alloy(seed)) for seed in range(6)]
    data = pod_helpers.data_set(folder / "data", frames[:4], frames[4:])
    return train(folder / "task", test_pod_kpu.kpu_trainer(), data)


def deepmd(folder: Path) -> Finished:
    program = folder / "dp"
    folder.mkdir(exist_ok=True)
    program.write_text(test_deepmd.PRETENDED)
    program.chmod(0o755)
    made = test_deepmd.trainer(command=f"{shlex.quote(str(program))} --tf")
    return train(folder / "task", made, copper_data(folder / "data"))


def deepmd_pytorch(folder: Path) -> Finished:
    program = folder / "python"
    folder.mkdir(exist_ok=True)
    program.write_text(test_deepmd_pytorch.PRETENDED)
    program.chmod(0o755)
    made = test_deepmd_pytorch.trainer(shlex.quote(str(program)))
    return train(folder / "task", made, copper_data(folder / "data"))


def dpa(folder: Path) -> Finished:
    """As the worker and DeePMD-kit have left it."""
    folder.mkdir(exist_ok=True)
    made = test_dpa.trainer(test_dpa.pretended(folder))
    return train(folder / "task", made, copper_data(folder / "data"))


def network(engine: str) -> Callable[[Path], Finished]:
    """As the worker has left it in the Python of its library."""

    def make(folder: Path) -> Finished:
        python = network_helpers.stand_in(folder, RECORDED / engine)
        made = network_helpers.trainer(engine, shlex.quote(str(python)))
        return train(folder / "task", made, copper_data(folder / "data"))

    return make


def torchnep(folder: Path) -> Finished:
    """As TorchNEP itself has left it."""
    made = torchnep_helpers.trainer(command=torchnep_helpers.pretended(folder))
    return train(folder / "task", made, copper_data(folder / "data"))


def torchnep_graded(folder: Path) -> Finished:
    """The same, with the active set of its model."""
    python, graded = torchnep_helpers.pretended(folder), torchnep_helpers.GRADED
    made = torchnep_helpers.trainer(command=python, strategy=graded)
    return train(folder / "task", made, copper_data(folder / "data"))


def matpl(settings: Mapping[str, Any], compress: bool = False) -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        folder.mkdir(exist_ok=True)
        write_program(folder / "MatPL", "tests.stubs.matpl")
        data = copper_data(folder / "data")
        strategy = replace(test_matpl.StrategyConfig(), compress=compress)
        made = test_matpl.trainer(
            {**settings, "atom_type": ("Cu",)}, strategy=strategy, valid_data=data.valid
        )
        path = f"{folder}:{os.environ['PATH']}"
        return train(folder / "task", made, data, PATH=path)

    return make


# explorers


def explore(
    directory: Path,
    explorer: Explorer,
    atoms: Atoms,
    potential: Potential,
    motion: Condition,
) -> Finished:
    directory.mkdir(parents=True)
    explorer.write_input(directory, atoms, potential, motion, 7)
    inputs = names_in(directory)
    run(directory, explorer.command(potential))

    def check(place: Path) -> Verdict:
        return explorer.check(place, False, motion, potential)

    return Finished(directory, check, inputs, explorer.read_result)


def lammps(folder: Path) -> Finished:
    """A committee of POD, whose deviations come after the MD."""
    frames = [pod_helpers.labelled(pod_helpers.alloy(seed)) for seed in range(5)]
    data = pod_helpers.data_set(folder / "data", frames, [])
    made = pod_helpers.trainer()
    models = [pod_helpers.fit(made, folder / f"train.{seed}", data, seed) for seed in (1, 2)]
    return explore(
        folder / "task",
        LammpsExplorer(pod_helpers.BLOCK),
        pod_helpers.alloy(9, rattle=0.02),
        made.potential(models),
        pod_helpers.SHORT,
    )


def lammps_alone(folder: Path) -> Finished:
    """A pair potential, which has no deviation."""
    potential = Potential(
        types=("Cu",),
        links={},
        pair_lines=("pair_style lj/cut 6.0", "pair_coeff * * 0.4 2.3"),
        deviates=False,
    )
    atoms = bulk("Cu", cubic=True, a=3.7).repeat(2)
    explorer = LammpsExplorer(pod_helpers.BLOCK)
    return explore(folder / "task", explorer, atoms, potential, pod_helpers.SHORT)


def ase_md(folder: Path) -> Finished:
    motion = replace(test_ase_md.NVE, nsteps=20, trj_freq=5)
    atoms = test_ase_md.tilted()
    explorer = test_ase_md.EXPLORER
    return explore(folder / "task", explorer, atoms, test_ase_md.POTENTIAL, motion)


# labelers


def ase(purpose: Purpose) -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        made, task = test_ase.prepared(folder, test_ase.EMT_SETTINGS, purpose)
        inputs = names_in(task)
        run(task, made.command(purpose))
        return label(made, task, purpose, inputs)

    return make


def vasp(purpose: Purpose) -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        made, task = vasp_helpers.prepared(folder, purpose)
        inputs = names_in(task)
        run(task, made.command(purpose))
        return label(made, task, purpose, inputs)

    return make


def abacus(purpose: Purpose) -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        made, task = abacus_helpers.prepared(folder, purpose)
        inputs = names_in(task)
        run(task, made.command(purpose))
        return label(made, task, purpose, inputs)

    return make


def pwmat(purpose: Purpose, style: str = "pwmat", more: str = "") -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        made = pwmat_helpers.labeler(folder, pwmat_helpers.CONTROLS[purpose] + more, style)
        task = pwmat_helpers.prepared(made, folder / "task", purpose, pwmat_helpers.alloy())
        inputs = names_in(task)
        run(task, made.command(purpose))
        return label(made, task, purpose, inputs)

    return make


def dftbplus(purpose: Purpose) -> Callable[[Path], Finished]:
    def make(folder: Path) -> Finished:
        made, task = dftbplus_helpers.prepared(folder, purpose)
        inputs = names_in(task)
        run(task, made.command(purpose))
        return label(made, task, purpose, inputs)

    return make


def cp2k(text: str, atoms: Callable[[], Atoms], purpose: Purpose, recorded: Sequence[Path]) -> Any:
    """As CP2K itself has left it."""

    def make(folder: Path) -> Finished:
        made = cp2k_inputs.labeler(folder, text)
        task = folder / "task"
        task.mkdir()
        made.write_input(task, atoms(), purpose, 7)
        inputs = names_in(task)
        for path in recorded:
            shutil.copyfile(path, task / path.name)
        return label(made, task, purpose, inputs)

    return make


def qe(name: str, purpose: Purpose) -> Callable[[Path], Finished]:
    """As pw.x itself has left it."""

    def make(folder: Path) -> Finished:
        made = qe_inputs.labeler(folder, qe_inputs.pw_input())
        task = folder / "task"
        task.mkdir()
        for path in sorted((RECORDED_QE / name).iterdir()):
            shutil.copyfile(path, task / path.name)
        return label(made, task, purpose, frozenset({"pw.in"}))

    return make


def hydride() -> Atoms:
    """The structure of the recorded single point."""
    root = read_input(RECORDED_CP2K / "scf" / "cp2k.inp")
    coord = root.section("FORCE_EVAL", "SUBSYS", "COORD")
    assert coord is not None
    rows = [line.render().split() for line in coord.items]
    positions = [[float(word) for word in row[1:]] for row in rows]
    return Atoms([row[0] for row in rows], positions, cell=cell_vectors(root), pbc=True)


def displaced() -> Atoms:
    """Where the recorded optimization begins."""
    atoms = bulk("Si", a=5.43)
    atoms.rattle(0.05, seed=1)
    return atoms


CP2K = {
    Purpose.SCF: cp2k(
        (RECORDED_CP2K / "scf" / "cp2k.inp").read_text(),
        hydride,
        Purpose.SCF,
        [RECORDED_CP2K / "scf" / "dft.log"],
    ),
    Purpose.AIMD: cp2k(
        cp2k_inputs.cp2k_input("MD", motion=cp2k_inputs.MD),
        lambda: bulk("Si", a=5.43),
        Purpose.AIMD,
        sorted(RECORDED_MD.iterdir()),
    ),
    Purpose.RELAX: cp2k(
        cp2k_inputs.cp2k_input("GEO_OPT"),
        displaced,
        Purpose.RELAX,
        sorted((RECORDED_CP2K / "relax").iterdir()),
    ),
}

DFTB = "USE_DFTB = T\nDFTB_DETAIL = 3\n"
TRAINING = {"optimizer": {"epochs": 3}}
CASES: dict[str, Case] = {
    "pod": Case("trainer pod", pod, proof="train.ended"),
    "pod alone": Case("trainer pod", pod_alone, proof="train.ended"),
    "deepmd": Case("trainer deepmd", deepmd, proof="train.ended"),
    "deepmd-pytorch": Case("trainer deepmd-pytorch", deepmd_pytorch, proof="train.ended"),
    "dpa": Case("trainer dpa", dpa, proof="train.ended"),
    "matpl DP": Case("trainer matpl", matpl(test_matpl.dp(**TRAINING)), proof="train.ended"),
    "matpl DP compressed": Case(
        "trainer matpl", matpl(test_matpl.dp(**TRAINING), True), proof="train.ended"
    ),
    "matpl NEP": Case("trainer matpl", matpl(test_matpl.nep(**TRAINING)), proof="train.ended"),
    "sevennet": Case("trainer sevennet", network("sevennet"), proof="train.ended"),
    "torchnep": Case("trainer torchnep", torchnep, proof="train.ended"),
    "torchnep graded": Case("trainer torchnep", torchnep_graded, proof="train.ended"),
    "mace": Case("trainer mace", network("mace"), proof="train.ended"),
    "lammps committee": Case("explorer lammps", lammps),
    "lammps alone": Case("explorer lammps", lammps_alone),
    "ase md": Case("explorer ase", ase_md),
    **{f"ase {one.value}": Case("labeler ase", ase(one)) for one in Purpose},
    **{f"abacus {one.value}": Case("labeler abacus", abacus(one)) for one in Purpose},
    **{f"vasp {one.value}": Case("labeler vasp", vasp(one)) for one in Purpose},
    **{
        f"pwmat {one.value}": Case("labeler pwmat", pwmat(one), open_ended=one is Purpose.AIMD)
        for one in Purpose
    },
    "dftb": Case("labeler dftb", pwmat(Purpose.SCF, "dftb", DFTB)),
    **{f"dftb+ {one.value}": Case("labeler dftb+", dftbplus(one)) for one in Purpose},
    "qe scf": Case("labeler qe", qe("scf", Purpose.SCF)),
    "qe aimd": Case("labeler qe", qe("md", Purpose.AIMD)),
    "qe relax": Case("labeler qe", qe("relax", Purpose.RELAX)),
    "qe vc-relax": Case("labeler qe", qe("vc-relax", Purpose.RELAX)),
    **{f"cp2k {one.value}": Case("labeler cp2k", CP2K[one]) for one in Purpose},
    **EVALUATORS,
    **SCRIPTS,
}
