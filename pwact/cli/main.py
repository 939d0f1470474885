"""The program `pwact`: which command is asked for, and with which exit status it ends.

This is the only place that catches `PwactError`. Nothing heavy is imported here, so that help
answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Callable, NamedTuple, Optional

from pwact import __version__
from pwact.cli import console
from pwact.cli.arguments import build, campaign, final, init
from pwact.cli.parser import Parser
from pwact.cli.signals import Terminated
from pwact.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    PwactError,
    UsageError,
)

HELP_WORDS = frozenset({"-h", "help", "-help", "--help"})


class Command(NamedTuple):
    """One word that `pwact` understands.

    Attributes
    ----------
    line
        What it does, in one line.
    arguments
        Declares its arguments.
    bare
        Whether it runs without any argument; else that shows its help.
    module
        Which module of `pwact.cli.commands` holds its function.
    """

    line: str
    arguments: Callable[[Parser], None]
    bare: bool = False
    module: str = "campaign"


ALIASES = {"filter_test": "filter"}
EMPTY_IN_PWACT = {"init_surface": "build surface"}
COMMANDS = {
    "init": Command(
        "write the input files of a new campaign, or copy an example",
        init.init,
        bare=True,
        module="init",
    ),
    "build": Command(
        "make structures to begin with: surfaces, vacancies, atoms alone, dimers, amorphous ones",
        build.build,
        module="build",
    ),
    "init_bulk": Command(
        "make the first data set: relax, supercell, scale, perturb, AIMD", campaign.campaign
    ),
    "run": Command("active learning: train, explore, select, label, again", campaign.campaign),
    "label": Command(
        "label given frames, and make a data set of them", campaign.label, module="label"
    ),
    "check": Command("say what is wrong with a param.json and its resource.json", campaign.check),
    "status": Command(
        "tell how a campaign stands: stage, jobs, failures, time", campaign.status, bare=True
    ),
    "report": Command(
        "write one HTML page of a campaign: verdict, errors, frames in 3D, jobs, advice",
        campaign.report,
        bare=True,
    ),
    "final": Command(
        "make the folder of the force field, from the data so far",
        final.final,
        bare=True,
        module="final",
    ),
    "kill": Command("end the init_bulk or run of this directory, with its jobs", campaign.kill),
    "gather_pwdata": Command(
        "collect the data of a campaign", campaign.gather, bare=True, module="data"
    ),
    "to_pwdata": Command("make data sets of trajectories", campaign.convert, module="data"),
    "why": Command(
        "tell where a frame of a data set comes from, and why it was labelled",
        campaign.why,
        module="look",
    ),
    "schema": Command(
        "print a JSON Schema of an input file, for editors",
        campaign.schema,
        module="look",
    ),
    "draw": Command("draw deviations and the learning curve of a run", campaign.draw, bare=True),
    "filter": Command("count what limits on trial make of the explored frames", campaign.filter),
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run one command and return the exit status.

    Parameters
    ----------
    argv
        Words after the program's name; those of this process by default.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console.prepare()
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    failure: BaseException
    try:
        return _dispatch(words)
    except PwactError as error:
        failure, message, status = error, str(error), error.exit_code
    except Terminated as stop:
        failure, message, status = stop, str(stop), EXIT_STOPPED
    except KeyboardInterrupt as stop:
        failure, message, status = stop, "interrupted", EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        return EXIT_FAILED
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        failure, message, status = error, f"{place}{error.strerror or error}", EXIT_FAILED
    except ModuleNotFoundError as error:
        failure, message, status = error, _missing_module(error), EXIT_FAILED
    except Exception as error:  # noqa: BLE001  an error of ours is shown in one line, too
        hint = "" if debug else "; run with --debug for details"
        message = f"unexpected {type(error).__name__}: {error}{hint}"
        failure, status = error, EXIT_FAILED
    console.show_error(message, failure if debug else None)
    return status


def _missing_module(error: ModuleNotFoundError) -> str:
    return (
        f"the Python module {error.name} is not installed for {sys.executable}; in the checkout of "
        "pwact, pip install --use-pep517 '.[demo]' installs what pwact needs"
    )


def _dispatch(words: list[str]) -> int:
    if not words or words[0].lower() in HELP_WORDS:
        return _say(overview())
    if words[0].lower() == "--version":
        return _say(f"pwact {__version__}")
    name = ALIASES.get(words[0].lower(), words[0].lower())
    if name not in COMMANDS:
        raise UsageError(_unknown(words[0]))
    command = COMMANDS[name]
    parser = _parser(name, command)
    rest = words[1:]
    own = rest[1:] if rest and rest[0] in parser.kinds else rest
    if (not own and not command.bare) or _asks_for_help(own):
        return _say(parser.help_for(rest))
    options = parser.parse_args(rest)
    commands = import_module(f"pwact.cli.commands.{command.module}")
    status: int = getattr(commands, name)(options)
    return status


def _asks_for_help(words: list[str]) -> bool:
    return bool(words) and (
        words[0].lower() in HELP_WORDS or not {"-h", "--help"}.isdisjoint(words)
    )


def _parser(name: str, command: Command) -> Parser:
    parser = Parser(
        prog=f"pwact {name}", description=command.line, allow_abbrev=False, add_help=False
    )
    command.arguments(parser)
    parser.add_argument("-h", "--help", action="store_true", help="show this text")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def overview() -> str:
    """The list of commands."""
    lines = [f"  {name:<14} {command.line}" for name, command in COMMANDS.items()]
    text = [
        f"pwact {__version__}: training data for machine-learned force fields by active learning",
        "",
        "usage: pwact COMMAND …            (pwact COMMAND help: its arguments)",
        "",
        *lines,
        "",
        "  --version      show the version",
        "  --debug        show where an error came from",
        "",
        "exit status: 0 done, 1 failed, 2 wrong use or input, 3 stopped with work left,",
        "             130 interrupted",
    ]
    return "\n".join(text)


def _unknown(word: str) -> str:
    near = import_module("difflib").get_close_matches(word.lower(), COMMANDS, n=1)
    near = [EMPTY_IN_PWACT[word.lower()]] if word.lower() in EMPTY_IN_PWACT else near
    hint = f"did you mean {near[0]}?" if near else f"commands: {', '.join(COMMANDS)}"
    return f"unknown command {word!r}; {hint}"


def _say(text: str) -> int:
    console.say(text)
    return EXIT_DONE
