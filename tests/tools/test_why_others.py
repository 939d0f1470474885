"""`pwact why` of data sets that came another way: by scripts, relabelled, labelled alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pwact.cli.main import main
from pwact.formats.frames import format_found, iterate_frames
from tests.tools.test_why import told
from tests.workflow import given_frames, script_campaign, test_scripts_chain, toys
from tests.workflow.pairs import write_files
from tests.workflow.test_scf_alone import param as alone
from tests.workflow.test_script_loop import BOTH
from tests.workflow.test_scripts_chain import chain, entry, param
from tests.workflow.toy_campaign import ToyExecutor, run_chain, use_toys

Said = pytest.CaptureFixture[str]
BY = {"engine": "toy", "input": 0, "retry": []}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    monkeypatch.setitem(toys.RUN, "toy-script", test_scripts_chain.toy_md)
    monkeypatch.setitem(toys.RUN, "toy-direct", test_scripts_chain.toy_direct)


def stories(data: Path, capsys: Said) -> list[dict[str, Any]]:
    capsys.readouterr()
    count = sum(1 for _ in iterate_frames(data, format_found(data)))
    return [told(capsys, f"{data}:{number}") for number in range(count)]


@pytest.mark.parametrize("shuffle", [False, True])
def test_relabelled_frames_of_md_and_of_direct(tmp_path: Path, capsys: Said, shuffle: bool) -> None:
    document = param(
        entry("b", aimd=True, scf=True),
        entry("a", scale=[1.0], bigmodel=True, direct=True, scf=True),
        entry("b", bigmodel=True),
        interval=2,
        data_shuffle=shuffle,
    )
    chain(tmp_path, document, ToyExecutor())
    found, behind = {}, {}
    for one in stories(tmp_path / "collection/scf/train.xyz", capsys):
        assert one["data"]["made_by"] == "collection"
        assert one["label"]["by"] == BY
        assert one["label"]["computed"] == "in this campaign"
        assert one["label"]["tries"] == len(one["label"]["jobs"]) == 1
        task = one["label"]["task"].partition("temp_init_bulk_work/scf/")[2]
        found[task] = (one["entry"]["number"], *one["source"].values())
        if "md" in one:
            behind[task] = (one["md"]["directory"], one["md"]["frame"])
    md = "temp_init_bulk_work/{}/init_config_{}/{}/0_{}"
    chosen = "temp_init_bulk_work/bigmodel/direct/select.xyz"
    assert found == {
        "0": (1, chosen, 0),
        "2": (1, chosen, 2),
        "init_config_0/init/0_aimd/0-scf": (0, md.format("aimd", 0, "init", "aimd"), 0),
        "init_config_0/init/0_aimd/2-scf": (0, md.format("aimd", 0, "init", "aimd"), 2),
        "init_config_2/init/0_bigmodel/0-scf": (2, md.format("bigmodel", 2, "init", "bigmodel"), 0),
    }
    directory = md.format("bigmodel", 1, "1.0_scale", "bigmodel")
    assert behind == {"0": (directory, 1), "2": (directory, 3)}


def test_frames_that_direct_chose_keep_the_labels_of_their_md(tmp_path: Path, capsys: Said) -> None:
    asked = entry("a", bigmodel=True, direct=True)
    chain(tmp_path, param(asked, entry("b", aimd=True)), ToyExecutor())
    found = stories(tmp_path / "collection/bigmodel/direct/train.xyz", capsys)
    assert [one["md"]["frame"] for one in found] == [1, 2, 3]
    for one in found:
        assert one["entry"]["number"] == 0
        place = "temp_init_bulk_work/bigmodel/init_config_0/init/0_bigmodel"
        assert one["md"]["directory"] == place
        assert one["label"]["by"] is not None
        assert one["label"]["tries"] == 1


def test_structures_that_are_labelled_without_md(tmp_path: Path, capsys: Said) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    given = alone({"scale": [0.98, 1.0], "perturb": 2, "relax": True}, {})
    run_chain(tmp_path, given, ToyExecutor())
    found = stories(tmp_path / "collection/scf/train.xyz", capsys)
    assert [one["entry"]["number"] for one in found] == [0, 0, 0, 0, 1]
    assert found[-1]["source"] == {"place": "structures/a.poscar", "frame": 0}
    places = [Path(one["source"]["place"]).name for one in found[:-1]]
    assert places == ["0_pertub.poscar", "1_pertub.poscar"] * 2
    assert {one["label"]["tries"] for one in found} == {1}
    assert all(one["label"]["by"] == BY for one in found)


def test_frames_that_were_given_to_label(tmp_path: Path, capsys: Said) -> None:
    """One that another campaign of the directory labelled has no task of its own."""
    one, two = given_frames.frames(0, 1)
    given_frames.prepare(tmp_path, given=[two, one, two])
    given_frames.go(tmp_path, ToyExecutor())
    found = stories(tmp_path / "out/train.xyz", capsys)
    assert [each["source"]["frame"] for each in found] == [0, 1]
    for number, each in enumerate(found):
        assert each["data"]["made_by"] == "label"
        assert each["source"]["place"] == str(tmp_path / "frames.xyz")
        assert each["label"]["by"] == BY
        assert each["label"]["task"] == f"label/scf/0/{number}-scf"
        assert each["label"]["tries"] == 1
    assert main(["why", f"{tmp_path}/out/train.xyz:1"]) == 0
    assert "source\n  place: " in capsys.readouterr().out
    given_frames.go(tmp_path, ToyExecutor(), output="again")
    again = stories(tmp_path / "again/train.xyz", capsys)
    assert {each["label"]["computed"] for each in again} == {
        "earlier: it was in the store of labels"
    }


def test_frames_of_direct_and_of_a_script_that_labels(tmp_path: Path, capsys: Said) -> None:
    script_campaign.write_scripts(tmp_path)
    script_campaign.loop(tmp_path, script_campaign.ScriptExecutor(), BOTH)
    found = stories(tmp_path / "iter.0000/02.label/result/train.xyz", capsys)
    assert len(found) == 3
    for one in found:
        assert one["chosen"]["rule"] == "a DIRECT script of the user"
        assert one["label"]["task"] == "iter.0000/02.label/bigmodel"
        assert one["label"]["by"]["script"]
        assert one["label"]["tries"] == 1
        assert one["explored"]["step"] is not None
        assert one["judged"]["rank"] is not None
