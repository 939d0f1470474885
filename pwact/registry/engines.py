"""The programs that label, train and explore. Their contracts: `pwact.engines`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Optional

from pwact.registry import Entry, Registry


@dataclass(frozen=True)
class MdSteps:
    """What finds how far an MD of a program is.

    Attributes
    ----------
    asked
        Name of the file in its directory that says how many steps are asked for.
    place
        ``module:function``; see `pwact.engines.md_steps`.
    """

    asked: str
    place: str


@dataclass(frozen=True)
class Labels(Entry):
    """A labeler.

    Attributes
    ----------
    md
        What finds the steps of its AIMD.
    all_at_once
        Whether a script of the user labels all frames in one task: a `BatchLabeler`, which has no
        control files.
    turned_by_pwact
        Whether PWact collected its virials with the opposite sign.
    """

    md: Optional[MdSteps] = None
    all_at_once: bool = False
    turned_by_pwact: bool = False


@dataclass(frozen=True)
class Trains(Entry):
    """A trainer.

    Attributes
    ----------
    explored_by
        The explorer that loads its models.
    keys
        ``module:name`` of the `pwact.config.engine_keys.EngineKeys` of its section ``train``, if
        they do not stand there.
    pair_styles
        Pair style with which LAMMPS loads them as well → what such a LAMMPS is built with.
    measures
        Uncertainties that its library brings; a trainer that is named for none refuses them.
    """

    explored_by: str = "lammps"
    keys: str = ""
    pair_styles: Mapping[str, str] = field(default_factory=dict)
    measures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explores(Entry):
    """An explorer.

    Attributes
    ----------
    md
        What finds the steps of its MD.
    asks
        ``module:function``: directory of an MD → what its input asks for
        (`pwact.engines.md_input.MdInput`), by which pictures name its temperature. "" where none
        reads it; what it raises for a file that is not there, or is no such input, is passed over.
    """

    md: Optional[MdSteps] = None
    asks: str = ""


_PWMAT_MD = MdSteps("etot.input", "pwact.engines.pwmat.report:md_steps")
LABELERS: Registry[Labels] = Registry(
    {
        "pwmat": Labels(
            "pwact.engines.pwmat.labeler:PwmatLabeler", md=_PWMAT_MD, turned_by_pwact=True
        ),
        "vasp": Labels(
            "pwact.engines.vasp.labeler:VaspLabeler",
            md=MdSteps("INCAR", "pwact.engines.vasp.ionic:md_steps"),
        ),
        "cp2k": Labels(
            "pwact.engines.cp2k.labeler:Cp2kLabeler",
            md=MdSteps("cp2k.inp", "pwact.engines.cp2k.task:md_steps"),
        ),
        "dftb": Labels(
            "pwact.engines.pwmat.labeler:PwmatDftbLabeler", md=_PWMAT_MD, turned_by_pwact=True
        ),
        "dftb+": Labels(
            "pwact.engines.dftbplus.labeler:DftbPlusLabeler",
            md=MdSteps("dftb_in.hsd", "pwact.engines.dftbplus.input:md_steps"),
        ),
        "ase": Labels(
            "pwact.engines.ase.labeler:AseLabeler",
            md=MdSteps("ase.json", "pwact.engines.ase.aimd:md_steps"),
        ),
        "qe": Labels(
            "pwact.engines.qe.labeler:QeLabeler",
            ("espresso",),
            md=MdSteps("pw.in", "pwact.engines.qe.steps:md_steps"),
        ),
        "abacus": Labels(
            "pwact.engines.abacus.labeler:AbacusLabeler",
            md=MdSteps("INPUT", "pwact.engines.abacus.task:md_steps"),
        ),
        "bigmodel": Labels("pwact.engines.scripts.label:LabelScript", all_at_once=True),
    }
)
TRAINERS: Registry[Trains] = Registry(
    {
        "matpl": Trains("pwact.engines.matpl.trainer:MatplTrainer"),
        "deepmd": Trains("pwact.engines.deepmd.tensorflow:DeepmdTrainer"),
        "deepmd-pytorch": Trains(
            "pwact.engines.deepmd.pytorch:DeepmdPytorchTrainer", explored_by="ase"
        ),
        "dpa": Trains("pwact.engines.deepmd.dpa:DpaTrainer", explored_by="ase"),
        "pod": Trains("pwact.engines.pod.trainer:PodTrainer"),
        "sevennet": Trains(
            "pwact.engines.sevennet.trainer:SevenNetTrainer",
            explored_by="ase",
            pair_styles={"e3gnn": "SevenNet's patch (sevenn patch_lammps)"},
        ),
        "torchnep": Trains(
            "pwact.engines.torchnep.trainer:TorchnepTrainer",
            explored_by="ase",
            pair_styles={"nep": "the interface of NEP_CPU", "nep/cpu": "NEPAdapters"},
            measures=("extrapolation",),
        ),
        "mace": Trains(
            "pwact.engines.mace.trainer:MaceTrainer",
            explored_by="ase",
            pair_styles={"mace": "MACE's branch of LAMMPS (ML-MACE)"},
        ),
    }
)
EXPLORERS: Registry[Explores] = Registry(
    {
        "lammps": Explores(
            "pwact.engines.lammps.explorer:LammpsExplorer",
            md=MdSteps("in.lammps", "pwact.engines.lammps.program:md_steps"),
            asks="pwact.engines.lammps.program:asked",
        ),
        "ase": Explores(
            "pwact.engines.ase.explorer:AseExplorer",
            md=MdSteps("md.json", "pwact.engines.ase.explorer:md_steps"),
            asks="pwact.engines.ase.explorer:asked",
        ),
    }
)
