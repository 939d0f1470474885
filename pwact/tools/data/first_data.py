"""Which data a campaign began with (``init_data``) and labelled, from its journal or param.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from pwact import layout
from pwact.config.param import load_run_param
from pwact.errors import InputError
from pwact.io import files
from pwact.io.journal import Journal
from pwact.workflow.ledger import place_of, stages
from pwact.workflow.reports import LabelReport, TrainReport
from pwact.workflow.rows import stage_name


@dataclass(frozen=True)
class FirstData:
    """Data sets that a campaign began with.

    Attributes
    ----------
    paths
        Files, or folders of data.
    data_format
        One of `registry.formats.OF_CAMPAIGNS`.
    """

    paths: Sequence[Path]
    data_format: str


def first_data(work_dir: Path, param: Optional[Path] = None) -> Optional[FirstData]:
    """The first data of a campaign; None if they are not on record and no `param` is given.

    Parameters
    ----------
    param
        The param.json of the campaign, where the journal does not say: it was begun by an earlier
        version, or by PWact.

    Raises
    ------
    InputError
        A data set is not there any more, or `param` is wrong.
    """
    if param is not None:
        config = load_run_param(param, Path.cwd())
        return FirstData(config.init_data, config.data_format)
    journal = work_dir / layout.STATE_DIR / layout.JOURNAL
    state = stages(Journal(journal).events()).get(stage_name(0, TrainReport.by_step))
    given = TrainReport.from_json(state.report).init_data if state is not None else None
    if given is None:
        return None
    found = FirstData([work_dir / path for path in given.paths], given.data_format)
    for path in found.paths:
        if problem := files.unreadable(path, or_folder=True):
            hint = "--param PARAM names the data where they are now, --no-init leaves them out"
            raise InputError(f"{problem}; it is the first data of the campaign: {hint}", path)
    return found


def demand_labels(work_dir: Path) -> None:
    """Refuse a campaign whose journal names labels that are not there any more.

    Raises
    ------
    InputError
        The data set of an iteration that was labelled is gone, or cannot be read.
    """
    known = stages(Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events())
    for state in known.values():
        if state.done and place_of(state.name)[1] == LabelReport.by_step:
            data = LabelReport.from_json(state.report).data
            if data and (problem := files.unreadable(work_dir / data, or_folder=True)):
                message = f"{problem}; the journal names it as the labels of {state.name}"
                raise InputError(message, work_dir / data)
