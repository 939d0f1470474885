"""How the stand-in for DFTB+ reads dftb_in.hsd: strictly, with code of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from ase import Atoms

NEWEST = {"251": 14, "241": 14, "231": 13}
OPEN = "this block takes anything"
MOVES = "outputprefix movedatoms maxsteps appendgeometries latticeopt"
SCHEMA: dict[str, Any] = {
    "geometry": {"genformat": OPEN},
    "driver": {
        "none": {},
        "velocityverlet": {
            **dict.fromkeys(
                ["steps", "timestep", "movedatoms", "mdrestartfrequency", "outputprefix"]
            ),
            "thermostat": OPEN,
            "barostat": dict.fromkeys(("pressure", "timescale", "isotropic")),
        },
        "geometryoptimization": {
            **dict.fromkeys(MOVES.split()),
            "optimizer": OPEN,
            "convergence": dict.fromkeys(("gradelem", "energy")),
        },
        "conjugategradient": dict.fromkeys([*MOVES.split(), "maxforcecomponent"]),
    },
    "hamiltonian": {
        "dftb": {
            **dict.fromkeys(
                ["scc", "scctolerance", "maxscciterations", "convergentscconly", "charge"]
            ),
            "slaterkosterfiles": {
                "type2filenames": dict.fromkeys(
                    ("prefix", "separator", "suffix", "lowercasetypename")
                )
            },
            "mixer": {
                **dict.fromkeys(("broyden", "simple"), {"mixingparameter": None}),
                "anderson": dict.fromkeys(
                    ("mixingparameter", "initmixingparameter", "generations")
                ),
            },
            "maxangularmomentum": OPEN,
            "kpointsandweights": {"supercellfolding": None},
            "filling": OPEN,
        },
    },
    "options": {
        **dict.fromkeys(["writeresultstag", "writedetailedout", "randomseed", "timingverbosity"]),
        "mdoutput": dict.fromkeys(["derivatives"]),
    },
    "analysis": dict.fromkeys(["printforces", "writebandout", "mullikenanalysis"]),
    "parseroptions": dict.fromkeys(["parserversion", "ignoreunprocessednodes", "writehsdinput"]),
}


def die(*lines: str) -> NoReturn:
    """End as DFTB+ does at an error."""
    print(
        "ERROR!",
        *(f"-> {line}" if number == 0 else line for number, line in enumerate(lines)),
        sep="\n",
    )
    print("ERROR STOP \n\nError termination. Backtrace:", file=sys.stderr)
    sys.exit(1)


def tokens(text: str) -> list[str]:
    """Signs, words and quoted strings; the end of a line is a token too."""
    pattern = r"#[^\n]*|\"[^\"\n]*\"|'[^'\n]*'|<<<|<<\+|\[[^\]\n]*\]|[={};\n]|[^\s={};#\"'<\[]+"
    return [found for found in re.findall(pattern, text) if not found.startswith("#")]


class Block(dict):  # type: ignore[type-arg]
    """Lower-case names → blocks; words in `words`."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def enter(self, name: str) -> Block:
        """The block of a name with a prefix, by the rules of HSD."""
        prefix = name[0] if name[0] in "+*!" else ""
        name = name[len(prefix) :].lower()
        if prefix == "+" and name not in self:
            die(f"Containing block does not contain a(n) '{name}' block yet.")
        if prefix == "!" or name not in self:
            self.pop(name, None)
            self[name] = Block()
        elif not prefix:
            return Block()  # a second one is not looked at
        found: Block = self[name]
        return found

    def word(self, *path: str) -> str:
        """The only word at a path; empty if there is none."""
        here: Any = self
        for name in path:
            here = here.get(name, Block())
        return here.words[0].strip("\"'") if here.words else ""


def parse(given: list[str], block: Block, closing: bool) -> None:
    """Read tokens into a block, until it is closed."""
    while given:
        token = given.pop(0)
        if token == "\n":
            continue
        if token == "}":
            if closing:
                return
            die("HSD parser error: File 'dftb_in.hsd'.", "Invalid block closing sign.")
        if token == "<<<":
            block.words += Path(given.pop(0).strip("\"'")).read_text().split()
            continue
        if given and given[0].startswith("["):
            given.pop(0)
        following = given[0] if given else "\n"
        if following == "=":
            given.pop(0)
            assign(given, block.enter(token))
        elif following == "{":
            given.pop(0)
            parse(given, block.enter(token), True)
        else:
            block.words.append(token)
    if closing:
        die("HSD parser error: File 'dftb_in.hsd'.", "-> Unexpected end of input")


def assign(given: list[str], block: Block) -> None:
    """Read what stands behind an equals sign."""
    if given[:1] == ["{"]:
        given.pop(0)
        parse(given, block, True)
    elif given[1:2] == ["{"]:
        method = block.enter(given.pop(0))
        given.pop(0)
        parse(given, method, True)
    else:
        while given and given[0] not in {"\n", ";", "}"}:
            block.words.append(given.pop(0))
        if given and given[0] == ";":
            given.pop(0)


def strangers(block: Block, schema: Any, path: str) -> list[str]:
    """Paths of keywords that are not known."""
    if schema == OPEN:
        return []
    found = []
    for name, inner in block.items():
        if name in (schema or {}):
            found += strangers(inner, schema[name], f"{path}/{name}")
        else:
            found.append(f"{path}/{name}")
    return found


def read_gen(words: list[str]) -> Atoms:
    """A periodic structure in the gen format."""
    count, kind = int(words[0]), words[1]
    if kind != "S":
        die("this program wants a periodic structure")
    first = next(place for place, word in enumerate(words[2:], 2) if word.isdigit())
    names, rows = words[2:first], np.array(words[first:], dtype=float)
    if len(rows) != 5 * count + 12 or len(set(names)) != len(names):
        die("Error in reading of the gen format")
    table = rows[: 5 * count].reshape(count, 5)
    if list(table[:, 0]) != list(range(1, count + 1)):
        die("atoms are not numbered one by one")
    symbols = [names[int(number) - 1] for number in table[:, 1]]
    if set(symbols) != set(names):
        die("a species has no atom")
    return Atoms(symbols, table[:, 2:], cell=rows[5 * count + 3 :].reshape(3, 3), pbc=True)


class Input:
    """dftb_in.hsd, checked."""

    def __init__(self, text: str) -> None:
        self.orders = {
            word: int(n) for word, n in re.findall(r"#\s*stub:\s*([\w-]+)\s+(\d+)", text)
        }
        self.release = str(self.orders.get("release", 251))
        self.root = Block()
        parse(tokens(text), self.root, False)
        geometry = self.root.get("geometry", Block()).get("genformat")
        if geometry is None:
            die("Missing child: Geometry")
        self.atoms = read_gen(geometry.words)
        self.species = list(dict.fromkeys(self.atoms.get_chemical_symbols()))
        newest = NEWEST[self.release]
        self.version = int(self.root.word("parseroptions", "parserversion") or newest)
        if not 1 <= self.version <= newest:
            die(f"Invalid parser version ({self.version})")
        self.forces = "printforces" if self.version >= 14 else "calculateforces"
        self._hamiltonian()
        self._unknown()

    def _hamiltonian(self) -> None:
        dftb = self.root.get("hamiltonian", Block()).get("dftb")
        if dftb is None:
            die("Missing child: Hamiltonian")
        for name in ("MaxAngularMomentum", "SlaterKosterFiles", "KPointsAndWeights"):
            if name.lower() not in dftb:
                die(f"Missing child: {name}", "Path: dftbplusinput/Hamiltonian/DFTB")
        for name in self.species:
            if not dftb.word("maxangularmomentum", name.lower()):
                die(
                    f"Missing child: {name}",
                    "Path: dftbplusinput/Hamiltonian/DFTB/MaxAngularMomentum",
                )
        scheme = dftb["slaterkosterfiles"].get("type2filenames", Block())
        parts = [scheme.word(name) for name in ("prefix", "separator", "suffix")]
        for one in self.species:
            for other in self.species:
                name = parts[0] + one + parts[1] + other + parts[2]
                if not Path(name).is_file():
                    die(f"SK file with generated name '{name}' not found.")
        mesh = dftb["kpointsandweights"].get("supercellfolding", Block()).words
        if len(mesh) != 12 or not all(re.fullmatch(r"-?\d+", word) for word in mesh[:9]):
            die("Invalid supercell folding")

    def _unknown(self) -> None:
        schema = {**SCHEMA, "analysis": {**SCHEMA["analysis"]}, "options": {**SCHEMA["options"]}}
        if self.version < 14:
            schema["analysis"].pop("printforces")
            schema["analysis"]["calculateforces"] = None
        if self.release != "251":
            schema["options"].pop("mdoutput")
        found = strangers(self.root, schema, "dftbplusinput")
        momenta = self.root["hamiltonian"]["dftb"]["maxangularmomentum"]
        unused = set(momenta) - {name.lower() for name in self.species}
        found += [f"dftbplusinput/Hamiltonian/DFTB/MaxAngularMomentum/{name}" for name in unused]
        if found:
            print(
                f"WARNING!\n-> The following {len(found)} node(s) have been ignored by the parser:"
            )
            for number, path in enumerate(found, 1):
                place = path.replace("mdoutput", "MDOutput")
                print(f"({number})\nPath: {place}\nLine: 9-9 (File: dftb_in.hsd)")
            print()
            die("Code halting due to the presence of errors in dftb_in file.")

    def yes(self, *path: str, default: str = "no") -> bool:
        """Whether a switch is on."""
        return (self.root.word(*path) or default).lower() == "yes"
