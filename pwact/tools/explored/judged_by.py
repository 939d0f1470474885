"""By which uncertainty a campaign judges its frames: what its journal says, else its input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from pwact import layout
from pwact.config.param import load_run_param
from pwact.errors import InputError
from pwact.io.journal import Journal
from pwact.uncertainties import judging, uncertainty
from pwact.uncertainties.base import Uncertainty
from pwact.workflow.force_field import inputs_of
from pwact.workflow.ledger import StageState, stages
from pwact.workflow.reports import SelectReport
from pwact.workflow.rows import stage_name


def asked_for(place: Path) -> Optional[Uncertainty]:
    """What judges the frames of the campaign in which a directory lies.

    The selection of its iteration counts, else the latest one of the campaign, else the input of
    the last run. None where nothing is on record: a tree of PWact, or one that was copied alone.
    """
    found = next((one for one in (place, *place.parents) if one.name.startswith("iter.")), None)
    if found is None:
        return None
    work_dir, number = found.parent, found.name.partition(".")[2]
    known = stages(Journal(work_dir / layout.STATE_DIR / layout.JOURNAL).events())
    own = known.get(stage_name(int(number), SelectReport.by_step)) if number.isdigit() else None
    others = [one for name, one in known.items() if name.endswith(f"/{SelectReport.by_step}")]
    recorded = (judging(one.inputs) for one in (own, *reversed(others)) if one is not None)
    return next(filter(None, recorded), None) or _of_input(work_dir, known)


def _of_input(work_dir: Path, known: Mapping[str, StageState]) -> Optional[Uncertainty]:
    """What the param.json of the last run asks for; None where it cannot be read any more."""
    given = inputs_of(work_dir) if known else {}
    if "param" not in given:
        return None
    try:
        config = load_run_param(work_dir / given["param"], work_dir / given.get("launch", "."))
    except InputError:
        return None
    return uncertainty(config.strategy.uncertainty)
