"""How a calculation of an ASE calculator says that its self-consistency came to no end.

Another try would end the same way, so such an end is no crash. It is known by the exception (the
names of its class and of those above it) or by the words of the program, in the message of the
exception or in a file of text that the program has written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Optional

# ASE; GPAW; Psi4
EXCEPTIONS = frozenset({"SCFError", "KohnShamConvergenceError", "SCFConvergenceError"})
# in the message of an exception, of whatever calculator
MESSAGES = ("SCF not converged", "SCF is not converged", "SCF did not converge")
# as the programs print them
WORDS = {
    "abinit": ("was not enough SCF cycles to converge",),
    "aims": ("Self-consistency cycle not converged",),
    "castep": ("SCF cycles performed but system has not reached the groundstate",),
    "dftb": ("SCC is NOT converged",),
    "espresso": ("convergence NOT achieved",),
    "gpaw": ("Did not converge",),
    "mopac": ("UNABLE TO ACHIEVE SELF-CONSISTENCE",),
    "nwchem": ("Calculation failed to converge",),
    "orca": ("SCF NOT CONVERGED",),
    "psi4": ("Could not converge SCF",),
    "siesta": ("SCF_NOT_CONV",),
    "tblite": ("SCF not converged",),
    "xtb": ("SCF not converged",),
}
_LARGE = 200_000_000  # bytes; such a file is no log


def by_exception(name: str, error: BaseException) -> str:
    """Why a calculation has no result, "" where it is not known to be this.

    Parameters
    ----------
    name
        Of the calculator, as the settings have it.
    error
        Which it raised, or which stands behind that.
    """
    for one in _chain(error):
        classes = {kind.__name__ for kind in type(one).__mro__}
        text = str(one)
        if classes & EXCEPTIONS or any(words in text for words in (*MESSAGES, *words_of(name))):
            return f"the self-consistency did not converge ({type(one).__name__}: {text})"
    return ""


def by_outputs(name: str, directory: Path, since: float) -> str:
    """The same, by what the program has written.

    Parameters
    ----------
    directory
        Where it wrote.
    since
        Files that were changed before count as older; seconds since the epoch.
    """
    wanted = [words.encode() for words in words_of(name)]
    for path in sorted(directory.iterdir()) if wanted else ():
        if not path.is_file() or path.is_symlink():
            continue
        facts = path.stat()
        if facts.st_mtime < since or facts.st_size > _LARGE:
            continue
        content = path.read_bytes()
        if b"\0" not in content[:1000] and any(words in content for words in wanted):
            return f"the self-consistency did not converge ({path.name} says so)"
    return ""


def words_of(name: str) -> tuple[str, ...]:
    """The words of a calculator, by its name; ``module:Class`` counts by the class."""
    lower = name.rpartition(":")[2].lower()
    return next((words for key, words in WORDS.items() if lower.startswith(key)), ())


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: Optional[BaseException] = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
