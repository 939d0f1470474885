"""Reading LAMMPS inputs by LAMMPS's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from pwact.engines.lammps.script import join, parse, read_script, split
from pwact.errors import InputError

FILE = Path("in.user")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run 100 # all", ["run", "100"]),
        ("# run 100", []),
        ("pair_coeff * * a &\n   b&\nc", ["pair_coeff", "*", "*", "a", "bc"]),
        ("print 'a # b' # c", ["print", "a # b"]),
        ('print """a\n"b" # c""" x', ["print", 'a\n"b" # c', "x"]),
        ('if "$a > 0" then \'print "x y"\'', ["if", "$a > 0", "then", 'print "x y"']),
        ("run $( v_a * (2+(1)) ) upto", ["run", "$( v_a * (2+(1)) )", "upto"]),
        ("variable a equal ${b}*2", ["variable", "a", "equal", "${b}*2"]),
        ("# comment &\nrun 5", []),
        ("dump_modify 1 format float %.16g", ["dump_modify", "1", "format", "float", "%.16g"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    (command,) = parse(text.splitlines(), FILE)
    assert list(command.words) == words
    assert command.text == text


def test_lines_are_counted() -> None:
    commands = list(parse(["a &", "b", "", "c"], FILE))
    assert [(one.line, one.words) for one in commands] == [(1, ("a", "b")), (3, ()), (4, ("c",))]


def test_a_quote_that_is_not_closed() -> None:
    with pytest.raises(InputError, match="in.user: line 2: a quote is not closed"):
        list(parse(["run 1", "variable a string 'b"], FILE))


def test_commands_inside_an_if() -> None:
    text = 'if "$a > 1" then "run 1" "fix 1 all nve" elif "$b == 2" "run 2" else \'print "x"\''
    (command,) = parse([text], FILE)
    assert command.inner() == [
        ("run", "1"),
        ("fix", "1", "all", "nve"),
        ("run", "2"),
        ("print", "x"),
    ]


@pytest.mark.parametrize("words", [["a", "b c", "d'e f"], ["x \"y\" 'z' q", "r"], ["$(a + b)"]])
def test_join_undoes_split(words: list[str]) -> None:
    assert split(join(words)) == words


def test_included_files_stand_in_place(tmp_path: Path) -> None:
    (tmp_path / "more in").mkdir()
    (tmp_path / "in.user").write_text("a\ninclude 'more in/x.in'\nd\n")
    (tmp_path / "more in/x.in").write_text("b\ninclude y.in\n")
    (tmp_path / "more in/y.in").write_text("c\n")
    found = [(one.name, one.file.name, one.line) for one in read_script(tmp_path / "in.user")]
    assert found == [("a", "in.user", 1), ("b", "x.in", 1), ("c", "y.in", 1), ("d", "in.user", 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("include in.user", "include one another more than 10 times"),
        ("include ${x}", "must name one file, without variables"),
        ("include nowhere", "nowhere: cannot be read: No such file"),
    ],
)
def test_impossible_includes(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "in.user"
    path.write_text(f"{text}\n")
    with pytest.raises(InputError, match=message):
        read_script(path)
