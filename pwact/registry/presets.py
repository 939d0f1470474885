"""Starting points for labels: by name, with date and source; files in ``pwact/presets/NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pwact.registry import Entry, Registry
from pwact.registry.engines import TRAINERS

FOLDER = Path(__file__).parent.parent / "presets"
_TRAINERS = FOLDER / "trainers"


@dataclass(frozen=True)
class LabelPreset(Entry):
    """Settings of one program that a user may begin with.

    Attributes
    ----------
    labeler
        The name of the program in ``dft_style``.
    title, date, source
        What it is, when it was put down, and where its settings come from.
    command
        How the program is started with one process.
    parallel
        Whether MPI starts it.
    inputs
        Purpose (``relax``, ``aimd``, ``scf``) → its control file.
    kspacing
        Purpose → distance of k-points, in 1/Å; without those whose control file has them.
    takes
        Which of ``pseudo``, ``data`` and ``cutoff`` it can be given.
    """

    labeler: str = ""
    title: str = ""
    date: str = ""
    source: str = ""
    command: str = ""
    parallel: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    kspacing: Mapping[str, float] = field(default_factory=dict)
    takes: tuple[str, ...] = ()


def trainer_presets() -> dict[str, Path]:
    """Trainer → the file with its first settings, of those that have one."""
    files = {name: _TRAINERS / f"{name}.json" for name in TRAINERS}
    return {name: path for name, path in files.items() if path.is_file()}


def _each(form: str) -> dict[str, str]:
    return {purpose: form.format(purpose) for purpose in ("relax", "aimd", "scf")}


LABEL_PRESETS: Registry[LabelPreset] = Registry(
    {
        "emt": LabelPreset(
            "pwact.engines.ase.preset:emt",
            labeler="ase",
            title="EMT, an empirical potential that stands in for DFT",
            date="2026-11",
            source="ASE's calculator emt",
            command="python",
            inputs=_each("label.json"),
        ),
        "gpaw": LabelPreset(
            "pwact.engines.ase.preset:any_elements",
            labeler="ase",
            title="GPAW, PBE with plane waves of 500 eV",
            date="2026-11",
            source="usual values of GPAW's manual",
            command="python",
            inputs=_each("label.json"),
        ),
        "qe": LabelPreset(
            "pwact.engines.qe.preset:fill",
            labeler="qe",
            title="Quantum ESPRESSO with the cutoffs that the pseudopotential files suggest",
            date="2026-11",
            source="the headers of your UPF files; ecutrho and cold smearing as in SSSP's protocol",
            command="pw.x",
            parallel=True,
            inputs=_each("{}.in"),
            takes=("pseudo", "cutoff"),
            kspacing={"relax": 0.2, "aimd": 0.3, "scf": 0.3},
        ),
        "vasp": LabelPreset(
            "pwact.engines.vasp.preset:fill",
            labeler="vasp",
            title="VASP, PBE like the Materials Project",
            date="2026-11",
            source="MPRelaxSet of pymatgen",
            command="vasp_std",
            parallel=True,
            inputs=_each("INCAR.{}"),
            takes=("pseudo",),
            kspacing={"relax": 0.2, "aimd": 0.3, "scf": 0.3},
        ),
        "cp2k": LabelPreset(
            "pwact.engines.cp2k.preset:fill",
            labeler="cp2k",
            title="CP2K, PBE with DZVP-MOLOPT-SR-GTH",
            date="2026-11",
            source="BASIS_MOLOPT and GTH_POTENTIALS of CP2K's data directory",
            command="cp2k.psmp",
            parallel=True,
            inputs=_each("{}.inp"),
            takes=("data",),
        ),
        "pwmat": LabelPreset(
            "pwact.engines.pwmat.preset:fill",
            labeler="pwmat",
            title="PWmat, PBE with 60 Ry",
            date="2026-11",
            source="the examples of pwact, with a cutoff for SG15 pseudopotentials",
            command="PWmat",
            parallel=True,
            inputs=_each("{}.etot.input"),
            takes=("pseudo",),
            kspacing={"relax": 0.2, "aimd": 0.3, "scf": 0.3},
        ),
    }
)
