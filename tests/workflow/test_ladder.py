"""Labels whose SCF does not converge are tried again with changes, where the input asks for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from pwact import engines
from pwact.config.param import load_pair
from pwact.config.run import RunConfig
from pwact.engines.ladder import fingerprint_of
from pwact.errors import InputError, StageChangedError
from pwact.fingerprint import differences
from pwact.formats.frames import read_frames
from pwact.workflow.checks.preflight import preflight
from tests.workflow.dying import until_done
from tests.workflow.given_frames import DFT, go, prepare
from tests.workflow.pairs import deep_update, init_param, load, resources, run_param, write_files
from tests.workflow.toy_campaign import ToyExecutor, run_chain, run_loop, use_toys

TWO = [{"steps": 200}, {"steps": 900}]
RETRIED = {"DFT": {**DFT["DFT"], "retry": TWO}}
# frames 1 to 3 do not converge at first, 2 and 3 not at the second try, 3 never
UNCONVERGED = {
    f"scf/{place}{number}-scf": "unconverged"
    for place, numbers in (("0/", (1, 2, 3)), ("retry-1/0/", (2, 3)), ("retry-2/0/", (3,)))
    for number in numbers
}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    use_toys(monkeypatch)
    place = "tests.workflow.ladder_toys:LadderLabeler"
    monkeypatch.setitem(engines.LABELERS, "ase", place)


def unconverging() -> ToyExecutor:
    executor = ToyExecutor()
    executor.spoil = dict(UNCONVERGED)
    return executor


def ran(executor: ToyExecutor) -> list[str]:
    return ["/".join(Path(name).parts[-3:]) for name in executor.ran]


def test_each_step_of_the_ladder_is_tried_where_the_one_before_fails(tmp_path: Path) -> None:
    prepare(tmp_path, RETRIED)
    executor = unconverging()
    result = go(tmp_path, executor)
    assert (result.labelled, result.left_out, result.lost) == (3, 1, [])
    first = [f"scf/0/{number}-scf" for number in range(4)]
    second = [f"retry-1/0/{number}-scf" for number in (1, 2, 3)]
    assert ran(executor) == [*first, *second, "retry-2/0/2-scf", "retry-2/0/3-scf"]
    tries = tmp_path / "out/label/scf/retry-2/0/2-scf/in.json"
    assert not tries.exists()  # not one of the files that are kept
    with (tmp_path / "out/label/retries.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["task", "tries", "changes", "result"],
        ["scf/0/1-scf", "1", '{"steps": 200}', "converged"],
        ["scf/0/2-scf", "2", '{"steps": 900}', "converged"],
        ["scf/0/3-scf", "2", '{"steps": 900}', "the SCF is not converged"],
    ]
    journal = (tmp_path / "out/.pwact/journal.jsonl").read_text()
    assert '"retried": {"scf/0/1-scf": 1, "scf/0/2-scf": 2, "scf/0/3-scf": 2}' in journal
    sources = (tmp_path / "out/label/sources.json").read_text()
    assert '"scf/retry-1/0/1-scf"' in sources
    assert '"scf/retry-2/0/2-scf"' in sources
    assert (tmp_path / "out/label/scf/retry-2/0/3-scf/in.json").exists()  # to be looked at


def test_the_input_of_a_try_has_its_changes(tmp_path: Path) -> None:
    prepare(tmp_path, {**RETRIED, "reserve_scf_files": True})
    go(tmp_path, unconverging())
    scf = tmp_path / "out/label/scf"
    for place, changes in (("0", {}), ("retry-1/0", TWO[0]), ("retry-2/0", TWO[1])):
        assert json.loads((scf / place / "2-scf/in.json").read_text())["changes"] == changes


def test_without_a_ladder_nothing_is_tried_again(tmp_path: Path) -> None:
    prepare(tmp_path)
    executor = unconverging()
    assert go(tmp_path, executor).labelled == 1
    assert len(executor.ran) == 4
    assert not (tmp_path / "out/label/retries.csv").exists()


def test_labels_of_every_try_are_kept_and_found(tmp_path: Path) -> None:
    prepare(tmp_path)
    executor = unconverging()
    go(tmp_path, executor, output="before")
    prepare(tmp_path, RETRIED)
    executor.ran = []
    assert go(tmp_path, executor).labelled == 3
    assert "scf/0/0-scf" not in ran(executor)  # labelled without a ladder, by the same input
    executor.ran = []
    assert go(tmp_path, executor, output="again").labelled == 3
    assert ran(executor) == ["scf/0/3-scf", "retry-1/0/3-scf", "retry-2/0/3-scf"]
    rows = (tmp_path / "again/label/retries.csv").read_text()
    assert 'scf/0/1-scf,1,"{""steps"": 200}",taken from the labels that are there' in rows
    one, other = (tmp_path / name / "train.xyz" for name in ("out", "again"))
    assert one.read_bytes() == other.read_bytes()


def test_a_label_of_a_further_try_is_none_of_the_first(tmp_path: Path) -> None:
    prepare(tmp_path, RETRIED)
    go(tmp_path, unconverging())
    prepare(tmp_path)
    assert go(tmp_path, unconverging(), output="without").labelled == 1


@pytest.mark.parametrize("torn", [True, False])
def test_killed_at_every_line_it_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    for place in ("whole", "killed"):
        prepare(tmp_path / place, RETRIED)
    go(tmp_path / "whole", unconverging())
    deaths = until_done(monkeypatch, lambda: go(tmp_path / "killed", unconverging()), torn)
    assert deaths > 15
    for name in ("train.xyz", "label/retries.csv"):
        found = (tmp_path / "killed/out" / name).read_bytes()
        assert found == (tmp_path / "whole/out" / name).read_bytes()


def test_a_further_try_that_failed_is_tried_again(tmp_path: Path) -> None:
    prepare(tmp_path, RETRIED)
    executor = unconverging()
    executor.spoil = {**UNCONVERGED, "retry-1/0/1-scf": "broken"}
    result = go(tmp_path, executor)
    assert result.lost == ["label/scf/retry-1/0/1-scf"]
    executor.spoil, executor.ran = dict(UNCONVERGED), []
    result = go(tmp_path, executor)
    assert (result.labelled, result.lost) == (3, [])
    assert ran(executor) == ["retry-1/0/1-scf"]


def test_another_ladder_is_a_change_and_its_absence_none(tmp_path: Path) -> None:
    prepare(tmp_path, RETRIED)
    go(tmp_path, unconverging())
    prepare(tmp_path, deep_update(json.loads(json.dumps(RETRIED)), {"DFT.retry": TWO[:1]}))
    with pytest.raises(StageChangedError, match="labeler.retry"):
        go(tmp_path, unconverging())
    prepare(tmp_path, RETRIED)
    assert go(tmp_path, unconverging()).labelled == 3
    pair = load(tmp_path, run_param(), resources())
    assert isinstance(pair.config, RunConfig)
    assert pair.resources.dft is not None
    labeler = engines.labeler_for(pair.config.dft, 0, pair.resources.dft)
    before = {"engine": "toy", "input": 0}  # as versions wrote it that knew no ladder
    assert not any(differences(before, fingerprint_of(labeler, pair.config.dft)))


def test_in_a_run_and_in_an_init_bulk(tmp_path: Path) -> None:
    executor = ToyExecutor()
    executor.spoil = {"02.label/scf/md.000.sys.000": "unconverged"}
    write_files(tmp_path / "run", {"calculator": "emt"})
    param = deep_update(run_param(), {"DFT.retry": TWO})
    run_loop(tmp_path / "run", param, executor)
    again = [name for name in executor.ran if "/retry-1/" in name]
    assert again
    assert not any("/retry-2/" in name for name in executor.ran)
    label = tmp_path / "run/iter.0000/02.label"
    assert len((label / "retries.csv").read_text().splitlines()) == 1 + sum(
        "iter.0000" in name for name in again
    )
    assert len(read_frames(label / "result/train.xyz", "extxyz")) == 4
    write_files(tmp_path / "init", {"calculator": "emt"})
    entry = {"config": "structures/a.poscar", "format": "vasp/poscar", "perturb": 2, "scf": True}
    executor.spoil = {"temp_init_bulk_work/scf/init_config_0/init/1-scf": "unconverged"}
    chosen = {"sys_configs": [entry], "scf_input": "calculator.json", "retry": TWO}
    (data,) = run_chain(tmp_path / "init", {**init_param(), **chosen}, executor).data_sets
    assert len(read_frames(data, "extxyz")) == 2


@pytest.mark.parametrize(
    ("param", "words"),
    [
        (
            {"DFT.retry": [{"steps": 2}, {"degauss": 0.1}]},
            r"DFT.retry\[1\].degauss: another try may",
        ),
        (
            {"DFT.retry": [{"steps": "many"}]},
            r"DFT.retry\[0\].steps: found .many.; expected an int",
        ),
        ({"DFT.retry": [{"step": 2}]}, r"did you mean steps\? Allowed: steps"),
        ({"DFT.retry": [{}]}, r"DFT.retry\[0\]: found {}; expected an object with a key"),
        (
            {
                "DFT.retry": [{"steps": 1}],
                "DFT.dft_style": "bigmodel",
                "DFT.bigmodel_script": "p.json",
            },
            "bigmodel does not know this key; pwmat, vasp, cp2k",
        ),
        ({"DFT.retry": {"steps": 200}}, ""),
    ],
)
def test_what_may_be_changed(tmp_path: Path, param: Any, words: str) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    for name, document in (("p", deep_update(run_param(), param)), ("r", resources())):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))

    def check() -> None:
        preflight(load_pair(Path("p.json"), Path("r.json"), tmp_path))

    if words:
        with pytest.raises(InputError, match=words):
            check()
    else:
        check()


def test_in_an_init_bulk_without_scf_it_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"calculator": "emt"})
    with pytest.raises(InputError, match="retry: it is for labels by scf, and no entry asks"):
        preflight(load(tmp_path, {**init_param(), "retry": TWO}, resources()))
