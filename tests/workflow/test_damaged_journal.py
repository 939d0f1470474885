"""What docs/troubleshooting.md says about a damaged journal works, wherever the damage is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pwact import layout
from pwact.errors import PwactError
from pwact.workflow.stages.select import SelectStage
from tests.workflow.pairs import run_param, write_files
from tests.workflow.test_power_cut import one_iteration, results
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")


def steps(line: int) -> str:
    """The commands of the page, for this line."""
    _, _, section = PAGE.partition("### A damaged journal\n")
    lines = re.findall(r"^    (.+)$", section.partition("\n## ")[0], re.MULTILINE)
    assert "with N = 12:" in section
    return "\n".join(lines).replace("-n 11 ", f"-n {line - 1} ")


def test_the_lines_before_the_damage_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_toys(monkeypatch)
    monkeypatch.setattr(SelectStage, "_picture", lambda *_: None)
    write_files(tmp_path, {"calculator": "emt"})
    param: dict[str, Any] = one_iteration()
    assert param["explore"]["md_jobs"] != run_param()["explore"]["md_jobs"]
    run_loop(tmp_path, param, ToyExecutor())
    expected = results(tmp_path)
    journal = tmp_path / layout.STATE_DIR / layout.JOURNAL
    whole = journal.read_bytes().splitlines(keepends=True)
    for line in [1, 2, *range(5, len(whole) + 1, 6)]:
        journal.write_bytes(b"".join([*whole[: line - 1], b"\0" * 40 + b"\n", *whole[line:]]))
        with pytest.raises(PwactError, match=f"line {line} is damaged.*A damaged journal"):
            run_loop(tmp_path, param, ToyExecutor())
        subprocess.run(["bash", "-ec", steps(line)], cwd=tmp_path, check=True)
        run_loop(tmp_path, param, ToyExecutor())
        found = results(tmp_path)
        assert {name: found[name] for name in found if "-bk-" not in name} == expected, line
