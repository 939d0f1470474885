"""The command that makes the folder of the force field."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from pwact.cli import console, logs
from pwact.cli.commands.campaign import campaign_of, checked
from pwact.config.run import RunConfig
from pwact.errors import EXIT_DONE, InputError, UsageError
from pwact.takeover.campaign import plan as plan_takeover
from pwact.takeover.campaign import take_over
from pwact.workflow.force_field import force_field_so_far, has_run, inputs_of


def final(options: Namespace) -> int:
    """Make the force field of the data so far."""
    directory = Path(options.directory).absolute()
    launch = _complete(options, directory)
    pair = checked(options, "run", launch)
    assert isinstance(pair.config, RunConfig)
    work_dir = pair.config.work_dir
    if work_dir.resolve() != directory.resolve():
        raise InputError(f"these files belong to a run in {work_dir}", directory)
    takeover = plan_takeover(pair.config, pair.resources)
    if takeover is None and not has_run(work_dir):
        raise UsageError(f"{work_dir}: no run of pwact, nor one of PWact, was begun here")
    with campaign_of(options, pair, launch) as campaign:
        take_over(campaign, takeover)
        folder = force_field_so_far(pair.config, pair.resources, campaign)
        summary = f"the force field is in {folder}; its README.txt says how to load it"
        logs.result(summary)
    console.announce(summary)
    return EXIT_DONE


def _complete(options: Namespace, directory: Path) -> Path:
    """Put the input files of the run into `options`; return where their paths start.

    Raises
    ------
    UsageError
        The journal does not say which they are, and they are not given.
    """
    known = inputs_of(directory)
    for name in ("param", "resource"):
        given = getattr(options, name)
        if given is None and name not in known:
            raise UsageError(
                f"{directory}: which {name}.json the run has is not on record; give --{name} "
                f"{name.upper()}"
            )
        path = Path.cwd() / given if given is not None else directory / known[name]
        setattr(options, name, str(path.resolve()))
    return (directory / known.get("launch", ".")).resolve()
