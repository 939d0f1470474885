"""The JSON file behind ``dft_style: "ase"``: a calculator, and how to relax and run MD with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from pwact.config.document import plain, read_document
from pwact.config.kinds import Anything, Choice, Flag, Real, Section, Text, Whole
from pwact.config.schema import Context, Key, Node, Usual, declare, keys_of, read
from pwact.errors import InputError
from pwact.fingerprint import Settings, settings_of

KELVIN_HIGH = 1e5


@dataclass(frozen=True)
class RelaxSettings:
    """How structures are relaxed."""

    fmax: float = declare(
        0.05,
        Real(positive=True),
        "Largest force on an atom at the end.",
        unit="eV/Å",
        usual=Usual(1e-5, 0.5),
    )
    steps: int = declare(500, Whole(1), "Steps after which the relaxation counts as failed.")
    optimizer: str = declare(
        "BFGS", Choice(("BFGS", "LBFGS", "FIRE", "BFGSLineSearch")), "ASE's optimizer."
    )
    cell: bool = declare(False, Flag(), "Relax the cell as well as the atoms.")


@dataclass(frozen=True)
class AimdSettings:
    """How molecular dynamics is run."""

    ensemble: str = declare(
        "nvt", Choice(("nve", "nvt")), "nve: velocity Verlet; nvt: Langevin thermostat."
    )
    temperature_k: float = declare(
        300.0,
        Real(0.0, KELVIN_HIGH),
        "Temperature of the start velocities and of nvt.",
        unit="K",
        usual=Usual(1, 10_000),
    )
    timestep_fs: float = declare(
        1.0,
        Real(positive=True, high=100.0),
        "Time step.",
        unit="fs",
        usual=Usual(0.01, 10, "1 fs is 0.001 ps"),
    )
    steps: int = declare(100, Whole(1), "MD steps after the first frame.")
    interval: int = declare(1, Whole(1), "Every so many steps a frame is written.")
    friction_per_fs: float = declare(
        0.01,
        Real(positive=True),
        "Friction of the thermostat.",
        unit="1/fs",
        usual=Usual(1e-5, 0.5, "0.01 1/fs is 10 1/ps"),
    )


@dataclass(frozen=True)
class AseSettings:
    """Everything in the file.

    Attributes
    ----------
    calculator
        A name that ASE knows (``emt``, ``lj``), one of `KNOWN` packages (``tblite``, ``chgnet``),
        or ``module:Class``.
    arguments
        Keyword arguments of the calculator.
    profile
        How the calculator's program is started and where it finds its files: a section of ASE's
        configuration.
    """

    calculator: str
    arguments: dict[str, Any]
    relax: RelaxSettings
    aimd: AimdSettings
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, Any]:
        """All that may name files and directories: the arguments, with the profile among them."""
        return {**self.arguments, "profile": self.profile} if self.profile else self.arguments

    def to_json(self) -> Settings:
        """The settings as JSON, defaults included."""
        return settings_of(self)


_KEYS = (
    Key("calculator", Text(one_line=True), help="The calculator.", required=True),
    Key("arguments", Section(), help="Keyword arguments of the calculator."),
    Key("profile", Section(), help="The calculator's section of ASE's configuration."),
    Key("relax", Section(), help="Settings of relaxations."),
    Key("aimd", Section(), help="Settings of molecular dynamics."),
)


def read_settings(path: Path, unlikely: Optional[list[InputError]] = None) -> AseSettings:
    """Read and check the file; what is hardly meant is added to `unlikely`.

    Raises
    ------
    InputError
        With file and key path.
    """
    document = read_document(path)
    context = Context(path, path.parent)
    values = read(Node(document.root, "", context), _KEYS)
    arguments = values["arguments"]
    relax, aimd = (_section(values[name], name, context) for name in ("relax", "aimd"))
    settings = AseSettings(
        calculator=values["calculator"],
        arguments=plain(Anything().convert(arguments)) if arguments is not None else {},
        relax=RelaxSettings(**read(relax, keys_of(RelaxSettings))),
        aimd=AimdSettings(**read(aimd, keys_of(AimdSettings))),
        profile=_profile(values["profile"], path),
    )
    if settings.aimd.interval > settings.aimd.steps:
        raise InputError(
            f"found {settings.aimd.interval}, but aimd.steps is {settings.aimd.steps}: only the "
            "start structure would be written; allowed: at most aimd.steps",
            path,
            "aimd.interval",
        )
    for unknown in context.unknown:
        raise InputError(unknown.message.replace(", ignored", ""), path, unknown.key)
    if unlikely is not None:
        unlikely += context.unlikely
    return settings


def _profile(node: Any, path: Path) -> dict[str, Any]:
    """A section of ASE's configuration: texts, numbers, true and false."""
    found = plain(Anything().convert(node)) if node is not None else {}
    for name, value in found.items():
        if not isinstance(value, (str, int, float)):
            message = f"found {value!r}; expected a text or a number, as ASE's configuration has it"
            raise InputError(message, path, f"profile.{name}")
    return found


def _section(node: Any, name: str, context: Context) -> Node:
    return node if node is not None else Node({}, name, context)
