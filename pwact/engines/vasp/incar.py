"""INCAR files: read as VASP reads them, and checked against what a stage needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact.config.elements import NUMBERS
from pwact.config.schema import nearest
from pwact.engines.labelers import Purpose
from pwact.errors import InputError
from pwact.formats.outcar_head import FIXED_DENSITY

_COMMENT = re.compile(r"[#!]")
_QUOTED = re.compile(r'=[ \t]*"[^"]*"')
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_/-]*")
_TRUE, _FALSE = (".T", "T"), (".F", "F")
_PER_ELEMENT = ("LDAUL", "LDAUU", "LDAUJ", "ROPT")
_DIGITS = 6  # of a number of atoms
_STRUCTURAL = (1, 2, 3)  # IBRION of a relaxation

# Names that are often written; an unknown key close to one of them is a slip of the pen.
_TABLE = """
ADDGRID AEXX AGGAC AGGAX ALDAC ALGO AMIN AMIX AMIX_MAG ANDERSEN_PROB BMIX BMIX_MAG BPARAM CSHIFT
DIPOL EDIFF EDIFFG EFIELD EMAX EMIN ENAUG ENCUT ENCUTGW EPSILON GGA GGA_COMPAT HFSCREEN
IBRION ICHARG IDIPOL IMIX INIWAV ISIF ISMEAR ISPIN ISTART ISYM IVDW IWAVPR KBLOCK KGAMMA KPAR KPUSE
KSPACING LAECHG LAMBDA LANGEVIN_GAMMA LANGEVIN_GAMMA_L LASPH LATTICE_CONSTRAINTS LCHARG LDAU LDAUJ
LDAUL LDAUPRINT LDAUTYPE LDAUU LDIPOL LELF LEPSILON LHFCALC LMAXFOCK LMAXMIX LMAXPAW LNONCOLLINEAR
LOPTICS LORBIT LPLANE LREAL LSCALAPACK LSCALU LSORBIT LUSE_VDW LVHAR LVTOT LWAVE MAGMOM MAXMIX
MDALGO METAGGA ML_ISTART ML_LMLFF ML_MODE NBANDS NBLOCK NCORE NEDOS NELECT NELM NELMDL NELMIN NFREE
NGX NGXF NGY NGYF NGZ NGZF NPACO NPAR NSIM NSUBSYS NSW NUPDOWN NWRITE PARAM1 PARAM2 PMASS POMASS
POTIM PREC PRECFOCK PSTRESS QUAD_EFG RANDOM_SEED ROPT RWIGS SAXIS SCALEE SIGMA SMASS SYMPREC SYSTEM
TEBEG TEEND TIME TSUBSYS VDW_A1 VDW_A2 VDW_C6 VDW_R0 VDW_RADIUS VDW_S6 VDW_S8 VDW_SR VOSKOWN WC
WEIMIN ZAB_VDW ZVAL
"""
_KNOWN = frozenset(_TABLE.split())
_FAMILIES = ("ML_", "VDW_", "LIBXC", "PHON_")  # many keys that look alike


@dataclass(frozen=True)
class Incar:
    """The settings of an INCAR.

    Attributes
    ----------
    values
        Key in upper case → text of its value; of two the first counts, as in VASP.
    twice
        Keys that are given twice with different values.
    strays
        Numbers of lines that set nothing and are no comment; VASP passes over them.
    """

    file: Path
    values: Mapping[str, str]
    twice: tuple[str, ...] = ()
    strays: tuple[int, ...] = ()

    def integer(self, key: str, default: int) -> int:
        """The value of a key as a number. Raises InputError if it is none."""
        text = self.values.get(key)
        if text is None:
            return default
        word = text.split()[0]
        if not re.fullmatch(r"[-+]?\d{1,9}", word):
            raise InputError(f"found {text!r}; expected an integer", self.file, key)
        return int(word)

    def flag(self, key: str) -> bool:
        """Whether a key is set to true. Raises InputError if it is neither true nor false."""
        text = self.values.get(key)
        if text is None:
            return False
        word = text.split()[0].upper()
        if word.startswith(_TRUE):
            return True
        if word.startswith(_FALSE):
            return False
        raise InputError(f"found {text!r}; expected .TRUE. or .FALSE.", self.file, key)

    def words(self, key: str) -> list[str]:
        """What the value of a key stands for, word by word: ``2*0.0 5.0`` for ``0.0 0.0 5.0``."""
        words = []
        for word in self.values.get(key, "").split():
            times, star, one = word.partition("*")
            repeated = star and times.isdigit() and len(times) <= _DIGITS
            words += [one] * int(times) if repeated else [word]
        return words

    def count(self, key: str) -> Optional[int]:
        """How many numbers the value of a key stands for, ``4*0.0 2*5.0`` for 6."""
        return len(self.words(key)) if key in self.values else None


def read_incar(path: Path) -> Incar:
    """Read an INCAR: ``KEY = value ; KEY = value``, comments by # and !, lines that go on.

    Raises
    ------
    InputError
        It cannot be read, or a key or a value is missing; names the line.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path) from error
    values: dict[str, str] = {}
    twice: list[str] = []
    strays: list[int] = []
    for number, line in _joined(text):
        for part in line.split(";"):
            if not part.strip():
                continue
            key, equals, value = (word.strip() for word in part.partition("="))
            if not equals:
                strays.append(number)
                continue
            if not _KEY.fullmatch(key) or not value:
                raise InputError(f"line {number}: {part.strip()!r} is no KEY = value", path)
            name = key.upper()
            if values.setdefault(name, value) != value:
                twice.append(name)
    return Incar(path, values, tuple(twice), tuple(strays))


def _joined(text: str) -> list[tuple[int, str]]:
    """Lines without comments, with those that go on joined; each with its number."""
    made: list[tuple[int, str]] = []
    going_on = False
    for number, raw in enumerate(_QUOTED.sub(_flat, text).splitlines(), 1):
        line = _COMMENT.split(raw, maxsplit=1)[0].rstrip()
        body = line[:-1] if line.endswith("\\") else line
        if going_on:
            start, before = made[-1]
            made[-1] = (start, f"{before} {body}")
        else:
            made.append((number, body))
        going_on = body != line
    return made


def _flat(quoted: re.Match[str]) -> str:
    """Text in quotes, which may go over several lines, as one line and as many empty ones."""
    return re.sub(r"[\n;#!]", " ", quoted[0]) + "\n" * quoted[0].count("\n")


def with_lists(text: str, lists: Mapping[str, str]) -> str:
    """The text of an INCAR with other values of some keys; their old lines become comments.

    Parameters
    ----------
    lists
        Key in upper case → value. One that the text does not set is put at its end.
    """
    left = dict(lists)
    lines = text.splitlines()
    made: list[str] = []
    joined = _joined(text)
    ends = [number - 1 for number, _ in joined[1:]] + [len(lines)]
    for (first, whole), end in zip(joined, ends):
        raw = lines[first - 1 : end]
        parts = [part.strip() for part in whole.split(";") if part.strip()]
        ours = [part for part in parts if part.partition("=")[0].strip().upper() in lists]
        if not ours:
            made += raw
            continue
        made += [f"# {line}" for line in raw]
        made += [f" {part}" for part in parts if part not in ours]
        for part in ours:
            key = part.partition("=")[0].strip().upper()
            made += [f" {key} = {left.pop(key)}"] if key in left else []
    made += [f" {key} = {value}" for key, value in left.items()]
    return "\n".join(made) + "\n"


def check_purpose(incar: Incar, purpose: Purpose) -> None:
    """Raise InputError unless the INCAR computes what the stage needs.

    IBRION is -1 where it is not given and NSW is 0 or -1, else 0.
    """
    density = incar.integer("ICHARG", 2)
    if density >= FIXED_DENSITY:
        message = f"found {density}; from 10 on the charge density is kept, which gives no labels"
        raise InputError(message, incar.file, "ICHARG")
    steps = incar.integer("NSW", 0)
    motion = incar.integer("IBRION", -1 if steps in (0, -1) else 0)
    if purpose is Purpose.SCF:
        if steps not in (0, -1):
            message = f"found {steps}; a single point moves no atoms: expected NSW = 0 or no NSW"
            raise InputError(message, incar.file, "NSW")
        return
    what = "a relaxation" if purpose is Purpose.RELAX else "molecular dynamics"
    if steps <= 0:
        found = steps if "NSW" in incar.values else "no NSW"
        message = f"found {found}; {what} needs a number of ionic steps > 0"
        raise InputError(message, incar.file, "NSW")
    allowed = _STRUCTURAL if purpose is Purpose.RELAX else (0,)
    if motion not in allowed:
        found = str(motion) if "IBRION" in incar.values else "no IBRION, which means 0"
        words = " or ".join(str(number) for number in allowed)
        raise InputError(f"found {found}; {what} needs {words}", incar.file, "IBRION")


def warnings(incar: Incar, purpose: Purpose) -> list[str]:
    """What VASP would accept, and is probably not meant."""
    said = [f"{key} is given twice; VASP takes the first" for key in dict.fromkeys(incar.twice)]
    said += [f"line {number} sets nothing; VASP passes over it" for number in incar.strays]
    said += _slips(incar)
    stress = _stress_warning(incar, purpose)
    if stress:
        said.append(stress)
    if purpose is Purpose.AIMD:
        if "POTIM" not in incar.values:
            said.append(
                "POTIM, the time step of molecular dynamics, is missing; VASP has no default"
            )
        if incar.integer("NWRITE", 2) < 2:
            said.append("NWRITE below 2 leaves out the forces of most steps: they give no frames")
    if incar.integer("I_CONSTRAINED_M", 0) > 0:
        said.append(
            "I_CONSTRAINED_M adds a penalty to the energy; see that it is small at the end of each "
            "OSZICAR (E_p), for the forces need not be its derivatives"
        )
    if incar.flag("ML_LMLFF"):
        said.append(
            "ML_LMLFF is on: steps of VASP's machine-learned force field are no labels and are "
            "left out"
        )
    return said


def order_warnings(incar: Incar, elements: Collection[str]) -> list[str]:
    """Which value of a list meets which element, in words.

    Structures are written by ascending atomic number, whatever the order of the user's file.
    """
    order = sorted(elements, key=lambda symbol: NUMBERS[symbol])
    said = []
    for key in (name for name in _PER_ELEMENT if name in incar.values):
        words = incar.values[key].split()
        pairs = ", ".join(f"{symbol} {word}" for symbol, word in zip(order, words))
        if len(words) != len(order):
            count = f"{len(words)} values for {len(order)} elements ({' '.join(order)})"
            said.append(f"{key} has {count}")
        elif len(order) > 1:
            said.append(
                f"{key} means {pairs}: atoms are written by ascending atomic number, "
                f"{' '.join(order)}, whatever the order in your structure file"
            )
    if "MAGMOM" in incar.values:
        where = " ".join(order)
        said.append(
            f"MAGMOM = {incar.values['MAGMOM']} counts atom by atom in the order {where}, of "
            "ascending atomic number; it must fit every structure, supercells included"
        )
    return said


def _stress_warning(incar: Incar, purpose: Purpose) -> str:
    quiet = purpose is Purpose.AIMD or incar.flag("LHFCALC")  # VASP takes ISIF = 0 for these
    number = incar.integer("ISIF", 0 if quiet else 2)
    if purpose is Purpose.RELAX or number > 1:
        return ""
    found = f"ISIF = {number}" if "ISIF" in incar.values else "no ISIF, which means 0 here"
    return f"{found}: VASP writes no full stress, the data get no virials; ISIF = 2 writes it"


def _slips(incar: Incar) -> list[str]:
    said = []
    for key in incar.values:
        near = None if key in _KNOWN else nearest(key, _KNOWN, 0.8)
        if near and not key.startswith(_FAMILIES):
            said.append(f"{key} is not a common key; did you mean {near}?")
    return said
