"""The command `pwact status`."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from pwact.cli.main import main
from pwact.report.status import Status
from pwact.workflow.campaign import open_campaign

KEYS = [
    *("directory", "program", "kind", "state", "why", "master", "stage", "iteration"),
    *("iterations", "waits_for", "tasks", "jobs", "open_jobs", "stages", "eta", "failures"),
    *("findings", "early_ends", "target", "steps", "rows", "cost", "advice", "force_field"),
]  # a promise to programs
PAGE = Path(__file__).parents[2] / "docs" / "status.md"


@pytest.fixture
def campaign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "a campaign"
    place.mkdir()
    with open_campaign(place, "run", 1):
        pass
    old = tmp_path / "of pwact"
    old.mkdir()
    (old / "si.al").write_text("\n0 0\n0 1")
    monkeypatch.chdir(tmp_path)
    return place


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (["status", "a campaign"], "pwact run in {}/a campaign: finished\n"),
        (["STATUS", "./a campaign/"], "pwact run in {}/a campaign: finished\n"),
        (["status", "of pwact"], "PWact run in {}/of pwact: unknown, iteration 0\n"),
    ],
)
def test_text(
    words: list[str], begin: str, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith(begin.format(campaign.parent))
    assert shown.err == ""


def test_here(
    campaign: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(campaign)
    assert main(["status"]) == 0
    assert "finished" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["a campaign", "of pwact"])
def test_json(place: str, campaign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", place, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts) == KEYS
    assert facts["directory"] == str(campaign.parent / place)
    assert list(facts["master"]) == ["alive", "host", "pid", "slurm_job", "since"]
    assert list(facts["jobs"]) == ["asked", "submitted", "running", "ended"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["status"], "no campaign of pwact, nor one of PWact, was begun here"),
        (["status", "nowhere"], "nowhere is not a directory"),
        (["status", "a file"], "a file is not a directory"),
        (["status", "a", "b"], "unrecognized arguments: b"),
        (["status", "--yaml"], "unrecognized arguments: --yaml"),
    ],
)
def test_wrong_use(
    words: list[str], hint: str, campaign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (campaign.parent / "a file").write_text("")
    before = sorted(campaign.parent.rglob("*"))
    assert main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("pwact: ")
    assert hint in shown.err
    assert sorted(campaign.parent.rglob("*")) == before


def test_the_page_names_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [key for key in KEYS if f"`{key}`" not in page] == []
    assert set(KEYS) == {one.name for one in fields(Status)}
