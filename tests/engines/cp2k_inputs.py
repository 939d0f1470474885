"""Inputs of CP2K for the tests, and labelers that use them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Optional

from pwact.config.labeling import DftInput, GaussianConfig, LabelConfig
from pwact.config.resources import ResourceBlock
from pwact.engines import labeler_for
from pwact.engines.cp2k.labeler import Cp2kLabeler

DFTB = """\
    &QS
      METHOD DFTB
      &DFTB
        SELF_CONSISTENT F
        DO_EWALD F
        DISPERSION F
        &PARAMETER
          PARAM_FILE_PATH DFTB/nonscc
          PARAM_FILE_NAME nonscc_parameter
        &END PARAMETER
      &END DFTB
    &END QS
    &SCF
      SCF_GUESS NONE
      EPS_SCF 1.0E-6
      MAX_SCF 100
      &MIXING
        METHOD DIRECT_P_MIXING
        ALPHA 1.0
      &END MIXING
    &END SCF
"""
GPW = """\
    &MGRID
      CUTOFF 200
      REL_CUTOFF 40
      NGRIDS 4
    &END MGRID
    &QS
      EPS_DEFAULT 1.0E-10
    &END QS
    &SCF
      SCF_GUESS ATOMIC
      EPS_SCF 1.0E-6
      MAX_SCF 50
      ADDED_MOS 10
      &DIAGONALIZATION
        ALGORITHM STANDARD
      &END DIAGONALIZATION
      &SMEAR
        METHOD FERMI_DIRAC
        ELECTRONIC_TEMPERATURE [K] 300
      &END SMEAR
      &MIXING
        METHOD BROYDEN_MIXING
        ALPHA 0.4
        NBROYDEN 8
      &END MIXING
    &END SCF
    &XC
      &XC_FUNCTIONAL PBE
      &END XC_FUNCTIONAL
    &END XC
"""
MESH = "    &KPOINTS\n      SCHEME MONKHORST-PACK 2 2 2\n    &END KPOINTS\n"
MD = """\
&MOTION
  &MD
    ENSEMBLE NVT
    STEPS 3
    TIMESTEP 2.0
    TEMPERATURE 300
    &THERMOSTAT
      TYPE CSVR
    &END THERMOSTAT
  &END MD
&END MOTION
"""


def cp2k_input(run_type: str, dft: str = DFTB, subsys: str = "", motion: str = "") -> str:
    """The text of an input."""
    return (
        f"&GLOBAL\n  PROJECT Si_Test\n  RUN_TYPE {run_type}\n  PRINT_LEVEL LOW\n&END GLOBAL\n"
        f"&FORCE_EVAL\n  METHOD Quickstep\n  STRESS_TENSOR ANALYTICAL\n"
        f"  &DFT\n{dft}  &END DFT\n  &SUBSYS\n{subsys}  &END SUBSYS\n&END FORCE_EVAL\n{motion}"
    )


def labeler(
    folder: Path, text: str, gaussian: Optional[GaussianConfig] = None, **config: Any
) -> Cp2kLabeler:
    """A labeler whose input is written into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "my cp2k.inp"
    file.write_text(text)
    made = labeler_for(
        LabelConfig(
            file=folder / "param.json",
            style="cp2k",
            inputs=(DftInput(file),),
            gaussian=gaussian,
            **config,
        ),
        0,
        ResourceBlock(name="DFT", command="cp2k.psmp"),
    )
    assert isinstance(made, Cp2kLabeler)
    return made


def gaussian_param(folder: Path, *elements: str, **more: Any) -> GaussianConfig:
    """Basis sets and potentials of made-up files, by the name of the element."""
    folder.mkdir(parents=True, exist_ok=True)
    basis, potential = folder / "MY_BASIS", folder / "MY_POTENTIAL"
    basis.write_text("".join(f"# c\n{one} DZVP-{one} DZVP-{one}-q4\n  1\n" for one in elements))
    potential.write_text("".join(f"{one} GTH-{one}\n    2 2\n" for one in elements))
    names = [(f"DZVP-{one}", f"GTH-{one}") for one in elements]
    basis_list, potential_list = zip(*names)
    return GaussianConfig(basis, potential, elements, basis_list, potential_list, **more)


def number_after(text: str, word: str) -> float:
    """The first number after a word of a text."""
    found = re.search(rf"{re.escape(word)}\s+(-?[\d.]+)", text)
    assert found is not None
    return float(found.group(1))
