"""``pwact init``: input files of a new campaign, from options or from answers at the terminal."""

from __future__ import annotations

import argparse
import shlex
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from pwact.cli import console
from pwact.cli.arguments.init import Question, questions
from pwact.errors import EXIT_DONE, UsageError
from pwact.registry.schedulers import EXECUTORS
from pwact.tools.init.examples import copy_example
from pwact.tools.init.inputs import (
    INIT_PARAM,
    RESOURCE,
    RUN_PARAM,
    FirstInputs,
    Wish,
    first_inputs,
    write,
)


def init(options: Namespace) -> int:
    """Write the input files of a new campaign into this directory."""
    here = Path.cwd()
    if options.example is not None:
        _demand_alone(options)
        target = copy_example(options.example, here)
        console.say(f"the example is in {target}; its README.md says how it is run")
        return EXIT_DONE
    _complete(options)
    made = first_inputs(_wish(options), here)
    write(made, here)
    console.say(summary(made))
    return EXIT_DONE


def _demand_alone(options: Namespace) -> None:
    """Raises UsageError for answers beside --example, which needs none."""
    given = [one.flag for one in questions() if getattr(options, one.attribute)]
    if given:
        raise UsageError(f"pwact init: --example copies files as they are; leave out {given[0]}")


def _complete(options: Namespace) -> None:
    """Ask for what is not given. Raises UsageError where nobody can be asked."""
    missing = [one for one in questions() if not getattr(options, one.attribute)]
    if missing and not sys.stdin.isatty():
        names = ", ".join(one.flag for one in missing)
        raise UsageError(f"pwact init: missing: {names} (without a terminal nothing is asked)")
    for one in missing:
        setattr(options, one.attribute, _asked(one))
    if EXECUTORS[options.scheduler].needs_queue and not options.queue:
        if not sys.stdin.isatty():
            raise UsageError(f"pwact init: missing: --queue, which {options.scheduler} needs")
        options.queue = _asked(Question("--queue", "queue or partition", str))


def _asked(question: Question) -> Any:
    """The answer of the user; a wrong one is asked for again. Raises UsageError."""
    default = f" [{question.default}]" if question.default else ""
    while True:
        text = console.ask(f"{question.words}{default}: ")
        if text is None:
            raise UsageError(f"pwact init: no answer to {question.flag}; nothing is written")
        text = text.strip() or question.default
        try:
            if text:
                return question.answer(text)
        except (argparse.ArgumentTypeError, ValueError) as error:
            console.show_error(str(error))


def _wish(options: Namespace) -> Wish:
    return Wish(
        structures=options.structure,
        train=options.train,
        label=options.label,
        scheduler=options.scheduler,
        temperatures=options.temps,
        target=options.target,
        queue=options.queue,
        ensemble=options.ensemble or "",
        pseudo=options.pseudo,
        data=options.data,
        cutoff_ry=options.cutoff,
        cpus=options.cpus,
        command=options.command,
        shortest=options.length,
    )


def summary(made: FirstInputs) -> str:
    """What was written, what is missing, and how to go on."""
    lines = [f"written: {', '.join(made.texts)}", *made.warnings]
    if made.to_supply:
        lines += ["bring these files, which are named in the input:"]
        lines += [f"  {one}" for one in made.to_supply]
    first, then, where = (shlex.quote(name) for name in (INIT_PARAM, RUN_PARAM, RESOURCE))
    return "\n".join(
        [
            *lines,
            "go on by:",
            f"  pwact check {first} {where}",
            f"  pwact init_bulk {first} {where}",
            f"  pwact run {then} {where}",
        ]
    )
