"""Keys of the training programs: declared once, in the program's own spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pwact.config import nep_in
from pwact.config.document import plain
from pwact.config.engine_keys import EngineKeys
from pwact.config.kinds import Anything, Choice, Flag, Items, Real, Section, Text, Whole
from pwact.config.network_keys import MACE, SEVENNET, read_yaml
from pwact.config.schema import Key, Node, keys_by_name, nearest
from pwact.config.shapes import Shape
from pwact.registry import Entry
from pwact.registry.engines import TRAINERS

_COUNT = Whole(1)
_WEIGHT = Real(0.0)
_SIZES = Items(Whole(1), low=1)
OPTIMIZERS = ("LKF", "GKF", "ADAM", "ADAMW", "SGD")  # in the spelling that MatPL insists on
_LARGEST_SEED = 2**63 - 1  # another program wrote it; it is replaced
_SURE = 0.8  # likeness of two names from which one is taken for a slip of the pen


@dataclass(frozen=True)
class FlagOrObject:
    """A truth value, or an object with details."""

    words: str = "true, false or object"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": ["boolean", "object"]}

    def convert(self, node: Node) -> Any:
        """The value as it is."""
        if not isinstance(node.value, (bool, dict)):
            raise node.wrong(self.words)
        return node.value


def _factors(stem: str, **defaults: float) -> tuple[Key, ...]:
    return tuple(
        Key(f"{stem}_{name}", _WEIGHT, default, f"Weight of {name} in the loss.")
        for name, default in defaults.items()
    )


_EMBEDDING = (
    Key("physical_property", Items(Text()), help="Properties that tell the elements apart (DP)."),
    Key("network_size", _SIZES, help="Layers of the embedding network."),
)
MATPL: Mapping[str, tuple[Key, ...]] = {
    "": (
        Key("seed", Whole(0, _LARGEST_SEED), help="Replaced by a seed of each model."),
        Key("precision", Choice(("float32", "float64")), "float64", "Precision of the network."),
        Key("recover_train", Flag(), help="Go on from the last checkpoint."),
        Key("model_load_file", Text(), help="Start model, where no other is known."),
        Key("nep_txt_file", Text(), help="Start model of NEP, likewise."),
        Key("max_neigh_num", _COUNT, 100, "Largest number of neighbours (DP)."),
        Key("data_shuffle", Flag(), True, "Shuffle the data."),
        Key("valid_shuffle", Flag(), help="Shuffle the validation data."),
        Key("train_valid_ratio", Real(0.0, 1.0), help="Obsolete."),
        Key("format", Text(), help="Set by the loop."),
        Key("train_data", Anything(), help="Set by the loop."),
        Key("valid_data", Anything(), help="Set by the loop."),
        Key("test_data", Anything(), help="Not used by training."),
        Key("raw_files", Anything(), help="Obsolete."),
        Key("type_embedding", FlagOrObject(), False, "Embedding of the elements (DP)."),
        Key("save_p_matrix", Flag(), False, "Keep P of the Kalman filter; set for KPU."),
        Key("save_step", _COUNT, help="Steps between two checkpoints."),
        Key("max_save_num", _COUNT, 10, "Checkpoints that are kept."),
        Key("batch_max_types", Whole(-1), -1, "Largest number of elements in a batch."),
        Key("fix_cij", Flag(), help="Keep these weights."),
        Key("fix_hiddenlayer", Flag(), help="Keep these weights."),
        Key("fix_outlayer", Flag(), help="Keep these weights."),
        Key("train_2b", Flag(), help="Train the two-body part only."),
        Key("feature_type", Anything(), help="Features of older models."),
        Key("optimizer", Section(), help="See train.optimizer."),
        Key("model", Section(), help="See train.model."),
    ),
    "optimizer": (
        Key("optimizer", Choice(OPTIMIZERS), "LKF", "The optimizer."),
        Key("epochs", _COUNT, 30, "Passes over the data."),
        Key("batch_size", _COUNT, 1, "Frames in a batch."),
        Key("print_freq", _COUNT, 10, "Batches between two lines of the log."),
        Key("block_size", _COUNT, 5120, "LKF: largest block of weights."),
        Key("p0_weight", Real(high=1.0, positive=True), 0.01, "LKF, GKF: P at the start."),
        Key("kalman_lambda", Real(high=1.0, positive=True), 0.98, "LKF, GKF: memory factor."),
        Key("kalman_nue", Real(high=1.0, positive=True), 0.9987, "LKF, GKF: its growth."),
        Key("nselect", _COUNT, 24, "LKF: atoms whose forces are used."),
        Key("groupsize", _COUNT, 6, "LKF: atoms in a group."),
        Key("train_energy", Flag(), True, "Train energies."),
        Key("train_force", Flag(), True, "Train forces."),
        Key("train_virial", Flag(), False, "Train virials."),
        Key("train_ei", Flag(), False, "Train atomic energies."),
        Key("train_egroup", Flag(), False, "Train energies of groups."),
        *_factors("pre_fac", force=2.0, etot=1.0, virial=1.0, ei=1.0, egroup=0.1),
        Key("reset_epoch", Flag(), help="Count the epochs from 0 again; set for warm starts."),
        Key("start_epoch", Whole(0), 1, "Number of the first epoch."),
        Key("learning_rate", Real(positive=True), 1e-3, "ADAM: learning rate at the start."),
        Key("stop_lr", Real(positive=True), 3.51e-8, "ADAM: learning rate at the end."),
        Key("stop_step", _COUNT, 1_000_000, "ADAM: step at which stop_lr is reached."),
        Key("decay_step", _COUNT, 5000, "ADAM: steps between two falls of the rate."),
        Key("lambda_2", _WEIGHT, help="ADAM: weight of L2 regularization."),
        *_factors("start_pre_fac", force=1000.0, etot=0.02, virial=50.0, ei=0.1, egroup=0.02),
        *_factors("end_pre_fac", force=1.0, etot=1.0, virial=1.0, ei=2.0, egroup=1.0),
        Key("max_norm", Real(positive=True), help="ADAM: largest norm of the gradient."),
        Key("norm_type", Whole(1, 2), 2, "ADAM: kind of that norm."),
        Key("clip_value", Real(positive=True), help="ADAM: largest component of the gradient."),
        Key("t_0", _COUNT, help="ADAM: first period of warm restarts."),
        Key("t_mult", _COUNT, help="ADAM: growth of the periods."),
    ),
    "model": (
        Key("descriptor", Section(), help="See train.model.descriptor."),
        Key("fitting_net", Section(), help="See train.model.fitting_net."),
        Key("type_embedding", FlagOrObject(), help="Of DeePMD-kit; MatPL looks in the descriptor."),
    ),
    "model.descriptor": (
        Key("Rmax", Real(high=100.0, positive=True), 6.0, "Cutoff (DP).", "Å"),
        Key("Rmin", Real(0.0, 100.0), 0.5, "Where the cutoff function sets in (DP).", "Å"),
        Key("M2", _COUNT, 16, "Columns of the second embedding matrix (DP)."),
        Key("network_size", _SIZES, [25, 25, 25], "Layers of the embedding network (DP)."),
        Key("type_embedding", FlagOrObject(), help="Embedding of the elements (DP)."),
        Key("cutoff", Items(Real(high=100.0, positive=True), 1, 2), [6, 6], "Cutoffs (NEP).", "Å"),
        Key("n_max", Items(Whole(0, 19), 1, 2), [4, 4], "Radial functions (NEP)."),
        Key("basis_size", Items(Whole(1, 19), 1, 2), [12, 12], "Size of the basis (NEP)."),
        Key("l_max", Items(Whole(0, 4), 1, 3), [4, 2, 1], "Angular orders (NEP)."),
        Key("zbl", Real(1.0, 5.0), help="Cutoff of the ZBL repulsion (NEP).", unit="Å"),
    ),
    "model.descriptor.type_embedding": _EMBEDDING,
    "model.type_embedding": _EMBEDDING,
    "type_embedding": _EMBEDDING,
    "model.fitting_net": (
        Key("network_size", _SIZES, help="Layers of the fitting network; DP ends with 1."),
    ),
}
_NETWORK_MORE = (
    Key("resnet_dt", Flag(), help="DeePMD-kit: time step in the residual network."),
    Key("activation_function", Text(), help="DeePMD-kit: activation function."),
)
DEEPMD_MORE: Mapping[str, tuple[Key, ...]] = {
    "optimizer": (Key("numb_steps", _COUNT, help="DeePMD-kit: training steps, for epochs."),),
    "model.descriptor": (
        Key("sel", Anything(), help="DeePMD-kit: neighbours by element, for max_neigh_num."),
        Key("type_one_side", Flag(), help="DeePMD-kit: one network per neighbour element."),
        Key("tebd_dim", _COUNT, help="DeePMD-kit: size of the embedding of elements."),
        *_NETWORK_MORE,
    ),
    "model.fitting_net": _NETWORK_MORE,
}
DEEPMD = {section: (*keys, *DEEPMD_MORE.get(section, ())) for section, keys in MATPL.items()}
DPA_MORE: Mapping[str, tuple[Key, ...]] = {
    "": (
        Key(
            "model_branch",
            Text(one_line=True),
            help="The branch of train.foundation to begin with, if it has several.",
        ),
    ),
}
_RADIAL = Whole(0, 100)
_ANGULAR = Whole(0, 20)
POD: Mapping[str, tuple[Key, ...]] = {
    "": (
        Key("rcut", Real(high=100.0, positive=True), 5.0, "Outer cutoff.", "Å"),
        Key("rin", Real(0.0, 100.0), 1.0, "Inner cutoff.", "Å"),
        Key("bessel_polynomial_degree", Whole(1, 20), 4, "Degree of the Bessel part."),
        Key("inverse_polynomial_degree", Whole(1, 20), 8, "Degree of the inverse part."),
        Key("onebody", Whole(0, 1), 1, "1: an energy per element."),
        Key("twobody_number_radial_basis_functions", _RADIAL, 8, "Two-body radial functions."),
        Key("threebody_number_radial_basis_functions", _RADIAL, 6, "Three-body radial functions."),
        Key("threebody_angular_degree", _ANGULAR, 4, "Three-body angular degree."),
        Key("fourbody_number_radial_basis_functions", _RADIAL, 3, "Four-body radial functions."),
        Key("fourbody_angular_degree", _ANGULAR, 2, "Four-body angular degree."),
        Key("fivebody_number_radial_basis_functions", _RADIAL, 0, "Five-body radial functions."),
        Key("fivebody_angular_degree", _ANGULAR, 0, "Five-body angular degree."),
        Key("fitting_weight_energy", _WEIGHT, 100.0, "Weight of energies in the fit."),
        Key("fitting_weight_force", _WEIGHT, 1.0, "Weight of forces in the fit."),
        Key("fitting_regularization_parameter", _WEIGHT, 1e-10, "Regularization of the fit."),
        Key("p0_weight", Real(positive=True), 0.01, "KPU: variance of a coefficient without data."),
        Key("kalman_lambda", Real(high=1.0, positive=True), 1.0, "KPU: memory factor of a value."),
    )
}


_DP_CUTOFF = {"DP": ("model.descriptor", "Rmax")}
_MATPL_CUTOFFS = {**_DP_CUTOFF, "NEP": ("model.descriptor", "cutoff")}
_DEEPMD_KIT = EngineKeys(
    ("DP",),
    "DP",
    DEEPMD,
    native_key="training",
    smaller_batches="those that it has of one composition",
    cutoffs=_DP_CUTOFF,
)
_DPA = {section: (*keys, *DPA_MORE.get(section, ())) for section, keys in DEEPMD.items()}
_DECLARED: Mapping[str, EngineKeys] = {
    "matpl": EngineKeys(("DP", "NEP"), None, MATPL, whole_batches=True, cutoffs=_MATPL_CUTOFFS),
    "deepmd": _DEEPMD_KIT,
    "deepmd-pytorch": _DEEPMD_KIT,
    "dpa": replace(_DEEPMD_KIT, sections=_DPA, begins_pretrained=True),
    "pod": EngineKeys(("POD",), "POD", POD, passes_unknown=False, cutoffs={"POD": ("", "rcut")}),
    "sevennet": EngineKeys(
        ("SEVENNET",),
        "SEVENNET",
        {"": SEVENNET},
        passes_unknown=False,
        batch="batch_size",
        read_native=read_yaml,
        cutoffs={"SEVENNET": ("", "cutoff")},
        begins_pretrained=True,
    ),
    "torchnep": EngineKeys(
        ("NEP",),
        "NEP",
        {"": nep_in.KEYS},
        passes_unknown=False,
        batch="batch",
        read_native=nep_in.read_nep_in,
        cutoffs={"NEP": ("", "cutoff")},
        begins_pretrained=True,
    ),
    "mace": EngineKeys(
        ("MACE",),
        "MACE",
        {"": MACE},
        passes_unknown=False,
        batch="batch_size",
        read_native=read_yaml,
        cutoffs={"MACE": ("", "cutoff")},
        begins_pretrained=True,
    ),
}


class _Engines(Mapping[str, EngineKeys]):
    """The keys of every trainer: those above, and those that its line in the registry names."""

    def __getitem__(self, engine: str) -> EngineKeys:
        if engine in _DECLARED:
            return _DECLARED[engine]
        own, name = TRAINERS[engine].keys, engine.upper()
        found: EngineKeys = Entry(own).load() if own else EngineKeys((name,), name, {"": ()})
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(TRAINERS)

    def __len__(self) -> int:
        return len(TRAINERS)


ENGINES = _Engines()


def defaults(engine: str) -> dict[str, Any]:
    """Top-level key → default of an engine."""
    return {key.name: key.default for key in ENGINES[engine].sections[""]}


def settings_of(node: Node, engine: str, own: frozenset[str]) -> dict[str, Any]:
    """The training keys of the user, known ones checked and in the program's spelling.

    Parameters
    ----------
    own
        Lower-case keys of the section that are not meant for the program.

    Raises
    ------
    InputError
        The value of a known key is wrong.
    """
    return _section(node, ENGINES[engine], "", own)


def _section(node: Node, engine: EngineKeys, section: str, own: frozenset[str]) -> dict[str, Any]:
    known = keys_by_name(engine.sections[section])
    made: dict[str, Any] = {}
    for name, member in node.members().items():
        written = member.key.rpartition(".")[2]
        key = known.get(name)
        if name in own:
            continue
        if key is None:
            _report(member, written, [one.name for one in known.values()], engine)
            if engine.passes_unknown:
                made[written] = plain(member.value)
            continue
        converted = key.kind.convert(member)
        below = f"{section}.{key.name}".lstrip(".")
        if below in engine.sections and isinstance(member.value, dict):
            made[key.name] = _section(member, engine, below, frozenset())
        else:
            # a program with a fixed set of keys gets the checked value, others the user's own
            made[key.name] = plain(member.value) if engine.passes_unknown else _listed(converted)
    return made


def _listed(value: Any) -> Any:
    """As JSON has it, which knows no tuples."""
    return list(value) if isinstance(value, tuple) else value


def _report(member: Node, written: str, names: list[str], engine: EngineKeys) -> None:
    near = nearest(written, names, _SURE)
    fate = "passed on" if engine.passes_unknown else "ignored"
    hint = f"; did you mean {near}?" if near else ""
    if near or not engine.passes_unknown:
        member.unknown(fate, hint)
