"""``pwact build``: structures to begin with, as files."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from pwact.cli import console
from pwact.cli.commands.data import quoted
from pwact.errors import EXIT_DONE
from pwact.tools.structures.built import write
from pwact.tools.structures.kinds import built

PERIODIC = (
    "all are periodic along all three axes, as most codes need it; vacuum keeps the images apart\n"
    "entries of sys_configs:"
)


def build(options: Namespace) -> int:
    """Write structures of one kind."""
    made = built(options)
    paths = write(made, Path(options.output))
    lines = [f"{one.name}: {one.said}" for one in made]
    console.say("\n".join([*lines, PERIODIC, quoted(paths)]))
    return EXIT_DONE
