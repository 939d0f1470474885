"""How much a pair of input files asks for."""

from __future__ import annotations

from typing import Union

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.init_entry import SystemEntry
from pwact.config.run import RunConfig
from pwact.query.driving import least_rounds
from pwact.workflow.conditions import Plan, plan_of
from pwact.workflow.systems import all_systems, systems_of


def amount(config: Union[RunConfig, InitConfig]) -> str:
    """Say how many trainings, MDs and labels are asked for."""
    return _of_run(config) if isinstance(config, RunConfig) else _of_init_bulk(config)


def _of_run(config: RunConfig) -> str:
    plan, systems = plan_of(config), all_systems(config)
    runs = sum(len(list(one.runs())) for one in systems)
    labels = sum(one.limit for one in systems)
    if plan.target is None:
        return (
            f"asked for: {plan.conditions} iterations, {runs} MDs in all, at most {labels} labels, "
            f"{plan.conditions + 1} trainings of each model"
        )
    conditions = "1 condition" if plan.conditions == 1 else f"{plan.conditions} conditions"
    return (
        f"asked for: a force error of {plan.target:g} eV/Å in {conditions}: at most {plan.longest} "
        f"iterations ({plan.most} a condition), {runs * plan.most} MDs, {labels * plan.most} "
        f"labels, {plan.longest + 1} trainings of each model{_too_few(config, plan)}"
    )


def _too_few(config: RunConfig, plan: Plan) -> str:
    """What to say where a condition has fewer iterations than it takes to be reached; else ""."""
    conditions = (systems_of(config, number, number) for number in range(plan.conditions))
    least = max(least_rounds(sum(one.limit for one in systems)) for systems in conditions)
    if plan.most >= least:
        return ""
    return (
        f". With strategy.max_iterations of {plan.most} the target cannot be reached: that takes "
        f"at least {least} iterations of a condition"
    )


def _of_init_bulk(config: InitConfig) -> str:
    words = ", ".join(f"{count} {word}" for count, word, _ in init_bulk_parts(config) if count)
    return f"asked for: {words or 'no calculation'}"


def init_bulk_parts(config: InitConfig) -> list[tuple[int, str, str]]:
    """How many tasks of each sort there are, what they are called, and the kind of their jobs."""
    relaxed = sum(bool(entry.relax) for entry in config.systems)
    aimd = sum(_distorted(entry) for entry in config.systems if entry.aimd)
    scripted = sum(_distorted(entry) for entry in config.systems if entry.bigmodel)
    alone = sum(_distorted(entry) for entry in config.systems if entry.scf and not entry.has_md)
    if config.scf_max_num is not None:
        alone = min(alone, config.scf_max_num)
    return [
        (relaxed, "relaxations", layout.RELAX),
        (aimd, "AIMDs", layout.AIMD),
        (scripted, "MDs by a script", layout.BIGMODEL),
        (alone, "labels of structures", layout.SCF),
    ]


def _distorted(entry: SystemEntry) -> int:
    """How many structures are made of an entry."""
    return max(1, len(entry.scale or ())) * max(1, int(entry.perturb or 0))
