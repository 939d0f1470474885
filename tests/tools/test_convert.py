"""`pwact to_pwdata`: every format in, both formats out, whole or not at all."""

from __future__ import annotations

import gc
import re
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from ase import Atoms

from pwact.cli.main import main
from pwact.formats.deepmd_npy import write_deepmd
from pwact.formats.extxyz import write_extxyz
from pwact.formats.frames import ordered, read_frames, write_frames
from pwact.formats.labels import labels_of, set_labels
from pwact.formats.same_frame import structure_mark
from pwact.formats.spool import Spool
from pwact.io.machine import Machine
from pwact.registry.formats import WRITTEN
from pwact.tools.data import labelled as readers
from pwact.tools.data import publish
from pwact.tools.data.convert import Conversion, convert
from pwact.tools.data.publish import Workshop
from tests.formats.conftest import assert_same
from tests.workflow.trajectories import labelled, movement_text, write_outcar

Said = pytest.CaptureFixture[str]
CP2K = Path(__file__).parents[1] / "formats" / "cp2k_md"
NPY = {"atom_type", "ei", "energies", "forces", "image_type", "lattice", "position", "virials"}


@pytest.fixture(scope="module")
def vasp(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """OUTCARs of five ionic steps: whole, cut off after two, one that never converges."""
    root = tmp_path_factory.mktemp("vasp")
    comments = {"whole": "", "cut": "# stub: cut 2\n", "hard": "# stub: hard 1\n"}
    return {
        name: write_outcar(root / name, 5, comment).read_bytes()
        for name, comment in comments.items()
    }


def put_movement(path: Path, *frames: Atoms) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(movement_text(list(frames)))


def series(symbols: str, *numbers: int) -> list[Atoms]:
    return [labelled(symbols, number) for number in numbers]


def energies(path: Path, data_format: str = "pwmlff/npy") -> list[int]:
    """The numbers of the frames of a data set."""
    return [-round(labels_of(atoms).energy) for atoms in read_frames(path, data_format)]


def files_of(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*"))


def test_a_movement_becomes_a_data_set_with_every_digit(here: Path, capsys: Said) -> None:
    frames = series("Si3C2", *range(1, 5))
    put_movement(here / "MOVEMENT", *frames)
    assert main(["to_pwdata", "-i", "MOVEMENT"]) == 0
    said = capsys.readouterr()
    assert said.out == f'4 frames of 1 input\n"{here}/PWdata/C2Si3",\n'
    assert said.err == ""
    assert files_of(here) == sorted(
        ["MOVEMENT", "PWdata", "PWdata/C2Si3", *(f"PWdata/C2Si3/{name}.npy" for name in NPY)]
    )
    found = read_frames(here / "PWdata", "pwmlff/npy")
    for one, frame in zip(found, frames):
        assert_same(one, ordered(frame), 1e-13)
    assert (
        np.load(here / "PWdata/C2Si3/forces.npy")[0] == ordered(frames[0]).get_forces().ravel()
    ).all()


@pytest.mark.parametrize(
    "spelling",
    ["pwmat/movement", "MOVEMENT", "pwmat", "extxyz", "xyz", "pwmlff/npy", "npy", "deepmd/npy"],
)
@pytest.mark.parametrize("output", WRITTEN)
def test_formats_that_hold_what_they_are_given(here: Path, spelling: str, output: str) -> None:
    frames = series("CSi2", *range(1, 4))
    place = here / "in"
    place.mkdir()
    if "deepmd" in spelling:
        write_deepmd(place, frames, ["C", "Si"])
    elif "npy" in spelling:
        write_frames(place / "data", frames, "pwmlff/npy")
    elif "xyz" in spelling:
        write_extxyz(place / "one.xyz", frames)
    else:
        put_movement(place / "MOVEMENT", *frames)
        place = place / "MOVEMENT"
    words = ["-i", str(place), "-f", spelling, "--output_format", output, "-s", "out"]
    assert main(["to_pwdata", *words]) == 0
    for one, frame in zip(read_frames(here / "out", output), frames):
        assert_same(one, frame, 1e-13)


def test_an_extxyz_is_copied_bit_by_bit(here: Path) -> None:
    frames = [labelled("SiCSi", 1), labelled("SiCSi", 2, virial=False)]
    for atoms in (frames[0], frames[0].calc.atoms):
        atoms.pbc = (True, False, True)
    write_extxyz(here / "a.xyz", frames)
    assert main(["to_pwdata", "-i", "a.xyz", "-f", "extxyz", "--output_format", "xyz"]) == 0
    assert (here / "PWdata/C1Si2/train.xyz").read_bytes() == (here / "a.xyz").read_bytes()


def test_outcars_lose_what_is_not_converged(
    here: Path, vasp: dict[str, bytes], capsys: Said
) -> None:
    for name, content in vasp.items():
        (here / name).write_bytes(content)
    assert main(["to_pwdata", "-f", "VASP", "-m", "-i", "whole", "cut", "hard"]) == 0
    said = capsys.readouterr()
    found = len(read_frames(here / "PWdata", "pwmlff/npy"))
    (frames, lost) = re.findall(r"^(\d+) frames of 3 inputs; (\d+) not converged", said.out)[0]
    assert (int(frames), int(frames) + int(lost)) == (found, 12)
    assert "cut: cut off after 2 complete ionic steps; the complete frames before" in said.err
    assert "hard: not converged, left out: ionic step" in said.err


def test_a_single_point_of_pwmat_is_judged_by_its_report(here: Path, capsys: Said) -> None:
    frames = series("Si2", 1, 2)
    for number, frame in enumerate(frames):
        put_movement(here / f"{number}" / "OUT.MLMD", frame)
    (here / "0" / "REPORT").write_text("ending_scf_reason = tol\n total time\n")
    (here / "1" / "REPORT").write_text(" niter reached\n total time\n")
    words = ["-i", "0/OUT.MLMD", "1/OUT.MLMD"]
    assert main(["to_pwdata", *words]) == 0
    said = capsys.readouterr()
    assert "1 frame of 2 inputs; 1 not converged, left out" in said.out
    assert "1/OUT.MLMD: not converged, left out: the SCF is not converged" in said.err
    assert energies(here / "PWdata") == [1]
    put_movement(here / "1" / "MOVEMENT", *frames)  # an MD, of which REPORT tells the last step
    assert main(["to_pwdata", "-i", "1/MOVEMENT", "-s", "md"]) == 0
    assert energies(here / "md") == [1, 2]
    assert main(["to_pwdata", "-i", "1/OUT.MLMD", "-s", "none"]) == 2
    assert capsys.readouterr().err.endswith("no frame of the inputs is converged; 1 left out\n")
    assert not (here / "none").exists()


MOMENTS = "the magnetic moments of its atoms ({}) are not read"


@pytest.mark.parametrize(
    ("spins", "orbitals", "said"),
    [
        ("ISPIN  =      2    spin polarized calculation?", 11, True),
        ("LNONCOLLINEAR =      T non collinear calculations", 10, True),
        ("ISPIN  =      2    spin polarized calculation?", 2, False),
        ("ISPIN  =      1    spin polarized calculation?", 11, False),
    ],
)
def test_moments_of_an_outcar_are_named_once(
    here: Path, vasp: dict[str, bytes], capsys: Said, spins: str, orbitals: int, said: bool
) -> None:
    head = f"   {spins}\n   LORBIT       =     {orbitals}    0 simple, 1 ext, 2 COOP (PROOUT)\n"
    before = b"   NELM   ="
    assert before in vasp["whole"]
    text = vasp["whole"].replace(before, head.encode() + before, 1)
    (here / "OUTCAR").write_bytes(text)
    assert main(["to_pwdata", "-f", "vasp", "-i", "OUTCAR", "--output_format", "extxyz"]) == 0
    assert capsys.readouterr().err.count(MOMENTS.format("LORBIT")) == said


def test_moments_of_a_log_of_cp2k_are_named_once(here: Path, capsys: Said) -> None:
    scf = CP2K.parents[1] / "data/cp2k/scf/dft.log"
    heading = "#  Atom  Element  Kind  Atomic population                           Net charge"
    spins = "#  Atom  Element  Kind  Atomic population (alpha,beta) Net charge  Spin moment"
    assert heading in scf.read_text()
    for text, said in ((scf.read_text(), 0), (scf.read_text().replace(heading, spins), 1)):
        (here / "dft.log").write_text(text)
        words = ["-i", "dft.log", "-f", "cp2k/scf", "--output_format", "extxyz"]
        assert main(["to_pwdata", *words, "-s", f"out{said}"]) == 0
        assert capsys.readouterr().err.count(MOMENTS.format("Spin moment")) == said
    shutil.copytree(CP2K, here / "run")
    log = (here / "run/dft.log").read_text()
    place = log.index(" ENERGY|")
    (here / "run/dft.log").write_text(f"{log[:place]} {spins}\n{log[place:]}")
    assert main(["to_pwdata", "-f", "cp2k/md", "-i", "run/dft.log"]) == 0
    assert capsys.readouterr().err.count(MOMENTS.format("Spin moment")) == 1


def test_cp2k_md_and_what_it_did_not_converge(here: Path, capsys: Said) -> None:
    shutil.copytree(CP2K, here / "run")
    assert main(["to_pwdata", "-f", "cp2k", "-i", "run/dft.log"]) == 0
    whole = capsys.readouterr()
    count = len(read_frames(here / "PWdata", "pwmlff/npy"))
    assert f"{count} frames of 1 input\n" in whole.out
    log = (here / "run/dft.log").read_text()
    marks = [found.span() for found in re.finditer(r" *\*\*\* SCF run converged.*", log)]
    start, end = marks[2]
    bad = " *** WARNING in qs_scf.F:601 :: SCF run NOT converged ***"
    (here / "run/dft.log").write_text(f"{log[:start]}{bad}{log[end:]}")
    assert main(["to_pwdata", "-f", "cp2k/md", "-i", "run/dft.log", "-s", "two"]) == 0
    said = capsys.readouterr()
    assert f"{count - 1} frames of 1 input; 1 not converged, left out" in said.out
    assert re.search(r"run/dft\.log: not converged, left out: step \d", said.err)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"C1Si1": [1, 2, 3, 5], "Si2": [4], "C1Si1_1": [6, 7]}),
        (["-m"], {"C1Si1": [1, 2, 3, 5, 6, 7], "Si2": [4]}),
        (["-m", "true"], {"C1Si1": [1, 2, 3, 5, 6, 7], "Si2": [4]}),
        (["-m", "FALSE"], {"C1Si1": [1, 2, 3, 5], "Si2": [4], "C1Si1_1": [6, 7]}),
        (["-g", "2"], {"C1Si1": [1, 3, 5], "C1Si1_1": [6]}),
        (["-g", "2", "-m"], {"C1Si1": [1, 3, 5, 7]}),
        (["-g", "99", "-m", "-t", "any"], {"C1Si1": [1]}),
        (["-o", "1"], {"C1Si1/train": [1, 2, 3, 5], "Si2/train": [4], "C1Si1_1/train": [6, 7]}),
        (
            ["-o", "0.5", "-m"],
            {"C1Si1/train": [1, 2, 3], "C1Si1/valid": [5, 6, 7], "Si2/train": [4]},
        ),
        (
            ["-m", "-o", "0.51"],
            {"C1Si1/train": [1, 2, 3, 5], "C1Si1/valid": [6, 7], "Si2/train": [4]},
        ),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["pwmlff/npy", "extxyz"])
def test_grouping_gap_and_split(
    here: Path, words: list[str], expected: dict[str, list[int]], output: str
) -> None:
    put_movement(here / "a", *series("CSi", 1, 2, 3), labelled("Si2", 4), labelled("SiC", 5))
    put_movement(here / "b", *series("CSi", 6, 7))
    assert main(["to_pwdata", "-i", "a", "-i", "b", "--output_format", output, *words]) == 0
    root = here / "PWdata"
    if output == "extxyz":
        found = {
            path.relative_to(root).as_posix(): energies(path, output)
            for path in root.rglob("*.xyz")
        }
        split = "-o" in words
        expected = {
            f"{name}.xyz" if split else f"{name}/train.xyz": numbers
            for name, numbers in expected.items()
        }
    else:
        found = {
            path.parent.relative_to(root).as_posix(): energies(path.parent)
            for path in root.rglob("energies.npy")
        }
    assert found == expected


def test_an_exact_share_is_not_spoilt_by_rounding(here: Path) -> None:
    put_movement(here / "a", *series("C", *range(10)))
    assert main(["to_pwdata", "-i", "a", "-o", "0.7"]) == 0  # 10 * 0.7 is 7.000000000000001
    assert len(energies(here / "PWdata/C1/train")) == 7


def test_the_shuffle_comes_from_its_seed(here: Path) -> None:
    put_movement(here / "a", *series("C", *range(20)))
    found = {}
    for name, words in {
        "plain": [],
        "default": ["-r"],
        "same": ["-r", "--seed", "2024"],
        "other": ["-r", "--seed", "1"],
        "off": ["-r", "false", "--seed", "1"],
        "old": ["-r", "True"],
    }.items():
        assert main(["to_pwdata", "-i", "a", "-s", name, "-o", "0.8", *words]) == 0
        found[name] = energies(here / name / "C1/train") + energies(here / name / "C1/valid")
        assert sorted(found[name]) == list(range(20))
    assert found["plain"] == found["off"] == list(range(20))
    assert found["default"] == found["same"] == found["old"]
    assert found["default"] != found["plain"] != found["other"] != found["default"]


def test_what_is_there_already_stays_and_is_named(here: Path, capsys: Said) -> None:
    put_movement(here / "a", *series("C", 1, 2))
    put_movement(here / "b", *series("C", 3))
    assert main(["to_pwdata", "-i", "a", "-s", "deep/er/PWdata"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["to_pwdata", "-i", "b", "-s", "PWdata", "-w", "deep/er"]) == 2
    assert "deep/er/b: does not exist" in capsys.readouterr().err
    assert main(["to_pwdata", "-i", str(here / "b"), "-s", "PWdata", "-w", "deep/er"]) == 0
    said = capsys.readouterr()
    place = here / "deep/er/PWdata"
    assert f"{place} holds C1 already; new frames are in C1_1" in said.err
    assert said.out.endswith(f'"{place}/C1_1",\n')
    assert (energies(place / "C1"), energies(place / "C1_1")) == ([1, 2], [3])


def test_virials_that_only_some_frames_have_are_left_out_with_a_word(
    here: Path, capsys: Said
) -> None:
    put_movement(here / "a", labelled("C", 1), labelled("C", 2, virial=False))
    assert main(["to_pwdata", "-i", "a"]) == 0
    assert "1 of 2 frames have no virial, so the data set has none" in capsys.readouterr().err
    assert not (here / "PWdata/C1/virials.npy").exists()


def test_a_movement_that_was_cut_off_gives_its_complete_frames(here: Path, capsys: Said) -> None:
    text = movement_text(series("C", 1, 2, 3))
    (here / "MOVEMENT").write_text(text[:-120])
    assert main(["to_pwdata", "-i", "MOVEMENT"]) == 0
    err = capsys.readouterr().err
    assert re.search(r"WARNING: MOVEMENT, after line \d+: the file is cut off; the complete", err)
    assert energies(here / "PWdata") == [1, 2]


def spoil(text: str) -> str:
    """Replace a number of the last frame."""
    head, _, tail = text.rpartition("E+00")
    return f"{head[:-5]}****{tail}"


BAD: list[tuple[list[str], str]] = [
    ([], "required: -i/--input"),
    (["-i"], "argument -i/--input: expected at least one argument"),
    (["-i", "nowhere"], "nowhere: does not exist"),
    (["-i", "good", "nowhere"], "nowhere: does not exist"),
    (["-i", "good", "-f", "outcars"], "format 'outcars': did you mean outcar?"),
    (["-i", "good", "-f", "vasp/poscar"], "formats with labels: pwmat/movement, vasp/outcar"),
    (["-i", "good", "-f", "extxyz"], "good: frame 0 cannot be read"),
    (["-i", "good", "-f", "vasp"], "; is vasp/outcar its format?"),
    (["-i", "good", "-f", "npy"], "good: holds no labelled frame; is pwmlff/npy its format?"),
    (["-i", "good", "bad", "--strict"], "bad, line 29: "),
    (["-i", "bad", "empty"], "no input can be read; the first: bad, line 29: "),
    (["-i", "good", "--train", "0.8", "--valid", "0.3"], "are 1.1 together; expected 1"),
    (["-i", "good", "--train", "0.8", "-o", "0.8"], "take one of them"),
    (["-i", "empty"], "empty holds no frame; is pwmat/movement its format?"),
    (["-i", "bare.xyz", "-f", "extxyz"], "bare.xyz: frame 1 has no energy and forces"),
    (["-i", "free.xyz", "-f", "extxyz"], "free.xyz: frame 0: it has no cell"),
    (["-i", "slab.xyz", "-f", "extxyz"], "slab.xyz: frame 0: a frame is open along an axis (pbc)"),
    (["-i", "slab.xyz", "-f", "extxyz", "--energy-key", "E"], "there is no key E"),
    (["-i", "good", "--energy-key", "E"], "--virial-key are for -f extxyz"),
    (["-i", "good", "--names", "ase"], "--names ase is for --output_format extxyz"),
    (["-i", "good", "-o", "0"], "found '0'; expected a number above 0, at most 1"),
    (["-i", "good", "-o", "1.1"], "found '1.1'; expected a number above 0, at most 1"),
    (["-i", "good", "-o", "nan"], "found 'nan'; expected a number above 0, at most 1"),
    (["-i", "good", "-g", "0"], "found '0'; expected an integer from 1 on"),
    (["-i", "good", "-g", "1.5"], "found '1.5'; expected an integer from 1 on"),
    (["-i", "good", "--seed", "-1"], "found '-1'; expected an integer from 0 on"),
    (["-i", "good", "-m", "perhaps"], "found 'perhaps'; expected true, false or nothing"),
    (["-i", "good", "--output_format", "csv"], "expected extxyz, pwmlff/npy, deepmd"),
    (["-i", "good", "-w", "nowhere"], "nowhere is not a directory"),
    (["-i", "good", "-s", "good"], "good is not a directory"),
    (["-i", "good", "-s", "good/below"], "good is not a directory"),
    (["-i", "good", "--merged"], "unrecognized arguments: --merged"),
]


@pytest.mark.parametrize(("words", "complaint"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_bad_arguments_and_files_are_told_and_nothing_is_written(
    here: Path, capsys: Said, words: list[str], complaint: str
) -> None:
    text = movement_text(series("C", 1, 2, 3))
    (here / "good").write_text(text)
    (here / "bad").write_text(spoil(text))
    (here / "empty").touch()
    frames = series("C", 1, 2)
    frames[1].calc = None
    write_extxyz(here / "bare.xyz", frames)
    free = labelled("C", 1, virial=False)
    free.cell[:] = 0
    free.pbc = False
    free.calc.atoms.cell[:] = 0
    free.calc.atoms.pbc = False
    write_extxyz(here / "free.xyz", [free])
    slab = labelled("C", 1, virial=False)
    slab.pbc = slab.calc.atoms.pbc = [True, True, False]
    write_extxyz(here / "slab.xyz", [slab])
    before = files_of(here)
    status = main(["to_pwdata", *words] if words else ["to_pwdata", "-m"])
    said = capsys.readouterr()
    assert (status, said.out) == (2, "")
    complaints = [line for line in said.err.splitlines() if line.startswith("pwact: ")]
    assert len(complaints) == 1
    assert complaint in complaints[0]
    assert files_of(here) == before


class Alive:
    """Lives as long as the frame that holds it."""


@pytest.mark.parametrize("output", ["pwmlff/npy", "extxyz"])
def test_few_frames_are_in_memory_at_a_time(
    here: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    alive: Any = weakref.WeakSet()
    usual: Callable[..., None] = Atoms.__init__
    read_back: Callable[..., Atoms] = Spool._frame  # noqa: SLF001
    most = {"reading": 0, "writing": 0}

    def counted(self: Atoms, *args: Any, **more: Any) -> None:
        usual(self, *args, **more)
        self.mark = Alive()
        alive.add(self.mark)

    def count(phase: str) -> None:
        gc.collect()
        most[phase] = max(most[phase], len(alive))

    def frame(self: Spool, *parts: Any) -> Atoms:
        count("writing")
        return read_back(self, *parts)

    put_movement(here / "a", *series("CSi", *range(12)))
    put_movement(here / "b", *series("CSi", *range(12)))
    monkeypatch.setattr(Atoms, "__init__", counted)
    monkeypatch.setattr(Spool, "_frame", frame)
    settings = Conversion(
        [here / "a", here / "b"], "pwmat/movement", here / "out", output, seed=1, merge=True
    )
    gc.freeze()  # to look through what is new alone takes a hundredth of the time
    try:
        assert convert(settings, lambda number: count("reading")).frames == 24
    finally:
        gc.unfreeze()
    assert 0 < most["reading"] <= 8  # a calculator holds a copy of its frame
    assert 0 < most["writing"] <= 8


def test_an_interrupted_conversion_leaves_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_movement(here / "a", *series("C", 1, 2, 3))

    def interrupted(*told: Any) -> Iterator[Atoms]:
        del told
        yield labelled("C", 1)
        raise KeyboardInterrupt

    monkeypatch.setattr(readers.Movement, "read", interrupted)
    assert main(["to_pwdata", "-i", "a"]) == 130
    assert files_of(here) == ["a"]


def test_every_frame_is_counted_with_the_number_of_its_input(here: Path) -> None:
    put_movement(here / "a", *series("C", 1, 2))
    put_movement(here / "b", *series("C", 3))
    counted: list[int] = []
    convert(Conversion([here / "a", here / "b"], "pwmat/movement", here / "out"), counted.append)
    assert counted == [1, 1, 2]


def two_sets(here: Path) -> Conversion:
    put_movement(here / "a", *series("C", 1, 2))
    put_movement(here / "b", *series("Si", 3))
    return Conversion([here / "a", here / "b"], "pwmat/movement", here / "out")


class KilledError(BaseException):
    pass


def killed_at_rename(monkeypatch: pytest.MonkeyPatch, number: int, clean: bool) -> None:
    """Die at one of the renames to the goal; `clean`: with time for what `finally` does."""
    real, seen = Path.rename, []

    def rename(self: Path, target: Path) -> Path:
        if Path(target).name == "out" or Path(target).parent.name == "out":
            seen.append(target)
            if len(seen) == number:
                raise KilledError
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    if not clean:
        monkeypatch.setattr("pwact.tools.data.publish.Workshop.close", lambda _: None)
        monkeypatch.setattr("pwact.tools.data.publish.start_of", lambda _: 0)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_call_that_dies_while_it_publishes_leaves_no_twins(
    here: Path, monkeypatch: pytest.MonkeyPatch, there: bool, clean: bool
) -> None:
    settings = two_sets(here)
    expected = convert(settings)
    names = files_of(here)
    shutil.rmtree(here / "out")
    if there:
        (here / "out").mkdir()
        (here / "out" / "notes").write_text("mine")
        names = sorted([*names, "out/notes"])
    with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
        killed_at_rename(patch, 2 if there else 1, clean)
        convert(settings)
    assert files_of(here) != names
    assert convert(settings) == expected
    assert files_of(here) == names
    assert not list(here.glob(".*.new"))
    convert(settings)  # asked for once more, not interrupted
    assert sorted(path.name for path in (here / "out").iterdir() if path.is_dir()) == [
        "C1", "C1_1", "Si1", "Si1_1"
    ]  # fmt: skip


def test_another_order_does_not_take_the_result_of_an_interrupted_one(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = two_sets(here)
    (here / "out").mkdir()
    with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
        killed_at_rename(patch, 2, clean=False)
        convert(settings)
    put_movement(here / "a", *series("C", 1, 2, 3, 4))
    assert convert(settings).frames == 5
    assert sorted(path.name for path in (here / "out").iterdir()) == ["C1", "C1_1", "Si1", "Si1_1"]


@pytest.mark.parametrize("there", ["file", "folder"])
def test_a_name_that_somebody_took_meanwhile_is_left_to_him(
    here: Path, monkeypatch: pytest.MonkeyPatch, there: str, capsys: Said
) -> None:
    """Neither his data nor ours are lost; what was moved already may have been taken away."""
    two_sets(here)
    words = ["to_pwdata", "-i", "a", "b", "-f", "pwmat/movement", "-s", "out"]
    (here / "out").mkdir()
    with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
        killed_at_rename(patch, 2, clean=False)
        main(words)
    shutil.rmtree(here / "out" / "C1")
    taken = here / "out" / "Si1"
    if there == "file":
        taken.write_text("mine")
    else:
        taken.mkdir()
    before = files_of(here)
    assert main(words) == 2
    assert "out/Si1 was made by somebody else" in capsys.readouterr().err
    assert files_of(here) == before
    taken.rename(here / "his")
    assert main(words) == 0
    assert [path.name for path in (here / "out").iterdir()] == ["Si1"]
    assert not list(here.glob(".*.new"))


def test_another_goal_leaves_an_interrupted_call_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = two_sets(here)
    (here / "out").mkdir()
    with monkeypatch.context() as patch, pytest.raises(KilledError):  # noqa: PT012
        killed_at_rename(patch, 2, clean=False)
        convert(settings)
    convert(replace(settings, savepath=here / "new" / "out"))
    assert sorted(path.name for path in (here / "new" / "out").iterdir()) == ["C1", "Si1"]
    assert len(list(here.glob(".out.*.new"))) == 1
    convert(settings)
    assert sorted(path.name for path in (here / "out").iterdir()) == ["C1", "Si1"]
    assert not list(here.glob(".*.new"))


@pytest.mark.parametrize(
    ("host", "boot", "living"),
    [("c2", "other", True), ("c1", "other", False), ("c1", "", True)],
    ids=["another-machine", "started-again", "not-known"],
)
def test_who_may_live_elsewhere_keeps_its_workshop(
    here: Path, monkeypatch: pytest.MonkeyPatch, host: str, boot: str, living: bool
) -> None:
    monkeypatch.setattr(publish, "this_machine", lambda: Machine(host, boot, ""))
    left = Workshop(here / "out", {})
    left.open()
    monkeypatch.setattr(publish, "this_machine", lambda: Machine("c1", "mine", ""))
    Workshop(here / "out", {}).finish_interrupted()
    assert left.place.exists() is living


def test_the_workshop_of_a_living_call_stays(here: Path) -> None:
    settings = two_sets(here)
    other = Workshop(here / "out", {})
    other.open()
    convert(settings)
    assert other.ready.is_dir()
    other.close()
    assert not list(here.glob(".*.new"))


@pytest.mark.parametrize("more", [[], ["-m"], ["-m", "-g", "2"], ["-m", "--train", "0.7"]])
def test_one_odd_file_does_not_end_a_call_with_many(
    here: Path, capsys: Said, more: list[str]
) -> None:
    put_movement(here / "a", *series("CSi", 1, 2, 3))
    text = movement_text([*series("CSi", 4, 5), *series("Si2", 6, 7), *series("CSi", 8)])
    (here / "b").write_text(spoil(text))
    put_movement(here / "c", labelled("CSi", 9), labelled("CSi", 10), labelled("C", 11))
    assert main(["to_pwdata", "-i", "a", "c", "-s", "right", *more]) == 0
    capsys.readouterr()
    assert main(["to_pwdata", "-i", "a", "b", "c", *more]) == 1
    said = capsys.readouterr()
    assert "frames of 3 inputs; 1 input cannot be read, left out\n" in said.out
    assert re.search(r"^pwact: .*b, line \d+: ", said.err.splitlines()[-1])
    assert files_of(here / "PWdata") == files_of(here / "right")
    for path in (here / "right").rglob("*.npy"):
        assert (here / "PWdata" / path.relative_to(here / "right")).read_bytes() == (
            path.read_bytes()
        )


def test_an_odd_file_leaves_the_virials_of_the_others(here: Path, capsys: Said) -> None:
    put_movement(here / "a", *series("C", 1))
    text = movement_text([labelled("C", 2, virial=False), labelled("C", 3)])
    (here / "b").write_text(spoil(text))
    assert main(["to_pwdata", "-m", "-i", "a", "b"]) == 1
    assert "virial" not in capsys.readouterr().err
    assert np.load(here / "PWdata/C1/virials.npy").shape == (1, 9)


def parts(place: Path) -> tuple[set[int], set[int]]:
    """The numbers of the frames to train, and of those to validate."""
    every = [
        [
            number
            for path in sorted(place.rglob(f"{part}.xyz"))
            for number in energies(path, "extxyz")
        ]
        for part in ("train", "valid")
    ]
    assert all(len(set(one)) == len(one) for one in every)
    return set(every[0]), set(every[1])


def test_parts_by_content_do_not_depend_on_files_or_order(here: Path) -> None:
    frames = [
        labelled(symbols, 10 * n + k) for n, symbols in enumerate(["C", "CSi"]) for k in range(10)
    ]
    put_movement(here / "a", *frames)
    put_movement(here / "b", *frames[:7])
    put_movement(here / "c", *reversed(frames[7:]))
    words = ["--output_format", "extxyz", "--train", "0.7"]
    assert main(["to_pwdata", "-i", "a", "-s", "one", *words]) == 0
    assert main(["to_pwdata", "-i", "c", "b", "-s", "two", *words]) == 0
    train, valid = parts(here / "one")
    assert (len(train), len(valid), train & valid) == (14, 6, set())
    assert parts(here / "two") == (train, valid)
    assert main(["to_pwdata", "-i", "a", "-s", "other", *words, "--seed", "5"]) == 0
    assert parts(here / "other")[0] != train
    words[2:] = ["--valid", "0.3"]
    assert main(["to_pwdata", "-i", "a", "-s", "same", *words]) == 0
    assert parts(here / "same") == (train, valid)


@pytest.mark.parametrize("words", [["--train", "0.5"], ["-o", "0.5"], ["-o", "0.5", "-r"]])
def test_one_structure_is_never_in_both_parts(here: Path, capsys: Said, words: list[str]) -> None:
    frames = series("CSi", *range(6))
    put_movement(here / "a", *frames)
    put_movement(here / "b", *frames[3:], *frames[:3])
    words = ["-i", "a", "b", "--output_format", "extxyz", *words]
    assert main(["to_pwdata", *words]) == 0
    every = {
        part: {
            structure_mark(atoms)
            for path in (here / "PWdata").rglob(f"{part}.xyz")
            for atoms in read_frames(path, "extxyz")
        }
        for part in ("train", "valid")
    }
    assert every["train"] | every["valid"] == {structure_mark(ordered(atoms)) for atoms in frames}
    assert not every["train"] & every["valid"]
    moved = "frames to validate have the structure of a frame to train" in capsys.readouterr().err
    assert moved == (words[-1] != "0.5" or words[-2] != "--train")


@pytest.mark.parametrize("output", WRITTEN)
def test_virials_are_turned_where_it_is_asked_for(here: Path, output: str) -> None:
    put_movement(here / "a", *series("CSi", 1, 2))
    words = ["to_pwdata", "-i", "a", "--output_format", output]
    assert main(words) == 0
    assert main([*words, "-s", "turned", "--virial-sign", "opposite"]) == 0
    plain, turned = (read_frames(here / name, output) for name in ("PWdata", "turned"))
    for one, other in zip(plain, turned):
        assert np.array_equal(labels_of(one).virial, -labels_of(other).virial)
        assert np.array_equal(labels_of(one).forces, labels_of(other).forces)
        assert one == other


def test_steps_of_cp2k_that_the_log_lacks_are_named(here: Path, capsys: Said) -> None:
    shutil.copytree(CP2K, here / "run")
    forces = here / "run/si-frc-1.xyz"
    lines = forces.read_text().splitlines(keepends=True)
    size = int(lines[0]) + 2
    forces.write_text("".join(lines[:size] + lines[2 * size :]))
    assert main(["to_pwdata", "-f", "cp2k/md", "-i", "run/dft.log"]) == 0
    said = capsys.readouterr().err
    assert re.search(r"1 steps lack an energy, forces or a cell and are left out: \d+\n", said)
    assert main(["to_pwdata", "-f", "cp2k/md", "-i", str(CP2K / "dft.log"), "-s", "whole"]) == 0
    assert "lack an energy" not in capsys.readouterr().err


@pytest.mark.parametrize("output", WRITTEN)
def test_forces_that_a_program_zeroed_on_held_atoms_are_said(
    output: str, here: Path, capsys: Said
) -> None:
    frames = series("Si3C2", *range(1, 5))
    for atoms in frames:
        labels = labels_of(atoms)
        labels.forces[1] = labels.forces[3] = 0.0
        set_labels(atoms, labels.energy, labels.forces, labels.virial)
    write_extxyz(here / "held.xyz", frames)
    write_extxyz(here / "free.xyz", series("Si3C2", 7, 8))
    command = ["to_pwdata", "-f", "extxyz", "--output_format", output, "-i", "free.xyz", "held.xyz"]
    assert main(command) == 0
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "held.xyz: the forces on 2 of 5 atoms are exactly 0 in all 4 frames (atoms 2, 4)" in said


def test_moments_stay_in_extxyz_and_are_named_elsewhere(here: Path, capsys: Said) -> None:
    frames = series("Si3C2", 1, 2)
    frames[1].set_initial_magnetic_moments([1.5, 0, 0, -1, 0])
    frames[1].set_array("magmoms", np.array([1.25, 0, 0, -0.75, 0]))
    labels = labels_of(series("Si3C2", 2)[0])
    set_labels(frames[1], labels.energy, labels.forces, labels.virial)
    write_extxyz(here / "all.xyz", frames)
    command = ["to_pwdata", "-f", "extxyz", "-i", "all.xyz", "--output_format"]
    assert main([*command, "extxyz", "--train", "0.5"]) == 0
    assert capsys.readouterr().err == ""
    parts = [part.read_text() for part in (here / "PWdata" / "C2Si3").iterdir()]
    assert "".join(sorted(parts, key=len)) == (here / "all.xyz").read_text()
    assert main([*command, "deepmd/npy", "-s", "other"]) == 0
    said = capsys.readouterr().err
    assert said.count("of the atoms is not written: initial_magmoms, magmoms") == 1
