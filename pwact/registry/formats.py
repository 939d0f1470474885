"""Formats of labelled data: who reads and writes each, and what it can hold.

`place` of an entry is a class: `pwact.formats.data_format.LabelledFormat`, which is read, or its
`DataSetFormat`, which is found in folders and written as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from pwact.registry import Entry, Registry

EACH_FRAME = "each frame"
ALL_OR_NONE = "all frames or none"
NOTHING = "no"
EACH_AXIS = "each axis"
ALL_AXES_OR_NONE = "all axes or none"
PERIODIC = "all axes"
PWACT, ASE = "pwact", "ase"
LABEL_NAMES = (PWACT, ASE)  # whose names labels get where a format has a choice


@dataclass(frozen=True)
class DataFormat(Entry):
    """A format of labelled frames.

    Attributes
    ----------
    writes
        Whether data sets are written in it.
    folder
        Whether a data set is a folder.
    campaign
        Whether it may be the ``data_format`` of a campaign, which trainers get as it is.
    names
        Whether the names of its labels are a matter of choice.
    virial
        Which frames of a data set may lack the virial; `NOTHING` where it is not read.
    pbc
        Which axes may be periodic.
    moments, atom_energies
        Whether atoms carry these labels.
    """

    writes: bool = False
    folder: bool = False
    campaign: bool = False
    names: bool = False
    virial: str = EACH_FRAME
    pbc: str = PERIODIC
    moments: bool = False
    atom_energies: bool = False


_OUTPUTS = "pwact.tools.labelled"
FORMATS: Registry[DataFormat] = Registry(
    {
        "pwmat/movement": DataFormat(
            f"{_OUTPUTS}:Movement", ("movement", "pwmat", "pwmat/out.mlmd", "out.mlmd")
        ),
        "vasp/outcar": DataFormat(f"{_OUTPUTS}:OutcarFormat", ("outcar", "vasp")),
        "cp2k/md": DataFormat(f"{_OUTPUTS}:Cp2kMd", ("cp2k",)),
        "cp2k/scf": DataFormat(f"{_OUTPUTS}:Cp2kScf"),
        "extxyz": DataFormat(
            "pwact.formats.extxyz:Extxyz",
            ("xyz",),
            writes=True,
            campaign=True,
            names=True,
            pbc=EACH_AXIS,
        ),
        "pwmlff/npy": DataFormat(
            "pwact.formats.pwmlff_npy:PwmlffNpy",
            ("npy", "pwmlff"),
            writes=True,
            folder=True,
            campaign=True,
            virial=ALL_OR_NONE,
        ),
        "deepmd/npy": DataFormat(
            "pwact.formats.deepmd_npy:DeepmdNpy",
            ("deepmd",),
            writes=True,
            folder=True,
            virial=ALL_OR_NONE,
            pbc=ALL_AXES_OR_NONE,
        ),
        "deepmd/npy/mixed": DataFormat(
            "pwact.formats.deepmd_npy:DeepmdMixed",
            writes=True,
            folder=True,
            virial=ALL_OR_NONE,
            pbc=ALL_AXES_OR_NONE,
        ),
        "castep/md": DataFormat("pwact.formats.castep:CastepMd", virial=NOTHING),
        "castep/geom": DataFormat("pwact.formats.castep:CastepGeom", virial=NOTHING),
    }
)
WRITTEN = tuple(name for name, one in FORMATS.items() if one.writes)
OF_CAMPAIGNS = tuple(name for name, one in FORMATS.items() if one.campaign)
