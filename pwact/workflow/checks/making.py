"""Makes calculators and reads models to begin with once, here: part of ``pwact check``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pwact.config.param import LoadedPair
from pwact.config.resources import ResourceBlock
from pwact.config.run import RunConfig
from pwact.engines.lammps.styles import pair_style_trial
from pwact.engines.making import MakesCalculator
from pwact.errors import InputError
from pwact.executors import programs
from pwact.executors.once import run_once
from pwact.executors.script import environment
from pwact.workflow.init_bulk.chain import chain_of
from pwact.workflow.turn import Engines, engines_of

LIMIT_S = 60.0
_HIDDEN = {"CUDA_VISIBLE_DEVICES": ""}  # of a machine that others use as well


def calculator_warnings(pair: LoadedPair, limit_s: float = LIMIT_S) -> list[str]:
    """Make each calculator, and read each model to begin with, in a directory that is deleted.

    Returns
    -------
    list of str
        What is to be said about it.

    Where the jobs run on other machines a failure here proves nothing: it is a warning.

    Raises
    ------
    InputError
        A calculator of this machine cannot be made, or a model not be begun with.
    """
    warnings = []
    for one in makers(pair):
        what, made, later = one.trial
        if why := _why_not(one.block):
            warnings.append(f"{one.input_file}: {what}: not {made} here, since {why}; {later} does")
            continue
        try:
            words = _made(one, limit_s)
        except InputError as error:
            if one.block.here:
                raise
            words = f"{error}; its jobs run elsewhere, where {later} tells"
        warnings += [words] if words else []
    return warnings


def makers(pair: LoadedPair) -> Iterator[MakesCalculator]:
    """Each input file once, with the block whose program makes its calculator or reads a model."""
    config, resources = pair.config, pair.resources
    if isinstance(config, RunConfig):
        engines = engines_of(config, resources)
        labelers: list[object] = [engines.labeler, *model_trials(config, engines)]
    else:
        chain = chain_of(config, resources)
        labelers = [*chain.relax.values(), *chain.aimd.values(), *chain.scf.values()]
    found = {
        (one.input_file, one.block.name): one
        for one in labelers
        if isinstance(one, MakesCalculator)
    }
    yield from found.values()


def model_trials(config: RunConfig, engines: Engines) -> list[MakesCalculator]:
    """What is tried of the models: those to begin with, and the LAMMPS that shall load them."""
    found = (engines.trainer.reading(), pair_style_trial(config, engines.explore))
    return [one for one in found if one is not None]


def _why_not(block: ResourceBlock) -> str:
    """Why the program of a block cannot be started here; "" if it can."""
    if programs.brought(block):
        return f"{block.name} of {block.file} brings its Python by modules or a script"
    if programs.serial(block.command) is None:
        return f"only a shell can tell what {block.name}.command starts"
    if lacking := programs.missing(block.command):
        return f"{lacking[-1]} is not in PATH on this machine"
    return ""


def _made(one: MakesCalculator, limit_s: float) -> str:
    """Make it; "" or a warning. Raises InputError if it cannot be made."""
    what, made, later = one.trial
    place = Path(tempfile.mkdtemp(prefix="pwact-check-"))
    try:
        one.write_making(place)
        command = one.making_command(programs.serial(one.block.command) or "")
        here = {} if one.block.here else _HIDDEN
        ended = run_once([*environment(one.block), "set +eu", command], place, limit_s, here)
        if not ended.in_time:
            return (
                f"{one.input_file}: {what}: was not {made} within {limit_s:g} s, so nothing is "
                f"known about it; {later} waits for it"
            )
        one.read_making(place, ended.printed)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return ""
