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
PWACT, ASE, MACE = "pwact", "ase", "mace"
LABEL_NAMES = (PWACT, ASE, MACE)  # whose names labels get where a format has a choice


@dataclass(frozen=True)
class DataFormat(Entry):
    """A format of labelled frames.

    Attributes
    ----------
    writes
        Whether data sets are written in it.
    ending
        How the file of a data set ends that is written; "" where a data set is a folder.
    campaign
        Whether it may be the ``data_format`` of a campaign, which trainers get as it is.
    names
        Whether the names of its labels are a matter of choice.
    types
        Whether its types may have names that are no elements.
    virial
        Which frames of a data set may lack the virial; `NOTHING` where it is not read.
    pbc
        Which axes may be periodic.
    moments
        Whether atoms carry their moments, charges and kinds.
    atom_energies
        Whether atoms carry these labels.
    reads
        What is read, and how labels are known: sentences for the manual.
    written
        What is written, beyond what all formats share.
    refused
        What ends the reading, with the file and the line or frame.
    """

    writes: bool = False
    ending: str = ""
    campaign: bool = False
    names: bool = False
    types: bool = False
    virial: str = EACH_FRAME
    pbc: str = PERIODIC
    moments: bool = False
    atom_energies: bool = False
    reads: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def folder(self) -> bool:
        """Whether a data set that is written is a folder."""
        return self.writes and not self.ending


_OUTPUTS = "pwact.tools.data.labelled"
_COMPRESSED = "It may be compressed (gzip, bzip2, xz), whatever its name."
FORMATS: Registry[DataFormat] = Registry(
    {
        "pwmat/movement": DataFormat(
            f"{_OUTPUTS}:Movement",
            ("movement", "pwmat", "pwmat/out.mlmd", "out.mlmd"),
            reads=(
                "`MOVEMENT` and `OUT.MLMD` of PWmat. The energy is Ep of `Etot,Ep,Ek`, with or "
                "without `(eV)`.",
                "Forces are minus the file's columns. The virial is minus the file's `stress "
                "(eV)`, which is positive under tension; a file that pwdata wrote (known by "
                "its rows of asterisks) has the virial itself there, and is read so.",
                "A frame alone in its file, beside a `REPORT`, counts if that says that its "
                "SCF converged.",
                "What is complete before a file was cut off counts, with a warning.",
                _COMPRESSED,
            ),
            refused=(
                "positions and forces that name different elements, a number of rows that is "
                "not that of the head, a block twice, a cell without volume, a heading or a stress "
                "in another unit",
            ),
        ),
        "vasp/outcar": DataFormat(
            f"{_OUTPUTS}:OutcarFormat",
            ("outcar", "vasp"),
            reads=(
                "Ionic steps of VASP 4.6 to 6. The energy is the free energy `TOTEN`, of which "
                "the forces are the derivatives. The virial is the row `Total` above `in kB` "
                "(eV), where ISIF makes a stress.",
                "Steps that used all NELM electronic steps, or that VASP calls unconverged, "
                "are left out and named; so are predictions of its machine-learned force field.",
                "After linear response (LEPSILON, DFPT) or NMR began nothing is read; the "
                "ionic step before counts.",
                "The moments of its atoms (LORBIT of 10 and above) are not read, which is said.",
                _COMPRESSED,
            ),
            refused=(
                "a second run in one file, also without its head, lattice vectors that do not fit "
                "the reciprocal ones beside them, ICHARG of 10 and above or IALGO of 2 to 4 (not "
                "self-consistent), pseudo-hydrogen, a stress in some steps only",
            ),
        ),
        "cp2k/md": DataFormat(
            f"{_OUTPUTS}:Cp2kMd",
            ("cp2k",),
            reads=(
                "The log of an MD with `*-pos-*.xyz` and `*-frc-*.xyz` beside it, and `*.cell` "
                "where the cell changes. Energies are those of the log, matched with the steps "
                "by their values.",
                "The unit of the positions (Å or bohr) is known by the start structure in the "
                "log, that of the forces (hartree/bohr or eV/Å) by a table of forces there; "
                "without such a table by `cp2k.inp` beside the log, else hartree/bohr, and the "
                "energies must fit the forces.",
                "The virial is the stress of the log times the volume: its trace is three "
                "times the pressure. Open axes are those of `CELL| Periodicity` in the log.",
                "Moments of a population analysis (`Spin moment`) are not read, which is said.",
                "Of several runs in one log the last is read, with a warning. The cell in the "
                "log has three decimals; `cp2k.inp` beside it, if it fits, counts instead.",
            ),
            refused=(
                "a cell that changes without `*.cell` (CELL_OPT, and every ensemble but NVE, NVT, "
                "NVT_ADIABATIC, LANGEVIN and ISOKIN), forces or positions of another run, a "
                "unit that fits neither",
            ),
        ),
        "cp2k/scf": DataFormat(
            f"{_OUTPUTS}:Cp2kScf",
            reads=(
                "The log of a single point with its table of forces, if its SCF converged. "
                "Positions have the six decimals of the log; the cell is as above.",
            ),
            refused=(
                "the log of a run in which atoms move, several energies that differ, several runs "
                "in one log",
            ),
        ),
        "extxyz": DataFormat(
            "pwact.formats.extxyz:Extxyz",
            ("xyz",),
            writes=True,
            ending=".xyz",
            campaign=True,
            names=True,
            types=True,
            moments=True,
            pbc=EACH_AXIS,
            reads=(
                "A file, or all `*.xyz` and `*.extxyz` below a folder. Names and units of labels: "
                "[files](files.md#trainxyz). Columns and keys that are no labels are passed over; "
                "of total charges and spins, weights of 0, and columns of moments and charges "
                "under other names it is said.",
                _COMPRESSED,
            ),
            written=(
                "Every number with all its digits, and of the atoms `initial_magmoms`, "
                "`initial_charges`, `tags` and `magmoms`. Names of PWact and MatPL (`force`, "
                "`virial`), with `--names ase` those of ASE (`forces`, `stress`), or with "
                "`--names mace` those that MACE looks for (`REF_energy`, `REF_forces`, "
                "`REF_stress`). [Who trains on which](#other-programs-that-train-on-extended-xyz).",
            ),
            refused=(
                "two candidates for one label that differ, a key twice with different values, "
                "a virial that is not −volume times the stress, an unknown unit, a unit under a "
                "key that is not read, names that are no elements, an axis that is periodic "
                "without a lattice vector, a lattice as a list of lists that is not symmetric",
            ),
        ),
        "pwmlff/npy": DataFormat(
            "pwact.formats.pwmlff_npy:PwmlffNpy",
            ("npy", "pwmlff"),
            writes=True,
            campaign=True,
            virial=ALL_OR_NONE,
            reads=(
                "All folders with `energies.npy` below a folder ([their "
                "files](files.md#pwdata)). Atomic energies (`ei.npy`) are not read. A virial "
                "with a number of −10⁵ or below stands for none.",
            ),
            written=(
                "A folder a composition, atoms by ascending atomic number. `ei.npy` is the "
                "energy shared out among the atoms, which is what MatPL begins from; it is no "
                "label.",
            ),
            refused=(
                "arrays that do not fit each other or do not begin with the frames, elements that "
                "`atom_type.npy` does not list, numbers that are not finite or beyond 1e10, "
                "an open axis",
            ),
        ),
        "deepmd/npy": DataFormat(
            "pwact.formats.deepmd_npy:DeepmdNpy",
            ("deepmd",),
            writes=True,
            types=True,
            virial=ALL_OR_NONE,
            pbc=ALL_AXES_OR_NONE,
            reads=(
                "All folders with `type.raw` below a folder, mixed ones too: `type_map.raw` "
                "and `set.*/{box,coord,energy,force,virial}.npy`. The virial has the sign of "
                "all others here. A file `nopbc` says that its frames are open along all axes; "
                "they need no box.",
            ),
            written=(
                "A folder a composition with one `set.000`, atoms by ascending atomic number; "
                "the type map holds the elements of the folder. Frames that are open along all "
                "axes get a folder with `nopbc`. A left-handed cell is written with all three "
                "vectors reversed, the same lattice: DeePMD by PyTorch finds no periodic images "
                "in others.",
            ),
            refused=(
                "type names that are no elements and a missing `type_map.raw` (`--type-names "
                "A=Cu,B=O`, or `0=Cu,1=O`, says what they are), arrays that do not "
                "begin with the frames, `*.raw` files without `set.*`, a frame periodic "
                "along some axes only",
            ),
        ),
        "deepmd/npy/mixed": DataFormat(
            "pwact.formats.deepmd_npy:DeepmdMixed",
            writes=True,
            types=True,
            virial=ALL_OR_NONE,
            pbc=ALL_AXES_OR_NONE,
            reads=("As `deepmd/npy`.",),
            written=(
                "A folder for all frames with one number of atoms (`--merge`: of all inputs), with "
                "`set.000/real_atom_types.npy`; the order of the atoms is kept.",
            ),
            refused=("As `deepmd/npy`",),
        ),
        "castep/md": DataFormat(
            "pwact.formats.castep:CastepMd",
            virial=NOTHING,
            reads=(
                "`<seed>.md`, read by pwdata: energies of the electrons and forces; no virial, "
                "since nobody could check its sign.",
            ),
            refused=("a line that is cut off or holds stars",),
        ),
        "castep/geom": DataFormat(
            "pwact.formats.castep:CastepGeom",
            virial=NOTHING,
            reads=("`<seed>.geom`, as `castep/md`.",),
            refused=("As `castep/md`",),
        ),
    }
)
WRITTEN = tuple(name for name, one in FORMATS.items() if one.writes)
OF_CAMPAIGNS = tuple(name for name, one in FORMATS.items() if one.campaign)
