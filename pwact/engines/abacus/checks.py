"""What an INPUT of the user must have before anything is written."""

from __future__ import annotations

from pwact.engines.abacus.task import CALCULATIONS, calculation
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.abacus_input import AbacusInput

_SOLVERS = ("ksdft", "sdft", "ofdft")
_BASES = ("pw", "lcao", "lcao_in_pw")
_OF_OTHER_RUNS = {
    "md_restart": "continues another MD, whose files are not here",
    "init_vel": "reads velocities from STRU, which pwact writes without",
    "latname": "makes the cell, which comes from pwact",
}


def check_input(root: AbacusInput, purpose: Purpose) -> None:
    """Raise InputError unless the input fits the purpose."""
    found, allowed = calculation(root), CALCULATIONS[purpose]
    if found not in allowed:
        message = f"found {found}; expected {' or '.join(allowed)} for {purpose.value}"
        raise root.error("calculation", message)
    _one_of(root, "esolver_type", "ksdft", _SOLVERS, "is no first-principles calculation")
    _one_of(root, "basis_type", "pw", _BASES, "is not known")
    for key, why in _OF_OTHER_RUNS.items():
        if root.words(key) and root.word(key) not in ("0", "f", "false", "none"):
            raise root.error(key, f"{why}; take it out")
    if purpose is Purpose.AIMD and root.word("symmetry", "0") == "1":
        message = "an MD keeps no symmetry: 0 or -1"
        raise root.error("symmetry", message)
    for key in ("cal_force", "cal_stress"):
        if not root.switch(key, default=True):
            raise root.error(key, "labels have forces and stress; take it out")


def _one_of(root: AbacusInput, key: str, default: str, allowed: tuple[str, ...], why: str) -> None:
    word = root.word(key, default)
    if word not in allowed:
        raise root.error(key, f"found {word}, which {why}; expected {', '.join(allowed)}")


def check_moments(root: AbacusInput, collinear: bool) -> None:
    """Raise InputError unless ABACUS uses the magnetic moments of a structure."""
    if not collinear:
        message = "it has moments with a direction; pwact gives ABACUS collinear ones alone"
        raise InputError(message)
    if root.whole("nspin", 1) != 2:
        message = "the structure has magnetic moments, which count with nspin 2 alone"
        raise root.error("nspin", message)
