"""The programs that label, train and explore. Their contracts: `pwact.engines`."""

from __future__ import annotations

from dataclasses import dataclass

from pwact.registry import Entry, Registry


@dataclass(frozen=True)
class Labels(Entry):
    """A labeler.

    Attributes
    ----------
    all_at_once
        Whether a script of the user labels all frames in one task: a `BatchLabeler`, which has no
        control files.
    turned_by_pwact
        Whether PWact collected its virials with the opposite sign.
    """

    all_at_once: bool = False
    turned_by_pwact: bool = False


@dataclass(frozen=True)
class Trains(Entry):
    """A trainer.

    Attributes
    ----------
    explored_by
        The explorer that loads its models.
    """

    explored_by: str = "lammps"


LABELERS: Registry[Labels] = Registry(
    {
        "pwmat": Labels("pwact.engines.pwmat.labeler:PwmatLabeler", turned_by_pwact=True),
        "vasp": Labels("pwact.engines.vasp.labeler:VaspLabeler"),
        "cp2k": Labels("pwact.engines.cp2k.labeler:Cp2kLabeler"),
        "dftb": Labels("pwact.engines.pwmat.labeler:PwmatDftbLabeler", turned_by_pwact=True),
        "dftb+": Labels("pwact.engines.dftbplus.labeler:DftbPlusLabeler"),
        "ase": Labels("pwact.engines.ase.labeler:AseLabeler"),
        "qe": Labels("pwact.engines.qe.labeler:QeLabeler", ("espresso",)),
        "abacus": Labels("pwact.engines.abacus.labeler:AbacusLabeler"),
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
        "sevennet": Trains("pwact.engines.sevennet.trainer:SevenNetTrainer", explored_by="ase"),
        "torchnep": Trains("pwact.engines.torchnep.trainer:TorchnepTrainer", explored_by="ase"),
        "mace": Trains("pwact.engines.mace.trainer:MaceTrainer", explored_by="ase"),
    }
)
EXPLORERS: Registry[Entry] = Registry(
    {
        "lammps": Entry("pwact.engines.lammps.explorer:LammpsExplorer"),
        "ase": Entry("pwact.engines.ase.explorer:AseExplorer"),
    }
)
