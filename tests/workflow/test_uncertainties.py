"""The registry of uncertainties: what holds for each, and one that somebody adds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.cli.main import main
from pwact.config.strategy import StrategyConfig
from pwact.io.journal import Journal
from pwact.query.window import Limits
from pwact.registry.uncertainties import UNCERTAINTIES, Judges
from pwact.tools.explored.draw import subject_of
from pwact.uncertainties import recorded_in, uncertainties
from pwact.uncertainties.base import Uncertainty
from pwact.workflow import ledger
from pwact.workflow.findings import limits_of
from tests.workflow.force_size import ForceSize, toy_size
from tests.workflow.pairs import deep_update, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys
from tests.workflow.toys import RUN

KNOWN = dict(uncertainties())
OWN = {"strategy.uncertainty": "force-size", "strategy.upper_model_devi_f": 0.3}
PLACE = "md.000.sys.000/md.000.sys.000.t.000"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished campaign with one line more in the registry, and nothing else."""
    use_toys(monkeypatch)
    monkeypatch.setitem(RUN, "toy-size", toy_size)
    place = Judges("tests.workflow.force_size:ForceSize", single=True)
    monkeypatch.setitem(UNCERTAINTIES, "force-size", place)
    write_files(tmp_path, {"calculator": "emt"})
    run_loop(tmp_path, deep_update(run_param(), OWN), ToyExecutor())
    return tmp_path


def selected(work_dir: Path) -> dict[str, Any]:
    events = Journal(work_dir / ".pwact/journal.jsonl").events()
    states = ledger.stages(events)
    return dict(states["iter.0000/select"].inputs)


@pytest.mark.parametrize("name", KNOWN)
def test_each_is_whole(name: str) -> None:
    known = KNOWN[name]
    assert all(hasattr(StrategyConfig, key) for key in known.measure.keys)
    assert known.error_in(Limits(0.1, 2.0)) == ""
    assert known.error_in(Limits(2.0, 0.1)) != ""
    inputs = dict.fromkeys(known.measure.keys, 1.0)
    assert type(recorded_in({**inputs, "uncertainty": name})) is type(known)
    first = next(one for one in KNOWN.values() if one.measure.keys == known.measure.keys)
    assert type(recorded_in(inputs)) is type(first)
    assert recorded_in({"limits": {}}) is None


def test_one_of_ones_own_judges_a_campaign(own: Path) -> None:
    explore = own / "iter.0000/01.explore"
    assert (explore / "kpu" / PLACE / "force_size.out").is_file()
    summary = (explore / "select/select_summary.txt").read_text()
    assert "Select by size of the largest force:" in summary
    assert summary.startswith("Total structures 10    accurate 2 rate 20.00%    selected 4 ")
    assert selected(own)["uncertainty"] == "force-size"
    assert not (own / "iter.0000/00.train/train.001").exists()  # one model tells it


def test_what_the_others_record_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    write_files(tmp_path, {"calculator": "emt"})
    run_loop(tmp_path, run_param(), ToyExecutor())
    assert "uncertainty" not in selected(tmp_path)


def test_tools_read_it_without_being_told(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["filter", "-i", str(own / "iter.0000"), "-u", "0.3"]
    assert main([*words, "-l", "0.1"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("lower limit 0.1 eV/Å, upper limit 0.3 eV/Å\n")
    assert "Select by size of the largest force:\nAccurate configurations: 2\n" in said
    assert main([*words, "-l", "0.4"]) == 2
    assert "no force is larger and smaller" in capsys.readouterr().err
    assert subject_of(own).limits[0] == Limits(0.1, 0.3)
    states = ledger.stages(Journal(own / ".pwact/journal.jsonl").events())
    found = limits_of(states, 0)
    assert found is not None
    assert found.measure == ForceSize.measure


def test_of_two_with_one_file_the_tools_take_that_of_the_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_toys(monkeypatch)
    monkeypatch.setitem(UNCERTAINTIES, "half", Judges("tests.workflow.force_size:HalfDeviation"))
    work_dir = tmp_path / "run"
    write_files(work_dir, {"calculator": "emt"})
    param = deep_update(run_param(), {"strategy.uncertainty": "half"})
    run_loop(work_dir, param, ToyExecutor())
    summary = (work_dir / "iter.0000/01.explore/select/select_summary.txt").read_text()
    words = ["filter", "-l", "0.1", "-u", "0.4", "-i"]
    assert main([*words, str(work_dir / "iter.0000")]) == 0
    said = capsys.readouterr().out
    assert "Select by half the force deviation:" in said
    assert summary.splitlines()[0] in said
    (tmp_path / "alone").mkdir()
    alone = (work_dir / "iter.0000/01.explore/md").rename(tmp_path / "alone/md")
    assert main([*words, str(alone)]) == 0  # no campaign says more
    printed = capsys.readouterr()
    assert "Select by model deviation force:" in printed.out
    assert "no campaign says what frames of" in printed.err  # two would do


def test_its_pictures_have_its_axis(own: Path, tmp_path: Path) -> None:
    assert main(["draw", str(own), "-o", str(tmp_path / "drawn"), "--format", "svg"]) == 0
    texts = [path.read_text() for path in sorted((tmp_path / "drawn").rglob("*by_step.svg"))]
    assert texts
    assert all("largest force (eV/Å)" in text for text in texts)


def test_the_contract_is_that_of_the_others() -> None:
    mine: Uncertainty = ForceSize()
    for known in KNOWN.values():
        assert {name for name in dir(known) if not name.startswith("_")} == {
            name for name in dir(mine) if not name.startswith("_")
        }
