"""An input as the version understood it that began the campaign, where that changes numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Union

from pwact import layout
from pwact.config.init_bulk import InitConfig
from pwact.config.labeling import LabelConfig
from pwact.config.run import RunConfig
from pwact.io.journal import Journal
from pwact.workflow.opening import counts_once, ends_with_final, labels_structures

_Events = Sequence[Mapping[str, Any]]


def as_begun(config: Union[RunConfig, InitConfig]) -> Union[RunConfig, InitConfig]:
    """The input of a campaign that may lie in its work directory already."""
    events = Journal(config.work_dir / layout.STATE_DIR / layout.JOURNAL).events()
    if isinstance(config, RunConfig):
        return run_as_begun(config, events)
    return init_as_begun(config, events)


def run_as_begun(config: RunConfig, events: _Events) -> RunConfig:
    """The input of a run: as version 0.5.0 took it, where that began it.

    Labels by ASE hold ``energy``, what belongs to atoms is left out, and no folder ``final`` is
    made unless the input asks for it.
    """
    if config.final is None:
        config = replace(config, final=ends_with_final(events))
    if counts_once(events, "run"):
        return config
    return replace(config, dft=_as_given(config.dft))


def init_as_begun(config: InitConfig, events: _Events) -> InitConfig:
    """The input of an init_bulk, likewise; and as before ``scf`` labelled structures without MD."""
    if not labels_structures(events):
        systems = (one if one.has_md else replace(one, scf=False) for one in config.systems)
        config = replace(config, systems=tuple(systems))
    if counts_once(events, "init_bulk"):
        return config
    relax, aimd, scf = map(_as_given, (config.relax, config.aimd, config.scf))
    return replace(config, relax=relax, aimd=aimd, scf=scf)


def _as_given(config: LabelConfig) -> LabelConfig:
    return replace(config, energy_as_given=True, bare_atoms=True)
