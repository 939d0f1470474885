"""Makes the input of one trajectory from an input that the user has written.

What concerns structure, models, frames and velocities becomes ours, so that the frames can be
found, judged and labelled; everything else stays as the user wrote it. A run that was cut off is
continued where that gives the same frames, else it begins again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from pwact.engines.lammps.input import DATA, DUMP_LINES, READ_LINE, RESTART_LINE, masses
from pwact.engines.lammps.script import Command, join, read_script
from pwact.engines.potential import Potential
from pwact.errors import InputError

_READING = ("read_restart", "read_data")
_FIXED = {
    "units": ("units", "metal"),
    "boundary": ("boundary", "p", "p", "p"),
    "atom_style": ("atom_style", "atomic"),
}
_OURS = frozenset(
    (*_FIXED, "mass", "pair_style", "pair_coeff", *_READING, "dump", "undump", "restart")
)
_OUR_VARIABLES = ("DUMP_FREQ", "restart")
_BEFORE_BOX = frozenset(("box", "atom_modify", "processors", "dimension", "newton", "package"))
# what a continued run would do twice, and what sends the reading back and forth
_ONCE = frozenset(
    ("minimize", "reset_timestep", "create_atoms", "delete_atoms", "displace_atoms", "replicate")
    + ("set", "change_box", "read_dump", "rerun", "neb", "temper")
    + ("jump", "label", "next", "python", "shell")
)
_HARMLESS = ("sort", "flush", "buffer", "balance")  # dump_modify keywords with one value
# thermostat → how many words behind it its first temperature stands (for nvt: behind temp)
_THERMOSTATS = {
    **{"nvt": 1, "npt": 1, "nvt/sllod": 1, "langevin": 1},
    **{"temp/csvr": 1, "temp/csld": 1, "temp/berendsen": 1, "temp/rescale": 2},
}


@dataclass
class _Parts:
    """An input, sorted: what stays of the user's commands.

    Attributes
    ----------
    head
        Lines that stand first in the file.
    before_box
        Commands before the box exists.
    start
        Commands up to the first MD or minimization, or to the loop around it.
    between
        From there to the first run, or to the loop around it.
    rest
        All others.
    velocities
        Words of the ``velocity`` commands before the first run.
    dump_options
        Options of ``dump_modify`` that are kept.
    warnings
        What is changed that the user may not expect.
    """

    head: list[str] = field(default_factory=list)
    before_box: list[Command] = field(default_factory=list)
    start: list[Command] = field(default_factory=list)
    between: list[Command] = field(default_factory=list)
    rest: list[Command] = field(default_factory=list)
    velocities: list[tuple[str, ...]] = field(default_factory=list)
    dump_options: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def body(self) -> list[Command]:
        """What stands after the box exists."""
        return [*self.start, *self.between, *self.rest]


def rewrite(path: Path, potential: Potential, trj_freq: int, seed: int) -> str:
    """Return the text of ``in.lammps``.

    Parameters
    ----------
    path
        The user's input.
    trj_freq
        Steps between two frames.
    seed
        Seed of the starting velocities.

    Raises
    ------
    InputError
        The input cannot be understood, has no ``run``, or asks for what cannot work here.
    """
    parts = _sorted(read_script(path), path)
    continued = _can_go_on(parts.body)
    pair_lines = [line.replace("{out_freq}", "${DUMP_FREQ}") for line in potential.pair_lines]
    tilt = any(command.words[:2] == ("box", "tilt") for command in parts.before_box)
    output = [*DUMP_LINES]
    if parts.dump_options:
        output.append(f"dump_modify 1 {' '.join(parts.dump_options)}")
    if continued:
        output.append(RESTART_LINE)
    lines = [
        *_unique([*potential.head_lines, *parts.head]),
        f"variable DUMP_FREQ index {trj_freq}",
        "variable restart index 0",
        *(" ".join(words) for words in _FIXED.values()),
        *([] if tilt else ["box tilt large"]),
        *[command.text for command in parts.before_box],
        READ_LINE if continued else f"read_data {DATA}",
        *masses(potential.types),
        *pair_lines,
        *[command.text for command in parts.start],
        *output,
        *[command.text for command in parts.between],
        *_velocities(parts, seed),
        *(_continued(parts.rest) if continued else [command.text for command in parts.rest]),
    ]
    return "\n".join(lines) + "\n"


def warnings(path: Path) -> list[str]:
    """What is changed in an input that its user may not expect, a line each."""
    return _sorted(read_script(path), path).warnings


def included(path: Path) -> list[Path]:
    """The files that an input consists of, itself first."""
    return list(dict.fromkeys([path, *(command.file for command in read_script(path))]))


def _sorted(commands: Sequence[Command], path: Path) -> _Parts:
    for place, command in enumerate(commands):
        _refuse(command, any(earlier.name == "run" for earlier in commands[:place]))
    run = _first_place(commands, ("run",), path)
    resets = [place for place in range(run) if commands[place].name == "reset_timestep"]
    begin = resets[-1] + 1 if resets else 0  # LAMMPS resets no step while there is a dump
    move = begin + _first_place(commands[begin:], ("run", "minimize"), path)
    reading = next((place for place, one in enumerate(commands) if _reads(one)), 0)
    parts = _Parts()
    for place, command in enumerate(commands):
        if _is_head(command):
            parts.head.append(join(command.words))
        elif _is_ours(command, parts, place < run):
            continue
        elif place < reading or (command.name in _BEFORE_BOX and place < move):
            parts.before_box.append(command)
        elif place < move:
            parts.start.append(command)
        else:
            (parts.between if place < run else parts.rest).append(command)
    return parts


def _first_place(commands: Sequence[Command], names: Sequence[str], path: Path) -> int:
    """Where the first of some commands stands, or where the loop around it begins."""
    place = next((number for number, one in enumerate(commands) if one.name in names), None)
    if place is None:
        inside = [one for one in commands if any(words[:1] == ("run",) for words in one.inner())]
        if inside:
            raise inside[0].error("a run inside of an if cannot be used")
        raise InputError("there is no run command", path)
    targets = {
        word
        for command in commands[place:]
        for words in (command.words, *command.inner())
        if words[:1] == ("jump",)
        for word in words[2:3]
    }
    loops = [
        number
        for number, command in enumerate(commands[:place])
        if command.name == "label" and command.words[1:2] and command.words[1] in targets
    ]
    return min([place, *loops])


def _refuse(command: Command, moved: bool) -> None:
    """Raise InputError for what would give wrong frames."""
    if command.words[:1] == ("units",) and command.words[1:] != ("metal",):
        found = " ".join(command.words[1:])
        raise command.error(f"found units {found}; the models need units metal (Å, eV, ps)")
    if command.name == "clear":
        raise command.error("clear would remove structure and models")
    if command.name == "reset_timestep" and moved:
        raise command.error("reset_timestep after a run: frames are distinguished by their step")


def _reads(command: Command) -> bool:
    return any(name in _READING for name in _names(command))


def _is_head(command: Command) -> bool:
    """Settings of Kokkos, which stand first in the file."""
    words = command.words
    return words == ("newton", "on") or (words[:2] == ("package", "kokkos") and "neigh" in words)


def _is_ours(command: Command, parts: _Parts, at_start: bool) -> bool:
    """Whether a command is left out; what we need of it is kept in `parts`."""
    words = command.words
    if command.name in _OURS:
        used = _FIXED.get(command.name)
        if used is not None and words != used:
            parts.warnings.append(str(command.error(f"{' '.join(used)} is used")))
        if command.name == "pair_style" and words[1:2] and words[1].startswith("hybrid"):
            message = f"left out: {' '.join(words)}; the pair style of the models stands alone"
            parts.warnings.append(str(command.error(message)))
        return True
    if command.name == "variable" and words[1:2] and words[1] in _OUR_VARIABLES:
        return True
    if command.name == "dump_modify":
        parts.dump_options += _harmless(command, parts)
        return True
    if command.name == "velocity" and at_start:
        parts.velocities.append(words)
        return True
    if command.name == "if":
        return _is_our_if(command, parts, at_start)
    return False


def _is_our_if(command: Command, parts: _Parts, at_start: bool) -> bool:
    inner = [words for words in command.inner() if words]
    names = (*_READING, "velocity") if at_start else _READING
    ours = [words for words in inner if words[0] in names]
    if not ours:
        return False
    if len(ours) < len(inner):
        other = next(words for words in inner if words not in ours)
        message = f"{other[0]} stands in one if with {ours[0][0]}; give it a line of its own"
        raise command.error(message)
    parts.velocities += [words for words in ours if words[0] == "velocity"]
    return True


def _harmless(command: Command, parts: _Parts) -> list[str]:
    options = list(command.words[2:])
    kept: list[str] = []
    dropped: list[str] = []
    while options:
        keyword, value = options[0], options[1:2]
        (kept if keyword in _HARMLESS else dropped).extend([keyword, *value])
        options = options[2:]
    if dropped:
        message = f"left out, as it concerns frames: {' '.join(dropped)}"
        parts.warnings.append(str(command.error(message)))
    return kept


def _unique(lines: Sequence[str]) -> list[str]:
    return list({tuple(line.split()): line for line in lines}.values())


def _can_go_on(body: Sequence[Command]) -> bool:
    """Whether a run that was cut off can be continued with the same frames."""
    again = [one for one in body if one.words[2:] not in (("triclinic",), ("ortho",))]
    names = [name for command in again for name in _names(command)]
    if _ONCE & set(names) or any(
        words[:1] == ("run",) for command in body for words in command.inner()
    ):
        return False
    runs = [command for command in body if command.name == "run"]
    later = names[names.index("run") :]
    if "velocity" in later:
        return False
    return len(runs) == 1 or all(len(run.words) == 2 or run.words[2:] == ("upto",) for run in runs)


def _names(command: Command) -> list[str]:
    return [words[0] for words in (command.words, *command.inner()) if words]


def _continued(body: Sequence[Command]) -> list[str]:
    """The texts, each ``run`` up to a step that does not depend on where it begins."""
    runs = sum(command.name == "run" for command in body)
    lines, number = [], 0
    for command in body:
        if command.name != "run":
            lines.append(command.text)
            continue
        number += 1
        lines.append(_up_to(command) if runs == 1 else _stretch(command, number))
    return lines


def _up_to(command: Command) -> str:
    if "upto" in command.words:
        return command.text
    return join([*command.words[:2], "upto", *command.words[2:]])


def _stretch(command: Command, number: int) -> str:
    """One of several runs: skipped if it was done before the restart."""
    end = f"run_end{number}"
    before = f"v_run_end{number - 1}+" if number > 1 and "upto" not in command.words else ""
    return (
        f"variable {end} equal {before}{command.words[1]}\n"
        f'if "$(step) < ${{{end}}}" then "run ${{{end}}} upto"'
    )


def _velocities(parts: _Parts, seed: int) -> list[str]:
    """Starting velocities, by the user's commands with our seed; once, not after a restart."""
    commands: list[tuple[str, ...]] = []
    for words in parts.velocities:
        own_seed = str(seed + len(commands))
        commands.append((*words[:4], own_seed, *words[5:]) if _creates(words) else words)
    created = any(_creates(words) for words in [*commands, *(one.words for one in parts.rest)])
    if not created:
        commands.insert(0, ("velocity", "all", "create", _temperature(parts), str(seed)))
    return [f'if "${{restart}} == 0" then {join([join(words)])}' for words in commands]


def _creates(words: tuple[str, ...]) -> bool:
    return words[:1] + words[2:3] == ("velocity", "create") and len(words) > 4


def _temperature(parts: _Parts) -> str:
    """Temperature of velocities that the user does not create: TEMP, or that of a thermostat."""
    everything = [*parts.before_box, *parts.body]
    if any(command.words[:2] == ("variable", "TEMP") for command in everything):
        return "${TEMP}"
    for command in everything:
        found = thermostat(command)
        if found is not None:
            return found
    run = next(command for command in parts.rest if command.name == "run")
    raise run.error("no starting velocities: add velocity all create T SEED, or variable TEMP")


def thermostat(command: Command) -> Optional[str]:
    """The first temperature of a thermostat, as written; None for all other commands."""
    words = command.words
    place = _THERMOSTATS.get(words[3]) if command.name == "fix" and len(words) > 3 else None
    if place is None:
        return None
    behind = words[4:]
    if words[3].startswith(("nvt", "npt")):
        behind = behind[behind.index("temp") + 1 :] if "temp" in behind else ()
    return behind[place - 1] if place <= len(behind) else None
