"""Chemical elements: symbols and atomic numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pwact.config.document import shown
from pwact.config.schema import Node
from pwact.config.shapes import Shape

_TABLE = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se
Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb
Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm
Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS = tuple(_TABLE.split())
NUMBERS = {symbol: number for number, symbol in enumerate(SYMBOLS, 1)}


@dataclass(frozen=True)
class Element:
    """One element, as a symbol in any case or as an atomic number."""

    words: str = "element symbol or atomic number"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        return {"type": ["string", "integer"]}

    def convert(self, node: Node) -> str:
        """The symbol."""
        value = node.value
        if isinstance(value, str) and value.strip().isdecimal():
            value = int(value.strip()[:9])
        if isinstance(value, str) and value.strip().capitalize() in NUMBERS:
            return value.strip().capitalize()
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(SYMBOLS):
            return SYMBOLS[value - 1]
        raise node.wrong(f"an {self.words}")


@dataclass(frozen=True)
class Elements:
    """Different elements, one or a list; the order counts."""

    words: str = "list of element symbols or atomic numbers"

    @property
    def shape(self) -> Shape:
        """The kind in JSON Schema."""
        each = Element().shape
        return {"anyOf": [each, {"type": "array", "items": each, "minItems": 1}]}

    def convert(self, node: Node) -> tuple[str, ...]:
        """The symbols."""
        symbols = tuple(Element().convert(item) for item in node.items())
        if not symbols:
            raise node.wrong("a list that is not empty")
        twice = [symbol for place, symbol in enumerate(symbols) if symbol in symbols[:place]]
        if twice:
            raise node.error(f"{shown(twice[0])} is given twice")
        return symbols
