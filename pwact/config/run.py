"""param.json of ``pwact run``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.config.budget import BudgetConfig, load_budget
from pwact.config.document import shown
from pwact.config.exploration import ExploreConfig, load_explore
from pwact.config.init_bulk import LARGEST_SEED
from pwact.config.kinds import (
    Anything,
    Choice,
    Flag,
    Items,
    Located,
    Nodes,
    Section,
    Text,
    Whole,
    existing,
    is_there,
)
from pwact.config.labeling import LabelConfig, load_dft
from pwact.config.schema import Key, Node, declare, keys_of, obsolete, read
from pwact.config.shapes import NOT_BLANK, Shape
from pwact.config.strategy import StrategyConfig, load_strategy
from pwact.config.training import TrainConfig, load_train
from pwact.registry.engines import TRAINERS
from pwact.registry.formats import FORMATS, OF_CAMPAIGNS

LONGEST_NAME = 200  # bytes; with what is added while the file is written it stays below 255
LARGEST_RECORD = 1_000_000  # bytes
_NEP_MARK = b"nep"  # in the first line of a NEP model in text form


@dataclass(frozen=True)
class FileName:
    """The name of a file, without directories."""

    words: str = "file name without directories"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> str:
        """The name."""
        name = Text(one_line=True).convert(node)
        if Path(name).name != name or name == "..":
            raise node.wrong(f"a {self.words}")
        if len(name.encode()) > LONGEST_NAME:
            raise node.wrong(f"a name of at most {LONGEST_NAME} bytes")
        return name


@dataclass(frozen=True)
class RecordName:
    """The name of the record: of a file that holds nothing else."""

    words: str = FileName.words

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return dict(NOT_BLANK)

    def convert(self, node: Node) -> str:
        """The name."""
        name = FileName().convert(node)
        if name in layout.OWN_NAMES or name.startswith("iter."):
            raise node.wrong("a name that nothing else in the work directory has")
        path = node.context.base / name
        if path.is_dir() or (path.is_file() and not _is_record(path, node)):
            raise node.error(f"{path} is there and is not a record; it would be overwritten")
        return name


def _is_record(path: Path, node: Node) -> bool:
    """Whether a file holds pairs of integers only."""
    words = [line.split() for line in _beginning(path, LARGEST_RECORD, node).splitlines()]
    return all(len(pair) in {0, 2} and b"".join(pair).isdigit() for pair in words if pair)


@dataclass(frozen=True)
class RunConfig:
    """The active-learning loop.

    Attributes
    ----------
    init_data, valid_data
        Data sets that exist; missing ones are left out with a warning.
    """

    file: Path = Path("param.json")
    work_dir: Path = Path()
    record_file: str = declare("al.record", RecordName(), "Name of the record of finished steps.")
    reserve_work: bool = declare(False, Flag(), "Keep what else would be deleted on the way.")
    reserve_md_traj: bool = declare(False, Flag(), "Keep the trajectories of MD.")
    reserve_scf_files: bool = declare(
        False, Flag(), "Keep all files of labelling tasks; those of failed ones always stay."
    )
    data_format: str = declare(
        "extxyz",
        Choice(OF_CAMPAIGNS),
        "Format of init_data, valid_data and the labelled data.",
    )
    init_data: tuple[Path, ...] = ()
    valid_data: tuple[Path, ...] = ()
    init_model_list: tuple[Path, ...] = declare(
        (),
        Items(Located("path")),
        "Start models of iteration 0, one per model.",
    )
    use_pre_model: bool = declare(
        True, Flag(), "From iteration 1 on, training starts from the model's last iteration."
    )
    seed: Optional[int] = declare(
        None,
        Whole(0, LARGEST_SEED),
        "Root of all random numbers.",
        default_words="drawn once and kept",
    )
    final: Optional[bool] = declare(
        None,
        Flag(),
        "At the end fit one model to all frames, try it, and write it to the folder final.",
        default_words="true; false for campaigns that version 0.5.0 began",
    )
    streaming: bool = declare(
        True, Flag(), "Begin to label a system as soon as its trajectories are in."
    )
    train: TrainConfig = field(default_factory=TrainConfig)
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    explore: ExploreConfig = field(default_factory=ExploreConfig)
    dft: LabelConfig = field(default_factory=LabelConfig)
    budget: BudgetConfig = field(default_factory=BudgetConfig)


_DATA = Nodes("path, or list of paths", low=0)
SECTIONS = (
    Key("train", Section(), help="The training.", required=True),
    Key("strategy", Section(), help="The choice of candidates.", required=True),
    Key("explore", Section(), help="Structures and MD.", required=True),
    Key("DFT", Section(), help="The labelling.", required=True),
    Key("budget", Section(), help="Where the run ends with work left.", default_words="no end"),
)
KEYS = (
    Key(
        "work_dir",
        Text(),
        help="Directory to work in; relative paths start there.",
        default_words="launch directory",
    ),
    *keys_of(RunConfig),
    Key("init_data", _DATA, (), "Data sets of the first training."),
    Key("valid_data", _DATA, (), "Data sets to validate every training."),
    *SECTIONS,
    obsolete("reserve_feature", Anything(), "Once kept features."),
    obsolete("init_data_only_pretrain", Anything(), "Once trained on new data only."),
)


def load_run(root: Node) -> RunConfig:
    """Read param.json of run; `root.context.base` is the work directory.

    Raises
    ------
    InputError
        A key is wrong, a file is missing, or keys contradict each other.
    """
    values = read(root, KEYS)
    train = load_train(values["train"])
    strategy = load_strategy(values["strategy"])
    _check_uncertainty(values["strategy"], strategy, train)
    init_data = _data_sets(values["init_data"], values["data_format"])
    models = values["init_model_list"]
    _check_start_models(root.child("init_model_list", None), models, strategy, train)
    if not init_data and not models:
        given = ", ".join(shown(one.value) for one in values["init_data"][:3])
        missing = f"none of the data sets exists in {root.context.base}: {given}"
        message = missing if given else "no data set to begin with"
        raise root.child("init_data", None).error(f"{message}; init_model_list is not given either")
    own: dict[str, Any] = {key.attribute: values[key.attribute] for key in keys_of(RunConfig)}
    return RunConfig(
        file=root.context.file,
        work_dir=root.context.base,
        init_data=init_data,
        valid_data=_data_sets(values["valid_data"], values["data_format"]),
        train=train,
        strategy=strategy,
        explore=load_explore(values["explore"]),
        dft=load_dft(values["DFT"]),
        budget=load_budget(values["budget"]),
        **own,
    )


def _check_uncertainty(node: Node, strategy: StrategyConfig, train: TrainConfig) -> None:
    """Raise InputError for a measure of a library that the engine is not of."""
    found = strategy.uncertainty
    able = [name for name, entry in TRAINERS.items() if found in entry.measures]
    if able and train.engine not in able:
        raise node.child("uncertainty", None).error(
            f"found {found}; the engine {train.engine} does not tell it, {' and '.join(able)} does"
        )


def _data_sets(nodes: Sequence[Node], data_format: str) -> tuple[Path, ...]:
    made: list[Path] = []
    for node in nodes:
        path = Path(Text(one_line=True).convert(node))
        if is_there(node.context.base / path):
            found = existing(node, path, "directory" if FORMATS[data_format].folder else "file")
            if found in made:
                node.warn(f"{path} is given twice; its frames count twice")
            made.append(found)
        else:
            node.warn(f"there is no data set {path}; it is left out")
    return tuple(made)


def _check_start_models(
    node: Node, models: Sequence[Path], strategy: StrategyConfig, train: TrainConfig
) -> None:
    if models and len(models) != strategy.model_num:
        raise node.error(
            f"found {len(models)} models; strategy.model_num asks for {strategy.model_num}"
        )
    for position, model in enumerate(models):
        if model.suffix.lower() != ".txt" or not model.is_file():
            continue
        one = Node(None, f"{node.key}[{position}]", node.context)
        first_line = _beginning(model, 1000, one).partition(b"\n")[0]
        found = "NEP" if _NEP_MARK in first_line.lower() else ""
        if found and found != train.model_type:
            raise one.error(f"this is a {found} model; train.model_type is {train.model_type}")


def _beginning(path: Path, length: int, node: Node) -> bytes:
    """The first bytes of a file that `node` names."""
    try:
        with path.open("rb") as stream:
            return stream.read(length)
    except OSError as error:
        raise node.error(f"{path} cannot be read: {error.strerror}") from error
