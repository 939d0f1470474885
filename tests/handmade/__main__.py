"""Write all hand-made files into ``tests/data``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ase import Atoms

from tests.handmade import cp2k, matter, pwmat
from tests.handmade.dftbplus_runs import write_runs
from tests.handmade.outcar import Settings, write_contcar, write_outcar

DATA = Path(__file__).parents[1] / "data"


def vasp(folder: Path) -> None:
    """An MD, one whose SCF did not always converge, one electronic step of one, a relaxation."""
    atoms = matter.crystal("Ni2AlNi4Al", 3.6, seed=21)
    order = [*range(2), *range(3, 7), 2, 7]
    atoms = atoms[order]
    atoms.calc = matter.EMT()
    write_outcar(
        folder / "OUTCAR.md",
        matter.dynamics(atoms, 2, 600.0, 2.0),
        Settings(used=(13, 8, 6), nelm=60, nsw=3, ibrion=0),
    )
    write_contcar(folder / "CONTCAR.md", atoms)
    write_outcar(
        folder / "OUTCAR.unconverged",
        matter.dynamics(matter.crystal("PdCu3", 3.7, seed=22), 2, 900.0, 2.0),
        Settings(used=(9, 9, 7), nelm=9, nsw=3, ibrion=0),
    )
    single = matter.crystal("Au4", 4.1, seed=23)
    write_outcar(folder / "OUTCAR.single", [single], Settings(used=(1,), nelm=1, nsw=0, ibrion=-1))

    start = matter.crystal("Ag3Pt", 4.02, seed=24, shake=0.02)

    def geometries() -> Iterator[Atoms]:
        for geometry, _ in matter.relaxation(start, 40, 0.1):
            yield geometry

    write_outcar(
        folder / "OUTCAR.relaxed",
        geometries(),
        Settings(used=(9, *(4,) * 40), nelm=60, nsw=40, ibrion=2, isif=3),
        end="\n reached required accuracy - stopping structural energy minimisation\n",
    )


def pwmat_files(folder: Path) -> None:
    """An MD of a crystal that is stretched, most along b, and sheared; a single point."""
    atoms = matter.crystal("AuCu3", 3.74, seed=31, shake=0.0)
    strain = [[1.015, 0.0, 0.0], [-0.02, 1.045, 0.0], [-0.03, 0.025, 1.015]]
    atoms.set_cell(3.74 * np.array(strain), scale_atoms=True)
    atoms = atoms.repeat(2)
    atoms.positions += np.random.default_rng(32).normal(0, 0.03, atoms.positions.shape)
    atoms.calc = matter.EMT()
    pwmat.write_movement(folder / "MOVEMENT", matter.dynamics(atoms, 3, 600.0, 1.0))
    single = matter.crystal("Ag3Au", 4.1, seed=33)
    pwmat.write_single_point(folder / "OUT.MLMD", single)
    pwmat.write_atom_config(folder / "atom.config", single)


def main() -> None:
    """Write them."""
    writers = {
        "vasp": vasp,
        "pwmat": pwmat_files,
        "cp2k": cp2k.write_logs,
        "dftbplus": write_runs,
    }
    for name, write in writers.items():
        (DATA / name).mkdir(parents=True, exist_ok=True)
        write(DATA / name)


if __name__ == "__main__":
    main()
