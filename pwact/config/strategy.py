"""The section ``strategy`` of a run: what is a candidate, and how many are taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from pwact.config.document import shown
from pwact.config.kinds import Anything, Choice, Flag, Located, Real, Whole
from pwact.config.schema import Node, Usual, chosen, declare, keys_of, obsolete, read
from pwact.registry.picks import PICKS
from pwact.registry.uncertainties import UNCERTAINTIES

SMALLEST_COMMITTEE = 3
WINDOW = (
    *("lower_model_devi_f", "upper_model_devi_f", "kpu_lower", "kpu_upper"),
    *("grade_lower", "grade_upper"),
)


@dataclass(frozen=True)
class StrategyConfig:
    """How candidates are chosen. The window is lower <= max_devi_f < upper, in eV/Å."""

    uncertainty: str = declare(
        "committee", Choice(UNCERTAINTIES), "Where the uncertainty comes from."
    )
    model_num: int = declare(
        4,
        Whole(1, 100),
        "Models of the committee, at least 3; with kpu and extrapolation always 1.",
    )
    lower_model_devi_f: float = declare(
        0.05,
        Real(0.0),
        "Below it a frame is accurate.",
        unit="eV/Å",
        aliases=("lower_model_deiv_f",),
    )
    upper_model_devi_f: float = declare(
        0.15,
        Real(0.0),
        "From it on a frame is failed.",
        unit="eV/Å",
        aliases=("upper_model_deiv_f",),
    )
    kpu_lower: float = declare(5.0, Real(positive=True), "Lower limit = base x kpu_lower.")
    kpu_upper: float = declare(10.0, Real(positive=True), "Upper limit = lower limit x kpu_upper.")
    grade_lower: float = declare(
        2.0, Real(positive=True), "With extrapolation: below this grade a frame is accurate."
    )
    grade_upper: float = declare(
        1000.0, Real(positive=True), "With extrapolation: from this grade on a frame is failed."
    )
    target_force_error: Optional[float] = declare(
        None,
        Real(positive=True),
        "The force error that is needed, RMSE of a frame's force components. The campaign then "
        "finds its limits itself.",
        unit="eV/Å",
        usual=Usual(0.001, 1.0),
    )
    max_iterations: int = declare(
        5,
        Whole(1, 1000),
        "With target_force_error: at most so many iterations for each element of explore.md_jobs.",
    )
    max_select: Optional[int] = declare(
        None,
        Whole(1),
        "At most this many candidates of each explored structure, where select_sys is absent.",
        default_words="100, with target_force_error 10",
    )
    pick: Optional[str] = declare(
        None,
        Choice(PICKS),
        "How candidates are chosen where there are more than asked for.",
        default_words="random; see run.md for target_force_error",
    )
    lmps_tolerance: bool = declare(
        True, Flag(), "MD that dies early still counts if it left deviations."
    )
    md_type: int = declare(2, Whole(1, 2), "2: the pair style of the engine; 1 is not available.")
    kpu_format: str = declare(
        "pwmat/config",
        Choice(("pwmat/config", "lammps/dump", "config", "dump")),
        "MatPL: format in which `MatPL kpu` is given the frames; config and dump: older PWMLFF.",
    )
    kpu_probes: Optional[int] = declare(
        None,
        Whole(0),
        "Random vectors by which the KPU of the forces is estimated, where P is of gradients of a "
        "network; 0 computes every component.",
        default_words="deepmd-pytorch 16, mace 2, sevennet 1; torchnep draws weights",
    )
    compress: bool = declare(False, Flag(), "Compress the models (DP only, not with kpu).")
    compress_order: int = declare(3, Whole(3, 5), "Order of the compression: 3 or 5.")
    compress_dx: float = declare(0.01, Real(positive=True), "Step of the compression table.")
    direct: bool = declare(False, Flag(), "Filter the candidates by the user's DIRECT script.")
    direct_script: Optional[Path] = declare(
        None, Located(), "The DIRECT script; required if direct is true."
    )


KEYS = (
    *keys_of(StrategyConfig),
    obsolete("base_kpu_max_images", Anything(), "Once frames of the KPU base."),
    obsolete("base_kpu_mvm_ratio", Anything(), "Once the ratio of the KPU base."),
)


def load_strategy(node: Node) -> StrategyConfig:
    """Read the section ``strategy``.

    Raises
    ------
    InputError
        A key is wrong or contradicts another.
    """
    values = read(node, KEYS)
    if values["target_force_error"] is None:
        values["pick"] = values["pick"] or "random"
        _demand_target(node)
    else:
        _demand_no_window(node)
    if UNCERTAINTIES[values["uncertainty"]].single:
        values["model_num"] = 1
    for name, message in _errors(values):
        if message:
            raise node.child(name, None).error(message)
    return StrategyConfig(**values)


def _demand_target(node: Node) -> None:
    """Raise InputError for a key that says nothing without a target."""
    members = node.members()
    for key in KEYS:
        found = chosen(members, key) if key.name == "max_iterations" else None
        if found is not None:
            raise found.error(
                f"found {shown(found.value)}; it counts only with target_force_error, which is not "
                "given: without it element i of explore.md_jobs is iteration i"
            )


def _demand_no_window(node: Node) -> None:
    """Raise InputError where limits are given beside a target, which finds them itself."""
    members = node.members()
    declared = (key for key in KEYS if key.name in WINDOW)
    given = [found for key in declared if (found := chosen(members, key)) is not None]
    if given:
        names = ", ".join(one.key.rpartition(".")[2] for one in given)
        raise given[0].error(
            "with a target the campaign finds its limits itself; take target_force_error or "
            f"{names} out"
        )


def _errors(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys and what is wrong with them; "" where nothing is."""
    models = values["model_num"]
    lower, upper = values["lower_model_devi_f"], values["upper_model_devi_f"]
    judge = values["uncertainty"]
    single = UNCERTAINTIES[judge].single
    few = not single and models < SMALLEST_COMMITTEE
    return [
        ("model_num", f"found {models}; a committee has at least 3 models" if few else ""),
        (
            "lower_model_devi_f",
            f"found {lower:g}; it must be below upper_model_devi_f ({upper:g})"
            if lower >= upper
            else "",
        ),
        (
            "grade_lower",
            f"found {values['grade_lower']:g}; it must be below grade_upper "
            f"({values['grade_upper']:g})"
            if values["grade_lower"] >= values["grade_upper"]
            else "",
        ),
        (
            "kpu_upper",
            "it multiplies the lower limit, so it must be larger than 1"
            if values["kpu_upper"] <= 1.0
            else "",
        ),
        ("md_type", "1 is not available; expected 2" if values["md_type"] == 1 else ""),
        ("compress_order", "found 4; expected 3 or 5" if values["compress_order"] == 4 else ""),
        (
            "compress",
            f"{judge} and compress exclude each other" if values["compress"] and single else "",
        ),
        (
            "direct",
            "with target_force_error some frames are labelled that were chosen at random, to prove "
            "the error, so no script may choose among them; take direct or the target out"
            if values["direct"] and values["target_force_error"] is not None
            else "",
        ),
        (
            "direct_script",
            "this key is required if direct is true"
            if values["direct"] and values["direct_script"] is None
            else "",
        ),
    ]
