"""What a campaign was made from: inputs, versions, seeds and hashes, as the journal has them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable

from pwact.io.events import CampaignStarted, MasterStarted, StageProgram
from pwact.report.html.facts import Rows
from pwact.takeover.tree import PwactTree
from pwact.tools.report.shared import is_hash, plain
from pwact.workflow.ledger import StageState, place_of
from pwact.workflow.reports import FirstDataRecord, LabelReport, TrainReport

MODELS = 12  # files of the last models that are named
Events = Sequence[Mapping[str, Any]]
When = Callable[[float], str]


def origin(events: Events, stages: Mapping[str, StageState], when: When) -> list[tuple[str, Rows]]:
    """Headings with names and values, from the journal of a campaign."""
    return [
        ("Campaign", _campaign(events, when)),
        ("Programs", _programs(events)),
        ("Settings of the last steps", list(_settings(stages))),
        ("Data at the beginning", list(_data(stages))),
        ("Labelled data", list(_labelled(stages))),
        ("Models of the last training", _models(stages)),
    ]


def origin_of_pwact(tree: PwactTree) -> list[tuple[str, Rows]]:
    """What is known of a campaign of PWact, which keeps no record of versions and hashes."""
    last = "none" if tree.last is None else tree.last.words
    record = "none" if tree.record is None else tree.record.name
    return [("Campaign of PWact", [("record", record), ("last finished step", last)])]


def _campaign(events: Events, when: When) -> Rows:
    found: list[tuple[str, str]] = []
    for event in events:
        if event["event"] == CampaignStarted.name_of_event:
            begun = CampaignStarted.from_json(event)
            found.append((f"{begun.command} begun", when(begun.time)))
            found.append((f"seed of {begun.command}", str(begun.seed)))
            found.append(("campaign", begun.campaign))
    versions = [str(event["version"]) for event in events if event.get("version")]
    found.append(("versions of pwact", ", ".join(dict.fromkeys(versions)) or "not recorded"))
    starts = [
        MasterStarted.from_json(event)
        for event in events
        if event["event"] == MasterStarted.name_of_event
    ]
    found.append(("starts", str(len(starts))))
    found.append(("machines", ", ".join(dict.fromkeys(one.host for one in starts))))
    return list(dict.fromkeys(found))


def _programs(events: Events) -> Rows:
    """The latest program of each step."""
    found: dict[str, str] = {}
    for event in events:
        if event["event"] == StageProgram.name_of_event:
            one = StageProgram.from_json(event)
            set_up = [*one.source_list, *one.module_list, *one.env_list]
            beside = f" (after {'; '.join(set_up)})" if set_up else ""
            found[f"{place_of(one.name)[1]}, block {one.block}"] = f"{one.command}{beside}"
    return list(found.items())


def commands(events: Events) -> dict[str, str]:
    """The command that each stage ran, where that is recorded."""
    return {
        str(event["name"]): StageProgram.from_json(event).command
        for event in events
        if event["event"] == StageProgram.name_of_event
    }


def _latest(stages: Mapping[str, StageState], step: str) -> StageState:
    mine = [one for one in stages.values() if place_of(one.name)[1] == step and one.inputs]
    return mine[-1] if mine else StageState("")


def _settings(stages: Mapping[str, StageState]) -> Iterator[tuple[str, str]]:
    for step in dict.fromkeys(place_of(name)[1] for name in stages):
        state = _latest(stages, step)
        for key, value in state.inputs.items():
            words = _flat(value)
            if words and key != "seed" and not is_hash(value):
                yield f"{state.name}: {key}", words


def _flat(value: Any) -> str:
    """Settings in one line; "" for what is a list of results."""
    if isinstance(value, Mapping):
        inner = [plain(one, 30) for one in value.values() if isinstance(one, Mapping)]
        plainly = plain({k: v for k, v in value.items() if not is_hash(v)}, 30)
        return "; ".join(filter(None, [plainly, *inner[:3]]))
    return "" if isinstance(value, list) and len(value) > 8 else str(value)


def _data(stages: Mapping[str, StageState]) -> Iterator[tuple[str, str]]:
    trainings = [one for one in stages.values() if place_of(one.name)[1] == "train"]
    if not trainings:
        return
    first = trainings[0]
    given = TrainReport.from_json(first.report).init_data or FirstDataRecord()
    hashes = list(first.inputs.get("init_data", ()))
    names = [shlex.quote(path) for path in given.paths] or ["init_data"] * len(hashes)
    yield from zip(names, (f"sha256 {value}" for value in hashes))
    for number, value in enumerate(first.inputs.get("valid_data", ())):
        yield f"valid_data[{number}]", f"sha256 {value}"


def _labelled(stages: Mapping[str, StageState]) -> Iterator[tuple[str, str]]:
    for one in stages.values():
        path = LabelReport.from_json(one.report).data
        if place_of(one.name)[1] == LabelReport.by_step and path in one.files:
            yield path, f"sha256 {one.files[path]}"


def _models(stages: Mapping[str, StageState]) -> Rows:
    done = [one for one in stages.values() if place_of(one.name)[1] == "train" and one.done]
    files = list(done[-1].files.items()) if done else []
    found = [(path, f"sha256 {value}") for path, value in files[:MODELS]]
    more = len(files) - MODELS
    return [*found, ("", f"and {more} more files")] if more > 0 else found
