"""No structure is labelled twice, and no data set holds one twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms

from pwact import engines
from pwact.formats.extxyz import read_extxyz, write_extxyz
from pwact.formats.same_frame import structure_key
from pwact.io.appended import Appended
from pwact.io.journal import Journal
from pwact.workflow import opening
from pwact.workflow.labels.store import LabelStore
from pwact.workflow.rows import stage_name
from tests.workflow import script_campaign
from tests.workflow.pairs import deep_update, labelled, run_param, write_files
from tests.workflow.script_campaign import ScriptExecutor
from tests.workflow.test_streaming import DeathError, DiesLater, SlowSystem, results
from tests.workflow.toy_campaign import ToyExecutor, run_loop, use_toys

TEMPS = [100, 110]
ITERATIONS = 2
STEPS = 2
# both systems begin with the same structure: in all, one start and what follows from it
NEW = 2 * len(TEMPS) * (STEPS - 1)  # an iteration
DISTINCT = 1 + ITERATIONS * NEW


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.setitem(engines.EXPLORERS, "lammps", "tests.workflow.toys:StartExplorer")


def changes(**more: Any) -> dict[str, Any]:
    job = {
        "sys_idx": [0],
        "ensemble": "nvt",
        "nsteps": 10 * (STEPS - 1),
        "trj_freq": 10,
        "temps": TEMPS,
        "select_sys": [100],
    }
    return {
        "strategy.lower_model_devi_f": 0.0,
        "strategy.upper_model_devi_f": 5.0,
        "explore.md_jobs": [job] * ITERATIONS,
        **more,
    }


def loop(work_dir: Path, executor: ToyExecutor, *redo: str, **more: Any) -> Any:
    write_files(work_dir, {"calculator": "emt"})
    return run_loop(work_dir, deep_update(run_param(), changes(**more)), executor, redo=redo)


def computed(executor: ToyExecutor) -> list[str]:
    return [name for name in executor.ran if "02.label" in name]


def frames(work_dir: Path) -> list[Atoms]:
    paths = sorted(work_dir.glob("iter.????/02.label/result/train.xyz"))
    return [frame for path in paths for frame in read_extxyz(path)]


def keys(work_dir: Path) -> list[str]:
    return [structure_key(frame) for frame in frames(work_dir)]


@pytest.mark.parametrize(("streaming", "iterations", "temps"), [(True, 3, 4), (False, 2, 2)])
def test_each_structure_is_computed_once(
    tmp_path: Path,
    streaming: bool,
    iterations: int,
    temps: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    executor = SlowSystem() if streaming else ToyExecutor()
    caplog.set_level("INFO")
    job = {**changes()["explore.md_jobs"][0], "temps": [100 + 10 * t for t in range(temps)]}
    more = {"streaming": streaming, "explore.md_jobs": [job] * iterations}
    loop(tmp_path, executor, **more)
    new = 2 * temps  # an iteration
    distinct = 1 + iterations * new
    assert len(computed(executor)) == distinct
    assert len(set(keys(tmp_path))) == len(keys(tmp_path)) == distinct
    for words in (
        f"iter.0000/label: {2 * new} frames: {new + 1} distinct that are to be labelled, 0 are in",
        f"iter.0001/label: {2 * new} frames: {new} distinct that are to be labelled, {new} are in",
    ):
        assert words in caplog.text
    made = results(tmp_path)

    again = ToyExecutor()
    caplog.clear()
    loop(tmp_path, again, "iter.0000", **more)
    assert computed(again) == []
    assert f"{new + 1} labels are taken from those that are there" in caplog.text
    assert results(tmp_path) == made


def test_after_a_redo_only_what_is_new_is_computed(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor(), **{"strategy.upper_model_devi_f": 0.105})
    before = set(keys(tmp_path))
    executor = ToyExecutor()
    loop(tmp_path, executor, "iter.0000")
    assert 0 < len(computed(executor)) == DISTINCT - len(before)


def test_spoilt_labels_are_computed_again(tmp_path: Path) -> None:
    loop(tmp_path, ToyExecutor())
    made = results(tmp_path)
    executor = ToyExecutor()
    store = LabelStore(tmp_path / ".pwact/labels")
    for path in store.directory.rglob("*.json"):
        path.write_text("{")
    loop(tmp_path, executor, "iter.0000")
    assert len(computed(executor)) == 1 + NEW
    assert results(tmp_path) == made


def test_a_frame_of_the_first_data_is_not_labelled_again(tmp_path: Path) -> None:
    loop(tmp_path / "before", ToyExecutor())
    write_files(tmp_path / "work", {"calculator": "emt"})
    start = read_extxyz(tmp_path / "before/iter.0000/02.label/result/train.xyz")[:1]
    write_extxyz(tmp_path / "more.xyz", start)
    executor = ToyExecutor()
    data = ["init.xyz", str(tmp_path / "more.xyz")]
    loop(tmp_path / "work", executor, init_data=data)
    assert len(computed(executor)) == DISTINCT - 1
    assert structure_key(start[0]) not in keys(tmp_path / "work")


@pytest.mark.parametrize(("after", "second"), [(8, True), (12, False), (20, True)])
def test_a_death_changes_nothing_and_pays_nothing(tmp_path: Path, after: int, second: bool) -> None:
    loop(tmp_path / "undisturbed", SlowSystem())
    work_dir = tmp_path / "work"
    dying = DiesLater(after)
    with pytest.raises(DeathError):
        loop(work_dir, dying)
    executor = SlowSystem()
    loop(work_dir, executor, streaming=second)
    assert results(work_dir) == results(tmp_path / "undisturbed")
    both = computed(dying) + computed(executor)
    assert len(both) == len(set(both)) == DISTINCT


def test_a_death_while_labels_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loop(tmp_path / "undisturbed", ToyExecutor())
    put, kept = LabelStore.put, [0]

    def dies(self: LabelStore, key: str, frame: Atoms) -> None:
        kept[0] += 1
        if kept[0] == 4:
            raise DeathError
        put(self, key, frame)

    monkeypatch.setattr(LabelStore, "put", dies)
    first, second = ToyExecutor(), ToyExecutor()
    with pytest.raises(DeathError):
        loop(tmp_path / "work", first)
    loop(tmp_path / "work", second)
    assert results(tmp_path / "work") == results(tmp_path / "undisturbed")
    assert len(computed(first) + computed(second)) == DISTINCT


def test_a_campaign_that_began_without_it_keeps_its_frames(tmp_path: Path) -> None:
    """As versions up to 0.5.0 labelled them; still nothing is paid for twice."""
    (tmp_path / ".pwact").mkdir()
    journal = Journal(tmp_path / ".pwact/journal.jsonl")
    journal.append(
        opening.CAMPAIGN, version="0.5.0", config_hash="", command="run", campaign="c", seed=7
    )
    journal.close()
    executor = ToyExecutor()
    loop(tmp_path, executor)
    assert len(keys(tmp_path)) == ITERATIONS * 2 * len(TEMPS) * STEPS
    assert len(set(keys(tmp_path))) == DISTINCT == len(computed(executor))
    report = Journal(tmp_path / ".pwact/journal.jsonl").events()
    done = [one for one in report if one.get("name") == stage_name(0, "label")][-1]
    assert done["report"]["repeated"] == 0
    assert not any("structures.txt" in name for name in done["files"])


def test_an_iteration_that_knows_all_its_frames_labels_nothing(tmp_path: Path) -> None:
    """Then the next one keeps the models."""
    low = {"strategy.upper_model_devi_f": 0.01}  # step 0 alone
    executor = ToyExecutor()
    result = loop(tmp_path, executor, **low)
    assert len(computed(executor)) == len(frames(tmp_path)) == 1
    assert [row.label.repeated for row in result.rows[:-1]] == [3, 4]
    assert [row.label.labelled for row in result.rows[:-1]] == [1, 0]
    trained = {name.split("/")[-3] for name in executor.ran if "00.train" in name}
    assert trained == {"iter.0000", "iter.0001"}


def script_loop(work_dir: Path, executor: ToyExecutor, *redo: str) -> Any:
    style = {"DFT.dft_style": "bigmodel", "DFT.bigmodel_script": "label.py", "DFT.input": None}
    return script_campaign.loop(work_dir, executor, changes(**style), redo=redo)


def asked(work_dir: Path) -> list[int]:
    paths = sorted(work_dir.glob("iter.????/02.label/bigmodel/select.xyz"))
    return [len(read_extxyz(path)) for path in paths]


def test_a_script_gets_each_structure_once(tmp_path: Path) -> None:
    script_campaign.write_scripts(tmp_path)
    script_loop(tmp_path, ScriptExecutor())
    assert asked(tmp_path) == [1 + NEW, NEW]
    assert len(set(keys(tmp_path))) == len(keys(tmp_path)) == DISTINCT
    made, again = results(tmp_path), ScriptExecutor()
    script_loop(tmp_path, again, "iter.0000")
    assert computed(again) == []
    assert asked(tmp_path) == [NEW]
    assert results(tmp_path) == made


def test_a_script_whose_labels_are_half_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("work", "undisturbed"):
        script_campaign.write_scripts(tmp_path / name)
    script_loop(tmp_path / "undisturbed", ScriptExecutor())
    put, kept = LabelStore.put, [0]

    def dies(self: LabelStore, key: str, frame: Atoms) -> None:
        kept[0] += 1
        if kept[0] == 4:
            raise DeathError
        put(self, key, frame)

    monkeypatch.setattr(LabelStore, "put", dies)
    first, second = ScriptExecutor(), ScriptExecutor()
    with pytest.raises(DeathError):
        script_loop(tmp_path / "work", first)
    script_loop(tmp_path / "work", second)
    assert results(tmp_path / "work") == results(tmp_path / "undisturbed")
    assert len(computed(first) + computed(second)) == ITERATIONS


def test_the_start_data_of_the_toys_are_no_start_structures(tmp_path: Path) -> None:
    """Else the numbers above would count other things than they say."""
    loop(tmp_path, ToyExecutor())
    assert not {structure_key(frame) for frame in labelled(3)} & set(keys(tmp_path))
    assert np.isfinite([frame.positions for frame in frames(tmp_path)]).all()
    assert Appended(tmp_path / "iter.0000/02.label/sources.json").values
