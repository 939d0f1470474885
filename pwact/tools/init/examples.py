"""Copies of the examples: from the installed package, or from the checkout that holds it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pwact
from pwact.config.schema import nearest
from pwact.errors import UsageError

_PACKAGE = Path(pwact.__file__).parent
PLACES = (_PACKAGE / "examples", _PACKAGE.parent / "examples")


def examples() -> dict[str, Path]:
    """Name → folder of each example.

    Raises
    ------
    UsageError
        Neither the package nor a checkout around it holds any.
    """
    for place in PLACES:
        found = {path.parent.name: path.parent for path in place.glob("*/resource.json")}
        if found:
            return dict(sorted(found.items()))
    looked = " and ".join(map(str, PLACES))
    raise UsageError(
        f"there are no examples in {looked}; they are in the folder examples of the repository"
    )


def copy_example(name: str, here: Path) -> Path:
    """Copy an example into a new folder of its name; gives the folder.

    Raises
    ------
    UsageError
        There is no such example, or something of that name is there.
    """
    known = examples()
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"examples: {', '.join(known)}"
        raise UsageError(f"there is no example {name!r}; {hint}")
    target = here / name
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already, and is not overwritten")
    shutil.copytree(known[name], target, ignore=shutil.ignore_patterns("__pycache__"))
    return target
