"""What `pwact check` says of pairs that are well written but whose files are not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Union

import pytest

from pwact.cli.main import main
from tests.config.inputs import changed

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "quickstart_window"
PARAM: dict[str, Any] = {
    **json.loads((EXAMPLE / "run_param.json").read_text()),
    "init_data": ["valid.xyz"],
    "valid_data": [],
}
POSCAR = (EXAMPLE / "alloy.vasp").read_text().splitlines()
XYZ = (EXAMPLE / "valid.xyz").read_text()
STRUCTURE = "explore.sys_configs[0]"
CONFIG = "explore.sys_configs.0.config"


def poscar(line: int, text: str) -> str:
    """The example's structure with another line; lines count from 1."""
    return "\n".join([*POSCAR[: line - 1], text, *POSCAR[line:]])


def xyz(pattern: str, text: str) -> str:
    """The example's data with one change."""
    made = re.sub(pattern, text, XYZ, count=1)
    assert made != XYZ
    return made


# the file, its content; the key that is named, a part of the message
CONTENTS: list[tuple[str, Union[str, bytes], str, str]] = [
    ("alloy.vasp", "", STRUCTURE, "too short"),
    ("alloy.vasp", b"\x00\xff\xfe" * 99, STRUCTURE, "alloy.vasp: cannot be read as a POSCAR"),
    ("alloy.vasp", "\n".join(POSCAR).encode("utf-16"), STRUCTURE, "UTF-16; save it as UTF-8"),
    ("alloy.vasp", "\n".join(POSCAR[:12]), STRUCTURE, "32 positions are announced, 4 are there"),
    ("alloy.vasp", poscar(2, "0"), STRUCTURE, "scale factor"),
    ("alloy.vasp", poscar(3, "0 0 0"), STRUCTURE, "no volume"),
    ("alloy.vasp", poscar(3, "inf 0 0"), STRUCTURE, "finite"),
    ("alloy.vasp", poscar(6, "Ag Qq"), STRUCTURE, "must name elements"),
    ("alloy.vasp", poscar(6, "Ag Cu"), STRUCTURE, "alloy.vasp holds Cu"),
    ("alloy.vasp", poscar(7, "16"), STRUCTURE, "must hold 2 counts"),
    ("alloy.vasp", poscar(7, "16 -16"), STRUCTURE, "line 7: '-16' is not a number"),
    ("alloy.vasp", poscar(7, "16 99999999999999"), STRUCTURE, "32 are there"),
    ("alloy.vasp", poscar(9, "nan 0 0"), STRUCTURE, "finite"),
    ("alloy.vasp", poscar(10, POSCAR[8]), STRUCTURE, "only 0.00 Å apart"),
    ("valid.xyz", "", "init_data", "valid.xyz: holds no frame"),
    ("valid.xyz", b"\x89PNG\r\n\x1a\n\x00", "init_data", "frame 0 cannot be read"),
    ("valid.xyz", XYZ[:-40], "init_data", "frame 19 cannot be read"),
    ("valid.xyz", "1\nProperties=species:S:1:pos:R:3\nAg 0 0 0\n", "init_data", "no energy"),
    (
        "valid.xyz",
        xyz(r'Lattice="[^"]*" ', ""),
        "init_data",
        "there is no lattice vector along such an axis",
    ),
    ("valid.xyz", xyz(r'Lattice="[^"]*"', 'Lattice="1 0 0 1 0 0 0 0 1"'), "init_data", "one plane"),
    ("valid.xyz", xyz("Ag ", "Qq "), "init_data", "no element is called 'Qq'"),
    ("valid.xyz", xyz("Ag ", "Cu "), "init_data", "valid.xyz holds Cu"),
    ("valid.xyz", xyz(r"energy=\S+", "energy=nan"), "init_data", "no energy and forces"),
    ("valid.xyz", xyz(r"(\nAg( \S+){3}) \S+", r"\1 inf"), "init_data", "must be finite"),
    ("emt.json", "", "", "emt.json: the file is empty"),
    ("emt.json", "{}", "calculator", "emt.json: calculator: this key is required"),
    ("emt.json", '{"calculator": "nosuch"}', "calculator", "there is no calculator 'nosuch'"),
    ("emt.json", '{"calculator": "os:nosuch"}', "calculator", "there is no calculator"),
    ("emt.json", '{"calculator": "emt", "relax": {"fmax": NaN}}', "relax.fmax", "not a number"),
]
# changes of the pair; the key that is named, a part of the message
CHANGES: list[tuple[dict[str, Any], str, str]] = [
    ({"explore.sys_configs.0.format": "vasp/poscarr"}, STRUCTURE, "did you mean vasp/poscar?"),
    ({"explore.sys_configs.0.format": "pwmat/config"}, STRUCTURE, "atom.config: line 1"),
    ({CONFIG: "loop"}, f"{STRUCTURE}.config", "loop cannot be read: Too many levels of"),
    ({CONFIG: "alloy.vasp/x"}, f"{STRUCTURE}.config", "there is no file"),
    ({CONFIG: "pipe"}, f"{STRUCTURE}.config", "pipe is a pipe, not a file"),
    ({"init_data": ["loop"]}, "init_data", "none of the data sets exists in"),
    ({"init_data": ["pipe"]}, "init_data[0]", "pipe is a pipe, not a file"),
    ({"work_dir": "loop"}, "init_data", "none of the data sets exists in"),
    ({"train.rin": 9.0}, "train.rin", "must be smaller than train.rcut"),
    ({"train.atom_type": ["Ag"]}, STRUCTURE, "holds Au"),
    ({"DFT.input": "run_param.json"}, "calculator", "run_param.json: calculator"),
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A launch directory with the input of a run, and a few traps."""
    place = tmp_path / "with a space"
    shutil.copytree(EXAMPLE, place)
    (place / "loop").symlink_to("loop")
    os.mkfifo(place / "pipe")
    (place / "param.json").write_text(json.dumps(PARAM))
    monkeypatch.chdir(place)
    return place


def snapshot(place: Path) -> list[tuple[Path, int, int]]:
    stats = [(path, path.lstat()) for path in sorted(place.rglob("*"))]
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats]


def refused(place: Path, key: str, part: str, capfd: pytest.CaptureFixture[str]) -> None:
    """`check` says one line that names file and key, and writes nothing; so does `run`."""
    before = snapshot(place)
    for command in ("check", "run"):
        assert main([command, "param.json", "resource.json"]) == 2
        shown = capfd.readouterr()
        assert shown.out == ""
        assert len(shown.err.splitlines()) == 1
        assert shown.err.startswith(f"pwact: {place}{os.sep}")
        assert f".json: {key}: " in shown.err if key else True
        assert part in shown.err
    assert snapshot(place) == before


def test_the_pair_is_sound(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = snapshot(here)
    assert main(["check", "param.json", "resource.json"]) == 0
    assert capfd.readouterr().err == ""
    assert snapshot(here) == before


@pytest.mark.parametrize(("name", "content", "key", "part"), CONTENTS)
def test_broken_files(
    here: Path,
    name: str,
    content: Union[str, bytes],
    key: str,
    part: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (here / name).write_bytes(content.encode() if isinstance(content, str) else content)
    refused(here, key, part, capfd)


@pytest.mark.parametrize(("changes", "key", "part"), CHANGES)
def test_files_of_the_wrong_kind(
    here: Path, changes: dict[str, Any], key: str, part: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (here / "param.json").write_text(json.dumps(changed(PARAM, changes)))
    refused(here, key, part, capfd)


def test_as_a_user_sees_it(here: Path) -> None:
    (here / "alloy.vasp").write_text(poscar(6, "Ag Qq"))
    before = snapshot(here)
    words = [sys.executable, "-m", "pwact", "check", "param.json", "resource.json"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert re.fullmatch(r"pwact: .*param\.json: explore\.sys_configs\[0\]: .*Qq.*\n", shown.stderr)
    assert snapshot(here) == before
