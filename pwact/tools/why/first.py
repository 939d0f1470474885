"""The story of a frame of the first data: which entry, which MD, which labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from pwact import layout
from pwact.report.why import Section
from pwact.tools.why.records import Records
from pwact.workflow.labels.origins import Origin, iterate_origins, read_origins
from pwact.workflow.opening import LABEL

_FOLDER = re.compile(r"init_config_(\d+)")


def first_story(records: Records, data: Path, mark: bytes) -> list[Section]:
    """What is on record of a frame that init_bulk made."""
    origin = read_origins(data.parent / layout.ORIGIN).get(mark)
    folder = _FOLDER.fullmatch(data.parent.name if origin is None else origin.entry)
    folder = folder or _FOLDER.fullmatch(data.parent.name)
    entry = records.entries.get(folder[1]) if folder else None
    sections = [Section("entry", {"number": int(folder[1]), "asked": entry})] if folder else []
    if origin is not None and origin.task:
        sections.append(Section("source", {"place": origin.place, "frame": origin.frame}))
        if (chosen := _chosen(data, origin)) is not None:
            sections.append(Section("md", _md(records, chosen)))
    else:
        sections.append(Section("md", _md(records, origin)))
    by = _labeler(records, entry, origin)
    return [*sections, Section("label", {"by": by, **_jobs(records, origin)})]


def _chosen(data: Path, origin: Origin) -> Optional[Origin]:
    """The frame of an MD behind one that a DIRECT script chose; None of all others."""
    folder = Path(layout.BIGMODEL, layout.DIRECT)
    if Path(origin.place).parts[-3:-1] != folder.parts:
        return None
    rows = list(iterate_origins(data.parent.parent / folder / layout.ORIGIN))
    return rows[origin.frame][1] if origin.frame < len(rows) else None


def _md(records: Records, origin: Optional[Origin]) -> dict[str, Any]:
    if origin is None:
        return {"directory": None, "frame": None}
    start = Path(origin.place).parent.name
    return {"directory": _task(records, origin), "begun_from": start, "frame": origin.frame}


def _task(records: Records, origin: Origin) -> str:
    """The directory of its task as the job knew it; where none is on record, from its step on."""
    place = origin.task or origin.place
    tasks = (task for job in reversed(records.jobs) for task in job.tasks)
    return next((task for task in tasks if f"/{task}".endswith(f"/{place}")), place)


def _labeler(records: Records, entry: Optional[Mapping[str, Any]], origin: Optional[Origin]) -> Any:
    """The program and the files behind the label."""
    if origin is None or not origin.task:
        return entry.get("aimd", entry.get("bigmodel")) if entry else None
    return entry.get("scf") if entry else (records.inputs(LABEL) or {}).get("labeler")


def _jobs(records: Records, origin: Optional[Origin]) -> dict[str, Any]:
    if origin is None:
        return {"tries": None, "jobs": None, "failed": None}
    task = _task(records, origin)
    tries = records.tries(task)
    computed = "in this campaign" if tries else "earlier: it was in the store of labels"
    known = {"computed": computed, "task": task} if origin.task else {}
    return {
        **known,
        "tries": len(tries) or None,
        "jobs": tries or None,
        "failed": records.failures(task),
    }
