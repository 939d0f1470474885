"""etot.input: what is kept, what is put in, and that structure and pseudopotentials agree."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st

from pwact.config.labeling import DftInput
from pwact.engines.labelers import Purpose
from pwact.engines.pwmat.input import key_of, read_etot_input, render
from pwact.errors import InputError
from pwact.formats.frames import ordered
from pwact.formats.structures import read_structure
from tests.engines.pwmat_helpers import CONTROLS, alloy, labeler, prepared
from tests.stubs import pwmat as stub

USER = """\
8  1   # nodes
 job = scf
# IN.ATOM = kept.config, this is a comment
 #IN.PSP1 = kept as well
XCFUNCTIONAL = PBE  ! mentions IN.PSP1 = x
in.atom=old.config
 In.Psp1 = old.UPF
IN.PSP12 = old.UPF
IN.BASIS1 = Si old
IN.SKF = ./old/
IN.PSP_RCUT1 = 3.5
IN.WG = F
IN.RHO = F
Ecut = 50
OUT.WG = T
"""


def text_of(tmp_path: Path, control: str, purpose: Purpose = Purpose.SCF, **more: int) -> str:
    made = labeler(tmp_path / "site", control)
    task = prepared(made, tmp_path / "task", purpose, alloy(), **more)
    return (task / "etot.input").read_bytes().decode("utf-8", "surrogateescape")


def test_all_but_the_files_is_kept_to_the_letter(tmp_path: Path) -> None:
    gone = ("in.atom=", " In.Psp1", "IN.PSP12", "IN.BASIS1", "IN.SKF")
    kept = [line for line in USER.splitlines() if not line.startswith(gone)]
    assert text_of(tmp_path, USER, step=820).splitlines() == [
        *kept,
        "IN.ATOM = 820atom.config",
        "IN.PSP1 = Ag.SG15.PBE.UPF",
        "IN.PSP2 = Au.SG15.PBE.UPF",
        "OUT.MLMD = T",
        "OUT.RHO = F",
        "OUT.VR = F",
        "MP_N123 = 3 3 3 0 0 0 0",
    ]


def test_out_mlmd_is_asked_for_by_single_points_only(tmp_path: Path) -> None:
    text = text_of(tmp_path, CONTROLS[Purpose.AIMD], Purpose.AIMD)
    assert "OUT.MLMD" not in text
    assert "IN.ATOM = atom.config\n" in text
    assert all(f"OUT.{name} = F\n" in text for name in ("WG", "RHO", "VR"))


def test_bytes_that_are_no_text_and_a_missing_line_end_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "etot.input"
    path.write_bytes(b"4 1\r\nJOB = SCF # \xc4\xe3\xff\x85\nEcut = 50")
    text = render(read_etot_input(path), ["IN.ATOM = x"], [])
    assert text.encode("utf-8", "surrogateescape").split(b"\n") == [
        b"4 1",
        b"JOB = SCF # \xc4\xe3\xff\x85",
        b"Ecut = 50",
        b"IN.ATOM = x",
        b"",
    ]


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (" in.atom = x", "IN.ATOM"),
        ("Job=scf", "JOB"),
        ("# JOB = SCF", ""),
        (" # JOB = SCF", ""),
        ("  # JOB = SCF", ""),
        ("! JOB = SCF", ""),
        ("JOB SCF", ""),
        ("", ""),
    ],
)
def test_keys(line: str, key: str) -> None:
    assert key_of(line) == key


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        ("T", True),
        ("t # yes", True),
        (".TRUE.", True),
        ("True!", True),
        ("F", False),
        (".f.", False),
    ],
)
def test_flags(tmp_path: Path, value: str, truth: bool) -> None:
    (tmp_path / "e").write_text(f"1 1\nUSE_DFTB = {value}\n")
    control = read_etot_input(tmp_path / "e")
    assert control.flag("USE_DFTB", not truth) is truth
    assert control.flag("USE_GAUSSIAN", truth) is truth


def test_a_key_with_two_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e").write_text("1 1\nJOB = SCF\nEcut = 1\nEcut = 2\njob = scf\n")
    assert read_etot_input(tmp_path / "e").values["JOB"] == "SCF"
    (tmp_path / "e").write_text("1 1\nJOB = SCF\njob = md\n")
    with pytest.raises(InputError, match="JOB: is given twice, as 'SCF' and as 'md'"):
        read_etot_input(tmp_path / "e")


@pytest.mark.parametrize(
    ("kspacing", "numbers"), [(0.5, "1 1 1"), (0.3, "2 2 2"), (0.16, "4 4 4"), (0.1, "6 6 6")]
)
def test_k_points_of_cubic_silicon(tmp_path: Path, kspacing: float, numbers: str) -> None:
    atoms = bulk("Si", cubic=True, a=10.687 / 2) * (2, 2, 2)
    given = DftInput(tmp_path / "site" / "my etot.input", kspacing, 3)
    (tmp_path / "site").mkdir()
    pseudo = (stub.write_pseudo(tmp_path, "Si"),)
    made = labeler(tmp_path / "site", CONTROLS[Purpose.SCF], given=given, pseudo=pseudo)
    task = prepared(made, tmp_path / "task", Purpose.SCF, atoms)
    assert f"MP_N123 = {numbers} 0 0 0 3\n" in (task / "etot.input").read_text()


@pytest.mark.parametrize(
    ("control", "flag_symm", "line"),
    [
        ("", None, "MP_N123 = 3 3 3 0 0 0 0"),
        ("", 2, "MP_N123 = 3 3 3 0 0 0 2"),
        ("FLAG_SYMM = 3 # mine\n", 2, "MP_N123 = 3 3 3 0 0 0 3"),
        ("Mp_n123 = 7 7 7 0 0 0 2\n", 3, "Mp_n123 = 7 7 7 0 0 0 2"),
    ],
)
def test_symmetry(tmp_path: Path, control: str, flag_symm: int, line: str) -> None:
    given = DftInput(tmp_path / "site" / "my etot.input", None, flag_symm)
    made = labeler(tmp_path / "site", CONTROLS[Purpose.SCF] + control, given=given)
    task = prepared(made, tmp_path / "task", Purpose.SCF, alloy())
    lines = (task / "etot.input").read_text().splitlines()
    assert [one for one in lines if one.upper().startswith("MP_N123")] == [line]


def test_the_default_of_flag_symm_depends_on_the_step(tmp_path: Path) -> None:
    from tests.config.inputs import INIT, changed, load, make_site  # noqa: PLC0415

    site = make_site(tmp_path / "site")
    changes = {"dft_style": "pwmat", "relax_input": "INCAR", "aimd_input": "INCAR"}
    pair = load(site, tmp_path, changed(INIT, {**changes, "scf_input": "INCAR"}))
    steps = (pair.config.relax, pair.config.aimd, pair.config.scf)  # type: ignore[union-attr]
    assert [one.inputs[0].flag_symm for one in steps] == [0, 3, 0]


NUMBERS = (1, 6, 14, 29, 47, 79)


@st.composite
def structures(draw: st.DrawFn) -> Atoms:
    """Interleaved species in skewed, also left-handed cells, atoms outside of it as well."""
    count = draw(st.integers(1, 500))
    kinds = draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=6, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cell = np.diag(rng.uniform(3.0, 30.0, 3)) + rng.uniform(-1.4, 1.4, (3, 3))
    if draw(st.booleans()):
        cell = cell[[1, 0, 2]]
    fractions = rng.uniform(-2.0, 3.0, (count, 3))
    return Atoms(rng.choice(kinds, count), cell=cell, scaled_positions=fractions, pbc=True)


@given(atoms=structures(), kspacing=st.sampled_from([0.1, 0.3, 0.5]))
@settings(max_examples=40, deadline=None)
def test_structure_and_pseudopotentials_always_agree(atoms: Atoms, kspacing: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = DftInput(folder / "my etot.input", kspacing, 0)
        symbols = ("Au", "H", "Ag", "C", "Cu", "Si")
        pseudo = tuple(stub.write_pseudo(folder, symbol) for symbol in symbols)
        made = labeler(folder, CONTROLS[Purpose.SCF], given=given, pseudo=pseudo)
        task = prepared(made, folder / "task", Purpose.SCF, atoms, step=7)
        control = stub.Control(task / "etot.input")
        assert control.values["IN.ATOM"] == "7atom.config"
        stub.check_elements(control, stub.read_structure(task / "7atom.config"))
        assert control.numbers("MP_N123", "")[:3] == [
            max(1, round(2 * np.pi * np.linalg.norm(row) / kspacing))
            for row in np.linalg.inv(atoms.cell.array).T
        ]
        expected = ordered(atoms)
        for found in (
            stub.read_structure(task / "7atom.config"),
            read_structure(task / "7atom.config", "pwmat/config"),
            read_by_pwdata(task / "7atom.config"),
        ):
            assert found.numbers.tolist() == expected.numbers.tolist()
            np.testing.assert_allclose(found.cell.array, expected.cell.array, atol=1e-12)
            apart = expected.cell.scaled_positions(found.positions - expected.positions)
            assert np.abs(apart - np.round(apart)).max() < 1e-12


def read_by_pwdata(path: Path) -> Atoms:
    """A second reader, by other people."""
    from pwdata import Config  # noqa: PLC0415

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        image = Config(format="pwmat/config", data_path=str(path)).images
    image = image[0] if isinstance(image, list) else image
    numbers = np.array(image.atom_types_image).ravel().astype(int)
    cell = np.array(image.lattice).reshape(3, 3)
    return Atoms(numbers, cell=cell, scaled_positions=np.array(image.position), pbc=True)
