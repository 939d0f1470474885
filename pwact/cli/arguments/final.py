"""The arguments of ``pwact final``."""

from __future__ import annotations

from pwact.cli.arguments.campaign import path
from pwact.cli.parser import Parser


def final(parser: Parser) -> None:
    """What ``final`` takes."""
    where = "work directory of a run (default: here)"
    parser.add_argument("directory", nargs="?", type=path, default=".", help=where)
    more = "where its journal does not say, as in a campaign of PWact"
    for name in ("param", "resource"):
        help_text = f"{name}.json of the run, {more}"
        parser.add_argument(f"--{name}", metavar=name.upper(), type=path, help=help_text)
    parser.set_defaults(strict=False, redo=[], keep_finished=False, leave_failed=False)
