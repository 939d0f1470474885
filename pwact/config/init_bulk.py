"""param.json of ``pwact init_bulk``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional

from pwact.config.init_entry import STEPS, SystemEntry, check_together, load_entry
from pwact.config.kinds import Anything, Choice, Flag, Items, Located, Nodes, Text, Whole
from pwact.config.labeling import (
    HISTORIC_FILES,
    LABEL_KEYS,
    STYLES,
    LabelConfig,
    dft_inputs,
    finish,
)
from pwact.config.schema import Key, Node, declare, keys_of, obsolete, only, read
from pwact.registry.formats import OF_CAMPAIGNS

LARGEST_SEED = 2**63 - 1
FLAG_SYMM = {"relax": 0, "aimd": 3, "scf": 0}  # of PWmat's MP_N123, where the user gives none


@dataclass(frozen=True)
class InitConfig:
    """How the first data set is made.

    Attributes
    ----------
    relax, aimd, scf
        The same program with the control files of each purpose; `scf` may be another program.
    bigmodel_input, direct_input
        Scripts of the user.
    """

    file: Path = Path("param.json")
    work_dir: Path = Path()
    data_format: str = declare("extxyz", Choice(OF_CAMPAIGNS), "Format of the data set.")
    reserve_work: bool = declare(False, Flag(), "Keep temp_init_bulk_work at the end.")
    interval: int = declare(1, Whole(1), "Keep one frame in this many of each trajectory.")
    data_shuffle: bool = declare(False, Flag(), "Shuffle the frames of the data set.")
    seed: Optional[int] = declare(
        None,
        Whole(0, LARGEST_SEED),
        "Root of all random numbers.",
        default_words="drawn once and kept",
    )
    perturb_style: str = declare(
        "normal",
        Choice(("normal", "uniform")),
        "Displacements of perturbed atoms: Gaussian, or uniform in ±atom_pert_distance.",
    )
    systems: tuple[SystemEntry, ...] = ()
    relax: LabelConfig = field(default_factory=lambda: LabelConfig(key=""))
    aimd: LabelConfig = field(default_factory=lambda: LabelConfig(key=""))
    scf: LabelConfig = field(default_factory=lambda: LabelConfig(key=""))
    bigmodel_input: tuple[Path, ...] = ()
    direct_input: tuple[Path, ...] = ()
    scf_max_num: Optional[int] = None

    def relabelled(self, entry: SystemEntry) -> bool:
        """Whether the MD frames of an entry are labelled again, or its structures without MD.

        Its own `scf` decides; but the frames of all scripts are labelled by one program, so there
        `scf` of any entry holds for all.
        """
        if not entry.bigmodel:
            return entry.scf
        return any(one.scf for one in self.systems if one.bigmodel)

    @property
    def without_data(self) -> list[int]:
        """Places of the entries in sys_configs that ask for structures, not for labelled data."""
        return [entry.index for entry in self.systems if not (entry.has_md or entry.scf)]

    def filtered(self, entry: SystemEntry) -> bool:
        """Whether the DIRECT script chooses among the MD frames of an entry."""
        return entry.bigmodel and entry.direct


_INPUT = Nodes("file, {input, kspacing, flag_symm}, or list of such", low=0)
_ENTRIES = "object, or list of objects"
_SCRIPT = Nodes("file, {input}, or list of such", low=0)
INPUT_KEYS = (
    Key("relax_input", _INPUT, (), "Control files of relaxations."),
    Key("aimd_input", _INPUT, (), "Control files of AIMD."),
    Key("scf_input", _INPUT, (), "Control files of relabelling."),
    Key("bigmodel_input", _SCRIPT, (), "MD scripts of the user."),
    Key("direct_input", _SCRIPT, (), "DIRECT scripts of the user."),
)
SCF_KEYS = (
    Key("scf_style", Choice(STYLES), help="Program of scf_input.", default_words="dft_style"),
    Key("scf_pseudo", Items(Located()), help="Its pseudopotentials.", default_words="pseudo"),
)
KEYS = (
    Key(
        "work_dir",
        Text(),
        help="Directory to work in; relative paths start there.",
        default_words="launch directory",
    ),
    *keys_of(InitConfig),
    Key("sys_config_prefix", Text(one_line=True), help="Directory put before every config."),
    Key("sys_configs", Nodes(_ENTRIES), help="The structures.", required=True),
    *LABEL_KEYS,
    *INPUT_KEYS,
    *SCF_KEYS,
    *HISTORIC_FILES,
    obsolete("train_valid_ratio", Anything(), "Once the share of training data."),
)


def load_init(root: Node) -> InitConfig:
    """Read param.json of init_bulk; `root.context.base` is the work directory.

    Raises
    ------
    InputError
        A key is wrong, a file is missing or an index points nowhere.
    """
    values = read(root, KEYS)
    inputs = {step: values[f"{step}_input"] for step in STEPS}
    prefix = Path(values["sys_config_prefix"] or "")
    counts = {step: len(nodes) for step, nodes in inputs.items()}
    systems = tuple(
        load_entry(node, index, prefix, counts) for index, node in enumerate(values["sys_configs"])
    )
    check_together(root, systems, counts)
    labelers = _labelers(root, values)
    own: dict[str, Any] = {key.attribute: values[key.attribute] for key in keys_of(InitConfig)}
    return InitConfig(
        file=root.context.file,
        work_dir=root.context.base,
        systems=systems,
        scf_max_num=values["scf_max_num"],
        bigmodel_input=_scripts(inputs["bigmodel"]),
        direct_input=_scripts(inputs["direct"]),
        relax=labelers["relax"],
        aimd=labelers["aimd"],
        scf=labelers["scf"],
        **own,
    )


def _scripts(nodes: tuple[Node, ...]) -> tuple[Path, ...]:
    return tuple(one.path for one in dft_inputs(nodes, 0))


def load_scf(root: Node) -> LabelConfig:
    """What labels by ``scf_input``, for whom all other keys are no matter.

    Raises
    ------
    InputError
        One of its keys is wrong, or there is not just one control file.
    """
    own = ("scf_input",)
    used = [key for key in INPUT_KEYS if key.name in own]
    keys = (*LABEL_KEYS, *used, *SCF_KEYS, *HISTORIC_FILES)
    values = read(only(root, keys), keys)
    found = len(values["scf_input"])
    if found != 1:
        raise root.child("scf_input", None).error(f"found {found} control files; expected one")
    return _labelers(root, {**values, "relax_input": (), "aimd_input": ()})["scf"]


def _labelers(root: Node, values: dict[str, Any]) -> dict[str, LabelConfig]:
    """The configurations of relax, aimd and scf."""
    inputs = {
        purpose: dft_inputs(values[f"{purpose}_input"], flag_symm)
        for purpose, flag_symm in FLAG_SYMM.items()
    }
    common = {key.attribute: values[key.attribute] for key in LABEL_KEYS}
    common |= {key.name: values[key.name] for key in HISTORIC_FILES}
    styles = dict.fromkeys(FLAG_SYMM, values["style"])
    styles["scf"] = values["scf_style"] or values["style"]
    finish(root, common)
    label = LabelConfig(file=root.context.file, key="", **common)
    made = {
        purpose: replace(label, style=styles[purpose], inputs=inputs[purpose])
        for purpose in FLAG_SYMM
    }
    if values["scf_pseudo"] is not None:
        made["scf"] = replace(made["scf"], pseudo=values["scf_pseudo"])
    return made
