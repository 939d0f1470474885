"""The page for programs that drive pwact names commands, options and exit statuses as they are."""

from __future__ import annotations

import re
from pathlib import Path

from pwact.cli.main import ALIASES, COMMANDS
from pwact.cli.parser import Parser
from pwact.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    EXIT_WRONG_INPUT,
)

PAGE = (Path(__file__).parents[2] / "docs" / "programs.md").read_text(encoding="utf-8")
CALLS = re.findall(r"`pwact ([^`]+)`", PAGE)


def options(name: str) -> set[str]:
    """All options of a command and of what comes behind it."""
    parser = Parser(prog=name, add_help=False)
    COMMANDS[name].arguments(parser)
    every = [parser, *parser.kinds.values()]
    return {word for one in every for action in one._actions for word in action.option_strings}


def test_every_command_is_there_and_no_other() -> None:
    named = {call.split()[0] for call in CALLS}
    assert named == set(COMMANDS) - set(ALIASES)


def test_options_are_those_of_the_command() -> None:
    for call in CALLS:
        name, *words = call.split()
        asked = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
        assert asked <= options(name), call


def test_json_is_named_wherever_there_is_some() -> None:
    shown = {call.split()[0] for call in CALLS if "--json" in call.split()}
    assert shown == {name for name in COMMANDS if "--json" in options(name)}


def test_the_exit_statuses() -> None:
    table = PAGE.partition("## Exit status")[2].partition("##")[0]
    statuses = [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)]
    assert statuses == [EXIT_DONE, EXIT_FAILED, EXIT_WRONG_INPUT, EXIT_STOPPED, EXIT_INTERRUPTED]
