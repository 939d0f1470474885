"""What lies on disk between two steps is what the first one left, or it is noticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pwact.errors import StageChangedError
from pwact.executors.base import JobSpec
from pwact.formats.frames import read_frames
from tests.workflow import script_campaign
from tests.workflow.script_campaign import ScriptExecutor
from tests.workflow.test_streaming import DeathError, DiesLater, loop, results
from tests.workflow.toy_campaign import ToyExecutor, use_toys

DATA = "iter.0000/02.label/result/train.xyz"
# three trainings, two trajectories, four labels an iteration, one task a job
AFTER_EXPLORE, AFTER_TWO_LABELS = 5, 7


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)


def interrupted(work_dir: Path, after: int) -> None:
    with pytest.raises(DeathError):
        loop(work_dir, DiesLater(after), streaming=False)


def go_on(work_dir: Path, **more: object) -> ToyExecutor:
    executor = ToyExecutor()
    loop(work_dir, executor, streaming=False, **more)
    return executor


def test_an_altered_trajectory_is_not_labelled(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_EXPLORE)
    dump = next((work_dir / "iter.0000/01.explore/md").rglob("traj"))
    before = dump.read_bytes()
    dump.write_bytes(before + b"moved")
    with pytest.raises(StageChangedError, match=r"altered since iter\.0000/explore ended.*--redo"):
        go_on(work_dir)
    assert not (work_dir / DATA).exists()
    dump.write_bytes(before)
    go_on(work_dir)
    assert results(work_dir) == results(tmp_path / "undisturbed")


def test_the_advice_for_an_altered_trajectory_works(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_EXPLORE)
    for dump in (work_dir / "iter.0000/01.explore/md").rglob("traj"):
        dump.write_text("moved")
    go_on(work_dir, options={"redo": ("iter.0000/explore",)})
    assert results(work_dir) == results(tmp_path / "undisturbed")


def task_with(work_dir: Path, name: str) -> Path:
    return next((work_dir / "iter.0000/02.label/scf").rglob(name)).parent


def test_altered_inputs_of_a_label_are_noticed(tmp_path: Path) -> None:
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_TWO_LABELS)
    tasks = (work_dir / "iter.0000/02.label/scf").rglob("in.json")
    waiting = next(one.parent for one in tasks if not (one.parent / "out.json").exists())
    inputs = json.loads((waiting / "in.json").read_text())
    inputs["positions"][0][0] += 1e-5  # less than what tells two frames apart
    (waiting / "in.json").write_text(json.dumps(inputs))
    with pytest.raises(StageChangedError, match=r"in\.json: was altered since iter\.0000/label"):
        go_on(work_dir)
    assert not (work_dir / DATA).exists()
    for item in waiting.iterdir():
        item.unlink()
    waiting.rmdir()
    go_on(work_dir)
    assert results(work_dir) == results(tmp_path / "undisturbed")


def test_what_a_dead_task_left_is_none_of_its_inputs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its next run writes it again."""
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"
    interrupted(work_dir, AFTER_TWO_LABELS)
    tasks = (work_dir / "iter.0000/02.label/scf").rglob("in.json")
    waiting = next(one.parent for one in tasks if not (one.parent / "out.json").exists())
    (waiting / "out.json").touch()
    go_on(work_dir)
    assert "altered" not in caplog.text
    assert not waiting.with_name(f"{waiting.name}-bk-1").exists()
    assert results(work_dir) == results(tmp_path / "undisturbed")


def test_a_label_of_another_structure_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(tmp_path, AFTER_TWO_LABELS)
    task = task_with(tmp_path, "out.json")
    made = json.loads((task / "out.json").read_text())
    made[0]["positions"][0][0] += 0.07
    (task / "out.json").write_text(json.dumps(made))
    go_on(tmp_path)
    assert len(read_frames(tmp_path / DATA, "extxyz")) == 3
    assert "of another structure than was asked for" in caplog.text
    aside = task.with_name(f"{task.name}-bk-1")
    assert json.loads((aside / "out.json").read_text()) == made
    assert go_on(tmp_path).ran == [str(task)]
    assert len(read_frames(tmp_path / DATA, "extxyz")) == 4
    assert go_on(tmp_path).ran == []


def test_inputs_that_were_altered_while_a_label_waited_are_noticed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The same structure, but other settings: only the hash of the input tells."""
    go_on(tmp_path / "undisturbed")
    work_dir = tmp_path / "work"

    class Meddling(ToyExecutor):
        def submit(self, spec: JobSpec) -> str:
            if spec.kind == "scf" and not self.ran_labels():
                path = spec.tasks[0].directory / "in.json"
                path.write_text(json.dumps({**json.loads(path.read_text()), "seed": -1}))
            return super().submit(spec)

        def ran_labels(self) -> list[str]:
            return [name for name in self.ran if "02.label" in name]

    loop(work_dir, Meddling(), streaming=False)
    assert "its input in.json was altered while it waited or ran, so it is no label" in caplog.text
    assert len(read_frames(work_dir / DATA, "extxyz")) == 3
    assert len(list((work_dir / "iter.0000/02.label/scf").rglob("*-scf-bk-1"))) == 1
    assert len(go_on(work_dir).ran) == 1
    assert (work_dir / DATA).read_bytes() == (tmp_path / "undisturbed" / DATA).read_bytes()


CHOOSING = {"strategy.direct": True, "strategy.direct_script": "direct.py"}
LABELLING = {"DFT": {"dft_style": "bigmodel", "bigmodel_script": "label.py"}}
SPOIL = "\nPath('{0}').write_text(Path('{0}').read_text() + '\\n')\n"


@pytest.mark.parametrize(
    ("changes", "place", "name"),
    [
        (CHOOSING, script_campaign.DIRECT, "candidate.xyz"),
        (LABELLING, f"{script_campaign.LABEL}/bigmodel", "select.xyz"),
    ],
    ids=["direct", "label"],
)
@pytest.mark.parametrize("by_hand", [True, False])
def test_what_a_script_is_given_stays_as_it_was(
    tmp_path: Path, changes: dict[str, object], place: str, name: str, by_hand: bool
) -> None:
    whole, work_dir = tmp_path / "whole", tmp_path / "work"
    script_campaign.write_scripts(whole)
    script_campaign.loop(whole, ScriptExecutor(), changes)
    spoil = "" if by_hand else SPOIL.format(name)
    direct = script_campaign.EVERY_OTHER + (spoil if name == "candidate.xyz" else "")
    label = script_campaign.HARMONIC + (spoil if name == "select.xyz" else "")
    script_campaign.write_scripts(work_dir, direct, label)
    given = work_dir / place / name

    class Stopping(ScriptExecutor):
        def submit(self, spec: JobSpec) -> str:
            if by_hand and spec.tasks[0].directory == given.parent:
                raise DeathError
            return super().submit(spec)

    refused = pytest.raises(StageChangedError, match=f"{name}: was altered since .*next start runs")
    if by_hand:
        with pytest.raises(DeathError):
            script_campaign.loop(work_dir, Stopping(), changes)
        given.write_text(given.read_text() + "\n")
    with refused:
        script_campaign.loop(work_dir, ScriptExecutor(), changes)
    assert not (work_dir / DATA).exists()
    assert not given.exists()
    if by_hand:
        script_campaign.loop(work_dir, ScriptExecutor(), changes)
        assert (work_dir / DATA).read_bytes() == (whole / DATA).read_bytes()
