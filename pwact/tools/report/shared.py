"""What is the same for all labels of an iteration, for the page of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from pwact import layout
from pwact.report.html.facts import Rows
from pwact.uncertainties import recorded_in
from pwact.workflow.ledger import StageState
from pwact.workflow.reports import SelectReport, TrainReport


def shared_rows(
    stages: Mapping[str, StageState],
    iteration: int,
    when: Callable[[float], str],
    commands: Mapping[str, str],
) -> Rows:
    """What is the same for all labels of an iteration: models, limits, labeler, and times.

    Parameters
    ----------
    when
        Words for a time in seconds since the epoch.
    commands
        Stage → the command that it ran.
    """
    name = layout.iteration_name(iteration)
    found: list[tuple[str, str]] = []
    train, explore, select, label = (
        stages.get(f"{name}/{step}") for step in ("train", "explore", "select", "label")
    )
    if train is not None and train.done:
        found.append(("exploring model", _model(train)))
    if explore is not None and explore.ended_at:
        found.append(("explored until", when(explore.ended_at)))
    if select is not None:
        found.append(("chosen by", _rule(select.inputs, SelectReport.from_json(select.report))))
    if label is not None and label.inputs.get("labeler"):
        command = commands.get(label.name, "")
        by = plain(label.inputs["labeler"])
        found.append(("labelled by", f"{by}; command {command}" if command else by))
    if label is not None and label.ended_at:
        version = f", pwact {label.version}" if label.version else ""
        found.append(("labelled until", f"{when(label.ended_at)}{version}"))
    return found


def _model(train: StageState) -> str:
    """The first model of a training, by the beginnings of its files' hashes."""
    first = (TrainReport.from_json(train.report).models or ("",))[0]
    mine = {path: value for path, value in train.files.items() if path.startswith(f"{first}/")}
    hashes = (f"{path.rpartition('/')[2]} {value[:12]}…" for path, value in sorted(mine.items()))
    return f"{first or train.name}, sha256 of {', '.join(hashes)}" if mine else train.name


def _rule(inputs: Mapping[str, Any], report: SelectReport) -> str:
    aim = report.target
    if aim is not None:
        limit = "no frame accepted" if aim.limit is None else f"U above {aim.limit:.4g}"
        rule = f"{limit}; of these {aim.rule}" if aim.rule else limit
        return f"target {aim.target:g} eV/Å: {rule}; and {aim.controls} controls by lot"
    judge = recorded_in(inputs)
    keys = judge.measure.keys if judge is not None else ()
    window = ", ".join(f"{key} {inputs[key]:g}" for key in keys if key in inputs)
    pick = inputs.get("pick") or "random"
    return f"{window}; {report.selected} of {report.candidate} candidates, {pick}"


def plain(inputs: Any, most: int = 8) -> str:
    """Settings in one line: those that are a word or a number; of hashes the beginning."""
    if not isinstance(inputs, Mapping):
        return str(inputs)
    kept = {
        key: f"{str(value)[:12]}…" if is_hash(value) else value
        for key, value in inputs.items()
        if isinstance(value, (str, int, float)) and len(str(value)) < 70
    }
    return ", ".join(f"{key} {value}" for key, value in list(kept.items())[:most])


def is_hash(value: Any) -> bool:
    """Whether a value is a hash, or holds nothing but hashes."""
    if isinstance(value, list):
        return bool(value) and all(map(is_hash, value))
    if isinstance(value, Mapping):
        return bool(value) and all(map(is_hash, value.values()))
    return isinstance(value, str) and len(value) >= 16 and not set(value) - set("0123456789abcdef")
