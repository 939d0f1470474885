"""An input as the version understood it that began the campaign, where that changes numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pwact.config.init_bulk import InitConfig
from pwact.config.run import RunConfig
from pwact.workflow.opening import counts_once

_Events = Sequence[Mapping[str, Any]]


def run_as_begun(config: RunConfig, events: _Events) -> RunConfig:
    """The input of a run: labels by ASE hold ``energy`` where version 0.5.0 began it."""
    if counts_once(events, "run"):
        return config
    return replace(config, dft=replace(config.dft, energy_as_given=True))


def init_as_begun(config: InitConfig, events: _Events) -> InitConfig:
    """The input of an init_bulk, likewise."""
    if counts_once(events, "init_bulk"):
        return config
    relax, aimd, scf = (
        replace(one, energy_as_given=True) for one in (config.relax, config.aimd, config.scf)
    )
    return replace(config, relax=relax, aimd=aimd, scf=scf)
