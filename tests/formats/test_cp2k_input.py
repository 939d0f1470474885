"""Inputs of CP2K: nothing is lost, the preprocessor is understood, broken files are refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pwact.errors import InputError
from pwact.formats.cp2k_input import cell_vectors, content, parse, read_input, write_input

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = """\
! a comment & no section
&Global   ! of the run
  Project  MixedCase_Name   # kept
  run_type \\
     Energy_Force
&End
@SET metal Fe
&FORCE_EVAL
  &SUBSYS
    &KIND ${metal}
      BASIS_SET "A # b"
    &END KIND
    @IF ( ${METAL} == Cu )
    &KIND Cu
    &END KIND
    @ENDIF
    @IF $metal /= Cu
    &kind Zn
      MASS ${heavy-65.4}
    &END
    @ENDIF
    @IF 0
    &TOPOLOGY
    &END TOPOLOGY
    @ENDIF
  &END SUBSYS
&END FORCE_EVAL"""


def test_what_is_found() -> None:
    root = parse(SMALL)
    control = root.section("GLOBAL")
    assert control is not None
    assert control.parameter == ""
    project = control.keyword("PROJECT_NAME", "PROJECT")
    assert project is not None
    assert (project.value, project.number) == ("MixedCase_Name", 3)
    assert control.value("RUN_TYPE") == "ENERGY_FORCE"
    assert control.value("WALLTIME") == ""
    subsys = root.section("FORCE_EVAL", "SUBSYS")
    assert subsys is not None
    assert [kind.parameter for kind in subsys.sections("KIND")] == ["Fe", "Zn"]
    iron, zinc = subsys.sections("KIND")
    assert iron.value("BASIS_SET") == '"A # B"'
    assert zinc.value("MASS") == "65.4"
    assert subsys.sections("TOPOLOGY") == []
    assert root.section("FORCE_EVAL", "DFT", "SCF") is None
    assert "MASS" in [line.name for line in root.lines()]


def test_nothing_is_lost(tmp_path: Path) -> None:
    for text in (SMALL, SMALL.replace("\n", "\r\n"), "", "\n\n", "A", "&A\n&END"):
        assert parse(text).render() == text
    odd = tmp_path / "cp2k input"
    odd.write_bytes(SMALL.encode() + b"\n# \xe9\xff\x0b \xc3\xa9\r\n")
    write_input(tmp_path / "again", read_input(odd))
    assert (tmp_path / "again").read_bytes() == odd.read_bytes()


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.inp")), ids=lambda path: path.name)
def test_examples_are_kept(path: Path) -> None:
    text = path.read_bytes().decode()
    assert parse(text).render() == text


def test_inputs_seen_working_are_kept(samples: Path) -> None:
    found = sorted((samples / "cp2k").glob("*/*.inp"))
    assert len(found) == 3
    for path in found:
        text = path.read_bytes().decode()
        root = parse(text)
        assert root.render() == text
        assert root.section("FORCE_EVAL", "DFT", "QS") is not None


@given(
    st.lists(
        st.sampled_from(
            ["&A", "&A b ! c", "&END", "&END A", "&end a", "K v", "#", "@IF 0", "@ENDIF"]
        )
        | st.text("ab&@!#'\"\\ ${}\t", max_size=9)
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_text_is_kept_or_refused(lines: list[str], end: str) -> None:
    text = end.join(lines)
    with contextlib.suppress(InputError):
        assert parse(text).render() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("&A\n&B\n&END A\n", "line 3: &END A where &END B is due [(]line 2[)]"),
        ("K\n&A\nK\n", "line 2: &A is not closed by &END"),
        ("&A\n&END\n&END A\n", "line 3: &END A closes nothing"),
    ],
)
def test_broken_sections(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "cp2k.inp"
    path.write_text(text)
    with pytest.raises(InputError, match=f"cp2k.inp: {message}"):
        read_input(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none.inp: cannot be read"):
        read_input(tmp_path / "none.inp")


def test_a_second_section_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cp2k.inp"
    path.write_text("&A\n&END\n&A\n&END\n")
    with pytest.raises(InputError, match="cp2k.inp: line 3: &A stands a second time"):
        read_input(path).section("A")


def test_new_text_goes_in() -> None:
    root = parse("&A\n  K 1\n&END A")
    section = root.section("A")
    assert section is not None
    section.insert(0, "  J 0\n")
    section.append("  L 2\n")
    root.append("&B\n&END B\n")
    assert root.render() == "&A\n  J 0\n  K 1\n  L 2\n&END A\n&B\n&END B\n"
    gone = section.remove(lambda item: getattr(item, "name", "") == "K")
    assert [item.render() for item in gone] == ["  K 1\n"]
    assert section.render() == "&A\n  J 0\n  L 2\n&END A"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("  A b ! c", "A b"),
        ("A 'b ! c' # d", "A 'b ! c'"),
        ("TITLE don't ! c", "TITLE don't"),
        ("# all", ""),
    ],
)
def test_comments(line: str, found: str) -> None:
    assert content(line) == found


def test_cells() -> None:
    text = "&FORCE_EVAL\n&SUBSYS\n&CELL\n{}&END\n&END\n&END\n"
    found = cell_vectors(parse(text.format("A 1 2 3\nB 4 5 6\nC 7 8 10\n")))
    assert found is not None
    np.testing.assert_array_equal(found, [[1, 2, 3], [4, 5, 6], [7, 8, 10]])
    for lines in ("ABC 6.1234567 6.2 6.3\n", "ABC 6.1234567 6.2 6.3\nALPHA_BETA_GAMMA 90 90 90\n"):
        found = cell_vectors(parse(text.format(lines)))
        np.testing.assert_array_equal(found, np.diag([6.1234567, 6.2, 6.3]))
    skewed = "ABC 1 1 1\nALPHA_BETA_GAMMA 90 90 120\n"
    for lines in (
        skewed,
        "ABC 1 1\n",
        "A 1 2 3\nB 1 2\nC 1 2 3\n",
        "A 1 2 x\nB 1 2 3\nC 1 2 3\n",
        "",
    ):
        assert cell_vectors(parse(text.format(lines))) is None
    assert cell_vectors(parse(text.format("A 1 2 nan\nB 1 2 3\nC 1 2 3\n"))) is None
    assert cell_vectors(parse("")) is None
