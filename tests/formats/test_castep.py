"""CASTEP's trajectories through pwdata: the numbers, and what is refused before it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.units import Bohr, Hartree

from pwact.cli.main import main
from pwact.errors import InputError
from pwact.formats.castep import frames
from pwact.formats.extxyz import read_extxyz
from pwact.formats.labels import labels_of, set_labels

HEADER = " BEGIN header\n\n END header\n\n"


def labelled(number: int) -> Atoms:
    random = np.random.default_rng(number)
    atoms = Atoms("Si2OSi", random.uniform(0.5, 4.5, (4, 3)), cell=[5.1, 5.2, 5.3], pbc=True)
    atoms.cell[1, 0] = 0.4
    set_labels(atoms, -340.0 - number, random.normal(0, 1, (4, 3)))
    return atoms


def row(values: np.ndarray) -> str:
    return "".join(f"  {value: .16E}" for value in values)


def text_of(atoms: Atoms, number: int) -> str:
    """One step, as CASTEP writes it: atomic units, a line a vector, a tag behind it."""
    labels, counts, lines = labels_of(atoms), {}, [f"   {number * 0.02:.10E}"]
    energies = np.array([labels.energy, labels.energy + 0.2, 0.2]) / Hartree
    lines.append(f"{row(energies)}  <-- E")
    lines += [f"{row(vector / Bohr)}  <-- h" for vector in atoms.cell.array]
    lines += [f"{row(np.eye(3)[axis] * 1e-4)}  <-- S" for axis in range(3)]
    for values, tag in ((atoms.positions / Bohr, "R"), (labels.forces * Bohr / Hartree, "F")):
        counts.clear()
        for symbol, vector in zip(atoms.get_chemical_symbols(), values):
            counts[symbol] = counts.get(symbol, 0) + 1
            lines.append(f" {symbol:<2}  {counts[symbol]:3d}{row(vector)}  <-- {tag}")
    return "\n".join(lines) + "\n\n"


@pytest.fixture
def steps() -> list[Atoms]:
    return [labelled(number) for number in range(3)]


@pytest.fixture
def file(tmp_path: Path, steps: list[Atoms]) -> Path:
    path = tmp_path / "silica in a box.md"
    texts = [text_of(atoms, number) for number, atoms in enumerate(steps)]
    path.write_text(HEADER + "".join(texts), encoding="utf-8")
    return path


def assert_equal(read: list[Atoms], expected: list[Atoms]) -> None:
    assert len(read) == len(expected)
    for one, other in zip(read, expected):
        assert one.get_chemical_symbols() == other.get_chemical_symbols()
        np.testing.assert_allclose(one.positions, other.positions, rtol=1e-7)
        np.testing.assert_allclose(one.cell.array, other.cell.array, rtol=1e-7)
        found, wanted = labels_of(one), labels_of(other)
        assert found.energy == pytest.approx(wanted.energy, rel=1e-6)
        np.testing.assert_allclose(found.forces, wanted.forces, rtol=1e-6)
        assert found.virial is None


@pytest.mark.parametrize("data_format", ["castep/md", "castep/geom"])
def test_energies_forces_and_structures(file, steps, data_format, capsys):
    path = file.rename(file.with_suffix("." + data_format[7:]))
    read, words = frames(path, data_format)
    assert_equal(read, steps)
    assert words == [f"{path}: read by pwdata, without the virial, which nobody could check"]
    assert capsys.readouterr() == ("", ""), "pwdata talks"


def test_a_data_set_is_made(file, steps, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["-f", "castep/md", "-i", str(file), "-s", "all", "--output_format", "extxyz", "-m"]
    assert main(["to_pwdata", *words]) == 0
    said = capsys.readouterr().err
    assert said.count("read by pwdata") == 1
    (made,) = (tmp_path / "all").glob("*/train.xyz")
    assert_equal(read_extxyz(made), steps)


def test_a_cut_file_keeps_its_whole_steps(file, steps):
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: text.rindex("<-- F")], encoding="utf-8")
    read, words = frames(file, "castep/md")
    assert_equal(read, steps[:2])
    assert f"{file}: 1 of 3 frames have no forces, left out" in words


@pytest.mark.parametrize("tag", ["R", "F", "E", "h"])
@pytest.mark.parametrize("spoiled", ["*" * 23, "NaN", "1.0E"])
def test_what_is_no_number_is_refused_with_its_line(file, tag, spoiled):
    lines = file.read_text(encoding="utf-8").splitlines()
    number = next(place for place, line in enumerate(lines) if line.endswith(f"<-- {tag}"))
    words = lines[number].split()
    words[-3] = spoiled
    lines[number] = " " + "  ".join(words)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=f"line {number + 1}: not the numbers of CASTEP"):
        frames(file, "castep/md")


@pytest.mark.parametrize("text", ["", "# a page\n", HEADER])
def test_a_file_without_steps_is_refused(tmp_path, text):
    path = tmp_path / "README.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"README\.md: pwdata cannot read it as castep/md: "):
        frames(path, "castep/md")


def test_what_pwdata_reads_wrong_is_refused(file, monkeypatch):
    """Whatever comes back is checked: no energy, forces of other atoms, no volume."""
    import pwdata  # noqa: PLC0415

    images = pwdata.Config("castep/md", str(file)).images
    for name, value in (("Ep", None), ("force", None), ("Ep", np.nan), ("force", np.ones((3, 3)))):
        right = getattr(images[1], name)
        monkeypatch.setattr(images[1], name, value)
        monkeypatch.setattr(pwdata, "Config", lambda *_: type("Read", (), {"images": images}))
        with pytest.raises(InputError, match="frame 1 "):
            frames(file, "castep/md")
        setattr(images[1], name, right)


def test_a_cell_without_volume_is_refused(file: Path, steps: list[Atoms]) -> None:
    labels = labels_of(steps[1])
    steps[1].cell[2] = 0.0
    set_labels(steps[1], labels.energy, labels.forces)
    texts = [text_of(atoms, number) for number, atoms in enumerate(steps)]
    file.write_text(HEADER + "".join(texts), encoding="utf-8")
    with pytest.raises(InputError, match="the cell of frame 1 has no volume"):
        frames(file, "castep/md")
