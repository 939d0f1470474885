"""Outputs that the programs themselves wrote, which lie beside the repository and not in it.

The tests here run where PWACT_REAL_OUTPUTS names the folder of these files. They are the tests of
``tests/formats`` and ``tests/engines`` once more, and numbers read off these files by eye.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# What the tests call a file or folder, and what it is called there.
NAMES = {
    "vasp/OUTCAR.md": "vasp/OUTCAR.h2o.md",
    "vasp/OUTCAR.single": "vasp/OUTCAR.ch4.1step",
    "vasp/OUTCAR.unconverged": "vasp/OUTCAR.ch4.unconverged",
    "vasp/CONTCAR.md": "vasp/CONTCAR.h2o.md",
    "cp2k/scf_6.log": "cp2k/scf_normal.log",
    "cp2k/unconverged/dft.log": "cp2k/scf_not_converged.log",
    "cp2k/md/dft.log": "cp2k/md_dft.log",
    "pwmat/MOVEMENT": "pwmat/MOVEMENT_LiSi_4frames",
    "dftbplus/sp_cluster": "dftbplus/01_sp_cluster",
    "dftbplus/sp_alloy": "dftbplus/01_sp_lisi",
    "dftbplus/sp_copper": "dftbplus/01_sp_si8",
    "dftbplus/relax_append": "dftbplus/02_relax_si8_append",
    "dftbplus/relax_maxsteps": "dftbplus/02_relax_si8_maxsteps",
    "dftbplus/relax": "dftbplus/02_relax_si8",
    "dftbplus/md_npt": "dftbplus/03_md_npt_si8",
    "dftbplus/md_nvt": "dftbplus/03_md_nvt_lisi_mdoutput",
    "dftbplus/scc_fail_goes_on": "dftbplus/04_scc_fail_ConvergentSCCOnly_No",
    "dftbplus/scc_fail_md": "dftbplus/04_scc_fail_md",
    "dftbplus/scc_fail": "dftbplus/04_scc_fail",
    "dftbplus/err_keyword": "dftbplus/05_err_keyword",
    "dftbplus/err_missing_skf": "dftbplus/05_err_missing_skf",
    "dftbplus/err_syntax": "dftbplus/05_err_syntax",
    "dftbplus/sp_close": "dftbplus/06_close_0.02A",
}


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, with every file also under the name that the tests know."""
    folder = Path(os.environ["PWACT_REAL_OUTPUTS"]).absolute()
    if not folder.is_dir():
        pytest.fail(f"PWACT_REAL_OUTPUTS: there is no folder {folder}", pytrace=False)
    found = tmp_path_factory.mktemp("real outputs")
    for name, real in NAMES.items():
        if not (folder / real).exists():
            pytest.fail(f"PWACT_REAL_OUTPUTS: {folder} holds no {real}", pytrace=False)
        paths = [path for path in (folder / real).rglob("*") if path.is_file()]
        for path in paths or [folder / real]:
            link(found / name / path.relative_to(folder / real), path)
    for path in folder.rglob("*"):
        if path.is_file():
            link(found / path.relative_to(folder), path)
    return found


def link(path: Path, real: Path) -> None:
    """Make `real` known as `path`, unless another file has this name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.symlink_to(real)
