"""The arguments of ``pwact init``, and the questions that stand for those that are not given."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, Callable, NamedTuple

from pwact.cli.arguments.campaign import path, positive, whole
from pwact.cli.parser import Parser


class Question(NamedTuple):
    """What must be known, from the command line or by asking.

    Attributes
    ----------
    flag
        The option, or the name of the argument.
    words
        What is asked.
    many
        Whether the answer is a list of words.
    default
        The answer of an empty line; "" where there is none.
    """

    flag: str
    words: str
    convert: Callable[[str], Any]
    many: bool = False
    default: str = ""

    @property
    def attribute(self) -> str:
        """Where the parser puts the answer."""
        return self.flag.lstrip("-").lower().replace("-", "_")

    def answer(self, text: str) -> Any:
        """The value of what was typed. Raises argparse.ArgumentTypeError or ValueError."""
        return [self.convert(word) for word in text.split()] if self.many else self.convert(text)


def questions() -> tuple[Question, ...]:
    """All questions, in the order in which they are asked."""
    from pwact.registry.presets import trainer_presets  # noqa: PLC0415  `pwact --help` needs none of it
    from pwact.registry.schedulers import EXECUTORS  # noqa: PLC0415

    trainers = tuple(trainer_presets())

    return (
        Question("STRUCTURE", "structure files (CIF, POSCAR, xyz …)", path, many=True),
        Question("--label", f"labels by ({', '.join(_labels())})", _label),
        Question("--train", f"training by ({', '.join(trainers)})", _one_of(trainers)),
        Question(
            "--scheduler",
            f"jobs run by ({', '.join(EXECUTORS)})",
            _one_of(EXECUTORS),
            default="local",
        ),
        Question("--temps", "temperatures in K, in the order of exploring", positive, many=True),
        Question("--target", "force error that is needed, in eV/Å", positive),
    )


def init(parser: Parser) -> None:
    """What ``init`` takes."""
    add = parser.add_argument
    structure, *asked = questions()
    add("structure", metavar=structure.flag, nargs="*", type=path, help=structure.words)
    for one in asked:
        more: dict[str, Any] = {"nargs": "+"} if one.many else {}
        add(
            one.flag, metavar=one.flag.lstrip("-").upper(), type=one.convert, help=one.words, **more
        )
    add("--queue", default="", help="queue or partition of the scheduler")
    add(
        "--pseudo",
        metavar="FILE",
        type=path,
        nargs="+",
        default=[],
        help="pseudopotential files (qe, vasp, pwmat), one for each element",
    )
    add("--data", metavar="DIR", type=path, help="cp2k: directory with BASIS_MOLOPT")
    add("--cutoff", metavar="RY", type=positive, help="qe: cutoff, where the files suggest none")
    add("--cpus", type=whole(1), default=1, help="processes of one label (default: 1)")
    add("--command", default="", help="how the program of the labels is started")
    add("--ensemble", type=_ensemble, help="of the MD (default: npt-iso; nvt if open)")
    length = "repeat cells until their heights are at least so long, in Å (default: 10)"
    add("--length", metavar="ANGSTROM", type=positive, default=10.0, help=length)
    add("--example", metavar="NAME", help="copy this example into a new folder instead")


def _one_of(names: Iterable[str]) -> Callable[[str], str]:
    known = tuple(names)

    def convert(text: str) -> str:
        if text.lower() not in known:
            raise argparse.ArgumentTypeError(f"found {text!r}; expected {_listed(known)}")
        return text.lower()

    return convert


def _ensemble(text: str) -> str:
    from pwact.config.exploration import ENSEMBLES  # noqa: PLC0415

    return ENSEMBLES[_one_of(ENSEMBLES)(text)]


def _labels() -> list[str]:
    from pwact.registry.presets import LABEL_PRESETS  # noqa: PLC0415

    return list(LABEL_PRESETS)


def _label(text: str) -> str:
    """The name of a preset, or of a labeler that has one preset."""
    from pwact.registry.engines import LABELERS  # noqa: PLC0415
    from pwact.registry.presets import LABEL_PRESETS  # noqa: PLC0415

    word = text.lower()
    labeler = LABELERS.canonical(word)
    own = [name for name, one in LABEL_PRESETS.items() if one.labeler == labeler]
    if word in LABEL_PRESETS or len(own) == 1:
        return word if word in LABEL_PRESETS else own[0]
    more = "; for others copy an example (--example)" if labeler and not own else ""
    expected = _listed(own or LABEL_PRESETS)
    raise argparse.ArgumentTypeError(f"found {text!r}; expected {expected}{more}")


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
