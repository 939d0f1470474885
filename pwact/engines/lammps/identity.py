"""Whether an MD input of the user keeps which atom is which."""

from __future__ import annotations

from pathlib import Path

from pwact.engines.lammps.script import read_script

_COMMANDS = frozenset(
    ("create_atoms", "delete_atoms", "replicate", "read_dump", "reset_atoms", "reset_atom_ids")
)
_FIXES = frozenset(
    ("deposit", "evaporate", "pour", "gcmc", "widom", "atom/swap", "mol/swap", "sgcmc")
    + ("bond/react", "charge/regulation")
)


def changes_atoms(path: Path) -> str:
    """The first command that adds, removes, renumbers or exchanges atoms, with its place; else "".

    Raises
    ------
    InputError
        The input cannot be read.
    """
    for command in read_script(path):
        for words in (command.words, *command.inner()):
            is_fix = len(words) > 3 and words[0] == "fix" and words[3] in _FIXES
            if words and (words[0] in _COMMANDS or is_fix):
                name = f"fix {words[3]}" if is_fix else words[0]
                return f"{name} ({command.file}, line {command.line})"
    return ""
