"""HSD: by the rules of the manual, byte by byte, and against trees that we made up."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pwact.errors import InputError
from pwact.formats.hsd import Node, Text, is_yes, read_hsd

Tree = Union[list[tuple[str, "Tree"]], str]  # properties, or words


def read(tmp_path: Path, text: str, **more: str) -> tuple[Node, Text]:
    for name, content in more.items():
        (tmp_path / name).write_text(content)
    path = tmp_path / "in.hsd"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return read_hsd(path, frozenset({"geometry"}))


def simple(node: Node) -> Tree:
    if node.words or node.included:
        return " ".join(node.text.split())
    return [(child.name, simple(child)) for child in node.children]


# what the manual shows


def test_the_kinds_of_assignments(tmp_path: Path) -> None:
    text = """# Entire line with comment
Prop1 = "hell#oo"  # the first hashmark is quoted
PlottedLevels = {
  1 2
  3
}
Origin = { 0.0
0.0 0.0 }
Variable = 12; Variable2 = 3.0
Empty = {}
Empty2 = ;
Diagonaliser = LapackDAC {}
Region = UnitCell {   # a property list
  Min [Angstrom^3,] = 1.0; Other = Yes }
Options { Sub = 'a "b" {' }
"""
    root, source = read(tmp_path, text)
    assert source.render() == text
    assert simple(root) == [
        ("Prop1", "hell#oo"),
        ("PlottedLevels", "1 2 3"),
        ("Origin", "0.0 0.0 0.0"),
        ("Variable", "12"),
        ("Variable2", "3.0"),
        ("Empty", []),
        ("Empty2", []),
        ("Diagonaliser", [("LapackDAC", [])]),
        ("Region", [("UnitCell", [("Min", "1.0"), ("Other", "Yes")])]),
        ("Options", [("Sub", 'a "b" {')]),
    ]
    minimum = root.at("region", "UNITCELL", "min")
    assert minimum is not None
    assert minimum.modifier == "Angstrom^3,"
    assert root.value("Region", "UnitCell", "Other") == "yes"
    assert root.at("Region", "UnitCell", "Nothing") is None


START = "A = 1\nB { C = 12; D = Method { E = abc } }\n"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("!A = 3", [("B", [("C", "12"), ("D", [("Method", [("E", "abc")])])]), ("A", "3")]),
        (
            "+B = {\n  !C = 21\n}",
            [("A", "1"), ("B", [("D", [("Method", [("E", "abc")])]), ("C", "21")])],
        ),
        (
            "+B = { +D = { +Method = { !E = x\n F = y } } }",
            [("A", "1"), ("B", [("C", "12"), ("D", [("Method", [("E", "x"), ("F", "y")])])])],
        ),
        ("*Z = { *Y = 1 }", [("A", "1"), ("B", "…"), ("Z", [("Y", "1")])]),
        ("?Z = { Y = 1 }", [("A", "1"), ("B", "…")]),
        ("/A = 5\n/Z = 6", [("A", "1"), ("B", "…"), ("Z", "6")]),
        ("A = 5", [("A", "1"), ("B", "…"), ("A", "5")]),
    ],
)
def test_prefixes(tmp_path: Path, more: str, expected: Tree) -> None:
    root, source = read(tmp_path, START + more)
    found = simple(root)
    filled = [
        (name, simple(root.children[1])) if value == "…" else (name, value)
        for name, value in expected
    ]  # type: ignore[misc]
    assert found == filled
    assert source.render() == START + more


def test_the_first_of_two_counts(tmp_path: Path) -> None:
    root, _ = read(tmp_path, "A = 1\na = 2\n")
    assert root.value("A") == "1"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A = 1\nB {\n", 2),
        ("A = 1\n}\n", 2),
        ("A = {\n 1 }\n;", 3),
        ("A =\n{ }", 1),
        ("A = { B = } }", 1),
        ("\n\n+A = 3", 3),
        ("= 3", 1),
        ("A [x = 3", 1),
        ("A { 1 2\n B = 3 }", 2),
        ('A { B <<< "x" }', 1),
        ("A {\n <<< \n}", 2),
        ('\n<<+ "not there"\n', 2),
    ],
)
def test_what_is_no_hsd(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(InputError, match=rf"in\.hsd: line {line}: "):
        read(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_hsd(tmp_path / "none.hsd")


# included files and changes


def test_included_files_come_in_place_and_can_be_changed(tmp_path: Path) -> None:
    text = 'A = 1\nB {\n  <<+ "one.hsd"  # more\n}\nC { <<< raw\n}\n'
    root, source = read(tmp_path, text, **{"one.hsd": "D = 2\n<<+ two.hsd", "two.hsd": "E = 'x'"})
    assert simple(root) == [("A", "1"), ("B", [("D", "2"), ("E", "x")]), ("C", "")]
    assert source.render() == "A = 1\nB {\n  D = 2\nE = 'x'\n  # more\n}\nC { <<< raw\n}\n"
    inner = root.at("B", "E")
    assert inner is not None
    inner.words[0].replace('"y"')
    root.at("C").included[0].replace('"z"')  # type: ignore[union-attr]
    assert source.render() == 'A = 1\nB {\n  D = 2\nE = "y"\n  # more\n}\nC { <<< "z"\n}\n'


def test_files_that_include_themselves(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without end"):
        read(tmp_path, '<<+ "in.hsd"\n')


def test_includes_of_the_geometry_are_not_followed(tmp_path: Path) -> None:
    root, _ = read(tmp_path, 'Geometry { <<+ "none.hsd"\n}\nA { Geometry { B = 1 } }\n')
    assert simple(root) == [("Geometry", []), ("A", [("Geometry", [("B", "1")])])]


def test_constructs_can_be_taken_out(tmp_path: Path) -> None:
    text = (
        'Geometry = GenFormat {\n <<< "x"\n} # mine\nA { Si = "p"; Li = "s" }\n!Geometry = G {}\n'
    )
    root, source = read(tmp_path, text)
    for _, part in [one for one in root.constructs if one[0] == "geometry"]:
        part.replace("")
    block = root.child("A")
    assert block is not None
    block.constructs[0][1].replace("")
    block.children[0].words[0].replace("within what is gone")
    assert source.render() == ' # mine\nA {  Li = "s" }\n\n'


def test_yes() -> None:
    assert [word for word in ("Yes", "YES", "no", "", "True", "0", "1") if is_yes(word)] == [
        *("Yes", "YES", "True", "1")
    ]


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_byte_stays(tmp_path: Path, ends: str) -> None:
    text = f"A =\t1 # \udcff ä{ends}{ends}B = {{ 2 }}{ends}C = 3"
    root, source = read(tmp_path, text)
    assert source.render() == text
    assert simple(root) == [("A", "1"), ("B", "2"), ("C", "3")]


def test_whole_inputs_stay_as_they_are(samples: Path) -> None:
    paths = sorted((samples / "dftbplus").glob("*/*.hsd"))
    assert len(paths) == 27
    for path in paths:
        if path.parent.name == "err_syntax":
            with pytest.raises(InputError, match=r"line 3[78]: this \{ is not closed"):
                read_hsd(path)
            continue
        root, source = read_hsd(path, frozenset({"geometry"}))
        assert source.render() == path.read_text()
        element = (path.parent / "geo.gen").read_text().split()[2].lower()
        assert root.at("Hamiltonian", "DFTB", "MaxAngularMomentum", element) is not None


# trees that we made up, written in all the ways that HSD allows

NAMES = st.sampled_from(["Driver", "Si", "a_b", "SCC", "Si-Li", "X1"])
WORDS = st.lists(st.sampled_from(["1", "-2.5e-3", "Yes", '"a b"', "'#'", '"{;"']), min_size=1)
TREES = st.recursive(
    WORDS.map(" ".join),
    lambda inner: st.lists(st.tuples(NAMES, inner), max_size=4, unique_by=lambda one: one[0]),
    max_leaves=12,
)
TOPS = st.lists(st.tuples(NAMES, TREES), max_size=4, unique_by=lambda one: one[0])
STYLES = st.lists(st.integers(0, 5), min_size=1, max_size=8)


def written(tree: Tree, styles: list[int], level: int = 0) -> str:
    if isinstance(tree, str):
        return tree
    made = []
    for number, (name, value) in enumerate(tree):
        style = styles[(number + level) % len(styles)]
        inner = written(value, styles, level + 1)
        if isinstance(value, str):
            forms = [f"{name} = {inner}\n", f"{name} = {inner}; ", f"{name} {{ {inner} }} # c\n"]
        else:
            forms = [
                f"{name} = {{{inner}}}\n",
                f"{name} {{ # c\n{inner}}}  ",
                f"!{name} = {{\n{inner}\n}}\n",
            ]
        made.append(forms[style % 3])
    return "".join(made)


def plain(tree: Tree) -> Tree:
    if isinstance(tree, str):
        words = tree.strip()
        whole = len(words) > 1 and words[0] == words[-1] and words[0] in "\"'"
        return " ".join((words[1:-1] if whole else words).split())
    return [(name, plain(value)) for name, value in tree]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=TOPS, styles=STYLES)
def test_trees_come_back(tmp_path: Path, tree: Tree, styles: list[int]) -> None:
    text = written(tree, styles)
    root, source = read(tmp_path, text)
    assert simple(root) == plain(tree)
    assert source.render() == text


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(alphabet="ab=;{}[]<+!#\"' \n", max_size=40))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    try:
        _, source = read(tmp_path, text)
    except InputError:
        return
    assert source.render() == text
