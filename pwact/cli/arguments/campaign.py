"""The arguments of each command, and what they may be. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Callable

from pwact.cli.parser import Parser

if TYPE_CHECKING:
    from fractions import Fraction


def pair(parser: Parser) -> None:
    """A pair of input files."""
    parser.add_argument("param", type=path, help="param.json: what to do")
    parser.add_argument("resource", type=path, help="resource.json: where and how the jobs run")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="unknown keys and labels that cannot be right are errors",
    )


def check(parser: Parser) -> None:
    """What ``check`` takes."""
    pair(parser)
    parser.add_argument(
        "--try",
        dest="rehearse",
        action="store_true",
        help="start each program once where it will run, and label one structure",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="say how many tasks and jobs there will be at most, and what they may cost",
    )


def campaign(parser: Parser) -> None:
    """What ``init_bulk`` and ``run`` take."""
    pair(parser)
    _again(parser)


def _again(parser: Parser) -> None:
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


def label(parser: Parser) -> None:
    """What ``label`` takes."""
    from pwact.registry.formats import OF_CAMPAIGNS  # noqa: PLC0415  `pwact --help` needs none of it

    add = parser.add_argument
    add("structures", type=path, nargs="+", help="structures, trajectories or data sets")
    pair(parser)
    more = "directory of the data set and of its tasks (default: labelled)"
    add("-o", "--output", metavar="DIR", type=path, default="labelled", help=more)
    more = "of all structures, as for sys_configs or to_pwdata (default: by name and content)"
    add("-f", "--format", default="", help=more)
    more = "keep every STEP-th frame of each file (default: 1)"
    add("--step", type=whole(1), default=1, help=more)
    add("--limit", metavar="N", type=whole(1), help="label the first N frames (default: all)")
    more = f"{_listed(OF_CAMPAIGNS)} (default: data_format of param.json)"
    add("--output_format", metavar="FORMAT", type=str.lower, choices=OF_CAMPAIGNS, help=more)
    _again(parser)


def kill(parser: Parser) -> None:
    """What ``kill`` takes."""
    parser.add_argument(
        "kind", type=str.lower, choices=("init_bulk", "run", "label"), help="which command to end"
    )
    parser.add_argument("record", nargs="?", help="accepted for old scripts, not needed")


def gather(parser: Parser) -> None:
    """What ``gather_pwdata`` takes."""
    from pwact.registry.formats import WRITTEN  # noqa: PLC0415  `pwact --help` needs none of it

    parser.add_argument(
        "-i",
        "--input_dir",
        type=path,
        default="./",
        help="work directory of a run (default: here)",
    )
    add = parser.add_argument
    more = "param.json of the run, where its journal does not say what it began with"
    add("--param", metavar="PARAM", type=path, help=more)
    add("--no-init", action="store_true", help="leave the first data (init_data) out")
    more = f"{_listed(WRITTEN)} (default: as they are, byte by byte)"
    add("--output_format", metavar="FORMAT", default="", help=more)
    _parts(parser)
    add("--seed", type=whole(0), default=2024, help="of the parts (default: 2024)")
    _names(parser)


def _parts(parser: Parser) -> None:
    for option, part in (("--train", "training"), ("--valid", "validation")):
        parser.add_argument(
            option,
            metavar="SHARE",
            type=_ratio,
            help=f"share for {part}: parted by content, never one structure in both parts",
        )


def _names(parser: Parser) -> None:
    from pwact.registry.formats import LABEL_NAMES, PWACT  # noqa: PLC0415  `pwact --help` needs none of it

    more = (
        "names of the labels in extxyz: pwact (default), ase for programs that read by ASE, or mace"
    )
    parser.add_argument("--names", type=str.lower, choices=LABEL_NAMES, default=PWACT, help=more)


def filter(parser: Parser) -> None:
    """What ``filter`` takes."""
    parser.add_argument(
        "-i",
        "--md_dir",
        metavar="DIR",
        type=path,
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
            default=[],
            help=f"{bound} limit in eV/Å, with KPU the factor kpu_{bound}; several give a table",
        )
    parser.add_argument(
        "-t",
        "--target",
        metavar="ERROR",
        type=positive,
        help="force error that is needed, in eV/Å: the limit that the labels of the iteration give",
    )
    parser.add_argument(
        "-s", "--save", action="store_true", help="write the frames to ./filter_test_result"
    )


def convert(parser: Parser) -> None:
    """What ``to_pwdata`` takes."""
    from pwact.registry.formats import FORMATS, WRITTEN  # noqa: PLC0415  `pwact --help` needs none of it

    add = parser.add_argument
    inputs: dict[str, Any] = {"nargs": "+", "action": "extend", "required": True}
    add("-i", "--input", type=path, help="trajectories", **inputs)
    add(
        "-f",
        "--format",
        default="pwmat/movement",
        help=f"their format: {_listed(FORMATS)} (default: pwmat/movement)",
    )
    where = "directory of the data sets (default: PWdata)"
    add("-s", "--savepath", type=path, default="PWdata", help=where)
    more = f"{_listed(WRITTEN)} (default: pwmlff/npy)"
    add("--output_format", metavar="FORMAT", default="pwmlff/npy", help=more)
    add(
        "-o",
        "--train_valid_ratio",
        metavar="RATIO",
        type=_ratio,
        help="split into train and valid; RATIO is the share of train (default: no split)",
    )
    _parts(parser)
    add("-r", "--data_shuffle", help="shuffle before the split", **_FLAG)
    seed = "of the shuffle, or of the parts (default: 2024)"
    add("--seed", type=whole(0), default=2024, help=seed)
    add("-m", "--merge", help="put frames of equal composition of all files together", **_FLAG)
    add("-g", "--gap", type=whole(1), default=1, help="keep every GAP-th frame (default: 1)")
    examples = {"energy": "REF_energy", "forces": "REF_forces", "virial": "stress"}
    for label, example in examples.items():
        more = f"extxyz: the name of the {label}, {example} for instance"
        add(f"--{label}-key", metavar="NAME", default="", help=more)
    more = "extxyz, deepmd/npy: which elements types are, A=Cu,B=O for instance"
    add("--type-names", metavar="NAME=ELEMENT,…", default="", help=more)
    _names(parser)
    add(
        "--virial-sign",
        type=str.lower,
        choices=("as-given", "opposite"),
        default="as-given",
        help="opposite: turn the virials, of data that PWact collected from PWmat",
    )
    more = "an input that cannot be read ends the call, and nothing is written"
    add("--strict", action="store_true", help=f"{more} (default: the others are converted)")
    start = "where relative paths start (default: here)"
    add("-w", "--work_dir", type=path, default="./", help=start)
    add("-t", "--worktype", help="accepted for old scripts, not needed")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _flag(text: str) -> bool:
    words = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected true, false or nothing")
    return words[text.lower()]


# old versions wanted a value behind these
_FLAG: dict[str, Any] = {"nargs": "?", "type": _flag, "const": True, "default": False}


def path(text: str) -> str:
    """A path that is not blank. Raises argparse.ArgumentTypeError."""
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


def whole(least: int) -> Callable[[str], int]:
    """A reader of integers from `least` on."""

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


def positive(text: str) -> float:
    """A number above 0. Raises argparse.ArgumentTypeError."""
    value = _limit(text)
    if value == 0:
        raise argparse.ArgumentTypeError(f"found {text!r}; expected a number above 0")
    return value


def status(parser: Parser) -> None:
    """What ``status`` takes."""
    where = "work directory (default: here)"
    parser.add_argument("directory", nargs="?", type=path, default=".", help=where)
    parser.add_argument("--json", action="store_true", help="the facts as JSON, for programs")
    parser.add_argument(
        "--wide",
        action="store_true",
        help="with the table of iterations in full, and errors by structure, temperature, element",
    )


def report(parser: Parser) -> None:
    """What ``report`` takes."""
    add = parser.add_argument
    where = "work directory of a campaign (default: here)"
    add("directory", nargs="?", type=path, default=".", help=where)
    add("-o", "--output", metavar="FILE", type=path, default="report.html", help="the page")


def draw(parser: Parser) -> None:
    """What ``draw`` takes."""
    add = parser.add_argument
    where = "work directory of a run (default: here)"
    add("directory", nargs="?", type=path, default=".", help=where)
    add("-o", "--output", metavar="DIR", type=path, default="pictures", help="default: ./pictures")
    add(
        "--format",
        nargs="+",
        choices=("png", "svg"),
        type=str.lower,
        default=["png"],
        help="png (default), svg or both",
    )
    add("--iteration", metavar="N", nargs="+", type=whole(0), help="only these (default: all)")
    for option, name, bound in (("-l", "--lower", "lower"), ("-u", "--upper", "upper")):
        more = f"{bound} limit to show, with KPU the factor kpu_{bound} (default: the campaign's)"
        add(option, name, metavar=bound.upper(), type=_limit, help=more)


def schema(parser: Parser) -> None:
    """What ``schema`` takes."""
    more = "run or init_bulk: param.json of this command; resource: resource.json"
    names = ("run", "init_bulk", "resource")
    parser.add_argument("file", choices=names, type=str.lower, help=more)


def why(parser: Parser) -> None:
    """What ``why`` takes."""
    add = parser.add_argument
    more = "a frame of a data set: DATA:NUMBER, as in train.xyz:12; numbers count from 0"
    add("frame", metavar="FRAME", nargs="+", type=path, help=more)
    above = "work directory (default: that above the data set)"
    add("--campaign", metavar="DIR", type=path, help=above)
    add("--json", action="store_true", help="the facts as JSON, for programs")
