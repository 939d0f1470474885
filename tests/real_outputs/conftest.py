"""Outputs that the programs themselves wrote, which lie beside the repository and not in it.

The tests here run where PWACT_REAL_OUTPUTS names the folder of these files. They are the tests of
``tests/io`` and ``tests/engines`` once more, and numbers that were read off these files by eye.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# What the tests call a file, and what it is called in the folder.
NAMES = {
    "vasp/OUTCAR.md": "vasp/OUTCAR.h2o.md",
    "vasp/OUTCAR.single": "vasp/OUTCAR.ch4.1step",
    "vasp/OUTCAR.unconverged": "vasp/OUTCAR.ch4.unconverged",
    "vasp/CONTCAR.md": "vasp/CONTCAR.h2o.md",
    "cp2k/scf_6.log": "cp2k/scf_normal.log",
    "cp2k/unconverged/dft.log": "cp2k/scf_not_converged.log",
    "cp2k/md/dft.log": "cp2k/md_dft.log",
    "pwmat/MOVEMENT": "pwmat/MOVEMENT_LiSi_4frames",
}


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with every file also under the name that the tests know."""
    folder = Path(os.environ["PWACT_REAL_OUTPUTS"]).absolute()
    if not folder.is_dir():
        pytest.fail(f"PWACT_REAL_OUTPUTS: there is no folder {folder}", pytrace=False)
    found = tmp_path_factory.mktemp("real outputs")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for name, real in [*((name, name) for name in names - set(NAMES)), *NAMES.items()]:
        if real not in names:
            pytest.fail(f"PWACT_REAL_OUTPUTS: {folder} holds no {real}", pytrace=False)
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).symlink_to(folder / real)
    return found
