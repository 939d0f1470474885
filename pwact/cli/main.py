"""The program `pwact`: which command is asked for, and with which exit status it ends.

This is the only place that catches `PwactError`. Nothing heavy is imported here, so that help
answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, NoReturn, Optional

from pwact import __version__
from pwact.cli import console
from pwact.cli.signals import Terminated
from pwact.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_STOPPED,
    PwactError,
    UsageError,
)

if TYPE_CHECKING:
    from fractions import Fraction

HELP_WORDS = frozenset({"-h", "help", "-help", "--help"})


class Parser(argparse.ArgumentParser):
    """Argument parser of one command: usage errors are raised, not printed."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the usage line."""
        usage = " ".join(self.format_usage().split())
        raise UsageError(f"{self.prog}: {message}\n{usage}")


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
    """

    line: str
    arguments: Callable[[Parser], None]
    bare: bool = False


def _pair(parser: Parser) -> None:
    parser.add_argument("param", type=_path, help="param.json: what to do")
    parser.add_argument("resource", type=_path, help="resource.json: where and how the jobs run")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="unknown keys and labels that cannot be right are errors",
    )


def _campaign(parser: Parser) -> None:
    _pair(parser)
    parser.add_argument(
        "--redo",
        metavar="STAGE",
        action="append",
        default=[],
        help="do a finished stage again, and what depends on it (may be repeated)",
    )
    parser.add_argument(
        "--keep-finished",
        action="store_true",
        help="keep finished stages although their inputs were changed",
    )
    parser.add_argument(
        "--leave-failed",
        action="store_true",
        help="do not try the failed tasks of finished stages again",
    )


def _kill(parser: Parser) -> None:
    parser.add_argument(
        "kind", type=str.lower, choices=("init_bulk", "run"), help="which command to end"
    )
    parser.add_argument("record", nargs="?", help="accepted for old scripts, not needed")


def _gather(parser: Parser) -> None:
    parser.add_argument(
        "-i",
        "--input_dir",
        type=_path,
        default="./",
        help="work directory of a run (default: here)",
    )


def _filter(parser: Parser) -> None:
    parser.add_argument(
        "-i",
        "--md_dir",
        metavar="DIR",
        type=_path,
        required=True,
        help="where the trajectories are, iter.0000/01.explore/md for instance",
    )
    for option, name, bound in (("-l", "--lower", "lower"), ("-u", "--upper", "upper")):
        parser.add_argument(
            option,
            name,
            metavar=bound.upper(),
            type=_limit,
            nargs="+",
            required=True,
            help=f"{bound} limit in eV/Å, with KPU the factor kpu_{bound}; several give a table",
        )
    parser.add_argument(
        "-s", "--save", action="store_true", help="write the frames to ./filter_test_result"
    )


def _convert(parser: Parser) -> None:
    add = parser.add_argument
    inputs: dict[str, Any] = {"nargs": "+", "action": "extend", "required": True}
    add("-i", "--input", type=_path, help="trajectories", **inputs)
    add(
        "-f",
        "--format",
        default="pwmat/movement",
        help="their format: pwmat/movement (default), vasp/outcar, cp2k/md, cp2k/scf, extxyz, "
        "pwmlff/npy or deepmd/npy",
    )
    where = "directory of the data sets (default: PWdata)"
    add("-s", "--savepath", type=_path, default="PWdata", help=where)
    add("--output_format", default="pwmlff/npy", help="pwmlff/npy (default) or extxyz")
    add(
        "-o",
        "--train_valid_ratio",
        metavar="RATIO",
        type=_ratio,
        help="split into train and valid; RATIO is the share of train (default: no split)",
    )
    add("-r", "--data_shuffle", help="shuffle before the split", **_FLAG)
    add("--seed", type=_whole(0), default=2024, help="of the shuffle (default: 2024)")
    add("-m", "--merge", help="put frames of equal composition of all files together", **_FLAG)
    add("-g", "--gap", type=_whole(1), default=1, help="keep every GAP-th frame (default: 1)")
    start = "where relative paths start (default: here)"
    add("-w", "--work_dir", type=_path, default="./", help=start)
    add("-t", "--worktype", help="accepted for old scripts, not needed")


def _flag(text: str) -> bool:
    words = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected true, false or nothing")
    return words[text.lower()]


# old versions wanted a value behind these
_FLAG: dict[str, Any] = {"nargs": "?", "type": _flag, "const": True, "default": False}


def _path(text: str) -> str:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a path")
    return text


def _ratio(text: str) -> Fraction:
    from fractions import Fraction  # noqa: PLC0415  takes as long as all the rest

    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number above 0, at most 1")
    return value


def _whole(least: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdigit() and int(text) >= least):
            raise argparse.ArgumentTypeError(f"found {text!r}; expected an integer from {least} on")
        return int(text)

    return convert


def _limit(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number of at least 0")
    return value


def _status(parser: Parser) -> None:
    where = "work directory (default: here)"
    parser.add_argument("directory", nargs="?", type=_path, default=".", help=where)
    parser.add_argument("--json", action="store_true", help="the facts as JSON, for programs")


def _draw(parser: Parser) -> None:
    add = parser.add_argument
    where = "work directory of a run (default: here)"
    add("directory", nargs="?", type=_path, default=".", help=where)
    add("-o", "--output", metavar="DIR", type=_path, default="pictures", help="default: ./pictures")
    add(
        "--format",
        nargs="+",
        choices=("png", "svg"),
        type=str.lower,
        default=["png"],
        help="png (default), svg or both",
    )
    add("--iteration", metavar="N", nargs="+", type=_whole(0), help="only these (default: all)")
    for option, name, bound in (("-l", "--lower", "lower"), ("-u", "--upper", "upper")):
        more = f"{bound} limit to show, with KPU the factor kpu_{bound} (default: the campaign's)"
        add(option, name, metavar=bound.upper(), type=_limit, help=more)


ALIASES = {"filter_test": "filter"}
COMMANDS = {
    "init_bulk": Command(
        "make the first data set: relax, supercell, scale, perturb, AIMD", _campaign
    ),
    "run": Command("active learning: train, explore, select, label, again", _campaign),
    "check": Command("say what is wrong with a param.json and its resource.json", _pair),
    "status": Command(
        "tell how a campaign stands: stage, jobs, failures, time", _status, bare=True
    ),
    "kill": Command("end the init_bulk or run of this directory, with its jobs", _kill),
    "gather_pwdata": Command("collect the labelled data of all iterations", _gather, bare=True),
    "to_pwdata": Command("make data sets of trajectories", _convert),
    "draw": Command("draw deviations and the learning curve of a run", _draw, bare=True),
    "filter": Command("count what limits on trial make of the explored frames", _filter),
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
    except Exception as error:  # noqa: BLE001  a fault of ours is shown in one line, too
        hint = "" if debug else "; run with --debug for details"
        message = f"unexpected {type(error).__name__}: {error}{hint}"
        failure, status = error, EXIT_FAILED
    console.complain(message, failure if debug else None)
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
    if (not rest and not command.bare) or _asks_for_help(rest):
        return _say(parser.format_help().rstrip())
    options = parser.parse_args(rest)
    commands = import_module("pwact.cli.commands")
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
    hint = f"did you mean {near[0]}?" if near else f"commands: {', '.join(COMMANDS)}"
    return f"unknown command {word!r}; {hint}"


def _say(text: str) -> int:
    console.say(text)
    return EXIT_DONE
